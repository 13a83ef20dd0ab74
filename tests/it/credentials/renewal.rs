//! Logins that are repeated before their lifetime is over (KIP-368).
//!
//! 1. Under load nothing is lost or out of order, and nothing is within an exchange or after the lifetime.
//! 2. A session that was idle for longer than the lifetime authenticates before its next request.
//! 3. The newest secret is used.
//! 4. A renewal that fails ends the session between two requests, with the cause of the failure.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kproxy::model::BrokerMechanism;
use kproxy::session::cause::CloseCause;

use super::{MECHANISMS, PASSWORD, USER, expect_served, with_password};
use testkit::client::Client;
use testkit::frames::{self, heartbeat};
use testkit::sasl_broker::{Rules, SaslBroker, Trick};

const LIFETIME: Duration = Duration::from_secs(2);

/// Requests that are sent at once.
const BURST: i32 = 50;

/// Sends bursts of requests, each with an id of its own, and reads the answers in their order, until `done`.
#[track_caller]
fn ask_until(client: &mut Client, first: i32, mut done: impl FnMut() -> bool) -> i32 {
    let mut id = first;
    while !done() {
        let burst: Vec<u8> = (id..id + BURST).flat_map(heartbeat).collect();
        client.send(&burst);
        for id in id..id + BURST {
            assert_eq!(
                client.frame(),
                frames::raw_response(id, &0_i32.to_be_bytes())[4..]
            );
        }
        id += BURST;
    }
    id
}

#[test]
fn under_load_nothing_is_lost_or_out_of_order() {
    for mechanism in MECHANISMS {
        let broker = SaslBroker::start(Rules::of(mechanism.name(), USER, PASSWORD).lasting(LIFETIME));
        let proxy = with_password(&broker, mechanism, PASSWORD).start();
        let mut client = proxy.client();
        ask_until(&mut client, 0, || broker.logins(true).len() >= 2);
        broker.expect_no_violation();
        assert_eq!(broker.broker.connections(), 1);
        let counters = proxy.counters();
        assert!(counters.renewed_logins.load(Ordering::Relaxed) >= 2);
        assert_eq!(counters.failed_renewals.load(Ordering::Relaxed), 0);
        client.finish();
        client.expect_fin();
        proxy.expect_closes(CloseCause::ClientClosed, 1);
    }
}

#[test]
fn a_session_that_was_idle_authenticates_before_its_next_request() {
    let rules = Rules::of("SCRAM-SHA-512", USER, PASSWORD).lasting(Duration::from_millis(1200));
    let broker = SaslBroker::start(rules);
    let proxy = with_password(&broker, BrokerMechanism::ScramSha512, PASSWORD).start();
    let mut client = proxy.client();
    expect_served(&mut client, 1);
    assert!(client.is_silent_for(Duration::from_millis(1500)));
    assert_eq!(
        broker.logins(true).len(),
        0,
        "an idle session costs the broker nothing"
    );
    expect_served(&mut client, 2);
    assert_eq!(broker.logins(true).len(), 1);
    broker.expect_no_violation();
}

#[test]
fn a_renewal_has_the_newest_secret() {
    let broker = SaslBroker::start(Rules::of("PLAIN", USER, PASSWORD).lasting(LIFETIME));
    let proxy = with_password(&broker, BrokerMechanism::Plain, PASSWORD).start();
    let mut client = proxy.client();
    expect_served(&mut client, 1);
    broker.change(|rules| drop(rules.users.insert(USER.to_owned(), "rotated".to_owned())));
    proxy.apply(&with_password(&broker, BrokerMechanism::Plain, "rotated"));
    ask_until(&mut client, 2, || broker.logins(true).len() == 1);
    assert_eq!(broker.refused(), 0);
    broker.expect_no_violation();
}

#[test]
fn a_refused_renewal_ends_the_session_between_two_requests() {
    for mechanism in MECHANISMS {
        let broker = SaslBroker::start(Rules::of(mechanism.name(), USER, PASSWORD).lasting(LIFETIME));
        let proxy = with_password(&broker, mechanism, PASSWORD).start();
        let mut client = proxy.client();
        expect_served(&mut client, 1);
        broker.change(|rules| drop(rules.users.insert(USER.to_owned(), "other".to_owned())));
        assert!(client.is_silent_for(LIFETIME));
        client.send(&heartbeat(2));
        client.expect_fin();
        client.finish();
        proxy.expect_closes(CloseCause::UpstreamLoginRefused, 1);
        assert_eq!(broker.refused(), 1);
        broker.expect_no_violation();
        assert_eq!(proxy.counters().failed_renewals.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_broker_that_is_silent_in_a_renewal_is_given_up() {
    let broker = SaslBroker::start(Rules::of("PLAIN", USER, PASSWORD).lasting(LIFETIME));
    let setup = with_password(&broker, BrokerMechanism::Plain, PASSWORD);
    let proxy = setup
        .network(|network| network.connect_timeout = Duration::from_millis(500))
        .start();
    let mut client = proxy.client();
    expect_served(&mut client, 1);
    broker.change(|rules| rules.trick = Trick::Silent);
    assert!(client.is_silent_for(LIFETIME));
    client.send(&heartbeat(2));
    client.expect_fin();
    client.finish();
    proxy.expect_closes(CloseCause::UpstreamLoginFailed, 1);
}
