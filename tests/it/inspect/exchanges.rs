//! Requests with their answers, as an honest client and an honest broker write them.

use std::collections::HashSet;

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};
use kproxy::wire::api::{self, ApiKey as Key};
use kproxy::wire::rewrite::{Placement, placement};

use super::messages;
use crate::fuzz_targets::frame::session::address;
use crate::walkers::entropy::Entropy;

/// One request and what becomes of it.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) request: Vec<u8>,
    /// The broker's, if it gives one.
    pub(crate) answer: Option<Vec<u8>>,
    /// kproxy answers.
    pub(crate) local: bool,
}

impl Exchange {
    /// Names brokers at its end.
    pub(crate) fn has_tail(&self) -> bool {
        placement(self.key, self.version) == Placement::Tail
    }

    /// Its answer passes as it is.
    pub(crate) fn is_opaque(&self) -> bool {
        placement(self.key, self.version) == Placement::None && self.key != Key::API_VERSIONS
    }
}

/// Kinds of exchange that [`exchange`] makes.
pub(crate) const KINDS: usize = 16;

pub(crate) fn exchange(kind: usize, correlation_id: i32, e: &mut Entropy<'_>) -> Exchange {
    let (key, oldest, newest) = match kind {
        0 | 1 => (Key::METADATA, 0, 13),
        2 => (Key::FIND_COORDINATOR, 0, 6),
        3 => (Key::DESCRIBE_CLUSTER, 0, 2),
        4 => (Key::DESCRIBE_QUORUM, 2, 2),
        5 | 6 => (Key::PRODUCE, 10, 13),
        7 => (Key::PRODUCE, 3, 13),
        8 | 9 => (Key::FETCH, 16, 18),
        10 => (Key::SHARE_FETCH, 1, 1),
        11 => (Key::SHARE_ACKNOWLEDGE, 1, 1),
        12 => (Key::API_VERSIONS, 0, 4),
        13 => (Key::API_VERSIONS, 9, 9),
        14 => (Key::FETCH, 4, 15),
        _ => (Key::HEARTBEAT, 0, 4),
    };
    let version = oldest + e.up_to((newest - oldest) as usize) as i16;
    let local = kind == 13;
    let silent = kind == 7;
    let body = match key {
        Key::PRODUCE => produce(if silent { 0 } else { -1 }, version, e),
        _ => vec![e.u8(); e.up_to(60)],
    };
    let answer = (!local && !silent).then(|| {
        let head = answer_head(key, version, correlation_id);
        sized(&[head, answer_body(key, version, e)].concat())
    });
    Exchange {
        key,
        version,
        request: request(key, version, correlation_id, &body),
        answer,
        local,
    }
}

pub(crate) fn sized(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as i32).to_be_bytes(), frame].concat()
}

pub(crate) fn request(key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let flexible = api::api(key).unwrap().request_is_flexible(version);
    let header = RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some("tester".into()));
    let mut frame = Vec::new();
    header.encode(&mut frame, if flexible { 2 } else { 1 }).unwrap();
    frame.extend_from_slice(body);
    sized(&frame)
}

pub(crate) fn answer_head(key: i16, version: i16, correlation_id: i32) -> Vec<u8> {
    let flexible = api::api(key).unwrap().response_header_is_flexible(version);
    let mut head = correlation_id.to_be_bytes().to_vec();
    head.extend(flexible.then_some(0));
    head
}

fn produce(acks: i16, version: i16, e: &mut Entropy<'_>) -> Vec<u8> {
    use kafka_protocol::messages::produce_request::*;
    let partition = PartitionProduceData::default().with_records(Some(vec![7; e.up_to(200)].into()));
    let topic = TopicProduceData::default().with_partition_data(vec![partition]);
    let message = ProduceRequest::default()
        .with_transactional_id(e.nullable_string().map(Into::into))
        .with_acks(acks)
        .with_topic_data(vec![topic]);
    encode(&message, version)
}

