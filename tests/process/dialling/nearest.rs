//! `strategy: nearest`: the bootstrap servers in the rack of kproxy come first.

use std::net::{SocketAddr, TcpListener};

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse, MetadataRequest};
use kafka_protocol::protocol::StrBytes;
use kproxy::model::{self, BootstrapSelection};

use super::is_served_by_any;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::proxy::{Setup, TestProxy};

/// Node 0 in rack `a`, nodes 1 and 2 in rack `b`; all are bootstrap servers.
fn cluster() -> Cluster {
    let cluster = Cluster::start([0, 1, 2]);
    for (node, rack) in [(0, "a"), (1, "b"), (2, "b")] {
        cluster.put_into_rack(node, rack);
    }
    cluster
}

fn setup(cluster: &Cluster, rack: &str) -> Setup {
    let servers = [0, 1, 2].map(|node| cluster.address(node));
    Setup::to(&servers).cluster(|cluster| {
        cluster.target.selection = BootstrapSelection::Nearest(rack.to_owned());
    })
}

/// How many of these sessions each node has got.
fn spread(proxy: &TestProxy, cluster: &Cluster, sessions: usize) -> [usize; 3] {
    let count = || [0, 1, 2].map(|node| cluster.connections(node));
    let before = count();
    for _ in 0..sessions {
        is_served_by_any(proxy.bootstrap());
    }
    let after = count();
    [0, 1, 2].map(|node| after[node] - before[node])
}

fn ask_for_metadata(proxy: &TestProxy) {
    proxy.client().call(12, 1, &MetadataRequest::default());
}

#[test]
fn servers_in_the_rack_take_turns_once_an_answer_has_told_the_racks() {
    let cluster = cluster();
    let proxy = setup(&cluster, "b").start();
    assert_eq!(spread(&proxy, &cluster, 6), [2, 2, 2], "as round-robin");
    ask_for_metadata(&proxy);
    assert_eq!(spread(&proxy, &cluster, 6), [0, 3, 3]);
    // A broker that has moved to another rack.
    cluster.put_into_rack(1, "a");
    ask_for_metadata(&proxy);
    assert_eq!(spread(&proxy, &cluster, 6), [0, 0, 6]);
}

#[test]
fn what_kproxy_asks_by_itself_tells_the_racks_too() {
    let cluster = cluster();
    let proxy = setup(&cluster, "a").start();
    is_served_by_any(proxy.node(2));
    assert_eq!(spread(&proxy, &cluster, 4), [4, 0, 0]);
}

#[test]
fn a_rack_without_servers_is_round_robin() {
    let cluster = cluster();
    let proxy = setup(&cluster, "elsewhere").start();
    ask_for_metadata(&proxy);
    assert_eq!(spread(&proxy, &cluster, 6), [2, 2, 2]);
}

#[test]
fn the_others_follow_where_those_in_the_rack_are_dead() {
    let mut cluster = cluster();
    let proxy = setup(&cluster, "b").start();
    ask_for_metadata(&proxy);
    cluster.kill(2);
    for _ in 0..4 {
        is_served_by_any(proxy.bootstrap());
    }
    cluster.kill(1);
    for _ in 0..4 {
        is_served_by_any(proxy.bootstrap());
    }
}

#[test]
fn a_change_applies_to_the_next_connections_and_the_status_shows_the_racks() {
    let cluster = cluster();
    let proxy = setup(&cluster, "b").start();
    ask_for_metadata(&proxy);
    let mut there = Client::connect(proxy.bootstrap());
    there.send(&super::heartbeat(1));
    there.frame();
    proxy.apply(&setup(&cluster, "a"));
    assert_eq!(spread(&proxy, &cluster, 4), [4, 0, 0]);
    there.send(&super::heartbeat(2));
    there.frame();
    let status = proxy.proxy.status().unwrap();
    let upstream = &status.clusters[0].upstream;
    for (node, rack) in [(0, "a"), (1, "b"), (2, "b")] {
        let mut brokers = upstream.iter();
        let broker = brokers.find(|broker| broker.node_ids == [node]);
        // Only those that were tried are there.
        if let Some(broker) = broker {
            assert_eq!(broker.rack.as_deref(), Some(rack));
        }
    }
    assert!(upstream.iter().any(|broker| broker.rack.as_deref() == Some("a")));
}

#[test]
fn the_rack_belongs_to_the_strategy() {
    let parse = |selection: &str| {
        let text = format!(
            "virtualClusters: [{{name: a, targetCluster: {{bootstrapServers: 'b:1', bootstrapServerSelection: {selection}}}, \
             gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:9192'}}}}]}}]"
        );
        model::parse(text.as_bytes(), "f")
            .map_err(|found| found.iter().map(ToString::to_string).collect::<String>())
    };
    for (selection, why) in [
        ("{strategy: nearest}", "`strategy: nearest` needs `clientRack`"),
        ("{strategy: nearest, clientRack: ' '}", "`clientRack` is empty"),
        (
            "{strategy: random, clientRack: a}",
            "`clientRack` needs `strategy: nearest`",
        ),
        ("{clientRack: a}", "`clientRack` needs `strategy: nearest`"),
    ] {
        let found = parse(selection).unwrap_err();
        assert!(found.contains(why), "{found}");
    }
    let model = parse("{strategy: nearest, clientRack: a}").unwrap();
    assert_eq!(
        model.clusters["a"].target.selection,
        BootstrapSelection::Nearest("a".into())
    );
}

const DESCRIBE_CLUSTER: i16 = 60;

fn described(brokers: &[(SocketAddr, &'static str)]) -> DescribeClusterResponse {
    let broker = |(id, (address, rack)): (i32, &(SocketAddr, &'static str))| {
        DescribeClusterBroker::default()
            .with_broker_id(id.into())
            .with_host(StrBytes::from_string(address.ip().to_string()))
            .with_port(address.port().into())
            .with_rack(Some(StrBytes::from_static_str(rack)))
    };
    DescribeClusterResponse::default().with_brokers((0..).zip(brokers).map(broker).collect())
}

#[test]
fn an_answer_to_describe_cluster_tells_the_racks_too() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, other] = listeners
        .each_ref()
        .map(|listener| listener.local_addr().unwrap());
    let known = [(one, "a"), (other, "b")];
    let [first, second] = listeners.map(|listener| {
        Broker::on(listener, move |mut connection| {
            while let Some(asked) = connection.request() {
                match asked.api_key {
                    DESCRIBE_CLUSTER => connection.answer(&asked, &described(&known)),
                    _ => connection.send(&testkit::frames::raw_response(asked.correlation_id, b"ok")),
                }
            }
        })
    });
    let setup = Setup::to(&[one, other]);
    let setup =
        setup.cluster(|cluster| cluster.target.selection = BootstrapSelection::Nearest("b".to_owned()));
    let proxy = setup.start();
    proxy.client().call(1, 1, &DescribeClusterRequest::default());
    let before = (first.connections(), second.connections());
    for _ in 0..4 {
        is_served_by_any(proxy.bootstrap());
    }
    assert_eq!(
        (first.connections(), second.connections()),
        (before.0, before.1 + 4)
    );
}
