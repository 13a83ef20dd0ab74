//! The fields of request bodies that decide how a request is treated: `acks` and `max_wait_ms`.

use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::seam::Frame;
use crate::wire::api::Api;
use crate::wire::header;
use crate::wire::max_wait::max_wait;

/// Bytes of a request in which such a field must be found: client id and transactional id have at most 32 767 bytes
/// each, and the rest is for tagged fields. Nothing else is held for longer than the first bytes of a header.
const MAX_HELD: usize = 128 * 1024;

/// How long a broker may hold back a Fetch that a draining session forwards, in milliseconds.
pub(super) const SHORT_WAIT_MS: i32 = 100;

/// Whether the broker answers a Produce request: not with `acks=0`. `None` if more bytes decide.
///
/// # Errors
/// [`CloseCause::MalformedRequest`]: `acks` is not where the version has it, or so far behind that no client wrote it.
pub(super) fn expects_answer(frame: Frame<'_>, version: i16) -> Result<Option<bool>, Fault> {
    let content = frame.content();
    let within = &content[..content.len().min(MAX_HELD)];
    if let Some(acks) = header::produce_acks(within, version).map_err(Fault::malformed_request)? {
        return Ok(Some(acks != 0));
    }
    if content.len() >= MAX_HELD {
        return Err(Fault::new(
            CloseCause::MalformedRequest,
            "what precedes acks is larger than any client writes",
        ));
    }
    if frame.is_complete() {
        return Err(Fault::new(
            CloseCause::MalformedRequest,
            "the request ends within its header",
        ));
    }
    Ok(None)
}

/// `max_wait_ms` of a request, compared with [`SHORT_WAIT_MS`].
pub(super) enum MaxWait {
    /// More bytes decide.
    Incomplete,
    /// The wait is short, or cannot be read, which is left to the broker.
    Short,
    /// The wait is longer.
    Long {
        /// Position of the field, behind the size prefix.
        at: usize,
    },
}

/// Reads `max_wait_ms`.
pub(super) fn read_max_wait(frame: Frame<'_>, api: &Api, version: i16) -> MaxWait {
    let content = frame.content();
    match max_wait(&content[..content.len().min(MAX_HELD)], api, version) {
        Ok(Some((at, wait))) if wait > SHORT_WAIT_MS => MaxWait::Long { at },
        Ok(None) if api.max_wait.is_some() && content.len() < MAX_HELD.min(frame.size()) => {
            MaxWait::Incomplete
        }
        Ok(_) | Err(_) => MaxWait::Short,
    }
}
