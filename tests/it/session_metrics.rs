//! What is told of sessions while they live:
//!
//! 1. Bytes and requests of a session that never ends are seen, per node, and never go back.
//! 2. Requests are counted by API and version, each once, however they arrive.
//! 3. Client id and software are known after the first requests, however these are split, and never more of them than
//!    is of use.
//! 4. The time brokers take is measured, without answers that are held back on purpose.
//! 5. What ended is counted for its node by its cause, on both legs.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use kafka_protocol::messages::{ApiVersionsRequest, ProduceRequest};
use kafka_protocol::protocol::StrBytes;
use kproxy::session::cause::CloseCause;
use kproxy::session::context::NodeRole;
use kproxy::wire::api::ApiKey;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster;
use testkit::frames::HEARTBEAT;
use testkit::frames::{self, CLIENT_ID};
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

/// Answers ApiVersions as a broker and everything else with nothing.
fn broker() -> Broker {
    Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            let id = asked.correlation_id;
            match asked.api_key {
                ApiKey::API_VERSIONS => {
                    connection.send(&frames::response(asked.api_version, id, &cluster::api_versions()));
                }
                ApiKey::PRODUCE => {}
                _ => connection.send(&frames::raw_response(id, b"")),
            }
        }
    })
}

fn requests(proxy: &TestProxy) -> BTreeMap<(&'static str, i16), u64> {
    let mut found = BTreeMap::new();
    for tally in proxy.counters().tallies() {
        for (api, version, count) in tally.requests() {
            *found.entry((api.name, version)).or_default() += count;
        }
    }
    found
}

/// Promises 1 and 5.
#[test]
fn a_session_is_seen_while_it_lives_and_counted_when_it_ends() {
    let broker = broker();
    let proxy = Setup::to(&[broker.address]).start();
    let node = proxy.counters().node(NodeRole::Bootstrap);
    let mut client = proxy.client();
    let request = frames::raw_request(HEARTBEAT, 3, 1, b"");
    let (asked, answered) = (request.len() as u64, frames::raw_response(1, b"").len() as u64);
    for round in 1..=3 {
        client.send(&request);
        client.frame();
        eventually("all that was moved", || {
            let moved = node.traffic().moved;
            let seen = [
                moved.client_bytes,
                moved.broker_written,
                moved.broker_bytes,
                moved.client_written,
            ];
            seen == [asked, asked, answered, answered].map(|bytes| bytes * round)
                && (moved.requests, moved.in_flight) == (round, 0)
        });
    }
    let during = node.traffic();
    assert_eq!(during.live, 1);
    drop(client);
    proxy.expect_closes(CloseCause::ClientClosed, 1);
    eventually("it has left", || node.traffic().live == 0);
    assert_eq!(node.traffic().moved, during.moved);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((count(&node.accepted), count(&node.connected)), (1, 1));
    let ended = CloseCause::ClientClosed;
    assert_eq!((node.closes.of(ended), node.broker_closes.of(ended)), (1, 1));
    assert_eq!(proxy.counters().connect_upstream.counts().total(), 1);
}

/// Promise 1: what waits for its answer is in flight.
#[test]
fn what_waits_for_its_answer_is_in_flight() {
    let broker = Broker::start(|mut connection| drop(connection.rest()));
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    client.send(
        &[
            frames::raw_request(HEARTBEAT, 3, 1, b""),
            frames::raw_request(HEARTBEAT, 3, 2, b""),
        ]
        .concat(),
    );
    let node = proxy.counters().node(NodeRole::Bootstrap);
    eventually("two in flight", || node.traffic().moved.in_flight == 2);
}

