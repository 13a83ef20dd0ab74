//! Clients that mean no good, and many of them.

use std::thread;
use std::time::Duration;

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use kproxy::sasl::ScramHash;
use kproxy::session::cause::CloseCause;
use testkit::cluster::{Cluster, SASL_AUTHENTICATE};
use testkit::frames::{self, noise};
use testkit::proxy::Setup;

use super::{authenticate, expect_served, handshake, plain, scram, settings, start, with};

#[test]
fn tokens_that_are_too_large_are_refused() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let mut client = proxy.client();
        assert_eq!(handshake(&mut client, 1, mechanism).error_code, 0);
        assert_eq!(authenticate(&mut client, &[b'n'; 5000]).error_code, 58);
        client.expect_fin();
    }
    // What is larger than any token is not even read.
    let mut client = proxy.client();
    assert_eq!(handshake(&mut client, 1, "PLAIN").error_code, 0);
    let huge = [
        &(400_000_i32).to_be_bytes()[..],
        &SASL_AUTHENTICATE.to_be_bytes(),
        &[0, 2, 0, 0, 0, 1],
    ]
    .concat();
    client.send(&huge);
    client.expect_fin();
    let mut client = proxy.client();
    client.send(&[&(600_000_i32).to_be_bytes()[..], &[0, 18, 0, 3, 0, 0, 0, 1]].concat());
    client.expect_fin();
    proxy.expect_closes(CloseCause::FrameTooLarge, 2);
    assert_eq!(cluster.connections(0), 0);
}

#[test]
fn garbage_in_an_exchange_is_refused() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    for (round, mechanism) in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
        .iter()
        .cycle()
        .take(12)
        .enumerate()
    {
        let mut client = proxy.client();
        assert_eq!(handshake(&mut client, 1, mechanism).error_code, 0);
        let answer = authenticate(&mut client, &noise(round as u64, 10 * round));
        assert_eq!(answer.error_code, 58, "{mechanism}");
        client.expect_fin();
    }
    let mut client = proxy.client();
    client.send(&frames::raw_request(17, 1, 1, b"\x7f\xff"));
    drop(client.rest());
    proxy.expect_closes(CloseCause::AuthenticationFailed, 13);
    assert_eq!(cluster.connections(0), 0);
}

#[test]
fn an_exchange_may_arrive_byte_by_byte() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut client = proxy.client();
    let mechanism = StrBytes::from_static_str("PLAIN");
    client.send_bytewise(&frames::request(
        1,
        1,
        &SaslHandshakeRequest::default().with_mechanism(mechanism),
    ));
    assert_eq!(frames::correlation_id(&client.frame()), 1);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(b"\0alice\0pencil".to_vec().into());
    client.send_bytewise(&frames::request(2, 2, &token));
    assert_eq!(frames::correlation_id(&client.frame()), 2);
    expect_served(&mut client);
}

#[test]
fn a_client_that_is_silent_in_its_exchange_is_closed() {
    let cluster = Cluster::start([0]);
    let setup = Setup::to(&[cluster.address(0)])
        .network(|network| network.unauthenticated_idle_timeout = Some(Duration::from_millis(300)));
    let proxy = with(setup, settings(&[("alice", "pencil")])).start();
    let mut client = proxy.client();
    assert_eq!(handshake(&mut client, 1, "PLAIN").error_code, 0);
    client.expect_fin();
    proxy.expect_closes(CloseCause::IdleTimeout, 1);
}

#[test]
fn a_drain_does_not_wait_for_a_client_that_does_not_authenticate() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut client = proxy.client();
    assert_eq!(handshake(&mut client, 1, "SCRAM-SHA-256").error_code, 0);
    proxy.shutdown();
    drop(client.rest());
}

#[test]
fn a_crowd_logs_in_at_once() {
    const CLIENTS: usize = 200;
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let proxy = &proxy;
            scope.spawn(move || {
                let mut client = proxy.client();
                let (name, password, expected) = match number % 4 {
                    0 => ("alice", "pencil", 0),
                    1 => ("bob", "eraser", 0),
                    2 => ("alice", "wrong", 58),
                    _ => ("nobody", "pencil", 58),
                };
                let answer = match number % 3 {
                    0 => plain(&mut client, name, password),
                    1 => scram(&mut client, ScramHash::Sha256, name, password),
                    _ => scram(&mut client, ScramHash::Sha512, name, password),
                };
                assert_eq!(answer.error_code, expected, "{number}");
                if expected == 0 {
                    expect_served(&mut client);
                }
            });
        }
    });
    proxy.expect_closes(CloseCause::AuthenticationFailed, CLIENTS as u64 / 2);
}
