//! Whether a filter can do its work: how often it has panicked, and whether it is asked at all.
//!
//! Three panics within a minute are a defect of the filter that closing sessions does not mend: it is quarantined. From then
//! on it is not called, and what becomes of requests is its `onError`. A filter that a reload builds anew begins anew.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Panics within [`PANIC_PERIOD`] that quarantine a filter.
const MOST_PANICS: usize = 3;

/// Time within which panics count together.
const PANIC_PERIOD: Duration = Duration::from_secs(60);

/// Time between two log lines about failures of one filter.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Health of one filter, for as long as it is not built anew.
#[derive(Debug, Default)]
pub struct FilterHealth {
    quarantined: AtomicBool,
    panics: AtomicU64,
    recent: Mutex<RecentFailures>,
}

#[derive(Debug, Default)]
struct RecentFailures {
    /// The last panics, the newest first.
    panics: [Option<Instant>; MOST_PANICS],
    told: Option<Instant>,
}

impl FilterHealth {
    /// Whether the filter is no longer called.
    #[inline]
    pub fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// Number of its panics.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Notes a panic at `now`. Returns whether it is the one that quarantines the filter.
    pub fn note_panic(&self, now: Instant) -> bool {
        self.panics.fetch_add(1, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.panics.rotate_right(1);
        recent.panics[0] = Some(now);
        let first = recent.panics[MOST_PANICS - 1];
        let too_many = first.is_some_and(|first| now.saturating_duration_since(first) < PANIC_PERIOD);
        too_many && !self.quarantined.swap(true, Ordering::Relaxed)
    }

    /// Whether a failure at `now` is to be logged: the first, and one in a minute.
    pub fn tells(&self, now: Instant) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let due = recent
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= TOLD_EVERY);
        if due {
            recent.told = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_panics_within_a_minute_quarantine_a_filter_once() {
        let health = FilterHealth::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert!(!health.note_panic(at(0)));
        assert!(!health.note_panic(at(50)));
        assert!(!health.note_panic(at(100)), "the first is too long ago");
        assert!(!health.is_quarantined());
        assert!(health.note_panic(at(105)));
        assert!(!health.note_panic(at(106)), "it is told once");
        assert!(health.is_quarantined());
        assert_eq!(health.panics(), 5);
    }

    #[test]
    fn failures_are_told_once_in_a_minute() {
        let health = FilterHealth::default();
        let begin = Instant::now();
        assert!(health.tells(begin));
        assert!(!health.tells(begin + Duration::from_secs(59)));
        assert!(health.tells(begin + Duration::from_secs(60)));
    }
}
