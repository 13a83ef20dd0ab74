//! Promises 3 and 4.

use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::Value;
use testkit::binary::Binary;
use testkit::certificates::{Authority, Leaf};
use testkit::openssl::rewrite_key;
use testkit::running::{Running, cluster, refuses};

use super::fixture::{HEAD, asked, edit, entries_on_disk, run};

/// With a directory that outlives the process.
fn remembering() -> String {
    format!("{HEAD}stateDirectory: state\n")
}

/// Kills the process and starts another one with the same file.
#[track_caller]
fn restart(running: &mut Running) {
    running.binary.signal(Signal::KILL);
    running.binary.exit();
    running.binary = Binary::at(&running.file);
    running.binary.expect_log("kproxy serves");
}

/// `field` of all entries, the newest first.
#[track_caller]
fn column(running: &Running, field: &str) -> Vec<Value> {
    let entries = asked(running, "history");
    entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry[field].clone())
        .collect()
}

#[test]
fn the_history_is_told_to_people_and_to_programs() {
    let running = Running::with(&remembering(), &["a"]);
    edit(&running, &["a", "b"]);
    let mark = running.mark();
    running.replace("virtualClusters: 1\n");
    assert_eq!(running.outcome_since(mark).outcome, "rejected");
    asked(&running, "rollback");

    assert_eq!(column(&running, "generation"), [3, 2, 2, 1]);
    assert_eq!(
        column(&running, "outcome"),
        ["applied", "rejected", "applied", "applied"]
    );
    assert_eq!(
        column(&running, "trigger"),
        ["rollback", "watch", "watch", "start"]
    );
    assert_eq!(column(&running, "kept"), [true, false, true, true]);
    assert_eq!(column(&running, "id"), [4, 3, 2, 1]);
    let entries = asked(&running, "history 3");
    assert_eq!(entries.as_array().unwrap().len(), 3);
    let [rollback, rejected, edited] = [&entries[0], &entries[1], &entries[2]];
    assert_eq!(rollback["restored_generation"], 1);
    assert_eq!(rollback["removed"], Value::from(vec!["b"]));
    assert_eq!(rollback["counts"]["removed"], 1);
    assert_eq!(edited["added"], Value::from(vec!["b"]));
    assert!(rejected["errors"][0].as_str().unwrap().contains("proxy.yaml:1:"));
    assert_eq!(edited["hash"], rejected["hash"], "what ran on");
    assert_ne!(edited["hash"], rollback["hash"]);
    assert!(edited["duration_ms"].as_f64().unwrap() > 0.0 && edited["at"].is_string());
    assert_eq!(edited["process"]["version"], env!("CARGO_PKG_VERSION"));

    let people = run(running.directory.path(), "history");
    assert_eq!((people.code, people.err.as_str()), (0, ""));
    let lines: Vec<&str> = people.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", people.out);
    assert!(lines[0].starts_with("GENERATION  TIME "), "{}", people.out);
    for (line, expected) in [
        (1, "rollback"),
        (1, "+0 ~0 -1"),
        (1, "configuration of generation 1"),
        (2, "rejected"),
        (2, "proxy.yaml:1:"),
        (3, "+1 ~0 -0"),
        (4, "start"),
    ] {
        assert!(lines[line].contains(expected), "{expected}: {}", people.out);
    }
}

#[test]
fn what_ran_is_shown_as_text_and_as_a_difference() {
    let running = Running::with(HEAD, &["a"]);
    let first = running.text(&["a"]);
    edit(&running, &["a", "b"]);
    let people = run(running.directory.path(), "show 1");
    assert_eq!((people.code, people.err.as_str()), (0, ""));
    assert!(
        people.out.starts_with("# generation 1: applied (start) at "),
        "{}",
        people.out
    );
    assert!(
        people.out.ends_with(&format!("proxy.yaml\n{first}")),
        "{}",
        people.out
    );

    let diff = run(running.directory.path(), "show 2 --diff 1");
    assert_eq!(diff.code, 0);
    let added: Vec<&str> = diff.out.lines().filter(|line| line.starts_with('+')).collect();
    assert!(
        added[0].starts_with("+++ ") && added[1] == "+  - name: b",
        "{}",
        diff.out
    );
    assert!(diff.out.contains("--- "), "{}", diff.out);
    let same = run(running.directory.path(), "show 2 --diff 2");
    assert!(
        same.out.ends_with("the text is that of generation 2\n"),
        "{}",
        same.out
    );

    let view = asked(&running, "show 2 --diff 1");
    assert_eq!(
        (&view["entry"]["generation"], &view["compared_with"]),
        (&2.into(), &1.into())
    );
    assert!(view["diff"].as_str().unwrap().contains("\n+  - name: b\n"));
    assert_eq!(view["files"][0]["text"], running.text(&["a", "b"]));

    let missing = run(running.directory.path(), "show 17");
    assert_eq!((missing.code, missing.out.as_str()), (1, ""));
    assert!(
        missing
            .err
            .contains("the configuration of generation 17 is not kept"),
        "{}",
        missing.err
    );
}

