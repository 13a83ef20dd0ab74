//! What was rejected for a moment is tried again: after a second, then less and less often, until it succeeds or the file
//! changes.

use std::time::Duration;

use tokio::time::Instant;

use crate::control::status::RetryStatus;

/// Before the second attempt.
const FIRST: Duration = Duration::from_secs(1);

/// Between two attempts at most.
const LONGEST: Duration = Duration::from_secs(30);

/// Something that is tried again and again.
#[derive(Debug)]
pub(in crate::control) struct Again {
    /// So far.
    attempts: u32,
    /// Before the next attempt.
    delay: Duration,
    /// Of the next attempt; `None` while one is under way.
    at: Option<Instant>,
    /// Why the last one came to nothing.
    reasons: Vec<String>,
}

impl Again {
    /// After a first attempt that came to nothing.
    pub(in crate::control) fn after(reasons: Vec<String>) -> Self {
        Self {
            attempts: 1,
            delay: FIRST,
            at: Some(Instant::now() + FIRST),
            reasons,
        }
    }

    /// After one more. Whether the reasons are others than before.
    pub(in crate::control) fn failed(&mut self, reasons: &[String]) -> bool {
        self.attempts += 1;
        self.delay = (self.delay * 2).min(LONGEST);
        self.postpone();
        let other = self.reasons != reasons;
        self.reasons = reasons.to_owned();
        other
    }

    /// The next attempt begins.
    pub(in crate::control) fn begin(&mut self) {
        self.at = None;
    }

    /// An attempt that has begun was given up: it is made later.
    pub(in crate::control) fn resume(&mut self) {
        if self.at.is_none() {
            self.postpone();
        }
    }

    fn postpone(&mut self) {
        self.at = Some(Instant::now() + self.delay);
    }

    pub(in crate::control) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(in crate::control) fn delay(&self) -> Duration {
        self.delay
    }

    pub(in crate::control) fn status(&self) -> RetryStatus {
        let left = self.at.map(|at| at.saturating_duration_since(Instant::now()));
        RetryStatus {
            attempts: self.attempts,
            next_attempt_seconds: left.unwrap_or_default().as_secs_f64(),
        }
    }
}

/// Waits for the next attempt; for ever where there is none. Cancel safe.
pub(in crate::control) async fn due(again: Option<&Again>) {
    match again.and_then(|again| again.at) {
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
        let mut again = Again::after(reasons());
        let mut delays = Vec::new();
        for _ in 0..7 {
            delays.push(again.delay().as_secs());
            again.begin();
            assert!(!again.failed(&reasons()));
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
        assert!(again.failed(&["another".to_owned()]));
        assert_eq!(again.attempts(), 9);
    }

    #[tokio::test]
    async fn an_attempt_under_way_is_not_begun_again() {
        let mut again = Again::after(Vec::new());
        again.begin();
        let twice = tokio::time::timeout(2 * FIRST, due(Some(&again))).await;
        assert!(twice.is_err());
        again.resume();
        due(Some(&again)).await;
    }
}
