//! Promise 7: Kafka 3.9, and the release before the newest.

use crate::{groups, old, previous, produce::commit_and_abort};
use testkit::{
    entry_point::{EntryPoint, Route},
    java::Tool,
    kafka::Listener,
    topics,
};
use testkit_clients::{produce, read_all, sorted, values};

fn entry() -> Option<EntryPoint<'static>> {
    Some(Route::chosen().open(old()?, Listener::Plaintext))
}

#[test]
fn kafka_3_9_produces_and_consumes() {
    let Some(entry) = entry() else { return };
    produces_and_consumes(&entry);
}

#[test]
fn kafka_4_3_produces_and_consumes() {
    let Some(previous) = previous() else { return };
    produces_and_consumes(&Route::chosen().open(previous, Listener::Plaintext));
}

fn produces_and_consumes(entry: &EntryPoint<'_>) {
    for acks in ["0", "1", "all"] {
        let topic = format!("old-{acks}");
        topics::create_spread(entry.cluster, &topic);
        let sent = values("v", 500, 200);
        produce(&entry.bootstrap(), &topic, &sent, &[("acks", acks)]);
        let group = testkit_clients::consume(&entry.bootstrap(), &topic, &topic, sent.len(), &[]);
        assert_eq!(sorted(group), sorted(sent.clone()));
        assert_eq!(read_all(&entry.bootstrap(), &topic), sent);
    }
}

#[test]
fn kafka_3_9_groups_take_over() {
    let Some(entry) = entry() else { return };
    groups::take_over(&entry, "old-classic", &[]);
}

#[test]
fn kafka_3_9_transactions_commit_and_abort() {
    let Some(entry) = entry() else { return };
    commit_and_abort(&entry, "old-transactions");
}

#[test]
fn kafka_3_9_java_clients_copy_exactly() {
    let Some(entry) = entry() else { return };
    groups::copy_exactly(&entry, "old-copy");
}

#[test]
fn kafka_3_9_admin_sees_the_front() {
    let Some(entry) = entry() else { return };
    let described = Tool::new(&entry.cluster.install, "org.apache.kafka.tools.ClusterTool")
        .args(["cluster-id", "--bootstrap-server", &entry.bootstrap()])
        .succeed();
    assert!(described.contains("Cluster ID: K"), "{described}");
}
