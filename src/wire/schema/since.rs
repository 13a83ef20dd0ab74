//! Versions in which fields stand, for constants: what reads a message by hand asks the tables since when it has to.

use super::row::{FieldRow, FieldType, StructRow};
use super::table::MESSAGES;
use super::{Direction, MessageVersions};

/// Versions of Kafka's messages are smaller.
const NONE: u8 = u8::MAX;

/// First version of a message with the field at `path`: its name in snake case, behind those of the structures around it.
///
/// # Panics
/// No version has it; in a constant that ends the build.
pub const fn first_with(api_key: i16, direction: Direction, path: &[&str]) -> i16 {
    let (first, _) = versions_with(api_key, direction, path);
    first as i16
}

/// First version of a message whose field at `path` is gone.
///
/// # Panics
/// No version has it; in a constant that ends the build.
pub const fn first_without(api_key: i16, direction: Direction, path: &[&str]) -> i16 {
    let (_, last) = versions_with(api_key, direction, path);
    last as i16 + 1
}

/// First version of an API with compact lengths and tagged fields (KIP-482).
///
/// # Panics
/// No version has them; in a constant that ends the build.
pub const fn first_flexible(api_key: i16) -> i16 {
    match super::request_versions(api_key) {
        Some(MessageVersions {
            first_flexible: Some(version),
            ..
        }) => version,
        _ => panic!("the schemas have no such version"),
    }
}

/// First version whose answer has a host and a port beside each other; `None` if no version has.
pub const fn first_with_host(api_key: i16) -> Option<i16> {
    let mut at = 0;
    while at < MESSAGES.len() {
        let row = &MESSAGES[at];
        if row.api == api_key && matches!(row.direction, Direction::Response) {
            let first = host_in(row.root);
            if first != NONE && first <= row.last {
                return Some(max(first, row.first) as i16);
            }
        }
        at += 1;
    }
    None
}

/// First and last version of a message with a field.
const fn versions_with(api_key: i16, direction: Direction, path: &[&str]) -> (u8, u8) {
    let (mut first, mut last) = (NONE, 0);
    let mut at = 0;
    while at < MESSAGES.len() {
        let row = &MESSAGES[at];
        if row.api == api_key && row.direction as u8 == direction as u8 {
            let (since, until) = field_in(row.root, path);
            let (since, until) = (max(since, row.first), min(until, row.last));
            if since <= until {
                first = min(first, since);
                last = max(last, until);
            }
        }
        at += 1;
    }
    assert!(first != NONE, "the schemas have no such field");
    (first, last)
}

/// First and last version with a field in a structure.
const fn field_in(row: &StructRow, path: &[&str]) -> (u8, u8) {
    let Some((name, inner)) = path.split_first() else {
        return (0, NONE);
    };
    let (mut first, mut last) = (NONE, 0);
    let mut at = 0;
    while let Some(field) = field(row, at) {
        if is_equal(field.name, name) {
            let (since, until) = match field.kind {
                FieldType::Struct(row) => field_in(row, inner),
                _ if inner.is_empty() => (0, NONE),
                _ => (NONE, 0),
            };
            first = min(first, max(since, field.first));
            last = max(last, min(until, field.last));
        }
        at += 1;
    }
    (first, last)
}

/// First version in which a structure, or one in it, has a host and a port.
const fn host_in(row: &StructRow) -> u8 {
    let ((host, _), (port, _)) = (field_in(row, &["host"]), field_in(row, &["port"]));
    let mut first = max(host, port);
    let mut at = 0;
    while let Some(field) = field(row, at) {
        if let FieldType::Struct(inner) = field.kind {
            first = min(first, max(host_in(inner), field.first));
        }
        at += 1;
    }
    first
}

/// A field by its number, the tagged ones last.
const fn field(row: &StructRow, at: usize) -> Option<&FieldRow> {
    let plain = row.plain.len();
    if at < plain {
        Some(&row.plain[at])
    } else if at - plain < row.tagged.len() {
        Some(&row.tagged[at - plain])
    } else {
        None
    }
}

const fn is_equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn min(one: u8, other: u8) -> u8 {
    if one < other { one } else { other }
}

const fn max(one: u8, other: u8) -> u8 {
    if one > other { one } else { other }
}
