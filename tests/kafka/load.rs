//! Clients of all sorts that produce and consume while something happens to kproxy, and a checker that knows every record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kproxy::session::cause::CloseCause;
use kproxy::session::counters::ClusterCounters;
use rdkafka::producer::Producer;
use testkit::java::Tool;
use testkit::kafka::{KafkaCluster, Listener, wait_for};
use testkit::tool::Running;
use testkit::topics;
use testkit_clients::{TestProducer, poll, read_all, sorted, subscriber};

use crate::drain::records;

/// Longest wait for what takes moments.
pub(crate) const SETTLE: Duration = Duration::from_secs(60);
/// Pause between two records of one producer.
const PACE: Duration = Duration::from_millis(2);
/// Records of the Java producer.
const JAVA_RECORDS: u64 = 20_000;

/// Settings of a client.
type Settings = &'static [(&'static str, &'static str)];

/// Producers, by the end of the name of their topic: the node that leads it, and settings.
const PRODUCERS: [(&str, i32, Settings); 4] = [
    ("idempotent", 1, &[("enable.idempotence", "true")]),
    ("acks-1", 2, &[("acks", "1"), ("retries", "0")]),
    ("acks-0", 3, &[("acks", "0"), ("retries", "0")]),
    (
        "compressed",
        1,
        &[("acks", "all"), ("retries", "0"), ("compression.type", "lz4")],
    ),
];

/// A client on a thread of its own, until it is told to stop.
struct Worker<T>(JoinHandle<T>);

impl<T: Send + 'static> Worker<T> {
    fn start(over: &Arc<AtomicBool>, work: impl FnOnce(&AtomicBool) -> T + Send + 'static) -> Self {
        let over = Arc::clone(over);
        Self(thread::spawn(move || work(&over)))
    }

    fn finish(self) -> T {
        self.0.join().expect("the client did not panic")
    }
}

/// Number of records that a consumer waits for, once that is known.
type Wanted = Mutex<Option<u64>>;

/// The clients at work.
pub(crate) struct Load {
    prefix: &'static str,
    bootstrap: String,
    over: Arc<AtomicBool>,
    producers: Vec<Worker<u64>>,
    /// Consumers, with how many records there are for them.
    consumers: Vec<(Worker<Vec<u64>>, Arc<Wanted>)>,
    transactions: Worker<u64>,
    java: Running,
}

impl Load {
    /// Starts clients of `bootstrap` whose topics begin with `prefix`, and waits until all are at work.
    pub(crate) fn start(cluster: &KafkaCluster, bootstrap: &str, prefix: &'static str) -> Self {
        let over = Arc::<AtomicBool>::default();
        let topic = |name: &str| format!("{prefix}-{name}");
        for (name, leader, _) in PRODUCERS {
            topics::create(cluster, &topic(name), &[&[leader]]);
        }
        topics::create(cluster, &topic("transactions"), &[&[2]]);
        topics::create(cluster, &topic("java"), &[&[3]]);
        let producers = PRODUCERS.map(|(name, _, settings)| {
            let (bootstrap, topic) = (bootstrap.to_owned(), topic(name));
            Worker::start(&over, move |over| produce(&bootstrap, &topic, settings, over))
        });
        let transactions = Worker::start(&over, {
            let (bootstrap, topic) = (bootstrap.to_owned(), topic("transactions"));
            move |over| transact(&bootstrap, &topic, over)
        });
        let consumers = PRODUCERS.iter().enumerate().map(|(index, (name, ..))| {
            let wanted = Arc::<Wanted>::default();
            let (bootstrap, topic) = (bootstrap.to_owned(), topic(name));
            let protocol = if index % 2 == 0 { "classic" } else { "consumer" };
            let known = Arc::clone(&wanted);
            let worker = Worker::start(&over, move |_| consume(&bootstrap, &topic, protocol, &known));
            (worker, wanted)
        });
        let consumers = consumers.collect();
        let java = Tool::new(&cluster.install, "org.apache.kafka.tools.VerifiableProducer")
            .args([
                "--topic",
                &topic("java"),
                "--bootstrap-server",
                bootstrap,
                "--acks",
                "-1",
            ])
            .args([
                "--max-messages",
                &JAVA_RECORDS.to_string(),
                "--throughput",
                "1000",
            ])
            .timeout(10 * SETTLE)
            .spawn();
        let direct = cluster.address(1, Listener::Plaintext).to_string();
        wait_for("all clients are at work", SETTLE, || {
            let names = PRODUCERS.iter().map(|(name, ..)| *name);
            let mut names = names.chain(["java", "transactions"]);
            names.all(|name| records(&direct, &topic(name)) > 0)
        });
        Self {
            prefix,
            bootstrap: bootstrap.to_owned(),
            over,
            producers: producers.into(),
            consumers,
            transactions,
            java,
        }
    }

