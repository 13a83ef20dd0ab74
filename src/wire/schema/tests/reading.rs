//! Fields and names where they stand.

use super::super::marked::MAX_DEPTH;
use super::super::row::{FieldRow, FieldType, StructRow};
use super::super::table::MESSAGES;
use super::super::{Direction, Draft, Message, NameKind};
use super::random::{Random, body, every_version};

fn all_fields(row: &'static StructRow) -> impl Iterator<Item = &'static FieldRow> {
    row.plain.iter().chain(row.tagged)
}

/// Levels that the iteration of names needs for a structure.
fn depth(row: &'static StructRow) -> usize {
    let inner = all_fields(row).map(|field| match field.kind {
        FieldType::Struct(inner) => depth(inner) + usize::from(field.is_array),
        _ => usize::from(field.is_array),
    });
    1 + inner.max().unwrap_or_default()
}

#[test]
fn no_message_nests_deeper_than_names_are_looked_for() {
    for row in MESSAGES {
        assert!(
            depth(row.root) <= MAX_DEPTH,
            "{} {:?}: {}",
            row.name,
            row.direction,
            depth(row.root)
        );
    }
}

/// The names of a structure by reading its fields one after another.
fn slow_names(structure: &super::super::Structure<'_>, out: &mut Vec<(usize, usize)>) {
    for field in all_fields(structure.row) {
        let Some(place) = structure.field(field.name) else {
            continue;
        };
        if !std::ptr::eq(place.row, field) {
            continue;
        }
        place.elements().for_each(|element| slow_names(&element, out));
        if let Some(inner) = place.structure() {
            slow_names(&inner, out);
        }
        if !field.has_names() || field.is_struct() {
            continue;
        }
        let all = if field.is_array {
            place.values().collect()
        } else {
            vec![place]
        };
        let there = all.iter().filter(|place| !place.is_null());
        out.extend(there.map(|place| (place.content_range().start, place.content_range().end)));
    }
}

#[test]
fn names_are_those_found_by_reading_every_field() {
    let mut found = 0;
    for (api_key, direction, version) in every_version() {
        for seed in 0..8 {
            let body = body(api_key, direction, version, &mut Random(seed));
            let message = Message::read(api_key, direction, version, &body).unwrap();
            let mut slow = Vec::new();
            slow_names(&message.root(), &mut slow);
            let names: Vec<_> = message
                .names()
                .map(|name| (name.range().start, name.range().end))
                .collect();
            slow.sort_unstable();
            let mut sorted = names.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, slow, "{api_key} {direction:?} v{version}");
            assert_eq!(sorted, names, "in the order of the wire");
            found += names.len();
        }
    }
    assert!(found > 4_000, "{found}");
}

/// Kinds of the names of a message.
fn kinds(api_key: i16, direction: Direction, version: i16, body: &[u8]) -> Vec<(NameKind, String)> {
    let message = Message::read(api_key, direction, version, body).unwrap();
    let names = message.names();
    names
        .map(|name| (name.kind, name.text().unwrap_or_default().to_owned()))
        .collect()
}

#[test]
fn keys_of_coordinators_are_what_their_type_says() {
    for (key_type, kind) in [
        (0, NameKind::GroupId),
        (1, NameKind::TransactionalId),
        (2, NameKind::ShareKey),
        (9, NameKind::OtherResource),
    ] {
        let mut old = Draft::new(10, Direction::Request, 2).unwrap();
        old.set("key", "a").set("key_type", key_type);
        assert_eq!(
            kinds(10, Direction::Request, 2, &old.encode()),
            [(kind, "a".to_owned())]
        );
        let mut new = Draft::new(10, Direction::Request, 6).unwrap();
        new.set("key_type", key_type)
            .push_value("coordinator_keys", "a")
            .push_value("coordinator_keys", "b");
        let expected = [(kind, "a".to_owned()), (kind, "b".to_owned())];
        assert_eq!(kinds(10, Direction::Request, 6, &new.encode()), expected);
    }
    let oldest = Draft::new(10, Direction::Request, 0)
        .unwrap()
        .set("key", "a")
        .encode();
    assert_eq!(
        kinds(10, Direction::Request, 0, &oldest),
        [(NameKind::GroupId, "a".to_owned())]
    );
    let mut answer = Draft::new(10, Direction::Response, 6).unwrap();
    answer.push("coordinators").set("key", "a");
    assert_eq!(
        kinds(10, Direction::Response, 6, &answer.encode()),
        [(NameKind::CoordinatorKey, "a".to_owned())]
    );
}

