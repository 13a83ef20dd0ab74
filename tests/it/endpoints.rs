//! Addresses in answers other than Metadata: rewritten wherever they are, whatever streams in front of them.
//!
//! 1. NodeEndpoints of Produce v10+, Fetch v16+, ShareFetch and ShareAcknowledge are kproxy's, in answers that
//!    arrive whole and in those that stream, wherever they are cut, with advertised hosts that are shorter than,
//!    as long as and longer than the broker's. Everything else, records above all, is as the broker sent it.
//! 2. A node without an endpoint is left out of them.
//! 3. A streamed answer stays in step: what is asked behind it is answered behind it.
//! 4. FindCoordinator v0–6, DescribeCluster v0–2 and DescribeQuorum v2 name kproxy's addresses only.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::sync::Arc;

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{
    DescribeClusterResponse, DescribeQuorumResponse, FetchResponse, FindCoordinatorResponse, MetadataRequest,
    MetadataResponse, ProduceResponse, ShareAcknowledgeResponse, ShareFetchResponse,
};
use kafka_protocol::messages::{describe_quorum_response, fetch_response, produce_response};
use kafka_protocol::messages::{share_acknowledge_response, share_fetch_response};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use testkit::broker::{Asked, Broker};
use testkit::cluster::METADATA;
use testkit::frames;
use testkit::frames::HEARTBEAT;
use testkit::proxy::{Setup, TestProxy};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const FIND_COORDINATOR: i16 = 10;
const DESCRIBE_QUORUM: i16 = 55;
const DESCRIBE_CLUSTER: i16 = 60;
const SHARE_FETCH: i16 = 78;
const SHARE_ACKNOWLEDGE: i16 = 79;

/// What the brokers call themselves.
const BROKER_HOST: &str = "broker.internal";
/// Shorter, as long, longer, and so long that its length takes one more byte.
const ADVERTISED: [&str; 4] = [
    "k.io",
    "kproxy.internal",
    "kafka.a-name-that-is-longer.example.com",
    "kafka.a-name-that-is-longer-than-what-one-byte-of-length-takes.and-so-it-needs-two-of-them.one-for-each-\
     seven-bits.example.com",
];
const BROKER_PORT: i32 = 9092;
/// The nodes that have an endpoint.
const NODES: [i32; 3] = [0, 1, 2];
/// One that has none.
const STRANGER: i32 = 9;

/// The part of a request that kproxy reads: no tagged fields, no transactional id, all replicas.
const REQUEST: &[u8] = b"\0\0\xff\xff";

/// In one read, in several, in many.
const SMALL: usize = 100;
const MEDIUM: usize = 300 << 10;
const LARGE: usize = 3 << 20;

fn text(string: &str) -> StrBytes {
    StrBytes::from_string(string.to_owned())
}

/// Node endpoints of one of the four APIs that have them, and the address of every one.
trait Endpoints: Encodable + Decodable + HeaderVersion + PartialEq + Debug {
    const KEY: i16;
    fn sample(records: usize, nodes: &[i32], host: &str, port: &dyn Fn(i32) -> i32) -> Self;
    /// Padding is a tagged field that nobody knows.
    fn drop_unknown_fields(&mut self);
}

macro_rules! endpoints {
    ($message:ident, $module:ident, $key:expr, $sample:expr) => {
        impl Endpoints for $message {
            const KEY: i16 = $key;

            fn sample(records: usize, nodes: &[i32], host: &str, port: &dyn Fn(i32) -> i32) -> Self {
                let endpoint = |&node: &i32| {
                    $module::NodeEndpoint::default()
                        .with_node_id(node.into())
                        .with_host(text(host))
                        .with_port(port(node))
                        .with_rack((node == 1).then(|| text("rack-1")))
                };
                let sample: fn(usize) -> Self = $sample;
                sample(records).with_node_endpoints(nodes.iter().map(endpoint).collect())
            }

            fn drop_unknown_fields(&mut self) {
                self.unknown_tagged_fields.clear();
            }
        }
    };
}

endpoints!(FetchResponse, fetch_response, FETCH, |records| {
    use fetch_response::{AbortedTransaction, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData};
    let partition = |index: usize| {
        let leader = LeaderIdAndEpoch::default()
            .with_leader_id(2.into())
            .with_leader_epoch(7);
        PartitionData::default()
            .with_partition_index(index as i32)
            .with_error_code(6)
            .with_current_leader(leader)
            .with_aborted_transactions(Some(vec![AbortedTransaction::default().with_first_offset(5)]))
            .with_records(Some(frames::noise(index as u64, records / 3).into()))
    };
    let topic = FetchableTopicResponse::default().with_partitions((0..3).map(partition).collect());
    Self::default().with_session_id(11).with_responses(vec![topic])
});

