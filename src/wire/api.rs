//! Which APIs a client may speak through kproxy, in which versions, with which header flavour.
//!
//! Ranges are the union of what Kafka 0.11 to 3.9 and 4.x brokers understand: kproxy lowers a broker's maximum to
//! its own, so the table's upper ends are the promise that header flavour and address-bearing layouts are known.
//! Source: the message schemas of Apache Kafka 3.9 and 4.4 (`clients/src/main/resources/common/message`).

/// One API a client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// Number on the wire.
    pub key: i16,
    /// Name as in Kafka's schemas.
    pub name: &'static str,
    /// Lowest version any supported broker understands.
    pub min: i16,
    /// Highest version kproxy knows the layout of.
    pub max: i16,
    /// First version with compact lengths and tagged fields (KIP-482); [`NEVER`] if there is none.
    pub first_flexible: i16,
}

/// [`Api::first_flexible`] of an API that has no flexible version.
pub const NEVER: i16 = i16::MAX;

impl Api {
    /// Whether kproxy knows this version.
    #[inline]
    pub const fn supports(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// Whether a request of this version has header v2 (tagged fields) and a flexible body.
    #[inline]
    pub const fn request_is_flexible(&self, version: i16) -> bool {
        version >= self.first_flexible
    }

    /// Whether a response of this version has header v1 (tagged fields).
    ///
    /// `ApiVersions` answers keep header v0 in every version, so that a client can read the answer to a version
    /// the broker does not know (KIP-511). Their *body* is flexible nonetheless.
    #[inline]
    pub const fn response_header_is_flexible(&self, version: i16) -> bool {
        version >= self.first_flexible && self.key != ApiKey::API_VERSIONS
    }
}

/// The API of this number, if a client may use it through kproxy. Constant time.
///
/// APIs between controllers and brokers (`Vote`, `BrokerRegistration`, …) are not here: see [`name_of`].
#[inline]
pub fn api(key: i16) -> Option<&'static Api> {
    // A negative key becomes an index far beyond the table.
    BY_KEY.get(key as u16 as usize)?.as_ref()
}

/// Every API a client may use, in ascending order of key.
pub fn apis() -> impl Iterator<Item = &'static Api> {
    BY_KEY.iter().flatten()
}

/// Name of an API for logs, including those that are not forwarded.
pub fn name_of(key: i16) -> Option<&'static str> {
    if let Some(known) = api(key) {
        return Some(known.name);
    }
    NOT_FORWARDED
        .iter()
        .find(|(number, _)| *number == key)
        .map(|(_, name)| *name)
}

/// Whether a response body of this version is flexible; false for an API that is not forwarded.
pub(crate) fn body_is_flexible(key: i16, version: i16) -> bool {
    api(key).is_some_and(|known| known.request_is_flexible(version))
}

/// Highest version of an API that is known to be in the table, for use in constants.
pub(crate) const fn highest(key: i16) -> i16 {
    match TABLE[key as usize] {
        Some(known) => known.max,
        None => panic!("not in the table"),
    }
}

/// Largest number of an API in the table.
pub const HIGHEST_KEY: usize = 94;

const TABLE: [Option<Api>; HIGHEST_KEY + 1] = by_key();

static BY_KEY: [Option<Api>; HIGHEST_KEY + 1] = TABLE;

const fn by_key() -> [Option<Api>; HIGHEST_KEY + 1] {
    let mut table = [None; HIGHEST_KEY + 1];
    let mut at = 0;
    while at < FORWARDED.len() {
        let row = FORWARDED[at];
        table[row.key as usize] = Some(row);
        at += 1;
    }
    table
}

/// Defines the constants of [`ApiKey`] and the rows of the table from one list.
macro_rules! forwarded {
    ($($constant:ident = $key:literal, $name:ident, $min:literal..=$max:literal, $flexible:expr;)*) => {
        /// Numbers of the APIs a client may use. Never a value: only a home for the constants.
        #[derive(Clone, Copy, Debug)]
        pub enum ApiKey {}

        impl ApiKey {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $constant: i16 = $key;
            )*
        }

        const FORWARDED: &[Api] = &[
            $(Api { key: $key, name: stringify!($name), min: $min, max: $max, first_flexible: $flexible },)*
        ];
    };
}

