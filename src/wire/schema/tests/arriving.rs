//! Names while a body is still arriving.

use super::super::{Direction, Draft, MarkedNames, Message, NameKind, NamesLeft};
use super::random::{Random, body, every_version};

#[test]
fn names_of_a_beginning_are_the_first_ones_and_none_is_missed() {
    for (api_key, direction, version) in every_version() {
        let body = body(api_key, direction, version, &mut Random(3));
        let message = Message::read(api_key, direction, version, &body).unwrap();
        let all: Vec<_> = message.names().map(|name| (name.kind, name.range())).collect();
        let mut before = 0;
        for end in 0..=body.len() {
            let arriving = MarkedNames::arriving(api_key, direction, version, &body[..end], body.len());
            let mut arriving = arriving.unwrap();
            let found: Vec<_> = arriving.by_ref().map(|name| (name.kind, name.range())).collect();
            let at = format!("{api_key} {direction:?} v{version}, {end} of {}", body.len());
            assert_eq!(found, all[..found.len()], "{at}");
            assert!(found.len() >= before, "{at}");
            before = found.len();
            match arriving.rest().unwrap() {
                NamesLeft::None => assert_eq!(found, all, "{at}"),
                NamesLeft::Possible => assert!(end < body.len(), "{at}"),
            }
        }
    }
}

/// A Produce request with these topics, one partition of each with so many bytes of records.
fn produce(version: i16, topics: &[&str], records: usize) -> Vec<u8> {
    let mut draft = Draft::new(0, Direction::Request, version).unwrap();
    draft
        .set("acks", -1)
        .set("timeout_ms", 1)
        .set("transactional_id", "x");
    for name in topics {
        let topic = draft.push("topic_data");
        topic.set("name", *name).set("topic_id", [name.as_bytes()[0]; 16]);
        topic.push("partition_data").set("records", vec![7; records]);
    }
    draft.encode()
}

#[test]
fn the_names_of_a_produce_request_are_known_before_its_last_records_arrive() {
    for version in [3, 8, 9, 13] {
        let body = produce(version, &["a", "b"], 100_000);
        let names = |end: usize| {
            let mut names =
                MarkedNames::arriving(0, Direction::Request, version, &body[..end], body.len()).unwrap();
            let kinds: Vec<NameKind> = names.by_ref().map(|name| name.kind).collect();
            (kinds.len(), names.rest().unwrap())
        };
        assert_eq!(names(1), (0, NamesLeft::Possible));
        // The transactional id and the first topic, whose records have not arrived.
        assert_eq!(names(64), (2, NamesLeft::Possible), "version {version}");
        assert_eq!(names(99_000), (2, NamesLeft::Possible));
        // The second topic is named; its records, and what is behind them, do not matter.
        assert_eq!(names(100_150), (3, NamesLeft::None), "version {version}");
    }
}

#[test]
fn a_beginning_that_lies_is_malformed() {
    let mut body = produce(9, &["a"], 100);
    let mut names = MarkedNames::arriving(0, Direction::Request, 9, &body[..30], 40).unwrap();
    names.by_ref().for_each(drop);
    assert!(names.rest().is_err(), "the records are longer than the frame");
    // The count of topics.
    let at = 1 + 1 + 2 + 4;
    body[at] = 0x7f;
    let mut names = MarkedNames::arriving(0, Direction::Request, 9, &body, body.len()).unwrap();
    assert_eq!(names.by_ref().count(), 1);
    assert_eq!(names.rest().unwrap_err().what, "count: it exceeds the frame");
}
