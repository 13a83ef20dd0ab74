//! The APIs that this filter knows. What is not in this table is neither offered nor forwarded.

use super::access::Access;
use super::partitions::{DELETE_RECORDS, LIST_OFFSETS, OFFSET_FOR_LEADER_EPOCH};
use super::verdict::{AskedRequest, Verdict};
use super::{
    assignment, configs, describe_groups, groups, metadata, offsets, share, streams, topics, transactions,
};
use crate::model::acl::AclOperation::{Delete, Describe};
use crate::wire::api::ApiKey;

/// Decides about a request.
pub(super) type Decide = fn(&mut Access<'_>, &mut AskedRequest<'_, '_>) -> Verdict;

/// How an API is dealt with.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// It is about nothing that rules are about.
    Pass,
    /// A function decides about each request.
    Ask(Decide),
    /// A function decides about each Produce request; most are decided by their beginning.
    Produce,
    /// Requests and answers of fetch sessions.
    Fetch,
    /// Requests and answers of share sessions.
    ShareFetch,
}

/// An API, the highest version that was looked at, and its rule.
pub(super) struct Row {
    pub(super) key: i16,
    pub(super) last: i16,
    pub(super) rule: Rule,
}

/// The row of an API.
pub(super) fn row(api_key: i16) -> Option<&'static Row> {
    let at = TABLE.binary_search_by_key(&api_key, |row| row.key).ok()?;
    TABLE.get(at)
}

macro_rules! rows {
    ($($key:ident ..= $last:literal => $rule:expr;)*) => {
        /// Ascending by key.
        pub(super) static TABLE: &[Row] = &[$(Row { key: ApiKey::$key, last: $last, rule: $rule },)*];
    };
}

use Rule::{Ask, Pass};

