//! Fences by topic under real producers: what they had to write arrives once and in order after the fence, and the topics beside it
//! notice nothing.

use std::time::Duration;

use kproxy::app::Proxy;
use kproxy::control::{FenceStatus, Requester, SteeringCommand, SteeringRequest};
use kproxy::model::{FenceModel, FenceText};
use rdkafka::producer::Producer;
use testkit::entry_point::{self, Route};
use testkit::kafka::{Listener, wait_for};
use testkit::tool::Tool;
use testkit::{topics, wait::PATIENCE};
use testkit_clients::{TestProducer, consume, poll, read_all, subscriber, values};

use crate::modern;

/// Longest wait for a client to do what it does all the time.
const SETTLE: Duration = Duration::from_secs(40);

/// A proxy in front of the shared cluster.
struct Front {
    proxy: Proxy,
    name: String,
    bootstrap: String,
}

impl Front {
    /// `None` where there is no Kafka, or no proxy in front of it.
    fn start() -> Option<Self> {
        if Route::chosen() == Route::Direct {
            return None;
        }
        let model = entry_point::model(modern()?, Listener::Plaintext);
        let name = model.clusters.keys().next().unwrap().clone();
        let gateway = model.clusters[&name].gateways[0].name.clone();
        let proxy = Proxy::start(model).unwrap();
        let bootstrap = proxy.bootstrap(&name, &gateway).unwrap().to_string();
        Some(Self {
            proxy,
            name,
            bootstrap,
        })
    }

    fn steer(&self, command: SteeringCommand) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let by = Requester::Program;
        let answer = self.proxy.handle().steer(SteeringRequest { by, command });
        runtime.block_on(answer).unwrap().unwrap();
    }

    /// Fences a topic, and waits until what was sent before is answered.
    fn fence(&self, topic: &str, operations: &str, answer: &str) {
        let text = FenceText {
            topics: Some(topic.into()),
            operations: Some(operations.into()),
            answer: Some(answer.into()),
            hold_for: None,
        };
        self.steer(SteeringCommand::Fence {
            cluster: self.name.clone(),
            fence: FenceModel::parse(&text).unwrap(),
            lasting: None,
        });
        wait_for("what was sent before is answered", SETTLE, || {
            self.status().unsettled == 0
        });
    }

    fn lift(&self) {
        self.steer(SteeringCommand::Unfence(self.name.clone()));
    }

    fn status(&self) -> FenceStatus {
        self.proxy.status().unwrap().clusters[0].fence.clone().unwrap()
    }
}

/// Fences the topic of a busy librdkafka producer three times.
fn under_load(topic: &str, answer: &str, settings: &[(&str, &str)]) {
    let Some(front) = Front::start() else { return };
    let cluster = modern().unwrap();
    let beside = format!("{topic}-beside");
    topics::create(cluster, topic, &[&[1]]);
    topics::create(cluster, &beside, &[&[1]]);
    let sent = values("m", 6_000, 100);
    let producer = TestProducer::new(&front.bootstrap, settings);
    let other = TestProducer::new(&front.bootstrap, settings);
    let delivered = || producer.deliveries.delivered();
    for (round, part) in sent.chunks(2_000).enumerate() {
        let (before, during) = part.split_at(1_000);
        before
            .iter()
            .for_each(|value| producer.send(topic, value.as_bytes()));
        wait_for("it delivers", SETTLE, || delivered() > round * 2_000);
        front.fence(topic, "produce", answer);
        let fenced_at = delivered();
        during
            .iter()
            .for_each(|value| producer.send(topic, value.as_bytes()));
        let others = other.deliveries.delivered();
        for value in values("o", 500, 100) {
            other.send(&beside, value.as_bytes());
        }
        wait_for("others deliver", SETTLE, || {
            other.deliveries.delivered() == others + 500
        });
        wait_for("the producer meets the fence", SETTLE, || {
            let status = front.status();
            status.held + status.answered > 0
        });
        assert_eq!(delivered(), fenced_at, "nothing is acknowledged under the fence");
        front.lift();
        wait_for("it delivers all", SETTLE, || delivered() == (round + 1) * 2_000);
    }
    producer.flush();
    let read = read_all(&front.bootstrap, topic);
    assert_eq!(read.len(), sent.len(), "lost or doubled");
    assert!(read == sent, "reordered");
}

const IDEMPOTENT: [(&str, &str); 2] = [("enable.idempotence", "true"), ("acks", "all")];

#[test]
fn an_idempotent_producer_loses_doubles_and_reorders_nothing_where_its_writes_are_held() {
    under_load("fence-hold", "hold", &IDEMPOTENT);
}

