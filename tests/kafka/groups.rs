//! Promise 2: groups.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::plaintext;
use testkit::{entry_point::EntryPoint, java::Tool, kafka::wait_for, tool::Running, topics};
use testkit_clients::{poll, produce, read_all, sorted, subscriber, values};

const REBALANCE: Duration = Duration::from_secs(40);

#[test]
fn classic_group_shares_commits_and_takes_over() {
    let Some(entry) = plaintext() else { return };
    take_over(&entry, "classic", &[]);
}

#[test]
fn librdkafka_consumer_protocol_group_shares_commits_and_takes_over() {
    let Some(entry) = plaintext() else { return };
    take_over(&entry, "librdkafka-848", &[("group.protocol", "consumer")]);
}

/// Two members share the partitions; what one committed the other does not get again when it is left alone.
pub(crate) fn take_over(entry: &EntryPoint<'_>, topic: &str, settings: &[(&str, &str)]) {
    topics::create_spread(entry.cluster, topic);
    let bootstrap = entry.bootstrap();
    let settings = [settings, &[("enable.auto.commit", "false")]].concat();
    let member = || subscriber(&bootstrap, topic, topic, &settings);
    let first = member();
    wait_for("one member has everything", REBALANCE, || {
        poll(&first).is_some() || assigned(&first) == partitions(entry)
    });
    let sent = values("before", 300, 30);
    produce(&bootstrap, topic, &sent, &[]);
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + REBALANCE;
    while seen.len() < sent.len() {
        assert!(Instant::now() < deadline, "{} of {}", seen.len(), sent.len());
        seen.extend(poll(&first));
    }
    first
        .commit_consumer_state(CommitMode::Sync)
        .expect("the coordinator answers");
    if partitions(entry) > 1 {
        let second = member();
        wait_for("both members have partitions", REBALANCE, || {
            assert_eq!(poll(&second), None, "everything was committed");
            assert_eq!(poll(&first), None, "everything was committed");
            assigned(&first) > 0
                && assigned(&second) > 0
                && assigned(&first) + assigned(&second) == partitions(entry)
        });
    }
    drop(first);
    let second = member();
    let after = values("after", 100, 30);
    produce(&bootstrap, topic, &after, &[]);
    let mut got = Vec::new();
    let deadline = Instant::now() + REBALANCE;
    while got.len() < after.len() {
        assert!(Instant::now() < deadline, "{} of {}", got.len(), after.len());
        got.extend(poll(&second));
    }
    assert_eq!(sorted(got), sorted(after));
}

fn assigned(member: &BaseConsumer) -> usize {
    member.assignment().map_or(0, |assignment| assignment.count())
}

fn partitions(entry: &EntryPoint<'_>) -> usize {
    entry.cluster.ids().len()
}

/// The Java client with the group protocol of KIP-848.
#[test]
fn java_consumer_protocol_group_consumes() {
    let Some(entry) = plaintext() else { return };
    let topic = "java-848";
    topics::create_spread(entry.cluster, topic);
    produce(&entry.bootstrap(), topic, &values("v", 400, 30), &[]);
    let members: Vec<Running> = (0..2)
        .map(|_| java_member(&entry, topic, "consumer").spawn())
        .collect();
    consumed_in_total(members, 400);
    let groups = Tool::new(
        &entry.cluster.install,
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    )
    .args([
        "--bootstrap-server",
        &entry.bootstrap(),
        "--describe",
        "--group",
        topic,
    ])
    .succeed();
    // TOPIC PARTITION … CURRENT-OFFSET LOG-END-OFFSET LAG: everything was committed.
    let lags: Vec<i64> = groups
        .lines()
        .filter(|line| line.contains(topic) && !line.contains("has no active members"))
        .filter_map(|line| {
            line.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .nth(3)
        })
        .collect();
    assert_eq!(lags, [0, 0, 0], "{groups}");
}

#[test]
fn java_classic_group_consumes() {
    let Some(entry) = plaintext() else { return };
    let topic = "java-classic";
    topics::create_spread(entry.cluster, topic);
    produce(&entry.bootstrap(), topic, &values("v", 400, 30), &[]);
    consumed_in_total(vec![java_member(&entry, topic, "classic").spawn()], 400);
}

fn java_member(entry: &EntryPoint<'_>, topic: &str, protocol: &str) -> Tool {
    Tool::new(
        &entry.cluster.install,
        "org.apache.kafka.tools.VerifiableConsumer",
    )
    .args([
        "--bootstrap-server",
        &entry.bootstrap(),
        "--topic",
        topic,
        "--group-id",
        topic,
    ])
    .args(["--group-protocol", protocol, "--reset-policy", "earliest"])
}

/// Share groups (KIP-932): several consumers of one partition, each record acknowledged by one of them.
#[test]
fn share_group_consumes_each_record_once() {
    let Some(entry) = plaintext() else { return };
    let topic = "shared";
    topics::create(entry.cluster, topic, &[&[3, 1, 2]]);
    let members: Vec<Running> = (0..2)
        .map(|_| {
            Tool::new(
                &entry.cluster.install,
                "org.apache.kafka.tools.VerifiableShareConsumer",
            )
            .args([
                "--bootstrap-server",
                &entry.bootstrap(),
                "--topic",
                topic,
                "--group-id",
                topic,
            ])
            .args([
                "--acknowledgement-mode",
                "sync",
                "--offset-reset-strategy",
                "earliest",
            ])
            .spawn()
        })
        .collect();
    produce(&entry.bootstrap(), topic, &values("v", 400, 30), &[]);
    consumed_in_total(members, 400);
}

/// Waits until the members together report `expected` records consumed, stops them, and demands that it were no
/// more.
fn consumed_in_total(members: Vec<Running>, expected: u64) {
    wait_for("the members consumed everything", Duration::from_secs(80), || {
        members
            .iter()
            .map(|member| consumed(&member.stdout()))
            .sum::<u64>()
            >= expected
    });
    let outputs: Vec<_> = members.into_iter().map(Running::terminate).collect();
    let total: u64 = outputs.iter().map(|output| consumed(&output.stdout)).sum();
    let texts: String = outputs.iter().map(ToString::to_string).collect();
    assert_eq!(total, expected, "{texts}");
}

/// Sums the counts of the JSON lines named `records_consumed`.
pub(crate) fn consumed(stdout: &str) -> u64 {
    stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| event["name"] == "records_consumed")
        .filter_map(|event| event["count"].as_u64())
        .sum()
}

/// Consume, transform, produce with offsets in the transaction: the reference client for exactly once.
#[test]
fn transactional_copy_is_exact() {
    let Some(entry) = plaintext() else { return };
    copy_exactly(&entry, "copy");
}

pub(crate) fn copy_exactly(entry: &EntryPoint<'_>, name: &str) {
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    let replicas = entry.cluster.ids();
    topics::create(entry.cluster, &input, &[&replicas]);
    topics::create(entry.cluster, &output, &[&replicas]);
    let sent = values("v", 300, 30);
    produce(&entry.bootstrap(), &input, &sent, &[]);
    Tool::new(
        &entry.cluster.install,
        "org.apache.kafka.tools.TransactionalMessageCopier",
    )
    .args([
        "--broker-list",
        &entry.bootstrap(),
        "--input-topic",
        &input,
        "--input-partition",
        "0",
    ])
    .args([
        "--output-topic",
        &output,
        "--transactional-id",
        name,
        "--consumer-group",
        name,
    ])
    .args(["--transaction-size", "50", "--enable-random-aborts"])
    .succeed();
    assert_eq!(read_all(&entry.bootstrap(), &output), sent);
}
