//! Bytes that a sink has not taken.

use crate::session::buffer::{CHUNK, Chunk};

/// A remainder larger than this keeps the buffer it is in; a smaller one is copied, and the buffer goes back.
const KEEP_CHUNK: usize = 32 * 1024;

/// Written bytes are freed once they are at least this many, and more than those left.
const MIN_FREED: usize = 64 * 1024;

/// What was inspected and not yet written, because the peer did not take it.
#[derive(Debug, Default)]
pub(super) enum Backlog {
    #[default]
    Empty,
    Chunk {
        chunk: Chunk,
        start: usize,
        end: usize,
    },
    Owned {
        bytes: Vec<u8>,
        start: usize,
    },
}

impl Backlog {
    /// The bytes `start..end` of `chunk`, in a copy if they are few or the buffer may not be kept.
    #[inline]
    pub(super) fn of_chunk(chunk: Chunk, start: usize, end: usize, may_keep: bool) -> Self {
        if start == end {
            Self::Empty
        } else if may_keep && end - start > KEEP_CHUNK {
            Self::Chunk { chunk, start, end }
        } else {
            Self::of_bytes(chunk[start..end].to_vec())
        }
    }

    pub(super) fn of_bytes(bytes: Vec<u8>) -> Self {
        match bytes.is_empty() {
            true => Self::Empty,
            false => Self::Owned { bytes, start: 0 },
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The bytes that are still to be written.
    pub(super) fn rest(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Chunk { chunk, start, end } => &chunk[*start..*end],
            Self::Owned { bytes, start } => &bytes[*start..],
        }
    }

    /// Number of bytes of memory it takes.
    #[inline]
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Chunk { .. } => CHUNK,
            Self::Owned { bytes, .. } => bytes.capacity(),
        }
    }

    /// Notes that the first `written` bytes of the rest are written.
    pub(super) fn advance(&mut self, written: usize) {
        if written == self.rest().len() {
            *self = Self::Empty;
            return;
        }
        match self {
            Self::Empty => {}
            Self::Chunk { start, .. } => *start += written,
            Self::Owned { bytes, start } => {
                *start += written;
                if *start >= MIN_FREED && *start > bytes.len() - *start {
                    bytes.drain(..*start);
                    bytes.shrink_to_fit();
                    *start = 0;
                }
            }
        }
    }
}
