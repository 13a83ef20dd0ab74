//! `status --watch`, `bench reload`, and what a terminal is told at the start.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::running::{Running, ask};
use testkit::skipped;

use super::fixture::{HEAD, run, status};

/// The first lines of a command that goes on and on, which is then killed.
fn first_lines(running: &Running, arguments: &str, count: usize) -> Vec<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kproxy"))
        .args(arguments.split_whitespace())
        .args(["--control", "s"])
        .current_dir(running.directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.take(count).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    lines
}

/// Promise 9.
#[test]
fn the_status_is_followed_block_by_block() {
    let running = Running::with(HEAD, &["a", "b"]);
    let _client = running.client(0);
    let lines = first_lines(&running, "status --watch --interval 200ms --sort name", 16);
    let text = lines.join("\n");
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("kproxy ")).count(),
        2,
        "{text}"
    );
    assert!(text.contains("2 virtual clusters: "), "{text}");
    assert!(text.contains("1 connection, 0 in flight, "), "{text}");
    assert!(!text.contains('\u{1b}'), "no terminal: {text}");
    for line in first_lines(&running, "status --watch --interval 200ms --json", 2) {
        let overview: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(overview["totals"]["connections"], 1);
    }
    let wrong = run(&running, "status --watch --sort size");
    assert_eq!((wrong.code, &*wrong.out), (1, ""));
    assert!(wrong.err.contains("`sort` must be"), "{}", wrong.err);
    assert_eq!(run(&running, "status --interval 1s").code, 2);
}

/// Promise 10.
#[test]
fn reloads_are_measured_without_touching_anybody() {
    let running = Running::with(HEAD, &["a", "b"]);
    let mut client = running.client(0);
    let before = status(&running);
    let people = run(&running, "bench reload --count 3");
    assert_eq!((people.code, &*people.err), (0, ""));
    assert!(
        people
            .out
            .starts_with("generation 1, 2 virtual clusters; nothing was changed\n"),
        "{}",
        people.out
    );
    assert!(
        people
            .out
            .ends_with("3 runs without a change, 3 runs of one virtual cluster\n"),
        "{}",
        people.out
    );
    let figures: Value = serde_json::from_str(&run(&running, "bench reload --count 2 --json").out).unwrap();
    assert_eq!(
        (&figures["generation"], &figures["clusters"]),
        (&1.into(), &2.into())
    );
    for phase in ["read", "plan", "prepare", "total"] {
        assert!(
            figures["one_cluster"][phase]["p99_ms"].as_f64().unwrap() > 0.0,
            "{figures}"
        );
    }
    assert_eq!(figures["unchanged"]["runs"], 2);
    let after = status(&running);
    for same in ["generation", "drains", "warnings"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(before["config"], after["config"], "no reload is counted");
    ask(&mut client);
    assert_eq!(running.reload().outcome, "unchanged");
    for wrong in ["bench", "bench reload --count 0", "bench reload --count 1001"] {
        assert_eq!(run(&running, wrong).code, 2, "{wrong}");
    }
}

/// Promise 10.
#[test]
fn without_a_virtual_cluster_there_is_none_to_change() {
    let running = Running::with(HEAD, &["a"]);
    let empty = format!("{HEAD}virtualClusters: []\n");
    std::fs::write(running.path("empty.yaml"), empty).unwrap();
    assert_eq!(run(&running, "reload -c empty.yaml --force").code, 0);
    let refused = run(&running, "bench reload --count 1");
    assert_eq!(
        (refused.code, &*refused.err),
        (1, "kproxy: error: there is no virtual cluster to change\n")
    );
}

/// Promise 11.
#[test]
fn a_terminal_is_told_where_to_connect() {
    if Command::new("script").arg("--version").output().is_err() {
        return skipped::note("script is not installed");
    }
    let directory = tempfile::tempdir().unwrap();
    let target = testkit::broker::Broker::echoing(b"ok");
    let text = testkit::binary::configuration(target.address);
    std::fs::write(
        directory.path().join("proxy.yaml"),
        format!("control: {{socket: s}}\n{text}"),
    )
    .unwrap();
    let kproxy = env!("CARGO_BIN_EXE_kproxy");
    let mut terminal = Command::new("script");
    let command = format!("{kproxy} --config proxy.yaml");
    let mut child = terminal
        .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let last = line.contains("Ctrl-C drains the sessions and ends.");
        said.push(line.trim_end().to_owned());
        if last {
            break;
        }
    }
    let status = Command::new(kproxy)
        .args(["--control", "s", "status", "--json"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let pid = i32::try_from(status["pid"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    child.wait().unwrap();
    let said = said.join("\n");
    assert!(said.contains("serves 1 virtual cluster\n"), "{said}");
    assert!(said.contains("CLIENTS CONNECT TO"), "{said}");
    assert!(said.contains("demo     main     127.0.0.1:"), "{said}");
    assert!(said.contains("\ncontrol socket  "), "{said}");
}
