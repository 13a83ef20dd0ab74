//! Requests and answers of an exact size on the wire, every one of them valid Kafka.
//!
//! Records are opaque bytes: no proxy measured here looks into a batch.

use std::io;

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse, FetchRequest,
    FetchResponse, GroupId, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
    RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest, SyncGroupRequest,
    SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Message, Request, StrBytes};

/// The highest ApiVersions the stub broker answers; above it stands the fallback of KIP-511.
pub(crate) const API_VERSIONS: i16 = 3;

const TOPIC: &str = "bench";
const UNSUPPORTED_VERSION: i16 = 35;

/// One request and one answer, by their sizes on the wire including the size prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// A large request, a small answer.
    Produce { version: i16, size: usize },
    /// A small request, a large answer.
    Fetch { version: i16, size: usize },
    /// SyncGroup, the API that carries opaque bytes both ways: an answer as large as the request.
    Echo { size: usize },
}

/// The version of SyncGroup used for [`Exchange::Echo`].
pub(crate) const SYNC_GROUP: i16 = 5;
/// The size of a Fetch request on the wire.
pub(crate) const FETCH_REQUEST: usize = 100;

impl Exchange {
    /// The request's frame, correlation id 0.
    pub(crate) fn request(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Produce { version, size } => sized(size, |payload| request(version, &produce(payload))),
            Self::Fetch { version, size } => fetch(version, size),
            Self::Echo { size } => sized(size, |payload| request(SYNC_GROUP, &sync_group(payload))),
        }
    }

    /// Bytes of the larger of the two frames.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Produce { size, .. } | Self::Fetch { size, .. } | Self::Echo { size } => size,
        }
    }
}

/// The first request of every connection.
pub(crate) fn api_versions_request() -> io::Result<Vec<u8>> {
    let software = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("kproxy-bench"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    request(API_VERSIONS, &software)
}

/// The requests of a login by PLAIN, whose answers begin with an error code (SaslHandshake v1, SaslAuthenticate v1).
pub(crate) fn plain_login(name: &str, password: &str) -> io::Result<[Vec<u8>; 2]> {
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    let token = format!("\0{name}\0{password}");
    let authenticate = SaslAuthenticateRequest::default().with_auth_bytes(token.into_bytes().into());
    Ok([request(1, &handshake)?, request(1, &authenticate)?])
}

/// A Metadata request for every topic.
pub(crate) fn metadata_request(version: i16) -> io::Result<Vec<u8>> {
    request(version, &MetadataRequest::default().with_topics(None))
}

/// The answer of a broker that is alone in its cluster as node 0 at 127.0.0.1:`port`, correlation id 0. `size` is
/// what the answer shall measure where the API leaves that open.
///
/// # Errors
/// `Unsupported` for an API this broker does not have.
pub(crate) fn answer(api_key: i16, version: i16, size: usize, port: u16) -> io::Result<Vec<u8>> {
    match api_key {
        ProduceRequest::KEY => response::<ProduceRequest>(version, &produced()),
        FetchRequest::KEY => sized(size, |payload| {
            response::<FetchRequest>(version, &fetched(payload))
        }),
        SyncGroupRequest::KEY => sized(size, |payload| {
            response::<SyncGroupRequest>(version, &synchronised(payload))
        }),
        ApiVersionsRequest::KEY if version > API_VERSIONS => {
            response::<ApiVersionsRequest>(0, &api_versions().with_error_code(UNSUPPORTED_VERSION))
        }
        ApiVersionsRequest::KEY => response::<ApiVersionsRequest>(version, &api_versions()),
        DescribeClusterRequest::KEY => response::<DescribeClusterRequest>(version, &described(port)),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("api key {api_key}"),
        )),
    }
}

/// A Metadata answer that lists one broker per port at 127.0.0.1 and `topics` × `partitions`.
pub(crate) fn metadata_response(
    version: i16,
    ports: &[u16],
    topics: usize,
    partitions: i32,
) -> io::Result<Vec<u8>> {
    let brokers = ports.iter().enumerate().map(|(id, port)| {
        MetadataResponseBroker::default()
            .with_node_id((id as i32).into())
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(i32::from(*port))
    });
    let replicas: Vec<_> = (0..ports.len().min(3) as i32).map(Into::into).collect();
    let partition = |index: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id((index % ports.len() as i32).into())
            .with_replica_nodes(replicas.clone())
            .with_isr_nodes(replicas.clone())
    };
    let topic = |number: usize| {
        let name = if topics == 1 {
            TOPIC.to_owned()
        } else {
            format!("{TOPIC}-topic-{number:05}")
        };
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(name))))
            .with_partitions((0..partitions).map(partition).collect())
    };
    let metadata = MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_static_str("bench-cluster")))
        .with_controller_id(0.into())
        .with_topics((0..topics).map(topic).collect());
    response::<MetadataRequest>(version, &metadata)
}

