//! Nodes that have no endpoint.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::addresses;
use testkit::broker::{Broker, Connection};
use testkit::cluster::{METADATA, broker};
use testkit::frames;
use testkit::proxy::Setup;

const FIND_COORDINATOR: i16 = 10;
const DESCRIBE_CLUSTER: i16 = 60;

/// The cluster has nodes 0, 1 and 9; 9 has no endpoint.
fn with_a_stranger(endpoint: SocketAddr) -> impl Fn(Connection) + Send + Sync {
    move |mut connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                METADATA => connection.answer(&asked, &strange_metadata(endpoint)),
                DESCRIBE_CLUSTER => connection.answer(&asked, &strange_cluster(endpoint)),
                FIND_COORDINATOR => connection.answer(&asked, &strange_coordinator(asked.api_version)),
                _ => return,
            }
        }
    }
}

fn strange_metadata(endpoint: SocketAddr) -> MetadataResponse {
    use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
    let partition = MetadataResponsePartition::default()
        .with_leader_id(9.into())
        .with_replica_nodes(vec![9.into(), 0.into()])
        .with_isr_nodes(vec![9.into()]);
    let topic = MetadataResponseTopic::default().with_partitions(vec![partition]);
    MetadataResponse::default()
        .with_brokers([0, 9, 1].map(|node| broker(node, endpoint)).into())
        .with_controller_id(9.into())
        .with_topics(vec![topic])
}

fn strange_cluster(endpoint: SocketAddr) -> DescribeClusterResponse {
    let broker = |node: i32| {
        DescribeClusterBroker::default()
            .with_broker_id(node.into())
            .with_host(StrBytes::from_string(endpoint.ip().to_string()))
            .with_port(endpoint.port().into())
    };
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_static_str("the-cluster"))
        .with_controller_id(9.into())
        .with_brokers([9, 0, 1].map(broker).into())
}

fn strange_coordinator(version: i16) -> FindCoordinatorResponse {
    use kafka_protocol::messages::find_coordinator_response::Coordinator;
    let host = StrBytes::from_static_str("broker-9.example");
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_node_id(9.into())
            .with_host(host)
            .with_port(9092);
    }
    let coordinator = |node: i32| {
        Coordinator::default()
            .with_key(StrBytes::from_string(format!("group-{node}")))
            .with_node_id(node.into())
            .with_host(host.clone())
            .with_port(9092)
    };
    FindCoordinatorResponse::default().with_coordinators([1, 9].map(coordinator).into())
}

#[test]
fn a_node_without_an_endpoint_is_withheld() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _broker = Broker::on(listener, with_a_stranger(address));
    let proxy = Setup::to(&[address]).nodes([0, 1]).start();
    let withheld = || proxy.counters().withheld_nodes.load(Ordering::Relaxed);
    let mut client = proxy.client();
    for version in 1..=13 {
        let before = withheld();
        let mut answer = client.call(version, 1, &MetadataRequest::default());
        let ours = [0, 1].map(|node| (node, proxy.node(node).to_string()));
        assert_eq!(addresses(&answer), ours, "version {version}");
        assert_eq!(withheld(), before + 1, "version {version}");
        // Nothing else has changed; 9 still leads and is the controller.
        let told = frames::response(version, 1, &strange_metadata(address));
        let (_, told): (_, MetadataResponse) = frames::decode(version, &told[4..]);
        answer.brokers.clone_from(&told.brokers);
        assert_eq!(answer, told, "version {version}");
    }
    for version in 0..=2 {
        let before = withheld();
        let answer = client.call(version, 2, &DescribeClusterRequest::default());
        let ids: Vec<_> = answer.brokers.iter().map(|node| node.broker_id.0).collect();
        assert_eq!(
            (ids, answer.controller_id.0),
            (vec![0, 1], 9),
            "version {version}"
        );
        assert_eq!(withheld(), before + 1, "version {version}");
    }
}

#[test]
fn a_coordinator_without_an_endpoint_is_not_available() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _broker = Broker::on(listener, with_a_stranger(address));
    let proxy = Setup::to(&[address]).nodes([0, 1]).start();
    let mut client = proxy.client();
    let nobody = (15, -1, "", -1);
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        if version >= 4 {
            request.coordinator_keys = vec![StrBytes::from_static_str("group-1")];
        }
        let answer = client.call(version, 3, &request);
        if version < 4 {
            let got = (answer.error_code, answer.node_id.0, &*answer.host, answer.port);
            assert_eq!(got, nobody, "version {version}");
            continue;
        }
        let got: Vec<_> = answer
            .coordinators
            .iter()
            .map(|entry| {
                (
                    &*entry.key,
                    (entry.error_code, entry.node_id.0, &*entry.host, entry.port),
                )
            })
            .collect();
        let port = i32::from(proxy.node(1).port());
        assert_eq!(
            got,
            [("group-1", (0, 1, "127.0.0.1", port)), ("group-9", nobody)],
            "version {version}"
        );
    }
    assert_eq!(proxy.counters().withheld_nodes.load(Ordering::Relaxed), 7);
}
