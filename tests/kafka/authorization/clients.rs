//! What applications are told where they lack rights: straight at a broker with StandardAuthorizer, and through kproxy at
//! one without an authorizer.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    producer::{BaseRecord, Producer, ThreadedProducer},
};
use testkit_clients::{Deliveries, config};

use super::*;

/// Longest wait for an answer or a record.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Settings of librdkafka that log in as alice.
fn alice(bootstrap: &str, more: &[(&str, &str)]) -> ClientConfig {
    let mut settings = config(bootstrap, more);
    settings
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", "alice")
        .set("sasl.password", "alice-secret");
    settings
}

/// The name of an error.
fn named(error: &KafkaError) -> String {
    error
        .rdkafka_error_code()
        .map_or_else(|| error.to_string(), |code| format!("{code:?}"))
}

fn producer(bootstrap: &str, more: &[(&str, &str)]) -> (ThreadedProducer<Deliveries>, Deliveries) {
    let deliveries = Deliveries::default();
    let client = alice(bootstrap, more)
        .create_with_context(deliveries.clone())
        .unwrap();
    (client, deliveries)
}

/// Sends five records to each topic, in turn; returns how many were delivered, and why the others were not.
fn send(client: &ThreadedProducer<Deliveries>, deliveries: &Deliveries, topics: &[&str]) -> String {
    for _ in 0..5 {
        for topic in topics {
            let record = BaseRecord::<(), [u8]>::to(topic).payload(b"more");
            client.send(record).map_err(|(error, _)| error).unwrap();
        }
    }
    client.flush(TIMEOUT).unwrap();
    let failed: Vec<String> = deliveries.failed().iter().map(named).collect();
    format!("{} delivered, not {failed:?}", deliveries.delivered())
}

/// What a transactional producer is told that may use the transactional id, but not write to one of its topics.
fn transaction(bootstrap: &str) -> Vec<String> {
    let (client, deliveries) = producer(bootstrap, &[("transactional.id", "ta")]);
    let mut told = Vec::new();
    client.init_transactions(TIMEOUT).unwrap();
    client.begin_transaction().unwrap();
    told.push(send(&client, &deliveries, &["a1", "b1"]));
    let committed = client.commit_transaction(TIMEOUT).map_err(|error| named(&error));
    told.push(format!("commit {committed:?}"));
    let aborted = client.abort_transaction(TIMEOUT).map_err(|error| named(&error));
    told.push(format!("abort {aborted:?}"));
    told
}

/// What a consumer of this group is told, until all of `wanted` has come.
fn consume(bootstrap: &str, group: &str, topics: &[&str], wanted: &[&str]) -> Vec<String> {
    let settings = [
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("topic.metadata.refresh.interval.ms", "1000"),
    ];
    let consumer: BaseConsumer = alice(bootstrap, &settings).create().unwrap();
    consumer.subscribe(topics).unwrap();
    let deadline = Instant::now() + TIMEOUT;
    let mut told = BTreeSet::new();
    while !wanted.iter().all(|one| told.contains(*one)) {
        assert!(Instant::now() < deadline, "{group} {topics:?}: {told:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => told.insert(format!("record of {}", record.topic())),
            Some(Err(error)) => told.insert(named(&error)),
            None => false,
        };
    }
    told.into_iter().collect()
}

/// Everything that clients with librdkafka are told at `bootstrap`, one line for each thing.
fn librdkafka(bootstrap: &str) -> Vec<String> {
    let mut told = Vec::new();
    let (client, deliveries) = producer(bootstrap, &[]);
    told.push(format!("plain: {}", send(&client, &deliveries, &["a1", "b1"])));
    let (client, deliveries) = producer(bootstrap, &[("enable.idempotence", "true")]);
    told.push(format!(
        "idempotent: {}",
        send(&client, &deliveries, &["a1", "b1"])
    ));
    let (client, _) = producer(bootstrap, &[("transactional.id", "tb")]);
    let begun = client.init_transactions(TIMEOUT).map_err(|error| named(&error));
    told.push(format!("denied transactional id: {begun:?}"));
    told.extend(
        transaction(bootstrap)
            .into_iter()
            .map(|line| format!("transaction: {line}")),
    );
    let denied = consume(bootstrap, "gb", &["a1"], &["GroupAuthorizationFailed"]);
    told.push(format!("denied group: {denied:?}"));
    let both = consume(
        bootstrap,
        "n-alice-both",
        &["a1", "b1"],
        &["record of a1", "TopicAuthorizationFailed"],
    );
    told.push(format!("denied topic: {both:?}"));
    told
}