endpoints!(ProduceResponse, produce_response, PRODUCE, |records| {
    use produce_response::{LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse};
    // What is large about the answer to a Produce is what it says of its partitions.
    let partition = |index: usize| {
        let leader = LeaderIdAndEpoch::default()
            .with_leader_id(1.into())
            .with_leader_epoch(3);
        PartitionProduceResponse::default()
            .with_index(index as i32)
            .with_error_code(6)
            .with_error_message(Some(text(&"m".repeat(2000 + index % 50))))
            .with_current_leader(leader)
    };
    let partitions = (0..1 + records / 2000).map(partition).collect();
    Self::default().with_responses(vec![
        TopicProduceResponse::default().with_partition_responses(partitions),
    ])
});

endpoints!(ShareFetchResponse, share_fetch_response, SHARE_FETCH, |records| {
    use share_fetch_response::{AcquiredRecords, PartitionData, ShareFetchableTopicResponse};
    let partition = |index: usize| {
        PartitionData::default()
            .with_partition_index(index as i32)
            .with_error_message(Some(text("moved")))
            .with_records(Some(frames::noise(index as u64, records / 3).into()))
            .with_acquired_records(vec![AcquiredRecords::default().with_last_offset(9)])
    };
    let topic = ShareFetchableTopicResponse::default().with_partitions((0..3).map(partition).collect());
    Self::default().with_responses(vec![topic])
});

endpoints!(
    ShareAcknowledgeResponse,
    share_acknowledge_response,
    SHARE_ACKNOWLEDGE,
    |records| {
        use share_acknowledge_response::{PartitionData, ShareAcknowledgeTopicResponse};
        let partition = |index: usize| {
            PartitionData::default()
                .with_partition_index(index as i32)
                .with_error_message(Some(text(&"m".repeat(500 + index % 50))))
        };
        let partitions = (0..1 + records / 500).map(partition).collect();
        let topic = ShareAcknowledgeTopicResponse::default().with_partitions(partitions);
        Self::default().with_responses(vec![topic])
    }
);

/// What a broker answers: frames by correlation id of the request, each cut in places of its own.
type Script = dyn Fn(&Asked) -> (Vec<u8>, Vec<usize>) + Send + Sync;

fn broker(script: impl Fn(&Asked) -> (Vec<u8>, Vec<usize>) + Send + Sync + 'static) -> Broker {
    let script: Arc<Script> = Arc::new(script);
    Broker::start(move |mut connection| {
        while let Some(asked) = connection.request() {
            let (frame, cuts) = match asked.api_key {
                METADATA => (
                    frames::response(12, asked.correlation_id, &metadata()),
                    Vec::new(),
                ),
                HEARTBEAT => (frames::raw_response(asked.correlation_id, b"\0\0"), Vec::new()),
                _ => script(&asked),
            };
            connection.send_cut(&frame, &cuts);
        }
    })
}

/// All nodes, under the name that they have everywhere.
fn metadata() -> MetadataResponse {
    let node = |node: i32| {
        MetadataResponseBroker::default()
            .with_node_id(node.into())
            .with_host(text(BROKER_HOST))
            .with_port(BROKER_PORT)
    };
    MetadataResponse::default().with_brokers([0, 1, 2, STRANGER].map(node).into())
}

/// Cuts at random, in ascending order: a few anywhere, more about both ends, where the addresses are.
fn cuts(seed: u64, len: usize) -> Vec<usize> {
    let random = frames::noise(seed, 24 * 8);
    let mut cuts: Vec<usize> = random
        .chunks_exact(8)
        .enumerate()
        .map(|(n, bytes)| {
            let random = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
            match n % 3 {
                0 => random % len,
                1 => random % len.min(64),
                _ => len - 1 - random % len.min(250),
            }
        })
        .collect();
    cuts.sort_unstable();
    cuts
}

