//! One direction of a session: read, have it inspected, write.

mod backlog;
mod carry;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::buffer::{self, CHUNK, Chunk, LARGE_FRAME_READ, Loan, READ, SMALL_READ};
use super::cause::Fault;
use super::inspect::InspectResult;
use super::ledger::Account;
use super::output::Output;
use super::transport::Transport;
use backlog::Backlog;
use carry::Carry;

/// Most held bytes that are copied in front of the next read; more of them grow in place instead.
const CARRY_IN_CHUNK: usize = CHUNK / 4;

/// Slices written by one vectored write.
const MAX_SLICES: usize = 16;

thread_local! {
    static OUTPUT: RefCell<Output> = RefCell::default();
}

/// One direction of a session, as it is between two polls.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Bytes that were inspected and not yet written, because the sink did not take them.
    backlog: Backlog,
    /// Bytes that were read and not yet inspected.
    carry: Carry,
    /// The last read did not take place because memory is short.
    pub(super) starved: bool,
    /// The source has ended.
    pub(super) eof: bool,
    /// The end has been passed on.
    pub(super) closed: bool,
    /// The frame that the last read ended in takes several reads.
    in_large_frame: bool,
    /// Number of bytes of the stream up to the end of that frame.
    frame_end: u64,
    /// Number of bytes read from the source.
    pub(super) bytes: u64,
    /// Number of bytes that the sink has taken.
    pub(super) written: u64,
}

/// Why a lane stopped moving.
#[derive(Debug)]
pub(super) enum LaneError {
    Source(io::Error),
    Sink(io::Error),
    Fault(Fault),
}

/// What one step of a lane achieved.
#[derive(Debug)]
pub(super) enum LaneStep {
    /// Bytes were read and inspected; the result says what they ask for.
    Moved(InspectResult),
    /// Bytes were read that are too few to be inspected.
    Held,
    /// The source has ended.
    Eof,
}

impl Lane {
    /// Creates a lane with bytes that were read before it existed.
    pub(super) fn starting_with(carry: Vec<u8>) -> Self {
        Self {
            bytes: carry.len() as u64,
            carry: Carry::starting_with(carry),
            ..Self::default()
        }
    }

    /// Creates the lane that goes on from `before` with another source; nothing waits in `before`.
    pub(super) fn continuing(before: &Self) -> Self {
        Self {
            bytes: before.bytes,
            written: before.written,
            ..Self::default()
        }
    }

    /// Bytes of memory that wait to be written.
    #[inline]
    pub(super) fn unwritten(&self) -> usize {
        self.backlog.held()
    }

    /// Bytes of memory that wait to be inspected.
    #[inline]
    pub(super) fn uninspected(&self) -> usize {
        self.carry.held()
    }

    /// Number of bytes read plus number of bytes written.
    #[inline]
    pub(super) fn moved(&self) -> u64 {
        self.bytes + self.written
    }

    /// Whether nothing waits to be written or inspected.
    pub(super) fn is_clear(&self) -> bool {
        self.is_flushed() && self.carry.is_empty()
    }

