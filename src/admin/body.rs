//! Bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::connection_table::AnswerPermit;

/// Bytes handed to the connection at once.
const CHUNK: usize = 64 * 1024;

/// A body in pieces, so that its share of memory is accounted for until the client has taken nearly all of it.
#[derive(Debug)]
pub(super) struct Chunks {
    rest: Bytes,
    /// Absent for bodies too small to be accounted for.
    _answering: Option<AnswerPermit>,
}

impl Chunks {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            rest: bytes,
            _answering: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Makes `answering` end with this body.
    pub(super) fn end_with_it(&mut self, answering: AnswerPermit) {
        self._answering = Some(answering);
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let next = self.rest.len().min(CHUNK);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(next)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
