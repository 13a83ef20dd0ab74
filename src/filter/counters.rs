//! Counters of one filter.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::histogram::Histogram;
use crate::names::names;

names! {
    /// What became of a request at a filter.
    pub enum FilterOutcome {
        /// It went on.
        Forwarded = "forwarded",
        /// kproxy answered it.
        Answered = "answered",
        /// It was denied, in whole or in part.
        Denied = "denied",
        /// It would have been denied, but the filter is in shadow mode.
        ShadowDenied = "shadow_denied",
        /// The filter could not do its work.
        Failed = "failed",
    }
}

/// Counters of one filter of one virtual cluster. They survive a change of the filter.
#[derive(Debug, Default)]
pub struct FilterCounters {
    outcomes: [AtomicU64; FilterOutcome::ALL.len()],
    /// Time that it took to decide about a frame, without what it waited for.
    pub seconds: Histogram,
}

impl FilterCounters {
    /// Counts one request.
    pub fn count(&self, outcome: FilterOutcome) {
        self.count_many(outcome, 1);
    }

    /// Counts so many requests.
    pub fn count_many(&self, outcome: FilterOutcome, times: u64) {
        self.outcomes[outcome as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// Number of requests with this outcome.
    pub fn get(&self, outcome: FilterOutcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }
}
