//! Promises 1 to 3: rewriting agrees with decoding, changing and encoding the whole message.

use std::fmt::Debug;

use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kproxy::wire::api::ApiKey;
use kproxy::wire::rewrite::{self, Listing, Nodes as _, RewriteCounts};
use proptest::collection::vec;
use proptest::prelude::*;

use super::entropy::Entropy;
use super::messages;
use super::support::{CASES, TestNodes, decode, encode, part, replace, rewritten};

/// Compares our rewrite of `message` with `change` applied to the decoded message.
fn agree<M: Encodable + Decodable + Clone + PartialEq + Debug>(
    api_key: i16,
    version: i16,
    message: &M,
    change: impl FnOnce(&mut M) -> RewriteCounts,
) {
    let body = encode(message, version);
    let mut expected: M = decode(&body, version);
    let expected_tally = change(&mut expected);
    let (ours, counts) = rewritten(api_key, version, &body);
    assert_eq!(counts, expected_tally);
    assert_eq!(decode::<M>(&ours, version), expected);
    assert_eq!(ours, encode(&expected, version));
}

/// Keeps the elements that `rewrite` says yes to.
fn keep<T>(list: &mut Vec<T>, rewrite: impl FnMut(&mut T) -> bool) -> RewriteCounts {
    let before = list.len();
    list.retain_mut(rewrite);
    RewriteCounts {
        rewritten: list.len() as u32,
        withheld: (before - list.len()) as u32,
    }
}

macro_rules! keep_nodes {
    ($list:expr, $id:ident) => {
        keep(&mut $list, |node| {
            replace(node.$id.0, &mut node.host, &mut node.port)
        })
    };
}

fn withhold_coordinator(
    id: &mut BrokerId,
    host: &mut StrBytes,
    port: &mut i32,
    error: &mut i16,
) -> RewriteCounts {
    if *error != 0 {
        return RewriteCounts::default();
    }
    if replace(id.0, host, port) {
        return RewriteCounts {
            rewritten: 1,
            withheld: 0,
        };
    }
    (*id, *host, *port, *error) = (BrokerId(-1), StrBytes::default(), -1, 15);
    RewriteCounts {
        rewritten: 0,
        withheld: 1,
    }
}

fn change_find_coordinator(message: &mut FindCoordinatorResponse, version: i16) -> RewriteCounts {
    if version < 4 {
        let FindCoordinatorResponse {
            node_id,
            host,
            port,
            error_code,
            ..
        } = message;
        return withhold_coordinator(node_id, host, port, error_code);
    }
    message
        .coordinators
        .iter_mut()
        .fold(RewriteCounts::default(), |sum, one| {
            let counts = withhold_coordinator(
                &mut one.node_id,
                &mut one.host,
                &mut one.port,
                &mut one.error_code,
            );
            RewriteCounts {
                rewritten: sum.rewritten + counts.rewritten,
                withheld: sum.withheld + counts.withheld,
            }
        })
}

fn change_describe_quorum(message: &mut DescribeQuorumResponse) -> RewriteCounts {
    let mut sum = RewriteCounts::default();
    for node in &mut message.nodes {
        let id = node.node_id.0;
        let counts = keep(&mut node.listeners, |one| {
            replace(id, &mut one.host, &mut one.port)
        });
        sum.rewritten += counts.rewritten;
        sum.withheld += counts.withheld;
    }
    sum
}

