//! Promise 5: records that are sent with `acks=0` by clients that leave at once. Brokers behind TLS are still in the
//! handshake then.

use std::thread;

use kafka_protocol::{
    messages::{
        ProduceRequest,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::Encodable,
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
        RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    },
};

use super::kafka;
use testkit::{
    client::Client,
    edge::{Edge, block, by_port, cluster, target, trust},
    frames,
    java::Tool,
    kafka::{KafkaCluster, Listener},
    running::local,
    topics,
    wait::eventually,
};
use testkit_clients::{read_all, sorted};

/// Connections of each kind of client, and how many of the raw ones at once.
const RAW: usize = 60;
const AT_ONCE: usize = 10;
const JAVA: usize = 4;

fn edge(kafka: &KafkaCluster, port: u16) -> Edge {
    let target = target(kafka, Listener::Ssl, Some(&trust(&kafka.tls.broker_trust, "")));
    Edge::start(&[cluster("orders", &target, &[by_port(port, "")])])
}

fn record(value: &str) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: NO_SEQUENCE,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(value.to_owned().into()),
        headers: Default::default(),
    }
}

/// A Produce request with one record and `acks=0`.
fn produce(topic: &str, value: &str) -> Vec<u8> {
    let mut records = Vec::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut records, &[record(value)], &options).unwrap();
    let partition = PartitionProduceData::default()
        .with_index(0)
        .with_records(Some(records.into()));
    let topic = TopicProduceData::default()
        .with_name(topics::topic_name(topic))
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default()
        .with_acks(0)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic]);
    let mut body = Vec::new();
    request.encode(&mut body, 3).unwrap();
    frames::raw_request(0, 3, 1, &body)
}

/// Nothing is missing, and nothing is there twice.
#[track_caller]
fn expect(kafka: &KafkaCluster, topic: &str, sent: Vec<String>) {
    let bootstrap = kafka.address(1, Listener::Plaintext).to_string();
    let sent = sorted(sent);
    eventually("all records have arrived", || {
        read_all(&bootstrap, topic).len() >= sent.len()
    });
    assert_eq!(sorted(read_all(&bootstrap, topic)), sent);
}

/// The second connection of kafkajs: a Produce, and the end. 53 of 60 were lost.
#[test]
fn a_connection_of_one_request_without_an_answer_loses_nothing() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let _edge = edge(kafka, port);
    let topic = "acks-0-raw";
    topics::create(kafka, topic, &[&[2]]);
    let leader = local(port + 2);
    thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            scope.spawn(move || {
                for number in (worker..RAW).step_by(AT_ONCE) {
                    let mut client = Client::connect(leader);
                    client.send(&produce(topic, &format!("record-{number}")));
                }
            });
        }
    });
    expect(
        kafka,
        topic,
        (0..RAW).map(|number| format!("record-{number}")).collect(),
    );
}

#[test]
fn java_producers_that_leave_at_once_lose_nothing() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let _edge = edge(kafka, port);
    let topic = "acks-0-java";
    topics::create_spread(kafka, topic);
    let mut sent = Vec::new();
    for round in 0..JAVA {
        let records: Vec<String> = (0..3).map(|number| format!("record-{round}-{number}")).collect();
        Tool::new(&kafka.install, "org.apache.kafka.tools.ConsoleProducer")
            .args([
                "--bootstrap-server",
                &format!("localhost:{port}"),
                "--topic",
                topic,
            ])
            .args(["--command-property", "acks=0"])
            .args(["--command-property", "enable.idempotence=false"])
            .stdin(records.join("\n"))
            .succeed();
        sent.extend(records);
    }
    expect(kafka, topic, sent);
}
