//! Promise 1: producing.

use kafka_protocol::{
    messages::{
        BrokerId, FetchRequest,
        fetch_request::{FetchPartition, FetchTopic},
    },
    records::{Compression, RecordBatchDecoder},
};
use rdkafka::producer::Producer;

use crate::plaintext;
use testkit::{entry_point::EntryPoint, raw::Raw, topics};
use testkit_clients::{TestProducer, consume, produce, read_all, sorted, values};

/// Longest step of a transaction.
const TRANSACTION: std::time::Duration = std::time::Duration::from_secs(30);

fn round_trip(topic: &str, count: usize, size: usize, settings: &[(&str, &str)]) {
    let Some(entry) = plaintext() else { return };
    topics::create_spread(entry.cluster, topic);
    let sent = values(topic, count, size);
    produce(&entry.bootstrap(), topic, &sent, settings);
    // acks=0 is delivered for the client when it is sent: the consumer waits for the count.
    consume(&entry.bootstrap(), topic, topic, count, &[]);
    assert_eq!(sorted(read_all(&entry.bootstrap(), topic)), sorted(sent));
}

#[test]
fn acks_0_arrives() {
    round_trip("acks-0", 2_000, 200, &[("acks", "0")]);
}

#[test]
fn acks_1_arrives() {
    round_trip("acks-1", 2_000, 200, &[("acks", "1")]);
}

#[test]
fn acks_all_arrives() {
    round_trip("acks-all", 2_000, 200, &[("acks", "all")]);
}

#[test]
fn idempotent_producer_arrives_once() {
    round_trip("idempotent", 2_000, 200, &[("enable.idempotence", "true")]);
}

#[test]
fn large_messages_arrive_whole() {
    round_trip("large", 24, 900_000, &[("acks", "all")]);
}

#[test]
fn transactions_commit_and_abort() {
    let Some(entry) = plaintext() else { return };
    commit_and_abort(&entry, "transactions");
}

/// One committed, one aborted and another committed transaction: readers see the first and the last.
pub(crate) fn commit_and_abort(entry: &EntryPoint<'_>, topic: &str) {
    topics::create_spread(entry.cluster, topic);
    let producer = TestProducer::new(&entry.bootstrap(), &[("transactional.id", topic)]);
    producer
        .client
        .init_transactions(TRANSACTION)
        .expect("the coordinator answers");
    let mut expected = Vec::new();
    for (name, commit) in [("first", true), ("aborted", false), ("last", true)] {
        let sent = values(name, 50, 20);
        producer.client.begin_transaction().expect("none is open");
        for value in &sent {
            producer.send(topic, value.as_bytes());
        }
        producer.flush();
        if commit {
            producer
                .client
                .commit_transaction(TRANSACTION)
                .expect("it commits");
            expected.extend(sent);
        } else {
            producer.client.abort_transaction(TRANSACTION).expect("it aborts");
        }
    }
    assert_eq!(sorted(read_all(&entry.bootstrap(), topic)), sorted(expected));
}

/// librdkafka stops compressing where the broker's minimum for Produce is not 0.
#[test]
fn librdkafka_still_compresses() {
    let Some(entry) = plaintext() else { return };
    let topic = "compressed";
    topics::create(entry.cluster, topic, &[&[2]]);
    produce(
        &entry.bootstrap(),
        topic,
        &values("lz4", 200, 100),
        &[("compression.type", "lz4")],
    );
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(1_000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![
            FetchTopic::default()
                .with_topic(topics::topic_name(topic))
                .with_partitions(vec![partition]),
        ]);
    let answer = Raw::connect(entry.node(2)).unwrap().call(11, &request).unwrap();
    let mut records = answer.responses[0].partitions[0]
        .records
        .clone()
        .expect("records were produced");
    let batches = RecordBatchDecoder::decode_batch_info(&mut records).unwrap();
    assert!(!batches.is_empty());
    assert!(
        batches.iter().all(|batch| batch.compression == Compression::Lz4),
        "{batches:?}"
    );
}
