//! The error with which a broker would deny an API, and the answer that says so.

use crate::filter::{error_answer, error_answer_by_element};
use crate::wire::api::{Api, ApiKey, NamedThing};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{Direction, Message, Structure};

/// Coordinator of a transaction (`key_type` of FindCoordinator).
const TRANSACTION: i64 = 1;

/// The body of the answer to a denied request; `None` if nothing can be answered.
pub(super) fn answer(api: &Api, version: i16, body: &[u8]) -> Option<Vec<u8>> {
    let request = Message::read(api.key, Direction::Request, version, body).ok()?;
    let code = code(api, request.root());
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
fn code(api: &Api, request: Structure<'_>) -> i16 {
    match api.key {
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
        _ => match api.names {
            Some(NamedThing::Transaction) => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            Some(NamedThing::Group) => ErrorCode::GROUP_AUTHORIZATION_FAILED,
            None => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        },
    }
}

fn is_for_transaction(request: Structure<'_>) -> bool {
    request.int("key_type") == Some(TRANSACTION)
}
