//! What is in the topics in the end, read from the brokers themselves.

use std::time::Duration;

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};

use super::{
    checker::Found,
    clients::{PARTITIONS, sequence},
    pace::Deadline,
};
use testkit_clients::config;

const PATIENCE: Duration = Duration::from_secs(60);

/// Every record of `topic` that is not of an aborted or open transaction, in the order of the log within each
/// partition.
pub fn read(brokers: &str, topic: &str) -> Vec<Found> {
    let settings = [
        ("group.id", "unused"),
        ("enable.auto.commit", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
    ];
    let consumer: BaseConsumer = config(brokers, &settings)
        .create()
        .expect("a valid configuration");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .expect("a valid offset");
    }
    consumer.assign(&assignment).expect("a valid assignment");
    let deadline = Deadline::after(PATIENCE);
    let (mut found, mut ended) = (Vec::new(), 0);
    while ended < PARTITIONS {
        assert!(!deadline.is_over(), "{topic} is not read to its end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => found.push(Found {
                partition: message.partition(),
                sequence: sequence(message.payload().unwrap_or_default()).expect("our own message"),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => {}
        }
    }
    found
}
