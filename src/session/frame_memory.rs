//! Memory for frames that filters read as a whole: reserved in the order of asking, before the first byte is kept.
//!
//! A frame gets all of its memory or none, so two sessions never wait for each other's half. Small frames need no
//! reservation: the bytes that a session holds are counted anyway.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::inspect::Wait;
use super::limits::FILTER_MEMORY;

/// Frames up to this size, in bytes, need no reservation.
const UNCOUNTED: usize = 16 * 1024;

/// Bytes of one permit.
const UNIT: u64 = 1024;

/// The memory of a process for frames that filters read (`network.filters.memoryLimit`).
#[derive(Debug)]
pub struct FrameMemory {
    semaphore: Arc<Semaphore>,
    /// Permits of the limit in force.
    limit: AtomicU64,
}

/// Memory that is reserved for one frame. Dropping it frees the memory.
#[derive(Debug)]
pub struct FrameShare {
    _permit: Option<OwnedSemaphorePermit>,
}

/// A place in the line of those that wait for memory.
#[derive(Debug, Clone)]
pub struct FramePlace(Arc<Mutex<Option<FrameShare>>>);

/// Outcome of [`FrameMemory::reserve`].
#[derive(Debug)]
pub enum Reservation {
    /// The memory is there.
    Now(FrameShare),
    /// The memory will be at this place when the wait is over.
    Later(FramePlace, Wait),
}

impl FrameMemory {
    /// Memory of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let permits = permits_of(limit);
        Self {
            semaphore: Arc::new(Semaphore::new(permits as usize)),
            limit: AtomicU64::new(permits),
        }
    }

    /// Changes the limit to `limit` bytes; only for the owner of the configuration. What is reserved stays reserved.
    pub fn set_limit(&self, limit: u64) {
        let permits = permits_of(limit);
        let before = self.limit.swap(permits, Ordering::AcqRel);
        if permits > before {
            self.semaphore.add_permits((permits - before) as usize);
        } else if permits < before {
            let semaphore = Arc::clone(&self.semaphore);
            let fewer = (before - permits) as u32;
            match Arc::clone(&semaphore).try_acquire_many_owned(fewer) {
                Ok(permit) => permit.forget(),
                // They are taken away as they come back. The limit is raised again before that only by as much.
                Err(_) => drop(tokio::spawn(async move {
                    if let Ok(permit) = semaphore.acquire_many_owned(fewer).await {
                        permit.forget();
                    }
                })),
            }
        }
    }

    /// Bytes that are reserved.
    pub fn in_use(&self) -> u64 {
        let limit = self.limit.load(Ordering::Relaxed);
        limit.saturating_sub(self.semaphore.available_permits() as u64) * UNIT
    }

    /// Reserves memory for a frame of `size` bytes.
    pub fn reserve(&self, size: usize) -> Reservation {
        if size <= UNCOUNTED {
            return Reservation::Now(FrameShare { _permit: None });
        }
        let limit = self.limit.load(Ordering::Relaxed);
        let permits = (size as u64).div_ceil(UNIT).min(limit) as u32;
        if let Ok(permit) = Arc::clone(&self.semaphore).try_acquire_many_owned(permits) {
            return Reservation::Now(FrameShare {
                _permit: Some(permit),
            });
        }
        let place = FramePlace(Arc::default());
        let (mine, semaphore) = (place.clone(), Arc::clone(&self.semaphore));
        let wait = Wait(Box::pin(async move {
            let _waits = FILTER_MEMORY.wait();
            if let Ok(permit) = semaphore.acquire_many_owned(permits).await {
                *mine.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(FrameShare {
                    _permit: Some(permit),
                });
            }
        }));
        Reservation::Later(place, wait)
    }
}

impl FramePlace {
    /// Takes the memory, if it is there.
    pub fn take(&self) -> Option<FrameShare> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn permits_of(limit: u64) -> u64 {
    (limit / UNIT).clamp(1, u64::from(u32::MAX).min(Semaphore::MAX_PERMITS as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(memory: &FrameMemory, size: usize) -> Option<FrameShare> {
        match memory.reserve(size) {
            Reservation::Now(share) => Some(share),
            Reservation::Later(..) => None,
        }
    }

    #[test]
    fn memory_is_reserved_whole_or_not_at_all() {
        let memory = FrameMemory::new(1 << 20);
        let half = now(&memory, 512 << 10).unwrap();
        assert_eq!(memory.in_use(), 512 << 10);
        assert!(now(&memory, 600 << 10).is_none());
        assert!(now(&memory, UNCOUNTED).is_some(), "too little to count");
        drop(half);
        assert_eq!(memory.in_use(), 0);
        assert!(
            now(&memory, 5 << 20).is_some(),
            "a larger frame gets all there is"
        );
    }

    #[tokio::test]
    async fn those_that_wait_are_served_in_their_order() {
        let memory = FrameMemory::new(1 << 20);
        let all = now(&memory, 1 << 20).unwrap();
        let Reservation::Later(first, Wait(mut wait)) = memory.reserve(1 << 20) else {
            panic!("there is none left");
        };
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(wait.as_mut().poll(context).is_pending()))
                .await
        );
        drop(all);
        assert!(now(&memory, 512 << 10).is_none(), "the first in line goes first");
        wait.await;
        assert!(first.take().is_some());
        assert_eq!(memory.in_use(), 0);
    }

    #[tokio::test]
    async fn the_limit_changes_while_memory_is_reserved() {
        let memory = FrameMemory::new(1 << 20);
        let share = now(&memory, 1 << 20);
        memory.set_limit(2 << 20);
        assert!(now(&memory, 1 << 20).is_some());
        memory.set_limit(1 << 20);
        assert!(now(&memory, 512 << 10).is_none());
        drop(share);
        assert!(now(&memory, 1 << 20).is_some());
        assert!(now(&memory, 1 << 20).is_some(), "and it is free again");
    }
}