    /// Whether the sink has taken everything that was put out for it.
    pub(super) fn is_flushed(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Notes that the frame the last read ended in lacks `left` bytes: that decides how much the next read takes.
    #[inline]
    pub(super) fn note_frame_left(&mut self, left: usize) {
        let end = self.bytes + left as u64;
        if end != self.frame_end {
            self.frame_end = end;
            self.in_large_frame = left > READ;
        }
    }

    #[inline]
    fn read_size(&self) -> usize {
        if self.in_large_frame {
            LARGE_FRAME_READ
        } else {
            READ
        }
    }

    /// Discards what has not been inspected.
    pub(super) fn drop_carry(&mut self) {
        self.carry = Carry::default();
    }

    /// Discards everything it holds.
    pub(super) fn discard_held(&mut self) {
        self.backlog = Backlog::Empty;
        self.drop_carry();
    }

    /// Abandons the direction: nothing more is read for it, nothing more is written.
    pub(super) fn abandon(&mut self) {
        *self = Self {
            eof: true,
            closed: true,
            bytes: self.bytes,
            written: self.written,
            ..Self::default()
        };
    }

    /// Writes the backlog. Ready when it is empty.
    pub(super) fn poll_flush<W>(&mut self, sink: &mut W, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while !self.backlog.is_empty() {
            let written = ready!(Pin::new(&mut *sink).poll_write(context, self.backlog.rest()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written as u64;
            self.backlog.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Presents the held bytes to `inspect` again, without reading, and writes what comes of it.
    pub(super) fn reconsider<W>(
        &mut self,
        sink: &mut W,
        context: &mut Context<'_>,
        inspect: impl FnOnce(&[u8], &mut Output) -> Result<InspectResult, Fault>,
    ) -> Result<InspectResult, LaneError>
    where
        W: AsyncWrite + Unpin,
    {
        debug_assert!(self.is_flushed(), "what was put out before comes first");
        self.inspect_carry(sink, context, inspect)
    }

    /// Reads once, presents the bytes to `inspect`, and writes what comes of it.
    ///
    /// Pending when the source has nothing, the sink takes nothing or memory is short. What it waits for wakes the context,
    /// or the session's account does.
    #[inline]
    pub(super) fn poll_step<R, W>(
        &mut self,
        source: &mut R,
        sink: &mut W,
        account: &Account,
        context: &mut Context<'_>,
        inspect: impl FnOnce(&[u8], &mut Output) -> Result<InspectResult, Fault>,
    ) -> Poll<Result<LaneStep, LaneError>>
    where
        R: AsyncRead + Unpin,
        W: Transport,
    {
        if !self.backlog.is_empty() {
            ready!(self.poll_flush(sink, context)).map_err(LaneError::Sink)?;
        }
        let (mut chunk, most) = match buffer::borrow(account, self.carry.len()) {
            Loan::Read { chunk, most } => (chunk, most),
            Loan::Wait => {
                self.starved = true;
                return Poll::Pending;
            }
        };
        self.starved = false;
        if most < CHUNK {
            // Memory is short: bytes that the sink would not take stay in the kernel.
            ready!(sink.poll_writable(context)).map_err(LaneError::Sink)?;
        }
        let kept = if self.carry.len() <= CARRY_IN_CHUNK {
            self.carry.len()
        } else {
            0
        };
        let end = (kept + most.min(self.read_size())).min(CHUNK);
        let read = ready!(poll_read(source, context, &mut chunk[kept..end])).map_err(LaneError::Source)?;
        if read == 0 {
            self.eof = true;
            return Poll::Ready(Ok(LaneStep::Eof));
        }
        self.bytes += read as u64;
        if self.carry.is_too_short(read) {
            self.carry.append(&chunk[kept..kept + read]);
            return Poll::Ready(Ok(LaneStep::Held));
        }
        let result = if kept < self.carry.len() {
            self.carry.append(&chunk[..read]);
            drop(chunk);
            self.inspect_carry(sink, context, inspect)?
        } else {
            chunk[..kept].copy_from_slice(self.carry.bytes());
            self.inspect_chunk(chunk, kept + read, most == CHUNK, sink, context, inspect)?
        };
        Poll::Ready(Ok(LaneStep::Moved(result)))
    }

    /// Reads and discards. Ready at the end of the source.
    pub(super) fn poll_discard<R>(
        &mut self,
        source: &mut R,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
    {
        while !self.eof {
            let mut chunk = buffer::borrow_scratch();
            self.eof = ready!(poll_read(source, context, &mut chunk[..SMALL_READ]))? == 0;
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn inspect_chunk<W>(
        &mut self,
        chunk: Chunk,
        filled: usize,
        may_keep: bool,
        sink: &mut W,
        context: &mut Context<'_>,
        inspect: impl FnOnce(&[u8], &mut Output) -> Result<InspectResult, Fault>,
    ) -> Result<InspectResult, LaneError>
    where
        W: AsyncWrite + Unpin,
    {
        OUTPUT.with_borrow_mut(|output| {
            output.clear();
            let result = inspect(&chunk[..filled], output);
            match result.as_ref().ok().and_then(InspectResult::rest) {
                Some((from, wanted)) => self.carry.keep(&chunk[from..filled], wanted),
                None if self.carry.held() > 0 => self.drop_carry(),
                None => {}
            }
            if let Some((start, end)) = output.only_pass() {
                let written = write_now(sink, context, &chunk[start..end]).map_err(LaneError::Sink)?;
                self.written += written as u64;
                self.backlog = Backlog::of_chunk(chunk, start + written, end, may_keep);
            } else if !output.is_empty() {
                self.write_slices(&chunk[..filled], output, sink, context)
                    .map_err(LaneError::Sink)?;
            }
            result.map_err(LaneError::Fault)
        })
    }

    fn inspect_carry<W>(
        &mut self,
        sink: &mut W,
        context: &mut Context<'_>,
        inspect: impl FnOnce(&[u8], &mut Output) -> Result<InspectResult, Fault>,
    ) -> Result<InspectResult, LaneError>
    where
        W: AsyncWrite + Unpin,
    {
        let mut carry = std::mem::take(&mut self.carry);
        OUTPUT.with_borrow_mut(|output| {
            output.clear();
            let result = inspect(carry.bytes(), output);
            if !output.is_empty() {
                self.write_slices(carry.bytes(), output, sink, context)
                    .map_err(LaneError::Sink)?;
            }
            if let Some((from, wanted)) = result.as_ref().ok().and_then(InspectResult::rest) {
                carry.consume(from, wanted);
                self.carry = carry;
            }
            result.map_err(LaneError::Fault)
        })
    }

    /// Writes bytes of kproxy's own between two frames. Nothing else may wait to be written.
    pub(super) fn write_own<W>(
        &mut self,
        sink: &mut W,
        context: &mut Context<'_>,
        put: impl FnOnce(&mut Output),
    ) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        OUTPUT.with_borrow_mut(|output| {
            output.clear();
            put(output);
            if output.is_empty() {
                Ok(())
            } else {
                self.write_slices(&[], output, sink, context)
            }
        })
    }

    /// Writes the slices of `output` and keeps what is not taken. The backlog must be empty.
    fn write_slices<W>(
        &mut self,
        inspected: &[u8],
        output: &Output,
        sink: &mut W,
        context: &mut Context<'_>,
    ) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        let mut slices = output.slices(inspected).peekable();
        let (mut left, mut gone) = (Vec::new(), 0);
        while left.is_empty() && slices.peek().is_some() {
            let mut batch = [IoSlice::new(&[]); MAX_SLICES];
            let mut raw: [&[u8]; MAX_SLICES] = [&[]; MAX_SLICES];
            let (mut count, mut offered) = (0, 0);
            while count < MAX_SLICES
                && let Some(slice) = slices.next()
            {
                batch[count] = IoSlice::new(slice);
                raw[count] = slice;
                offered += slice.len();
                count += 1;
            }
            let mut written = match Pin::new(&mut *sink).poll_write_vectored(context, &batch[..count]) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            self.written += written as u64;
            gone += written;
            if written == offered {
                continue;
            }
            // Exact, because held memory is counted by its capacity.
            left.reserve_exact(output.len() - gone);
            for slice in &raw[..count] {
                let taken = written.min(slice.len());
                written -= taken;
                left.extend_from_slice(&slice[taken..]);
            }
        }
        slices.for_each(|slice| left.extend_from_slice(slice));
        self.backlog = Backlog::of_bytes(left);
        Ok(())
    }
}

/// Number of bytes that the sink takes at once; 0 when it is busy, and then it wakes the context.
#[inline]
fn write_now<W>(sink: &mut W, context: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize>
where
    W: AsyncWrite + Unpin,
{
    match Pin::new(sink).poll_write(context, bytes) {
        Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
        Poll::Ready(written) => written,
        Poll::Pending => Ok(0),
    }
}

#[inline]
fn poll_read<R>(source: &mut R, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>
where
    R: AsyncRead + Unpin,
{
    let mut buffer = ReadBuf::new(into);
    ready!(Pin::new(source).poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
