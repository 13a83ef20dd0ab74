//! Promises 2 and 4, for those who are connected: an endpoint that goes on meaning the same keeps its sessions.

use kproxy::model::{NodePort, PortRange};

use super::retarget;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames::heartbeat;
use testkit::proxy::{Setup, free_ports, node_port};

#[test]
fn a_change_of_one_cluster_leaves_the_sessions_of_others_alone() {
    let (one, two) = (Broker::echoing(b"one"), Broker::echoing(b"two"));
    let before = Setup::to(&[one.address]).and("other", &[one.address]);
    let proxy = before.start();
    let mut untouched = proxy.client();
    untouched.ask(&heartbeat(1));
    let mut moved = Client::connect(proxy.bootstrap_of("other"));
    moved.ask(&heartbeat(1));
    proxy.apply(
        &before
            .clone()
            .other("other", |cluster| retarget(cluster, two.address)),
    );
    moved.expect_fin();
    assert_eq!(untouched.ask(&heartbeat(2))[4..], *b"one");
    let connections = one.connections();
    assert_eq!(
        connections, 2,
        "the untouched session keeps its broker connection"
    );
}

#[test]
fn a_gateway_added_to_a_live_cluster_disturbs_nobody() {
    let broker = Broker::echoing(b"ok");
    let before = Setup::to(&[broker.address]);
    let proxy = before.start();
    let mut client = proxy.client();
    client.ask(&heartbeat(1));
    proxy.apply(&before.clone().cluster(|cluster| {
        let mut second = cluster.gateways[0].clone();
        second.name = "second".into();
        cluster.gateways.push(second);
    }));
    client.ask(&heartbeat(2));
    Client::connect(proxy.bootstrap_at("demo", "second")).ask(&heartbeat(3));
    proxy.apply(&before);
    client.ask(&heartbeat(4));
}

#[test]
fn a_wider_node_range_disturbs_nobody_and_a_narrower_one_only_who_is_at_its_nodes() {
    let broker = Broker::echoing(b"ok");
    let ids = |count: i32| Setup::to(&[broker.address]).nodes(0..count);
    let proxy = ids(2).start();
    let mut bootstrap = proxy.client();
    bootstrap.ask(&heartbeat(1));
    proxy.apply(&ids(4));
    bootstrap.ask(&heartbeat(2));
    assert!(proxy.proxy.node("demo", "main", 3).is_some());
    let mut at_three = Client::connect(proxy.node(3));
    proxy.expect_sessions(2);
    proxy.apply(&ids(3));
    at_three.expect_fin();
    bootstrap.ask(&heartbeat(3));
    assert!(proxy.proxy.node("demo", "main", 3).is_none());
    assert!(std::net::TcpStream::connect(at_three.address()).is_err());
}

/// The port goes on, but a client that asks for node 0 must not end up at node 1.
#[test]
fn a_port_that_comes_to_mean_another_node_lets_its_sessions_go() {
    let broker = Broker::echoing(b"ok");
    let [port] = free_ports();
    let node = |node_id: i32| {
        Setup::to(&[broker.address]).gateway(|gateway| {
            gateway.nodes = vec![NodePort {
                port,
                ..node_port(node_id)
            }];
        })
    };
    let proxy = node(0).start();
    let mut client = Client::connect(proxy.node(0));
    proxy.expect_sessions(1);
    proxy.apply(&node(1));
    client.expect_fin();
    assert_eq!(proxy.node(1).port(), port);
}

#[test]
fn a_port_moves_between_clusters_and_its_sessions_leave_at_a_boundary() {
    let (one, two) = (Broker::echoing(b"one"), Broker::echoing(b"two"));
    let [own, moving, left] = free_ports();
    let with = |first: &[u16], second: &[u16]| {
        let gateways = |ports: &[u16], cluster: &mut kproxy::model::VirtualCluster| {
            let template = cluster.gateways[0].clone();
            cluster.gateways = ports
                .iter()
                .map(|&port| kproxy::model::Gateway {
                    name: format!("g{port}"),
                    bootstrap_port: port,
                    nodes: Vec::new(),
                    ..template.clone()
                })
                .collect();
        };
        Setup::to(&[one.address])
            .cluster(|cluster| gateways(first, cluster))
            .and("other", &[two.address])
            .other("other", |cluster| gateways(second, cluster))
    };
    let proxy = with(&[own, moving], &[left]).start();
    let at = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (mut stays, mut goes) = (Client::connect(at(own)), Client::connect(at(moving)));
    stays.ask(&heartbeat(1));
    goes.ask(&heartbeat(1));
    proxy.apply(&with(&[own], &[left, moving]));
    goes.expect_fin();
    stays.ask(&heartbeat(2));
    assert_eq!(Client::connect(at(moving)).ask(&heartbeat(3))[4..], *b"two");
}

/// What was bound on the spot for a node outside the ranges stays bound when something else of the gateway changes.
#[test]
fn dynamic_ports_outlive_a_reload_that_does_not_concern_them() {
    let broker = Broker::echoing(b"ok");
    let [port] = free_ports();
    let range = PortRange {
        start: port,
        end: port,
    };
    let with = |host: &str| {
        Setup::to(&[broker.address])
            .gateway(|gateway| gateway.dynamic_ports = Some(range))
            .advertising(host)
    };
    let proxy = with("127.0.0.1").start();
    let mut client = proxy.client();
    client.ask(&heartbeat(1));
    proxy.apply(&with("localhost"));
    client.ask(&heartbeat(2));
}

/// A port that the operating system has chosen belongs to an address all the same.
#[test]
fn another_bind_address_is_bound_also_where_the_port_is_chosen() {
    let broker = Broker::echoing(b"ok");
    let at = |ip: &str| {
        let ip = kproxy::model::BindIp::Ip(ip.parse().unwrap());
        Setup::to(&[broker.address]).gateway(|gateway| gateway.bind = ip)
    };
    let proxy = at("127.0.0.1").start();
    let before = proxy.bootstrap();
    let mut client = proxy.client();
    client.ask(&heartbeat(1));
    proxy.apply(&at("127.0.0.2"));
    client.expect_fin();
    assert_eq!(proxy.bootstrap().ip().to_string(), "127.0.0.2");
    proxy.client().ask(&heartbeat(2));
    assert!(std::net::TcpStream::connect(before).is_err());
}
