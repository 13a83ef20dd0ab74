//! Frames on their way out: small ones share a write, large ones are written from the template they share.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::wire::Wire;

/// Frames up to this size are copied together; above it a copy costs more than the extra slice.
const COPIED: usize = 16 * 1024;
/// How much is gathered before it is written.
const STAGED: usize = 64 * 1024;
/// The part of a large frame that is copied, because the correlation id in it differs from frame to frame.
const PATCHED: usize = 16;

/// A frame whose correlation id is filled in when it is sent.
#[derive(Clone)]
pub(crate) struct Template {
    bytes: Rc<[u8]>,
    correlation_at: usize,
}

impl Template {
    /// A request: size, api key, api version, then the correlation id.
    pub(crate) fn request(bytes: Vec<u8>) -> Self {
        Self {
            bytes: bytes.into(),
            correlation_at: 8,
        }
    }

    /// A response: size, then the correlation id.
    pub(crate) fn response(bytes: Vec<u8>) -> Self {
        Self {
            bytes: bytes.into(),
            correlation_at: 4,
        }
    }

    /// The frame with this correlation id, whole.
    pub(crate) fn to_frame(&self, correlation_id: i32) -> Vec<u8> {
        let mut frame = self.bytes.to_vec();
        self.patch(&mut frame, correlation_id);
        frame
    }

    fn patch(&self, frame: &mut [u8], correlation_id: i32) {
        frame[self.correlation_at..self.correlation_at + 4].copy_from_slice(&correlation_id.to_be_bytes());
    }
}

/// The queue in front of one socket's writes.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<(Template, i32)>,
    staged: Vec<u8>,
    staged_written: usize,
    /// The rest of a large frame and how much of it was written; follows `staged`.
    body: Option<(Template, usize)>,
}

impl Outbox {
    pub(crate) fn push(&mut self, template: &Template, correlation_id: i32) {
        self.waiting.push_back((template.clone(), correlation_id));
    }

    /// Frames not yet handed to the kernel's buffer, not counting the one being written.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Writes until nothing is left (`Ready`) or the socket takes no more.
    pub(crate) fn poll_flush(
        &mut self,
        stream: &mut impl Wire,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.staged_written == self.staged.len() && self.body.is_none() {
                self.stage();
                if self.staged.is_empty() {
                    return stream.poll_drained(cx);
                }
            }
            let staged = IoSlice::new(&self.staged[self.staged_written..]);
            let written = match &self.body {
                None => stream.poll_write(cx, &[staged]),
                Some((template, at)) => {
                    stream.poll_write(cx, &[staged, IoSlice::new(&template.bytes[*at..])])
                }
            };
            match written {
                Poll::Ready(Ok(written)) => self.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn advance(&mut self, written: usize) {
        let of_staged = written.min(self.staged.len() - self.staged_written);
        self.staged_written += of_staged;
        if let Some((template, at)) = &mut self.body {
            *at += written - of_staged;
            if *at == template.bytes.len() {
                self.body = None;
            }
        }
    }

    fn stage(&mut self) {
        self.staged.clear();
        self.staged_written = 0;
        while self.staged.len() < STAGED {
            let Some((template, correlation_id)) = self.waiting.pop_front() else {
                break;
            };
            let start = self.staged.len();
            let large = template.bytes.len() > COPIED;
            let copied = if large { PATCHED } else { template.bytes.len() };
            self.staged.extend_from_slice(&template.bytes[..copied]);
            template.patch(&mut self.staged[start..], correlation_id);
            if large {
                self.body = Some((template, copied));
                break;
            }
        }
    }
}
