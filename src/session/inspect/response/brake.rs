//! A session that is to leave asks its client to pause, by the throttle time of every answer that passes: a client
//! with many requests on their way would never be quiet by itself. The length of the answer stays, and whatever else
//! is rewritten in it is none of this module's business: what has been put out is overwritten.

use super::KafkaInspector;
use crate::session::inspect::DrainMode;
use crate::session::inspect::in_flight::Expects;
use crate::session::output::{Mark, Output};
use crate::wire::frame::{self as wire_frame, MIN_RESPONSE, SIZE_LEN};
use crate::wire::header;
use crate::wire::throttle::{self, THROTTLE_LEN, Throttle};

/// How long a client is asked to pause, in milliseconds: long enough for the answers on their way, and short enough
/// not to be noticed by a client that takes the pause along to its next connection, as the Java client does.
const PAUSE_MS: i32 = 250;

/// What comes of looking for the throttle time of an answer.
pub(super) enum Put {
    /// It is not there yet.
    Later,
    /// There is nothing to be changed.
    No,
    On(Brake),
}

/// A throttle time that is to be raised.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brake {
    /// Where it is, counted from the size prefix.
    offset: usize,
}

impl Brake {
    /// Whether it is among the first `taken` bytes of the answer.
    pub(super) fn is_behind(self, taken: usize) -> bool {
        taken >= self.offset + THROTTLE_LEN
    }

    /// Overwrites it in an answer that was put out from `mark` on.
    pub(super) fn apply(self, mark: Mark, out: &mut Output) {
        out.overwrite(mark, self.offset, &PAUSE_MS.to_be_bytes());
    }
}

/// Looks for the throttle time in the answer at the beginning of `rest`, if this session asks for quiet. An answer
/// that is not in order is not touched: what it is wrong in is told elsewhere.
#[inline]
pub(super) fn put_on(session: &KafkaInspector, rest: &[u8]) -> Put {
    if session.drain != DrainMode::Off {
        look(session, rest)
    } else {
        Put::No
    }
}

fn look(session: &KafkaInspector, rest: &[u8]) -> Put {
    let Some((prefix, rest)) = rest.split_first_chunk::<SIZE_LEN>() else {
        return Put::No;
    };
    let (Some(asked), Ok(size)) = (
        session.in_flight.oldest(),
        wire_frame::size(*prefix, MIN_RESPONSE, session.max_frame),
    ) else {
        return Put::No;
    };
    let for_the_client = matches!(asked.expects, Expects::Answer | Expects::Opaque | Expects::Tailed);
    let here = &rest[..rest.len().min(size as usize)];
    let misplaced = header::response_correlation_id(here).is_some_and(|id| id != asked.correlation_id);
    if !for_the_client || misplaced {
        return Put::No;
    }
    match throttle::find(asked.api_key, asked.api_version, here, size as usize) {
        Ok(Throttle::Later) => Put::Later,
        Ok(Throttle::At(at)) if is_shorter(&here[at..]) => Put::On(Brake {
            offset: SIZE_LEN + at,
        }),
        Ok(Throttle::At(_) | Throttle::Nowhere) | Err(_) => Put::No,
    }
}

fn is_shorter(field: &[u8]) -> bool {
    field
        .first_chunk()
        .is_some_and(|bytes| i32::from_be_bytes(*bytes) < PAUSE_MS)
}
