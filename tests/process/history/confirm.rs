//! Promise 7.

use std::fs;

use rustix::process::Signal;
use testkit::binary::Binary;
use testkit::running::{Running, refuses};
use testkit::wait::eventually;

use super::fixture::{HEAD, asked, run};

fn unwatched(more: &str) -> String {
    let head = HEAD.replace("maxRemovedPercent: 100", "maxRemovedPercent: 100, watch: false");
    format!("{head}{more}")
}

#[test]
fn what_is_confirmed_in_time_stays() {
    let running = Running::with(&unwatched("stateDirectory: state\n"), &["a"]);
    let directory = running.directory.path();
    let nothing = run(directory, "confirm");
    assert_eq!((nothing.code, nothing.out.as_str()), (1, ""));
    assert!(
        nothing.err.contains("nothing waits for a confirmation"),
        "{}",
        nothing.err
    );

    running.write(running.text(&["a", "b"]));
    let ran = run(directory, "reload --confirm-within 10m");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(
        ran.out.contains("  waits for `kproxy confirm` for ")
            && ran.out.contains(", else generation 1 comes back\n"),
        "{}",
        ran.out
    );
    assert!(running.path("state/unconfirmed.json").exists());
    let waiting = &asked(&running, "status")["config"]["confirm"];
    assert_eq!(
        (&waiting["previous_generation"], &waiting["survives_restart"]),
        (&1.into(), &true.into())
    );
    assert!(waiting["seconds_left"].as_f64().unwrap() > 1.0 && waiting["until"].is_string());
    let people = run(directory, "status").out;
    assert!(
        people.contains("not confirmed  `kproxy confirm` within "),
        "{people}"
    );

    let confirmed = run(directory, "confirm");
    assert_eq!(
        (confirmed.code, confirmed.out.as_str()),
        (0, "confirmed: generation 2 stays\n")
    );
    assert!(!running.path("state/unconfirmed.json").exists());
    assert_eq!(asked(&running, "status")["config"].get("confirm"), None);
    running.client(1);
    assert_eq!(run(directory, "confirm --json").code, 1);
}

#[test]
fn what_nobody_confirms_is_taken_back_and_said_so_in_one_line() {
    let running = Running::with(&unwatched("stateDirectory: state\n"), &["a"]);
    running.write(running.text(&["b@1"]));
    let report = asked(&running, "reload --confirm-within 1s");
    assert_eq!(
        (&report["outcome"], &report["confirm"]["previous_generation"]),
        (&"applied".into(), &1.into())
    );
    // What comes in between goes, too.
    running.write(running.text(&["b@1", "c@2"]));
    assert_eq!(asked(&running, "reload")["outcome"], "applied");
    running
        .binary
        .expect_log("not confirmed in time: the configuration of the previous generation comes back");
    running
        .binary
        .expect_log("rollback applied: an earlier configuration runs again");
    running.client(0);
    assert!(refuses(running.address(1)) && refuses(running.address(2)));
    let status = asked(&running, "status");
    assert_eq!(status["config"]["in_sync"], false);
    assert_eq!(status["config"]["restored_generation"], 1);
    assert_eq!(status["config"].get("confirm"), None);
    eventually("nothing is to come back", || {
        !running.path("state/unconfirmed.json").exists()
    });
    assert_eq!(running.binary.log().matches("not confirmed in time").count(), 1);
    let late = run(running.directory.path(), "confirm");
    assert!(
        late.err.contains("nothing waits for a confirmation"),
        "{}",
        late.err
    );
}

