//! Where the answers of each API say that something failed: as the Java client builds them
//! (`AbstractRequest.getErrorResponse`, 4.4).
//!
//! Every field `error_code` and `partition_error_code` gets the code, at the top and in each element. What is written here
//! is the rest: which elements an answer has, and the few values that differ from the defaults of the schema.

use crate::wire::api::ApiKey;

/// An array of an answer that has an element for each element of an array of the request.
#[derive(Debug)]
pub(super) struct Repeated {
    /// The array of the answer.
    pub(super) answer: &'static str,
    /// The array of the request.
    pub(super) request: &'static str,
    /// The array of the request stands in the elements of this one.
    pub(super) within: Option<&'static str>,
    /// The elements of the request are plain values, which this field of the answer's elements gets.
    pub(super) value: Option<&'static str>,
    /// Field of the answer's elements that gets a field of the request's elements of another name.
    pub(super) renamed: Option<(&'static str, &'static str)>,
    /// Arrays in the elements.
    pub(super) inner: &'static [Self],
    /// Highest version in which it is so.
    pub(super) until: i16,
}

/// Fields of an element of an answer that tell which element of the request it is about, where both have them.
pub(super) const IDENTITY: &[&str] = &[
    "name",
    "topic",
    "topic_name",
    "topic_id",
    "index",
    "partition",
    "partition_index",
    "group_id",
    "producer_id",
    "resource_type",
    "resource_name",
    "entity_type",
    "entity_name",
];

/// A value that differs from the default of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fixed {
    /// A number.
    Number(i64),
    /// A text.
    Text(&'static str),
    /// No value, where the version allows that.
    Null,
    /// The number of the same name at the top of the request.
    FromRequest,
}

const fn each(answer: &'static str, request: &'static str) -> Repeated {
    Repeated {
        answer,
        request,
        within: None,
        value: None,
        renamed: None,
        inner: &[],
        until: i16::MAX,
    }
}

impl Repeated {
    const fn of(mut self, inner: &'static [Self]) -> Self {
        self.inner = inner;
        self
    }

    const fn value(mut self, field: &'static str) -> Self {
        self.value = Some(field);
        self
    }

    const fn within(mut self, array: &'static str) -> Self {
        self.within = Some(array);
        self
    }

    const fn renamed(mut self, answer: &'static str, request: &'static str) -> Self {
        self.renamed = Some((answer, request));
        self
    }

    const fn until(mut self, version: i16) -> Self {
        self.until = version;
        self
    }
}

const PARTITIONS: &[Repeated] = &[each("partitions", "partitions")];
/// Partitions that the request names by number alone.
const PARTITION_NUMBERS: &[Repeated] = &[each("partitions", "partitions").value("partition_index")];
const PARTITION_INDEXES: &[Repeated] = &[each("partitions", "partition_indexes").value("partition_index")];
const INDEXED_TOPICS: &[Repeated] = &[each("topics", "topics").of(PARTITION_INDEXES)];

const PRODUCED: &[Repeated] = &[each("responses", "topic_data").of(PRODUCED_PARTITIONS)];
const PRODUCED_PARTITIONS: &[Repeated] = &[each("partition_responses", "partition_data")];
const FETCHED: &[Repeated] = &[each("responses", "topics").of(FETCHED_PARTITIONS).until(12)];
const FETCHED_PARTITIONS: &[Repeated] =
    &[each("partitions", "partitions").renamed("partition_index", "partition")];
const TOPICS: &[Repeated] = &[each("topics", "topics")];
const TOPICS_AND_PARTITIONS: &[Repeated] = &[each("topics", "topics").of(PARTITIONS)];
const ADDED: &[Repeated] =
    &[each("results_by_topic_v3_and_below", "v3_and_below_topics").of(ADDED_PARTITIONS)];
const ADDED_PARTITIONS: &[Repeated] = &[each("results_by_partition", "partitions").value("partition_index")];
const MARKERS: &[Repeated] = &[each("markers", "markers").of(INDEXED_TOPICS)];
const DELETED_TOPICS: &[Repeated] = &[
    each("responses", "topics"),
    each("responses", "topic_names").value("name"),
];
const MOVED: &[Repeated] = &[each("results", "topics")
    .within("dirs")
    .renamed("topic_name", "name")
    .of(PARTITION_NUMBERS)];