/// Every size, several splits of each, with every advertised host.
fn check<M: Endpoints + 'static>(versions: RangeInclusive<i16>) {
    const SPLITS: i32 = 5;
    let named = [0, STRANGER, 1, 2];
    let sizes = [SMALL, MEDIUM, LARGE];
    let broker = broker(move |asked| {
        assert_eq!(asked.api_key, M::KEY);
        let size = sizes[(asked.correlation_id / SPLITS) as usize];
        let message = M::sample(size, &named, BROKER_HOST, &|_| BROKER_PORT);
        let frame = frames::response(asked.api_version, asked.correlation_id, &message);
        let cuts = cuts(asked.correlation_id as u64, frame.len());
        (frame, cuts)
    });
    for host in ADVERTISED {
        let proxy = Setup::to(&[broker.address])
            .advertising(host)
            .nodes(NODES)
            .start();
        let ports: Vec<i32> = NODES.map(|node| proxy.node(node).port().into()).into();
        let mut client = proxy.client();
        // Now kproxy knows how long the names are that it replaces.
        client.ask(&frames::request(12, 1, &MetadataRequest::default()));
        for version in versions.clone() {
            for (n, size) in (0_i32..).zip(sizes) {
                let sample = M::sample(size, &NODES, host, &|node| ports[node as usize]);
                let expected = frames::response(version, 0, &sample);
                let (_, mut expected): (_, M) = frames::decode(version, &expected[4..]);
                expected.drop_unknown_fields();
                for id in n * SPLITS..(n + 1) * SPLITS {
                    let request = frames::raw_request(M::KEY, version, id, REQUEST);
                    let behind = frames::raw_request(HEARTBEAT, 0, 1000 + id, b"");
                    client.send(&[request, behind].concat());
                    let (got, mut answer): (_, M) = frames::decode(version, &client.frame());
                    assert_eq!(got, id);
                    answer.drop_unknown_fields();
                    // Not assert_eq: nobody reads megabytes.
                    assert!(
                        answer == expected,
                        "version {version}, {size} bytes, {host}, split {id}"
                    );
                    assert_eq!(frames::correlation_id(&client.frame()), 1000 + id);
                }
            }
        }
    }
}

#[test]
fn fetch() {
    check::<FetchResponse>(16..=18);
}

#[test]
fn produce() {
    check::<ProduceResponse>(10..=13);
}

#[test]
fn share_fetch() {
    check::<ShareFetchResponse>(1..=1);
}

#[test]
fn share_acknowledge() {
    check::<ShareAcknowledgeResponse>(1..=1);
}

/// A small answer, cut at every byte.
#[test]
fn every_cut_of_a_small_answer() {
    let frame = |version, id, nodes: &[i32], host: &str, port: &dyn Fn(i32) -> i32| {
        frames::response(version, id, &FetchResponse::sample(SMALL, nodes, host, port))
    };
    let broker = broker(move |asked| {
        let frame = frame(
            asked.api_version,
            asked.correlation_id,
            &NODES,
            BROKER_HOST,
            &|_| BROKER_PORT,
        );
        let cut = asked.correlation_id as usize;
        (frame, vec![cut])
    });
    for host in ADVERTISED {
        let proxy = Setup::to(&[broker.address])
            .advertising(host)
            .nodes(NODES)
            .start();
        let ports: Vec<i32> = NODES.map(|node| proxy.node(node).port().into()).into();
        let mut client = proxy.client();
        client.ask(&frames::request(12, 1, &MetadataRequest::default()));
        let len = frame(16, 0, &NODES, BROKER_HOST, &|_| BROKER_PORT).len();
        let expected = FetchResponse::sample(SMALL, &NODES, host, &|node| ports[node as usize]);
        for cut in 1..len as i32 {
            let answer = client.ask(&frames::raw_request(FETCH, 16, cut, b"\0"));
            let (id, mut answer): (_, FetchResponse) = frames::decode(16, &answer);
            answer.drop_unknown_fields();
            assert_eq!(
                (id, answer.node_endpoints),
                (cut, expected.node_endpoints.clone()),
                "{host}"
            );
            assert!(
                answer.responses[0].partitions == expected_partitions(&expected),
                "{host}, cut at {cut}"
            );
        }
    }
}

/// The encoded form.
fn expected_partitions(sample: &FetchResponse) -> Vec<fetch_response::PartitionData> {
    let frame = frames::response(16, 0, sample);
    let (_, mut decoded): (_, FetchResponse) = frames::decode(16, &frame[4..]);
    std::mem::take(&mut decoded.responses[0].partitions)
}

/// A broker that answers with this message, cut in places of its own.
fn answering<M: Encodable + HeaderVersion>(message: impl Fn(&Asked) -> M + Send + Sync + 'static) -> Broker {
    broker(move |asked| {
        let frame = frames::response(asked.api_version, asked.correlation_id, &message(asked));
        let cuts = cuts(asked.correlation_id as u64, frame.len());
        (frame, cuts)
    })
}