#[test]
fn killed_in_between_it_comes_back_on_what_was_confirmed() {
    let mut running = Running::with(&unwatched("stateDirectory: state\n"), &["a"]);
    running.write(running.text(&["b@1"]));
    asked(&running, "reload --confirm-within 10m");
    running.client(1);
    for signal in [Signal::KILL, Signal::TERM] {
        running.binary.signal(signal);
        running.binary.exit();
        running.binary = Binary::at(&running.file);
        running.binary.expect_log("kproxy serves");
        running.client(0);
        assert!(refuses(running.address(1)));
        running.binary.expect_log(
            "the configuration file was not confirmed: kproxy starts with the confirmed configuration",
        );
        let status = asked(&running, "status");
        assert_eq!(status["config"]["in_sync"], false);
        assert_eq!(status["config"]["restored_generation"], 1);
        let warning = status["warnings"].to_string();
        assert!(
            warning.contains("was not confirmed before kproxy ended"),
            "{warning}"
        );
    }
    // The file is applied once somebody asks for it.
    assert_eq!(asked(&running, "reload")["outcome"], "applied");
    running.client(1);
    assert!(
        !asked(&running, "status")["warnings"]
            .to_string()
            .contains("not confirmed")
    );
    // The request was a decision, so a restart runs the file.
    eventually("nothing is to come back", || {
        !running.path("state/unconfirmed.json").exists()
    });
    running.binary.signal(Signal::KILL);
    running.binary.exit();
    running.binary = Binary::at(&running.file);
    running.binary.expect_log("kproxy serves");
    running.client(1);
    assert_eq!(asked(&running, "status")["config"]["in_sync"], true);
}

#[test]
fn the_same_file_with_another_time_begins_the_time_anew() {
    let running = Running::with(&unwatched("stateDirectory: state\n"), &["a"]);
    running.write(running.text(&["b@1"]));
    assert_eq!(
        asked(&running, "reload --confirm-within 30s")["outcome"],
        "applied"
    );
    let again = asked(&running, "reload --confirm-within 10m");
    assert_eq!(again["outcome"], "unchanged");
    assert!(
        again["confirm"]["seconds_left"].as_f64().unwrap() > 60.0,
        "{again}"
    );
    assert!(
        asked(&running, "status")["config"]["confirm"]["seconds_left"]
            .as_f64()
            .unwrap()
            > 60.0
    );
    assert_eq!(run(running.directory.path(), "confirm").code, 0);
}

/// An attempt by itself would have applied it for good.
#[test]
fn what_was_to_be_confirmed_and_is_rejected_for_a_passing_reason_is_not_tried_again_by_itself() {
    let running = Running::with(&format!("{HEAD}stateDirectory: state\n"), &["a"]);
    // The file says something else than what runs, and only a request applies it.
    running.write(running.text(&["a", "b@1"]));
    eventually("it is applied", || asked(&running, "status")["generation"] == 2);
    assert_eq!(asked(&running, "rollback")["outcome"], "applied");
    let taken = std::net::TcpListener::bind(running.address(1)).unwrap();
    let rejected = run(running.directory.path(), "reload --confirm-within 10m");
    assert_eq!(rejected.code, 2, "{rejected:?}");
    let status = asked(&running, "status");
    assert_eq!(status["config"].get("retry"), None, "{status}");
    drop(taken);
    assert_eq!(
        asked(&running, "reload --confirm-within 10m")["outcome"],
        "applied"
    );
    assert_eq!(run(running.directory.path(), "confirm").code, 0);
}

#[test]
fn another_file_after_a_crash_is_a_new_decision() {
    let mut running = Running::with(&unwatched("stateDirectory: state\n"), &["a"]);
    running.write(running.text(&["b@1"]));
    asked(&running, "reload --confirm-within 10m");
    running.binary.signal(Signal::KILL);
    running.binary.exit();
    running.write(running.text(&["c@2"]));
    running.binary = Binary::at(&running.file);
    running.binary.expect_log("kproxy serves");
    running.client(2);
    assert_eq!(asked(&running, "status")["config"]["in_sync"], true);
}

#[test]
fn without_a_place_to_remember_it_is_refused_or_said() {
    let running = Running::with(&unwatched(""), &["a"]);
    running.write(running.text(&["a", "b"]));
    let ran = run(running.directory.path(), "reload --confirm-within 10m");
    assert_eq!(ran.code, 0);
    assert!(
        ran.out
            .contains("there is no `stateDirectory`: a restart in this time would run the file"),
        "{}",
        ran.out
    );

    let running = Running::with(&unwatched("stateDirectory: state\n"), &["a"]);
    fs::create_dir_all(running.path("state/unconfirmed.json.new")).unwrap();
    running.write(running.text(&["a", "b"]));
    let ran = run(running.directory.path(), "reload --confirm-within 10m");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err
            .contains("what would come back without a confirmation cannot be written to `stateDirectory`"),
        "{}",
        ran.err
    );
    assert!(refuses(running.address(1)));
    assert_eq!(asked(&running, "status")["config"].get("confirm"), None);
}