#[test]
fn the_history_outlives_the_process_and_can_be_brought_back() {
    let mut running = Running::with(&remembering(), &["a"]);
    edit(&running, &["a", "b"]);
    edit(&running, &["a", "b", "c"]);
    entries_on_disk(&running, 3);
    restart(&mut running);
    assert_eq!(asked(&running, "status")["generation"], 4);
    assert_eq!(column(&running, "generation"), [4, 3, 2, 1]);
    assert_eq!(
        asked(&running, "show 2")["files"][0]["text"],
        running.text(&["a", "b"])
    );

    // Further and further back, over the restart.
    assert_eq!(asked(&running, "rollback")["restored_generation"], 2);
    assert!(refuses(running.address(2)));
    assert_eq!(asked(&running, "rollback")["restored_generation"], 1);
    assert!(refuses(running.address(1)));
    running.client(0);
    let none = run(running.directory.path(), "rollback");
    assert!(
        none.err.contains("no other configuration ran before this one"),
        "{}",
        none.err
    );
    assert_eq!(asked(&running, "rollback 3")["outcome"], "applied");
    running.client(2);
    // A rejected attempt is an entry, too.
    let missing = run(running.directory.path(), "rollback 99");
    assert!(
        missing
            .err
            .contains("generation 99 is not kept; kept are some of 1 to 7"),
        "{}",
        missing.err
    );
    // Nothing of it changed the file.
    entries_on_disk(&running, 8);
    restart(&mut running);
    assert_eq!(asked(&running, "status")["generation"], 8);
    running.client(2);
}

/// A cluster whose gateway has an encrypted key, with its password in the text.
fn with_password(running: &Running, password: &str) -> String {
    let tls = format!(
        "        tls:\n          key: {{certificateFile: server.crt, privateKeyFile: encrypted.key, keyPassword: {{password: {password}}}}}\n"
    );
    running.text(&["a"]) + &cluster("secure", running.base + 4, running.broker.address, &tls)
}

#[test]
fn a_password_is_not_kept_and_is_taken_from_what_is_known() {
    let mut running = Running::with(&remembering(), &["a"]);
    let identity = Authority::new("authority").issue(&Leaf::server(&["localhost"]).on_loopback());
    let files = identity.write(running.directory.path(), "server");
    let encrypt = ["-aes256", "-passout", "pass:hunter2"];
    rewrite_key(&files.key, &running.path("encrypted.key"), &encrypt);
    let secret = with_password(&running, "hunter2");
    let mark = running.mark();
    running.replace(&secret);
    assert_eq!(running.outcome_since(mark).outcome, "applied");
    let mark = running.mark();
    running.replace(format!("{secret}    maxConnections: 7\n"));
    assert_eq!(running.outcome_since(mark).outcome, "applied");
    entries_on_disk(&running, 3);

    // Neither on the disk nor in an answer.
    let shown = run(running.directory.path(), "show 2");
    assert!(
        shown.out.contains("keyPassword: {password: \"***\"}"),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains("# references ") && shown.out.contains("/encrypted.key "),
        "{}",
        shown.out
    );
    for id in 1..=3 {
        let file = fs::File::open(running.path(format!("state/journal/{id:010}.json.gz"))).unwrap();
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        assert!(
            text.contains("virtualClusters") && !text.contains("hunter2"),
            "{text}"
        );
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }

    // The file still has it.
    restart(&mut running);
    assert_eq!(asked(&running, "rollback 2")["outcome"], "applied");
    // What runs still has it.
    running.replace(running.text(&["a", "b"]));
    assert_eq!(asked(&running, "reload")["outcome"], "applied");
    assert_eq!(asked(&running, "rollback 3")["outcome"], "applied");
    // Nobody has it.
    restart(&mut running);
    let ran = run(running.directory.path(), "rollback 2");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains(
            "generation 2: passwords are not kept in the history, and the one at \
             `virtualClusters[secure].gateways[main].tls.key.keyPassword.password` is not in the running configuration"
        ),
        "{}",
        ran.err
    );
}

#[test]
fn without_a_state_directory_nothing_is_written() {
    let running = Running::with(HEAD, &["a"]);
    edit(&running, &["a", "b"]);
    assert_eq!(column(&running, "generation"), [2, 1]);
    let names = fs::read_dir(running.directory.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}
