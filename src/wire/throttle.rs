//! `ThrottleTimeMs`: how a broker, and a proxy that wants a client to pause, asks it to stop sending (KIP-219).
//!
//! A client that heeds it sends nothing more on that connection until the time is over. The Java client and those
//! after its model do so from certain versions on (`shouldClientThrottle` of the Java client's responses);
//! librdkafka reports the time and does not heed it. JoinGroup and SyncGroup are left out although they qualify:
//! a pause there is one of the whole group's rebalance, and their connections carry no load that had to be calmed.

use super::Malformed;
use super::api::{self, Api, ThrottlePosition};
use super::header;
use super::rewrite::produce_layout;
use super::skip::Skipper;

/// Bytes of the field.
pub const THROTTLE_LEN: usize = 4;

/// How far into an answer the field is looked for. A Produce answer has it at its end, and one about more than a
/// thousand partitions passes as it is: bytes before the field are kept until it has come.
const FARTHEST: usize = 64 * 1024;

/// Where the field is in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// It begins so many bytes behind the size prefix, and has arrived.
    At(usize),
    /// It has not arrived, or where it is cannot be told yet.
    Later,
    /// It has none, clients of this version do not heed it, or it is not worth the search.
    Nowhere,
}

/// Finds the field in an answer of `size` bytes, of which `here` has arrived.
///
/// See [`ThrottlePosition`]. Behind the topics of Produce it is the end of the body up to version 8, and is followed by
/// tagged fields since.
///
/// # Errors
/// The answer is not what its version says it is.
pub fn find(api_key: i16, version: i16, here: &[u8], size: usize) -> Result<Throttle, Malformed> {
    let Some(api) = api::api(api_key).filter(|api| api.is_throttle_obeyed(version)) else {
        return Ok(Throttle::Nowhere);
    };
    let Some(field) = api.throttle else {
        return Ok(Throttle::Nowhere);
    };
    let start = match field.position {
        ThrottlePosition::AfterTopics if size > FARTHEST => return Ok(Throttle::Nowhere),
        ThrottlePosition::AfterTopics if here.len() < size => return Ok(Throttle::Later),
        ThrottlePosition::AfterTopics => after_topics(api, version, &here[..size])?,
        ThrottlePosition::First => header::response_body(here, api, version)?,
    };
    Ok(match start {
        Some(start) if start > FARTHEST => Throttle::Nowhere,
        Some(start) if start + THROTTLE_LEN <= here.len().min(size) => Throttle::At(start),
        _ => not_here(here, size),
    })
}

/// It may still come, unless the answer has ended or what has come is too much to be kept.
const fn not_here(here: &[u8], size: usize) -> Throttle {
    if here.len() < size && here.len() <= FARTHEST + THROTTLE_LEN {
        Throttle::Later
    } else {
        Throttle::Nowhere
    }
}

/// Where it is in a Produce answer that is all here; `None` if the answer is too short to have it.
fn after_topics(api: &Api, version: i16, frame: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(body) = header::response_body(frame, api, version)? else {
        return Ok(None);
    };
    let end = if api.request_is_flexible(version) {
        let topics = &frame[body..];
        body + Skipper::new(produce_layout(version), topics.len())
            .advance(topics)?
            .consumed
    } else {
        frame.len()
    };
    Ok(end.checked_sub(THROTTLE_LEN).filter(|&start| start >= body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::ApiKey;

    #[test]
    fn an_answer_that_ends_before_the_field_has_none() {
        let frame = [0, 0, 0, 1, 0, 0, 9];
        assert_eq!(find(ApiKey::HEARTBEAT, 2, &frame, 7), Ok(Throttle::Nowhere));
        assert_eq!(find(ApiKey::HEARTBEAT, 2, &frame, 8), Ok(Throttle::Later));
        assert_eq!(find(ApiKey::PRODUCE, 6, &frame, 7), Ok(Throttle::Nowhere));
        assert!(find(ApiKey::PRODUCE, 9, &[0, 0, 0, 1, 0, 5], 6).is_err());
    }

    #[test]
    fn a_produce_answer_that_would_be_held_for_long_is_left_alone() {
        assert_eq!(find(ApiKey::PRODUCE, 11, &[0; 9], FARTHEST), Ok(Throttle::Later));
        assert_eq!(
            find(ApiKey::PRODUCE, 11, &[0; 9], FARTHEST + 1),
            Ok(Throttle::Nowhere)
        );
    }
}
