//! The messages of the walk, in one version each: old enough for every broker since Kafka 1.1, young enough for Kafka 4,
//! and none of them with compact lengths (`*Request.json` and `*Response.json` of Apache Kafka).

use std::collections::BTreeMap;

use crate::model::HostPort;
use crate::wire::Malformed;
use crate::wire::api::{ApiKey, name_of};
use crate::wire::cursor::{ReadError, Reader, Writer};
use crate::wire::probe;

/// The client id of the walk's requests.
pub const CLIENT_ID: &str = "kproxy-doctor";

/// Number of nodes that are read from one answer; further ones are ignored.
pub const MAX_NODES: usize = 10_000;

/// Number of APIs that are read from one answer; Kafka has fewer than 100.
const MAX_APIS: usize = 256;

/// Longest text that is kept of an answer, in characters.
const MAX_TEXT: usize = 300;

/// Resource type of a broker in DescribeConfigs.
const BROKER_RESOURCE: u8 = 4;

/// A request of the walk: an API in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Number of the API.
    pub key: i16,
    /// Version of request and answer.
    pub version: i16,
}

impl Call {
    /// Ranges of versions.
    pub const API_VERSIONS: Self = Self::new(ApiKey::API_VERSIONS, 0);
    /// Brokers, and a topic.
    pub const METADATA: Self = Self::new(ApiKey::METADATA, 4);
    /// Broker of a consumer group.
    pub const FIND_COORDINATOR: Self = Self::new(ApiKey::FIND_COORDINATOR, 1);
    /// Choice of a SASL mechanism.
    pub const SASL_HANDSHAKE: Self = Self::new(ApiKey::SASL_HANDSHAKE, 1);
    /// Token of a SASL mechanism.
    pub const SASL_AUTHENTICATE: Self = Self::new(ApiKey::SASL_AUTHENTICATE, 0);
    /// Settings of a broker, which only that broker gives.
    pub const DESCRIBE_CONFIGS: Self = Self::new(ApiKey::DESCRIBE_CONFIGS, 1);
    /// One record to a partition.
    pub const PRODUCE: Self = Self::new(ApiKey::PRODUCE, 7);
    /// Records of a partition.
    pub const FETCH: Self = Self::new(ApiKey::FETCH, 4);

    const fn new(key: i16, version: i16) -> Self {
        Self { key, version }
    }

    /// Name of the API.
    pub fn name(self) -> &'static str {
        name_of(self.key).unwrap_or("unknown API")
    }

    /// The whole frame of the request.
    pub fn frame(self, correlation_id: i32, body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let api = (self.key, self.version);
        probe::frame(CLIENT_ID, api, correlation_id, &mut frame, |writer| {
            writer.raw(body);
        });
        frame
    }
}

/// Version ranges by the number of the API.
pub type VersionRanges = BTreeMap<i16, (i16, i16)>;

/// Error code and message of an answer; code 0 is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerError {
    /// Kafka's error code.
    pub code: i16,
    /// Message of the server; may be empty.
    pub message: String,
}

/// Brokers of a cluster, as one of them lists them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterListing {
    /// Cluster id.
    pub cluster_id: Option<String>,
    /// Brokers by id. A broker with an address that cannot be dialled is not among them.
    pub brokers: BTreeMap<i32, HostPort>,
    /// Brokers whose address cannot be dialled, by id, with the address as it was sent.
    pub undialable: BTreeMap<i32, String>,
    /// The topic, if one was asked for.
    pub topic: Option<TopicListing>,
}

/// A topic in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicListing {
    /// Error of the topic.
    pub error: i16,
    /// Leader of partition 0; `None` if there is none.
    pub leader: Option<i32>,
}

/// Text of an answer, short enough for a line.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(MAX_TEXT).collect()
}

/// Request bodies, written in the classic encoding.
fn body(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Writer::new(&mut bytes, false));
    bytes
}

/// Body of a Metadata request for the brokers, and for `topic`.
pub fn metadata_request(topic: Option<&str>) -> Vec<u8> {
    body(|writer| {
        writer.array_len(usize::from(topic.is_some()));
        if let Some(topic) = topic {
            writer.string(topic.as_bytes());
        }
        // Topics are not created.
        writer.raw(&[0]);
    })
}

/// Body of a FindCoordinator request for a consumer group.
pub fn find_coordinator_request(group: &str) -> Vec<u8> {
    body(|writer| {
        writer.string(group.as_bytes());
        writer.raw(&[0]);
    })
}

/// Body of a SaslHandshake request.
pub fn sasl_handshake_request(mechanism: &str) -> Vec<u8> {
    body(|writer| writer.string(mechanism.as_bytes()))
}

/// Body of a SaslAuthenticate request.
pub fn sasl_authenticate_request(token: &[u8]) -> Vec<u8> {
    body(|writer| {
        writer.array_len(token.len());
        writer.raw(token);
    })
}

