//! Which requests a client may as well send again when their answer never comes.

use super::api::ApiKey;

/// The first JoinGroup whose member id the client knows before it waits for the others (KIP-394). An older one that
/// goes unanswered leaves a member behind that the group waits for until its session times out.
const JOIN_GROUP_FIRST_WITH_KNOWN_MEMBER: i16 = 4;

/// Whether executing the request twice is as good as once: it only reads, or a repetition finds the broker where the
/// first one has left it. ShareFetch is not among them, for it acquires records and acknowledges others.
pub const fn is_safe_to_repeat(api_key: i16, version: i16) -> bool {
    match api_key {
        ApiKey::JOIN_GROUP => version >= JOIN_GROUP_FIRST_WITH_KNOWN_MEMBER,
        ApiKey::FETCH
        | ApiKey::LIST_OFFSETS
        | ApiKey::METADATA
        | ApiKey::OFFSET_FETCH
        | ApiKey::FIND_COORDINATOR
        | ApiKey::HEARTBEAT
        | ApiKey::SYNC_GROUP
        | ApiKey::DESCRIBE_GROUPS
        | ApiKey::LIST_GROUPS
        | ApiKey::OFFSET_FOR_LEADER_EPOCH
        | ApiKey::DESCRIBE_ACLS
        | ApiKey::DESCRIBE_CONFIGS
        | ApiKey::DESCRIBE_LOG_DIRS
        | ApiKey::DESCRIBE_DELEGATION_TOKEN
        | ApiKey::LIST_PARTITION_REASSIGNMENTS
        | ApiKey::DESCRIBE_CLIENT_QUOTAS
        | ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS
        | ApiKey::DESCRIBE_QUORUM
        | ApiKey::DESCRIBE_CLUSTER
        | ApiKey::DESCRIBE_PRODUCERS
        | ApiKey::DESCRIBE_TRANSACTIONS
        | ApiKey::LIST_TRANSACTIONS
        | ApiKey::CONSUMER_GROUP_HEARTBEAT
        | ApiKey::CONSUMER_GROUP_DESCRIBE
        | ApiKey::GET_TELEMETRY_SUBSCRIPTIONS
        | ApiKey::LIST_CONFIG_RESOURCES
        | ApiKey::DESCRIBE_TOPIC_PARTITIONS
        | ApiKey::SHARE_GROUP_HEARTBEAT
        | ApiKey::SHARE_GROUP_DESCRIBE
        | ApiKey::STREAMS_GROUP_HEARTBEAT
        | ApiKey::STREAMS_GROUP_DESCRIBE
        | ApiKey::DESCRIBE_SHARE_GROUP_OFFSETS => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api;

    #[test]
    fn what_changes_something_is_waited_for() {
        for key in [
            ApiKey::PRODUCE,
            ApiKey::OFFSET_COMMIT,
            ApiKey::TXN_OFFSET_COMMIT,
            ApiKey::END_TXN,
            ApiKey::INIT_PRODUCER_ID,
            ApiKey::LEAVE_GROUP,
            ApiKey::SHARE_FETCH,
            ApiKey::SHARE_ACKNOWLEDGE,
            ApiKey::SASL_HANDSHAKE,
            ApiKey::SASL_AUTHENTICATE,
        ] {
            assert!(!is_safe_to_repeat(key, 0), "{key}");
        }
        let verbs = [
            "Create",
            "Alter",
            "Delete",
            "Write",
            "Incremental",
            "Renew",
            "Expire",
        ];
        for known in api::apis().filter(|known| verbs.iter().any(|verb| known.name.starts_with(verb))) {
            assert!(!is_safe_to_repeat(known.key, known.max), "{}", known.name);
        }
    }

    #[test]
    fn a_member_without_an_id_of_its_own_is_waited_for() {
        for version in 0..=9 {
            assert_eq!(is_safe_to_repeat(ApiKey::JOIN_GROUP, version), version >= 4);
            assert!(is_safe_to_repeat(ApiKey::SYNC_GROUP, version));
        }
    }
}
