//! Bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::connection_table::AnswerPermit;

/// Bytes handed to the connection at once.
const CHUNK: usize = 64 * 1024;

/// A body in pieces, so that its share of memory is accounted for until the client has taken nearly all of it.
#[derive(Debug)]
pub(super) struct Chunks {
    rest: Bytes,
    /// What follows, as long as somebody sends it.
    more: Option<(mpsc::Receiver<Bytes>, OwnedSemaphorePermit)>,
    /// Absent for bodies too small to be accounted for.
    _answering: Option<AnswerPermit>,
}

impl Chunks {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            rest: bytes,
            more: None,
            _answering: None,
        }
    }

    /// A body that ends when the sender is dropped. Its place is given back when the last byte is on its way.
    pub(super) fn stream(more: mpsc::Receiver<Bytes>, place: OwnedSemaphorePermit) -> Self {
        Self {
            more: Some((more, place)),
            ..Self::new(Bytes::new())
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
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            let Some((more, _)) = &mut self.more else {
                return Poll::Ready(None);
            };
            return more
                .poll_recv(context)
                .map(|next| next.map(|bytes| Ok(Frame::data(bytes))));
        }
        let next = self.rest.len().min(CHUNK);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(next)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.more.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.more {
            None => SizeHint::with_exact(self.rest.len() as u64),
            Some(_) => SizeHint::default(),
        }
    }
}
