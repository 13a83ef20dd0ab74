//! Another attempt at what failed for a passing reason: after one second, then less and less often, until it succeeds or
//! the file changes.

use std::time::Duration;

use tokio::time::Instant;

use crate::control::status::RetryStatus;

/// Delay before the second attempt.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// Longest delay between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Attempts that repeat until one succeeds.
#[derive(Debug)]
pub(in crate::control) struct Retry {
    schedule: RetrySchedule,
    /// Delay before the next attempt.
    delay: Duration,
    /// Reasons for which the last attempt failed.
    reasons: Vec<String>,
}

/// Number of attempts and time of the next one.
#[derive(Debug, Clone, Copy)]
pub(in crate::control) struct RetrySchedule {
    /// Attempts so far.
    attempts: u32,
    /// Time of the next attempt; `None` while one is under way.
    at: Option<Instant>,
}

impl Retry {
    /// Schedules the second attempt after a first one that failed for `reasons`.
    pub(in crate::control) fn after(reasons: Vec<String>) -> Self {
        Self {
            schedule: RetrySchedule {
                attempts: 1,
                at: Some(Instant::now() + FIRST_DELAY),
            },
            delay: FIRST_DELAY,
            reasons,
        }
    }

    /// Schedules the next attempt after one more that failed. Returns whether the reasons differ from the last ones.
    pub(in crate::control) fn failed(&mut self, reasons: &[String]) -> bool {
        self.schedule.attempts += 1;
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        self.postpone();
        let differ = self.reasons != reasons;
        self.reasons = reasons.to_owned();
        differ
    }

    /// Notes that the next attempt begins.
    pub(in crate::control) fn begin(&mut self) {
        self.schedule.at = None;
    }

    /// Schedules an attempt again that was given up before it came to a result.
    pub(in crate::control) fn resume(&mut self) {
        if self.schedule.at.is_none() {
            self.postpone();
        }
    }

    fn postpone(&mut self) {
        self.schedule.at = Some(Instant::now() + self.delay);
    }

    /// Attempts so far.
    pub(in crate::control) fn attempts(&self) -> u32 {
        self.schedule.attempts
    }

    /// Delay before the next attempt.
    pub(in crate::control) fn delay(&self) -> Duration {
        self.delay
    }

    pub(in crate::control) fn schedule(&self) -> RetrySchedule {
        self.schedule
    }
}

impl RetrySchedule {
    pub(in crate::control) fn status(self) -> RetryStatus {
        let left = self.at.map(|at| at.saturating_duration_since(Instant::now()));
        RetryStatus {
            attempts: self.attempts,
            next_attempt_seconds: left.unwrap_or_default().as_secs_f64(),
        }
    }
}

/// Waits for the time of the next attempt; for ever if none is scheduled. Cancel safe.
pub(in crate::control) async fn due(retry: Option<&Retry>) {
    match retry.and_then(|retry| retry.schedule.at) {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn attempts_become_rarer_up_to_a_limit() {
        let reasons = || vec!["taken".to_owned()];
        let mut retry = Retry::after(reasons());
        let mut delays = Vec::new();
        for _ in 0..7 {
            delays.push(retry.delay().as_secs());
            retry.begin();
            assert!(!retry.failed(&reasons()));
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
        assert!(retry.failed(&["another".to_owned()]));
        assert_eq!(retry.attempts(), 9);
    }

    #[tokio::test]
    async fn an_attempt_under_way_is_not_begun_retry() {
        let mut retry = Retry::after(Vec::new());
        retry.begin();
        let twice = tokio::time::timeout(2 * FIRST_DELAY, due(Some(&retry))).await;
        assert!(twice.is_err());
        retry.resume();
        due(Some(&retry)).await;
    }
}
