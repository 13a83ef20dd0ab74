//! Promises 4, 5 and 6.

use std::fs;
use std::time::Duration;

use kproxy::admin::RequestTarget;
use kproxy::admin::client::Client;
use rustix::process::Signal;
use serde_json::Value;
use testkit::binary::Binary;
use testkit::running::Running;
use testkit::wait::eventually;

use super::fixture::{HEAD, asked, entries_on_disk};

fn remembering() -> String {
    let head = HEAD.replace("maxRemovedPercent: 100", "maxRemovedPercent: 100, watch: false");
    format!("{head}stateDirectory: state\nrollback: {{history: {{entries: 50}}}}\n")
}

fn ids(history: &Value) -> Vec<u64> {
    let entries = history.as_array().unwrap().iter();
    entries.map(|entry| entry["id"].as_u64().unwrap()).collect()
}

#[test]
fn killed_at_any_moment_it_has_lost_at_most_the_entry_that_was_being_written() {
    let mut running = Running::with(&remembering(), &["a"]);
    let mut certain = 1;
    for round in 0..12_u64 {
        entries_on_disk(&running, certain);
        for place in ["b", "c"] {
            let text = running.text(&["a", place]) + &format!("# {round}\n");
            assert_eq!(running.reload_with(text).outcome, "applied");
            certain += 1;
            if place == "b" {
                entries_on_disk(&running, certain);
            }
        }
        // The last entry is being written, somewhere between its first step and its last.
        std::thread::sleep(Duration::from_micros(round * 150));
        running.binary.signal(Signal::KILL);
        running.binary.exit();
        running.binary = Binary::at(&running.file);
        running.binary.expect_log("kproxy serves");
        let history = asked(&running, "history");
        let found = ids(&history);
        let before = certain - 1;
        for id in 1..=before as u64 {
            assert!(
                found.contains(&id),
                "entry {id} of {before} in round {round}: {found:?}"
            );
        }
        assert!(
            !running.binary.log().contains("cannot be read"),
            "{}",
            running.binary.log()
        );
        for entry in history
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["kept"] == true)
        {
            let view = asked(&running, &format!("show {}", entry["generation"]));
            assert!(view["files"][0]["text"].as_str().unwrap().contains("- name: a"));
        }
        // With that of this start.
        certain = found.len();
    }
}

#[test]
fn after_a_thousand_generations_the_last_ones_are_kept() {
    let running = Running::with(&remembering(), &["a"]);
    let mut client = Client::connect(&running.path("s")).unwrap();
    let clusters = [["a", "b"], ["a", "c"]];
    for generation in 2..=1001_usize {
        running.replace(running.text(&clusters[generation % 2]) + &format!("# {generation}\n"));
        let report = client.post(&RequestTarget::new("/reload"), None).unwrap();
        let report: Value = report.read().unwrap();
        assert_eq!(
            (&report["outcome"], &report["generation"]),
            (&"applied".into(), &generation.into())
        );
    }
    let history = asked(&running, "history");
    let expected: Vec<u64> = (952..=1001).rev().collect();
    assert_eq!(ids(&history), expected);
    let folder = running.path("state/journal");
    eventually("old entries are removed", || {
        fs::read_dir(&folder).unwrap().count() == 50
    });
    let view = asked(&running, "show 960");
    assert!(view["files"][0]["text"].as_str().unwrap().ends_with("# 960\n"));
    assert_eq!(asked(&running, "rollback 954")["outcome"], "applied");
}

#[test]
fn a_disk_that_takes_nothing_is_told_of_once_and_written_later() {
    let running = Running::with(&remembering(), &["a"]);
    entries_on_disk(&running, 1);
    let folder = running.path("state/journal");
    let aside = running.path("aside");
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "in the way").unwrap();
    for clusters in [&["a", "b"][..], &["a"], &["a", "c"]] {
        assert_eq!(running.reload_with(running.text(clusters)).outcome, "applied");
    }
    running.binary.expect_log("the history cannot be written");
    assert_eq!(
        running
            .binary
            .log()
            .matches("the history cannot be written")
            .count(),
        1
    );
    // All of it is known nevertheless.
    assert_eq!(ids(&asked(&running, "history")), [4, 3, 2, 1]);
    assert_eq!(asked(&running, "rollback 2")["outcome"], "applied");

    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    assert_eq!(running.reload_with(running.text(&["a", "d"])).outcome, "applied");
    running.binary.expect_log("the history is written again");
    entries_on_disk(&running, 6);
}
