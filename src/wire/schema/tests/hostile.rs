//! Bodies that lie.

use super::super::{Direction, Draft, Message};
use super::random::{Random, body, every_version};

#[test]
fn a_body_that_is_cut_or_goes_on_is_refused() {
    for (api_key, direction, version) in every_version() {
        let body = body(api_key, direction, version, &mut Random(5));
        for end in 0..body.len() {
            let cut = Message::read(api_key, direction, version, &body[..end]);
            assert!(cut.is_err(), "{api_key} {direction:?} v{version}");
        }
        let longer = [&body[..], &[0]].concat();
        assert!(Message::read(api_key, direction, version, &longer).is_err());
    }
}

#[test]
fn counts_and_lengths_beyond_the_body_are_refused() {
    // Metadata: the count of topics, classic and compact.
    for count in [i32::MAX, 3, -2, i32::MIN] {
        let body = [&count.to_be_bytes()[..], &[0, 0, 0, 0]].concat();
        assert!(Message::read(3, Direction::Request, 1, &body).is_err(), "{count}");
    }
    for count in [
        &[0xff, 0xff, 0xff, 0xff, 0x07][..],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[9],
    ] {
        let body = [count, &[0; 8]].concat();
        assert!(
            Message::read(3, Direction::Request, 12, &body).is_err(),
            "{count:?}"
        );
    }
    // A topic takes at least 2 bytes with the classic encoding.
    let body = [&2i32.to_be_bytes()[..], &[0, 0, 0]].concat();
    assert_eq!(
        Message::read(3, Direction::Request, 0, &body).unwrap_err().what,
        "count: it exceeds the frame"
    );
}

#[test]
fn null_where_it_is_not_allowed_is_refused() {
    // The name of a topic that is to be created.
    let mut draft = Draft::new(19, Direction::Request, 5).unwrap();
    draft.push("topics").set("name", "");
    let mut body = draft.encode();
    assert!(Message::read(19, Direction::Request, 5, &body).is_ok());
    assert_eq!(body[1], 1);
    body[1] = 0;
    assert_eq!(
        Message::read(19, Direction::Request, 5, &body).unwrap_err().what,
        "value: it is null"
    );
}

/// An ApiVersions request with these tagged fields.
fn with_tags(tags: &[u8]) -> Result<(), &'static str> {
    let body = [&[1, 1][..], tags].concat();
    Message::read(18, Direction::Request, 4, &body)
        .map(drop)
        .map_err(|malformed| malformed.what)
}

#[test]
fn tagged_fields_are_ascending_unique_and_few() {
    assert_eq!(with_tags(&[0]), Ok(()));
    assert_eq!(with_tags(&[2, 7, 0, 9, 1, 0xaa]), Ok(()));
    assert_eq!(
        with_tags(&[2, 9, 0, 7, 0]),
        Err("tagged fields: they are out of order")
    );
    assert_eq!(
        with_tags(&[2, 7, 0, 7, 0]),
        Err("tagged fields: they are out of order")
    );
    assert_eq!(with_tags(&[1, 7, 9, 0]), Err("length: it exceeds the frame"));
    let mut many = vec![0x81, 0x08];
    many.extend((0..1025u32).flat_map(|tag| [0x80 | (tag & 0x7f) as u8, (tag >> 7) as u8, 0]));
    assert_eq!(with_tags(&many), Err("tagged fields: there are too many"));
    assert_eq!(
        with_tags(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        Err("tagged fields: a number is too large")
    );
}

#[test]
fn a_known_tagged_field_fills_its_size() {
    let mut draft = Draft::new(1, Direction::Request, 12).unwrap();
    let body = draft.set("cluster_id", "abc").encode();
    assert!(Message::read(1, Direction::Request, 12, &body).is_ok());
    let size = body.len() - 5;
    assert_eq!(body[size], 4);
    for wrong in [3, 2, 5] {
        let mut body = body.clone();
        body[size] = wrong;
        body.resize(size + 1 + usize::from(wrong), b'x');
        assert!(
            Message::read(1, Direction::Request, 12, &body).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn versions_that_the_tables_do_not_know_are_refused() {
    for (api_key, version) in [(0, 14), (0, -1), (0, 1000), (4, 0), (9999, 0), (-1, 0)] {
        let read = Message::read(api_key, Direction::Request, version, &[]);
        assert_eq!(read.unwrap_err().what, "message: its version is not known");
        assert!(Draft::new(api_key, Direction::Request, version).is_none());
    }
}

#[test]
fn arbitrary_changes_of_a_byte_neither_panic_nor_pass_the_end() {
    for (api_key, direction, version) in every_version() {
        let mut random = Random(11);
        let original = body(api_key, direction, version, &mut random);
        for _ in 0..40 {
            let mut body = original.clone();
            if body.is_empty() {
                continue;
            }
            let at = random.up_to(body.len() as u64 - 1);
            body[at] = random.next() as u8;
            if let Ok(message) = Message::read(api_key, direction, version, &body) {
                for name in message.names() {
                    assert!(name.range().end <= body.len());
                }
                assert_eq!(message.root().range(), 0..body.len());
            }
        }
    }
}
