//! Promise 11.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use testkit::running::{LOUD, Running, ask};
use testkit::wait::eventually;

const HEAD: &str = "control: {socket: control.sock}\n";

fn start() -> Running {
    Running::with(&format!("{HEAD}{LOUD}"), &["a", "b"])
}

/// What `status` says of the configuration.
fn config(running: &Running) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    let ran = command
        .args(["status", "--json", "-c"])
        .arg(&running.file)
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&ran.stdout).unwrap();
    status["config"].clone()
}

fn take(running: &Running, place: u16) -> TcpListener {
    TcpListener::bind(running.address(place)).unwrap()
}

#[test]
fn a_port_that_is_taken_for_a_while_is_had_when_it_is_free() {
    let running = start();
    let mut client = running.client(0);
    let [first, second] = [2, 3].map(|place| take(&running, place));
    let mark = running.mark();
    running.write(running.text(&["a", "b", "c", "d"]));
    let told = running.outcome_since(mark);
    assert_eq!(told.outcome, "rejected");
    running
        .binary
        .expect_log("next attempt in 1s, later ones less often");
    let told = config(&running);
    assert_eq!(
        (&told["in_sync"], &told["last_reload"]["outcome"]),
        (&false.into(), &"rejected".into())
    );
    assert_eq!(
        told["last_reload"]["errors"].as_array().unwrap().len(),
        2,
        "{told}"
    );
    // It is tried again, and the log does not say the same again.
    eventually("three attempts", || {
        config(&running)["retry"]["attempts"].as_u64() >= Some(3)
    });
    assert!(config(&running)["retry"]["next_attempt_seconds"].as_f64() <= Some(30.0));
    assert_eq!(running.count(mark, "rejected"), 1);
    // Another reason is news.
    drop(first);
    eventually("the other reason is told", || {
        running.count(mark, "rejected") == 2
    });
    assert_eq!(
        config(&running)["last_reload"]["errors"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    drop(second);
    running
        .binary
        .expect_log("a configuration that was rejected before is applied");
    let told = config(&running);
    assert_eq!((&told["in_sync"], &told["retry"]), (&true.into(), &Value::Null));
    assert_eq!(
        (running.count(mark, "rejected"), running.count(mark, "applied")),
        (2, 1)
    );
    ask(&mut client);
    running.client(2);
    running.client(3);
}

#[test]
fn descriptors_that_run_out_for_a_while_are_waited_for() {
    let running = start();
    let mut client = running.client(0);
    let open = running.binary.descriptors();
    // Not even for the file.
    let none = (0..).find(|number| !open.contains(number)).unwrap();
    let mark = running.mark();
    let earlier = running.binary.limit_descriptors(Some(none));
    running.write(running.text(&["a", "b", "c"]));
    let told = running.outcome_since(mark);
    assert_eq!(told.outcome, "rejected");
    assert!(told.log.contains("Too many open files"), "{}", told.log);
    running.binary.expect_log("next attempt in ");
    running.binary.limit_descriptors(earlier);
    running
        .binary
        .expect_log("a configuration that was rejected before is applied");
    ask(&mut client);
    running.client(2);
}

#[test]
fn a_file_that_changes_meanwhile_is_what_counts() {
    let running = start();
    let taken = take(&running, 2);
    let mark = running.mark();
    running.write(running.text(&["a", "b", "c"]));
    assert_eq!(running.outcome_since(mark).outcome, "rejected");
    // What is the file's own fault is not tried again.
    let mark = running.mark();
    running.write(format!("{HEAD}virtualClusters: 1\n"));
    assert_eq!(running.outcome_since(mark).outcome, "rejected");
    assert_eq!(config(&running)["retry"], Value::Null);
    assert!(!running.binary.log_behind(mark).contains("next attempt"));
    let mark = running.mark();
    running.write(running.text(&["a", "b", "c"]));
    assert_eq!(running.outcome_since(mark).outcome, "rejected");
    assert_ne!(config(&running)["retry"], Value::Null);
    let mark = running.mark();
    running.write(running.text(&["a", "b", "d@3"]));
    assert_eq!(running.outcome_since(mark).outcome, "applied");
    assert_eq!(config(&running)["retry"], Value::Null);
    drop(taken);
    running.client(3);
}

#[test]
fn who_is_told_to_try_by_hand_tries_at_once_and_a_start_does_not_wait() {
    let running = start();
    let taken = take(&running, 2);
    let text = running.text(&["a", "b", "c"]);
    let mark = running.mark();
    running.write(&text);
    assert_eq!(running.outcome_since(mark).outcome, "rejected");
    assert_eq!(running.reload().outcome, "rejected");
    // A supervisor checks that a started process stays.
    let other = running.path("other.yaml");
    fs::write(&other, text.replace("control.sock", "other.sock")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    let ran = command.arg("-c").arg(&other).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    drop(taken);
    let mark = running.mark();
    running.binary.signal(rustix::process::Signal::HUP);
    assert_eq!(running.outcome_since(mark).outcome, "applied");
}
