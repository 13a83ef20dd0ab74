//! The table of APIs: one row per API, with what the schemas of its messages do not say. Versions and the first flexible
//! one come from the schemas ([`schema`](super::super::schema)).
//!
//! Source of every fact, unless a row's method says otherwise: the message schemas of Apache Kafka 3.9 and 4.4
//! (`clients/src/main/resources/common/message/*.json`).

use super::{Api, HIGHEST_KEY};

/// Layouts of responses that name brokers, by the API whose schema defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressLayout {
    /// `brokers[]` before the topics.
    Metadata,
    /// One coordinator, or `coordinators[]` since version 4 (KIP-699).
    FindCoordinator,
    /// `brokers[]`, or controllers (KIP-919), in the middle of a small body.
    DescribeCluster,
    /// `nodes[].listeners[]` at the end of a small body (KIP-853).
    DescribeQuorum,
    /// `node_endpoints[]` (KIP-951) as tagged field 0 of the body.
    Produce,
    /// `node_endpoints[]` (KIP-951) as tagged field 0 of the body.
    Fetch,
    /// `node_endpoints[]` as the last plain field of the body (KIP-932).
    ShareFetch,
    /// `node_endpoints[]` as the last plain field of the body (KIP-932).
    ShareAcknowledge,
}

/// Places of `throttle_time_ms` in a response body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottlePosition {
    /// The first field.
    First,
    /// Behind the topics of a Produce response.
    AfterTopics,
}

/// Places of `max_wait_ms` in a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxWaitPosition {
    /// Behind `replica_id`, which is a tagged field since version 15 of Fetch (KIP-903).
    AfterReplicaId,
    /// Behind group, member and epoch of a share session (KIP-932).
    AfterShareSession,
}

/// Things that a request can be about, besides topics and the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedThing {
    /// A group of consumers, of share consumers or of a streams application.
    Group,
    /// A transaction, by the id of its producer.
    Transaction,
}

use AddressLayout::{
    DescribeCluster, DescribeQuorum, Fetch, FindCoordinator, Metadata, Produce, ShareAcknowledge, ShareFetch,
};
use MaxWaitPosition::{AfterReplicaId, AfterShareSession};
use NamedThing::{Group, Transaction};
use ThrottlePosition::{AfterTopics, First};

/// Defines the constants of [`ApiKey`] and the rows of the table from one list: key, name, then whatever
/// distinguishes the API (the methods of [`Api`] that build a row).
macro_rules! forwarded {
    ($(
        $constant:ident = $key:literal, $name:ident
        $(, $fact:ident($($argument:expr),*))*;
    )*) => {
        /// Numbers of the APIs a client may use. Never a value: only a home for the constants.
        #[derive(Clone, Copy, Debug)]
        pub enum ApiKey {}

        impl ApiKey {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $constant: i16 = $key;
            )*
        }

        pub(super) const FORWARDED: &[Api] = &[
            $(Api::row($key, stringify!($name))$(.$fact($($argument),*))*,)*
        ];
    };
}

