//! One direction of a session: read, have it inspected, write.

mod carry;

use std::cell::RefCell;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::buffer::{self, CHUNK, Chunk, Loan, SMALL_READ};
use super::cause::Fault;
use super::inspect::InspectResult;
use super::ledger::Account;
use super::output::Output;
use super::transport::Transport;
use carry::Carry;

/// Bytes that are held are put in front of the next read if they are at most this many; more of them grow in
/// place instead.
const CARRY_IN_CHUNK: usize = CHUNK / 4;

/// A remainder above it keeps the chunk it is in; below, it is copied and the chunk goes back.
const KEEP_CHUNK: usize = 32 * 1024;

/// A backlog gives back what has been written of it once it is this much, and more than what is left.
const GIVEN_BACK: usize = 64 * 1024;

/// Slices written by one vectored write.
const MAX_SLICES: usize = 16;

thread_local! {
    static OUTPUT: RefCell<Output> = RefCell::default();
}

/// What is kept of a direction between two polls.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Inspected, not yet written: the peer did not take it.
    backlog: Backlog,
    /// Read, not yet judged.
    carry: Carry,
    /// Nothing was read because memory is short.
    pub(super) starved: bool,
    /// The source has ended.
    pub(super) eof: bool,
    /// The end has been passed on.
    pub(super) closed: bool,
    /// Bytes read from the source.
    pub(super) bytes: u64,
    /// Bytes the sink has taken.
    pub(super) written: u64,
}

#[derive(Debug, Default)]
enum Backlog {
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

/// Why a lane stopped moving.
#[derive(Debug)]
pub(super) enum LaneError {
    Source(io::Error),
    Sink(io::Error),
    Fault(Fault),
}

/// What one step of a lane achieved.
#[derive(Debug)]
pub(super) enum Step {
    /// Bytes were read; the verdict says what they ask for.
    Moved(InspectResult),
    /// Bytes were read that decide nothing yet.
    Held,
    /// The source has ended.
    Eof,
}

impl Lane {
    /// Starts with bytes that were read before the lane existed.
    pub(super) fn starting_with(carry: Vec<u8>) -> Self {
        Self {
            bytes: carry.len() as u64,
            carry: Carry::starting_with(carry),
            ..Self::default()
        }
    }

    /// Memory that waits to be written.
    #[inline]
    pub(super) fn unwritten(&self) -> usize {
        match &self.backlog {
            Backlog::Empty => 0,
            Backlog::Chunk { .. } => CHUNK,
            Backlog::Owned { bytes, .. } => bytes.capacity(),
        }
    }

    /// Memory that waits to be judged.
    #[inline]
    pub(super) fn unjudged(&self) -> usize {
        self.carry.held()
    }

    /// Bytes that have been read and written.
    #[inline]
    pub(super) fn moved(&self) -> u64 {
        self.bytes + self.written
    }

    /// Nothing waits to be written or judged.
    pub(super) fn is_clear(&self) -> bool {
        self.is_flushed() && self.carry.is_empty()
    }

    /// The peer has taken everything that was put out for it.
    pub(super) fn is_flushed(&self) -> bool {
        matches!(self.backlog, Backlog::Empty)
    }

    /// Forgets what has not been judged.
    pub(super) fn drop_carry(&mut self) {
        self.carry = Carry::default();
    }

    /// Forgets everything it holds.
    pub(super) fn forget(&mut self) {
        self.backlog = Backlog::Empty;
        self.drop_carry();
    }

    /// Gives the direction up: nothing more is read for it, nothing more is written.
    pub(super) fn abandon(&mut self) {
        *self = Self {
            eof: true,
            closed: true,
            bytes: self.bytes,
            written: self.written,
            ..Self::default()
        };
    }

    /// Writes what was left over. Ready when nothing is.
    pub(super) fn poll_flush<W>(&mut self, sink: &mut W, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        loop {
            let rest = match &self.backlog {
                Backlog::Empty => return Poll::Ready(Ok(())),
                Backlog::Chunk { chunk, start, end } => &chunk[*start..*end],
                Backlog::Owned { bytes, start } => &bytes[*start..],
            };
            let len = rest.len();
            let written = ready!(Pin::new(&mut *sink).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written as u64;
            if written == len {
                self.backlog = Backlog::Empty;
            } else {
                self.backlog.advance(written);
            }
        }
    }

    /// Has what was held judged again, without reading.
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
        self.judge_carry(sink, context, inspect)
    }

