//! Ports lead to their brokers, from the first client on, and after a broker has moved.

use std::sync::Barrier;

use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest};
use kproxy::session::cause::CloseCause;

use super::{HEARTBEAT, NOBODY, addresses, heartbeat, metadata, own_questions, who};
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::proxy::Setup;

#[test]
fn a_node_port_leads_to_its_broker_only() {
    let cluster = Cluster::start([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    metadata(&mut proxy.client());
    for node in [2, 0, 1, 1, 2] {
        assert_eq!(who(&mut Client::connect(proxy.node(node))), node);
    }
    assert_eq!(cluster.asked(HEARTBEAT), [2, 0, 1, 1, 2]);
    assert_eq!(
        own_questions(&cluster),
        0,
        "the client's Metadata taught everything"
    );
}

#[test]
fn ids_are_the_clusters_own_and_addresses_kproxys() {
    let cluster = Cluster::start([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let ours: Vec<_> = (0..3).map(|node| (node, proxy.node(node).to_string())).collect();
    let coordinator = (0, proxy.node(0).port().into(), "127.0.0.1");
    for at in [proxy.bootstrap(), proxy.node(1)] {
        let mut client = Client::connect(at);
        for version in 0..=13 {
            // Null topics exist from version 1 on.
            let topics = (version == 0).then(Vec::new);
            let answer = client.call(version, 5, &MetadataRequest::default().with_topics(topics));
            assert_eq!(addresses(&answer), ours, "version {version}");
            if version >= 2 {
                assert_eq!(
                    answer.cluster_id.as_deref(),
                    Some("the-cluster"),
                    "version {version}"
                );
            }
        }
        let answer = client.call(3, 6, &FindCoordinatorRequest::default());
        assert_eq!((answer.node_id.0, answer.port, &*answer.host), coordinator);
    }
}

#[test]
fn kproxy_learns_by_itself_and_asks_once_for_all_who_wait() {
    let cluster = Cluster::start([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let clients: Vec<_> = (0..20)
        .map(|n| (n % 3, Client::connect(proxy.node(n % 3))))
        .collect();
    let together = Barrier::new(clients.len());
    std::thread::scope(|scope| {
        for (node, mut client) in clients {
            let together = &together;
            scope.spawn(move || {
                together.wait();
                assert_eq!(who(&mut client), node);
            });
        }
    });
    assert_eq!(own_questions(&cluster), 1);
    assert_eq!(cluster.asked(HEARTBEAT).len(), 20);
}

#[test]
fn a_node_that_does_not_exist_is_a_clean_close() {
    let cluster = Cluster::start([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).nodes([0, 1, 7]).start();
    for closed in 1..=2 {
        let mut client = Client::connect(proxy.node(7));
        client.send(&heartbeat(1));
        client.expect_fin();
        client.finish();
        proxy.expect_closes(CloseCause::NodeUnknown, closed);
    }
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY, "nobody else is asked instead");
    // What was learned on the way serves those that exist.
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
}

#[test]
fn a_broker_that_moved_is_served_at_its_new_place() {
    let mut cluster = Cluster::start([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    metadata(&mut proxy.client());
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    assert_eq!(own_questions(&cluster), 0);
    cluster.move_away(1);
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    assert_eq!(own_questions(&cluster), 1);
}