fn encode(message: &impl Encodable, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes, version).unwrap();
    bytes
}

/// Puts brokers where they are, each named once: room for endpoints is foreseen for brokers that are known.
macro_rules! at_home {
    ($nodes:expr, $id:ident) => {{
        let mut seen = HashSet::new();
        $nodes.retain(|node| seen.insert(node.$id));
        for node in &mut $nodes {
            (node.host, node.port) = home(node.$id);
        }
    }};
}

fn home(node: BrokerId) -> (StrBytes, i32) {
    let address = address(node.0);
    (StrBytes::from_string(address.host), address.port.into())
}

fn answer_body(key: i16, version: i16, e: &mut Entropy<'_>) -> Vec<u8> {
    macro_rules! with_endpoints {
        ($make:path) => {{
            let mut message = $make(e, version);
            at_home!(message.node_endpoints, node_id);
            encode(&message, version)
        }};
    }
    match key {
        Key::METADATA => {
            let mut message = messages::metadata(e, version);
            at_home!(message.brokers, node_id);
            encode(&message, version)
        }
        Key::FIND_COORDINATOR => {
            let mut message = messages::find_coordinator(e, version);
            at_home!(message.coordinators, node_id);
            (message.host, message.port) = if version < 4 {
                home(message.node_id)
            } else {
                Default::default()
            };
            encode(&message, version)
        }
        Key::DESCRIBE_CLUSTER => {
            let mut message = messages::describe_cluster(e, version);
            at_home!(message.brokers, broker_id);
            encode(&message, version)
        }
        Key::DESCRIBE_QUORUM => encode(&messages::describe_quorum(e, version), version),
        Key::PRODUCE => with_endpoints!(messages::produce),
        Key::FETCH if version >= 16 => with_endpoints!(messages::fetch),
        Key::SHARE_FETCH => with_endpoints!(messages::share_fetch),
        Key::SHARE_ACKNOWLEDGE => with_endpoints!(messages::share_acknowledge),
        Key::API_VERSIONS => encode(&api_versions(e), version),
        _ => vec![e.u8(); e.up_to(250)],
    }
}

fn api_versions(e: &mut Entropy<'_>) -> ApiVersionsResponse {
    let keys = e.list(30, |e| {
        ApiVersion::default()
            .with_api_key(i16::from(e.u8()))
            .with_min_version(e.up_to(4) as i16)
            .with_max_version(4 + e.up_to(20) as i16)
    });
    ApiVersionsResponse::default().with_api_keys(keys)
}

/// SaslHandshake v0 and so many rounds of raw tokens behind it; 0 is no authentication. The last mechanism is one
/// of which nobody knows how many rounds it takes.
pub(crate) fn raw_tokens(rounds: usize) -> Vec<Exchange> {
    let mechanism: &[u8] = match rounds {
        0 => return Vec::new(),
        1 => b"PLAIN",
        2 => b"SCRAM-SHA-512",
        _ => b"GSSAPI",
    };
    let name = [&(mechanism.len() as i16).to_be_bytes(), mechanism].concat();
    let answer = [
        answer_head(Key::SASL_HANDSHAKE, 0, 1).as_slice(),
        &[0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let exchange = |request: Vec<u8>, answer: &[u8]| Exchange {
        key: Key::SASL_HANDSHAKE,
        version: 0,
        request,
        answer: Some(sized(answer)),
        local: false,
    };
    let mut exchanges = vec![exchange(request(Key::SASL_HANDSHAKE, 0, 1, &name), &answer)];
    for round in 0..rounds {
        // One of Kerberos' tokens is empty; all others are longer than a request's smallest header.
        let token = if round == 1 && rounds > 2 {
            Vec::new()
        } else {
            vec![0x60; 20 + round]
        };
        exchanges.push(exchange(sized(&token), &[0x61; 3][..round.min(3)]));
    }
    exchanges
}
