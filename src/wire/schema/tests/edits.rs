//! Splicing: what is edited changes, and nothing else.

use super::super::{Direction, Draft, FieldValue, Message, NameKind, Splice, Structure};
use super::random::{Random, body, every_version};

fn read(of: &Message<'_>, body: &[u8]) -> Vec<(NameKind, Vec<u8>)> {
    let message = Message::read(of.api_key(), of.direction(), of.version(), body)
        .unwrap_or_else(|error| panic!("{} {:?} v{}: {error}", of.api_key(), of.direction(), of.version()));
    message
        .names()
        .map(|name| (name.kind, name.bytes().unwrap().to_vec()))
        .collect()
}

#[test]
fn no_edits_change_nothing() {
    for (api_key, direction, version) in every_version() {
        let body = body(api_key, direction, version, &mut Random(1));
        let message = Message::read(api_key, direction, version, &body).unwrap();
        assert_eq!(Splice::new(&message).finish(), body);
    }
}

#[test]
fn names_of_every_message_can_be_replaced_by_longer_ones_and_back() {
    for (api_key, direction, version) in every_version() {
        for seed in 0..4 {
            let body = body(api_key, direction, version, &mut Random(seed));
            let message = Message::read(api_key, direction, version, &body).unwrap();
            let mut splice = Splice::new(&message);
            for name in message.names() {
                if let Some(text) = name.text() {
                    assert!(splice.set_text(&name.place, &format!("tenant-{text}")));
                }
            }
            let longer = splice.finish();
            let expected: Vec<_> = message
                .names()
                .map(|name| match name.text() {
                    Some(text) => (name.kind, format!("tenant-{text}").into_bytes()),
                    None => (name.kind, name.bytes().unwrap().to_vec()),
                })
                .collect();
            assert_eq!(read(&message, &longer), expected);
            let longer = Message::read(api_key, direction, version, &longer).unwrap();
            let mut splice = Splice::new(&longer);
            for name in longer.names() {
                if let Some(text) = name.text() {
                    splice.set_text(&name.place, text.strip_prefix("tenant-").unwrap());
                }
            }
            assert_eq!(splice.finish(), body, "{api_key} {direction:?} v{version}");
        }
    }
}

/// A Metadata answer with these topics.
fn metadata(version: i16, names: &[&str]) -> Vec<u8> {
    let mut draft = Draft::new(3, Direction::Response, version).unwrap();
    for name in names {
        let topic = draft.push("topics").set("name", *name);
        topic.push("partitions").set("partition_index", 1);
    }
    draft.encode()
}

fn topic<'a>(message: &Message<'a>, at: usize) -> Structure<'a> {
    message.root().array("topics").nth(at).unwrap()
}

fn topics<'a>(message: &Message<'a>) -> FieldValue<'a> {
    message.root().field("topics").unwrap()
}

#[test]
fn elements_are_removed_and_added_with_their_count() {
    for version in [0, 8, 9, 13] {
        let body = metadata(version, &["a", "b", "c"]);
        let message = Message::read(3, Direction::Response, version, &body).unwrap();
        let edited = |edit: &dyn Fn(&mut Splice<'_>)| {
            let mut splice = Splice::new(&message);
            edit(&mut splice);
            splice.finish()
        };
        let removed = edited(&|splice| {
            assert!(splice.remove(&topic(&message, 1)));
            assert!(splice.remove(&topic(&message, 1)), "twice is once");
            // It is gone with the topic.
            splice.set_int(&topic(&message, 1).field("error_code").unwrap(), 29);
        });
        assert_eq!(removed, metadata(version, &["a", "c"]));
        let cleared = edited(&|splice| assert!(splice.clear(&topics(&message))));
        assert_eq!(cleared, metadata(version, &[]));
        let added = edited(&|splice| {
            let mut element = Draft::element(&topics(&message)).unwrap();
            element
                .set("name", "d")
                .push("partitions")
                .set("partition_index", 1);
            assert!(splice.append(&topics(&message), &element));
            splice.remove(&topic(&message, 2));
            let last = &body[topic(&message, 2).range()];
            assert!(splice.append_encoded(&topics(&message), last));
        });
        assert_eq!(added, metadata(version, &["a", "b", "d", "c"]));
        let emptied = edited(&|splice| {
            splice.clear(&topics(&message));
            splice.append_encoded(&topics(&message), &body[topic(&message, 0).range()]);
        });
        assert_eq!(emptied, metadata(version, &["a"]));
        assert!(!edited(&|splice| assert!(!splice.remove(&message.root()))).is_empty());
    }
}

