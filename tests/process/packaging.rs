//! What packages bring with them. kproxy promises:
//!
//! 1. systemd accepts the units as they are, and finds the service well confined.
//! 2. The configurations that packages and manifests bring can be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::binary::program;
use testkit::skipped;

/// Highest exposure of the service in tenths; systemd calls everything below 20 "OK".
const EXPOSURE: &str = "20";

/// The first version of systemd that knows `Type=notify-reload`.
const NOTIFY_RELOAD: u32 = 253;

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

fn analyze(arguments: &[&str]) -> Option<Output> {
    let output = Command::new("systemd-analyze").args(arguments).output();
    if output.is_err() {
        skipped::note("systemd-analyze is missing");
    }
    output.ok()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// The number of the version of systemd.
fn version() -> Option<u32> {
    let output = analyze(&["--version"])?;
    text(&output).split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn systemd_accepts_the_units() {
    let Some(version) = version() else { return };
    let directory = tempfile::tempdir().unwrap();
    let service = directory.path().join("kproxy.service");
    let unit = String::from_utf8(fs::read(packaging("systemd/kproxy.service")).unwrap()).unwrap();
    // The binary of this build, since nothing is installed.
    let here = program().display().to_string();
    fs::write(&service, unit.replace("/usr/bin/kproxy", &here)).unwrap();
    let socket = directory.path().join("kproxy.socket");
    fs::copy(packaging("systemd/kproxy.socket"), &socket).unwrap();
    let units = [service.to_str().unwrap(), socket.to_str().unwrap()];
    let output = analyze(&["verify", "--man=no", units[0], units[1]]).unwrap();
    let complaints = text(&output);
    // Other units of this machine may be at fault.
    let ours = complaints.lines().filter(|line| line.contains("kproxy"));
    let is_old = version < NOTIFY_RELOAD;
    let unknown = |line: &&str| !(is_old && line.contains("notify-reload"));
    assert_eq!(ours.filter(unknown).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn systemd_finds_the_service_well_confined() {
    let unit = packaging("systemd/kproxy.service");
    let threshold = format!("--threshold={EXPOSURE}");
    let arguments = [
        "security",
        "--offline=true",
        "--no-pager",
        &threshold,
        unit.to_str().unwrap(),
    ];
    let Some(output) = analyze(&arguments) else { return };
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn configurations_of_packages_and_manifests_can_be_used() {
    for file in ["debian/proxy.yaml", "kubernetes/base/proxy.yaml"] {
        let loaded = kproxy::model::load_all(&packaging(file));
        assert!(loaded.for_start().is_ok(), "{file}");
    }
}
