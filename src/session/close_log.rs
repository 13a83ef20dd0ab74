//! Rate limit for log lines about closed sessions: a few lines per cause, then one line that sums up the rest.
//!
//! A client can close connections as fast as it opens them, and a dead broker closes those of every client. Neither
//! may fill a disk or hide other lines. Counters are not affected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::cause::{CauseSeverity, CloseCause};

/// Lines per cause and period.
const LINES_PER_PERIOD: u32 = 5;

/// Time from the first line of a cause to the summary.
const PERIOD: Duration = Duration::from_secs(10);

/// Longest example in a summary, in characters.
const MAX_EXAMPLE_CHARS: usize = 300;

/// Rate limit for one cluster, or for connections that never became part of a cluster. Holds one entry per cause that
/// occurred within the period.
#[derive(Debug, Default)]
pub struct CloseLog(Mutex<HashMap<CloseCause, Period>>);

#[derive(Debug)]
struct Period {
    began: Instant,
    lines: u32,
    /// Number of closed sessions without a line of their own, and details of the first.
    unlogged: u64,
    example: String,
}

impl CloseLog {
    /// Whether one more closed session gets a line of its own. If not, it is counted in the summary for `cluster`;
    /// the first one provides the `example`.
    pub(super) fn takes_line(
        self: &Arc<Self>,
        cause: CloseCause,
        cluster: Option<&str>,
        example: impl FnOnce() -> String,
    ) -> bool {
        let mut periods = self.lock();
        let period = periods.entry(cause).or_insert_with(Period::begin);
        if period.unlogged == 0 && period.began.elapsed() >= PERIOD {
            *period = Period::begin();
        }
        if period.lines < LINES_PER_PERIOD {
            period.lines += 1;
            return true;
        }
        period.unlogged += 1;
        if period.unlogged == 1 {
            period.example = example().chars().take(MAX_EXAMPLE_CHARS).collect();
            let left = PERIOD.saturating_sub(period.began.elapsed());
            drop(periods);
            let sum = CloseSummary {
                log: Arc::clone(self),
                cause,
                cluster: cluster.map(str::to_owned),
            };
            // The summary is logged when it is dropped: at the end of the period, or at once without a runtime.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(async move {
                    tokio::time::sleep(left).await;
                    drop(sum);
                });
            }
        }
        false
    }

    /// Whether the next line for `cause` will probably be written, so that details for a line are worked out only if
    /// so.
    pub(super) fn has_room(&self, cause: CloseCause) -> bool {
        let periods = self.lock();
        let full = |period: &Period| period.lines >= LINES_PER_PERIOD && period.began.elapsed() < PERIOD;
        !periods.get(&cause).is_some_and(full)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CloseCause, Period>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Period {
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            lines: 0,
            unlogged: 0,
            example: String::new(),
        }
    }
}

/// A pending summary; dropping it logs it.
struct CloseSummary {
    log: Arc<CloseLog>,
    cause: CloseCause,
    cluster: Option<String>,
}

impl Drop for CloseSummary {
    fn drop(&mut self) {
        let period = self.log.lock().remove(&self.cause);
        let Some(Period {
            unlogged, example, ..
        }) = period
        else {
            return;
        };
        let cluster = self.cluster.as_deref().map(tracing::field::display);
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    cause = self.cause.name(),
                    cluster,
                    count = unlogged,
                    period_seconds = PERIOD.as_secs(),
                    example,
                    "more sessions closed for the same cause"
                )
            };
        }
        match self.cause.severity() {
            CauseSeverity::Quiet => line!(tracing::Level::DEBUG),
            CauseSeverity::Warn => line!(tracing::Level::WARN),
            CauseSeverity::Error => line!(tracing::Level::ERROR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_ends_of_each_cause_get_a_line_and_the_sum_makes_room_for_more() {
        let log = Arc::<CloseLog>::default();
        let take = |cause, times: u32| {
            let lines = (0..times).filter(|_| log.takes_line(cause, Some("c"), || "x".repeat(10_000)));
            lines.count()
        };
        let lines = LINES_PER_PERIOD as usize;
        assert_eq!(take(CloseCause::InvalidFrameSize, 100_000), lines);
        assert_eq!(
            take(CloseCause::HttpOnKafkaPort, 100),
            lines,
            "each cause has its own"
        );
        {
            let periods = log.lock();
            assert_eq!(
                periods[&CloseCause::InvalidFrameSize].unlogged,
                100_000 - u64::from(LINES_PER_PERIOD)
            );
            assert_eq!(
                periods[&CloseCause::InvalidFrameSize].example.len(),
                MAX_EXAMPLE_CHARS
            );
        }
        drop(CloseSummary {
            log: Arc::clone(&log),
            cause: CloseCause::InvalidFrameSize,
            cluster: None,
        });
        assert_eq!(log.lock().len(), 1, "what has been logged is not kept");
        assert_eq!(take(CloseCause::InvalidFrameSize, 7), lines);
    }
}
