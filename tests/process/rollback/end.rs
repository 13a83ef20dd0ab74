//! Promise 10.

use std::io::Write as _;
use std::time::Duration;

use rustix::process::Signal;

use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames;
use testkit::running::{Running, ask, cluster, refuses};
use testkit::wait::eventually;

/// More clusters than can be read in no time. Their ports are the system's to choose.
fn large(running: &Running) -> String {
    let mut text = running.text(&["a", "b"]);
    for index in 0..1500 {
        text += &cluster(&format!("x{index}"), 0, running.broker.address, "");
    }
    text
}

#[test]
fn sigterm_during_a_reload_ends_it_with_every_answer_given() {
    // Before the file is read, while it is, and about when all of its ports are bound.
    for moment in [0, 30, 60, 120, 240] {
        let mut running = Running::unwatched();
        let text = large(&running);
        let mut client = running.client(0);
        running.write(text);
        running.binary.signal(Signal::HUP);
        std::thread::sleep(Duration::from_millis(moment));
        running.binary.signal(Signal::TERM);
        // The session may have left already.
        drop(client.stream.write_all(&frames::heartbeat(5)));
        // Answered, or never taken: between the two there is nothing.
        let (bytes, _) = client.rest();
        assert!(
            bytes.is_empty() || bytes == frames::raw_response(5, b"ok"),
            "{bytes:?}"
        );
        drop(client);
        let (code, log) = running.binary.exit();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("shut down sessions="), "{log}");
        assert!(!log.contains("panicked") && !log.contains("rejected"), "{log}");
    }
}

#[test]
fn a_thousand_sighups_are_one_reload_after_the_other_and_the_last_content_wins() {
    let mut running = Running::unwatched();
    let mut client = running.client(0);
    let mark = running.mark();
    for round in 0..1000 {
        if round % 100 == 0 {
            let last = ["c", "d"][round / 100 % 2];
            // Where nothing is watched nobody knows that somebody is writing: every look has to find a whole file.
            running.replace(running.text(&["a", "b", last]));
        }
        running.binary.signal(Signal::HUP);
    }
    let last = || running.binary.log()[mark..].contains("add `d`");
    eventually("the last content runs", last);
    running.replace(running.text(&["a", "b", "e"]));
    running.binary.signal(Signal::HUP);
    eventually("what was written last runs", || {
        running.binary.log()[mark..].contains("add `e`")
    });
    assert_eq!(running.count(mark, "rejected"), 0);
    ask(&mut client);
    running.client(2);
    drop(client);
    running.binary.signal(Signal::TERM);
    let (code, log) = running.binary.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_second_sigterm_ends_a_drain_at_once_and_a_sighup_does_nothing() {
    let broker = Broker::start(|mut connection| while connection.request().is_some() {});
    let mut running = Running::unwatched();
    let text = running
        .text(&["a", "b"])
        .replace(&running.broker.address.to_string(), &broker.address.to_string());
    assert_eq!(running.reload_with(text).outcome, "applied");
    let mut client = Client::connect(running.address(0));
    client.send(&frames::heartbeat(5));
    eventually("the request is on its way", || broker.connections() == 1);
    running.binary.signal(Signal::TERM);
    eventually("nobody is accepted", || refuses(running.address(0)));
    running.binary.signal(Signal::HUP);
    running
        .binary
        .expect_log("SIGHUP: kproxy is shutting down, nothing is reloaded");
    // One that comes within a second of the first is the same request to stop.
    std::thread::sleep(Duration::from_millis(1100));
    running.binary.signal(Signal::TERM);
    let (code, log) = running.binary.exit();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("second signal"), "{log}");
}