/// Body of a DescribeConfigs request for the id of broker `node`.
pub fn describe_broker_request(node: i32) -> Vec<u8> {
    body(|writer| {
        writer.array_len(1);
        writer.raw(&[BROKER_RESOURCE]);
        writer.string(node.to_string().as_bytes());
        writer.array_len(1);
        writer.string(b"node.id");
        // No synonyms.
        writer.raw(&[0]);
    })
}

/// Reads the answer to ApiVersions.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub fn read_versions(answer: &[u8]) -> Result<(i16, VersionRanges), Malformed> {
    let mut reader = Reader::new(answer, false);
    let error = reader.i16()?;
    let mut ranges = VersionRanges::new();
    for _ in 0..reader.array_len(6)?.min(MAX_APIS) {
        ranges.insert(reader.i16()?, (reader.i16()?, reader.i16()?));
    }
    Ok((error, ranges))
}

/// Reads the answer to Metadata.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub fn read_listing(answer: &[u8], topic: Option<&str>) -> Result<ClusterListing, Malformed> {
    let mut reader = Reader::new(answer, false);
    let mut listing = ClusterListing::default();
    reader.skip(4)?;
    for index in 0..reader.array_len(12)? {
        let (id, host, port) = (reader.i32()?, reader.string()?, reader.i32()?);
        reader.nullable_string()?;
        if index >= MAX_NODES {
            continue;
        }
        let host = text(host);
        match u16::try_from(port) {
            Ok(port @ 1..) if id >= 0 && !host.is_empty() => {
                listing.brokers.insert(id, HostPort { host, port });
            }
            _ => {
                listing.undialable.insert(id, format!("{host}:{port}"));
            }
        }
    }
    listing.cluster_id = reader.nullable_string()?.map(text);
    reader.i32()?;
    for _ in 0..reader.array_len(9)? {
        let (name, found) = read_topic(&mut reader)?;
        if topic.is_some_and(|topic| topic.as_bytes() == name) {
            listing.topic = Some(found);
        }
    }
    Ok(listing)
}

fn read_topic<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], TopicListing), ReadError> {
    let error = reader.i16()?;
    let name = reader.string()?;
    reader.u8()?;
    let mut leader = None;
    for _ in 0..reader.array_len(18)? {
        let (_, partition, led_by) = (reader.i16()?, reader.i32()?, reader.i32()?);
        for _ in 0..2 {
            let replicas = reader.array_len(4)?;
            reader.skip(replicas * 4)?;
        }
        if partition == 0 && led_by >= 0 {
            leader = Some(led_by);
        }
    }
    Ok((name, TopicListing { error, leader }))
}

/// Reads the answer to FindCoordinator: an error, or a node with its address.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub fn read_coordinator(answer: &[u8]) -> Result<(ServerError, i32, Option<HostPort>), Malformed> {
    let mut reader = Reader::new(answer, false);
    reader.skip(4)?;
    let error = ServerError {
        code: reader.i16()?,
        message: reader.nullable_string()?.map(text).unwrap_or_default(),
    };
    let (node, host, port) = (reader.i32()?, text(reader.string()?), reader.i32()?);
    let address = u16::try_from(port)
        .ok()
        .filter(|&port| port != 0 && !host.is_empty());
    Ok((error, node, address.map(|port| HostPort { host, port })))
}

/// Reads the answer to SaslHandshake: the error code and the mechanisms of the server.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub fn read_mechanisms(answer: &[u8]) -> Result<(i16, Vec<String>), Malformed> {
    const MOST: usize = 20;
    let mut reader = Reader::new(answer, false);
    let error = reader.i16()?;
    let count = reader.array_len(2)?;
    let mechanisms = (0..count.min(MOST)).map(|_| reader.string().map(text));
    Ok((error, mechanisms.collect::<Result<_, _>>()?))
}

/// Reads the answer to SaslAuthenticate: an error, or the token of the server.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub fn read_token(answer: &[u8]) -> Result<(ServerError, Vec<u8>), Malformed> {
    let mut reader = Reader::new(answer, false);
    let error = ServerError {
        code: reader.i16()?,
        message: reader.nullable_string()?.map(text).unwrap_or_default(),
    };
    let length = match error.code {
        0 => reader.array_len(1)?,
        _ => 0,
    };
    Ok((error, reader.take(length).map_err(Malformed::from)?.to_vec()))
}