/// Where a Fetch request says how many bytes its answer may hold; the stub broker answers with just as many.
/// `request` is the frame's first bytes, size prefix included.
pub(crate) fn fetch_max_bytes(version: i16, request: &[u8]) -> Option<usize> {
    let client_id_len = i16::from_be_bytes(request.get(12..14)?.try_into().ok()?);
    let header_tags = 1;
    let body = 14 + usize::try_from(client_id_len).unwrap_or(0) + header_tags;
    let replica_id = if version < 15 { 4 } else { 0 };
    let at = body + replica_id + 8;
    let max_bytes = i32::from_be_bytes(request.get(at..at + 4)?.try_into().ok()?);
    usize::try_from(max_bytes).ok()
}

fn produce(payload: usize) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(vec![0; payload].into()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_static_str(TOPIC)))
        .with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_acks(1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic])
}

fn produced() -> ProduceResponse {
    let partition = PartitionProduceResponse::default().with_base_offset(7);
    let topic = TopicProduceResponse::default()
        .with_name(TopicName(StrBytes::from_static_str(TOPIC)))
        .with_partition_responses(vec![partition]);
    ProduceResponse::default().with_responses(vec![topic])
}

fn fetch(version: i16, size: usize) -> io::Result<Vec<u8>> {
    let max_bytes = i32::try_from(size).map_err(io::Error::other)?;
    let partition = FetchPartition::default().with_partition_max_bytes(max_bytes);
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from_static_str(if version < 13 {
            TOPIC
        } else {
            ""
        })))
        .with_partitions(vec![partition]);
    sized(FETCH_REQUEST, |padding| {
        let rack = StrBytes::from_string("r".repeat(padding));
        let fetch = FetchRequest::default()
            .with_max_wait_ms(500)
            .with_min_bytes(1)
            .with_max_bytes(max_bytes)
            .with_topics(vec![topic.clone()])
            .with_rack_id(rack);
        request(version, &fetch)
    })
}

fn fetched(payload: usize) -> FetchResponse {
    let partition = PartitionData::default()
        .with_high_watermark(7)
        .with_records(Some(vec![0; payload].into()));
    let topic = FetchableTopicResponse::default()
        .with_topic(TopicName(StrBytes::from_static_str(TOPIC)))
        .with_partitions(vec![partition]);
    FetchResponse::default().with_responses(vec![topic])
}

fn sync_group(payload: usize) -> SyncGroupRequest {
    let assignment = SyncGroupRequestAssignment::default().with_assignment(vec![0; payload].into());
    SyncGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_protocol_type(Some(StrBytes::from_static_str("consumer")))
        .with_protocol_name(Some(StrBytes::from_static_str("range")))
        .with_assignments(vec![assignment])
}

fn synchronised(payload: usize) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_protocol_type(Some(StrBytes::from_static_str("consumer")))
        .with_protocol_name(Some(StrBytes::from_static_str("range")))
        .with_assignment(vec![0; payload].into())
}

fn api_versions() -> ApiVersionsResponse {
    fn of<R: Request>() -> ApiVersion {
        ApiVersion::default()
            .with_api_key(R::KEY)
            .with_min_version(R::VERSIONS.min)
            .with_max_version(R::VERSIONS.max)
    }
    ApiVersionsResponse::default().with_api_keys(vec![
        of::<ProduceRequest>(),
        of::<FetchRequest>(),
        of::<MetadataRequest>(),
        of::<SyncGroupRequest>(),
        of::<ApiVersionsRequest>().with_max_version(API_VERSIONS),
        of::<DescribeClusterRequest>(),
    ])
}

fn described(port: u16) -> DescribeClusterResponse {
    let broker = DescribeClusterBroker::default()
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(i32::from(port));
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_static_str("bench-cluster"))
        .with_brokers(vec![broker])
}

fn request<R: Request>(version: i16, body: &R) -> io::Result<Vec<u8>> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("bench")));
    frame(&header, R::header_version(version), body, version)
}

fn response<R: Request>(version: i16, body: &R::Response) -> io::Result<Vec<u8>> {
    frame(
        &ResponseHeader::default(),
        R::Response::header_version(version),
        body,
        version,
    )
}

fn frame(
    header: &impl Encodable,
    header_version: i16,
    body: &(impl Encodable + Message),
    version: i16,
) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    header
        .encode(&mut bytes, header_version)
        .map_err(io::Error::other)?;
    body.encode(&mut bytes, version).map_err(io::Error::other)?;
    let size = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&size.to_be_bytes());
    Ok(bytes)
}

/// Chooses the payload so that the frame measures `total` bytes, or a byte or two less where a length's own
/// varint leaves no exact fit.
fn sized(total: usize, build: impl Fn(usize) -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut payload = total.saturating_sub(build(0)?.len());
    loop {
        let frame = build(payload)?;
        if frame.len() <= total || payload == 0 {
            return Ok(frame);
        }
        payload -= (frame.len() - total).min(payload);
    }
}
