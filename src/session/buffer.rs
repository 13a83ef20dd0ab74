//! Read buffers, borrowed from the worker thread for the length of one read.
//!
//! A session that waits owns none: large buffers make a relay fast (see docs/performance.md), and ten thousand idle
//! sessions must not own one each. A session whose peer does not take what was read keeps the remainder. What is kept is
//! counted in the worker's [`ledger`](super::ledger), and when a worker holds too much, reads
//! get smaller, so memory is bounded however many peers stall.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ledger::{Account, Ledger, LedgerLevel};
use super::limits::BUFFERS;

/// Size of a read buffer.
pub const CHUNK: usize = 256 * 1024;

/// Payload that Linux hands on as one packet, loopback or Ethernet: at most 64 KiB with its headers, in whole segments,
/// less what TLS puts around the records in it. What is written beyond a multiple of it goes as a packet of its own, and
/// packets, not bytes, are what the kernel spends most on: a write of 128 KiB costs a quarter more than one of 124 KiB.
const PACKET: usize = 62 * 1024;

/// Size of a read: four packets. Fewer cost more where frames are small and a wake-up finds many of them.
pub const READ: usize = 4 * PACKET;

/// Size of a read in the middle of a frame that takes several: what is read, the buffer and what is written stay within
/// a second-level cache together. Four packets at once cost a third more processor time per byte there.
pub const LARGE_FRAME_READ: usize = 2 * PACKET;

/// Offset of a buffer within a page. What is copied out of it mostly goes to the beginnings of pages, and processors copy
/// slowly between addresses that differ in their page alone: sealing TLS records took a third longer.
const IN_PAGE: usize = 2048;

/// Least size of a page in bytes.
const PAGE: usize = 4096;

/// Size of a read once a worker holds half of its limit.
pub const SMALL_READ: usize = 32 * 1024;

/// Size of a read once a worker holds its whole limit, for a session that holds nothing.
pub const SMALLEST_READ: usize = 4 * 1024;

/// Most bytes that all workers together hold for stalled peers.
const PROCESS_LIMIT: usize = 512 * 1024 * 1024;

/// Number of free buffers that a worker always keeps.
const MIN_FREE: usize = 8;

/// Most free buffers that a worker keeps. Many peers that stall in turn need as many buffers in turn, and a fresh buffer
/// costs more than the read into it.
const MAX_FREE: usize = 256;

/// Number of loans after which the buffers are freed that were not needed meanwhile.
const LOANS_PER_PERIOD: u32 = 1024;

/// The share of one worker.
static LIMIT: AtomicUsize = AtomicUsize::new(PROCESS_LIMIT);

/// Divides the process's limit among `workers` threads.
pub fn set_workers(workers: usize) {
    LIMIT.store(PROCESS_LIMIT / workers.max(1), Ordering::Relaxed);
}

#[derive(Default)]
struct Pool {
    free: Vec<Box<[u8]>>,
    /// Number of loans in this period.
    loans: u32,
    /// Least number of free buffers in this period: so many were not needed.
    spare: usize,
}

#[derive(Default)]
struct Worker {
    pool: Pool,
    ledger: Ledger,
}

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::default();
}

/// The ledger of the calling thread, and what it may hold. `None`: the thread is ending and has none any more.
pub(super) fn with_ledger<R>(with: impl FnOnce(&mut Ledger, usize) -> R) -> Option<R> {
    let limit = LIMIT.load(Ordering::Relaxed);
    WORKER
        .try_with(|worker| with(&mut worker.borrow_mut().ledger, limit))
        .ok()
}

/// A 256 KiB buffer; returns to the pool when dropped.
#[derive(Debug)]
pub struct Chunk {
    bytes: Box<[u8]>,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that is ending has no pool any more; the allocator takes the buffer then.
        WORKER
            .try_with(|worker| {
                let pool = &mut worker.borrow_mut().pool;
                if pool.free.len() < MAX_FREE {
                    pool.free.push(bytes);
                }
            })
            .unwrap_or_default();
    }
}

