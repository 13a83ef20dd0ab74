//! When the files are to be looked at, given when something happened to them. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// However busy a file is, it is looked at this long after the first event, unless somebody is writing it.
const CEILING: Duration = Duration::from_secs(2);

/// Waits for a quiet period.
#[derive(Debug)]
pub(super) struct Quiet {
    debounce: Duration,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    /// Where the ceiling counts from: the first event, later by all the time somebody was writing.
    first: Instant,
    last: Instant,
    writing: bool,
}

impl Quiet {
    pub(super) fn new(debounce: Duration) -> Self {
        Self {
            debounce,
            pending: None,
        }
    }

    pub(super) fn set(&mut self, debounce: Duration) {
        self.debounce = debounce;
    }

    /// Something happened. `writing`: somebody has begun to write a followed file and not closed it.
    pub(super) fn happened(&mut self, now: Instant, writing: bool) {
        let first = match &self.pending {
            Some(pending) if pending.writing => pending.first + now.saturating_duration_since(pending.last),
            Some(pending) => pending.first,
            None => now,
        };
        self.pending = Some(Pending {
            first,
            last: now,
            writing,
        });
    }

    /// Whether something happened that nobody has looked at.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// When to look, were nobody writing.
    pub(super) fn due(&self) -> Option<Instant> {
        let pending = self.pending.as_ref()?;
        let ceiling = CEILING.max(self.debounce);
        Some((pending.last + self.debounce).min(pending.first + ceiling))
    }

    /// Somebody looks now.
    pub(super) fn looked(&mut self) {
        self.pending = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBOUNCE: Duration = Duration::from_millis(150);

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn nothing_is_due_before_anything_happened() {
        assert_eq!(Quiet::new(DEBOUNCE).due(), None);
    }

    #[test]
    fn every_event_starts_the_quiet_period_again() {
        let start = Instant::now();
        let mut quiet = Quiet::new(DEBOUNCE);
        quiet.happened(start, false);
        assert_eq!(quiet.due(), Some(after(start, 150)));
        quiet.happened(after(start, 100), false);
        assert_eq!(quiet.due(), Some(after(start, 250)));
    }

    #[test]
    fn events_without_end_are_looked_at_two_seconds_after_the_first() {
        let start = Instant::now();
        let mut quiet = Quiet::new(DEBOUNCE);
        for step in 0..=19 {
            quiet.happened(after(start, step * 100), false);
        }
        assert_eq!(quiet.due(), Some(after(start, 2_000)));
    }

    #[test]
    fn a_file_rewritten_without_end_is_looked_at_after_two_seconds_of_being_whole() {
        let start = Instant::now();
        let mut quiet = Quiet::new(DEBOUNCE);
        for step in 0..=25 {
            quiet.happened(after(start, step * 100), true);
            quiet.happened(after(start, step * 100 + 20), false);
        }
        assert_eq!(quiet.due(), Some(after(start, 2_000 + 26 * 20)));
    }

    #[test]
    fn the_ceiling_does_not_count_the_time_of_a_write() {
        let start = Instant::now();
        let mut quiet = Quiet::new(DEBOUNCE);
        quiet.happened(start, true);
        quiet.happened(after(start, 5_000), true);
        quiet.happened(after(start, 9_000), false);
        assert_eq!(quiet.due(), Some(after(start, 9_150)));
        quiet.happened(after(start, 9_100), false);
        assert_eq!(quiet.due(), Some(after(start, 9_250)));
    }

    #[test]
    fn a_quiet_period_above_the_ceiling_is_kept() {
        let start = Instant::now();
        let mut quiet = Quiet::new(Duration::from_secs(5));
        quiet.happened(start, false);
        assert_eq!(quiet.due(), Some(after(start, 5_000)));
    }

    #[test]
    fn a_shorter_debounce_counts_for_what_is_already_pending() {
        let start = Instant::now();
        let mut quiet = Quiet::new(Duration::from_secs(1));
        quiet.happened(start, false);
        quiet.set(DEBOUNCE);
        assert_eq!(quiet.due(), Some(after(start, 150)));
    }

    #[test]
    fn looking_ends_it() {
        let mut quiet = Quiet::new(DEBOUNCE);
        quiet.happened(Instant::now(), false);
        assert!(quiet.is_pending());
        quiet.looked();
        assert!(!quiet.is_pending());
        assert_eq!(quiet.due(), None);
    }
}
