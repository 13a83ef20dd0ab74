//! `throttle_time_ms`: how a broker, and a proxy that wants a client to pause, asks it to stop sending (KIP-219).
//!
//! A client that obeys sends nothing more on that connection until the time is over. The Java client and those modelled
//! on it do so from certain versions on ([`Api::throttle`]); librdkafka reports the time and does not obey it.

use super::Malformed;
use super::api::{self, Api, ThrottlePosition};
use super::header;
use super::rewrite::produce_layout;
use super::skip::Skipper;

/// Bytes of the field.
pub const THROTTLE_LEN: usize = 4;

/// Bytes of an answer within which the field is looked for. A Produce answer has it at its end, and an answer about more
/// than a thousand partitions passes unchanged: bytes before the field are held until it has arrived.
const MAX_OFFSET: usize = 64 * 1024;

/// The place of the field in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// The field has arrived, and begins so many bytes behind the size prefix.
    At(usize),
    /// The field has not arrived, or more bytes decide where it is.
    Incomplete,
    /// The answer has no such field, clients do not obey it in this version, or it is too far behind.
    None,
}

/// Finds the field in an answer of `size` bytes, of which `received` has arrived.
///
/// [`ThrottlePosition`] says where it is. Behind the topics of Produce it ends the body up to version 8; since version 9
/// tagged fields follow it (`ProduceResponse.json`).
///
/// # Errors
/// The answer is not what its version says it is.
pub fn find(api_key: i16, version: i16, received: &[u8], size: usize) -> Result<Throttle, Malformed> {
    let Some(api) = api::api(api_key).filter(|api| api.is_throttle_obeyed(version)) else {
        return Ok(Throttle::None);
    };
    let Some(field) = api.throttle else {
        return Ok(Throttle::None);
    };
    let start = match field.position {
        ThrottlePosition::AfterTopics if size > MAX_OFFSET => return Ok(Throttle::None),
        ThrottlePosition::AfterTopics if received.len() < size => return Ok(Throttle::Incomplete),
        ThrottlePosition::AfterTopics => after_topics(api, version, &received[..size])?,
        ThrottlePosition::First => header::response_body(received, api, version)?,
    };
    Ok(match start {
        Some(start) if start > MAX_OFFSET => Throttle::None,
        Some(start) if start + THROTTLE_LEN <= received.len().min(size) => Throttle::At(start),
        _ => not_received(received, size),
    })
}

/// The outcome for a field that is not among the bytes received: it may still arrive, unless the answer has ended or too
/// much of it would have to be held.
const fn not_received(received: &[u8], size: usize) -> Throttle {
    if received.len() < size && received.len() <= MAX_OFFSET + THROTTLE_LEN {
        Throttle::Incomplete
    } else {
        Throttle::None
    }
}

/// Position of the field in a whole Produce answer; `None` if the answer is too short to have it.
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
        assert_eq!(find(ApiKey::HEARTBEAT, 2, &frame, 7), Ok(Throttle::None));
        assert_eq!(find(ApiKey::HEARTBEAT, 2, &frame, 8), Ok(Throttle::Incomplete));
        assert_eq!(find(ApiKey::PRODUCE, 6, &frame, 7), Ok(Throttle::None));
        assert!(find(ApiKey::PRODUCE, 9, &[0, 0, 0, 1, 0, 5], 6).is_err());
    }

    #[test]
    fn a_produce_answer_that_would_be_held_for_long_is_left_alone() {
        assert_eq!(
            find(ApiKey::PRODUCE, 11, &[0; 9], MAX_OFFSET),
            Ok(Throttle::Incomplete)
        );
        assert_eq!(
            find(ApiKey::PRODUCE, 11, &[0; 9], MAX_OFFSET + 1),
            Ok(Throttle::None)
        );
    }
}