const ELECTED: &[Repeated] = &[each("replica_election_results", "topic_partitions").of(ELECTED_PARTITIONS)];
const ELECTED_PARTITIONS: &[Repeated] = &[each("partition_result", "partitions").value("partition_id")];
const REASSIGNED: &[Repeated] = &[each("responses", "topics").of(PARTITIONS)];
/// Offsets of a group are asked for by topic up to version 7, which has a place for the error of all since version 2.
const OFFSETS: &[Repeated] = &[
    each("topics", "topics").of(PARTITION_INDEXES).until(1),
    each("groups", "groups"),
];
const COORDINATORS: &[Repeated] = &[each("coordinators", "coordinator_keys").value("key")];
const DESCRIBED_GROUPS: &[Repeated] = &[each("groups", "groups").value("group_id")];
const GROUPS_BY_ID: &[Repeated] = &[each("groups", "group_ids").value("group_id")];
const DELETED_GROUPS: &[Repeated] = &[each("results", "groups_names").value("group_id")];
const GROUPS: &[Repeated] = &[each("groups", "groups")];
const TRANSACTIONS: &[Repeated] =
    &[each("transaction_states", "transactional_ids").value("transactional_id")];
const CREATED_ACLS: &[Repeated] = &[each("results", "creations")];
const DELETED_ACLS: &[Repeated] = &[each("filter_results", "filters")];
const DESCRIBED_RESOURCES: &[Repeated] = &[each("results", "resources")];
const ALTERED_RESOURCES: &[Repeated] = &[each("responses", "resources")];
const QUOTA_ENTITY: &[Repeated] = &[each("entity", "entity")];
const QUOTAS: &[Repeated] = &[each("entries", "entries").of(QUOTA_ENTITY)];
/// Without the names of the users.
const DESCRIBED_USERS: &[Repeated] = &[each("results", "users")];
const ALTERED_USERS: &[Repeated] = &[
    each("results", "deletions").renamed("user", "name"),
    each("results", "upsertions").renamed("user", "name"),
];
const RESULTS_BY_TOPIC: &[Repeated] = &[each("results", "topics")];
const SHARE_STATE: &[Repeated] = &[each("results", "topics").of(PARTITIONS)];

/// The arrays of an answer whose elements repeat those of the request.
pub(super) fn repeated(api_key: i16) -> &'static [Repeated] {
    match api_key {
        ApiKey::PRODUCE => PRODUCED,
        ApiKey::FETCH => FETCHED,
        ApiKey::LIST_OFFSETS
        | ApiKey::OFFSET_COMMIT
        | ApiKey::DELETE_RECORDS
        | ApiKey::OFFSET_FOR_LEADER_EPOCH
        | ApiKey::TXN_OFFSET_COMMIT => TOPICS_AND_PARTITIONS,
        ApiKey::METADATA | ApiKey::CREATE_TOPICS | ApiKey::DESCRIBE_TOPIC_PARTITIONS => TOPICS,
        ApiKey::ADD_PARTITIONS_TO_TXN => ADDED,
        ApiKey::WRITE_TXN_MARKERS => MARKERS,
        ApiKey::DELETE_TOPICS => DELETED_TOPICS,
        ApiKey::CREATE_PARTITIONS => RESULTS_BY_TOPIC,
        ApiKey::ALTER_REPLICA_LOG_DIRS => MOVED,
        ApiKey::ELECT_LEADERS => ELECTED,
        ApiKey::ALTER_PARTITION_REASSIGNMENTS => REASSIGNED,
        ApiKey::LIST_PARTITION_REASSIGNMENTS | ApiKey::DESCRIBE_PRODUCERS => INDEXED_TOPICS,
        ApiKey::OFFSET_FETCH => OFFSETS,
        ApiKey::FIND_COORDINATOR => COORDINATORS,
        ApiKey::DESCRIBE_GROUPS => DESCRIBED_GROUPS,
        ApiKey::DELETE_GROUPS => DELETED_GROUPS,
        ApiKey::CONSUMER_GROUP_DESCRIBE | ApiKey::SHARE_GROUP_DESCRIBE | ApiKey::STREAMS_GROUP_DESCRIBE => {
            GROUPS_BY_ID
        }
        ApiKey::DESCRIBE_SHARE_GROUP_OFFSETS => GROUPS,
        ApiKey::DESCRIBE_TRANSACTIONS => TRANSACTIONS,
        ApiKey::CREATE_ACLS => CREATED_ACLS,
        ApiKey::DELETE_ACLS => DELETED_ACLS,
        ApiKey::DESCRIBE_CONFIGS => DESCRIBED_RESOURCES,
        ApiKey::ALTER_CONFIGS | ApiKey::INCREMENTAL_ALTER_CONFIGS => ALTERED_RESOURCES,
        ApiKey::ALTER_CLIENT_QUOTAS => QUOTAS,
        ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS => DESCRIBED_USERS,
        ApiKey::ALTER_USER_SCRAM_CREDENTIALS => ALTERED_USERS,
        ApiKey::INITIALIZE_SHARE_GROUP_STATE
        | ApiKey::READ_SHARE_GROUP_STATE
        | ApiKey::WRITE_SHARE_GROUP_STATE
        | ApiKey::DELETE_SHARE_GROUP_STATE
        | ApiKey::READ_SHARE_GROUP_STATE_SUMMARY => SHARE_STATE,
        _ => &[],
    }
}

