//! Versions for constants against a search at run time, and a few that everybody knows.

use super::super::row::{FieldType, StructRow};
use super::super::table::MESSAGES;
use super::super::{Direction, find, first_flexible, first_with, first_with_host, first_without};
use crate::wire::api::ApiKey;

#[test]
fn versions_are_those_that_everybody_knows() {
    let request = Direction::Request;
    assert_eq!(first_with(ApiKey::FETCH, request, &["topics", "topic_id"]), 13);
    assert_eq!(first_with(ApiKey::FETCH, request, &["session_epoch"]), 7);
    assert_eq!(first_without(ApiKey::FETCH, request, &["replica_id"]), 15);
    assert_eq!(first_without(ApiKey::FETCH, request, &["topics", "topic"]), 13);
    assert_eq!(first_with(ApiKey::PRODUCE, request, &["transactional_id"]), 3);
    assert_eq!(first_flexible(ApiKey::METADATA), 9);
    let addresses = [
        (ApiKey::PRODUCE, Some(10)),
        (ApiKey::FETCH, Some(16)),
        (ApiKey::METADATA, Some(0)),
        (ApiKey::DESCRIBE_QUORUM, Some(2)),
        (ApiKey::HEARTBEAT, None),
    ];
    for (key, first) in addresses {
        assert_eq!(first_with_host(key), first, "{key}");
    }
}

/// Paths of a structure's fields.
fn paths(row: &StructRow, above: &[&'static str], out: &mut Vec<Vec<&'static str>>) {
    for field in row.plain.iter().chain(row.tagged) {
        let path = [above, &[field.name]].concat();
        if let FieldType::Struct(inner) = field.kind {
            paths(inner, &path, out);
        }
        out.push(path);
    }
}

/// Whether a version of a message has a field.
fn has(row: &StructRow, path: &[&str], version: u8) -> bool {
    let (name, inner) = path.split_first().unwrap();
    let Some(field) = row.find(name, version) else {
        return false;
    };
    match field.kind {
        FieldType::Struct(row) if !inner.is_empty() => has(row, inner, version),
        _ => inner.is_empty(),
    }
}

#[test]
fn versions_of_every_field_are_those_that_have_it() {
    let mut compared = 0;
    for message in MESSAGES {
        let (api, direction) = (message.api, message.direction);
        let mut all = Vec::new();
        paths(message.root, &[], &mut all);
        for path in all {
            let with: Vec<i16> = (0..=30_i16)
                .filter(|version| {
                    let found = find(api, direction, *version);
                    found.is_some_and(|(row, _)| has(row.root, &path, *version as u8))
                })
                .collect();
            let at = format!("{} {direction:?} {path:?}", message.name);
            assert_eq!(first_with(api, direction, &path), with[0], "{at}");
            assert_eq!(
                first_without(api, direction, &path),
                with[with.len() - 1] + 1,
                "{at}"
            );
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared}");
}
