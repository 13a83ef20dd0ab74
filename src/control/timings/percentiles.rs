//! Percentiles of durations: what `kproxy stats` shows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DrainTiming, ReloadTiming};
use crate::time::as_millis;

/// Percentiles of the last reloads and drains. In JSON, fields of other versions are ignored and missing ones empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyStats {
    /// Number of reloads, and of drains, that are kept at most.
    pub capacity: usize,
    /// `reload.target`; `target_ms` in JSON.
    #[serde(rename = "target_ms", with = "as_millis")]
    pub target: Duration,
    /// The reloads that were applied; absent where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reloads: Option<ReloadStats>,
    /// The drains that have ended; absent where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drains: Option<DrainStats>,
}

/// Percentiles of reloads that were applied, phase by phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadStats {
    /// Number of reloads.
    pub count: usize,
    /// Number of those that were slower than `reload.target`.
    pub slow: usize,
    /// All phases together, without waiting and without drains.
    pub total: DurationPercentiles,
    /// Waiting: for the reloads before it, and for files to stay as they are.
    pub queued: DurationPercentiles,
    /// Reading and checking the files.
    pub read: DurationPercentiles,
    /// Comparing the configurations.
    pub plan: DurationPercentiles,
    /// Testing changed targets (`reload.checks`).
    pub checks: DurationPercentiles,
    /// Building and binding what is new.
    pub prepare: DurationPercentiles,
    /// Exchanging what runs.
    pub commit: DurationPercentiles,
    /// From then on until the last session that had to leave had left; of the reloads that had such sessions.
    pub drained: DurationPercentiles,
}

/// Percentiles of drains that have ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainStats {
    /// Number of drains.
    pub count: usize,
    /// Sessions that had to leave.
    pub sessions: usize,
    /// Sessions closed at the hard deadline with requests unanswered.
    pub forced: u64,
    /// From the beginning of a drain to the end of its last session.
    pub duration: DurationPercentiles,
}

/// Percentiles of durations, in JSON as `p50_ms` and so on: so many percent took this long or less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DurationPercentiles {
    /// The median.
    #[serde(rename = "p50_ms", with = "as_millis")]
    pub p50: Duration,
    /// The 90th percentile.
    #[serde(rename = "p90_ms", with = "as_millis")]
    pub p90: Duration,
    /// The 99th percentile.
    #[serde(rename = "p99_ms", with = "as_millis")]
    pub p99: Duration,
    /// The longest.
    #[serde(rename = "max_ms", with = "as_millis")]
    pub max: Duration,
}

impl DurationPercentiles {
    /// Returns the percentiles of these durations, by nearest rank; zero if there are none.
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        let ranked = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self {
            p50: ranked(50),
            p90: ranked(90),
            p99: ranked(99),
            max: ranked(100),
        }
    }
}

impl ReloadStats {
    pub(super) fn of(reloads: &[ReloadTiming], target: Duration) -> Self {
        let phase = |name: &str| {
            let named = reloads.iter().flat_map(|reload| reload.phases.named());
            DurationPercentiles::of(
                named
                    .filter(|(found, _)| *found == name)
                    .map(|(_, duration)| duration),
            )
        };
        Self {
            count: reloads.len(),
            slow: reloads.iter().filter(|reload| reload.duration > target).count(),
            total: DurationPercentiles::of(reloads.iter().map(|reload| reload.duration)),
            queued: phase("queued"),
            read: phase("read"),
            plan: phase("plan"),
            checks: phase("checks"),
            prepare: phase("prepare"),
            commit: phase("commit"),
            drained: DurationPercentiles::of(reloads.iter().filter_map(|reload| reload.drained)),
        }
    }

    /// Returns the percentiles of the phases that are work, by name.
    pub fn phases(&self) -> [(&'static str, DurationPercentiles); 5] {
        [
            ("read", self.read),
            ("plan", self.plan),
            ("checks", self.checks),
            ("prepare", self.prepare),
            ("commit", self.commit),
        ]
    }
}

impl DrainStats {
    pub(super) fn of(drains: impl Iterator<Item = DrainTiming> + Clone) -> Self {
        Self {
            count: drains.clone().count(),
            sessions: drains.clone().map(|drain| drain.sessions).sum(),
            forced: drains.clone().map(|drain| drain.forced).sum(),
            duration: DurationPercentiles::of(drains.map(|drain| drain.duration)),
        }
    }
}

/// A warning if the 99th percentile of `reloads` is beyond `target`, with the phase that is longest there.
pub(super) fn warning(reloads: &[ReloadTiming], target: Duration) -> Option<String> {
    let stats = ReloadStats::of(reloads, target);
    if target.is_zero() || stats.total.p99 <= target {
        return None;
    }
    let (phase, longest) = stats.phases().into_iter().max_by_key(|(_, phase)| phase.p99)?;
    Some(format!(
        "{} of the {} reloads of the last day took longer than `reload.target` ({target:?}): the 99th percentile is {:.1?}, \
         and that of the longest phase, {phase}, {:.1?}",
        stats.slow, stats.count, stats.total.p99, longest.p99
    ))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::control::reload::report::ReloadPhases;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn percentiles_are_durations_that_occurred() {
        let hundred = DurationPercentiles::of((1..=100).rev().map(ms));
        let found = [hundred.p50, hundred.p90, hundred.p99, hundred.max];
        assert_eq!(found, [ms(50), ms(90), ms(99), ms(100)]);
        let one = DurationPercentiles::of([ms(7)]);
        assert_eq!([one.p50, one.p99, one.max], [ms(7); 3]);
        assert_eq!(DurationPercentiles::of([]), DurationPercentiles::default());
    }

    #[test]
    fn slow_reloads_are_warned_of_with_the_phase_while_more_than_one_in_a_hundred_is_slow() {
        let reload = |duration, prepare| ReloadTiming {
            at: SystemTime::now(),
            generation: 2,
            duration,
            phases: ReloadPhases {
                prepare,
                ..ReloadPhases::default()
            },
            drained: None,
        };
        let mut reloads = vec![reload(ms(10), ms(5)); 99];
        reloads.push(reload(ms(300), ms(250)));
        assert_eq!(warning(&reloads, ms(100)), None, "one in a hundred");
        reloads.pop();
        assert_eq!(warning(&reloads, ms(100)), None);
        reloads.extend([reload(ms(300), ms(250)); 2]);
        let expected = "2 of the 101 reloads of the last day took longer than `reload.target` (100ms): the 99th percentile is \
                        300.0ms, and that of the longest phase, prepare, 250.0ms";
        assert_eq!(warning(&reloads, ms(100)).as_deref(), Some(expected));
        assert_eq!(warning(&reloads, Duration::ZERO), None);
        assert_eq!(warning(&[], ms(100)), None);
    }
}