/// Promise 2.
#[test]
fn requests_are_counted_once_each() {
    let broker = broker();
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let produce = frames::request(9, 0, &ProduceRequest::default().with_acks(0));
    let stream: Vec<u8> = (0..50)
        .flat_map(|id| {
            let heartbeats = (0..3).map(move |_| frames::raw_request(HEARTBEAT, 3, id, b""));
            let others = [
                produce.clone(),
                frames::raw_request(ApiKey::LIST_GROUPS, 2, id, b""),
            ];
            heartbeats.chain(others).flatten().collect::<Vec<u8>>()
        })
        .collect();
    // Some in one piece, some cut anywhere.
    let (whole, cut) = stream.split_at(stream.len() / 2);
    client.send(whole);
    for piece in cut.chunks(7) {
        client.send(piece);
    }
    for _ in 0..200 {
        client.frame();
    }
    let expected = [
        (("Heartbeat", 3), 150),
        (("ListGroups", 2), 50),
        (("Produce", 9), 50),
    ];
    assert_eq!(requests(&proxy), expected.into());
}

#[track_caller]
fn introduced(client_id: &str, name: &str) -> (Option<String>, Option<String>) {
    let broker = broker();
    let proxy = Setup::to(&[broker.address]).start();
    let mut client: Client = proxy.client();
    let text = |text: &str| StrBytes::from_string(text.into());
    let versions = ApiVersionsRequest::default()
        .with_client_software_name(text(name))
        .with_client_software_version(text("4.1.0"));
    client.send(&frames::request_of(3, 1, Some(client_id), &versions));
    client.frame();
    let handle = proxy.counters().node(NodeRole::Bootstrap).live().pop().unwrap();
    // Answered means read, and who it is was read before.
    let activity = &handle.activity;
    (
        activity.client_id().map(str::to_owned),
        activity.software().map(str::to_owned),
    )
}

/// Promise 3.
#[test]
fn clients_introduce_themselves() {
    let java = "apache-kafka-java";
    let known = (Some("orders".into()), Some("apache-kafka-java 4.1.0".into()));
    assert_eq!(introduced("orders", java), known);
    let (client_id, software) = introduced(&"é".repeat(5000), &"n".repeat(5000));
    assert!(client_id.unwrap().len() <= 258 && software.unwrap().len() <= 130);
}

/// Promise 3: a client that begins with something else, or in pieces, is known as soon as a header was read whole.
#[test]
fn clients_that_do_not_say_what_they_run_are_known_by_their_id() {
    let broker = broker();
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let request = frames::raw_request(HEARTBEAT, 3, 1, b"");
    for byte in &request {
        client.send(std::slice::from_ref(byte));
    }
    client.frame();
    client.send(&request);
    client.frame();
    let handle = proxy.counters().node(NodeRole::Bootstrap).live().pop().unwrap();
    assert_eq!(handle.activity.client_id(), Some(CLIENT_ID));
    assert_eq!(handle.activity.software(), None);
}

/// Promise 4.
#[test]
fn the_time_to_an_answer_is_measured_unless_it_is_held_back_on_purpose() {
    let broker = broker();
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    for (key, version) in [(HEARTBEAT, 3), (ApiKey::JOIN_GROUP, 5), (HEARTBEAT, 3)] {
        client.send(&frames::raw_request(key, version, 1, b""));
        client.frame();
    }
    let tallies = proxy.counters().tallies();
    let observed: u64 = tallies
        .iter()
        .map(|tally| tally.upstream_response.counts().total())
        .sum();
    assert_eq!(observed, 2);
    let sampled: u64 = tallies
        .iter()
        .map(|tally| tally.added_latency.counts().total())
        .sum();
    assert_eq!(sampled, 1, "the first read, and then one in 64");
}

/// Promise 5.
#[test]
fn a_broker_that_is_not_there_is_no_connection() {
    let mut broker = broker();
    broker.stop();
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    client.send(&frames::raw_request(HEARTBEAT, 3, 1, b""));
    proxy.expect_closes(CloseCause::UpstreamUnreachable, 1);
    let node = proxy.counters().node(NodeRole::Bootstrap);
    let cause = CloseCause::UpstreamUnreachable;
    assert_eq!((node.closes.of(cause), node.broker_closes.total()), (1, 0));
    assert_eq!(node.connected.load(Ordering::Relaxed), 0);
}
