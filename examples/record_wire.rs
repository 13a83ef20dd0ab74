//! Records what a real Apache Kafka answers, for `tests/it/recorded.rs`.
//!
//! ```text
//! cargo run --example record_wire
//! ```
//!
//! starts three nodes of Kafka 4.3, asks them for everything that carries broker addresses, at every version, and
//! replaces `tests/fixtures/wire/API-vVERSION[-NOTE].bin`: the answer's frame after its size prefix.

#![expect(clippy::print_stdout, reason = "it is for people")]

use std::{error::Error, fs, path::Path, time::Duration};

use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeQuorumRequest, FetchRequest,
        FindCoordinatorRequest, GroupId, MetadataRequest, ProduceRequest, ShareAcknowledgeRequest,
        ShareFetchRequest, describe_quorum_request, fetch_request, metadata_request::MetadataRequestTopic,
        metadata_response::MetadataResponseTopic, produce_request, share_acknowledge_request,
        share_fetch_request,
    },
    protocol::{Encodable, Request, StrBytes},
    records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
};
use testkit::{
    kafka::{KafkaCluster, Listener, Options, wait_for},
    maven::{KafkaVersion, require},
    raw::{Raw, decode_response},
    topics::{self, topic_name},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Led by node 1, which alone has a replica: any other node answers with a hint.
const TOPIC: &str = "recorded";
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
/// A client's own choice: 16 bytes of base64.
const MEMBER: &str = "kproxyAAAAAAAAAAAAAAAA";

fn main() -> Result<()> {
    let install = require(KafkaVersion::V4_4).ok_or("needs a JDK and Maven")?;
    let cluster = KafkaCluster::start(&install, 3, Options::default());
    topics::create(&cluster, TOPIC, &[&[1]]);
    let mut recorder = Recorder {
        cluster: &cluster,
        written: 0,
    };
    recorder.listings()?;
    recorder.coordinators()?;
    recorder.produce()?;
    recorder.fetch()?;
    recorder.share()?;
    println!("{} answers recorded.", recorder.written);
    Ok(())
}

struct Recorder<'a> {
    cluster: &'a KafkaCluster,
    written: usize,
}

