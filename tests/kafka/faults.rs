//! Promise 5: leaders that move, brokers that die.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, ElectLeadersRequest,
    alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
    elect_leaders_request::TopicPartitions,
};

use crate::plaintext;
use testkit::{
    entry_point::{EntryPoint, Route},
    kafka::{KafkaCluster, Listener, Options, wait_for},
    maven::{KafkaVersion, require},
    raw::Raw,
    topics,
};
use testkit_clients::{TestProducer, poll, read_all, sorted, subscriber};

/// Longest time until a cluster has done what it was asked.
const SETTLE: Duration = Duration::from_secs(60);

/// Produces numbered values to `topic` while `disturb` runs, and returns them once all are acknowledged.
fn produce_during(entry: &EntryPoint<'_>, topic: &str, disturb: impl FnOnce(&TestProducer)) -> Vec<String> {
    let producer = TestProducer::new(&entry.bootstrap(), &[("enable.idempotence", "true")]);
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let value = format!("value-{}", sent.len());
                producer.send(topic, value.as_bytes());
                sent.push(value);
                // A steady trickle: something is always in flight, and the logs stay small.
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        disturb(&producer);
        done.store(true, Ordering::Relaxed);
        sender.join().expect("the sender does not panic")
    });
    producer.flush();
    sent
}

/// Waits until `more` messages were acknowledged after this moment.
fn wait_for_deliveries(producer: &TestProducer, more: usize) {
    let target = producer.deliveries.delivered() + more;
    wait_for("deliveries go on", SETTLE, || {
        producer.deliveries.delivered() >= target
    });
}

#[test]
fn leader_moves_under_a_producer_lose_and_duplicate_nothing() {
    let Some(entry) = plaintext() else { return };
    let topic = "moving";
    topics::create(entry.cluster, topic, &[&[1, 2, 3]]);
    let sent = produce_during(&entry, topic, |producer| {
        for leader in [2, 3, 1] {
            wait_for_deliveries(producer, 100);
            move_leader(entry.cluster, topic, leader);
        }
        wait_for_deliveries(producer, 100);
    });
    // One partition and an idempotent producer: the order is part of the promise.
    assert_eq!(read_all(&entry.bootstrap(), topic), sent);
}

/// Makes `leader` the preferred leader of partition 0 and then the leader.
fn move_leader(cluster: &KafkaCluster, topic: &str, leader: i32) {
    let replicas = [leader, leader % 3 + 1, (leader + 1) % 3 + 1];
    let address = cluster.address(1, Listener::Plaintext);
    let reassign = AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(30_000)
        .with_topics(vec![
            ReassignableTopic::default()
                .with_name(topics::topic_name(topic))
                .with_partitions(vec![
                    ReassignablePartition::default()
                        .with_partition_index(0)
                        .with_replicas(Some(replicas.map(BrokerId).to_vec())),
                ]),
        ]);
    let answer = Raw::connect(address)
        .and_then(|mut client| client.call(0, &reassign))
        .unwrap();
    assert_eq!(answer.error_code, 0, "{answer:?}");
    let partition = TopicPartitions::default()
        .with_topic(topics::topic_name(topic))
        .with_partitions(vec![0]);
    let elect = ElectLeadersRequest::default()
        .with_topic_partitions(Some(vec![partition]))
        .with_timeout_ms(30_000);
    wait_for("the leader has moved", SETTLE, || {
        Raw::connect(address)
            .and_then(|mut client| client.call(2, &elect))
            .unwrap();
        topics::leaders(address, topic) == [leader]
    });
}

/// A cluster of its own: its nodes are killed.
#[test]
fn a_killed_and_restarted_broker_loses_and_duplicates_nothing() {
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let cluster = KafkaCluster::start(&install, 3, Options::default());
    let entry = Route::chosen().open(&cluster, Listener::Plaintext);
    let topic = "survivor";
    topics::create_spread(&cluster, topic);
    let consumer = subscriber(&entry.bootstrap(), topic, topic, &[]);
    let mut seen = BTreeSet::new();
    let sent = produce_during(&entry, topic, |producer| {
        wait_for_deliveries(producer, 300);
        wait_for("the consumer runs", SETTLE, || {
            seen.extend(poll(&consumer));
            !seen.is_empty()
        });
        cluster.kill(2);
        // Partition 1 was led by node 2; deliveries to it resume with another leader.
        wait_for("node 2 leads nothing", SETTLE, || {
            seen.extend(poll(&consumer));
            let leaders = topics::leaders(cluster.address(1, Listener::Plaintext), topic);
            leaders.len() == 3 && !leaders.contains(&2)
        });
        wait_for_deliveries(producer, 300);
        cluster.restart(2);
        wait_for_deliveries(producer, 300);
    });
    let deadline = Instant::now() + SETTLE;
    while seen.len() < sent.len() {
        assert!(
            Instant::now() < deadline,
            "the group saw {} of {}",
            seen.len(),
            sent.len()
        );
        seen.extend(poll(&consumer));
    }
    assert_eq!(sorted(read_all(&entry.bootstrap(), topic)), sorted(sent));
}
