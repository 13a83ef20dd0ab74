//! Promises 8 and 9.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use rustix::process::Signal;
use serde_json::Value;

use testkit::binary::Binary;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::running::{Running, cluster, local, ports, refuses};
use testkit::wait::eventually;

/// Makes kproxy learn where the brokers are.
fn learn(client: &mut Client) {
    client.call(4, 1, &MetadataRequest::default());
}

/// A reload is applied although nothing can be remembered, and that is told.
#[track_caller]
fn unwritable(prepare: impl FnOnce(&Path)) {
    let kafka = Cluster::start([0]);
    let running = Running::with("reload: {watch: false}\nstateDirectory: state\n", &["a"]);
    let state = running.directory.path().join("state");
    prepare(&state);
    let text = running
        .text(&["a", "b"])
        .replace(&running.broker.address.to_string(), &kafka.address(0).to_string());
    assert_eq!(running.reload_with(&text).outcome, "applied");
    learn(&mut Client::connect(running.address(1)));
    running
        .binary
        .expect_log("the learned topology could not be saved");
    let more = text + &cluster("c", running.base + 4, running.broker.address, "");
    assert_eq!(running.reload_with(more).outcome, "applied");
    running.client(2);
    assert!(!state.join("topology.json").exists());
}

#[test]
fn a_file_in_place_of_the_state_directory_stops_no_reload() {
    unwritable(|state| {
        if state.exists() {
            fs::remove_dir_all(state).unwrap();
        }
        fs::write(state, "not a directory").unwrap();
    });
}

#[test]
fn a_state_directory_in_which_nothing_can_be_written_stops_no_reload() {
    // Where what is written would stand before it takes the file's place.
    unwritable(|state| fs::create_dir_all(state.join("topology.json.new")).unwrap());
}

#[test]
fn each_file_that_cannot_be_used_is_named_and_stops_no_start() {
    let running = Running::laid_out("stateDirectory: state\n", &["a"], |directory, text| {
        let state = directory.join("state");
        fs::create_dir(&state).unwrap();
        fs::write(state.join("topology.json"), "[").unwrap();
        fs::write(state.join("topics.json"), "[").unwrap();
        let file = directory.join("proxy.yaml");
        fs::write(&file, text).unwrap();
        file
    });
    running.client(0);
    let log = running.binary.log();
    for (file, what) in [
        ("topology.json", "the remembered topology cannot be used"),
        ("topics.json", "the remembered names of topics cannot be used"),
    ] {
        let mut lines = log.lines().filter(|line| line.contains(what));
        assert!(lines.next().unwrap().contains(file), "{log}");
        assert_eq!(lines.next(), None);
    }
}

/// Numbers that differ.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn killed_at_any_moment_it_starts_again_with_what_the_file_says() {
    let mut seed = u64::from(std::process::id()) * 0x9E37_79B9 + 1;
    let mut kafka = Cluster::start([0, 1]);
    let directory = tempfile::tempdir().unwrap();
    let (file, base) = (directory.path().join("proxy.yaml"), ports());
    let remembered = directory.path().join("state/topology.json");
    let text = |clusters: u16| {
        let of = |index: u16| cluster(&format!("c{index}"), base + 2 * index, kafka.address(0), "");
        let clusters: String = (0..clusters).map(of).collect();
        format!("reload: {{maxRemovedPercent: 100}}\nstateDirectory: state\nvirtualClusters:\n{clusters}")
    };
    let texts: Vec<String> = (1..9).map(text).collect();
    let mut written = 1;
    fs::write(&file, &texts[0]).unwrap();
    for round in 0..8 {
        let mut binary = Binary::at(&file);
        binary.expect_log("kproxy serves");
        // It runs what the file says, neither more nor less.
        for index in 0..8 {
            assert_eq!(
                refuses(local(base + 2 * index)),
                index >= written,
                "cluster {index} of {written} in round {round}"
            );
        }
        // A broker that has moved is something to remember.
        kafka.move_away(1);
        learn(&mut Client::connect(local(base)));
        let end = Instant::now() + Duration::from_millis(random(&mut seed) % 1400);
        while Instant::now() < end {
            written = 1 + (random(&mut seed) % 8) as u16;
            let temporary = directory.path().join("temporary");
            fs::write(&temporary, &texts[usize::from(written) - 1]).unwrap();
            fs::rename(&temporary, &file).unwrap();
            binary.signal(Signal::HUP);
            std::thread::sleep(Duration::from_millis(random(&mut seed) % 40));
        }
        binary.signal(Signal::KILL);
        assert_eq!(binary.exit().0, None, "killed");
        assert!(!binary.log().contains("panicked"), "{}", binary.log());
        if let Ok(text) = fs::read(&remembered) {
            let stored: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(stored["version"], 1);
        }
    }
    // Left alone for long enough, it has something to remember.
    let binary = Binary::at(&file);
    binary.expect_log("kproxy serves");
    kafka.move_away(1);
    learn(&mut Client::connect(local(base)));
    let moved = kafka.address(1).port();
    eventually("the broker's new place is remembered", || {
        let text = fs::read(&remembered).unwrap_or_default();
        let stored: Option<Value> = serde_json::from_slice(&text).ok();
        stored.is_some_and(|stored| stored["clusters"]["c0"]["nodes"]["1"][1] == moved)
    });
    assert!(!binary.log().contains("unusable"), "{}", binary.log());
}
