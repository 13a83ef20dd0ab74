//! Sessions whose target changes under them: they go on over another broker connection where they may, without a byte less or
//! more, and leave in order where they may not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kafka_protocol::messages::{
    ApiVersionsRequest, MetadataRequest, ProduceRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::StrBytes;
use kproxy::config::Secret;
use kproxy::model::{BrokerLogin, BrokerMechanism, ClientLogins, LoginSource, UserLogin};
use kproxy::session::cause::CloseCause;
use kproxy::session::context::NodeRole;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::{API_VERSIONS, Cluster, PLAIN_TOKEN};
use testkit::frames::{self, heartbeat};
use testkit::proxy::{Setup, TestProxy, servers};
use testkit::wait::eventually;

const JOIN_GROUP: i16 = 11;
const HEARTBEAT: i16 = 12;

/// The set-up with another target.
fn moved_to(setup: &Setup, target: SocketAddr) -> Setup {
    setup
        .clone()
        .cluster(|cluster| cluster.target.bootstrap_servers = servers(&[target]))
}

/// Waits until so many sessions have moved.
fn moves(proxy: &TestProxy, count: u64) {
    eventually("the sessions have moved", || {
        proxy.counters().moved.load(Ordering::Relaxed) == count
    });
}

fn login() -> BrokerLogin {
    BrokerLogin {
        mechanism: BrokerMechanism::Plain,
        own: Some(LoginSource::User(UserLogin {
            username: "alice".into(),
            password: Secret::new("secret"),
        })),
        clients: ClientLogins::Shared,
    }
}

/// A client that has asked for versions and metadata, as clients do.
fn introduced(client: &mut Client) {
    let asks = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("the-software"))
        .with_client_software_version(StrBytes::from_static_str("1.2"));
    assert_eq!(client.call(3, 1, &asks).error_code, 0);
    let metadata = client.call(9, 2, &MetadataRequest::default());
    assert_eq!(metadata.brokers.len(), 1);
}

fn authenticate(client: &mut Client) {
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    assert_eq!(client.call(1, 1, &mechanism).error_code, 0);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(PLAIN_TOKEN.into());
    assert_eq!(client.call(2, 2, &token).error_code, 0);
}

/// A kproxy in front of node 1, with a client that knows it.
fn in_front_of(cluster: &Cluster) -> (Setup, TestProxy, Client) {
    let setup = Setup::to(&[cluster.address(1)]);
    let proxy = setup.start();
    let mut client = proxy.client();
    introduced(&mut client);
    (setup, proxy, client)
}

/// The node that answers a heartbeat.
fn answers(client: &mut Client, id: i32) -> i32 {
    let answer = client.ask(&heartbeat(id));
    assert_eq!(frames::correlation_id(&answer), id);
    i32::from_be_bytes(answer[4..8].try_into().unwrap())
}

#[test]
fn a_session_goes_on_with_the_same_cluster_behind_another_address() {
    let (one, two) = (Cluster::start([1]), Cluster::start([1]));
    let (here, proxy, mut client) = in_front_of(&one);
    assert_eq!(answers(&mut client, 3), 1);
    proxy.apply(&moved_to(&here, two.address(1)));
    for id in 4..20 {
        assert_eq!(answers(&mut client, id), 1);
    }
    assert!(!two.asked(HEARTBEAT).is_empty(), "nothing has moved");
    assert_eq!(one.asked(HEARTBEAT).len() + two.asked(HEARTBEAT).len(), 17);
    // The client says who it is to the new broker as well, before anything else.
    assert_eq!(two.asked(API_VERSIONS), [1]);
    proxy.expect_sessions(1);
}