forwarded! {
    PRODUCE = 0, Produce, addresses(Produce), throttled(AfterTopics, 6);
    FETCH = 1, Fetch, addresses(Fetch), throttled(First, 8), repeatable(0), parked(), max_wait(AfterReplicaId);
    LIST_OFFSETS = 2, ListOffsets, throttled(First, 3), repeatable(0);
    METADATA = 3, Metadata, addresses(Metadata), throttled(First, 6), repeatable(0);
    OFFSET_COMMIT = 8, OffsetCommit, names(Group), throttled(First, 4);
    OFFSET_FETCH = 9, OffsetFetch, names(Group), throttled(First, 4), repeatable(0);
    FIND_COORDINATOR = 10, FindCoordinator, names(Group), addresses(FindCoordinator), throttled(First, 2), repeatable(0);
    JOIN_GROUP = 11, JoinGroup, names(Group), repeatable(4), parked();
    HEARTBEAT = 12, Heartbeat, names(Group), throttled(First, 2), repeatable(0);
    LEAVE_GROUP = 13, LeaveGroup, names(Group), throttled(First, 2);
    SYNC_GROUP = 14, SyncGroup, names(Group), repeatable(0), parked();
    DESCRIBE_GROUPS = 15, DescribeGroups, names(Group), repeatable(0);
    LIST_GROUPS = 16, ListGroups, repeatable(0);
    SASL_HANDSHAKE = 17, SaslHandshake, preamble();
    API_VERSIONS = 18, ApiVersions, preamble();
    CREATE_TOPICS = 19, CreateTopics, throttled(First, 3);
    DELETE_TOPICS = 20, DeleteTopics;
    DELETE_RECORDS = 21, DeleteRecords;
    INIT_PRODUCER_ID = 22, InitProducerId, names(Transaction), throttled(First, 1);
    OFFSET_FOR_LEADER_EPOCH = 23, OffsetForLeaderEpoch, repeatable(0);
    ADD_PARTITIONS_TO_TXN = 24, AddPartitionsToTxn, names(Transaction), throttled(First, 1);
    ADD_OFFSETS_TO_TXN = 25, AddOffsetsToTxn, names(Transaction), throttled(First, 1);
    END_TXN = 26, EndTxn, names(Transaction), throttled(First, 1);
    WRITE_TXN_MARKERS = 27, WriteTxnMarkers;
    TXN_OFFSET_COMMIT = 28, TxnOffsetCommit, names(Transaction), throttled(First, 1);
    DESCRIBE_ACLS = 29, DescribeAcls, repeatable(0);
    CREATE_ACLS = 30, CreateAcls;
    DELETE_ACLS = 31, DeleteAcls;
    DESCRIBE_CONFIGS = 32, DescribeConfigs, repeatable(0);
    ALTER_CONFIGS = 33, AlterConfigs;
    ALTER_REPLICA_LOG_DIRS = 34, AlterReplicaLogDirs;
    DESCRIBE_LOG_DIRS = 35, DescribeLogDirs, repeatable(0);
    SASL_AUTHENTICATE = 36, SaslAuthenticate, preamble();
    CREATE_PARTITIONS = 37, CreatePartitions;
    CREATE_DELEGATION_TOKEN = 38, CreateDelegationToken;
    RENEW_DELEGATION_TOKEN = 39, RenewDelegationToken;
    EXPIRE_DELEGATION_TOKEN = 40, ExpireDelegationToken;
    DESCRIBE_DELEGATION_TOKEN = 41, DescribeDelegationToken, repeatable(0);
    DELETE_GROUPS = 42, DeleteGroups, names(Group);
    ELECT_LEADERS = 43, ElectLeaders;
    INCREMENTAL_ALTER_CONFIGS = 44, IncrementalAlterConfigs;
    ALTER_PARTITION_REASSIGNMENTS = 45, AlterPartitionReassignments;
    LIST_PARTITION_REASSIGNMENTS = 46, ListPartitionReassignments, repeatable(0);
    OFFSET_DELETE = 47, OffsetDelete, names(Group);
    DESCRIBE_CLIENT_QUOTAS = 48, DescribeClientQuotas, repeatable(0);
    ALTER_CLIENT_QUOTAS = 49, AlterClientQuotas;
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50, DescribeUserScramCredentials, repeatable(0);
    ALTER_USER_SCRAM_CREDENTIALS = 51, AlterUserScramCredentials;
    DESCRIBE_QUORUM = 55, DescribeQuorum, addresses(DescribeQuorum), repeatable(0);
    UPDATE_FEATURES = 57, UpdateFeatures;
    DESCRIBE_CLUSTER = 60, DescribeCluster, addresses(DescribeCluster), repeatable(0);
    DESCRIBE_PRODUCERS = 61, DescribeProducers, repeatable(0);
    UNREGISTER_BROKER = 64, UnregisterBroker;
    DESCRIBE_TRANSACTIONS = 65, DescribeTransactions, names(Transaction), repeatable(0);
    LIST_TRANSACTIONS = 66, ListTransactions, repeatable(0);
    CONSUMER_GROUP_HEARTBEAT = 68, ConsumerGroupHeartbeat, names(Group), repeatable(0);
    CONSUMER_GROUP_DESCRIBE = 69, ConsumerGroupDescribe, names(Group), repeatable(0);
    GET_TELEMETRY_SUBSCRIPTIONS = 71, GetTelemetrySubscriptions, repeatable(0);
    PUSH_TELEMETRY = 72, PushTelemetry;
    LIST_CONFIG_RESOURCES = 74, ListConfigResources, repeatable(0);
    DESCRIBE_TOPIC_PARTITIONS = 75, DescribeTopicPartitions, repeatable(0);
    SHARE_GROUP_HEARTBEAT = 76, ShareGroupHeartbeat, names(Group), repeatable(0);
    SHARE_GROUP_DESCRIBE = 77, ShareGroupDescribe, names(Group), repeatable(0);
    SHARE_FETCH = 78, ShareFetch, names(Group), addresses(ShareFetch), parked(), max_wait(AfterShareSession);
    SHARE_ACKNOWLEDGE = 79, ShareAcknowledge, names(Group), addresses(ShareAcknowledge);
    ADD_RAFT_VOTER = 80, AddRaftVoter;
    REMOVE_RAFT_VOTER = 81, RemoveRaftVoter;
    INITIALIZE_SHARE_GROUP_STATE = 83, InitializeShareGroupState;
    READ_SHARE_GROUP_STATE = 84, ReadShareGroupState;
    WRITE_SHARE_GROUP_STATE = 85, WriteShareGroupState;
    DELETE_SHARE_GROUP_STATE = 86, DeleteShareGroupState;
    READ_SHARE_GROUP_STATE_SUMMARY = 87, ReadShareGroupStateSummary;
    STREAMS_GROUP_HEARTBEAT = 88, StreamsGroupHeartbeat, names(Group), repeatable(0);
    STREAMS_GROUP_DESCRIBE = 89, StreamsGroupDescribe, names(Group), repeatable(0);
    DESCRIBE_SHARE_GROUP_OFFSETS = 90, DescribeShareGroupOffsets, names(Group), repeatable(0);
    ALTER_SHARE_GROUP_OFFSETS = 91, AlterShareGroupOffsets, names(Group);
    DELETE_SHARE_GROUP_OFFSETS = 92, DeleteShareGroupOffsets, names(Group);
    STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE = 93, StreamsGroupTopologyDescriptionUpdate, names(Group);
    UNREGISTER_CONTROLLER = 94, UnregisterController;
}

