//! Bodies of answers.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::connection_table::AnswerPermit;

/// Bytes handed to the connection at once.
const CHUNK: usize = 64 * 1024;

/// A body in pieces, so that its share of memory is accounted for until the client has taken nearly all of it.
pub(super) struct Chunks {
    /// What is there and not handed on.
    ready: Bytes,
    more: More,
    /// Absent for bodies too small to be accounted for.
    _answering: Option<AnswerPermit>,
}

/// What follows.
enum More {
    Nothing,
    /// Parts that are made when the client has taken those before, and the memory that this takes.
    Made(Box<dyn Iterator<Item = Vec<u8>> + Send>, usize),
    /// What somebody sends, as long as they do, with a place that is held until then.
    Sent((mpsc::Receiver<Bytes>, OwnedSemaphorePermit)),
}

impl Chunks {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            ready: bytes,
            more: More::Nothing,
            _answering: None,
        }
    }

    /// Makes the first part now. If there is a second one, all others are made when they can be sent, and it takes `takes`
    /// bytes of memory until then.
    pub(super) fn made(mut parts: impl Iterator<Item = Vec<u8>> + Send + 'static, takes: usize) -> Self {
        let first = parts.next().unwrap_or_default();
        let mut parts = parts.peekable();
        let more = match parts.peek() {
            Some(_) => More::Made(Box::new(parts), takes),
            None => More::Nothing,
        };
        Self {
            more,
            ..Self::new(first.into())
        }
    }

    /// A body that ends when the sender is dropped. Its place is given back when the last byte is on its way.
    pub(super) fn stream(sent: mpsc::Receiver<Bytes>, place: OwnedSemaphorePermit) -> Self {
        Self {
            more: More::Sent((sent, place)),
            ..Self::new(Bytes::new())
        }
    }

    /// Returns the bytes of memory that it takes.
    pub(super) fn held(&self) -> usize {
        let more = match self.more {
            More::Made(_, takes) => takes,
            More::Nothing | More::Sent(..) => 0,
        };
        self.ready.len() + more
    }

    /// Makes `answering` end with this body.
    pub(super) fn end_with_it(&mut self, answering: AnswerPermit) {
        self._answering = Some(answering);
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_complete = matches!(self.more, More::Nothing);
        f.debug_struct("Chunks")
            .field("ready", &self.ready.len())
            .field("is_complete", &is_complete)
            .finish_non_exhaustive()
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ready.is_empty() {
            let next = match &mut self.more {
                More::Nothing => None,
                More::Made(parts, _) => parts.next().map(Bytes::from),
                More::Sent((sent, _)) => match sent.poll_recv(context) {
                    Poll::Ready(next) => next,
                    Poll::Pending => return Poll::Pending,
                },
            };
            let Some(next) = next else {
                self.more = More::Nothing;
                return Poll::Ready(None);
            };
            self.ready = next;
        }
        let next = self.ready.len().min(CHUNK);
        Poll::Ready(Some(Ok(Frame::data(self.ready.split_to(next)))))
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && matches!(self.more, More::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match self.more {
            More::Nothing => SizeHint::with_exact(self.ready.len() as u64),
            More::Made(..) | More::Sent(..) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(mut body: Chunks) -> Vec<u8> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut taken = Vec::new();
        while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut context) {
            taken.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert!(body.is_end_stream());
        taken
    }

    #[test]
    fn one_part_has_a_length_and_several_are_made_when_they_are_taken() {
        let one = Chunks::made([vec![1, 2]].into_iter(), 99);
        assert_eq!((one.size_hint().exact(), one.held()), (Some(2), 2));
        assert_eq!(taken(one), [1, 2]);
        let parts = [vec![1; CHUNK + 1], vec![2], vec![3]];
        let several = Chunks::made(parts.clone().into_iter(), 99);
        assert_eq!((several.size_hint().exact(), several.held()), (None, CHUNK + 100));
        assert_eq!(taken(several), parts.concat());
        assert!(taken(Chunks::new(Bytes::new())).is_empty());
    }
}
