//! librdkafka's part of the workload: four producers and two groups for each cluster.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use rdkafka::{
    ClientConfig, ClientContext, Message,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};

use super::{
    checker::{Kind, PER_TRANSACTION},
    journal::Journal,
    pace::Deadline,
};
use testkit_clients::config;

/// Longest wait for outcomes at the end, and for a step of a transaction.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two messages of a producer.
const PACE: Duration = Duration::from_millis(10);
/// Partitions of every topic.
pub const PARTITIONS: i32 = 2;
const DIGITS: usize = 10;

/// Writes down what librdkafka tells of one client.
#[derive(Clone)]
pub struct Scribe {
    pub journal: Arc<Journal>,
    pub client: String,
}

impl ClientContext for Scribe {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, message: &str) {
        let mut entries = self.journal.open();
        let warnings = entries.warnings.entry(self.client.clone()).or_default();
        warnings.push(format!("{} {message}", now_ms()));
    }

    /// An application's error callback: also what librdkafka gets over by itself ends here.
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let mut entries = self.journal.open();
        let connections = entries.connections.entry(self.client.clone()).or_default();
        connections.note(reason);
        drop(entries);
        self.journal
            .error(&self.client, format!("callback {code:?}: {reason}"));
    }
}

impl ConsumerContext for Scribe {}

impl ProducerContext for Scribe {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let (Ok(message) | Err((_, message))) = result;
        let Some(sequence) = sequence(message.payload().unwrap_or_default()) else {
            return self.journal.error(&self.client, "a delivery without a number");
        };
        self.journal.enter(&self.client, |ledger| match result {
            Ok(_) => {
                ledger.acknowledged.insert(sequence);
                ledger.acknowledged_at.insert(sequence, now_ms());
            }
            Err((error, _)) => {
                ledger.failed.insert(sequence, error.to_string());
            }
        });
    }
}

/// The wall clock.
fn now_ms() -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_millis()
}

/// Most are small, some are not.
fn value(sequence: u64) -> String {
    let size = if sequence.is_multiple_of(50) { 20_000 } else { 100 };
    format!("{sequence:0DIGITS$}{}", ".".repeat(size - DIGITS))
}

/// The number that a value begins with.
pub fn sequence(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value.get(..DIGITS)?).ok()?.parse().ok()
}

/// Produces numbered messages to the topic that is named as the client, until told to stop; then waits for what
/// became of them.
pub fn produce(scribe: Scribe, bootstrap: &str, kind: Kind, stop: &AtomicBool) {
    let topic = scribe.client.clone();
    let journal = Arc::clone(&scribe.journal);
    let own: &[(&str, &str)] = match kind {
        Kind::Idempotent => &[("enable.idempotence", "true")],
        Kind::NoRetries => &[("message.send.max.retries", "0")],
        Kind::Fire => &[("acks", "0"), ("message.send.max.retries", "0")],
        Kind::Transactional => &[("transactional.id", &topic), ("transaction.timeout.ms", "300000")],
    };
    let settings = [
        ("linger.ms", "2"),
        ("client.id", &topic),
        // What a slow machine takes is no fault.
        ("request.timeout.ms", "120000"),
        ("socket.timeout.ms", "180000"),
    ];
    let client: ThreadedProducer<Scribe> = talkative(bootstrap, &settings, own)
        .create_with_context(scribe)
        .expect("a valid configuration");
    let ended = if kind == Kind::Transactional {
        transact(&client, &journal, &topic, stop)
    } else {
        let mut next = 0;
        while !stop.load(Ordering::Relaxed) {
            send(&client, &topic, next);
            next += 1;
            thread::sleep(PACE);
        }
        flush(&client)
    };
    if let Err(error) = ended {
        journal.error(&topic, format!("it ended with {error}"));
    }
}