/// APIs between brokers and controllers only, with their names: no client may use them.
pub(super) const NOT_FORWARDED: &[(i16, &str)] = &[
    (4, "LeaderAndIsr"),
    (5, "StopReplica"),
    (6, "UpdateMetadata"),
    (7, "ControlledShutdown"),
    (52, "Vote"),
    (53, "BeginQuorumEpoch"),
    (54, "EndQuorumEpoch"),
    (56, "AlterPartition"),
    (58, "Envelope"),
    (59, "FetchSnapshot"),
    (62, "BrokerRegistration"),
    (63, "BrokerHeartbeat"),
    (67, "AllocateProducerIds"),
    (70, "ControllerRegistration"),
    (73, "AssignReplicasToDirs"),
    (82, "UpdateRaftVoter"),
];

/// The rows by API key.
pub(super) const TABLE: [Option<Api>; HIGHEST_KEY + 1] = {
    let mut table = [None; HIGHEST_KEY + 1];
    let mut at = 0;
    while at < FORWARDED.len() {
        let row = FORWARDED[at];
        table[row.key as usize] = Some(row);
        at += 1;
    }
    table
};

/// The table by API key, for look-ups at run time.
pub(super) static BY_KEY: [Option<Api>; HIGHEST_KEY + 1] = TABLE;