forwarded! {
    PRODUCE = 0, Produce, 0..=13, 9;
    FETCH = 1, Fetch, 0..=18, 12;
    LIST_OFFSETS = 2, ListOffsets, 0..=11, 6;
    METADATA = 3, Metadata, 0..=13, 9;
    OFFSET_COMMIT = 8, OffsetCommit, 0..=10, 8;
    OFFSET_FETCH = 9, OffsetFetch, 0..=10, 6;
    FIND_COORDINATOR = 10, FindCoordinator, 0..=6, 3;
    JOIN_GROUP = 11, JoinGroup, 0..=9, 6;
    HEARTBEAT = 12, Heartbeat, 0..=4, 4;
    LEAVE_GROUP = 13, LeaveGroup, 0..=5, 4;
    SYNC_GROUP = 14, SyncGroup, 0..=5, 4;
    DESCRIBE_GROUPS = 15, DescribeGroups, 0..=6, 5;
    LIST_GROUPS = 16, ListGroups, 0..=5, 3;
    SASL_HANDSHAKE = 17, SaslHandshake, 0..=1, NEVER;
    API_VERSIONS = 18, ApiVersions, 0..=5, 3;
    CREATE_TOPICS = 19, CreateTopics, 0..=7, 5;
    DELETE_TOPICS = 20, DeleteTopics, 0..=6, 4;
    DELETE_RECORDS = 21, DeleteRecords, 0..=2, 2;
    INIT_PRODUCER_ID = 22, InitProducerId, 0..=6, 2;
    OFFSET_FOR_LEADER_EPOCH = 23, OffsetForLeaderEpoch, 0..=4, 4;
    ADD_PARTITIONS_TO_TXN = 24, AddPartitionsToTxn, 0..=5, 3;
    ADD_OFFSETS_TO_TXN = 25, AddOffsetsToTxn, 0..=4, 3;
    END_TXN = 26, EndTxn, 0..=5, 3;
    WRITE_TXN_MARKERS = 27, WriteTxnMarkers, 0..=2, 1;
    TXN_OFFSET_COMMIT = 28, TxnOffsetCommit, 0..=6, 3;
    DESCRIBE_ACLS = 29, DescribeAcls, 0..=3, 2;
    CREATE_ACLS = 30, CreateAcls, 0..=3, 2;
    DELETE_ACLS = 31, DeleteAcls, 0..=3, 2;
    DESCRIBE_CONFIGS = 32, DescribeConfigs, 0..=4, 4;
    ALTER_CONFIGS = 33, AlterConfigs, 0..=2, 2;
    ALTER_REPLICA_LOG_DIRS = 34, AlterReplicaLogDirs, 0..=2, 2;
    DESCRIBE_LOG_DIRS = 35, DescribeLogDirs, 0..=5, 2;
    SASL_AUTHENTICATE = 36, SaslAuthenticate, 0..=2, 2;
    CREATE_PARTITIONS = 37, CreatePartitions, 0..=3, 2;
    CREATE_DELEGATION_TOKEN = 38, CreateDelegationToken, 0..=3, 2;
    RENEW_DELEGATION_TOKEN = 39, RenewDelegationToken, 0..=2, 2;
    EXPIRE_DELEGATION_TOKEN = 40, ExpireDelegationToken, 0..=2, 2;
    DESCRIBE_DELEGATION_TOKEN = 41, DescribeDelegationToken, 0..=3, 2;
    DELETE_GROUPS = 42, DeleteGroups, 0..=3, 2;
    ELECT_LEADERS = 43, ElectLeaders, 0..=2, 2;
    INCREMENTAL_ALTER_CONFIGS = 44, IncrementalAlterConfigs, 0..=1, 1;
    ALTER_PARTITION_REASSIGNMENTS = 45, AlterPartitionReassignments, 0..=1, 0;
    LIST_PARTITION_REASSIGNMENTS = 46, ListPartitionReassignments, 0..=0, 0;
    OFFSET_DELETE = 47, OffsetDelete, 0..=0, NEVER;
    DESCRIBE_CLIENT_QUOTAS = 48, DescribeClientQuotas, 0..=1, 1;
    ALTER_CLIENT_QUOTAS = 49, AlterClientQuotas, 0..=1, 1;
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50, DescribeUserScramCredentials, 0..=0, 0;
    ALTER_USER_SCRAM_CREDENTIALS = 51, AlterUserScramCredentials, 0..=0, 0;
    DESCRIBE_QUORUM = 55, DescribeQuorum, 0..=2, 0;
    UPDATE_FEATURES = 57, UpdateFeatures, 0..=2, 0;
    DESCRIBE_CLUSTER = 60, DescribeCluster, 0..=2, 0;
    DESCRIBE_PRODUCERS = 61, DescribeProducers, 0..=0, 0;
    UNREGISTER_BROKER = 64, UnregisterBroker, 0..=0, 0;
    DESCRIBE_TRANSACTIONS = 65, DescribeTransactions, 0..=0, 0;
    LIST_TRANSACTIONS = 66, ListTransactions, 0..=2, 0;
    CONSUMER_GROUP_HEARTBEAT = 68, ConsumerGroupHeartbeat, 0..=1, 0;
    CONSUMER_GROUP_DESCRIBE = 69, ConsumerGroupDescribe, 0..=1, 0;
    GET_TELEMETRY_SUBSCRIPTIONS = 71, GetTelemetrySubscriptions, 0..=0, 0;
    PUSH_TELEMETRY = 72, PushTelemetry, 0..=0, 0;
    LIST_CONFIG_RESOURCES = 74, ListConfigResources, 0..=1, 0;
    DESCRIBE_TOPIC_PARTITIONS = 75, DescribeTopicPartitions, 0..=0, 0;
    SHARE_GROUP_HEARTBEAT = 76, ShareGroupHeartbeat, 0..=1, 0;
    SHARE_GROUP_DESCRIBE = 77, ShareGroupDescribe, 0..=1, 0;
    SHARE_FETCH = 78, ShareFetch, 0..=2, 0;
    SHARE_ACKNOWLEDGE = 79, ShareAcknowledge, 0..=2, 0;
    ADD_RAFT_VOTER = 80, AddRaftVoter, 0..=1, 0;
    REMOVE_RAFT_VOTER = 81, RemoveRaftVoter, 0..=0, 0;
    INITIALIZE_SHARE_GROUP_STATE = 83, InitializeShareGroupState, 0..=0, 0;
    READ_SHARE_GROUP_STATE = 84, ReadShareGroupState, 0..=0, 0;
    WRITE_SHARE_GROUP_STATE = 85, WriteShareGroupState, 0..=1, 0;
    DELETE_SHARE_GROUP_STATE = 86, DeleteShareGroupState, 0..=0, 0;
    READ_SHARE_GROUP_STATE_SUMMARY = 87, ReadShareGroupStateSummary, 0..=1, 0;
    STREAMS_GROUP_HEARTBEAT = 88, StreamsGroupHeartbeat, 0..=1, 0;
    STREAMS_GROUP_DESCRIBE = 89, StreamsGroupDescribe, 0..=1, 0;
    DESCRIBE_SHARE_GROUP_OFFSETS = 90, DescribeShareGroupOffsets, 0..=1, 0;
    ALTER_SHARE_GROUP_OFFSETS = 91, AlterShareGroupOffsets, 0..=0, 0;
    DELETE_SHARE_GROUP_OFFSETS = 92, DeleteShareGroupOffsets, 0..=0, 0;
    STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE = 93, StreamsGroupTopologyDescriptionUpdate, 0..=0, 0;
    UNREGISTER_CONTROLLER = 94, UnregisterController, 0..=0, 0;
}

