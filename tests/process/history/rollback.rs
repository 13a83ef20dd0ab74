//! Promises 1 and 2.

use std::fs::{self, File};
use std::time::SystemTime;

use testkit::running::{LOUD, Running, ask, refuses};
use testkit::wait::eventually;

use super::fixture::{HEAD, asked, edit, run};

fn status(running: &Running) -> serde_json::Value {
    asked(running, "status")
}

#[test]
fn a_rollback_brings_back_what_ran_before_and_the_file_stays_as_it_is() {
    let running = Running::with(&format!("{HEAD}{LOUD}"), &["a", "b"]);
    let mut staying = running.client(0);
    edit(&running, &["a", "c@2"]);
    let edited = fs::read(&running.file).unwrap();
    let leaving = running.client(2);

    let mark = running.mark();
    let ran = run(running.directory.path(), "rollback");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(
        ran.out.starts_with("applied: generation 3 runs, took "),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .ends_with("  restored  the configuration of generation 1\n  added     b\n  removed   c\n"),
        "{}",
        ran.out
    );
    running.client(1);
    ask(&mut staying);
    drop(leaving);
    assert!(refuses(running.address(2)));
    assert_eq!(fs::read(&running.file).unwrap(), edited);

    let said = status(&running);
    assert_eq!(said["config"]["in_sync"], false);
    assert_eq!(said["config"]["restored_generation"], 1);
    assert_eq!(said["config"]["last_reload"]["trigger"], "rollback");
    assert_eq!(said["config"]["last_reload"]["restored_generation"], 1);
    let people = run(running.directory.path(), "status").out;
    assert!(people.contains("NOT in sync"), "{people}");
    assert!(
        people.contains("rolled back    to the configuration of generation 1\n"),
        "{people}"
    );
    let log = running.binary.log()[mark..].to_owned();
    assert!(
        log.contains("rollback applied: an earlier configuration runs again"),
        "{log}"
    );
    assert!(log.contains("restored_generation=1"), "{log}");

    // A touch is no change.
    let mark = running.mark();
    File::open(&running.file)
        .unwrap()
        .set_modified(SystemTime::now())
        .unwrap();
    running.replace(&edited);
    eventually("the file is looked at", || {
        running.binary.log()[mark..].contains("nothing has changed")
    });
    running.client(1);
    assert_eq!(status(&running)["generation"], 3);

    // Another content is.
    edit(&running, &["a", "d@3"]);
    let said = status(&running);
    assert_eq!(said["config"]["in_sync"], true);
    assert_eq!(said["config"].get("restored_generation"), None);
    assert!(refuses(running.address(1)));
    ask(&mut staying);
}

#[test]
fn one_rollback_after_the_other_goes_further_back_and_a_reload_applies_the_file() {
    let running = Running::with(HEAD, &["a"]);
    edit(&running, &["a", "b"]);
    edit(&running, &["a", "b", "c"]);
    assert_eq!(asked(&running, "rollback")["restored_generation"], 2);
    assert_eq!(asked(&running, "rollback")["restored_generation"], 1);
    assert!(refuses(running.address(1)));

    let ran = run(running.directory.path(), "rollback");
    assert_eq!(ran.code, 2);
    assert!(ran.out.starts_with("rejected: generation 5 runs"), "{}", ran.out);
    assert!(
        ran.err.contains("no other configuration ran before this one"),
        "{}",
        ran.err
    );
    let ran = run(running.directory.path(), "rollback 17 --json");
    assert_eq!((ran.code, &ran.json()["outcome"]), (2, &"rejected".into()));
    assert!(
        ran.err
            .contains("generation 17 is not kept; kept are some of 1 to 5"),
        "{}",
        ran.err
    );

    // What runs already.
    assert_eq!(asked(&running, "rollback 4 --wait")["outcome"], "applied");
    assert_eq!(asked(&running, "rollback 2")["outcome"], "unchanged");
    assert_eq!(asked(&running, "reload")["outcome"], "applied");
    assert_eq!(asked(&running, "status")["config"]["in_sync"], true);
    running.client(2);
}

#[test]
fn the_file_that_comes_to_say_what_was_brought_back_is_in_sync() {
    let running = Running::with(HEAD, &["a"]);
    let first = running.text(&["a"]);
    edit(&running, &["a", "b"]);
    asked(&running, "rollback 1");
    assert_eq!(status(&running)["config"]["in_sync"], false);
    let mark = running.mark();
    running.replace(first);
    assert_eq!(running.outcome_since(mark).outcome, "unchanged");
    let said = status(&running);
    assert_eq!(said["config"]["in_sync"], true);
    assert_eq!(said["config"].get("restored_generation"), None);
}

#[test]
fn a_rollback_has_the_safeguards_of_a_reload() {
    let running = Running::with("control: {socket: s}\n", &["a"]);
    edit(&running, &["a", "b", "c", "d"]);
    let ran = run(running.directory.path(), "rollback");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--force removes them"), "{}", ran.err);
    let log = running.binary.log();
    assert!(
        log.contains("rollback rejected: generation 2 keeps running unchanged"),
        "{log}"
    );
    running.client(3);
    assert_eq!(asked(&running, "rollback --force")["outcome"], "applied");
    assert!(refuses(running.address(3)));
}