impl Chunk {
    /// Its offset within what was allocated for it.
    fn start(&self) -> usize {
        let misplaced = self.bytes.as_ptr().addr() % PAGE;
        (PAGE + IN_PAGE - misplaced) % PAGE
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = self.start();
        &self.bytes[start..start + CHUNK]
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        let start = self.start();
        &mut self.bytes[start..start + CHUNK]
    }
}

/// The answer to a session that wants to read.
#[derive(Debug)]
pub enum Loan {
    /// The session may read.
    Read {
        /// The buffer to read into.
        chunk: Chunk,
        /// Most bytes to read. Less than [`CHUNK`] if memory is short: what a blocked writer leaves is copied then, so that
        /// the buffer need not be kept.
        most: usize,
    },
    /// The session has to wait until memory is released, see `Account::wait`.
    Wait,
}

/// Borrows a buffer for one read of a session. Refused where the limit is reached and the session holds bytes already;
/// `carried` of them are not in its account yet.
#[inline]
pub fn borrow(account: &Account, carried: usize) -> Loan {
    WORKER.with_borrow_mut(|worker| {
        let limit = LIMIT.load(Ordering::Relaxed);
        let most = match worker.ledger.level(account.cluster(), limit) {
            LedgerLevel::Plenty => CHUNK,
            LedgerLevel::Short => SMALL_READ,
            LedgerLevel::Full => {
                worker.ledger.make_room(account.cluster(), limit);
                if account.holds_much(carried) {
                    BUFFERS.record_hit();
                    return Loan::Wait;
                }
                SMALLEST_READ
            }
        };
        let chunk = worker.pool.chunk();
        Loan::Read { chunk, most }
    })
}

/// Borrows a buffer for bytes that do not outlive the call.
pub fn borrow_scratch() -> Chunk {
    WORKER.with_borrow_mut(|worker| worker.pool.chunk())
}

impl Pool {
    #[inline]
    fn chunk(&mut self) -> Chunk {
        let bytes = self
            .free
            .pop()
            .unwrap_or_else(|| vec![0; CHUNK + PAGE].into_boxed_slice());
        self.spare = self.spare.min(self.free.len());
        self.loans += 1;
        if self.loans >= LOANS_PER_PERIOD {
            self.give_back();
        }
        Chunk { bytes }
    }

    /// Frees the buffers that were not needed in the whole period.
    #[cold]
    fn give_back(&mut self) {
        let needed = self.free.len().saturating_sub(self.spare);
        self.free.truncate(needed.max(MIN_FREE));
        self.loans = 0;
        self.spare = self.free.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_shrink_and_then_wait_as_more_is_held() {
        let waker = std::task::Waker::noop();
        let limit = LIMIT.load(Ordering::Relaxed);
        let most = |account: &Account| match borrow(account, 0) {
            Loan::Read { most, .. } => most,
            Loan::Wait => 0,
        };
        let (mut one, mut other) = (Account::of(1), Account::of(2));
        assert_eq!(most(&one), CHUNK);
        one.set(limit / 2, 0, waker);
        assert_eq!((most(&one), most(&other)), (SMALL_READ, SMALL_READ));
        other.set(limit / 2 + 1, 0, waker);
        assert_eq!((most(&one), most(&other)), (0, 0));
        other.set(0, 0, waker);
        assert_eq!((most(&one), most(&other)), (SMALL_READ, SMALL_READ));
        drop(one);
        assert_eq!(most(&other), CHUNK);
    }

    #[test]
    fn buffers_that_are_not_needed_any_more_are_given_back() {
        drop((0..100).map(|_| borrow_scratch()).collect::<Vec<_>>());
        let free = || WORKER.with_borrow(|worker| worker.pool.free.len());
        assert_eq!(free(), 100);
        for _ in 0..3 * LOANS_PER_PERIOD {
            drop(borrow_scratch());
        }
        assert!(free() <= MIN_FREE + 1, "{}", free());
    }

    #[test]
    fn a_dropped_chunk_is_used_again() {
        let first = borrow_scratch();
        let address = first.as_ptr();
        drop(first);
        assert_eq!(borrow_scratch().as_ptr(), address);
    }
}