/// Reads the error of the answer to DescribeConfigs; code 0 means that the broker is the one that was asked for.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub fn read_described(answer: &[u8]) -> Result<ServerError, Malformed> {
    let mut reader = Reader::new(answer, false);
    reader.skip(4)?;
    if reader.array_len(2)? == 0 {
        return Err(Malformed::new("DescribeConfigs: it has no results"));
    }
    Ok(ServerError {
        code: reader.i16()?,
        message: reader.nullable_string()?.map(text).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use kafka_protocol::messages::{
        ApiVersionsResponse, DescribeConfigsRequest, FindCoordinatorRequest, FindCoordinatorResponse,
        MetadataRequest, MetadataResponse, SaslAuthenticateRequest, SaslAuthenticateResponse,
        SaslHandshakeRequest, TopicName,
    };
    use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

    fn read<M: Decodable>(call: Call, mut bytes: &[u8]) -> M {
        let message = M::decode(&mut bytes, call.version).unwrap();
        assert!(bytes.is_empty(), "{bytes:?}");
        message
    }

    fn written(call: Call, message: &impl Encodable) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes, call.version).unwrap();
        bytes
    }

    #[test]
    fn requests_are_what_the_oracle_reads() {
        let metadata: MetadataRequest = read(Call::METADATA, &metadata_request(Some("t")));
        let topics = metadata.topics.unwrap();
        assert_eq!(topics[0].name.as_ref().unwrap().as_str(), "t");
        assert!(!metadata.allow_auto_topic_creation);
        let metadata: MetadataRequest = read(Call::METADATA, &metadata_request(None));
        assert_eq!(metadata.topics, Some(vec![]), "no topics, and not all of them");
        let find: FindCoordinatorRequest = read(Call::FIND_COORDINATOR, &find_coordinator_request("g"));
        assert_eq!((find.key.as_str(), find.key_type), ("g", 0));
        let handshake: SaslHandshakeRequest = read(Call::SASL_HANDSHAKE, &sasl_handshake_request("PLAIN"));
        assert_eq!(handshake.mechanism.as_str(), "PLAIN");
        let token: SaslAuthenticateRequest =
            read(Call::SASL_AUTHENTICATE, &sasl_authenticate_request(b"\0a\0b"));
        assert_eq!(&token.auth_bytes[..], b"\0a\0b");
        let describe: DescribeConfigsRequest = read(Call::DESCRIBE_CONFIGS, &describe_broker_request(7));
        assert_eq!(describe.resources[0].resource_name.as_str(), "7");
        assert_eq!(describe.resources[0].resource_type, 4);
    }

    #[test]
    fn answers_of_the_oracle_are_read() {
        let broker = |id: i32, host: &'static str, port| {
            MetadataResponseBroker::default()
                .with_node_id(id.into())
                .with_host(StrBytes::from_static_str(host))
                .with_port(port)
        };
        let partition = MetadataResponsePartition::default()
            .with_leader_id(2.into())
            .with_replica_nodes(vec![2.into(), 1.into()]);
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
            .with_partitions(vec![partition]);
        let metadata = MetadataResponse::default()
            .with_brokers(vec![broker(1, "a", 9092), broker(2, "", -1)])
            .with_cluster_id(Some(StrBytes::from_static_str("c")))
            .with_topics(vec![topic]);
        let listing = read_listing(&written(Call::METADATA, &metadata), Some("t")).unwrap();
        assert_eq!(listing.cluster_id.as_deref(), Some("c"));
        assert_eq!(listing.brokers[&1].to_string(), "a:9092");
        assert_eq!(listing.undialable[&2], ":-1");
        assert_eq!(listing.topic.unwrap().leader, Some(2));
        let found = FindCoordinatorResponse::default()
            .with_node_id(1.into())
            .with_host(StrBytes::from_static_str("a"))
            .with_port(9);
        let (error, node, address) = read_coordinator(&written(Call::FIND_COORDINATOR, &found)).unwrap();
        assert_eq!((error.code, node, address.unwrap().port), (0, 1, 9));
        let token = SaslAuthenticateResponse::default().with_auth_bytes((&b"v=x"[..]).into());
        assert_eq!(
            read_token(&written(Call::SASL_AUTHENTICATE, &token)).unwrap().1,
            b"v=x"
        );
        let versions = written(Call::API_VERSIONS, &ApiVersionsResponse::default());
        assert_eq!(read_versions(&versions), Ok((0, VersionRanges::new())));
    }

    /// A count or length of a stranger allocates nothing and does not panic.
    #[test]
    fn hostile_answers_are_malformed() {
        for length in 0..64 {
            for byte in [0x00, 0x7f, 0xff] {
                let bytes = vec![byte; length];
                drop(read_versions(&bytes));
                drop(read_listing(&bytes, Some("t")));
                drop(read_coordinator(&bytes));
                drop(read_mechanisms(&bytes));
                drop(read_token(&bytes));
                drop(read_described(&bytes));
            }
        }
        let many = [&[0; 4][..], &i32::MAX.to_be_bytes()].concat();
        assert!(read_listing(&many, None).is_err());
        assert!(read_described(&many).is_err());
    }
}