/// Settings that let librdkafka say what it thinks of its connections.
fn talkative(bootstrap: &str, settings: &[(&str, &str)], more: &[(&str, &str)]) -> ClientConfig {
    let mut config = config(bootstrap, &[settings, more].concat());
    config.set_log_level(RDKafkaLogLevel::Info);
    if std::env::var_os("KPROXY_STORM_DETAILS").is_some() {
        config
            .set("debug", "broker,metadata")
            .set_log_level(RDKafkaLogLevel::Debug);
    }
    config
}

fn send(client: &ThreadedProducer<Scribe>, topic: &str, sequence: u64) {
    let deadline = Deadline::after(PATIENCE);
    let value = value(sequence);
    let partition = i32::try_from(sequence % PARTITIONS.unsigned_abs() as u64).expect("a partition");
    let mut record = BaseRecord::<(), String>::to(topic)
        .partition(partition)
        .payload(&value);
    while let Err((error, back)) = client.send(record) {
        let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
        assert!(full && !deadline.is_over(), "{topic}: {error}");
        record = back;
        thread::sleep(PACE);
    }
}

/// Waits until every message has an outcome.
fn flush(client: &ThreadedProducer<Scribe>) -> Result<(), KafkaError> {
    let deadline = Deadline::after(PATIENCE);
    loop {
        match client.flush(Duration::from_secs(1)) {
            Err(_) if !deadline.is_over() => {}
            other => return other,
        }
    }
}

/// Every fourth transaction is aborted.
fn transact(
    client: &ThreadedProducer<Scribe>,
    journal: &Journal,
    topic: &str,
    stop: &AtomicBool,
) -> Result<(), KafkaError> {
    again(|| client.init_transactions(PATIENCE))?;
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        client.begin_transaction()?;
        for index in 0..PER_TRANSACTION {
            send(client, topic, number * PER_TRANSACTION + index);
            thread::sleep(PACE / 2);
        }
        if number % 4 == 3 {
            // An abort overtakes what is not sent yet, and librdkafka then ends a transaction that has no partition,
            // which Kafka calls an invalid state.
            flush(client)?;
            again(|| client.abort_transaction(PATIENCE))?;
            journal.enter(topic, |ledger| {
                ledger.aborted.insert(number);
            });
        } else {
            match again(|| client.commit_transaction(PATIENCE)) {
                Ok(()) => journal.enter(topic, |ledger| {
                    ledger.committed.insert(number);
                }),
                Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                    journal.error(topic, format!("transaction {number}: {error}"));
                    again(|| client.abort_transaction(PATIENCE))?;
                    journal.enter(topic, |ledger| {
                        ledger.aborted.insert(number);
                    });
                }
                Err(error) => return Err(error),
            }
        }
        number += 1;
    }
    Ok(())
}

/// What librdkafka calls retriable is to be called again; only as often as there is time.
fn again(mut step: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let deadline = Deadline::after(PATIENCE);
    loop {
        match step() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !deadline.is_over() => {
                thread::sleep(PACE);
            }
            other => return other,
        }
    }
}

/// Consumes `topics` in a group that is named as the client, until told to stop.
pub fn consume(scribe: Scribe, bootstrap: &str, protocol: &str, topics: &[String], stop: &AtomicBool) {
    let (group, journal) = (scribe.client.clone(), Arc::clone(&scribe.journal));
    let settings = [
        ("client.id", group.as_str()),
        ("group.id", &group),
        ("group.protocol", protocol),
        ("auto.offset.reset", "earliest"),
        ("auto.commit.interval.ms", "500"),
    ];
    let consumer: BaseConsumer<Scribe> = talkative(bootstrap, &settings, &[])
        .create_with_context(scribe)
        .expect("a valid configuration");
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).expect("subscribe only queues");
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let number = sequence(message.payload().unwrap_or_default());
                journal.see(&group, message.topic(), number);
            }
            Some(Err(error)) => journal.error(&group, format!("poll: {error}")),
            None => {}
        }
    }
}