#[test]
fn what_is_added_inside_a_removed_element_is_gone_with_it() {
    for version in [0, 12] {
        let body = metadata(version, &["a", "b"]);
        let message = Message::read(3, Direction::Response, version, &body).unwrap();
        let mut splice = Splice::new(&message);
        let second = topic(&message, 1);
        let partitions = second.field("partitions").unwrap();
        let partition = second.array("partitions").next().unwrap();
        splice.append_encoded(&partitions, &body[partition.range()]);
        splice.remove(&second);
        splice.append_encoded(&topics(&message), &body[topic(&message, 0).range()]);
        assert_eq!(splice.finish(), metadata(version, &["a", "a"]));
    }
}

#[test]
fn an_element_added_to_the_last_inner_array_stays_in_it() {
    // With the classic encoding both arrays end at one position.
    let body = metadata(0, &["a"]);
    let message = Message::read(3, Direction::Response, 0, &body).unwrap();
    let first = topic(&message, 0);
    let partition = body[first.array("partitions").next().unwrap().range()].to_vec();
    let mut splice = Splice::new(&message);
    splice.append_encoded(&topics(&message), &body[first.range()]);
    splice.append_encoded(&first.field("partitions").unwrap(), &partition);
    let edited = splice.finish();
    let edited = Message::read(3, Direction::Response, 0, &edited).unwrap();
    let counts: Vec<_> = edited
        .root()
        .array("topics")
        .map(|topic| topic.array("partitions").len())
        .collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn values_are_set_only_where_they_fit() {
    let body = metadata(12, &["a"]);
    let message = Message::read(3, Direction::Response, 12, &body).unwrap();
    let first = topic(&message, 0);
    let mut splice = Splice::new(&message);
    assert!(!splice.set_int(&first.field("error_code").unwrap(), 40_000));
    assert!(!splice.set_text(&first.field("error_code").unwrap(), "29"));
    assert!(!splice.set_null(&first.field("error_code").unwrap()));
    assert!(!splice.set_text(&first.field("name").unwrap(), &"x".repeat(32_768)));
    assert!(splice.is_empty());
    assert!(
        splice.set_null(&first.field("name").unwrap()),
        "version 12 allows it"
    );
    assert!(splice.set(&first.field("topic_id").unwrap(), [7; 16]));
    let edited = splice.finish();
    let edited = Message::read(3, Direction::Response, 12, &edited).unwrap();
    assert!(topic(&edited, 0).field("name").unwrap().is_null());
    assert_eq!(topic(&edited, 0).uuid("topic_id"), Some([7; 16]));
    let old = metadata(11, &["a"]);
    let old = Message::read(3, Direction::Response, 11, &old).unwrap();
    assert!(!Splice::new(&old).set_null(&topic(&old, 0).field("name").unwrap()));
}

#[test]
fn the_size_of_a_tagged_field_follows_its_content() {
    let mut draft = Draft::new(0, Direction::Response, 10).unwrap();
    draft
        .push("node_endpoints")
        .set("node_id", 1)
        .set("host", "a")
        .set("port", 9092);
    draft
        .push("node_endpoints")
        .set("node_id", 2)
        .set("host", "b")
        .set("port", 9092);
    let body = draft.encode();
    let message = Message::read(0, Direction::Response, 10, &body).unwrap();
    let mut splice = Splice::new(&message);
    let mut endpoints = message.root().array("node_endpoints");
    let long = "long.".repeat(40);
    splice.set_text(&endpoints.next().unwrap().field("host").unwrap(), &long);
    splice.remove(&endpoints.next().unwrap());
    let mut expected = Draft::new(0, Direction::Response, 10).unwrap();
    expected
        .push("node_endpoints")
        .set("node_id", 1)
        .set("host", long.as_str())
        .set("port", 9092);
    assert_eq!(splice.finish(), expected.encode());
}

#[test]
fn the_example_of_the_module_holds() {
    let mut draft = Draft::new(3, Direction::Response, 12).unwrap();
    draft.push("topics").set("name", "orders");
    draft.push("topics").set("name", "secret").set("error_code", 0);
    let body = draft.encode();

    let message = Message::read(3, Direction::Response, 12, &body).unwrap();
    let mut splice = Splice::new(&message);
    for topic in message.root().array("topics") {
        if topic.text("name") == Some("secret") {
            splice.set_int(&topic.field("error_code").unwrap(), 29);
        }
    }
    let body = splice.finish();
    let message = Message::read(3, Direction::Response, 12, &body).unwrap();
    let codes: Vec<_> = message
        .root()
        .array("topics")
        .map(|topic| topic.int("error_code"))
        .collect();
    assert_eq!(codes, [Some(0), Some(29)]);
}
