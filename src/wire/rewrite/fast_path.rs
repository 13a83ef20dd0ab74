//! The short way to see that an answer names nobody at its end.
//!
//! Nearly every Produce and Fetch answer is of one shape: no errors, no tagged fields, short counts. Walking that
//! shape takes a few nanoseconds; whatever differs from it in any byte that matters is left to the
//! [`TailFinder`](super::TailFinder), which knows the same layouts and all the rest of them.

use super::super::api::AddressLayout;
use super::super::cursor::uvarint;
use super::layout;

/// Versions from here on name topics by id (Produce; Fetch does since 13).
pub(super) const PRODUCE_FIRST_WITH_IDS: i16 = 13;

/// Whether a whole answer, behind its size, is of the usual shape and names nobody. False says nothing.
#[inline]
pub fn has_no_endpoints_fast(api_key: i16, version: i16, frame: &[u8]) -> bool {
    let walked = match layout(api_key, version) {
        Some(AddressLayout::Produce) => produce(version, frame),
        Some(AddressLayout::Fetch) => fetch(frame),
        _ => None,
    };
    walked.is_some_and(|rest| rest == [0])
}

/// What follows `length` bytes.
#[inline]
fn past(bytes: &[u8], length: usize) -> Option<&[u8]> {
    bytes.get(length..)
}

/// What follows a byte of 0: an empty section of tagged fields.
#[inline]
fn past_no_tags(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(&[0])
}

/// What follows a byte of 0 or 1: a null or empty string or array.
#[inline]
fn past_nothing(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0 | 1, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// A count or length of one byte, and what follows it.
#[inline]
fn short(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [count @ 1..=0x7f, rest @ ..] => Some((usize::from(*count) - 1, rest)),
        _ => None,
    }
}

/// To the end of the topics and the throttle time.
#[inline]
fn produce(version: i16, frame: &[u8]) -> Option<&[u8]> {
    let (topics, mut rest) = short(past_no_tags(past(frame, 4)?)?)?;
    for _ in 0..topics {
        if version >= PRODUCE_FIRST_WITH_IDS {
            rest = past(rest, 16)?;
        } else {
            let (name, after) = short(rest)?;
            rest = past(after, name)?;
        }
        let (partitions, after) = short(rest)?;
        rest = after;
        for _ in 0..partitions {
            // Index, error, base offset, append time, log start; record errors; message.
            rest = past_no_tags(past_nothing(past_nothing(past(rest, 4 + 2 + 8 + 8 + 8)?)?)?)?;
        }
        rest = past_no_tags(rest)?;
    }
    past(rest, 4)
}

/// To the end of the topics.
#[inline]
fn fetch(frame: &[u8]) -> Option<&[u8]> {
    // Throttle time, error, session id.
    let (topics, mut rest) = short(past(past_no_tags(past(frame, 4)?)?, 4 + 2 + 4)?)?;
    for _ in 0..topics {
        let (partitions, after) = short(past(rest, 16)?)?;
        rest = after;
        for _ in 0..partitions {
            // Index, error, high watermark, last stable offset, log start; aborted transactions; preferred replica.
            rest = past(past_nothing(past(rest, 4 + 2 + 8 + 8 + 8)?)?, 4)?;
            let (records, taken) = uvarint(rest).ok()?;
            let records = usize::try_from(records).ok()?.saturating_sub(1);
            rest = past_no_tags(past(past(rest, taken)?, records)?)?;
        }
        rest = past_no_tags(rest)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::super::api::ApiKey;
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

    /// What the walker that knows everything says.
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
    fn the_usual_shape_is_seen() {
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
        fn it_never_sees_nobody_where_the_long_way_sees_somebody(
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
