//! Topics, made and looked at through one raw connection.

use std::{net::SocketAddr, time::Duration};

use kafka_protocol::{
    messages::{
        BrokerId, CreateTopicsRequest, MetadataRequest, MetadataResponse, TopicName,
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic},
        metadata_request::MetadataRequestTopic,
    },
    protocol::StrBytes,
};

use super::{
    kafka::{KafkaCluster, Listener, wait_for},
    raw::Raw,
};

const CREATE_TOPICS_VERSION: i16 = 7;
const METADATA_VERSION: i16 = 12;

/// A topic's name as messages carry it.
pub fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// Creates a topic whose partition `i` has the replicas `assignment[i]`, the first being the preferred leader,
/// and waits until every broker knows a leader for each partition.
pub fn create(cluster: &KafkaCluster, name: &str, assignment: &[&[i32]]) {
    let partitions = (0..).zip(assignment).map(|(index, replicas)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(replicas.iter().map(|id| BrokerId(*id)).collect())
    });
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(partitions.collect());
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(30_000);
    let first = cluster.address(cluster.ids()[0], Listener::Plaintext);
    let answer = Raw::connect(first)
        .and_then(|mut client| client.call(CREATE_TOPICS_VERSION, &request))
        .unwrap_or_else(|error| panic!("creating {name}: {error}"));
    assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics[0]);
    wait_for(
        "every broker knows the topic's leaders",
        Duration::from_secs(30),
        || {
            cluster.ids().into_iter().all(|id| {
                let leaders = leaders(cluster.address(id, Listener::Plaintext), name);
                leaders.len() == assignment.len() && leaders.iter().all(|leader| *leader >= 0)
            })
        },
    );
}

/// A topic of three partitions, one led by each of three nodes, or of one partition on a single node.
pub fn create_spread(cluster: &KafkaCluster, name: &str) {
    match cluster.ids().as_slice() {
        [only] => create(cluster, name, &[&[*only]]),
        _ => create(cluster, name, &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2]]),
    }
}

/// The leader of each partition of `name` as the server at `address` has it; empty where it has none.
pub fn leaders(address: SocketAddr, name: &str) -> Vec<i32> {
    let Some(topic) = describe(address, name).and_then(|mut answer| answer.topics.pop()) else {
        return Vec::new();
    };
    let mut partitions = topic.partitions;
    partitions.sort_unstable_by_key(|partition| partition.partition_index);
    partitions.iter().map(|partition| partition.leader_id.0).collect()
}

/// Metadata of one topic, which is not created by the question.
pub fn describe(address: SocketAddr, name: &str) -> Option<MetadataResponse> {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(false);
    Raw::connect(address).ok()?.call(METADATA_VERSION, &request).ok()
}
