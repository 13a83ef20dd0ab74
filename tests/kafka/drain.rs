//! Promise 8: clients under load, and clients that wait, leave a kproxy that drains and find the next one at the same
//! addresses; no message is lost or written twice, and no client reports an error.
//!
//! What each client was like when it was asked to leave is printed: `docs/reliability.md` has it in a table.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use kproxy::{
    app::{Exit, Proxy},
    model::{ProxyModel, VirtualCluster},
    session::cause::CloseCause,
};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{groups, modern};
use testkit::{
    entry_point::{self, Route},
    java::Tool,
    kafka::{KafkaCluster, Listener, wait_for},
    topics,
};
use testkit_clients::{TestProducer, config, poll, produce, subscriber, values};

const SOFT: Duration = Duration::from_secs(6);
const HARD: Duration = Duration::from_secs(12);
/// Longest wait for a client to do what it does all the time.
const SETTLE: Duration = Duration::from_secs(40);

/// A kproxy that can be replaced at its addresses. `None` where there is no Kafka, or no kproxy is wanted.
struct Replaceable {
    proxy: Proxy,
    model: ProxyModel,
    cluster: &'static KafkaCluster,
}

/// How the sessions of a kproxy left it.
struct Departure {
    sessions: usize,
    forced: u64,
    /// When each of them had left, from the beginning of the drain.
    left: Vec<Duration>,
}

impl Replaceable {
    fn start() -> Option<Self> {
        if Route::chosen() == Route::Direct {
            return None;
        }
        let cluster = modern()?;
        let mut model = entry_point::model(cluster, Listener::Plaintext);
        change(&mut model, |cluster| {
            (cluster.drain.timeout, cluster.drain.hard_timeout) = (SOFT, HARD);
        });
        model.network.shutdown_timeout = 3 * HARD;
        let proxy = Proxy::start(model.clone()).unwrap();
        // The next one is to be where this one is.
        let (name, gateway) = (name(&model), gateway(&model));
        let bootstrap = proxy.bootstrap(&name, &gateway).unwrap();
        change(&mut model, |cluster| {
            let gateway_model = &mut cluster.gateways[0];
            gateway_model.bootstrap_port = bootstrap.port();
            for node in &mut gateway_model.nodes {
                node.port = proxy.node(&name, &gateway, node.node_id).unwrap().port();
            }
        });
        Some(Self {
            proxy,
            model,
            cluster,
        })
    }

    fn address(&self) -> SocketAddr {
        self.proxy
            .bootstrap(&name(&self.model), &gateway(&self.model))
            .unwrap()
    }

    fn bootstrap(&self) -> String {
        self.address().to_string()
    }

    /// Drains this kproxy and starts another in its place. The sessions of the first are told to leave while their
    /// clients do whatever they do.
    fn replace(self, client: &str) -> (Self, Departure) {
        let Self {
            proxy,
            model,
            cluster,
        } = self;
        let counters = proxy.counters(&name(&model)).unwrap();
        let before = counters.closes(CloseCause::Drained);
        let over = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let watcher = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut left = Vec::new();
                loop {
                    let last = over.load(Ordering::SeqCst);
                    let count = counters.closes(CloseCause::Drained) - before;
                    left.resize(left.len().max(count as usize), began.elapsed());
                    if last {
                        return (left, counters.all_closes().collect::<Vec<_>>());
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let exit = proxy.shutdown();
        over.store(true, Ordering::SeqCst);
        let (left, closes) = watcher.join().unwrap();
        let Some(Exit::Drained(outcome)) = exit else {
            panic!("{exit:?}")
        };
        let departure = Departure {
            sessions: outcome.sessions,
            forced: outcome.forced,
            left,
        };
        eprintln!(
            "{client}: {} sessions left after {:?}; forced: {}; closes: {closes:?}",
            departure.sessions, departure.left, departure.forced
        );
        let next = Self {
            proxy: Proxy::start(model.clone()).unwrap(),
            model,
            cluster,
        };
        (next, departure)
    }
}

impl Departure {
    /// Every session found a moment in which nothing was on its way, before reading stopped.
    fn expect_quiet(&self) {
        self.expect_clean();
        assert!(self.left.iter().all(|after| *after < SOFT), "{:?}", self.left);
    }

    fn expect_clean(&self) {
        assert!(self.sessions > 0, "no client was there");
        assert_eq!((self.forced, self.left.len()), (0, self.sessions));
    }
}

fn change(model: &mut ProxyModel, change: impl FnOnce(&mut VirtualCluster)) {
    let cluster = model.clusters.values_mut().next().unwrap();
    change(Arc::make_mut(cluster));
}

fn name(model: &ProxyModel) -> String {
    model.clusters.keys().next().unwrap().clone()
}

fn gateway(model: &ProxyModel) -> String {
    model.clusters.values().next().unwrap().gateways[0].name.clone()
}

/// Records in a topic: for a topic that is written without transactions, the sum of its partitions' ends.
pub(crate) fn records(bootstrap: &str, topic: &str) -> u64 {
    let consumer: BaseConsumer = config(bootstrap, &[]).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), SETTLE).unwrap();
    let partitions = metadata.topics()[0].partitions();
    assert!(!partitions.is_empty());
    // A leader may have moved since the metadata was asked for.
    let end = |partition: i32| {
        let deadline = Instant::now() + SETTLE;
        loop {
            match consumer.fetch_watermarks(topic, partition, SETTLE) {
                Ok((_, end)) => return end,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            consumer.fetch_metadata(Some(topic), SETTLE).unwrap();
        }
    };
    partitions
        .iter()
        .map(|partition| end(partition.id()) as u64)
        .sum()
}

/// librdkafka heeds no throttle time: its busy sessions stay until reading stops, and lose nothing then.
#[test]
fn a_saturating_librdkafka_producer_leaves_without_loss() {
    let Some(proxy) = Replaceable::start() else { return };
    let topic = "drain-librdkafka-producer";
    topics::create_spread(proxy.cluster, topic);
    let settings = [
        // Without it as many requests are on their way as there are messages.
        ("enable.idempotence", "false"),
        ("acks", "all"),
        ("linger.ms", "0"),
        ("batch.num.messages", "10"),
        ("queue.buffering.max.messages", "2000"),
    ];
    let producer = TestProducer::new(&proxy.bootstrap(), &settings);
    let done = AtomicBool::new(false);
    let (sent, proxy) = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0u64;
            while !done.load(Ordering::Relaxed) {
                producer.send(topic, &[b'x'; 200]);
                sent += 1;
            }
            sent
        });
        let delivered = |more: usize| {
            let goal = producer.deliveries.delivered() + more;
            wait_for("deliveries", SETTLE, || producer.deliveries.delivered() >= goal);
        };
        delivered(5_000);
        let (proxy, departure) = proxy.replace("librdkafka producer");
        departure.expect_clean();
        delivered(5_000);
        done.store(true, Ordering::Relaxed);
        (sender.join().unwrap(), proxy)
    });
    producer.flush();
    assert_eq!(producer.deliveries.delivered() as u64, sent);
    assert_eq!(records(&proxy.bootstrap(), topic), sent);
}

