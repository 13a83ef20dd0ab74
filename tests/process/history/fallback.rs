//! Promise 8.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use testkit::binary::{Binary, program};
use testkit::running::{Running, ask, refuses};

use super::fixture::{HEAD, asked, edit, entries_on_disk, run};

/// Starts again with these arguments.
fn start(running: &mut Running, arguments: &[&str], environment: &[(&str, &str)]) {
    // Dropping a process kills it, before the next one needs its ports.
    running.binary = Binary::start(Command::new("true"), &running.file, None);
    let mut command = Command::new(program());
    command.args(arguments).envs(environment.iter().copied());
    command.args(["--control", running.path("s").to_str().unwrap()]);
    running.binary = Binary::start(command, &running.file, None);
}

const BROKEN: &str = "virtualClusters: 1\n";

#[test]
fn with_a_broken_file_the_last_good_configuration_serves_and_everything_says_so() {
    let head = format!("{HEAD}stateDirectory: state\nmanagement: {{port: 0}}\n");
    let mut running = Running::with(&head, &["a"]);
    edit(&running, &["a", "b"]);
    entries_on_disk(&running, 2);
    // The key of the state directory can still be read.
    running.replace(format!("stateDirectory: state\n{BROKEN}"));
    start(&mut running, &[], &[]);
    let (code, log) = running.binary.exit();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("proxy.yaml:2:"), "{log}");

    start(&mut running, &["--fallback-to-last-good"], &[]);
    running.binary.expect_log("kproxy serves");
    let log = running.binary.log();
    assert!(
        log.contains("ERROR") && log.contains("kproxy starts with the last good configuration in place of"),
        "{log}"
    );
    assert!(
        log.contains("the configuration file cannot be used") && log.contains("proxy.yaml:2:"),
        "{log}"
    );
    ask(&mut running.client(1));
    let status = asked(&running, "status");
    let config = &status["config"];
    assert_eq!(
        (&config["in_sync"], &config["restored_generation"]),
        (&false.into(), &2.into())
    );
    assert_eq!(config["last_reload"]["outcome"], "rejected");
    assert_eq!(config["last_reload"]["trigger"], "start");
    assert!(
        config["last_reload"]["errors"][0]
            .as_str()
            .unwrap()
            .contains("proxy.yaml:2:")
    );
    let warnings = status["warnings"].to_string();
    assert!(
        warnings.contains("the last good configuration runs, that of generation 2"),
        "{warnings}"
    );
    let people = run(running.directory.path(), "status").out;
    assert!(
        people.contains("NOT in sync") && people.contains("the last good configuration runs"),
        "{people}"
    );
    let socket = running.path("s");
    let metrics = Command::new("curl")
        .args([
            "-s",
            "--unix-socket",
            socket.to_str().unwrap(),
            "http://localhost/metrics",
        ])
        .output();
    if let Ok(metrics) = metrics {
        let metrics = String::from_utf8(metrics.stdout).unwrap();
        assert!(metrics.contains("kproxy_config_in_sync 0"), "{metrics}");
        assert!(
            metrics.contains("kproxy_config_last_reload_successful 0"),
            "{metrics}"
        );
    }

    // Mended, it runs.
    edit(&running, &["a", "c@2"]);
    let status = asked(&running, "status");
    assert_eq!(status["config"]["in_sync"], true);
    assert!(!status["warnings"].to_string().contains("last good"));
    assert!(refuses(running.address(1)));
}

#[test]
fn where_the_last_good_configuration_is_may_be_said_in_three_ways() {
    let mut running = Running::with(&format!("{HEAD}stateDirectory: state\n"), &["a"]);
    entries_on_disk(&running, 1);
    fs::write(&running.file, "a: [").unwrap();
    start(&mut running, &["--fallback-to-last-good"], &[]);
    let (code, log) = running.binary.exit();
    assert_eq!(code, Some(2));
    assert!(
        log.contains("there is no fallback: the file names no `stateDirectory` that can be read"),
        "{log}"
    );

    let state = running.path("state");
    let state = state.to_str().unwrap();
    let option = format!("--fallback-to-last-good={state}");
    start(&mut running, &[&option], &[]);
    running.binary.expect_log("kproxy serves");
    running.client(0);
    start(
        &mut running,
        &["--fallback-to-last-good"],
        &[("STATE_DIRECTORY", state)],
    );
    running.binary.expect_log("kproxy serves");
    assert!(TcpStream::connect(running.address(0)).is_ok());

    let empty = running.path("empty");
    let option = format!("--fallback-to-last-good={}", empty.display());
    start(&mut running, &[&option], &[]);
    let (code, log) = running.binary.exit();
    assert_eq!(code, Some(2));
    assert!(
        log.contains("there is no fallback: no configuration is remembered in "),
        "{log}"
    );
}
