//! Promise 1.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::Value;
use testkit::running::Running;
use testkit::wait::{PATIENCE, eventually};

use super::fixture::{HEAD, Watcher, run};

#[test]
fn people_see_reloads_drains_closed_sessions_and_the_end_as_they_happen() {
    let running = Running::with(HEAD, &["a", "b"]);
    let watcher = Watcher::start(&running, "");
    let first = &watcher.lines()[0];
    assert!(
        first.ends_with("generation 1 runs, 2 virtual clusters, 0 drains"),
        "{first}"
    );
    let stays = running.client(0);
    let leaves = running.client(1);
    running.reload_with(running.text(&["a", "c@2"]));
    for text in [
        "Z reload applied (sighup): generation 2 runs, took ",
        "; added c; removed b",
        " drain begins: b generation 1, ended by 2, 1 sessions, graceful: ",
        " drained: b generation 1, ended by 2, 1 sessions, 0 forced, took ",
        " state: c is serving",
        " state: b is draining, was serving",
        " state: b is stopped, was draining",
        " closed: b: 1 ",
    ] {
        watcher.expect(text);
    }
    running.reload_with("nonsense");
    watcher.expect(" reload rejected (sighup): generation 2 runs, took ");
    running.binary.signal(Signal::TERM);
    let (lines, code) = watcher.ended();
    assert_eq!(code, Some(0), "{lines:#?}");
    let last = lines.last().unwrap();
    assert!(
        last.ends_with(" shutdown (SIGTERM): end, 0 sessions, 0 forced"),
        "{lines:#?}"
    );
    drop((stays, leaves));
}

#[test]
fn programs_get_one_json_object_a_line() {
    let running = Running::with(HEAD, &["a"]);
    let watcher = Watcher::start(&running, "--json");
    running.reload_with(running.text(&["a", "b"]));
    let reload = watcher.event("reload");
    assert_eq!(reload["report"]["added"], serde_json::json!(["b"]));
    assert_eq!(reload["report"]["trigger"], "sighup");
    let state = watcher.event("cluster_state");
    assert_eq!(
        (&state["cluster"], &state["to"]),
        (&"b".into(), &"serving".into())
    );
    let all = watcher.lines();
    for line in all {
        let event: Value = serde_json::from_str(&line).unwrap();
        assert!(event["at"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(event["event"].is_string(), "{line}");
    }
}

#[test]
fn one_virtual_cluster_is_watched_alone_and_one_that_does_not_exist_is_an_error() {
    let running = Running::with(HEAD, &["a", "b"]);
    let watcher = Watcher::start(&running, "--cluster a");
    running.client(1);
    running.reload_with(running.text(&["a", "c@2"]));
    drop(running.client(0));
    watcher.expect(" closed: a: 1 client_closed");
    let others =
        |line: &String| line.contains(": b") || line.contains(": c") || line.contains(" b generation");
    assert!(!watcher.lines().iter().any(others), "{:#?}", watcher.lines());
    let unknown = run(&running, "watch --cluster aa");
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""));
    let why = "kproxy: error: there is no virtual cluster called `aa`, the nearest name is `a`\n";
    assert_eq!(unknown.err, why);
}

#[test]
fn streams_take_no_place_of_other_commands() {
    let running = Running::with(HEAD, &["a"]);
    let socket = running.path("s");
    let ask = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (stream, String::from_utf8(head.to_vec()).unwrap())
    };
    let streams: Vec<_> = (0..16).map(|_| ask()).collect();
    assert!(streams.iter().all(|(_, head)| head == "HTTP/1.1 200"));
    assert_eq!(ask().1, "HTTP/1.1 503");
    let refused = run(&running, "watch");
    assert_eq!(refused.err, "kproxy: error: too many streams of events at once\n");
    assert_eq!((refused.code, run(&running, "status").code), (1, 0));
    drop(streams);
    eventually("a place is free", || ask().1 == "HTTP/1.1 200");
}