#[test]
fn requests_in_flight_are_answered_by_the_old_target_and_later_ones_by_the_new_one() {
    let (one, two) = (Cluster::start([1]), Cluster::start([1]));
    let (here, proxy, mut client) = in_front_of(&one);
    for round in 0..20 {
        let target = if round % 2 == 0 { &two } else { &one };
        let ids: Vec<i32> = (100 * round..100 * round + 50).collect();
        let (early, late) = ids.split_at(25);
        early.iter().for_each(|&id| client.send(&heartbeat(id)));
        let moved = proxy.counters().moved.load(Ordering::Relaxed);
        proxy.apply(&moved_to(&here, target.address(1)));
        late.iter().for_each(|&id| client.send(&heartbeat(id)));
        for &id in &ids {
            assert_eq!(frames::correlation_id(&client.frame()), id);
        }
        eventually("the session has moved", || {
            proxy.counters().moved.load(Ordering::Relaxed) > moved
        });
    }
    assert_eq!(one.asked(HEARTBEAT).len() + two.asked(HEARTBEAT).len(), 20 * 50);
    proxy.expect_sessions(1);
}

#[test]
fn a_session_does_not_move_to_another_kafka_cluster() {
    let (one, two) = (Cluster::start([1]), Cluster::start([1]));
    two.call_itself("another-cluster");
    let (here, proxy, mut client) = in_front_of(&one);
    assert_eq!(answers(&mut client, 3), 1);
    proxy.apply(&moved_to(&here, two.address(1)));
    client.expect_fin();
    proxy.expect_closes(CloseCause::Drained, 1);
    assert!(two.asked(HEARTBEAT).is_empty());
}

#[test]
fn a_session_does_not_move_to_a_broker_that_offers_less_than_was_promised() {
    let (one, two) = (Cluster::start([1]), Cluster::start([1]));
    two.offer_produce_up_to(9);
    let (here, proxy, mut client) = in_front_of(&one);
    assert_eq!(answers(&mut client, 3), 1);
    proxy.apply(&moved_to(&here, two.address(1)));
    client.expect_fin();
    proxy.expect_closes(CloseCause::Drained, 1);
}

#[test]
fn a_session_stays_with_the_old_target_until_the_new_one_can_be_reached() {
    let (one, two) = (Cluster::start([1]), Cluster::start([1]));
    let mut late = Cluster::start([1]);
    let place = late.address(1);
    late.kill(1);
    let (here, proxy, mut client) = in_front_of(&one);
    proxy.apply(&moved_to(&here, place));
    for id in 3..50 {
        assert_eq!(answers(&mut client, id), 1);
    }
    // Before the session gives up, the target is changed once more.
    proxy.apply(&moved_to(&here, two.address(1)));
    eventually("the session has moved", || {
        proxy.counters().moved.load(Ordering::Relaxed) == 1
    });
    assert_eq!(answers(&mut client, 50), 1);
    assert_eq!(two.asked(HEARTBEAT), [1]);
    proxy.expect_sessions(1);
}

#[test]
fn a_client_that_has_authenticated_to_the_broker_itself_leaves_in_order() {
    let (one, two) = (Cluster::with_sasl([1]), Cluster::with_sasl([1]));
    let here = Setup::to(&[one.address(1)]);
    let proxy = here.start();
    let mut client = proxy.client();
    authenticate(&mut client);
    assert_eq!(answers(&mut client, 3), 1);
    proxy.apply(&moved_to(&here, two.address(1)));
    client.expect_fin();
    proxy.expect_closes(CloseCause::Drained, 1);
}

#[test]
fn a_session_at_the_port_of_a_node_moves_to_the_same_node() {
    let (one, two) = (Cluster::start([1, 2]), Cluster::start([1, 2]));
    let here = Setup::to(&[one.address(1)]).nodes([1, 2]);
    let proxy = here.start();
    let mut bootstrap = proxy.client();
    let metadata = bootstrap.call(9, 1, &MetadataRequest::default());
    assert_eq!(metadata.brokers.len(), 2);
    let mut second = Client::connect(proxy.node(2));
    assert_eq!(answers(&mut second, 2), 2);
    proxy.apply(&moved_to(&here, two.address(1)));
    moves(&proxy, 2);
    assert_eq!(answers(&mut second, 3), 2);
    assert_eq!(two.asked(HEARTBEAT), [2]);
    proxy.expect_sessions(2);
}

