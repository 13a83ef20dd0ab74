//! The seam between the frames of a session and what handles them.
//!
//! A handler never moves bytes. It says with a [`Subscription`](subscription::Subscription) how much of a frame it
//! reads ([`Lift`]), is shown a [`Frame`], and answers with a [`FrameAction`]. The [`FrameStream`] of each direction
//! carries the action out: it alone puts out bytes of a frame and knows how many are left. What no handler lifts out is
//! forwarded as it arrives and never held.
//!
//! ```text
//! bytes of a read ─► header ─► Lift::None ────────────────────────────► forwarded as they arrive
//!                          └─► Prefix, Tail, Whole ─► handler(Frame) ─► FrameAction ─► FrameStream ─► Output
//! ```
//!
//! Order is kept by the [`InFlightTracker`]: an answer of kproxy's own takes the place of its request in it.

mod stream;
mod subscription;

pub(super) use stream::{FrameStream, Place, StreamStep};
pub use subscription::InstalledChain;
pub(super) use subscription::Subscriptions;

use super::in_flight::InFlight;
use crate::session::output::{Output, Staged};
use crate::wire::Malformed;
use crate::wire::frame::SIZE_LEN;

/// How much of a frame is lifted out of the stream before anything of it is put out. More means more memory and delay,
/// so of several handlers the highest wish counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lift {
    /// Nothing: the frame is forwarded as it arrives.
    None,
    /// Its beginning, up to where the handler decides; the rest is forwarded as it arrives.
    Prefix,
    /// Its end: everything before is forwarded as it arrives, and walked without being held.
    Tail,
    /// All of it, collected before the handler sees it.
    Whole,
}

/// A frame, as far as it has arrived. Positions count from its size prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Frame<'a> {
    /// The frame at the beginning of `bytes`, which hold at least its size prefix. `size` is what that says.
    #[inline]
    pub(super) fn new(bytes: &'a [u8], size: u32) -> Self {
        let len = SIZE_LEN + size as usize;
        Self {
            bytes: &bytes[..bytes.len().min(len)],
            len,
        }
    }

    /// Length in bytes, size prefix included.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Length in bytes without the size prefix.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.len - SIZE_LEN
    }

    /// The bytes behind the size prefix that have arrived.
    #[inline]
    pub(super) fn content(&self) -> &'a [u8] {
        &self.bytes[SIZE_LEN..]
    }

    /// Whether all of it has arrived.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.bytes.len() == self.len
    }
}

/// A handler's decision about the bytes of a frame that it was shown. `taken` and `at` count from the first of them.
#[derive(Debug)]
pub(super) enum FrameAction {
    /// The first `taken` bytes pass; those behind them are for the next action, or are forwarded as they arrive.
    Forward { taken: usize },
    /// The bytes before `at` pass, and `field` replaces as many bytes as it has.
    Patch { at: usize, field: [u8; 4] },
    /// `with` replaces the first `taken` bytes, whatever its length. A frame whose length changes needs a size prefix
    /// to match, see [`stage_frame`].
    Replace { taken: usize, with: Staged },
    /// The first `taken` bytes and the rest of the frame go no further.
    Discard { taken: usize },
    /// kproxy answers `request` with the whole frame `response`, when everything asked before it is answered. The
    /// request, of which `taken` bytes were shown, goes no further.
    Answer {
        taken: usize,
        request: InFlight,
        response: Vec<u8>,
    },
    /// More bytes are needed to decide.
    Hold,
    /// The frame waits until requests are accepted again.
    Pause,
    /// The frame waits until endpoints for these nodes have been requested.
    NeedEndpoints { nodes: Vec<i32> },
}

/// Stages a frame for [`FrameAction::Replace`]: a size prefix, `head`, and what `write` appends. `following` bytes of
/// the original frame pass behind it and are part of its size.
///
/// # Errors
/// What `write` reports, or that the frame would be larger than a size prefix can say. Nothing is staged then.
pub(super) fn stage_frame(
    out: &mut Output,
    head: &[u8],
    following: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
) -> Result<Staged, Malformed> {
    out.stage(|bytes| {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; SIZE_LEN]);
        bytes.extend_from_slice(head);
        write(bytes)?;
        let size = bytes.len() - start - SIZE_LEN + following;
        let size = i32::try_from(size).map_err(|_| Malformed::new("answer: too large when rewritten"))?;
        bytes[start..start + SIZE_LEN].copy_from_slice(&size.to_be_bytes());
        Ok(())
    })
}
