//! One answer, as far as it has arrived.

use super::{Fate, MAX_HELD};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::in_flight::InFlight;
use crate::session::output::Output;
use crate::wire::api::{self, Api};
use crate::wire::frame::SIZE_LEN;
use crate::wire::{Malformed, header};

/// The answer under inspection.
pub(super) struct Frame<'a> {
    pub(super) bytes: &'a [u8],
    /// Where its size prefix is.
    pub(super) at: usize,
    pub(super) size: u32,
    pub(super) asked: InFlight,
}

impl<'a> Frame<'a> {
    /// What has arrived of it, behind the size prefix.
    pub(super) fn here(&self) -> &'a [u8] {
        let start = self.at + SIZE_LEN;
        &self.bytes[start..self.bytes.len().min(start + self.size as usize)]
    }

    pub(super) fn is_complete(&self) -> bool {
        self.here().len() == self.size as usize
    }

    /// Size prefix and content.
    pub(super) fn len(&self) -> usize {
        SIZE_LEN + self.size as usize
    }

    pub(super) fn api(&self) -> Result<&'static Api, Fault> {
        // Only known APIs are forwarded, so their answers are known.
        api::api(self.asked.api_key).ok_or_else(|| {
            malformed(Malformed {
                what: "answer: unknown API",
            })
        })
    }

    /// Where the body begins in `here()`; `None` if that has not arrived.
    pub(super) fn body(&self) -> Result<Option<usize>, Fault> {
        let body =
            header::response_body(self.here(), self.api()?, self.asked.api_version).map_err(malformed)?;
        if body.is_none() && self.is_complete() {
            return Err(malformed(Malformed {
                what: "answer: it ends within its header",
            }));
        }
        Ok(body)
    }
}

pub(super) fn malformed(bad: Malformed) -> Fault {
    Fault::malformed_response(bad)
}

/// Waits for the rest of the frame, unless that is more than kproxy is willing to hold.
pub(super) fn hold(frame: &Frame<'_>) -> Result<Fate, Fault> {
    if frame.size as usize > MAX_HELD {
        let detail = format!("an answer of {} bytes is too large to rewrite", frame.size);
        return Err(Fault::new(CloseCause::MalformedResponse, detail));
    }
    Ok(Fate::Hold)
}

/// Puts a frame in place of another: a new size, `head`, what `write` appends, and room for the `following`
/// bytes that the caller lets pass behind it. Nothing of it goes out if `write` fails: what was put out before a
/// fault is still delivered.
pub(super) fn replace(
    out: &mut Output,
    head: &[u8],
    following: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    out.emit(|bytes| {
        let start = bytes.len();
        let written = write_frame(bytes, head, following, write);
        if written.is_err() {
            bytes.truncate(start);
        }
        written
    })
}

fn write_frame(
    bytes: &mut Vec<u8>,
    head: &[u8],
    following: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; SIZE_LEN]);
    bytes.extend_from_slice(head);
    write(bytes)?;
    let size = bytes.len() - start - SIZE_LEN + following;
    let size = i32::try_from(size).map_err(|_| Malformed {
        what: "answer: too large when rewritten",
    })?;
    bytes[start..start + SIZE_LEN].copy_from_slice(&size.to_be_bytes());
    Ok(())
}