#[test]
fn resources_are_what_their_type_says_also_where_it_follows_the_name() {
    let mut configs = Draft::new(32, Direction::Request, 4).unwrap();
    for (kind, name) in [(2, "t"), (32, "g"), (4, "1"), (16, "m")] {
        configs
            .push("resources")
            .set("resource_type", kind)
            .set("resource_name", name);
    }
    let expected = [
        NameKind::TopicName,
        NameKind::GroupId,
        NameKind::OtherResource,
        NameKind::OtherResource,
    ];
    let found = kinds(32, Direction::Request, 4, &configs.encode());
    assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), expected);

    let mut listed = Draft::new(74, Direction::Response, 1).unwrap();
    listed
        .push("config_resources")
        .set("resource_name", "g")
        .set("resource_type", 32);
    assert_eq!(
        kinds(74, Direction::Response, 1, &listed.encode()),
        [(NameKind::GroupId, "g".to_owned())]
    );

    let mut acls = Draft::new(31, Direction::Request, 3).unwrap();
    for (kind, name) in [(2, "t"), (3, "g"), (5, "x"), (1, "any")] {
        acls.push("filters")
            .set("resource_type_filter", kind)
            .set("resource_name_filter", name);
    }
    let expected = [
        NameKind::TopicName,
        NameKind::GroupId,
        NameKind::TransactionalId,
        NameKind::OtherResource,
    ];
    let found = kinds(31, Direction::Request, 3, &acls.encode());
    assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), expected);
}

#[test]
fn fields_are_read_by_name_in_every_encoding() {
    for version in [0, 8, 12] {
        let mut draft = Draft::new(3, Direction::Response, version).unwrap();
        draft.set("controller_id", 7).set("cluster_id", "c");
        let topic = draft
            .push("topics")
            .set("name", "orders")
            .set("topic_id", [9; 16]);
        topic
            .push("partitions")
            .set("leader_id", 5)
            .push_value("replica_nodes", 5)
            .push_value("replica_nodes", 6);
        let body = draft.encode();
        let message = Message::read(3, Direction::Response, version, &body).unwrap();
        let root = message.root();
        assert_eq!(root.int("controller_id"), (version >= 1).then_some(7));
        assert_eq!(root.text("cluster_id"), (version >= 2).then_some("c"));
        let topics = root.array("topics");
        assert_eq!(topics.len(), 1);
        let topic = topics.last().unwrap();
        assert_eq!(
            (topic.text("name"), topic.int("error_code")),
            (Some("orders"), Some(0))
        );
        assert_eq!(topic.uuid("topic_id"), (version >= 10).then_some([9; 16]));
        let partition = topic.array("partitions").next().unwrap();
        let replicas: Vec<_> = partition
            .values("replica_nodes")
            .filter_map(|place| place.int())
            .collect();
        assert_eq!((partition.int("leader_id"), replicas), (Some(5), vec![5, 6]));
        assert_eq!(&body[topic.field("name").unwrap().content_range()], b"orders");
        assert_eq!(root.range(), 0..body.len());
    }
}

#[test]
fn absent_structures_and_tagged_fields_read_as_absent() {
    let body = Draft::new(75, Direction::Request, 0).unwrap().encode();
    let message = Message::read(75, Direction::Request, 0, &body).unwrap();
    assert!(
        message.root().structure("cursor").is_none() && message.root().field("cursor").unwrap().is_null()
    );
    let mut draft = Draft::new(75, Direction::Request, 0).unwrap();
    draft
        .structure("cursor")
        .set("topic_name", "t")
        .set("partition_index", 4);
    let body = draft.encode();
    let message = Message::read(75, Direction::Request, 0, &body).unwrap();
    assert_eq!(
        message.root().structure("cursor").unwrap().int("partition_index"),
        Some(4)
    );

    let mut fetch = Draft::new(1, Direction::Request, 16).unwrap();
    let body = fetch.encode();
    let message = Message::read(1, Direction::Request, 16, &body).unwrap();
    assert!(message.root().has("cluster_id") && message.root().field("cluster_id").is_none());
    let body = fetch.set("cluster_id", "c").encode();
    let message = Message::read(1, Direction::Request, 16, &body).unwrap();
    assert_eq!(message.root().text("cluster_id"), Some("c"));
}
