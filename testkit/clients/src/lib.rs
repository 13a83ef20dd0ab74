//! librdkafka as a test's client: everything blocks, everything has a deadline.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};

/// Longest wait for deliveries or messages.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Settings every client here has; `more` is added.
pub fn config(bootstrap: &str, more: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("broker.address.family", "v4")
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "500");
    for (key, value) in more {
        config.set(*key, *value);
    }
    config
}

/// Counts what became of every message.
#[derive(Clone, Default)]
pub struct Deliveries(Arc<Mutex<Outcome>>);

#[derive(Default)]
struct Outcome {
    delivered: usize,
    failed: Vec<KafkaError>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut outcome = self.0.lock().expect("no panic under the lock");
        match result {
            Ok(_) => outcome.delivered += 1,
            Err((error, _)) => outcome.failed.push(error.clone()),
        }
    }
}

impl Deliveries {
    /// Messages acknowledged so far.
    pub fn delivered(&self) -> usize {
        self.0.lock().expect("no panic under the lock").delivered
    }

    /// Why messages failed so far.
    pub fn failed(&self) -> Vec<KafkaError> {
        self.0.lock().expect("no panic under the lock").failed.clone()
    }

    /// Fails the test if any message failed.
    pub fn assert_none_failed(&self) {
        let outcome = self.0.lock().expect("no panic under the lock");
        assert!(
            outcome.failed.is_empty(),
            "{} failed, first: {:?}",
            outcome.failed.len(),
            outcome.failed[0]
        );
    }
}

/// A producer and the count of its deliveries.
pub struct TestProducer {
    pub client: ThreadedProducer<Deliveries>,
    pub deliveries: Deliveries,
}

impl TestProducer {
    pub fn new(bootstrap: &str, more: &[(&str, &str)]) -> Self {
        let deliveries = Deliveries::default();
        // Each message to a partition of its own choice: a few hundred of them reach every broker.
        let spread = [("linger.ms", "5"), ("sticky.partitioning.linger.ms", "0")];
        let mut settings = config(bootstrap, &spread);
        for (key, value) in more {
            settings.set(*key, *value);
        }
        let client = settings
            .create_with_context(deliveries.clone())
            .expect("a valid configuration");
        Self { client, deliveries }
    }

    /// Queues one message; waits while the queue is full.
    pub fn send(&self, topic: &str, value: &[u8]) {
        let deadline = Instant::now() + TIMEOUT;
        let mut record = BaseRecord::<(), [u8]>::to(topic).payload(value);
        while let Err((error, back)) = self.client.send(record) {
            assert_eq!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::QueueFull),
                "{error}"
            );
            assert!(Instant::now() < deadline, "the queue stays full");
            record = back;
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until every queued message has an outcome and demands that it is the good one.
    pub fn flush(&self) {
        self.client
            .flush(TIMEOUT)
            .unwrap_or_else(|error| panic!("flush: {error}"));
        self.deliveries.assert_none_failed();
    }
}

/// Produces `values` and waits for their delivery.
pub fn produce(bootstrap: &str, topic: &str, values: &[String], more: &[(&str, &str)]) {
    let producer = TestProducer::new(bootstrap, more);
    for value in values {
        producer.send(topic, value.as_bytes());
    }
    producer.flush();
    assert_eq!(producer.deliveries.delivered(), values.len());
}

/// A consumer that begins at the beginning and is subscribed to `topic`.
pub fn subscriber(bootstrap: &str, topic: &str, group: &str, more: &[(&str, &str)]) -> BaseConsumer {
    let mut settings = config(bootstrap, more);
    settings
        .set("group.id", group)
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = settings.create().expect("a valid configuration");
    consumer.subscribe(&[topic]).expect("subscribe only queues");
    consumer
}

/// Polls once, briefly. Errors that librdkafka itself gets over are not the test's business.
pub fn poll(consumer: &BaseConsumer) -> Option<String> {
    let message = consumer.poll(Duration::from_millis(100))?.ok()?;
    Some(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned())
}

/// Consumes in a group until `count` messages have come, in the order of arrival.
pub fn consume(
    bootstrap: &str,
    topic: &str,
    group: &str,
    count: usize,
    more: &[(&str, &str)],
) -> Vec<String> {
    let consumer = subscriber(bootstrap, topic, group, more);
    let deadline = Instant::now() + TIMEOUT;
    let mut values = Vec::new();
    while values.len() < count {
        assert!(
            Instant::now() < deadline,
            "{} of {count} messages of {topic} came",
            values.len()
        );
        values.extend(poll(&consumer));
    }
    values
}

/// Reads everything between a topic's first and last offset, without a group. Of transactions, only what was
/// committed.
pub fn read_all(bootstrap: &str, topic: &str) -> Vec<String> {
    let settings = [
        ("group.id", "unused"),
        ("enable.auto.commit", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
    ];
    let consumer: BaseConsumer = config(bootstrap, &settings)
        .create()
        .expect("a valid configuration");
    let metadata = consumer
        .fetch_metadata(Some(topic), TIMEOUT)
        .expect("the topic exists");
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
    assert!(!partitions.is_empty(), "{topic} has no partitions");
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment
            .add_partition_offset(topic, *partition, rdkafka::Offset::Beginning)
            .expect("a valid offset");
    }
    consumer.assign(&assignment).expect("a valid assignment");
    let deadline = Instant::now() + TIMEOUT;
    let (mut values, mut ended) = (Vec::new(), 0);
    while ended < partitions.len() {
        assert!(
            Instant::now() < deadline,
            "{ended} of {} partitions read to the end",
            partitions.len()
        );
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                values.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(_)) | None => {}
        }
    }
    values
}

/// `count` distinct values that begin with `prefix`, `size` bytes each or as long as the number needs.
pub fn values(prefix: &str, count: usize, size: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            let mut value = format!("{prefix}-{n}");
            value.extend(std::iter::repeat_n('.', size.saturating_sub(value.len())));
            value
        })
        .collect()
}

/// Sorted, for comparing what came with what was sent where order is not promised.
pub fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort_unstable();
    values
}