    /// Reads once, has it inspected, and writes what comes of it.
    ///
    /// Pending when the source has nothing, the sink takes nothing or memory is short; in each case the context is
    /// registered with what is waited for, or the session's account is.
    #[inline]
    pub(super) fn poll_step<R, W>(
        &mut self,
        source: &mut R,
        sink: &mut W,
        account: &Account,
        context: &mut Context<'_>,
        inspect: impl FnOnce(&[u8], &mut Output) -> Result<InspectResult, Fault>,
    ) -> Poll<Result<Step, LaneError>>
    where
        R: AsyncRead + Unpin,
        W: Transport,
    {
        if !matches!(self.backlog, Backlog::Empty) {
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
            // Memory is short: what the sink would not take is better left in the kernel.
            ready!(sink.poll_writable(context)).map_err(LaneError::Sink)?;
        }
        let kept = if self.carry.len() <= CARRY_IN_CHUNK {
            self.carry.len()
        } else {
            0
        };
        let end = (kept + most).min(CHUNK);
        let read = ready!(poll_read(source, context, &mut chunk[kept..end])).map_err(LaneError::Source)?;
        if read == 0 {
            self.eof = true;
            return Poll::Ready(Ok(Step::Eof));
        }
        self.bytes += read as u64;
        if self.carry.is_too_short(read) {
            self.carry.append(&chunk[kept..kept + read]);
            return Poll::Ready(Ok(Step::Held));
        }
        let verdict = if kept < self.carry.len() {
            self.carry.append(&chunk[..read]);
            drop(chunk);
            self.judge_carry(sink, context, inspect)?
        } else {
            chunk[..kept].copy_from_slice(self.carry.bytes());
            self.judge_chunk(chunk, kept + read, most == CHUNK, sink, context, inspect)?
        };
        Poll::Ready(Ok(Step::Moved(verdict)))
    }

    /// Reads and throws away. Ready at the end of the source.
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
    fn judge_chunk<W>(
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
            let verdict = inspect(&chunk[..filled], output);
            match verdict.as_ref().ok().and_then(InspectResult::rest) {
                Some((from, wanted)) => self.carry.keep(&chunk[from..filled], wanted),
                None if self.carry.held() > 0 => self.drop_carry(),
                None => {}
            }
            if let Some((start, end)) = output.only_pass() {
                let written = write_now(sink, context, &chunk[start..end]).map_err(LaneError::Sink)?;
                self.written += written as u64;
                self.keep_chunk(chunk, start + written, end, may_keep);
            } else if !output.is_empty() {
                self.write_slices(&chunk[..filled], output, sink, context)
                    .map_err(LaneError::Sink)?;
            }
            verdict.map_err(LaneError::Fault)
        })
    }

    fn judge_carry<W>(
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
            let verdict = inspect(carry.bytes(), output);
            if !output.is_empty() {
                self.write_slices(carry.bytes(), output, sink, context)
                    .map_err(LaneError::Sink)?;
            }
            if let Some((from, wanted)) = verdict.as_ref().ok().and_then(InspectResult::rest) {
                carry.consume(from, wanted);
                self.carry = carry;
            }
            verdict.map_err(LaneError::Fault)
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

    /// Keeps the part of a chunk that was not taken.
    #[inline]
    fn keep_chunk(&mut self, chunk: Chunk, start: usize, end: usize, may_keep: bool) {
        if start == end {
            return;
        }
        self.backlog = if may_keep && end - start > KEEP_CHUNK {
            Backlog::Chunk { chunk, start, end }
        } else {
            owned(chunk[start..end].to_vec())
        };
    }

    /// Writes several slices, keeping what is not taken. There is no backlog.
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
            // As much as is needed: what is held is counted by its capacity.
            left.reserve_exact(output.len() - gone);
            for slice in &raw[..count] {
                let taken = written.min(slice.len());
                written -= taken;
                left.extend_from_slice(&slice[taken..]);
            }
        }
        slices.for_each(|slice| left.extend_from_slice(slice));
        if !left.is_empty() {
            self.backlog = owned(left);
        }
        Ok(())
    }
}

impl Backlog {
    /// So many more bytes of it are written.
    fn advance(&mut self, written: usize) {
        match self {
            Self::Empty => {}
            Self::Chunk { start, .. } => *start += written,
            Self::Owned { bytes, start } => {
                *start += written;
                if *start >= GIVEN_BACK && *start > bytes.len() - *start {
                    bytes.drain(..*start);
                    bytes.shrink_to_fit();
                    *start = 0;
                }
            }
        }
    }
}

fn owned(bytes: Vec<u8>) -> Backlog {
    Backlog::Owned { bytes, start: 0 }
}

/// Bytes taken at once; 0 when the sink is busy, in which case the context is registered.
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
