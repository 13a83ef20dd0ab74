//! Bodies of requests and answers as values, with the names that Kafka's schemas give their fields.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use kproxy::wire::error_code::ErrorCode;
use kproxy::wire::schema::{Direction, Draft, DraftValue, FieldValue, Message, Structure};
use serde_json::{Map, Value, json};

use super::yaml::BYTES;

/// The bytes of a body; what is not named has its default, and what this version does not have is left out.
pub(super) fn encode(api: i16, way: Direction, version: i16, body: &Value) -> Vec<u8> {
    let mut draft = Draft::new(api, way, version).expect("a version that the tables know");
    fill(&mut draft, body.as_object().expect("a body"));
    draft.encode()
}

fn fill(draft: &mut Draft, fields: &Map<String, Value>) {
    for (name, value) in fields {
        let name = snake_case(name);
        if !draft.knows(&name) {
            continue;
        }
        match value {
            Value::Object(inner) if !inner.contains_key(BYTES) => fill(draft.structure(&name), inner),
            Value::Array(items) => fill_list(draft, &name, items),
            plain => drop(draft.set(&name, plain_value(&name, plain))),
        }
    }
}

fn fill_list(draft: &mut Draft, name: &str, items: &[Value]) {
    if items.is_empty() {
        draft.set(name, DraftValue::Array(Vec::new()));
    }
    for item in items {
        match item {
            Value::Object(inner) if !inner.contains_key(BYTES) => fill(draft.push(name), inner),
            plain => drop(draft.push_value(name, plain_value(name, plain))),
        }
    }
}

fn plain_value(name: &str, value: &Value) -> DraftValue {
    match value {
        Value::Null => DraftValue::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.as_i64().unwrap().into(),
        Value::String(text) if name.ends_with("topic_id") => topic_id(text).into(),
        Value::String(text) => text.as_str().into(),
        Value::Object(bytes) => BASE64
            .decode(bytes[BYTES].as_str().unwrap().as_bytes())
            .unwrap()
            .into(),
        Value::Array(_) => panic!("{name}: a list of lists"),
    }
}

/// The id that a text stands for.
pub(super) fn topic_id(text: &str) -> [u8; 16] {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .unwrap()
        .try_into()
        .unwrap()
}

/// A name of Kafka's JSON, `v3AndBelowTopics`, as the tables have it.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Every plain field of a body. Of lists whose order nobody relies on, the order is that of the text.
pub(super) fn decode(api: i16, way: Direction, version: i16, body: &[u8]) -> Value {
    let message = Message::read(api, way, version, body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
    tree(message.root())
}

fn tree(structure: Structure<'_>) -> Value {
    let fields = structure
        .fields()
        .map(|field| (field.name().to_owned(), value(&field)));
    Value::Object(fields.collect())
}

fn value(field: &FieldValue<'_>) -> Value {
    if field.is_null() {
        return Value::Null;
    }
    if field.is_array() {
        let structures = field.elements().map(tree);
        let mut items: Vec<Value> = structures
            .chain(field.values().map(|item| plain(&item)))
            .collect();
        items.sort_by_cached_key(identity);
        return items.into();
    }
    field.structure().map_or_else(|| plain(field), tree)
}

fn plain(field: &FieldValue<'_>) -> Value {
    if let Some(number) = field.int() {
        number.into()
    } else if let Some(id) = field.uuid() {
        BASE64URL_NOPAD.encode(&id).into()
    } else if let Some(text) = field.text() {
        text.into()
    } else {
        json!({ BYTES: BASE64.encode(field.content().unwrap_or_default()) })
    }
}

/// What tells an element from the others, and the element.
fn identity(item: &Value) -> String {
    const NAMES: [&str; 11] = [
        "name",
        "topic",
        "topic_id",
        "topic_name",
        "key",
        "group_id",
        "transactional_id",
        "resource_type",
        "resource_name",
        "partition_index",
        "index",
    ];
    let fields = NAMES.map(|name| item.get(name).map_or_else(String::new, Value::to_string));
    format!("{}{item}", fields.concat())
}

/// Where two values differ: the path, the value of each.
pub(super) fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) if ours.len() == theirs.len() => {
            for (name, value) in ours {
                let other = theirs.get(name).unwrap_or(&Value::Null);
                differences(&format!("{path}.{name}"), value, other, found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                differences(&format!("{path}[{at}]"), ours, theirs, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(format!("{path}: {ours} where the scenario has {theirs}")),
    }
}

/// Every error in an answer.
pub(super) fn error_codes(answer: &Value) -> Vec<i64> {
    let mut found = Vec::new();
    match answer {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_i64() {
                    Some(code) if name.ends_with("error_code") => found.push(code),
                    _ => found.extend(error_codes(value)),
                }
            }
        }
        Value::Array(items) => found.extend(items.iter().flat_map(error_codes)),
        _ => {}
    }
    found
}

/// The number of an error.
pub(super) fn error_code(name: &str) -> i64 {
    match name {
        "TOPIC_AUTHORIZATION_FAILED" => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        "GROUP_AUTHORIZATION_FAILED" => ErrorCode::GROUP_AUTHORIZATION_FAILED,
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        "CLUSTER_AUTHORIZATION_FAILED" => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        "UNKNOWN_TOPIC_ID" => ErrorCode::UNKNOWN_TOPIC_ID,
        "UNSUPPORTED_VERSION" => ErrorCode::UNSUPPORTED_VERSION,
        "UNKNOWN_SERVER_ERROR" => ErrorCode::UNKNOWN_SERVER_ERROR,
        other => panic!("{other}"),
    }
    .into()
}
