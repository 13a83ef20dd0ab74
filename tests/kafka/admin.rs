//! Promise 3: the admin tools.

use std::{fs, time::Duration};

use crate::plaintext;
use testkit::{
    entry_point::EntryPoint,
    java::Tool,
    kafka::{Listener, wait_for},
    topics,
};
use testkit_clients::{produce, values};

fn tool(entry: &EntryPoint<'_>, class: &str) -> Tool {
    Tool::new(&entry.cluster.install, class).args(["--bootstrap-server", &entry.bootstrap()])
}

#[test]
fn topics_are_created_altered_and_deleted() {
    let Some(entry) = plaintext() else { return };
    let topic = "administered";
    let command = || tool(&entry, "org.apache.kafka.tools.TopicCommand").args(["--topic", topic]);
    command()
        .args(["--create", "--partitions", "2", "--replication-factor", "3"])
        .succeed();
    command().args(["--alter", "--partitions", "4"]).succeed();
    let described = command().arg("--describe").succeed();
    assert!(
        described.contains("PartitionCount: 4") && described.contains("ReplicationFactor: 3"),
        "{described}"
    );
    command().arg("--delete").succeed();
    let first = entry.address();
    wait_for("the topic is gone", Duration::from_secs(20), || {
        topics::leaders(first, topic).is_empty()
    });
}

#[test]
fn configurations_are_altered_and_described() {
    let Some(entry) = plaintext() else { return };
    let topic = "configured";
    topics::create_spread(entry.cluster, topic);
    let command = || tool(&entry, "org.apache.kafka.tools.ConfigCommand");
    let of_topic = ["--entity-type", "topics", "--entity-name", topic];
    command()
        .args(of_topic)
        .args(["--alter", "--add-config", "retention.ms=4242000"])
        .succeed();
    let described = command().args(of_topic).arg("--describe").succeed();
    assert!(described.contains("retention.ms=4242000"), "{described}");
    // A broker's settings are answered by that broker: the question has to reach node 2.
    let of_broker = ["--entity-type", "brokers", "--entity-name", "2"];
    command()
        .args(of_broker)
        .args(["--alter", "--add-config", "log.cleaner.threads=2"])
        .succeed();
    let described = command().args(of_broker).arg("--describe").succeed();
    assert!(described.contains("log.cleaner.threads=2"), "{described}");
}

#[test]
fn partitions_are_reassigned() {
    let Some(entry) = plaintext() else { return };
    let topic = "reassigned";
    topics::create(entry.cluster, topic, &[&[1, 2]]);
    produce(&entry.bootstrap(), topic, &values("v", 100, 100), &[]);
    let plan = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        plan.path(),
        format!(r#"{{"version":1,"partitions":[{{"topic":"{topic}","partition":0,"replicas":[3,2]}}]}}"#),
    )
    .unwrap();
    tool(
        &entry,
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    )
    .args([
        "--execute",
        "--reassignment-json-file",
        plan.path().to_str().unwrap(),
    ])
    .succeed();
    let first = entry.address();
    wait_for("node 3 leads", Duration::from_secs(30), || {
        topics::leaders(first, topic) == [3]
    });
}

#[test]
fn the_cluster_describes_itself_with_addresses_of_the_front() {
    let Some(entry) = plaintext() else { return };
    let command = || Tool::new(&entry.cluster.install, "org.apache.kafka.tools.ClusterTool");
    let bootstrap = entry.bootstrap();
    let endpoints = command()
        .args(["list-endpoints", "--bootstrap-server", &bootstrap])
        .succeed();
    // Columns: ID HOST PORT RACK STATE ENDPOINT_TYPE
    let mut listed: Vec<(i32, u16)> = endpoints
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            Some((fields.first()?.parse().ok()?, fields.get(2)?.parse().ok()?))
        })
        .collect();
    listed.sort_unstable();
    let expected: Vec<(i32, u16)> = entry
        .cluster
        .ids()
        .into_iter()
        .map(|id| (id, entry.node(id).port()))
        .collect();
    assert_eq!(listed, expected, "{endpoints}");

    let id = |bootstrap: &str| {
        command()
            .args(["cluster-id", "--bootstrap-server", bootstrap])
            .succeed()
    };
    let straight = entry.cluster.address(1, Listener::Plaintext).to_string();
    assert_eq!(id(&bootstrap), id(&straight), "the cluster id passes unchanged");
}

#[test]
fn the_quorum_is_described() {
    let Some(entry) = plaintext() else { return };
    let status = tool(&entry, "org.apache.kafka.tools.MetadataQuorumCommand")
        .args(["describe", "--status"])
        .succeed();
    assert!(
        status.contains("LeaderId:") && status.contains("CurrentVoters:"),
        "{status}"
    );
    for (id, ports) in entry.cluster.ports() {
        assert!(status.contains(&format!("\"id\": {id}")), "{status}");
        let controller = format!("127.0.0.1:{}", ports.controller);
        assert!(
            !entry.is_proxied() || !status.contains(&controller),
            "{controller} leaks: {status}"
        );
    }
}

#[test]
fn versions_and_offsets_are_listed_for_every_broker() {
    let Some(entry) = plaintext() else { return };
    let topic = "listed";
    topics::create_spread(entry.cluster, topic);
    produce(&entry.bootstrap(), topic, &values("v", 90, 100), &[]);
    let offsets = tool(&entry, "org.apache.kafka.tools.GetOffsetShell")
        .args(["--topic", topic])
        .succeed();
    let ends: Vec<u64> = offsets
        .lines()
        .filter_map(|line| line.rsplit(':').next()?.parse().ok())
        .collect();
    assert_eq!((ends.len(), ends.iter().sum::<u64>()), (3, 90), "{offsets}");

    let versions = tool(&entry, "org.apache.kafka.tools.BrokerApiVersionsCommand").succeed();
    for id in entry.cluster.ids() {
        let line = format!("{} (id: {id} ", entry.node(id));
        assert!(versions.contains(&line), "no {line:?} in {versions}");
    }
}
