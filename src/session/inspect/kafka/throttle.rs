//! Asking clients to pause, by the throttle time of every answer that passes.
//!
//! A session that is being drained has to fall quiet, and a client with many requests on their way would never be quiet by
//! itself. The length of the answer stays: the field is overwritten in what has been put out, whatever else was rewritten.

use crate::session::inspect::in_flight::{Expects, InFlight};
use crate::session::output::{Mark, Output};
use crate::wire::api::{self, ThrottlePosition};
use crate::wire::frame::{self, MIN_RESPONSE, SIZE_LEN};
use crate::wire::header;
use crate::wire::throttle::{self, THROTTLE_LEN, Throttle};

/// How long a client is asked to pause, in milliseconds: long enough for the answers on their way, and short enough
/// not to be noticed by a client that takes the pause along to its next connection, as the Java client does.
const PAUSE_MS: i32 = 250;

/// Outcome of looking for the throttle time of an answer.
pub(super) enum FoundThrottle {
    /// The field has not arrived.
    Incomplete,
    /// There is nothing to be changed.
    None,
    /// The field is to be raised.
    Raise(ThrottleRewrite),
}

/// A throttle time that is to be raised.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThrottleRewrite {
    /// Where it is, counted from the size prefix.
    offset: usize,
}

impl ThrottleRewrite {
    /// Whether it is among the first `taken` bytes of the answer.
    pub(super) fn is_within(self, taken: usize) -> bool {
        taken >= self.offset + THROTTLE_LEN
    }

    /// Overwrites it in an answer that was put out from `mark` on.
    pub(super) fn apply(self, mark: Mark, out: &mut Output) {
        out.overwrite(mark, self.offset, &PAUSE_MS.to_be_bytes());
    }
}

/// Looks for the throttle time in the answer at the beginning of `rest`, which answers `oldest`. An answer that is not in
/// order is not touched: it is reported where it is judged.
pub(super) fn find_throttle(oldest: Option<&InFlight>, rest: &[u8], max_frame: u32) -> FoundThrottle {
    let Some((prefix, rest)) = rest.split_first_chunk::<SIZE_LEN>() else {
        return FoundThrottle::None;
    };
    let (Some(asked), Ok(size)) = (oldest, frame::size(*prefix, MIN_RESPONSE, max_frame)) else {
        return FoundThrottle::None;
    };
    let here = &rest[..rest.len().min(size as usize)];
    let misplaced = header::response_correlation_id(here).is_some_and(|id| id != asked.correlation_id);
    if !keeps_its_place(asked) || misplaced {
        return FoundThrottle::None;
    }
    match throttle::find(asked.api_key, asked.api_version, here, size as usize) {
        Ok(Throttle::Incomplete) => FoundThrottle::Incomplete,
        Ok(Throttle::At(at)) if is_shorter(&here[at..]) => FoundThrottle::Raise(ThrottleRewrite {
            offset: SIZE_LEN + at,
        }),
        Ok(Throttle::At(_) | Throttle::None) | Err(_) => FoundThrottle::None,
    }
}

/// Whether the field is put out where it came in. Filters may change the length of what is before it, unless it is first.
fn keeps_its_place(asked: &InFlight) -> bool {
    let is_first = || {
        let field = api::api(asked.api_key).and_then(|api| api.throttle);
        field.is_some_and(|field| field.position == ThrottlePosition::First)
    };
    match asked.expects {
        Expects::Broker(_) => true,
        Expects::Filtered(_) => is_first(),
        Expects::Token | Expects::Own | Expects::Internal | Expects::Question => false,
    }
}

fn is_shorter(field: &[u8]) -> bool {
    field
        .first_chunk()
        .is_some_and(|bytes| i32::from_be_bytes(*bytes) < PAUSE_MS)
}
