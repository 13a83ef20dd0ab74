//! What the tests of this file share: the addresses nodes are given, and taking a body apart as the data plane does.

use std::fmt::Debug;

use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kproxy::wire::api::ApiKey;
use kproxy::wire::rewrite::{self, Advertised, Nodes, Placement, TailFinder};

use super::entropy::Entropy;
use super::messages;

/// Gives nodes 0 to 7 an address and withholds every other.
pub(crate) struct TestNodes;

const HOSTS: [&str; 8] = [
    "a",
    "kafka-1.proxy.example",
    "",
    "kafka-3",
    "kafka-4.proxy.example",
    "b-5.eu",
    "k6",
    "kafka-7",
];

impl Nodes for TestNodes {
    fn advertised(&self, node_id: i32) -> Option<Advertised<'_>> {
        let host = HOSTS.get(usize::try_from(node_id).ok()?)?;
        Some(Advertised {
            host,
            port: 19_092 + node_id as u16,
        })
    }
}

/// Replaces an address in an oracle's message; false if the node is withheld.
pub(crate) fn replace<P: TryFrom<i32, Error: Debug>>(id: i32, host: &mut StrBytes, port: &mut P) -> bool {
    let Some(address) = TestNodes.advertised(id) else {
        return false;
    };
    *host = StrBytes::from_string(address.host.to_owned());
    *port = i32::from(address.port).try_into().unwrap();
    true
}

/// Every API and version with addresses that both the oracle and kproxy know.
pub(crate) const CASES: &[(i16, std::ops::RangeInclusive<i16>)] = &[
    (ApiKey::METADATA, 0..=13),
    (ApiKey::FIND_COORDINATOR, 0..=6),
    (ApiKey::DESCRIBE_CLUSTER, 0..=2),
    (ApiKey::DESCRIBE_QUORUM, 2..=2),
    (ApiKey::PRODUCE, 10..=13),
    (ApiKey::FETCH, 16..=18),
    (ApiKey::SHARE_FETCH, 1..=1),
    (ApiKey::SHARE_ACKNOWLEDGE, 1..=1),
];

pub(crate) fn encode(message: &impl Encodable, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes, version).unwrap();
    assert_eq!(bytes.len(), message.compute_size(version).unwrap());
    bytes
}

pub(crate) fn decode<M: Decodable>(mut bytes: &[u8], version: i16) -> M {
    let message = M::decode(&mut bytes, version).unwrap();
    assert!(bytes.is_empty(), "{} bytes after the message", bytes.len());
    message
}

/// The range of a body that has to be rewritten.
pub(crate) fn part(api_key: i16, version: i16, body: &[u8]) -> std::ops::Range<usize> {
    match rewrite::placement(api_key, version) {
        Placement::None => 0..0,
        Placement::Whole => 0..body.len(),
        Placement::Prefix => 0..rewrite::prefix_len(api_key, version, body).unwrap().unwrap(),
        Placement::Tail => {
            let mut finder = TailFinder::new(api_key, version, body.len()).unwrap();
            let advance = finder.advance(body).unwrap();
            assert!(advance.done);
            assert_eq!(finder.left(), body.len() - advance.consumed);
            advance.consumed..body.len()
        }
    }
}

/// The whole body with its addresses replaced.
pub(crate) fn rewritten(api_key: i16, version: i16, body: &[u8]) -> (Vec<u8>, rewrite::RewriteCounts) {
    let part = part(api_key, version, body);
    let mut out = body[..part.start].to_vec();
    let counts = rewrite::rewrite(api_key, version, &body[part.clone()], &TestNodes, &mut out).unwrap();
    out.extend_from_slice(&body[part.end..]);
    (out, counts)
}

/// An arbitrary message of the given kind, encoded.
pub(crate) fn body(api_key: i16, version: i16, e: &mut Entropy<'_>) -> Vec<u8> {
    match api_key {
        ApiKey::METADATA => encode(&messages::metadata(e, version), version),
        ApiKey::FIND_COORDINATOR => encode(&messages::find_coordinator(e, version), version),
        ApiKey::DESCRIBE_CLUSTER => encode(&messages::describe_cluster(e, version), version),
        ApiKey::DESCRIBE_QUORUM => encode(&messages::describe_quorum(e, version), version),
        ApiKey::PRODUCE => encode(&messages::produce(e, version), version),
        ApiKey::FETCH => encode(&messages::fetch(e, version), version),
        ApiKey::SHARE_FETCH => encode(&messages::share_fetch(e, version), version),
        ApiKey::SHARE_ACKNOWLEDGE => encode(&messages::share_acknowledge(e, version), version),
        other => panic!("no oracle for {other}"),
    }
}
