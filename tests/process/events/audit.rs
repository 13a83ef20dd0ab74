//! Promise 3.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde_json::Value;
use testkit::binary::{Binary, configuration, program};
use testkit::broker::Broker;
use testkit::running::Running;
use testkit::wait::eventually;

use super::fixture::{HEAD, run};

/// What is in the file; nothing if it is missing.
fn read(file: &Path) -> String {
    String::from_utf8(fs::read(file).unwrap_or_default()).unwrap()
}

fn lines(file: &Path) -> Vec<Value> {
    let text = read(file);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits for so many lines, and returns them.
#[track_caller]
fn expect_lines(file: &Path, count: usize) -> Vec<Value> {
    eventually(
        &format!("{count} lines in {}: {:#?}", file.display(), lines(file)),
        || lines(file).len() >= count,
    );
    lines(file)
}

fn audited(file: &str) -> Running {
    Running::with(&format!("{HEAD}audit: {{file: {file}}}\n"), &["a"])
}

#[test]
fn each_change_is_one_line_in_the_log_and_in_the_file() {
    let running = audited("audit.jsonl");
    let file = running.path("audit.jsonl");
    running.reload_with(running.text(&["a", "b"]));
    let own = rustix::process::getuid().as_raw();
    running.write("nonsense");
    assert_eq!(run(&running, "reload").code, 2);
    let found = expect_lines(&file, 3);
    let field = |name: &str| found.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("sequence"), [1, 2, 3]);
    assert_eq!(field("action"), ["start", "reload", "reload"]);
    assert_eq!(field("outcome"), ["applied", "applied", "rejected"]);
    assert_eq!(field("trigger"), ["start", "sighup", "control"]);
    assert_eq!(field("from_generation"), [0, 1, 2]);
    assert_eq!(field("to_generation"), [1, 2, 2]);
    assert_eq!(found[1]["by"], serde_json::json!({"kind": "process"}));
    let expected = serde_json::json!({"added": 1, "modified": 0, "removed": 0, "names": ["b"]});
    assert_eq!(found[1]["changes"], expected);
    let by = &found[2]["by"];
    assert_eq!((&by["kind"], &by["uid"]), (&"user".into(), &own.into()));
    assert!(by["pid"].is_number(), "{by}");
    if own == 0 {
        assert_eq!(found[2]["user"], "root");
    }
    assert!(
        found[2]["errors"][0]
            .as_str()
            .unwrap()
            .contains("proxy.yaml:1:1: error: ")
    );
    let text = found[2]["text"].as_str().unwrap();
    assert!(text.starts_with("reload rejected (control) by user "), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let log = running.binary.log();
    let audit: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" kproxy::audit: "))
        .collect();
    assert_eq!(audit.len(), 3, "{log}");
    assert!(
        audit[1].contains("action=\"reload\"") && audit[1].contains("to_generation=2"),
        "{audit:#?}"
    );
}

#[test]
fn a_stop_is_the_last_line_and_is_written_before_the_process_has_ended() {
    let mut running = audited("audit.jsonl");
    running.binary.signal(Signal::TERM);
    assert_eq!(running.binary.exit().0, Some(0));
    let found = lines(&running.path("audit.jsonl"));
    let last = found.last().unwrap();
    assert_eq!(
        (&last["action"], &last["object"]),
        (&"stop".into(), &"SIGTERM".into())
    );
}

#[test]
fn a_file_that_is_renamed_or_truncated_by_a_rotation_is_followed() {
    let running = audited("audit.jsonl");
    let (file, old) = (running.path("audit.jsonl"), running.path("audit.jsonl.1"));
    expect_lines(&file, 1);
    fs::rename(&file, &old).unwrap();
    running.reload_with(running.text(&["a", "b"]));
    assert_eq!(expect_lines(&file, 1)[0]["sequence"], 2);
    assert_eq!(lines(&old).len(), 1, "nothing more is written there");
    // The option `create` of logrotate does this.
    fs::rename(&file, running.path("audit.jsonl.2")).unwrap();
    let created = File::create(&file).unwrap().metadata().unwrap().ino();
    running.reload_with(running.text(&["a"]));
    assert_eq!(expect_lines(&file, 1)[0]["sequence"], 3);
    assert_eq!(fs::metadata(&file).unwrap().ino(), created);
    // The option `copytruncate` does this.
    File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(0)
        .unwrap();
    running.reload_with(running.text(&["a", "b"]));
    let found = expect_lines(&file, 1);
    assert_eq!(
        (found.len(), &found[0]["sequence"]),
        (1, &4.into()),
        "no hole, no lost line"
    );
}