/// The Java client heeds the throttle time and is quiet in a moment: large batches keep it busy all the time otherwise.
#[test]
fn a_saturating_java_producer_is_brought_to_quiet() {
    const RECORDS: u64 = 20_000;
    let Some(proxy) = Replaceable::start() else { return };
    let topic = "drain-java-producer";
    topics::create_spread(proxy.cluster, topic);
    let producer = Tool::new(
        &proxy.cluster.install,
        "org.apache.kafka.tools.ProducerPerformance",
    )
    .args(["--topic", topic, "--record-size", "10000", "--throughput", "-1"])
    .args(["--num-records", &RECORDS.to_string()])
    .args([
        "--producer-props",
        &format!("bootstrap.servers={}", proxy.bootstrap()),
    ])
    .args(["acks=all", "linger.ms=0", "batch.size=500000"])
    .spawn();
    wait_for("the producer produces", SETTLE, || {
        records(&proxy.cluster.address(1, Listener::Plaintext).to_string(), topic) > RECORDS / 20
    });
    let (proxy, departure) = proxy.replace("Java producer");
    let output = producer.finish();
    assert!(output.success(), "{output}");
    assert!(
        output.stdout.contains(&format!("{RECORDS} records sent")),
        "{output}"
    );
    assert!(!output.stderr.contains("ERROR"), "{output}");
    departure.expect_quiet();
    assert_eq!(records(&proxy.bootstrap(), topic), RECORDS);
}

#[test]
fn a_waiting_librdkafka_consumer_leaves_at_once() {
    let Some(proxy) = Replaceable::start() else { return };
    let topic = "drain-librdkafka-consumer";
    topics::create_spread(proxy.cluster, topic);
    let consumer = subscriber(&proxy.bootstrap(), topic, topic, &[("fetch.wait.max.ms", "500")]);
    let sent = values("before", 200, 30);
    produce(&proxy.bootstrap(), topic, &sent, &[]);
    let receive = |consumer: &BaseConsumer, count: usize| {
        let mut got = 0;
        wait_for("messages", SETTLE, || {
            got += usize::from(poll(consumer).is_some());
            got >= count
        });
        assert_eq!((got, poll(consumer)), (count, None));
    };
    receive(&consumer, sent.len());
    let (proxy, departure) = proxy.replace("librdkafka consumer");
    departure.expect_quiet();
    produce(&proxy.bootstrap(), topic, &values("after", 100, 30), &[]);
    receive(&consumer, 100);
    // A consumer says goodbye to its group, and tries for long where nobody listens.
    drop(consumer);
    drop(proxy);
}

#[test]
fn a_waiting_java_consumer_leaves_at_once() {
    let Some(proxy) = Replaceable::start() else { return };
    let topic = "drain-java-consumer";
    topics::create_spread(proxy.cluster, topic);
    produce(&proxy.bootstrap(), topic, &values("before", 200, 30), &[]);
    let member = Tool::new(
        &proxy.cluster.install,
        "org.apache.kafka.tools.VerifiableConsumer",
    )
    .args(["--bootstrap-server", &proxy.bootstrap(), "--topic", topic])
    .args(["--group-id", topic, "--reset-policy", "earliest"])
    .spawn();
    wait_for("messages", SETTLE, || groups::consumed(&member.stdout()) == 200);
    let (proxy, departure) = proxy.replace("Java consumer");
    departure.expect_quiet();
    produce(&proxy.bootstrap(), topic, &values("after", 100, 30), &[]);
    wait_for("messages", SETTLE, || groups::consumed(&member.stdout()) == 300);
    let output = member.terminate();
    assert_eq!(groups::consumed(&output.stdout), 300, "{output}");
    assert!(!output.stderr.contains("ERROR"), "{output}");
}