#[test]
fn a_request_without_an_answer_is_read_by_the_old_broker_before_anything_goes_to_the_new_one() {
    let (one, two) = (Cluster::start([1]), Cluster::start([1]));
    let (here, proxy, mut client) = in_front_of(&one);
    let acks0 = frames::request(9, 7, &ProduceRequest::default().with_acks(0));
    (0..50).for_each(|_| client.send(&acks0));
    proxy.apply(&moved_to(&here, two.address(1)));
    moves(&proxy, 1);
    const PRODUCE: i16 = 0;
    assert_eq!(one.asked(PRODUCE).len() + two.asked(PRODUCE).len(), 50);
    // The last that the old broker has read is kproxy's question whether it has read all.
    let last = one.log().pop().unwrap();
    assert_eq!((last.api_key, last.own), (API_VERSIONS, true));
}

#[test]
fn a_session_over_a_login_of_kproxy_logs_in_again() {
    let (one, two) = (Cluster::with_sasl([1]), Cluster::with_sasl([1]));
    let here = Setup::to(&[one.address(1)]).cluster(|cluster| {
        cluster.target.login = Some(Arc::new(login()));
    });
    let proxy = here.start();
    let mut client = proxy.client();
    introduced(&mut client);
    assert_eq!(answers(&mut client, 3), 1);
    proxy.apply(&moved_to(&here, two.address(1)));
    moves(&proxy, 1);
    assert_eq!(answers(&mut client, 4), 1);
    assert_eq!(two.asked(HEARTBEAT), [1]);
}

#[test]
fn a_broker_that_has_moved_takes_its_sessions_along() {
    let mut one = Cluster::start([1, 2]);
    let here = Setup::to(&[one.address(1)]).nodes([1, 2]);
    let proxy = here.start();
    let mut bootstrap = proxy.client();
    bootstrap.call(9, 1, &MetadataRequest::default());
    let mut second = Client::connect(proxy.node(2));
    assert_eq!(answers(&mut second, 2), 2);
    one.move_and_stay(2);
    bootstrap.call(9, 2, &MetadataRequest::default());
    moves(&proxy, 1);
    assert_eq!(answers(&mut second, 3), 2);
    assert_eq!(one.connections(2), 1);
    proxy.expect_sessions(2);
}

#[test]
fn a_long_poll_is_answered_before_its_session_moves_and_a_join_is_not_held_up() {
    let (one, two) = (Cluster::start([1]), Cluster::start([1]));
    let (here, proxy, mut client) = in_front_of(&one);
    one.hold_back(JOIN_GROUP);
    client.send(&frames::raw_request(JOIN_GROUP, 5, 10, b""));
    eventually("the broker has the request", || one.asked(JOIN_GROUP) == [1]);
    proxy.apply(&moved_to(&here, two.address(1)));
    eventually("the other connection is ready", || {
        !two.asked(API_VERSIONS).is_empty()
    });
    // The answer takes as long as others need to join; requests behind it are not held back meanwhile.
    client.send(&heartbeat(11));
    let node = proxy.counters().node(NodeRole::Bootstrap);
    eventually("the request is in flight", || node.traffic().moved.in_flight == 2);
    one.let_go();
    assert_eq!(frames::correlation_id(&client.frame()), 10);
    assert_eq!(frames::correlation_id(&client.frame()), 11);
    moves(&proxy, 1);
    assert_eq!(answers(&mut client, 12), 1);
    assert_eq!(two.asked(HEARTBEAT), [1]);
}

/// The old broker is gone, and the new one accepts and says nothing: the usual mistake in a switch by hand.
#[test]
fn a_session_that_waits_for_its_target_does_not_hold_up_the_end_of_the_process() {
    let mut one = Cluster::start([1]);
    let silent = Broker::start(|mut connection| while connection.request().is_some() {});
    let here = Setup::to(&[one.address(1)]).network(|network| {
        network.connect_timeout = Duration::from_secs(3600);
        network.shutdown_timeout = Duration::from_secs(3);
    });
    let proxy = here.start();
    let mut client = proxy.client();
    introduced(&mut client);
    proxy.apply(&moved_to(&here, silent.address));
    eventually("the new target is asked", || silent.connections() > 0);
    one.kill(1);
    client.send(&heartbeat(3));
    let counters = proxy.counters();
    proxy.shutdown();
    let closes: u64 = counters.all_closes().map(|(_, count)| count).sum();
    assert_eq!(closes, 1, "the session is still there");
}