rows! {
    PRODUCE ..= 13 => Rule::Produce;
    FETCH ..= 18 => Rule::Fetch;
    LIST_OFFSETS ..= 11 => Ask(|access, asked| LIST_OFFSETS.decide(access, asked, Describe));
    METADATA ..= 13 => Ask(metadata::metadata);
    OFFSET_COMMIT ..= 10 => Ask(offsets::commit);
    OFFSET_FETCH ..= 10 => Ask(offsets::fetch);
    FIND_COORDINATOR ..= 6 => Ask(groups::coordinator);
    JOIN_GROUP ..= 9 => Ask(groups::join);
    HEARTBEAT ..= 4 => Ask(groups::member);
    LEAVE_GROUP ..= 5 => Ask(groups::member);
    SYNC_GROUP ..= 5 => Ask(groups::member);
    DESCRIBE_GROUPS ..= 6 => Ask(describe_groups::classic);
    LIST_GROUPS ..= 5 => Ask(groups::list);
    SASL_HANDSHAKE ..= 1 => Pass;
    API_VERSIONS ..= 5 => Pass;
    CREATE_TOPICS ..= 7 => Ask(topics::create);
    DELETE_TOPICS ..= 6 => Ask(topics::delete);
    DELETE_RECORDS ..= 2 => Ask(|access, asked| DELETE_RECORDS.decide(access, asked, Delete));
    INIT_PRODUCER_ID ..= 6 => Ask(transactions::init);
    OFFSET_FOR_LEADER_EPOCH ..= 4 => Ask(|access, asked| OFFSET_FOR_LEADER_EPOCH.decide(access, asked, Describe));
    ADD_PARTITIONS_TO_TXN ..= 5 => Ask(transactions::add_partitions);
    ADD_OFFSETS_TO_TXN ..= 4 => Ask(transactions::add_offsets);
    END_TXN ..= 5 => Ask(transactions::end);
    TXN_OFFSET_COMMIT ..= 6 => Ask(offsets::commit_in_transaction);
    DESCRIBE_ACLS ..= 3 => Pass;
    CREATE_ACLS ..= 3 => Pass;
    DELETE_ACLS ..= 3 => Pass;
    DESCRIBE_CONFIGS ..= 4 => Ask(configs::describe);
    ALTER_CONFIGS ..= 2 => Ask(configs::alter);
    ALTER_REPLICA_LOG_DIRS ..= 2 => Pass;
    DESCRIBE_LOG_DIRS ..= 5 => Pass;
    SASL_AUTHENTICATE ..= 2 => Pass;
    CREATE_PARTITIONS ..= 3 => Ask(topics::grow);
    CREATE_DELEGATION_TOKEN ..= 3 => Pass;
    RENEW_DELEGATION_TOKEN ..= 2 => Pass;
    EXPIRE_DELEGATION_TOKEN ..= 2 => Pass;
    DESCRIBE_DELEGATION_TOKEN ..= 3 => Pass;
    DELETE_GROUPS ..= 3 => Ask(groups::delete);
    ELECT_LEADERS ..= 2 => Pass;
    INCREMENTAL_ALTER_CONFIGS ..= 1 => Ask(configs::alter);
    ALTER_PARTITION_REASSIGNMENTS ..= 1 => Pass;
    LIST_PARTITION_REASSIGNMENTS ..= 0 => Pass;
    OFFSET_DELETE ..= 0 => Ask(offsets::delete);
    DESCRIBE_CLIENT_QUOTAS ..= 1 => Pass;
    ALTER_CLIENT_QUOTAS ..= 1 => Pass;
    DESCRIBE_USER_SCRAM_CREDENTIALS ..= 0 => Pass;
    ALTER_USER_SCRAM_CREDENTIALS ..= 0 => Pass;
    DESCRIBE_QUORUM ..= 2 => Pass;
    UPDATE_FEATURES ..= 2 => Pass;
    DESCRIBE_CLUSTER ..= 2 => Pass;
    DESCRIBE_PRODUCERS ..= 0 => Ask(transactions::describe_producers);
    UNREGISTER_BROKER ..= 0 => Pass;
    DESCRIBE_TRANSACTIONS ..= 0 => Ask(transactions::describe);
    LIST_TRANSACTIONS ..= 2 => Ask(transactions::list);
    CONSUMER_GROUP_HEARTBEAT ..= 1 => Ask(assignment::heartbeat);
    CONSUMER_GROUP_DESCRIBE ..= 1 => Ask(describe_groups::consumer);
    GET_TELEMETRY_SUBSCRIPTIONS ..= 0 => Pass;
    PUSH_TELEMETRY ..= 0 => Pass;
    LIST_CONFIG_RESOURCES ..= 1 => Ask(configs::list);
    DESCRIBE_TOPIC_PARTITIONS ..= 0 => Ask(metadata::partitions);
    SHARE_GROUP_HEARTBEAT ..= 1 => Ask(groups::heartbeat);
    SHARE_GROUP_DESCRIBE ..= 1 => Ask(describe_groups::share);
    SHARE_FETCH ..= 2 => Rule::ShareFetch;
    SHARE_ACKNOWLEDGE ..= 2 => Ask(share::acknowledge);
    ADD_RAFT_VOTER ..= 1 => Pass;
    REMOVE_RAFT_VOTER ..= 0 => Pass;
    STREAMS_GROUP_HEARTBEAT ..= 1 => Ask(streams::heartbeat);
    STREAMS_GROUP_DESCRIBE ..= 1 => Ask(describe_groups::streams);
    DESCRIBE_SHARE_GROUP_OFFSETS ..= 1 => Ask(share::describe_offsets);
    ALTER_SHARE_GROUP_OFFSETS ..= 0 => Ask(share::alter_offsets);
    DELETE_SHARE_GROUP_OFFSETS ..= 0 => Ask(share::delete_offsets);
    STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE ..= 0 => Ask(groups::member);
    UNREGISTER_CONTROLLER ..= 0 => Pass;
}
