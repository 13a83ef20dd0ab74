//! Requests that change topics, settings, access rules or quotas: what they name, and what came of them.

use crate::wire::api::ApiKey;
use crate::wire::schema::{Direction, MarkedName, Message, NameKind, Structure};

/// Names that a line lists of one request.
const MOST_NAMES: usize = 20;

/// Characters of a name that a line shows.
const MOST_OF_A_NAME: usize = 249;

/// The APIs.
pub(super) const API_KEYS: &[i16] = &[
    ApiKey::CREATE_TOPICS,
    ApiKey::DELETE_TOPICS,
    ApiKey::DELETE_RECORDS,
    ApiKey::CREATE_ACLS,
    ApiKey::DELETE_ACLS,
    ApiKey::ALTER_CONFIGS,
    ApiKey::ALTER_REPLICA_LOG_DIRS,
    ApiKey::CREATE_PARTITIONS,
    ApiKey::CREATE_DELEGATION_TOKEN,
    ApiKey::RENEW_DELEGATION_TOKEN,
    ApiKey::EXPIRE_DELEGATION_TOKEN,
    ApiKey::DELETE_GROUPS,
    ApiKey::ELECT_LEADERS,
    ApiKey::INCREMENTAL_ALTER_CONFIGS,
    ApiKey::ALTER_PARTITION_REASSIGNMENTS,
    ApiKey::OFFSET_DELETE,
    ApiKey::ALTER_CLIENT_QUOTAS,
    ApiKey::ALTER_USER_SCRAM_CREDENTIALS,
    ApiKey::UPDATE_FEATURES,
    ApiKey::UNREGISTER_BROKER,
    ApiKey::ADD_RAFT_VOTER,
    ApiKey::REMOVE_RAFT_VOTER,
    ApiKey::ALTER_SHARE_GROUP_OFFSETS,
    ApiKey::DELETE_SHARE_GROUP_OFFSETS,
    ApiKey::UNREGISTER_CONTROLLER,
];

pub(super) fn is_administrative(api_key: i16) -> bool {
    API_KEYS.contains(&api_key)
}

/// The topics, groups and transactions that a request names, such as `topic:orders,group:billing`.
pub(super) fn resources(api_key: i16, version: i16, body: &[u8]) -> String {
    let Ok(request) = Message::read(api_key, Direction::Request, version, body) else {
        return String::new();
    };
    let mut listed = String::new();
    for (number, name) in request.names().enumerate() {
        if number > 0 {
            listed.push(',');
        }
        if number == MOST_NAMES {
            listed.push('…');
            break;
        }
        listed.push_str(kind(name.kind));
        listed.push(':');
        push_name(&mut listed, &name);
    }
    listed
}

/// The first error in an answer; 0 if everything was done.
pub(super) fn first_error(api_key: i16, version: i16, body: &[u8]) -> i16 {
    let Ok(answer) = Message::read(api_key, Direction::Response, version, body) else {
        return 0;
    };
    first_error_in(answer.root()).unwrap_or_default()
}

fn first_error_in(structure: Structure<'_>) -> Option<i16> {
    for field in structure.fields() {
        let found = match field.name() {
            "error_code" => field
                .int()
                .filter(|code| *code != 0)
                .and_then(|code| i16::try_from(code).ok()),
            _ => field.elements().find_map(first_error_in),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn push_name(listed: &mut String, name: &MarkedName<'_>) {
    match (name.kind, name.bytes()) {
        (NameKind::TopicId, Some(id)) => listed.push_str(&data_encoding::BASE64URL_NOPAD.encode(id)),
        (_, bytes) => {
            let text = String::from_utf8_lossy(bytes.unwrap_or_default());
            listed.extend(text.chars().take(MOST_OF_A_NAME));
        }
    }
}

fn kind(kind: NameKind) -> &'static str {
    match kind {
        NameKind::TopicName | NameKind::TopicId => "topic",
        NameKind::GroupId | NameKind::ShareKey => "group",
        NameKind::TransactionalId => "transaction",
        NameKind::TopicRegex | NameKind::TransactionalIdRegex => "pattern",
        NameKind::CoordinatorKey => "key",
        NameKind::OtherResource => "resource",
    }
}
