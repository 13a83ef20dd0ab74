//! A running binary with a page, and a browser on it.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::binary::Binary;
use testkit::broker::Broker;
use testkit::browser::Browser;
use testkit::running::{cluster, ports};

pub(crate) struct Scene {
    pub(crate) browser: Browser,
    pub(crate) binary: Binary,
    pub(crate) broker: Broker,
    pub(crate) file: PathBuf,
    /// The first of the ports that are this scene's. Clusters have the next ones, two each.
    pub(crate) port: u16,
    _directory: TempDir,
}

impl Scene {
    /// One in a window of this size, with these clusters.
    #[track_caller]
    pub(crate) fn start(width: u32, height: u32, names: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("proxy.yaml");
        let (broker, port) = (Broker::echoing(b"\0\0\0\0\0\x01\0\x12\0\0\0\x04"), ports());
        fs::write(&file, text(port, broker.address, names)).unwrap();
        let binary = Binary::at(&file);
        binary.expect_log("kproxy serves");
        binary.expect_tried_out();
        let scene = Self {
            browser: Browser::start(width, height),
            binary,
            broker,
            file,
            port,
            _directory: directory,
        };
        scene.browser.open(&scene.address());
        scene
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Writes the file with these clusters.
    pub(crate) fn write(&self, names: &[&str]) {
        self.write_text(&text(self.port, self.broker.address, names));
    }

    pub(crate) fn write_text(&self, text: &str) {
        let beside = self.file.with_extension("new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &self.file).unwrap();
    }

    /// Where clients reach the cluster at this place of the list.
    pub(crate) fn bootstrap(&self, place: u16) -> SocketAddr {
        testkit::running::local(self.port + 1 + 2 * place)
    }
}

pub(crate) fn text(port: u16, broker: SocketAddr, names: &[&str]) -> String {
    let mut text = String::new();
    write!(
        text,
        "management: {{port: {port}}}\ncontrol: {{socket: control.sock}}\nreload: {{maxRemovedPercent: 100}}\nvirtualClusters:\n"
    )
    .unwrap();
    for (place, name) in (0..).zip(names) {
        text += &cluster(name, port + 1 + 2 * place, broker, "");
    }
    text
}
