//! Promises 1 and 5: what is in flight is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kproxy::session::cause::CloseCause;

use super::retarget;
use testkit::broker::{Broker, Connection};
use testkit::client::{Client, End};
use testkit::frames;
use testkit::frames::heartbeat;
use testkit::manual_broker::ManualBroker;
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

/// What happens to the cluster while requests are in flight.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Retargeted,
    Removed,
    GatewayRemoved,
}

const OTHER: &str = "other";

impl Change {
    /// The proxy before, and what it is told to become.
    fn setups(self, target: &Broker, elsewhere: &Broker) -> (Setup, Setup) {
        let before = Setup::to(&[elsewhere.address])
            .nodes([])
            .and(OTHER, &[target.address]);
        let before = before.other(OTHER, |cluster| {
            cluster.gateways[0].nodes.clear();
            let mut second = cluster.gateways[0].clone();
            second.name = "second".into();
            cluster.gateways.push(second);
        });
        let after = match self {
            Self::Retargeted => before
                .clone()
                .other(OTHER, |cluster| retarget(cluster, elsewhere.address)),
            Self::Removed => before.clone().without(OTHER),
            Self::GatewayRemoved => before.clone().other(OTHER, |cluster| {
                cluster.gateways.remove(0);
            }),
        };
        (before, after)
    }
}

fn n_of_n(change: Change, requests: i32, body_len: usize, small_window: bool) {
    let (broker, elsewhere) = (ManualBroker::start(body_len), Broker::echoing(b"elsewhere"));
    let (before, after) = change.setups(&broker.broker, &elsewhere);
    let proxy = before.start();
    let address = proxy.bootstrap_of(OTHER);
    let mut client = if small_window {
        Client::with_small_window(address)
    } else {
        Client::connect(address)
    };
    for correlation_id in 0..requests {
        client.send(&heartbeat(correlation_id));
    }
    broker.expect_received(requests as usize);
    proxy.apply(&after);
    assert!(broker.broker.connections() >= 1);
    for _ in 0..requests {
        broker.answer.send(()).unwrap();
    }
    for correlation_id in 0..requests {
        let content = client.frame();
        assert_eq!(frames::correlation_id(&content), correlation_id);
        assert!(
            content[4..] == frames::noise(correlation_id.unsigned_abs().into(), body_len),
            "the body of answer {correlation_id} is another"
        );
    }
    client.expect_fin();
    drop((client, broker));
    proxy.proxy.wait_drained();
}

#[test]
fn three_requests_in_flight_at_a_modification_get_three_answers() {
    n_of_n(Change::Retargeted, 3, 100, false);
}

#[test]
fn a_hundred_requests_in_flight_at_a_modification_get_a_hundred_answers() {
    n_of_n(Change::Retargeted, 100, 100, false);
}

#[test]
fn three_requests_in_flight_at_a_removal_get_three_answers() {
    n_of_n(Change::Removed, 3, 100, false);
}

#[test]
fn a_hundred_requests_in_flight_at_a_removal_get_a_hundred_answers() {
    n_of_n(Change::Removed, 100, 100, false);
}

#[test]
fn a_hundred_requests_in_flight_at_the_removal_of_their_gateway_get_a_hundred_answers() {
    n_of_n(Change::GatewayRemoved, 100, 100, false);
}

#[test]
fn a_slow_reader_gets_every_byte_of_answers_of_two_mebibytes_at_a_modification() {
    n_of_n(Change::Retargeted, 5, 2 << 20, true);
}

#[test]
fn a_slow_reader_gets_every_byte_of_answers_of_two_mebibytes_at_a_removal() {
    n_of_n(Change::Removed, 5, 2 << 20, true);
}

/// One request a second, as a broker under water would have it. The answers come while the drain runs.
#[test]
fn a_broker_that_answers_one_request_a_second_answers_all_of_them() {
    let slow = Broker::start(|mut connection: Connection| {
        while let Some(asked) = connection.request() {
            std::thread::sleep(Duration::from_secs(1));
            connection.send(&frames::raw_response(asked.correlation_id, b"late"));
        }
    });
    let elsewhere = Broker::echoing(b"elsewhere");
    for change in [Change::Retargeted, Change::Removed] {
        let (before, after) = change.setups(&slow, &elsewhere);
        let proxy = before.start();
        let mut client = Client::connect(proxy.bootstrap_of(OTHER));
        (0..3).for_each(|correlation_id| client.send(&heartbeat(correlation_id)));
        assert_eq!(frames::correlation_id(&client.frame()), 0);
        proxy.apply(&after);
        for correlation_id in 1..3 {
            assert_eq!(frames::correlation_id(&client.frame()), correlation_id);
        }
        client.expect_fin();
    }
}

/// A client that goes on sending at the instant of the drain. Whatever the broker saw is answered; a request it never
/// saw was not executed. Never a reset, never an answer cut short. `KPROXY_DRAIN_ROUNDS` says how often (300).
#[test]
fn what_was_forwarded_at_the_instant_of_a_drain_is_answered() {
    let rounds_wanted = std::env::var("KPROXY_DRAIN_ROUNDS").map_or(300, |rounds| rounds.parse().unwrap());
    let seen = Arc::<AtomicU64>::default();
    let counting = Arc::clone(&seen);
    let broker = Broker::start(move |mut connection: Connection| {
        while let Some(asked) = connection.request() {
            counting.fetch_add(1, Ordering::SeqCst);
            connection.send(&frames::raw_response(asked.correlation_id, b"ok"));
        }
    });
    // The same broker by another list of servers: the sessions of both targets are counted together.
    let other: std::net::SocketAddr = ([127, 0, 0, 2], broker.address.port()).into();
    let here = Setup::to(&[broker.address]).nodes([]);
    let there = Setup::to(&[broker.address, other]).nodes([]);
    let proxy = here.start();
    let (mut answered, mut rounds) = (0, 0);
    while rounds < rounds_wanted {
        let mut client = proxy.client();
        client.ask(&heartbeat(0));
        answered += 1;
        let depth = rounds % 7;
        (1..=depth).for_each(|correlation_id| client.send(&heartbeat(correlation_id)));
        proxy.apply(if rounds % 2 == 0 { &there } else { &here });
        client.send_quietly(&heartbeat(depth + 1));
        let (bytes, end) = client.rest();
        assert_eq!(end, End::Fin, "round {rounds}");
        let frame_len = frames::raw_response(0, b"ok").len();
        assert_eq!(
            bytes.len() % frame_len,
            0,
            "an answer was cut short in round {rounds}"
        );
        let frames_read = bytes.len() / frame_len;
        assert!(
            frames_read >= depth as usize,
            "{frames_read} of {depth} in round {rounds}"
        );
        answered += frames_read as u64;
        rounds += 1;
    }
    assert_eq!(seen.load(Ordering::SeqCst), answered, "forwarded and answered");
    expect_no_forced(&proxy);
}

fn expect_no_forced(proxy: &TestProxy) {
    eventually("every session has left", || {
        let status = proxy.proxy.status().unwrap();
        status.drains.is_empty()
    });
    let counters = proxy.counters();
    assert_eq!(counters.closes(CloseCause::DrainTimeout), 0);
}