/// What kcat tells of a topic that alice may read, one that she may see, and one that is hidden from her.
fn kcat(bootstrap: &str) -> Vec<String> {
    let kcat = testkit::kcat::Kcat::to(bootstrap)
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", "alice")
        .set("sasl.password", "alice-secret");
    let listed = kcat.tool().args(["-L", "-J", "-m", "30"]).succeed();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let names = listed["topics"].as_array().unwrap().iter();
    let mut names: Vec<String> = names.map(|topic| topic["topic"].to_string()).collect();
    names.sort_unstable();
    let mut told = vec![format!("topics {names:?}")];
    for topic in ["sh", "seen", "b1"] {
        let read = kcat
            .tool()
            .args(["-C", "-q", "-t", topic, "-o", "beginning", "-c", "1"])
            .run();
        let denied = read.stderr.contains("Topic authorization failed");
        told.push(format!("{topic}: {:?}, denied {denied}", read.stdout));
    }
    told
}

/// What the Java consumer is told that subscribes by a regular expression of KIP-848.
fn java_pattern(install: &Install, bootstrap: &str) -> Vec<String> {
    let printed = Tool::java(install, &format!("{SCRIPTS}/PartialRights.java"), &[])
        .args(["pattern", bootstrap, "alice", "n-alice-pattern", "a1|b1|sh", "2"])
        .succeed();
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn applications_with_some_rights_are_told_the_same_as_by_a_broker() {
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let setup = |at: &str, scripts: &[&str]| drop(perform(&install, at, at, scripts));
    let run = |bootstrap: &str| {
        let mut told = java_pattern(&install, bootstrap);
        told.extend(librdkafka(bootstrap));
        if testkit::kcat::require() {
            told.extend(kcat(bootstrap));
        }
        told
    };
    let strict = broker(&install, true);
    let at = strict.address(1, Listener::SaslPlaintext).to_string();
    setup(&at, &["setup.jsonl", "acls.jsonl"]);
    let expected = run(&at);
    drop(strict);
    let open = broker(&install, false);
    let at = open.address(1, Listener::SaslPlaintext).to_string();
    setup(&at, &["setup.jsonl"]);
    let kproxy = Proxy::start(model(&open, &rules_of_the_scripts())).unwrap();
    let got = run(&front(&kproxy));
    assert_eq!(got, expected);
    assert!(expected.len() > 8, "{expected:?}");
}

#[test]
fn a_right_that_is_taken_away_reaches_a_share_consumer_and_comes_back() {
    let Some(open) = open_broker() else { return };
    let may = |operations: &str| model(open, &rules_for("shared", operations));
    let kproxy = Proxy::start(may("{CREATE, READ, WRITE}")).unwrap();
    let at = open.address(1, Listener::SaslPlaintext).to_string();
    let admin = login("admin");
    // What is written comes straight to the broker.
    let produce = |value: &str| {
        Tool::new(&open.install, "org.apache.kafka.tools.ConsoleProducer")
            .args(["--bootstrap-server", &at, "--topic", "shared"])
            .args(["--command-config", admin.path().to_str().unwrap()])
            .stdin(format!("{value}\n"))
            .succeed()
    };
    produce("first");
    let mut consumer = Tool::java(&open.install, &format!("{SCRIPTS}/PartialRights.java"), &[])
        .args(["share", &front(&kproxy), "alice", "sharing", "shared", &at])
        .spawn();
    consumer.wait_for_output("the first record", |output| {
        output.contains("record shared first")
    });
    kproxy.reload(may("{CREATE, WRITE}")).unwrap();
    consumer.wait_for_output("the denial", |output| {
        output.contains("error TopicAuthorizationException [shared]")
    });
    produce("second");
    // A member that may read gets it: the broker has not given it to the one that may not.
    let mut other = Tool::java(&open.install, &format!("{SCRIPTS}/PartialRights.java"), &[])
        .args(["share", &at, "admin", "sharing", "shared", &at])
        .spawn();
    other.wait_for_output("the second record", |output| {
        output.contains("record shared second")
    });
    other.terminate();
    assert!(!consumer.stdout().contains("second"), "{}", consumer.stdout());
    kproxy.reload(may("{CREATE, READ, WRITE}")).unwrap();
    produce("third");
    consumer.wait_for_output("the third record", |output| {
        output.contains("record shared third")
    });
    consumer.kill();
}