#[test]
fn what_cannot_be_written_is_told_once_and_counted_and_everything_else_goes_on() {
    let running = audited("missing/audit.jsonl");
    running
        .binary
        .expect_log("audit lines cannot be written to the file; they are in the log only");
    running.reload_with(running.text(&["a", "b"]));
    running.reload_with(running.text(&["a"]));
    running.client(0);
    let warned = || {
        run(&running, "status")
            .out
            .contains("audit lines cannot be written to ")
    };
    eventually("the status warns of it", warned);
    fs::create_dir(running.path("missing")).unwrap();
    running.reload_with(running.text(&["a", "b"]));
    let found = expect_lines(&running.path("missing/audit.jsonl"), 2);
    assert_eq!(
        (&found[0]["action"], &found[0]["count"]),
        (&"lines_lost".into(), &3.into())
    );
    assert_eq!(
        (&found[1]["action"], &found[1]["sequence"]),
        (&"reload".into(), &4.into())
    );
    eventually("the warning is gone", || !warned());
    let log = running.binary.log();
    assert_eq!(
        log.matches("audit lines cannot be written to the file").count(),
        1,
        "{log}"
    );
    running
        .binary
        .expect_log("audit lines are written again; some are in the log only");
}

#[test]
fn a_full_disk_is_told_once_and_spoils_no_line_but_the_one_it_has_cut() {
    // To a process with a limit of the size of files, the disk is full at a known byte.
    let (directory, broker) = (tempfile::tempdir().unwrap(), Broker::echoing(b"ok"));
    let (config, file) = (
        directory.path().join("proxy.yaml"),
        directory.path().join("audit.jsonl"),
    );
    let text = format!("audit: {{file: audit.jsonl}}\n{}", configuration(broker.address));
    fs::write(&config, text).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ && ulimit -S -f 2 && exec \"$0\" \"$@\""])
        .arg(program());
    let binary = Binary::start(shell, &config, None);
    binary.expect_log("kproxy serves");
    let mut asked = 0;
    let mut ask = || {
        binary.signal(Signal::HUP);
        asked += 1;
        eventually("the reload is told", || {
            binary.log().matches("reload unchanged").count() >= asked
        });
    };
    let full = "audit lines cannot be written to the file; they are in the log only";
    while !binary.log().contains(full) {
        ask();
    }
    ask();
    let whole = |line: &str| serde_json::from_str::<Value>(line).is_ok();
    let pid = Pid::from_raw(binary.id().cast_signed());
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    rustix::process::prlimit(pid, Resource::Fsize, unlimited).unwrap();
    ask();
    binary.expect_log("audit lines are written again; some are in the log only");
    eventually("the last line is whole", || {
        read(&file).lines().last().is_some_and(whole)
    });
    let text = read(&file);
    assert!(text.lines().filter(|line| !whole(line)).count() <= 1, "{text}");
    assert!(text.contains(r#""action":"lines_lost""#), "{text}");
    assert_eq!(binary.log().matches(full).count(), 1);
}

#[test]
fn the_file_of_the_audit_may_be_changed_by_a_reload() {
    let running = audited("one.jsonl");
    let text = running.text(&["a"]).replace("one.jsonl", "other.jsonl");
    running.reload_with(&text);
    running.reload_with(text.replace("maxRemovedPercent: 50", "maxRemovedPercent: 51"));
    assert_eq!(expect_lines(&running.path("other.jsonl"), 1)[0]["sequence"], 3);
    let one = lines(&running.path("one.jsonl"));
    assert_eq!(one.len(), 2, "who turned it away is in the file before");
}

#[test]
fn a_command_that_steers_is_a_line_with_who_gave_it() {
    let running = audited("audit.jsonl");
    assert_eq!(run(&running, "drain a").code, 0);
    assert_eq!(run(&running, "drain nobody").code, 1);
    assert_eq!(run(&running, "log debug").code, 0);
    let found = expect_lines(&running.path("audit.jsonl"), 4);
    let of = |place: usize| {
        let line = &found[place];
        assert_eq!(line["by"]["kind"], "user", "{line}");
        (line["action"].as_str().unwrap(), line["object"].as_str().unwrap())
    };
    assert_eq!(
        [of(1), of(2), of(3)],
        [("drain", "a"), ("drain", "nobody"), ("log_level", "debug")]
    );
    assert_eq!(found[2]["outcome"], "refused");
}
