//! `kproxy pause` and the end of a pause.

use std::time::Duration;

use kafka_protocol::messages::{MetadataRequest, ProduceRequest};
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::frames::{self, heartbeat};
use testkit::running::{Running, cluster};
use testkit::wait::eventually;

use super::fixture::{HEAD, run, status};

const HEARTBEAT: i16 = 12;

/// A kproxy in front of brokers that tell what they are asked.
fn in_front_of(brokers: &Cluster) -> Running {
    let running = Running::with(HEAD, &["a"]);
    let own = cluster("a", running.base, brokers.address(0), "");
    let file = format!("{HEAD}virtualClusters:\n{own}");
    assert_eq!(running.reload_with(file).outcome, "applied");
    running
}

fn answer(client: &mut Client, id: i32) {
    assert_eq!(frames::correlation_id(&client.frame()), id);
}

/// Promise 13.
#[test]
fn requests_wait_until_they_are_resumed_and_nobody_is_refused() {
    let brokers = Cluster::start([0]);
    let running = in_front_of(&brokers);
    let mut client = Client::connect(running.address(0));
    client.ask(&heartbeat(1));
    let paused = run(&running, "pause a --for 4m");
    assert_eq!((paused.code, &*paused.err), (0, ""), "{paused:?}");
    let says = "the requests of a wait; they go on after 240 s, or with `kproxy resume a`\n\
                clients may give up on requests that wait for longer than 25 s, see request.timeout.ms\n";
    assert_eq!(paused.out, says);
    (2..40).for_each(|id| client.send(&heartbeat(id)));
    let mut new = Client::connect(running.address(0));
    new.send(&heartbeat(40));
    assert!(client.is_silent_for(Duration::from_millis(300)));
    assert_eq!(brokers.asked(HEARTBEAT).len(), 1, "a request has passed");
    let shown = &status(&running)["clusters"][0]["paused"];
    assert!(shown["by"].as_str().unwrap().starts_with("user "), "{shown}");
    let people = run(&running, "status").out;
    assert!(people.contains("paused         a, by user "), "{people}");

    let resumed = run(&running, "resume a");
    assert_eq!((resumed.code, &*resumed.out), (0, "the requests of a go on\n"));
    (2..40).for_each(|id| answer(&mut client, id));
    answer(&mut new, 40);
    assert_eq!(run(&running, "resume a").out, "a was not drained\n");
    assert!(status(&running)["clusters"][0].get("paused").is_none());
}

#[test]
fn a_pause_ends_by_itself_and_says_so() {
    let brokers = Cluster::start([0]);
    let running = in_front_of(&brokers);
    let mut client = Client::connect(running.address(0));
    client.ask(&heartbeat(1));
    let mark = running.mark();
    assert_eq!(run(&running, "pause a --for 300ms").code, 0);
    client.send(&heartbeat(2));
    answer(&mut client, 2);
    eventually("the end is told", || {
        let told = |line: &String| line.contains("the time of its pause is over");
        running.news(mark).iter().any(told)
    });
    assert_eq!(run(&running, "pause a --for 6m").code, 1);
    assert_eq!(run(&running, "pause b").code, 1);
}

#[test]
fn heartbeats_do_not_wait_if_that_is_asked_for() {
    let brokers = Cluster::start([0]);
    let running = in_front_of(&brokers);
    let (mut member, mut other) = (
        Client::connect(running.address(0)),
        Client::connect(running.address(0)),
    );
    member.ask(&heartbeat(1));
    other.ask(&heartbeat(1));
    let paused = run(&running, "pause a --except heartbeat");
    assert!(
        paused
            .out
            .starts_with("the requests of a wait, but heartbeats; they go on after 20 s"),
        "{paused:?}"
    );
    (2..20).for_each(|id| {
        member.ask(&heartbeat(id));
    });
    // What comes behind another request waits with it.
    other.send(&frames::request(9, 20, &MetadataRequest::default()));
    other.send(&heartbeat(21));
    assert!(other.is_silent_for(Duration::from_millis(200)));
    assert_eq!(run(&running, "resume a").code, 0);
    answer(&mut other, 20);
    answer(&mut other, 21);
}

/// The brokers are exchanged by hand, as in a repair.
#[test]
fn brokers_may_be_restarted_in_a_pause_without_a_client_noticing() {
    let mut brokers = Cluster::start([0]);
    let running = in_front_of(&brokers);
    let mut client = Client::connect(running.address(0));
    client.call(9, 1, &MetadataRequest::default());
    client.ask(&heartbeat(2));
    assert_eq!(run(&running, "pause a").code, 0);
    let restarted = brokers.restart(0);
    client.send(&heartbeat(3));
    assert!(client.is_silent_for(Duration::from_millis(200)));
    restarted.begin(&mut brokers);
    assert_eq!(run(&running, "resume a").code, 0);
    answer(&mut client, 3);
    client.ask(&heartbeat(4));
}

/// Records without an answer are not sent again by any client.
#[test]
fn records_with_acks_0_that_wait_are_forwarded_when_the_session_is_drained() {
    const PRODUCE: i16 = 0;
    let brokers = Cluster::start([0]);
    let running = Running::with(HEAD, &["a"]);
    let drain = "    drain: {timeout: 1s, hardTimeout: 20s}\n";
    let own = cluster("a", running.base, brokers.address(0), drain);
    let file = format!("{HEAD}virtualClusters:\n{own}");
    assert_eq!(running.reload_with(file).outcome, "applied");
    let mut client = Client::connect(running.address(0));
    client.ask(&heartbeat(1));
    assert_eq!(run(&running, "pause a --for 2m").code, 0);
    let record = frames::request(9, 7, &ProduceRequest::default().with_acks(0));
    (0..20).for_each(|_| client.send(&record));
    assert_eq!(run(&running, "drain a").code, 0);
    client.expect_fin();
    eventually("all records are at the broker", || {
        brokers.asked(PRODUCE).len() == 20
    });
}
