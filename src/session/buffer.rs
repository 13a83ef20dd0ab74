//! Read buffers, borrowed from the worker thread for the length of one read.
//!
//! A session that waits owns none; 256 KiB is what makes a relay fast (see docs/performance.md), and ten
//! thousand idle sessions must not own one each. A session whose peer does not take what was read keeps the
//! remainder. What is kept is counted, and when a worker holds too much, reads get smaller and finally wait, so
//! memory is bounded however many peers stall; nothing is dropped.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use super::limits::BUFFERS;

/// Size of a read buffer.
pub const CHUNK: usize = 256 * 1024;

/// Where a buffer begins within a page. What is copied out of it goes to the beginnings of pages more often than not, and
/// processors copy slowly between places that differ in their page alone: sealing TLS records took a third longer.
const IN_PAGE: usize = 2048;

/// Bytes of a page, at least.
const PAGE: usize = 4096;

/// Size of a read once a worker is under pressure.
pub const SMALL_READ: usize = 32 * 1024;

/// What all workers together may hold for stalled peers, in bytes.
const PROCESS_LIMIT: usize = 512 * 1024 * 1024;

/// Free buffers a worker keeps whatever happens.
const KEPT: usize = 8;

/// Free buffers it keeps at most. Many peers that stall in turn need as many buffers in turn, and a fresh one costs
/// more than what is read into it.
const KEPT_IN_USE: usize = 256;

/// Loans between two looks at how many free buffers were never needed.
const PERIOD: u32 = 1024;

/// The share of one worker.
static LIMIT: AtomicUsize = AtomicUsize::new(PROCESS_LIMIT);
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Divides the process's limit among `workers` threads.
pub fn set_workers(workers: usize) {
    LIMIT.store(PROCESS_LIMIT / workers.max(1), Ordering::Relaxed);
}

/// Bytes held for stalled peers in the whole process.
pub fn bytes_in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

#[derive(Default)]
struct Pool {
    free: Vec<Box<[u8]>>,
    /// Loans until the next look.
    loans: u32,
    /// The fewest free buffers since the last: so many were not needed.
    spare: usize,
    held: usize,
    waiting: Vec<Waker>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
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
        POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.free.len() < KEPT_IN_USE {
                pool.free.push(bytes);
            }
        })
        .unwrap_or_default();
    }
}

impl Chunk {
    /// Where it begins within what was allocated for it.
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

/// How much may be read now, and into what.
#[derive(Debug)]
pub enum Loan {
    /// A whole chunk, and a blocked writer may keep it.
    Full(Chunk),
    /// A chunk for a small read; a blocked writer keeps a copy of the remainder only.
    Small(Chunk),
    /// Nothing: the waker is woken when something is released.
    Wait,
}

/// Borrows a buffer for one read, or leaves `waker` where there is none to be had.
#[inline]
pub fn borrow(waker: &Waker) -> Loan {
    POOL.with_borrow_mut(|pool| {
        let limit = LIMIT.load(Ordering::Relaxed);
        if pool.held >= limit {
            pool.waiting.push(waker.clone());
            BUFFERS.meet();
            return Loan::Wait;
        }
        let chunk = pool.chunk();
        if pool.held < limit / 2 {
            Loan::Full(chunk)
        } else {
            Loan::Small(chunk)
        }
    })
}

/// Borrows a buffer for bytes that will be thrown away.
pub fn borrow_scratch() -> Chunk {
    POOL.with_borrow_mut(Pool::chunk)
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
        if self.loans >= PERIOD {
            self.give_back();
        }
        Chunk { bytes }
    }

    /// Frees the buffers that a whole period has not needed.
    #[cold]
    fn give_back(&mut self) {
        let needed = self.free.len().saturating_sub(self.spare);
        self.free.truncate(needed.max(KEPT));
        self.loans = 0;
        self.spare = self.free.len();
    }
}

/// The account of bytes kept for a stalled peer; dropping it releases them.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
}

impl Held {
    pub fn new(bytes: usize) -> Self {
        POOL.with_borrow_mut(|pool| pool.held += bytes);
        IN_USE.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        IN_USE.fetch_sub(self.bytes, Ordering::Relaxed);
        POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.held = pool.held.saturating_sub(self.bytes);
            if pool.held < LIMIT.load(Ordering::Relaxed) {
                pool.waiting.drain(..).for_each(Waker::wake);
            }
        })
        .unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_shrink_and_then_wait_as_more_is_held() {
        let waker = Waker::noop();
        let limit = LIMIT.load(Ordering::Relaxed);
        assert!(matches!(borrow(waker), Loan::Full(_)));
        let half = Held::new(limit / 2);
        assert!(matches!(borrow(waker), Loan::Small(_)));
        let rest = Held::new(limit / 2 + 1);
        assert!(matches!(borrow(waker), Loan::Wait));
        drop(rest);
        assert!(matches!(borrow(waker), Loan::Small(_)));
        drop(half);
        assert!(matches!(borrow(waker), Loan::Full(_)));
    }

    #[test]
    fn buffers_that_are_not_needed_any_more_are_given_back() {
        drop((0..100).map(|_| borrow_scratch()).collect::<Vec<_>>());
        let free = || POOL.with_borrow(|pool| pool.free.len());
        assert_eq!(free(), 100);
        for _ in 0..3 * PERIOD {
            drop(borrow_scratch());
        }
        assert!(free() <= KEPT + 1, "{}", free());
    }

    #[test]
    fn a_dropped_chunk_is_used_again() {
        let first = borrow_scratch();
        let address = first.as_ptr();
        drop(first);
        assert_eq!(borrow_scratch().as_ptr(), address);
    }
}
