//! The error with which a broker would deny an API, and the answer that says so.

use crate::filter::{error_answer, error_answer_by_element};
use crate::wire::api::{Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{Direction, Message, Structure};

/// Coordinator of a transaction (`key_type` of FindCoordinator).
const TRANSACTION: i64 = 1;

/// The body of the answer to a denied request; `None` if nothing can be answered.
pub(super) fn answer(api: &Api, version: i16, body: &[u8]) -> Option<Vec<u8>> {
    let request = Message::read(api.key, Direction::Request, version, body).ok()?;
    let code = code(api.key, request.root());
    match api.key {
        ApiKey::FETCH if continues_a_session(request.root()) => {
            error_answer(api, version, body, ErrorCode::FETCH_SESSION_ID_NOT_FOUND)
        }
        // Clients look at the error of each partition; after one of the whole request they ask again at once.
        ApiKey::FETCH => error_answer_by_element(api, version, body, code),
        _ => error_answer(api, version, body, code),
    }
}

/// Whether a Fetch request names only what has changed (KIP-227), so that its answer has no place for each partition. The
/// client asks again with all of them.
fn continues_a_session(request: Structure<'_>) -> bool {
    request.int("session_epoch").is_some_and(|epoch| epoch > 0)
}

/// The error of a broker that denies the request: what the clients of this API know how to report.
fn code(api_key: i16, request: Structure<'_>) -> i16 {
    match api_key {
        ApiKey::PRODUCE
        | ApiKey::FETCH
        | ApiKey::LIST_OFFSETS
        | ApiKey::METADATA
        | ApiKey::CREATE_TOPICS
        | ApiKey::DELETE_TOPICS
        | ApiKey::DELETE_RECORDS
        | ApiKey::OFFSET_FOR_LEADER_EPOCH
        | ApiKey::CREATE_PARTITIONS
        | ApiKey::DESCRIBE_PRODUCERS
        | ApiKey::DESCRIBE_TOPIC_PARTITIONS => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ApiKey::FIND_COORDINATOR if is_for_transaction(request) => {
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        }
        ApiKey::INIT_PRODUCER_ID if request.content("transactional_id").is_none() => {
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        }
        ApiKey::INIT_PRODUCER_ID
        | ApiKey::ADD_PARTITIONS_TO_TXN
        | ApiKey::ADD_OFFSETS_TO_TXN
        | ApiKey::END_TXN
        | ApiKey::TXN_OFFSET_COMMIT
        | ApiKey::DESCRIBE_TRANSACTIONS => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        key if is_about_groups(key) => ErrorCode::GROUP_AUTHORIZATION_FAILED,
        _ => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
    }
}

fn is_for_transaction(request: Structure<'_>) -> bool {
    request.int("key_type") == Some(TRANSACTION)
}

fn is_about_groups(api_key: i16) -> bool {
    matches!(
        api_key,
        ApiKey::OFFSET_COMMIT
            | ApiKey::OFFSET_FETCH
            | ApiKey::FIND_COORDINATOR
            | ApiKey::JOIN_GROUP
            | ApiKey::HEARTBEAT
            | ApiKey::LEAVE_GROUP
            | ApiKey::SYNC_GROUP
            | ApiKey::DESCRIBE_GROUPS
            | ApiKey::DELETE_GROUPS
            | ApiKey::OFFSET_DELETE
            | ApiKey::CONSUMER_GROUP_HEARTBEAT
            | ApiKey::CONSUMER_GROUP_DESCRIBE
            | ApiKey::SHARE_GROUP_HEARTBEAT
            | ApiKey::SHARE_GROUP_DESCRIBE
            | ApiKey::SHARE_FETCH
            | ApiKey::SHARE_ACKNOWLEDGE
            | ApiKey::STREAMS_GROUP_HEARTBEAT
            | ApiKey::STREAMS_GROUP_DESCRIBE
            | ApiKey::DESCRIBE_SHARE_GROUP_OFFSETS
            | ApiKey::ALTER_SHARE_GROUP_OFFSETS
            | ApiKey::DELETE_SHARE_GROUP_OFFSETS
            | ApiKey::STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE
    )
}
