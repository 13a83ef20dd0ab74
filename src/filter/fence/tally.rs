//! Counts of what a fence has stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::names::names;

names! {
    /// What became of a request that a fence has stopped.
    pub enum FencedOutcome {
        /// It waited.
        Held = "hold",
        /// It was answered with an error after which clients try again, in whole or in part.
        Retriable = "retriable",
        /// It was answered without the records of fenced topics.
        Emptied = "empty",
        /// Nobody could answer it, and its session has ended.
        Closed = "closed",
    }
}

/// Requests that fences have stopped, by what became of them. One that waited and was answered then counts as both.
#[derive(Debug, Default)]
pub struct FencedTally([AtomicU64; FencedOutcome::ALL.len()]);

impl FencedTally {
    /// Counts one request.
    pub fn count(&self, outcome: FencedOutcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Number of requests with this outcome.
    pub fn get(&self, outcome: FencedOutcome) -> u64 {
        self.0[outcome as usize].load(Ordering::Relaxed)
    }
}

/// A request that waits, as long as this exists.
#[derive(Debug)]
pub(super) struct HeldRequest(Arc<AtomicU64>);

impl HeldRequest {
    /// One more request that waits, in `waiting`.
    pub(super) fn new(waiting: &Arc<AtomicU64>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(waiting))
    }
}

impl Drop for HeldRequest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
