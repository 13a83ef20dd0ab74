//! The table of APIs: one row per API, and nothing about an API anywhere else.
//!
//! Source of every fact, unless a row's method says otherwise: the message schemas of Apache Kafka 3.9 and 4.4
//! (`clients/src/main/resources/common/message/*.json`).

use super::{Api, HIGHEST_KEY, NEVER};

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

use AddressLayout::{
    DescribeCluster, DescribeQuorum, Fetch, FindCoordinator, Metadata, Produce, ShareAcknowledge, ShareFetch,
};
use MaxWaitPosition::{AfterReplicaId, AfterShareSession};
use ThrottlePosition::{AfterTopics, First};

/// Defines the constants of [`ApiKey`] and the rows of the table from one list: key, name, versions, first flexible
/// version, then whatever distinguishes the API (the methods of [`Api`] that build a row).
macro_rules! forwarded {
    ($(
        $constant:ident = $key:literal, $name:ident, $min:literal..=$max:literal, $flexible:expr
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
            $(Api::row($key, stringify!($name), $min, $max, $flexible)$(.$fact($($argument),*))*,)*
        ];
    };
}

forwarded! {
    PRODUCE = 0, Produce, 0..=13, 9, addresses(Produce, 10), throttled(AfterTopics, 6);
    FETCH = 1, Fetch, 0..=18, 12, addresses(Fetch, 16), throttled(First, 8), repeatable(0), parked(), max_wait(AfterReplicaId);
    LIST_OFFSETS = 2, ListOffsets, 0..=11, 6, throttled(First, 3), repeatable(0);
    METADATA = 3, Metadata, 0..=13, 9, addresses(Metadata, 0), throttled(First, 6), repeatable(0);
    OFFSET_COMMIT = 8, OffsetCommit, 0..=10, 8, throttled(First, 4);
    OFFSET_FETCH = 9, OffsetFetch, 0..=10, 6, throttled(First, 4), repeatable(0);
    FIND_COORDINATOR = 10, FindCoordinator, 0..=6, 3, addresses(FindCoordinator, 0), throttled(First, 2), repeatable(0);
    JOIN_GROUP = 11, JoinGroup, 0..=9, 6, repeatable(4), parked();
    HEARTBEAT = 12, Heartbeat, 0..=4, 4, throttled(First, 2), repeatable(0);
    LEAVE_GROUP = 13, LeaveGroup, 0..=5, 4, throttled(First, 2);
    SYNC_GROUP = 14, SyncGroup, 0..=5, 4, repeatable(0), parked();
    DESCRIBE_GROUPS = 15, DescribeGroups, 0..=6, 5, repeatable(0);
    LIST_GROUPS = 16, ListGroups, 0..=5, 3, repeatable(0);
    SASL_HANDSHAKE = 17, SaslHandshake, 0..=1, NEVER, preamble();
    API_VERSIONS = 18, ApiVersions, 0..=5, 3, preamble();
    CREATE_TOPICS = 19, CreateTopics, 0..=7, 5, throttled(First, 3);
    DELETE_TOPICS = 20, DeleteTopics, 0..=6, 4;
    DELETE_RECORDS = 21, DeleteRecords, 0..=2, 2;
    INIT_PRODUCER_ID = 22, InitProducerId, 0..=6, 2, throttled(First, 1);
    OFFSET_FOR_LEADER_EPOCH = 23, OffsetForLeaderEpoch, 0..=4, 4, repeatable(0);
    ADD_PARTITIONS_TO_TXN = 24, AddPartitionsToTxn, 0..=5, 3, throttled(First, 1);
    ADD_OFFSETS_TO_TXN = 25, AddOffsetsToTxn, 0..=4, 3, throttled(First, 1);
    END_TXN = 26, EndTxn, 0..=5, 3, throttled(First, 1);
    WRITE_TXN_MARKERS = 27, WriteTxnMarkers, 0..=2, 1;
    TXN_OFFSET_COMMIT = 28, TxnOffsetCommit, 0..=6, 3, throttled(First, 1);
    DESCRIBE_ACLS = 29, DescribeAcls, 0..=3, 2, repeatable(0);
    CREATE_ACLS = 30, CreateAcls, 0..=3, 2;
    DELETE_ACLS = 31, DeleteAcls, 0..=3, 2;
    DESCRIBE_CONFIGS = 32, DescribeConfigs, 0..=4, 4, repeatable(0);
    ALTER_CONFIGS = 33, AlterConfigs, 0..=2, 2;
    ALTER_REPLICA_LOG_DIRS = 34, AlterReplicaLogDirs, 0..=2, 2;
    DESCRIBE_LOG_DIRS = 35, DescribeLogDirs, 0..=5, 2, repeatable(0);
    SASL_AUTHENTICATE = 36, SaslAuthenticate, 0..=2, 2, preamble();
    CREATE_PARTITIONS = 37, CreatePartitions, 0..=3, 2;
    CREATE_DELEGATION_TOKEN = 38, CreateDelegationToken, 0..=3, 2;
    RENEW_DELEGATION_TOKEN = 39, RenewDelegationToken, 0..=2, 2;
    EXPIRE_DELEGATION_TOKEN = 40, ExpireDelegationToken, 0..=2, 2;
    DESCRIBE_DELEGATION_TOKEN = 41, DescribeDelegationToken, 0..=3, 2, repeatable(0);
    DELETE_GROUPS = 42, DeleteGroups, 0..=3, 2;
    ELECT_LEADERS = 43, ElectLeaders, 0..=2, 2;
    INCREMENTAL_ALTER_CONFIGS = 44, IncrementalAlterConfigs, 0..=1, 1;
    ALTER_PARTITION_REASSIGNMENTS = 45, AlterPartitionReassignments, 0..=1, 0;
    LIST_PARTITION_REASSIGNMENTS = 46, ListPartitionReassignments, 0..=0, 0, repeatable(0);
    OFFSET_DELETE = 47, OffsetDelete, 0..=0, NEVER;
    DESCRIBE_CLIENT_QUOTAS = 48, DescribeClientQuotas, 0..=1, 1, repeatable(0);
    ALTER_CLIENT_QUOTAS = 49, AlterClientQuotas, 0..=1, 1;
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50, DescribeUserScramCredentials, 0..=0, 0, repeatable(0);
    ALTER_USER_SCRAM_CREDENTIALS = 51, AlterUserScramCredentials, 0..=0, 0;
    DESCRIBE_QUORUM = 55, DescribeQuorum, 0..=2, 0, addresses(DescribeQuorum, 2), repeatable(0);
    UPDATE_FEATURES = 57, UpdateFeatures, 0..=2, 0;
    DESCRIBE_CLUSTER = 60, DescribeCluster, 0..=2, 0, addresses(DescribeCluster, 0), repeatable(0);
    DESCRIBE_PRODUCERS = 61, DescribeProducers, 0..=0, 0, repeatable(0);
    UNREGISTER_BROKER = 64, UnregisterBroker, 0..=0, 0;
    DESCRIBE_TRANSACTIONS = 65, DescribeTransactions, 0..=0, 0, repeatable(0);
    LIST_TRANSACTIONS = 66, ListTransactions, 0..=2, 0, repeatable(0);
    CONSUMER_GROUP_HEARTBEAT = 68, ConsumerGroupHeartbeat, 0..=1, 0, repeatable(0);
    CONSUMER_GROUP_DESCRIBE = 69, ConsumerGroupDescribe, 0..=1, 0, repeatable(0);
    GET_TELEMETRY_SUBSCRIPTIONS = 71, GetTelemetrySubscriptions, 0..=0, 0, repeatable(0);
    PUSH_TELEMETRY = 72, PushTelemetry, 0..=0, 0;
    LIST_CONFIG_RESOURCES = 74, ListConfigResources, 0..=1, 0, repeatable(0);
    DESCRIBE_TOPIC_PARTITIONS = 75, DescribeTopicPartitions, 0..=0, 0, repeatable(0);
    SHARE_GROUP_HEARTBEAT = 76, ShareGroupHeartbeat, 0..=1, 0, repeatable(0);
    SHARE_GROUP_DESCRIBE = 77, ShareGroupDescribe, 0..=1, 0, repeatable(0);
    SHARE_FETCH = 78, ShareFetch, 0..=2, 0, addresses(ShareFetch, 0), parked(), max_wait(AfterShareSession);
    SHARE_ACKNOWLEDGE = 79, ShareAcknowledge, 0..=2, 0, addresses(ShareAcknowledge, 0);
    ADD_RAFT_VOTER = 80, AddRaftVoter, 0..=1, 0;
    REMOVE_RAFT_VOTER = 81, RemoveRaftVoter, 0..=0, 0;
    INITIALIZE_SHARE_GROUP_STATE = 83, InitializeShareGroupState, 0..=0, 0;
    READ_SHARE_GROUP_STATE = 84, ReadShareGroupState, 0..=0, 0;
    WRITE_SHARE_GROUP_STATE = 85, WriteShareGroupState, 0..=1, 0;
    DELETE_SHARE_GROUP_STATE = 86, DeleteShareGroupState, 0..=0, 0;
    READ_SHARE_GROUP_STATE_SUMMARY = 87, ReadShareGroupStateSummary, 0..=1, 0;
    STREAMS_GROUP_HEARTBEAT = 88, StreamsGroupHeartbeat, 0..=1, 0, repeatable(0);
    STREAMS_GROUP_DESCRIBE = 89, StreamsGroupDescribe, 0..=1, 0, repeatable(0);
    DESCRIBE_SHARE_GROUP_OFFSETS = 90, DescribeShareGroupOffsets, 0..=1, 0, repeatable(0);
    ALTER_SHARE_GROUP_OFFSETS = 91, AlterShareGroupOffsets, 0..=0, 0;
    DELETE_SHARE_GROUP_OFFSETS = 92, DeleteShareGroupOffsets, 0..=0, 0;
    STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE = 93, StreamsGroupTopologyDescriptionUpdate, 0..=0, 0;
    UNREGISTER_CONTROLLER = 94, UnregisterController, 0..=0, 0;
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
