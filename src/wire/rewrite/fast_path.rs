//! The fast path: sees that an answer has no endpoints at its end.
//!
//! Nearly every Produce and Fetch answer is of one shape: no errors, no tagged fields, short counts. Walking that
//! shape takes a few nanoseconds; an answer that differs from it in any byte that matters is left to the
//! [`TailFinder`](super::TailFinder), which knows these layouts and all others.

use super::super::api::{ApiKey, first_with_addresses};
use super::super::cursor::uvarint;
use super::super::schema::{self, Direction};

/// Versions from here on name topics by id (Produce; Fetch does since 13).
pub(super) const PRODUCE_FIRST_WITH_IDS: i16 =
    schema::first_with(ApiKey::PRODUCE, Direction::Response, &["responses", "topic_id"]);

/// Whether a whole answer, without its size, is of the usual shape and has no endpoints. False says nothing.
#[inline]
pub fn has_no_endpoints_fast(api_key: i16, version: i16, frame: &[u8]) -> bool {
    let walked = match api_key {
        ApiKey::PRODUCE if version >= const { first_with_addresses(ApiKey::PRODUCE) } => {
            produce(version, frame)
        }
        ApiKey::FETCH if version >= const { first_with_addresses(ApiKey::FETCH) } => fetch(frame),
        _ => None,
    };
    walked.is_some_and(|rest| rest == [0])
}

/// The bytes after the first `length`.
#[inline]
fn after(bytes: &[u8], length: usize) -> Option<&[u8]> {
    bytes.get(length..)
}

/// The bytes after an empty section of tagged fields: a byte of 0.
#[inline]
fn after_no_tags(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(&[0])
}

/// The bytes after a null or empty string or array: a byte of 0 or 1.
#[inline]
fn after_nothing(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0 | 1, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// A count or length of one byte, and the bytes after it.
#[inline]
fn short(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [count @ 1..=0x7f, rest @ ..] => Some((usize::from(*count) - 1, rest)),
        _ => None,
    }
}

/// The bytes of a Produce answer after its topics and throttle time.
#[inline]
fn produce(version: i16, frame: &[u8]) -> Option<&[u8]> {
    let (topics, mut rest) = short(after_no_tags(after(frame, 4)?)?)?;
    for _ in 0..topics {
        if version >= PRODUCE_FIRST_WITH_IDS {
            rest = after(rest, 16)?;
        } else {
            let (name, rest_of) = short(rest)?;
            rest = after(rest_of, name)?;
        }
        let (partitions, rest_of) = short(rest)?;
        rest = rest_of;
        for _ in 0..partitions {
            // Index, error, base offset, append time, log start; record errors; message.
            rest = after_no_tags(after_nothing(after_nothing(after(rest, 4 + 2 + 8 + 8 + 8)?)?)?)?;
        }
        rest = after_no_tags(rest)?;
    }
    after(rest, 4)
}

/// The bytes of a Fetch answer after its topics.
#[inline]
fn fetch(frame: &[u8]) -> Option<&[u8]> {
    // Throttle time, error, session id.
    let (topics, mut rest) = short(after(after_no_tags(after(frame, 4)?)?, 4 + 2 + 4)?)?;
    for _ in 0..topics {
        let (partitions, rest_of) = short(after(rest, 16)?)?;
        rest = rest_of;
        for _ in 0..partitions {
            // Index, error, high watermark, last stable offset, log start; aborted transactions; preferred replica.
            rest = after(after_nothing(after(rest, 4 + 2 + 8 + 8 + 8)?)?, 4)?;
            let (records, taken) = uvarint(rest).ok()?;
            let records = usize::try_from(records).ok()?.saturating_sub(1);
            rest = after_no_tags(after(after(rest, taken)?, records)?)?;
        }
        rest = after_no_tags(rest)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::{TailFinder, tail_is_empty};
    use super::*;
    use proptest::prelude::*;

    fn produce_frame(version: i16) -> Vec<u8> {
        let topic: &[u8] = if version >= PRODUCE_FIRST_WITH_IDS {
            &[7; 16]
        } else {
            b"\x06topic"
        };
        let partition = [&[9; 30][..], &[1, 0, 0]].concat();
        [
            &[0, 0, 0, 1, 0, 2],
            topic,
            &[3],
            &partition,
            &partition,
            &[0],
            &[0; 4],
            &[0],
        ]
        .concat()
    }

    fn fetch_frame() -> Vec<u8> {
        let partition = |records: usize| {
            let length = [(records + 1) as u8 | 0x80, ((records + 1) >> 7) as u8];
            [&[9; 30][..], &[0], &[0xff; 4], &length, &vec![5; records], &[0]].concat()
        };
        [
            &[0, 0, 0, 1, 0][..],
            &[0; 10],
            &[2],
            &[7; 16],
            &[3],
            &partition(200),
            &partition(300),
            &[0],
            &[0],
        ]
        .concat()
    }

    /// The judgement of the walker that knows every layout.
    fn finder_agrees(key: i16, version: i16, frame: &[u8]) -> bool {
        let body = &frame[5..];
        let Some(mut finder) = TailFinder::new(key, version, body.len()) else {
            return false;
        };
        finder
            .advance(body)
            .is_ok_and(|advance| advance.done && tail_is_empty(key, version, &body[advance.consumed..]))
    }

    fn samples() -> Vec<(i16, i16, Vec<u8>)> {
        let produce = (10..=13).map(|version| (ApiKey::PRODUCE, version, produce_frame(version)));
        produce
            .chain((16..=18).map(|version| (ApiKey::FETCH, version, fetch_frame())))
            .collect()
    }

    #[test]
    fn the_usual_shape_is_recognised() {
        for (key, version, frame) in samples() {
            assert!(has_no_endpoints_fast(key, version, &frame), "{key} {version}");
            assert!(finder_agrees(key, version, &frame), "{key} {version}");
            for end in 0..frame.len() {
                assert!(
                    !has_no_endpoints_fast(key, version, &frame[..end]),
                    "{key} {version} cut at {end}"
                );
            }
        }
    }

    #[test]
    fn versions_without_endpoints_are_not_its_business() {
        assert!(!has_no_endpoints_fast(ApiKey::PRODUCE, 9, &produce_frame(9)));
        assert!(!has_no_endpoints_fast(ApiKey::FETCH, 15, &fetch_frame()));
    }

    proptest! {
        #[test]
        fn it_never_misses_endpoints_that_the_slow_path_finds(
            sample in 0usize..7,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            tail in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let (key, version, mut frame) = samples().swap_remove(sample);
            for (index, byte) in changes {
                let index = index.index(frame.len());
                frame[index] = byte;
            }
            frame.extend(tail);
            if has_no_endpoints_fast(key, version, &frame) {
                prop_assert!(finder_agrees(key, version, &frame));
            }
        }
    }
}
