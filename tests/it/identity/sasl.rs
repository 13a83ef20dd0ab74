//! A cluster that wants SASL before it tells anything.

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use kproxy::session::cause::CloseCause;

use super::remembered::remembering;
use super::tokens::raw_plain;
use super::{HEARTBEAT, NOBODY, authenticated, heartbeat, metadata, who};
use testkit::client::Client;
use testkit::cluster::{Cluster, SASL_HANDSHAKE};
use testkit::frames;
use testkit::proxy::Setup;

#[test]
fn behind_sasl_the_first_attempt_teaches_and_the_second_arrives() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut first = authenticated(proxy.node(2));
    // Pipelined: none of them may reach the wrong broker.
    first.send(&[heartbeat(7), heartbeat(8), heartbeat(9)].concat());
    first.expect_fin();
    first.finish();
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
    assert_eq!(
        cluster.asked(HEARTBEAT),
        NOBODY,
        "the request that was held is not forwarded"
    );

    let before = cluster.connections(0);
    assert_eq!(who(&mut authenticated(proxy.node(2))), 2);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
    assert_eq!(cluster.connections(0), before, "the way is known now");
    assert_eq!(cluster.asked(SASL_HANDSHAKE), [0, 2, 1]);
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
}

#[test]
fn behind_sasl_raw_tokens_teach_too() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut first = Client::connect(proxy.node(1));
    raw_plain(&mut first);
    first.send(&heartbeat(7));
    first.expect_fin();
    first.finish();
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY);
    let mut second = Client::connect(proxy.node(1));
    raw_plain(&mut second);
    assert_eq!(who(&mut second), 1);
}

#[test]
fn behind_sasl_a_session_that_is_right_goes_on() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(1)]).start();
    let mut client = authenticated(proxy.node(1));
    client.send(&[heartbeat(7), heartbeat(8), heartbeat(9)].concat());
    for id in 7..10 {
        assert_eq!(
            client.frame(),
            frames::raw_response(id, &1_i32.to_be_bytes())[4..]
        );
    }
    assert_eq!(metadata(&mut client).brokers.len(), 3);
    assert_eq!(cluster.asked(HEARTBEAT), [1, 1, 1]);
    client.finish();
    client.expect_fin();
    proxy.expect_closes(CloseCause::ClientClosed, 1);
}

#[test]
fn behind_sasl_a_node_that_does_not_exist_is_a_clean_close() {
    let cluster = Cluster::with_sasl([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    for attempt in 1..=2 {
        let mut client = authenticated(proxy.node(2));
        client.send(&heartbeat(7));
        client.expect_fin();
        client.finish();
        proxy.expect_closes(CloseCause::NodeUnknown, attempt);
    }
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY);
}

#[test]
fn behind_sasl_a_wrong_password_teaches_nothing() {
    let cluster = Cluster::with_sasl([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut client = Client::connect(proxy.node(1));
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    client.call(1, 1, &mechanism);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(b"\0alice\0wrong"[..].into());
    assert_eq!(
        client.call(2, 2, &token).error_code,
        58,
        "the broker's verdict passes"
    );
    // The broker hangs up at the question that kproxy puts in front of this.
    client.send(&heartbeat(7));
    let (bytes, _) = client.rest();
    assert_eq!(bytes.len(), 0);
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY);
}

#[test]
fn behind_sasl_a_broker_that_moved_is_served_once_a_client_has_heard() {
    let mut cluster = Cluster::with_sasl([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut bootstrap = authenticated(proxy.bootstrap());
    metadata(&mut bootstrap);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
    cluster.move_away(1);
    metadata(&mut bootstrap);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
    proxy.expect_closes(CloseCause::TopologyLearned, 0);
}

/// Nobody has said lately where the brokers are, so a refused connection is reason to ask.
#[test]
fn behind_sasl_a_broker_that_moved_long_ago_is_looked_for() {
    let mut cluster = Cluster::with_sasl([0, 1]);
    let directory = tempfile::tempdir().unwrap();
    let setup = remembering(&cluster, directory.path());
    let proxy = setup.start();
    metadata(&mut authenticated(proxy.bootstrap()));
    proxy.shutdown();
    cluster.move_away(1);

    let proxy = setup.start();
    let mut first = authenticated(proxy.node(1));
    first.send(&heartbeat(7));
    first.expect_fin();
    first.finish();
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
}