    /// Ends the clients: every record has to be there once and in order, and no session may have been closed by kproxy.
    pub(crate) fn finish(self, counters: &ClusterCounters) {
        let topic = |name: &str| format!("{}-{name}", self.prefix);
        self.over.store(true, Ordering::Relaxed);
        let sent: Vec<u64> = self.producers.into_iter().map(Worker::finish).collect();
        for ((_, wanted), sent) in self.consumers.iter().zip(&sent) {
            *wanted.lock().unwrap() = Some(*sent);
        }
        for (((name, ..), (consumer, _)), sent) in PRODUCERS.iter().zip(self.consumers).zip(sent) {
            eprintln!("{}: {sent} records", topic(name));
            let read = consumer.finish();
            assert!(
                read.iter().copied().eq(0..sent),
                "{name}: {} of {sent}: {read:?}",
                read.len()
            );
        }
        let committed = self.transactions.finish();
        let of = |name: &str| read_all(&self.bootstrap, &topic(name));
        let numbers = |count: u64| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(of("transactions"), numbers(committed));
        let output = self.java.finish();
        assert!(
            output.success() && !output.stdout.contains("send_error"),
            "{output}"
        );
        assert_eq!(sorted(of("java")), sorted(numbers(JAVA_RECORDS)));
        let closes: Vec<_> = counters.all_closes().filter(|(_, count)| *count > 0).collect();
        eprintln!("closes: {closes:?}");
        let by_client = [CloseCause::ClientClosed, CloseCause::ClientReset];
        assert!(
            closes.iter().all(|(cause, _)| by_client.contains(cause)),
            "{closes:?}"
        );
    }
}

/// Sends numbers until it is over. Returns how many.
fn produce(bootstrap: &str, topic: &str, settings: &[(&str, &str)], over: &AtomicBool) -> u64 {
    let producer = TestProducer::new(bootstrap, settings);
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        producer.send(topic, sent.to_string().as_bytes());
        sent += 1;
        thread::sleep(PACE);
    }
    producer.flush();
    sent
}

/// Commits transactions of five records until it is over. Returns how many records.
fn transact(bootstrap: &str, topic: &str, over: &AtomicBool) -> u64 {
    let producer = TestProducer::new(bootstrap, &[("transactional.id", topic)]);
    producer.client.init_transactions(SETTLE).unwrap();
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        producer.client.begin_transaction().unwrap();
        for _ in 0..5 {
            producer.send(topic, sent.to_string().as_bytes());
            sent += 1;
        }
        producer.client.commit_transaction(SETTLE).unwrap();
        thread::sleep(PACE);
    }
    producer.deliveries.assert_none_failed();
    sent
}

/// Reads until it is over and `wanted` have come. Returns what came, in its order.
fn consume(bootstrap: &str, topic: &str, protocol: &str, wanted: &Wanted) -> Vec<u64> {
    let consumer = subscriber(bootstrap, topic, topic, &[("group.protocol", protocol)]);
    let (mut read, began) = (Vec::new(), Instant::now());
    loop {
        if let Some(value) = poll(&consumer) {
            read.push(value.parse().unwrap());
            continue;
        }
        let wanted = *wanted.lock().unwrap();
        if wanted.is_some_and(|wanted| read.len() as u64 >= wanted) || began.elapsed() > 10 * SETTLE {
            return read;
        }
    }
}
