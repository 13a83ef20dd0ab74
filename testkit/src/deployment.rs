//! The binary with its files around it: configuration, certificates, and what it says of itself over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::binary::Binary;
use crate::command::run_with;
use crate::replace::atomically;
use crate::running::{local, ports};
use crate::wait::{PATIENCE, eventually};

/// A running kproxy process with its files. Dropping it kills the process.
pub struct Deployment {
    pub binary: Binary,
    pub directory: TempDir,
    head: String,
}

/// The first of the ports of a deployment that are its clusters'.
const FIRST: u16 = 1;

impl Deployment {
    /// Runs with what `lay_out` makes of a directory and of a port that is the first of many: the configuration below
    /// `head`.
    #[track_caller]
    pub fn start(head: &str, lay_out: impl FnOnce(&Path, u16) -> String) -> Self {
        let (directory, base) = (tempfile::tempdir().unwrap(), ports());
        let network = match head.contains("network:") {
            true => "",
            false => "network: {proxy: {workerThreadCount: 2, connectTimeout: 2s}}\n",
        };
        let head =
            format!("management: {{port: {base}}}\ncontrol: {{socket: control.sock}}\n{head}{network}");
        let text = lay_out(directory.path(), base + FIRST);
        let file = directory.path().join("proxy.yaml");
        std::fs::write(&file, format!("{head}{text}")).unwrap();
        let binary = Binary::at(&file);
        eventually("it serves", || {
            let log = binary.log();
            assert!(!log.contains("error:"), "{log}");
            log.contains("kproxy serves")
        });
        binary.expect_tried_out();
        let deployment = Self {
            binary,
            directory,
            head,
        };
        // The port is free from now on for the administration of nobody else.
        assert_eq!(deployment.http().port(), base);
        deployment
    }

    /// The line that says where HTTP is.
    pub fn management(&self) -> &str {
        let end = self.head.find('\n').map_or(0, |end| end + 1);
        &self.head[..end]
    }

    fn http(&self) -> SocketAddr {
        let port = self.head.split_once("port: ").unwrap().1;
        local(port.split_once('}').unwrap().0.parse().unwrap())
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts another configuration in the place of what is there.
    pub fn configure(&self, text: &str) {
        atomically(&self.path("proxy.yaml"), &self.with_head(text));
    }

    /// A whole file: the lines that every configuration of this deployment has, and `text`.
    pub fn with_head(&self, text: &str) -> String {
        format!("{}{text}", self.head)
    }

    /// How much has been logged.
    pub fn mark(&self) -> usize {
        self.binary.logged()
    }

    /// What has been logged behind `mark`.
    pub fn log(&self, mark: usize) -> String {
        self.binary.log_behind(mark)
    }

    /// Waits until there is a line behind `mark` with all these words, and returns it.
    #[track_caller]
    pub fn line(&self, mark: usize, words: &[&str]) -> String {
        let found = || {
            let log = self.log(mark);
            // Only what is complete.
            let complete = &log[..log.rfind('\n').map_or(0, |end| end + 1)];
            let mut lines = complete.lines();
            let line = lines.find(|line| words.iter().all(|word| line.contains(word)));
            line.map(str::to_owned)
        };
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            if let Some(line) = found() {
                return line;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "no line with {words:?} in\n{}",
                self.log(mark)
            );
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Runs a command with its control socket. Returns the exit code, and everything that the command prints.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        run_with(self.directory.path(), "control.sock", arguments).told()
    }

    pub fn get(&self, path: &str) -> String {
        get(self.http(), path)
    }

    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/status")).unwrap()
    }

    /// Whether there is a series of this name that has all these labels.
    pub fn has_metric(&self, name: &str, labels: &[&str]) -> bool {
        let metrics = self.get("/metrics");
        metrics.lines().any(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        })
    }

    /// The sum of all series of this name that have all these labels, as in `cause="drained"`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let metrics = self.get("/metrics");
        let series = metrics.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        series.map(value).sum()
    }

    /// Waits until a metric has this value.
    #[track_caller]
    pub fn expect_metric(&self, name: &str, labels: &[&str], expected: f64) {
        eventually(
            &format!(
                "{name}{labels:?} is {expected}, not {}; {}",
                self.metric(name, labels),
                self.log(0)
            ),
            || self.metric(name, labels) == expected,
        );
    }
}

/// A virtual cluster of one gateway at `port`, named as the cluster, with TLS settings of both sides where there are any.
pub fn cluster(name: &str, port: u16, target: SocketAddr, target_tls: &str, gateway_tls: &str) -> String {
    let within = |tls: &str| match tls {
        "" => String::new(),
        tls => format!(", tls: {tls}"),
    };
    let gateway_tls = match gateway_tls {
        "" => String::new(),
        tls => format!("        tls: {tls}\n"),
    };
    format!(
        "  - name: {name}
    targetCluster: {{bootstrapServers: \"{target}\"{}}}
    gateways:
      - name: {name}
        portIdentifiesNode: {{bootstrapAddress: \"127.0.0.1:{port}\", nodeIdRanges: [{{name: n, start: 0, end: 0}}]}}
{gateway_tls}",
        within(target_tls)
    )
}

/// What kproxy's HTTP at this address answers.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: kproxy\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}