/// Between brokers and controllers only: a client has no business with them.
const NOT_FORWARDED: &[(i16, &str)] = &[
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

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::ApiKey as OracleKey;
    use kafka_protocol::protocol::Message as _;

    use super::*;

    #[test]
    fn every_key_up_to_the_highest_has_a_name_and_only_one_home() {
        for key in 0..=HIGHEST_KEY as i16 {
            assert!(name_of(key).is_some(), "key {key} has no name");
            let refused = NOT_FORWARDED.iter().any(|(number, _)| *number == key);
            assert_ne!(api(key).is_some(), refused, "key {key}");
        }
        assert_eq!(apis().count(), FORWARDED.len());
    }

    #[test]
    fn keys_beyond_the_table_are_unknown() {
        for key in [-1, i16::MIN, HIGHEST_KEY as i16 + 1, 10_000, i16::MAX] {
            assert_eq!(api(key), None);
            assert_eq!(name_of(key), None);
        }
    }

    #[test]
    fn header_flavours_agree_with_the_oracle_for_every_version_it_knows() {
        let mut compared = 0;
        for known in apis() {
            let Ok(oracle) = OracleKey::try_from(known.key) else {
                continue;
            };
            let versions = oracle.valid_versions();
            for version in versions.min..=versions.max {
                let request = if known.request_is_flexible(version) { 2 } else { 1 };
                let response = i16::from(known.response_header_is_flexible(version));
                assert_eq!(
                    request,
                    oracle.request_header_version(version),
                    "{} v{version}",
                    known.name
                );
                assert_eq!(
                    response,
                    oracle.response_header_version(version),
                    "{} v{version}",
                    known.name
                );
                compared += 1;
            }
        }
        assert!(compared > 200, "compared only {compared} versions");
    }

    #[test]
    fn ranges_contain_what_the_oracle_knows() {
        for known in apis() {
            let Ok(oracle) = OracleKey::try_from(known.key) else {
                continue;
            };
            let versions = oracle.valid_versions();
            assert!(
                known.min <= versions.min && versions.max <= known.max,
                "{} {}..={} does not contain {versions:?}",
                known.name,
                known.min,
                known.max
            );
        }
        // The oracle stops at Kafka 4.1; this is where the table goes beyond it.
        assert_eq!(
            kafka_protocol::messages::ApiVersionsResponse::VERSIONS.max + 1,
            api(18).unwrap().max
        );
    }
}