impl Recorder<'_> {
    fn connect(&self, node: i32) -> Result<Raw> {
        Ok(Raw::connect(self.cluster.address(node, Listener::Plaintext))?)
    }

    fn save(&mut self, name: &str, frame: &[u8]) -> Result<()> {
        let file = Path::new("tests/fixtures/wire").join(format!("{name}.bin"));
        fs::write(&file, frame)?;
        self.written += 1;
        println!("{:>6} bytes  {}", frame.len(), file.display());
        Ok(())
    }

    /// Asks node 2 and keeps the answer.
    fn record<R: Request>(&mut self, name: &str, version: i16, request: &R) -> Result<Vec<u8>> {
        let frame = self.connect(2)?.call_frame(version, request)?;
        self.save(name, &frame)?;
        Ok(frame)
    }

    fn listings(&mut self) -> Result<()> {
        let topic = || vec![MetadataRequestTopic::default().with_name(Some(topic_name(TOPIC)))];
        for version in 0..=13 {
            let request = MetadataRequest::default().with_topics(Some(topic()));
            self.record(&format!("metadata-v{version}"), version, &request)?;
        }
        for version in 0..=2 {
            self.record(
                &format!("describe-cluster-v{version}"),
                version,
                &DescribeClusterRequest::default(),
            )?;
            let partition = describe_quorum_request::PartitionData::default();
            let topic = describe_quorum_request::TopicData::default()
                .with_topic_name(topic_name("__cluster_metadata"))
                .with_partitions(vec![partition]);
            let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
            self.record(&format!("describe-quorum-v{version}"), version, &request)?;
        }
        for version in 0..=4 {
            let mut request = ApiVersionsRequest::default();
            if version >= 3 {
                request.client_software_name = StrBytes::from_static_str("kproxy-test");
                request.client_software_version = StrBytes::from_static_str("1");
            }
            self.record(&format!("api-versions-v{version}"), version, &request)?;
        }
        Ok(())
    }

    fn coordinators(&mut self) -> Result<()> {
        let key = StrBytes::from_static_str("group");
        for version in 0..=6 {
            let request = if version >= 4 {
                FindCoordinatorRequest::default().with_coordinator_keys(vec![key.clone()])
            } else {
                FindCoordinatorRequest::default().with_key(key.clone())
            };
            wait_for("the group has a coordinator", Duration::from_secs(30), || {
                let answer = self
                    .connect(2)
                    .and_then(|mut client| Ok(client.call(version, &request)?));
                answer.is_ok_and(|a| a.error_code == 0 && a.coordinators.iter().all(|c| c.error_code == 0))
            });
            self.record(&format!("find-coordinator-v{version}"), version, &request)?;
        }
        // Entries of which one is an error: an empty transactional id has no coordinator.
        let keys = vec![StrBytes::from_static_str("")];
        let request = FindCoordinatorRequest::default()
            .with_key_type(1)
            .with_coordinator_keys(keys);
        self.record("find-coordinator-v6-error", 6, &request)?;
        Ok(())
    }

    fn produce(&mut self) -> Result<()> {
        for version in 10..=13 {
            let partition =
                produce_request::PartitionProduceData::default().with_records(Some(batch()?.into()));
            let mut topic = produce_request::TopicProduceData::default().with_partition_data(vec![partition]);
            if version >= 13 {
                topic.topic_id = self.topic()?.topic_id;
            } else {
                topic.name = topic_name(TOPIC);
            }
            let request = ProduceRequest::default()
                .with_acks(-1)
                .with_timeout_ms(10_000)
                .with_topic_data(vec![topic]);
            let frame = self.record(&format!("produce-v{version}-not-leader"), version, &request)?;
            let answer = decode_response::<ProduceRequest>(version, &frame)?;
            expect_hint(
                answer.responses[0].partition_responses[0].error_code,
                answer.node_endpoints.len(),
            )?;
            let frame = self.connect(1)?.call_frame(version, &request)?;
            self.save(&format!("produce-v{version}"), &frame)?;
        }
        Ok(())
    }

    fn fetch(&mut self) -> Result<()> {
        for version in 16..=18 {
            let partition = fetch_request::FetchPartition::default().with_partition_max_bytes(1 << 20);
            let topic = fetch_request::FetchTopic::default()
                .with_topic_id(self.topic()?.topic_id)
                .with_partitions(vec![partition]);
            let request = FetchRequest::default()
                .with_max_wait_ms(500)
                .with_min_bytes(1)
                .with_max_bytes(1 << 20)
                .with_session_epoch(-1)
                .with_topics(vec![topic]);
            let frame = self.record(&format!("fetch-v{version}-not-leader"), version, &request)?;
            let answer = decode_response::<FetchRequest>(version, &frame)?;
            expect_hint(
                answer.responses[0].partitions[0].error_code,
                answer.node_endpoints.len(),
            )?;
            let frame = self.connect(1)?.call_frame(version, &request)?;
            self.save(&format!("fetch-v{version}"), &frame)?;
        }
        Ok(())
    }

    /// Share fetches need no membership, only a session that the first of them opens on its connection.
    fn share(&mut self) -> Result<()> {
        for version in 1..=2 {
            let mut client = self.connect(2)?;
            let frame = client.call_body(ApiKey::ShareFetch as i16, version, &self.share_fetch(version)?)?;
            self.save(&format!("share-fetch-v{version}-not-leader"), &frame)?;
            if version == 1 {
                let answer = decode_response::<ShareFetchRequest>(version, &frame)?;
                expect_hint(
                    answer.responses[0].partitions[0].error_code,
                    answer.node_endpoints.len(),
                )?;
            }
            let body = self.share_acknowledge(version)?;
            let frame = client.call_body(ApiKey::ShareAcknowledge as i16, version, &body)?;
            self.save(&format!("share-acknowledge-v{version}"), &frame)?;
        }
        Ok(())
    }

    fn share_fetch(&self, version: i16) -> Result<Vec<u8>> {
        let partition = share_fetch_request::FetchPartition::default();
        let topic = share_fetch_request::FetchTopic::default()
            .with_topic_id(self.topic()?.topic_id)
            .with_partitions(vec![partition]);
        let empty = ShareFetchRequest::default()
            .with_group_id(Some(GroupId(StrBytes::from_static_str("sharers"))))
            .with_member_id(Some(StrBytes::from_static_str(MEMBER)))
            .with_max_wait_ms(500)
            .with_max_bytes(1 << 20)
            .with_max_records(10)
            .with_batch_size(10);
        // Version 2 has share_acquire_mode and is_renew_ack before the topics; the oracle knows version 1.
        let (topics, forgotten, tags) = (1, 1, 1);
        let prefix = encode(&empty)?.len() - topics - forgotten - tags;
        let mut body = encode(&empty.with_topics(vec![topic]))?;
        if version == 2 {
            body.splice(prefix..prefix, [0, 0]);
        }
        Ok(body)
    }

    fn share_acknowledge(&self, version: i16) -> Result<Vec<u8>> {
        let batch =
            share_acknowledge_request::AcknowledgementBatch::default().with_acknowledge_types(vec![1]);
        let partition = share_acknowledge_request::AcknowledgePartition::default()
            .with_acknowledgement_batches(vec![batch]);
        let topic = share_acknowledge_request::AcknowledgeTopic::default()
            .with_topic_id(self.topic()?.topic_id)
            .with_partitions(vec![partition]);
        let empty = ShareAcknowledgeRequest::default()
            .with_group_id(Some(GroupId(StrBytes::from_static_str("sharers"))))
            .with_member_id(Some(StrBytes::from_static_str(MEMBER)))
            .with_share_session_epoch(1);
        // Version 2 has is_renew_ack before the topics.
        let (topics, tags) = (1, 1);
        let prefix = encode(&empty)?.len() - topics - tags;
        let mut body = encode(&empty.with_topics(vec![topic]))?;
        if version == 2 {
            body.insert(prefix, 0);
        }
        Ok(body)
    }

    /// The topic as Metadata has it, for its id.
    fn topic(&self) -> Result<MetadataResponseTopic> {
        let address = self.cluster.address(1, Listener::Plaintext);
        let answer = topics::describe(address, TOPIC).ok_or("no Metadata")?;
        Ok(answer.topics.into_iter().next().ok_or("no topic")?)
    }
}

fn encode(request: &impl Encodable) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    request.encode(&mut body, 1)?;
    Ok(body)
}

fn expect_hint(error_code: i16, endpoints: usize) -> Result<()> {
    if (error_code, endpoints) == (NOT_LEADER_OR_FOLLOWER, 1) {
        return Ok(());
    }
    Err(format!("no hint: error {error_code}, {endpoints} endpoints").into())
}

/// One record that repeats: the same bytes in every run.
fn batch() -> Result<Vec<u8>> {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(b"recorded"[..].into()),
        headers: Default::default(),
    };
    let mut bytes = Vec::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut bytes, [&record], &options)?;
    Ok(bytes)
}
