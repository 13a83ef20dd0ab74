//! Durations of the last reloads and drains: percentiles for `kproxy stats`, and whether reloads are slower than
//! `reload.target`.

mod percentiles;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use percentiles::{DrainStats, DurationPercentiles, ProxyStats, ReloadStats};

use super::events::{DrainEvent, Event, EventSink, SlowReloadEvent, TimedEvent};
use super::reload::report::{ReloadPhases, ReloadReport};
use super::reload::summary::TARGET;
use crate::reload::{Outcome, Trigger};
use crate::time::millis;

/// Number of reloads, and of drains, that are kept.
const CAPACITY: usize = 1000;

/// Age of reloads that the warning about slow ones is about.
const WARNED_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Time between two log lines about slow reloads.
const LOG_PAUSE: Duration = Duration::from_secs(60);

/// The last reloads that were applied, and the last drains. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(in crate::control) struct Timings(Arc<Mutex<TimingRings>>);

/// The oldest are dropped for new ones.
#[derive(Debug, Default)]
struct TimingRings {
    reloads: VecDeque<ReloadTiming>,
    drains: VecDeque<DrainTiming>,
}

/// Durations of one reload that was applied.
#[derive(Debug, Clone, Copy)]
struct ReloadTiming {
    at: SystemTime,
    generation: u64,
    /// Without the time in which it waited for others.
    duration: Duration,
    phases: ReloadPhases,
    /// From its end to the end of its last drain, so far; `None` if no session had to leave.
    drained: Option<Duration>,
}

/// One drain that has ended.
#[derive(Debug, Clone, Copy)]
struct DrainTiming {
    duration: Duration,
    sessions: usize,
    forced: u64,
}

impl EventSink for Timings {
    fn note(&self, event: &TimedEvent) {
        match &event.event {
            Event::Reload { report } => self.lock().note_reload(report),
            Event::DrainEnded(drain) => self.lock().note_drain(drain),
            _ => {}
        }
    }
}

impl Timings {
    /// Percentiles of the reloads and drains that are kept.
    pub(in crate::control) fn stats(&self, target: Duration) -> ProxyStats {
        let mut rings = self.lock();
        ProxyStats {
            capacity: CAPACITY,
            target,
            reloads: Some(ReloadStats::of(rings.reloads.make_contiguous(), target)),
            drains: Some(DrainStats::of(rings.drains.iter().copied())),
        }
    }

    /// A warning if the 99th percentile of the reloads of the last day is beyond `target`, in a sentence.
    pub(in crate::control) fn warning(&self, target: Duration) -> Option<String> {
        let rings = self.lock();
        let is_recent = |reload: &&ReloadTiming| reload.at.elapsed().is_ok_and(|age| age < WARNED_AGE);
        let recent: Vec<ReloadTiming> = rings.reloads.iter().filter(is_recent).copied().collect();
        percentiles::warning(&recent, target)
    }

    fn lock(&self) -> MutexGuard<'_, TimingRings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimingRings {
    fn note_reload(&mut self, report: &ReloadReport) {
        if report.outcome != Outcome::Applied || report.trigger == Trigger::Start {
            return;
        }
        push(
            &mut self.reloads,
            ReloadTiming {
                at: report.at,
                generation: report.generation,
                duration: worked(report),
                phases: report.phases,
                drained: None,
            },
        );
    }

    fn note_drain(&mut self, drain: &DrainEvent) {
        let of_reload = self
            .reloads
            .iter_mut()
            .rev()
            .find(|reload| reload.generation == drain.generation);
        if let Some(reload) = of_reload {
            reload.drained = reload.drained.max(Some(drain.duration));
        }
        push(
            &mut self.drains,
            DrainTiming {
                duration: drain.duration,
                sessions: drain.sessions,
                forced: drain.forced,
            },
        );
    }
}

fn push<T>(ring: &mut VecDeque<T>, entry: T) {
    if ring.len() == CAPACITY {
        ring.pop_front();
    }
    ring.push_back(entry);
}

/// Duration of a reload without the time in which it only waited.
fn worked(report: &ReloadReport) -> Duration {
    report.duration.saturating_sub(report.phases.queued)
}

/// A reload that was slower than `reload.target`, with its longest phase.
pub(in crate::control) fn slow_reload(report: &ReloadReport, target: Duration) -> Option<SlowReloadEvent> {
    let duration = worked(report);
    let counts = report.outcome.is_success() && report.trigger != Trigger::Start;
    if !counts || target.is_zero() || duration <= target {
        return None;
    }
    let (phase, phase_duration) = longest(&report.phases);
    Some(SlowReloadEvent {
        generation: report.generation,
        duration,
        target,
        phase: phase.into(),
        phase_duration,
    })
}

/// Log lines about slow reloads: not more than one in a while.
#[derive(Debug, Default)]
pub(in crate::control) struct SlowReloadLog {
    logged: Option<Instant>,
    /// Slow reloads since that line.
    unlogged: u64,
}

impl SlowReloadLog {
    /// Logs a slow reload, or counts it.
    pub(in crate::control) fn log(&mut self, slow: &SlowReloadEvent) {
        if self.logged.is_some_and(|logged| logged.elapsed() < LOG_PAUSE) {
            self.unlogged += 1;
            return;
        }
        self.logged = Some(Instant::now());
        tracing::warn!(
            target: TARGET,
            generation = slow.generation,
            duration_ms = millis(slow.duration),
            target_ms = millis(slow.target),
            phase = &*slow.phase,
            phase_ms = millis(slow.phase_duration),
            more = std::mem::take(&mut self.unlogged),
            "a reload took longer than reload.target"
        );
    }
}

/// The phase that took longest, waiting for other reloads aside.
fn longest(phases: &ReloadPhases) -> (&'static str, Duration) {
    let named = phases.named().into_iter().filter(|(name, _)| *name != "queued");
    named.max_by_key(|(_, duration)| *duration).unwrap_or_default()
}
