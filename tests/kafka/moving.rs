//! Promise 20: the target of a virtual cluster changes under its clients, to other addresses and to TLS and back, while all
//! sorts of clients produce and consume: no session is closed, and no record is lost, doubled or out of order.
//!
//! `KPROXY_MOVES` says how often (30).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kproxy::app::Proxy;
use kproxy::model::{ProxyModel, TargetCluster};
use kproxy::session::cause::CloseCause;
use rdkafka::producer::Producer;
use testkit::entry_point::{self, Route};
use testkit::java::Tool;
use testkit::kafka::{KafkaCluster, Listener, wait_for};
use testkit::topics;
use testkit_clients::{TestProducer, poll, read_all, sorted, subscriber};

use crate::drain::records;
use crate::modern;

/// Longest wait for what takes moments.
const SETTLE: Duration = Duration::from_secs(60);
/// Pause between two records of one producer.
const PACE: Duration = Duration::from_millis(2);

/// Settings of a client.
type Settings = &'static [(&'static str, &'static str)];

/// Producers, by the name of their topic: the node that leads it, and settings.
const PRODUCERS: [(&str, i32, Settings); 4] = [
    ("moving-idempotent", 1, &[("enable.idempotence", "true")]),
    ("moving-acks-1", 2, &[("acks", "1"), ("retries", "0")]),
    ("moving-acks-0", 3, &[("acks", "0"), ("retries", "0")]),
    (
        "moving-compressed",
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

fn change(model: &mut ProxyModel, target: TargetCluster) {
    for cluster in model.clusters.values_mut() {
        Arc::make_mut(cluster).target = target.clone();
    }
}

/// A target as an operator would write it.
fn target(cluster: &KafkaCluster, listener: Listener, first: usize) -> TargetCluster {
    let ids = cluster.ids();
    let servers = (0..ids.len()).map(|turn| ids[(first + turn) % ids.len()]);
    let servers: Vec<_> = servers
        .map(|id| cluster.address(id, listener).to_string())
        .collect();
    let trust = cluster.tls.broker_trust.display();
    let tls = match listener {
        Listener::Ssl => format!(", tls: {{trust: {{storeFile: '{trust}', storeType: PEM}}}}"),
        _ => String::new(),
    };
    let yaml = format!(
        "virtualClusters:
  - name: other
    targetCluster: {{bootstrapServers: '{}'{tls}}}
    gateways: [{{name: default, portIdentifiesNode: {{bootstrapAddress: 127.0.0.1:0}}}}]
",
        servers.join(",")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    let model = kproxy::model::load(file.path()).unwrap_or_else(|errors| panic!("{errors:?}"));
    model.clusters["other"].target.clone()
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
fn consume(bootstrap: &str, topic: &str, protocol: &str, wanted: &Mutex<Option<u64>>) -> Vec<u64> {
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

#[test]
fn a_target_moves_under_all_sorts_of_clients_and_no_session_is_closed() {
    const JAVA_RECORDS: u64 = 20_000;
    if Route::chosen() == Route::Direct {
        return;
    }
    let Some(cluster) = modern() else { return };
    let rounds = std::env::var("KPROXY_MOVES").map_or(30, |rounds| rounds.parse().unwrap());
    let mut model = entry_point::model(cluster, Listener::Plaintext);
    let proxy = Proxy::start(model.clone()).unwrap();
    let (name, gateway) = ("orders", "default");
    let bootstrap = proxy.bootstrap(name, gateway).unwrap().to_string();
    let counters = proxy.counters(name).unwrap();
    let over = Arc::<AtomicBool>::default();
    for (topic, leader, _) in PRODUCERS {
        topics::create(cluster, topic, &[&[leader]]);
    }
    topics::create(cluster, "moving-transactions", &[&[2]]);
    topics::create(cluster, "moving-java", &[&[3]]);

    let producers = PRODUCERS.map(|(topic, _, settings)| {
        let bootstrap = bootstrap.clone();
        Worker::start(&over, move |over| produce(&bootstrap, topic, settings, over))
    });
    let transactions = Worker::start(&over, {
        let bootstrap = bootstrap.clone();
        move |over| transact(&bootstrap, "moving-transactions", over)
    });
    let wanted = PRODUCERS.map(|_| Arc::<Mutex<Option<u64>>>::default());
    let consumers: Vec<_> = PRODUCERS
        .iter()
        .zip(&wanted)
        .enumerate()
        .map(|(index, ((topic, ..), wanted))| {
            let (bootstrap, wanted) = (bootstrap.clone(), Arc::clone(wanted));
            let protocol = if index % 2 == 0 { "classic" } else { "consumer" };
            Worker::start(&over, move |_| consume(&bootstrap, topic, protocol, &wanted))
        })
        .collect();
    let java = Tool::new(&cluster.install, "org.apache.kafka.tools.VerifiableProducer")
        .args([
            "--topic",
            "moving-java",
            "--bootstrap-server",
            &bootstrap,
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
    wait_for("all clients are at work", SETTLE, || {
        let direct = cluster.address(1, Listener::Plaintext).to_string();
        let has = |topic: &str| records(&direct, topic) > 0;
        has("moving-java") && has("moving-transactions") && PRODUCERS.iter().all(|(topic, ..)| has(topic))
    });

    for round in 0..rounds {
        let listener = if round % 2 == 0 {
            Listener::Ssl
        } else {
            Listener::Plaintext
        };
        change(&mut model, target(cluster, listener, round));
        let moved = counters.moved.load(Ordering::Relaxed);
        proxy.reload(model.clone()).unwrap();
        wait_for("all sessions have moved", SETTLE, || {
            let status = proxy.status().unwrap();
            status.drains.is_empty() && counters.moved.load(Ordering::Relaxed) > moved
        });
    }
    over.store(true, Ordering::Relaxed);

    for (((topic, ..), producer), wanted) in PRODUCERS.iter().zip(producers).zip(&wanted) {
        let sent = producer.finish();
        eprintln!("{topic}: {sent} records");
        *wanted.lock().unwrap() = Some(sent);
    }
    for ((topic, ..), (consumer, wanted)) in PRODUCERS.iter().zip(consumers.into_iter().zip(&wanted)) {
        let sent = wanted.lock().unwrap().unwrap();
        let read = consumer.finish();
        assert!(
            read.iter().copied().eq(0..sent),
            "{topic}: {} of {sent}: {read:?}",
            read.len()
        );
    }
    let committed = transactions.finish();
    let of = |topic: &str| read_all(&bootstrap, topic);
    let numbers: Vec<String> = (0..committed).map(|number| number.to_string()).collect();
    assert_eq!(of("moving-transactions"), numbers);
    let output = java.finish();
    assert!(
        output.success() && !output.stdout.contains("send_error"),
        "{output}"
    );
    let numbers: Vec<String> = (0..JAVA_RECORDS).map(|number| number.to_string()).collect();
    assert_eq!(sorted(of("moving-java")), sorted(numbers));

    let moved = counters.moved.load(Ordering::Relaxed);
    let closes: Vec<_> = counters.all_closes().filter(|(_, count)| *count > 0).collect();
    eprintln!("{rounds} changes, {moved} sessions moved, closes: {closes:?}");
    let by_client = [CloseCause::ClientClosed, CloseCause::ClientReset];
    assert!(
        closes.iter().all(|(cause, _)| by_client.contains(cause)),
        "{closes:?}"
    );
}
