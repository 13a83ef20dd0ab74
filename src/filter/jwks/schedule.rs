//! When keys are fetched next.

use std::time::{Duration, Instant};

use crate::model::KeySetModel;

/// Least time between two fetches that unknown keys cause, for all clients together.
pub(super) const ASK_INTERVAL: Duration = Duration::from_secs(10);

/// Shortest pause after a failure, whatever the configuration says.
const MIN_RETRY: Duration = Duration::from_millis(10);

/// Pauses between fetches.
#[derive(Debug)]
pub(super) struct FetchSchedule {
    refresh: Duration,
    retry: Duration,
    retry_max: Duration,
    failures: u32,
}

impl FetchSchedule {
    pub(super) fn new(model: &KeySetModel) -> Self {
        Self {
            refresh: model.refresh,
            retry: model.retry.max(MIN_RETRY),
            retry_max: model.retry_max.max(MIN_RETRY),
            failures: 0,
        }
    }

    /// The pause after a fetch that succeeded; `None`: until somebody asks.
    pub(super) fn succeeded(&mut self) -> Option<Duration> {
        self.failures = 0;
        Some(self.refresh).filter(|refresh| !refresh.is_zero())
    }

    /// The pause after a fetch that failed.
    pub(super) fn failed(&mut self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        self.retry.saturating_mul(doubled).min(self.retry_max)
    }
}

/// Requests for a fetch out of turn. Those that come while one is due join it.
#[derive(Debug)]
pub(super) struct Demand {
    pending: bool,
    last: Instant,
}

/// What a request for a fetch leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demanded {
    /// A fetch has to begin.
    Begins,
    /// A fetch that others asked for is awaited.
    Joins,
    /// Nothing: the last was a moment ago.
    Refused,
}

impl Demand {
    /// The demand of a source that fetches for the first time at `now`.
    pub(super) fn first(now: Instant) -> Self {
        Self {
            pending: true,
            // The first unknown key is worth a look, however early it comes.
            last: now.checked_sub(ASK_INTERVAL).unwrap_or(now),
        }
    }

    pub(super) fn ask(&mut self, now: Instant) -> Demanded {
        if self.pending {
            return Demanded::Joins;
        }
        if now.saturating_duration_since(self.last) < ASK_INTERVAL {
            return Demanded::Refused;
        }
        (self.pending, self.last) = (true, now);
        Demanded::Begins
    }

    /// Takes in that a fetch has ended.
    pub(super) fn served(&mut self) {
        self.pending = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeySetOrigin, KeysOnStart};

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let ms = Duration::from_millis;
        let mut schedule = FetchSchedule::new(&KeySetModel {
            origin: KeySetOrigin::File(std::sync::Arc::default()),
            refresh: ms(3_600_000),
            retry: ms(100),
            retry_max: ms(1000),
            on_start: KeysOnStart::Lazy,
        });
        let pauses: Vec<_> = (0..6).map(|_| schedule.failed().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(schedule.succeeded(), Some(ms(3_600_000)));
        assert_eq!(schedule.failed(), ms(100));
        for _ in 0..100 {
            assert!(schedule.failed() <= ms(1000));
        }
        schedule.refresh = Duration::ZERO;
        assert_eq!(schedule.succeeded(), None);
    }

    #[test]
    fn everybody_together_causes_one_fetch_in_ten_seconds() {
        let start = Instant::now() + ASK_INTERVAL;
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut demand = Demand::first(at(0));
        assert_eq!(demand.ask(at(0)), Demanded::Joins);
        demand.served();
        assert_eq!(demand.ask(at(1)), Demanded::Begins);
        assert_eq!(demand.ask(at(1)), Demanded::Joins);
        demand.served();
        for second in 2..11 {
            assert_eq!(demand.ask(at(second)), Demanded::Refused);
        }
        assert_eq!(demand.ask(at(11)), Demanded::Begins);
    }
}