fn check(api_key: i16, version: i16, entropy: &[u8]) {
    let e = &mut Entropy::new(entropy);
    match api_key {
        ApiKey::METADATA => {
            agree(api_key, version, &messages::metadata(e, version), |m| {
                keep_nodes!(m.brokers, node_id)
            });
        }
        ApiKey::FIND_COORDINATOR => {
            let message = messages::find_coordinator(e, version);
            agree(api_key, version, &message, |m| {
                change_find_coordinator(m, version)
            });
        }
        ApiKey::DESCRIBE_CLUSTER => {
            let message = messages::describe_cluster(e, version);
            agree(api_key, version, &message, |m| {
                let controllers = m.endpoint_type == 2;
                keep(&mut m.brokers, |one| {
                    !controllers && replace(one.broker_id.0, &mut one.host, &mut one.port)
                })
            });
        }
        ApiKey::DESCRIBE_QUORUM => {
            agree(
                api_key,
                version,
                &messages::describe_quorum(e, version),
                change_describe_quorum,
            );
        }
        ApiKey::PRODUCE => {
            let message = messages::produce(e, version);
            agree(api_key, version, &message, |m| {
                keep_nodes!(m.node_endpoints, node_id)
            });
        }
        ApiKey::FETCH => {
            let message = messages::fetch(e, version);
            agree(api_key, version, &message, |m| {
                keep_nodes!(m.node_endpoints, node_id)
            });
        }
        ApiKey::SHARE_FETCH => {
            let message = messages::share_fetch(e, version);
            agree(api_key, version, &message, |m| {
                keep_nodes!(m.node_endpoints, node_id)
            });
        }
        ApiKey::SHARE_ACKNOWLEDGE => {
            let message = messages::share_acknowledge(e, version);
            agree(api_key, version, &message, |m| {
                keep_nodes!(m.node_endpoints, node_id)
            });
        }
        other => panic!("no oracle for {other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn rewriting_agrees_with_the_oracle_in_every_version(entropy in vec(any::<u8>(), 0..600)) {
        for (api_key, versions) in CASES {
            for version in versions.clone() {
                check(*api_key, version, &entropy);
            }
        }
    }
}

#[test]
fn topology_learning_sees_the_nodes_as_the_broker_gave_them() {
    let entropy: Vec<u8> = (1..200u8).map(|byte| byte.wrapping_mul(37)).collect();
    let mut seen_any = false;
    for version in 0..=13 {
        let message = messages::metadata(&mut Entropy::new(&entropy), version);
        let body = encode(&message, version);
        let prefix = part(ApiKey::METADATA, version, &body);
        let mut seen = Vec::new();
        let listing = rewrite::visit_nodes(ApiKey::METADATA, version, &body[prefix], &mut |node| {
            seen.push((node.id, node.host.to_vec(), node.port));
        });
        let expected: Vec<_> = message
            .brokers
            .iter()
            .map(|b| (b.node_id.0, b.host.as_bytes().to_vec(), b.port))
            .collect();
        seen_any |= !expected.is_empty();
        assert_eq!(seen, expected);
        assert_eq!(
            listing,
            Ok(if expected.is_empty() {
                Listing::Partial
            } else {
                Listing::Full
            })
        );
    }
    assert!(seen_any, "the samples have no brokers");
}

#[test]
fn controllers_are_neither_learned_nor_shown() {
    use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(1))
        .with_host("c".into());
    let message = DescribeClusterResponse::default()
        .with_endpoint_type(2)
        .with_brokers(vec![broker]);
    let body = encode(&message, 1);
    let mut seen = 0;
    let listing = rewrite::visit_nodes(ApiKey::DESCRIBE_CLUSTER, 1, &body, &mut |_| seen += 1);
    assert_eq!((listing, seen), (Ok(Listing::Partial), 0));
    assert!(TestNodes.advertised(1).is_some());
    let (ours, counts) = rewritten(ApiKey::DESCRIBE_CLUSTER, 1, &body);
    assert_eq!(
        counts,
        RewriteCounts {
            rewritten: 0,
            withheld: 1
        }
    );
    assert!(decode::<DescribeClusterResponse>(&ours, 1).brokers.is_empty());
}

#[test]
fn a_withheld_coordinator_becomes_a_retriable_error() {
    let message = FindCoordinatorResponse::default()
        .with_node_id(BrokerId(99))
        .with_host("secret".into())
        .with_port(9092);
    for version in 0..=3 {
        let (ours, _) = rewritten(ApiKey::FIND_COORDINATOR, version, &encode(&message, version));
        let answer: FindCoordinatorResponse = decode(&ours, version);
        assert_eq!((answer.error_code, answer.node_id.0, answer.port), (15, -1, -1));
        assert!(answer.host.is_empty());
    }
}

#[test]
fn only_a_small_prefix_of_a_huge_metadata_answer_is_looked_at() {
    use kafka_protocol::messages::metadata_response::*;
    let brokers = (0..6).map(|id| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host("kafka.internal".into())
    });
    let partition = MetadataResponsePartition::default()
        .with_replica_nodes(vec![BrokerId(1), BrokerId(2), BrokerId(3)])
        .with_isr_nodes(vec![BrokerId(1), BrokerId(2), BrokerId(3)]);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName("orders".into())))
        .with_partitions(vec![partition; 100]);
    let message = MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_topics(vec![topic; 1000]);
    for version in [1, 8, 9, 12, 13] {
        let body = encode(&message, version);
        assert!(body.len() > 4_000_000);
        let prefix = rewrite::prefix_len(ApiKey::METADATA, version, &body)
            .unwrap()
            .unwrap();
        assert!(prefix < 256, "prefix of {prefix} bytes");
        // The prefix is all that has to be there.
        assert_eq!(
            rewrite::prefix_len(ApiKey::METADATA, version, &body[..prefix]),
            Ok(Some(prefix))
        );
        for cut in 0..prefix {
            assert_eq!(
                rewrite::prefix_len(ApiKey::METADATA, version, &body[..cut]),
                Ok(None),
                "cut at {cut}"
            );
        }
    }
}
