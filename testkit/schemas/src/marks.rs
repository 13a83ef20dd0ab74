//! Which fields name topics, groups and transactions: Kafka's schemas mark most of them (`entityType`), and this is the
//! rest, without which a filter would leak.

use crate::schema::SchemaField;

/// The mark of a field as the tables write it; `None` for a field that names nothing.
pub fn mark(api: i16, field: &SchemaField) -> Option<&'static str> {
    let (name, kind) = (field.name.as_str(), field.kind.trim_start_matches("[]"));
    match (kind, field.entity_type.as_deref()) {
        ("string", Some("topicName")) => return Some("TopicName"),
        ("string", Some("groupId")) => return Some("GroupId"),
        ("string", Some("transactionalId")) => return Some("TransactionalId"),
        _ => {}
    }
    match (kind, name) {
        ("uuid", "TopicId" | "TopicIds") => Some("TopicId"),
        ("string", "GroupId") => Some("GroupId"),
        ("string", "SubscribedTopicNames") => Some("TopicName"),
        ("string", "SubscribedTopicRegex" | "SourceTopicRegex") => Some("TopicRegex"),
        ("string", "TransactionalIdPattern") => Some("TransactionalIdRegex"),
        ("string", "Key" | "CoordinatorKeys") if api == 10 => Some("CoordinatorKey"),
        ("string", "ResourceName" | "ResourceNameFilter") => match api {
            29..=31 => Some("AclResource"),
            32 | 33 | 44 | 74 => Some("ConfigResource"),
            _ => None,
        },
        // The resources that version 0 of ListConfigResources could list are metrics of clients only.
        _ => None,
    }
}

/// Fields whose names sound like one of those above and that are known not to be: a new release that brings another
/// one makes the generator fail until somebody has looked at it.
pub fn is_unmarked_on_purpose(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "AssignedTopicPartitions",
        "GroupInstanceId",
        "GroupState",
        "GroupType",
        "TransactionState",
    ];
    KNOWN.contains(&name)
}

/// Whether a name of a text field sounds like a topic, a group or a transaction.
pub fn sounds_like_a_name(field: &SchemaField) -> bool {
    let name = field.name.as_str();
    matches!(field.kind.as_str(), "string" | "[]string")
        && [
            "Topic",
            "Group",
            "Transaction",
            "Regex",
            "Pattern",
            "ResourceName",
        ]
        .iter()
        .any(|word| name.contains(word))
}