/// The values of an answer, wherever the field stands, that differ from the defaults.
pub(super) fn fixed(api_key: i16) -> &'static [(&'static str, Fixed)] {
    match api_key {
        ApiKey::PRODUCE => &[("base_offset", Fixed::Number(-1))],
        ApiKey::FETCH => &[
            ("session_id", Fixed::FromRequest),
            ("high_watermark", Fixed::Number(-1)),
        ],
        ApiKey::OFFSET_FETCH => &[("committed_offset", Fixed::Number(-1))],
        ApiKey::FIND_COORDINATOR => &[("node_id", Fixed::Number(-1)), ("port", Fixed::Number(-1))],
        ApiKey::JOIN_GROUP => &[("protocol_name", Fixed::Null)],
        ApiKey::DELETE_RECORDS => &[("low_watermark", Fixed::Number(-1))],
        ApiKey::INIT_PRODUCER_ID => &[("producer_epoch", Fixed::Number(-1))],
        ApiKey::CREATE_DELEGATION_TOKEN => &[
            ("principal_type", Fixed::Text("User")),
            ("principal_name", Fixed::Text("ANONYMOUS")),
            ("token_requester_principal_type", Fixed::Text("User")),
            ("token_requester_principal_name", Fixed::Text("ANONYMOUS")),
            ("issue_timestamp_ms", Fixed::Number(-1)),
            ("expiry_timestamp_ms", Fixed::Number(-1)),
            ("max_timestamp_ms", Fixed::Number(-1)),
        ],
        ApiKey::DESCRIBE_CLIENT_QUOTAS => &[("entries", Fixed::Null)],
        _ => &[],
    }
}

/// Whether the Java client puts the text of the code into `error_message`. Elsewhere it leaves that null.
pub(super) fn has_text(api_key: i16) -> bool {
    matches!(
        api_key,
        ApiKey::FIND_COORDINATOR
            | ApiKey::DESCRIBE_CONFIGS
            | ApiKey::ALTER_CLIENT_QUOTAS
            | ApiKey::DESCRIBE_QUORUM
            | ApiKey::UNREGISTER_BROKER
            | ApiKey::ADD_RAFT_VOTER
            | ApiKey::REMOVE_RAFT_VOTER
            | ApiKey::READ_SHARE_GROUP_STATE
            | ApiKey::WRITE_SHARE_GROUP_STATE
            | ApiKey::READ_SHARE_GROUP_STATE_SUMMARY
            | ApiKey::DESCRIBE_SHARE_GROUP_OFFSETS
            | ApiKey::ALTER_SHARE_GROUP_OFFSETS
            | ApiKey::DELETE_SHARE_GROUP_OFFSETS
            | ApiKey::UNREGISTER_CONTROLLER
    )
}