/// Hands what a client gets to `check`: with every advertised host, in each of these versions of an API.
fn for_each_answer<M: Decodable + HeaderVersion>(
    broker: &Broker,
    key: i16,
    versions: RangeInclusive<i16>,
    check: impl Fn(&TestProxy, &str, i16, M),
) {
    for host in ADVERTISED {
        let proxy = Setup::to(&[broker.address]).advertising(host).start();
        let mut client = proxy.client();
        for version in versions.clone() {
            let answer = client.ask(&frames::raw_request(key, version, version.into(), b"\0"));
            let (_, answer) = frames::decode(version, &answer);
            check(&proxy, host, version, answer);
        }
    }
}

fn advertised(proxy: &TestProxy, host: &str, node: i32) -> (i32, String, i32) {
    (node, host.to_owned(), proxy.node(node).port().into())
}

#[test]
fn find_coordinator() {
    let broker = answering(|asked| {
        let mut answer = FindCoordinatorResponse::default();
        if asked.api_version < 4 {
            answer = answer
                .with_node_id(2.into())
                .with_host(text(BROKER_HOST))
                .with_port(BROKER_PORT);
        } else {
            let coordinator = |node: i32| {
                Coordinator::default()
                    .with_key(text("g"))
                    .with_node_id(node.into())
                    .with_host(text(BROKER_HOST))
                    .with_port(BROKER_PORT)
            };
            answer = answer.with_coordinators([2, 0, 2].map(coordinator).into());
        }
        answer
    });
    for_each_answer(
        &broker,
        FIND_COORDINATOR,
        0..=6,
        |proxy, host, version, answer: FindCoordinatorResponse| {
            if version < 4 {
                let got = (answer.node_id.0, answer.host.to_string(), answer.port);
                assert_eq!(got, advertised(proxy, host, 2), "version {version}");
            } else {
                let entries = answer.coordinators.iter();
                let got: Vec<_> = entries
                    .map(|c| (c.node_id.0, c.host.to_string(), c.port))
                    .collect();
                assert_eq!(
                    got,
                    [2, 0, 2].map(|node| advertised(proxy, host, node)),
                    "version {version}"
                );
            }
        },
    );
}

#[test]
fn describe_cluster() {
    let broker = answering(|_| {
        let node = |node: i32| {
            DescribeClusterBroker::default()
                .with_broker_id(node.into())
                .with_host(text(BROKER_HOST))
                .with_port(BROKER_PORT)
                .with_rack(Some(text("r")))
        };
        DescribeClusterResponse::default()
            .with_cluster_id(text("the-cluster"))
            .with_controller_id(1.into())
            .with_brokers([1, 0, 2].map(node).into())
    });
    for_each_answer(
        &broker,
        DESCRIBE_CLUSTER,
        0..=2,
        |proxy, host, version, answer: DescribeClusterResponse| {
            let brokers = answer.brokers.iter();
            let got: Vec<_> = brokers
                .map(|b| (b.broker_id.0, b.host.to_string(), b.port))
                .collect();
            assert_eq!(
                got,
                [1, 0, 2].map(|node| advertised(proxy, host, node)),
                "version {version}"
            );
            assert!(
                answer
                    .brokers
                    .iter()
                    .all(|broker| broker.rack.as_deref() == Some("r"))
            );
            assert_eq!((&*answer.cluster_id, answer.controller_id.0), ("the-cluster", 1));
        },
    );
}

/// Its nodes are controllers: those that clients can reach as brokers show that address, the others none.
#[test]
fn describe_quorum() {
    use describe_quorum_response::{Listener, Node};
    let broker = answering(|_| {
        let node = |node: i32| {
            let listener = Listener::default()
                .with_name(text("CONTROLLER"))
                .with_host(text(BROKER_HOST))
                .with_port(9093);
            Node::default()
                .with_node_id(node.into())
                .with_listeners(vec![listener])
        };
        DescribeQuorumResponse::default().with_nodes([1, STRANGER].map(node).into())
    });
    for_each_answer(
        &broker,
        DESCRIBE_QUORUM,
        2..=2,
        |proxy, host, _, answer: DescribeQuorumResponse| {
            let nodes = answer.nodes.iter();
            let ids: Vec<_> = nodes.clone().map(|node| node.node_id.0).collect();
            assert_eq!(ids, [1, STRANGER]);
            let listeners: Vec<_> = nodes
                .flat_map(|node| {
                    node.listeners
                        .iter()
                        .map(|at| (node.node_id.0, at.host.to_string(), i32::from(at.port)))
                })
                .collect();
            assert_eq!(listeners, [advertised(proxy, host, 1)]);
        },
    );
}
