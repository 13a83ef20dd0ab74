//! Promise 3: keys of class `live`.

use std::net::TcpStream;
use std::time::Duration;

use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use kproxy::reload::Outcome;
use kproxy::session::cause::CloseCause;

use testkit::broker::{Broker, Connection};
use testkit::client::Client;
use testkit::frames;
use testkit::frames::heartbeat;
use testkit::proxy::{Setup, TestProxy};

/// A proxy in front of a broker that answers everything, and a client whose session has begun.
fn session() -> (Broker, Setup, TestProxy, Client) {
    let broker = Broker::echoing(b"ok");
    let setup = Setup::to(&[broker.address]);
    let proxy = setup.start();
    let mut client = proxy.client();
    client.ask(&heartbeat(1));
    (broker, setup, proxy, client)
}

/// Two clients of a proxy that serves one at a time: the first is served, the second waits with its request.
fn served_and_waiting(proxy: &TestProxy) -> (Client, Client) {
    let mut first = proxy.client();
    first.ask(&heartbeat(1));
    let mut second = proxy.client();
    second.send(&heartbeat(2));
    assert!(second.is_silent_for(Duration::from_millis(50)));
    (first, second)
}

#[test]
fn nothing_new_is_no_generation() {
    let (_broker, setup, proxy, mut client) = session();
    let report = proxy.proxy.reload(setup.model()).unwrap();
    assert_eq!((report.outcome, report.generation), (Outcome::Unchanged, 1));
    client.ask(&heartbeat(2));
}

#[test]
fn a_smaller_frame_limit_applies_to_the_next_frame_of_a_live_session() {
    let (_broker, setup, proxy, mut client) = session();
    let large = frames::raw_request(frames::HEARTBEAT, 0, 1, &[0; 500]);
    client.ask(&large);
    let smaller = setup.clone().network(|network| network.max_frame_size = 100);
    proxy.apply(&smaller);
    client.ask(&heartbeat(2));
    client.send(&large);
    client.expect_fin();
    drop(client);
    proxy.expect_closes(CloseCause::FrameTooLarge, 1);
}

#[test]
fn an_idle_timeout_applies_to_sessions_that_are_idle_already() {
    let (_broker, setup, proxy, mut client) = session();
    let limit = Some(Duration::from_millis(50));
    proxy.apply(
        &setup
            .clone()
            .network(|network| network.authenticated_idle_timeout = limit),
    );
    client.expect_fin();
    drop(client);
    proxy.expect_closes(CloseCause::IdleTimeout, 1);
}

#[test]
fn who_waits_for_a_limit_on_connections_is_let_in_when_it_is_raised() {
    let broker = Broker::echoing(b"ok");
    let limited = |limit| Setup::to(&[broker.address]).cluster(|cluster| cluster.max_connections = limit);
    let proxy = limited(Some(1)).start();
    let (mut first, mut second) = served_and_waiting(&proxy);
    proxy.apply(&limited(Some(2)));
    second.frame();
    // A smaller limit sends nobody away; the next waits until there is room.
    proxy.apply(&limited(Some(1)));
    first.ask(&heartbeat(3));
    second.ask(&heartbeat(4));
    let mut third = proxy.client();
    third.send(&heartbeat(5));
    assert!(third.is_silent_for(Duration::from_millis(50)));
    drop((first, second));
    third.frame();
}

#[test]
fn the_limit_of_the_whole_process_is_live_too() {
    let broker = Broker::echoing(b"ok");
    let limited = |limit| Setup::to(&[broker.address]).network(|network| network.max_connections = limit);
    let proxy = limited(Some(1)).start();
    let (_first, mut second) = served_and_waiting(&proxy);
    proxy.apply(&limited(None));
    second.frame();
}

/// Clients are told the new address in the next answer; the session they ask over stays.
#[test]
fn advertised_addresses_apply_to_the_next_answer_of_a_live_session() {
    let broker = Broker::start(|mut connection: Connection| {
        while let Some(asked) = connection.request() {
            let itself = MetadataResponseBroker::default()
                .with_node_id(1.into())
                .with_host(StrBytes::from_static_str("127.0.0.1"))
                .with_port(9);
            connection.answer(&asked, &MetadataResponse::default().with_brokers(vec![itself]));
        }
    });
    let setup = Setup::to(&[broker.address]);
    let proxy = setup.start();
    let mut client = proxy.client();
    let told = |client: &mut Client| {
        let answer = client.call(9, 1, &MetadataRequest::default());
        answer.brokers[0].host.to_string()
    };
    assert_eq!(told(&mut client), "127.0.0.1");
    let port = proxy.node(1).port();
    proxy.apply(&setup.clone().advertising("broker-$(nodeId).example.com"));
    assert_eq!(told(&mut client), "broker-1.example.com");
    assert_eq!(proxy.node(1).port(), port, "the listener stays");
    assert!(TcpStream::connect(proxy.node(1)).is_ok());
}

#[test]
fn drain_settings_and_log_switches_disturb_nobody() {
    let (broker, setup, proxy, mut client) = session();
    proxy.apply(&setup.clone().cluster(|cluster| {
        cluster.drain.timeout = Duration::from_secs(3);
        cluster.log_network = true;
        cluster.log_frames = true;
        cluster.target.selection = kproxy::model::BootstrapSelection::Random;
    }));
    client.ask(&heartbeat(2));
    assert!(proxy.proxy.status().unwrap().drains.is_empty());
    assert_eq!(broker.connections(), 1);
}
