//! The quiet period before files are read. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// Longest time between the first event and the hint, not counting the time for which a file is open for writing.
const CEILING: Duration = Duration::from_secs(2);

/// A quiet period that every event starts again.
#[derive(Debug)]
pub(super) struct Quiet {
    debounce: Duration,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    /// Start of the ceiling: the first event, later by all the time for which a file was open for writing.
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

    /// Notes an event. `writing`: a followed file is open for writing.
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

    /// Whether something happened since the last hint.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Time of the next hint, if no file is open for writing then.
    pub(super) fn due(&self) -> Option<Instant> {
        let pending = self.pending.as_ref()?;
        let ceiling = CEILING.max(self.debounce);
        Some((pending.last + self.debounce).min(pending.first + ceiling))
    }

    /// Ends the period: a hint is given.
    pub(super) fn clear(&mut self) {
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
    fn events_without_end_give_a_hint_two_seconds_after_the_first() {
        let start = Instant::now();
        let mut quiet = Quiet::new(DEBOUNCE);
        for step in 0..=19 {
            quiet.happened(after(start, step * 100), false);
        }
        assert_eq!(quiet.due(), Some(after(start, 2_000)));
    }

    #[test]
    fn a_file_rewritten_without_end_gives_a_hint_after_two_seconds_of_being_whole() {
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
    fn a_hint_ends_it() {
        let mut quiet = Quiet::new(DEBOUNCE);
        quiet.happened(Instant::now(), false);
        assert!(quiet.is_pending());
        quiet.clear();
        assert!(!quiet.is_pending());
        assert_eq!(quiet.due(), None);
    }
}