#[test]
fn an_idempotent_producer_loses_doubles_and_reorders_nothing_where_it_is_told_to_try_again() {
    under_load("fence-retriable", "retriable", &IDEMPOTENT);
}

#[test]
fn a_producer_without_idempotence_keeps_its_order_where_its_writes_are_held() {
    under_load("fence-plain", "hold", &[("acks", "1")]);
}

/// Fences the topic of a Java producer, which writes numbers in ascending order.
fn java(topic: &str, answer: &str) {
    const MESSAGES: usize = 4_000;
    let Some(front) = Front::start() else { return };
    let cluster = modern().unwrap();
    topics::create(cluster, topic, &[&[1]]);
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "enable.idempotence=true\nretries=2147483647\n").unwrap();
    let class = "org.apache.kafka.tools.VerifiableProducer";
    let mut producer = Tool::new(&cluster.install, class)
        .args(["--bootstrap-server", &front.bootstrap, "--topic", topic])
        .args(["--max-messages", &MESSAGES.to_string(), "--throughput", "400"])
        .args(["--command-config", config.path().to_str().unwrap()])
        .spawn();
    let acknowledged = |text: &str| text.matches("producer_send_success").count();
    producer.wait_for_output("it delivers", |text| acknowledged(text) > 200);
    front.fence(topic, "produce", answer);
    wait_for("the producer meets the fence", SETTLE, || {
        let status = front.status();
        status.held + status.answered > 3 || status.waiting > 0
    });
    front.lift();
    let ended = producer.finish();
    assert!(ended.success(), "{ended}");
    assert!(ended.stdout.contains(&format!("\"acked\":{MESSAGES}")), "{ended}");
    let expected: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert!(
        read_all(&front.bootstrap, topic) == expected,
        "lost, doubled or reordered"
    );
}

#[test]
fn a_java_producer_loses_doubles_and_reorders_nothing_where_its_writes_are_held() {
    java("fence-java-hold", "hold");
}

#[test]
fn a_java_producer_loses_doubles_and_reorders_nothing_where_it_is_told_to_try_again() {
    java("fence-java-retriable", "retriable");
}

#[test]
fn a_transaction_goes_on_after_a_fence_of_everything() {
    let Some(front) = Front::start() else { return };
    let topic = "fence-transaction";
    topics::create(modern().unwrap(), topic, &[&[1]]);
    let producer = TestProducer::new(&front.bootstrap, &[("transactional.id", topic)]);
    producer.client.init_transactions(SETTLE).unwrap();
    producer.client.begin_transaction().unwrap();
    let sent = values("t", 100, 20);
    sent[..50]
        .iter()
        .for_each(|value| producer.send(topic, value.as_bytes()));
    wait_for("it delivers", SETTLE, || producer.deliveries.delivered() == 50);
    front.fence("*", "produce", "retriable");
    sent[50..]
        .iter()
        .for_each(|value| producer.send(topic, value.as_bytes()));
    wait_for("the producer meets the fence", SETTLE, || {
        front.status().answered > 0
    });
    front.lift();
    producer.client.commit_transaction(SETTLE).unwrap();
    assert_eq!(read_all(&front.bootstrap, topic), sent);
}

#[test]
fn a_consumer_gets_nothing_under_a_fence_of_fetch_and_everything_after_it() {
    let Some(front) = Front::start() else { return };
    let (topic, beside) = ("fence-fetch", "fence-fetch-beside");
    for name in [topic, beside] {
        topics::create(modern().unwrap(), name, &[&[1]]);
    }
    let producer = TestProducer::new(&front.bootstrap, &IDEMPOTENT);
    let sent = values("f", 300, 50);
    let consumer = subscriber(&front.bootstrap, topic, topic, &[]);
    sent[..100]
        .iter()
        .for_each(|value| producer.send(topic, value.as_bytes()));
    let mut read = Vec::new();
    wait_for("it reads", SETTLE, || {
        read.extend(poll(&consumer));
        read.len() == 100
    });
    front.fence(topic, "fetch", "retriable");
    sent[100..]
        .iter()
        .for_each(|value| producer.send(topic, value.as_bytes()));
    sent.iter()
        .for_each(|value| producer.send(beside, value.as_bytes()));
    producer.flush();
    consume(&front.bootstrap, beside, beside, sent.len(), &[]);
    wait_for("answers are emptied", SETTLE, || {
        assert_eq!(poll(&consumer), None);
        front.status().emptied > 3
    });
    front.lift();
    wait_for("it reads the rest", PATIENCE.max(SETTLE), || {
        read.extend(poll(&consumer));
        read.len() == sent.len()
    });
    assert_eq!(read, sent);
}
