//! `ThrottleTimeMs`: how a broker, and a proxy that wants a client to pause, asks it to stop sending (KIP-219).
//!
//! A client that heeds it sends nothing more on that connection until the time is over. The Java client and those
//! after its model do so from certain versions on (`shouldClientThrottle` of the Java client's responses);
//! librdkafka reports the time and does not heed it. JoinGroup and SyncGroup are left out although they qualify:
//! a pause there is one of the whole group's rebalance, and their connections carry no load that had to be calmed.

use super::Malformed;
use super::api::{self, ApiKey};
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

/// Whether clients heed the field in answers of this API and version.
pub const fn is_heeded(api_key: i16, version: i16) -> bool {
    let since = match api_key {
        ApiKey::PRODUCE | ApiKey::METADATA => 6,
        ApiKey::FETCH => 8,
        ApiKey::OFFSET_COMMIT | ApiKey::OFFSET_FETCH => 4,
        ApiKey::LIST_OFFSETS | ApiKey::CREATE_TOPICS => 3,
        ApiKey::FIND_COORDINATOR | ApiKey::HEARTBEAT | ApiKey::LEAVE_GROUP => 2,
        ApiKey::INIT_PRODUCER_ID
        | ApiKey::ADD_PARTITIONS_TO_TXN
        | ApiKey::ADD_OFFSETS_TO_TXN
        | ApiKey::END_TXN
        | ApiKey::TXN_OFFSET_COMMIT => 1,
        _ => return false,
    };
    version >= since
}

/// Finds the field in an answer of `size` bytes, of which `here` has arrived.
///
/// It is the first of the body in every API that [`is_heeded`] knows but Produce, where it follows the topics: at the
/// very end up to version 8, before the tagged fields since.
///
/// # Errors
/// The answer is not what its version says it is.
pub fn find(api_key: i16, version: i16, here: &[u8], size: usize) -> Result<Throttle, Malformed> {
    let Some(api) = api::api(api_key).filter(|_| is_heeded(api_key, version)) else {
        return Ok(Throttle::Nowhere);
    };
    if api_key == ApiKey::PRODUCE && size > FARTHEST {
        return Ok(Throttle::Nowhere);
    }
    if api_key == ApiKey::PRODUCE && here.len() < size {
        return Ok(Throttle::Later);
    }
    let Some(body) = header::response_body(here, api, version)? else {
        return Ok(not_here(here, size));
    };
    let start = match api_key {
        ApiKey::PRODUCE if !api.request_is_flexible(version) => size.checked_sub(THROTTLE_LEN),
        ApiKey::PRODUCE => behind_topics(version, &here[body..size]).map(|offset| Some(body + offset))?,
        _ => Some(body),
    };
    Ok(match start {
        Some(start) if start > FARTHEST => Throttle::Nowhere,
        Some(start) if start >= body && start + THROTTLE_LEN <= here.len().min(size) => Throttle::At(start),
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

/// Where it is in the body of a flexible Produce answer.
fn behind_topics(version: i16, body: &[u8]) -> Result<usize, Malformed> {
    let advance = Skipper::new(produce_layout(version), body.len()).advance(body)?;
    Ok(advance.consumed.saturating_sub(THROTTLE_LEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_heed_it_from_certain_versions_on() {
        for (key, since) in [
            (ApiKey::PRODUCE, 6),
            (ApiKey::FETCH, 8),
            (ApiKey::METADATA, 6),
            (ApiKey::FIND_COORDINATOR, 2),
            (ApiKey::OFFSET_COMMIT, 4),
            (ApiKey::HEARTBEAT, 2),
            (ApiKey::END_TXN, 1),
        ] {
            assert!(is_heeded(key, since) && !is_heeded(key, since - 1), "{key}");
        }
        for key in [
            ApiKey::JOIN_GROUP,
            ApiKey::API_VERSIONS,
            ApiKey::SASL_AUTHENTICATE,
        ] {
            assert!(!is_heeded(key, i16::MAX), "{key}");
        }
    }

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
