//! Brokers that may not be connected to.

use std::net::{IpAddr, SocketAddr};

use kproxy::model::AllowedBrokers;
use kproxy::session::cause::CloseCause;

use super::heartbeat;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::proxy::Setup;

/// `allowedBrokers` as it is written.
fn allowed(list: &str) -> AllowedBrokers {
    let file = format!(
        "virtualClusters: [{{name: a, targetCluster: {{bootstrapServers: 'b:1', allowedBrokers: {list}}}, gateways: \
         [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:9192'}}}}]}}]"
    );
    let mut model = kproxy::model::parse(file.as_bytes(), "f").unwrap();
    let cluster = model.clusters.remove("a").unwrap();
    cluster.target.allowed_brokers.clone()
}

#[track_caller]
fn is_answered(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.send(&heartbeat(1));
    client.frame();
}

#[track_caller]
fn is_closed(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.send(&heartbeat(1));
    client.expect_fin();
}

/// Node 0 is the bootstrap server, node 1 somewhere else.
#[test]
fn a_broker_outside_allowed_brokers_is_not_connected_to_until_it_is_listed() {
    let cluster = Cluster::start([0, 1]);
    let setup = |list: &str| {
        let list = allowed(list);
        Setup::to(&[cluster.address(0)]).cluster(move |cluster| cluster.target.allowed_brokers = list.clone())
    };
    let proxy = setup("['*.kafka.internal', 10.0.0.0/8]").start();
    is_answered(proxy.bootstrap());
    is_answered(proxy.node(0));
    is_closed(proxy.node(1));
    proxy.expect_closes(CloseCause::BrokerNotAllowed, 1);
    assert_eq!(cluster.connections(1), 0);
    proxy.apply(&setup("['*.kafka.internal', 127.0.0.0/8]"));
    let mut client = Client::connect(proxy.node(1));
    client.send(&heartbeat(1));
    client.frame();
    // What is there stays.
    proxy.apply(&setup("[]"));
    client.send(&heartbeat(1));
    client.frame();
    is_closed(proxy.node(1));
    is_answered(proxy.node(0));
}

/// What a broker would have kproxy ask for credentials.
#[test]
fn a_broker_that_names_a_metadata_address_makes_no_connection() {
    let cluster = Cluster::start([0, 1, 2]);
    let metadata: IpAddr = "169.254.169.254".parse().unwrap();
    cluster.say(1, SocketAddr::new(metadata, 80));
    cluster.say(2, SocketAddr::new("::ffff:169.254.169.254".parse().unwrap(), 80));
    let proxy = Setup::to(&[cluster.address(0)]).start();
    is_answered(proxy.node(0));
    is_closed(proxy.node(1));
    is_closed(proxy.node(2));
    proxy.expect_closes(CloseCause::BrokerNotAllowed, 2);
    let dialled = testkit::dialled::peers_of(std::process::id());
    assert!(
        dialled.iter().all(|peer| peer.ip().to_canonical() != metadata),
        "{dialled:?}"
    );
}
