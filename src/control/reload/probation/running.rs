//! The virtual clusters on probation: what is read of them, and what that comes to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::baseline::{Baseline, finished};
use super::collect;
use super::figures::Figures;
use super::judge::{BeforeReload, ClusterPeriods, DegradationReason, ProbationVerdict, Schedule, judge};
use super::sample::{ClusterFacts, ClusterSample};
use crate::cluster::ClusterSnapshot;
use crate::model::RollbackSettings;

/// A probation that has ended without a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct EndedProbation {
    pub(in crate::control) generation: u64,
    pub(in crate::control) verdict: ProbationVerdict,
    pub(in crate::control) clusters: Vec<String>,
    pub(in crate::control) detail: String,
}

/// The virtual clusters on probation.
#[derive(Debug, Default)]
pub(super) struct RunningProbation {
    pub(super) generation: u64,
    pub(super) cases: BTreeMap<String, ProbationCase>,
    pub(super) starting: Vec<JoinHandle<BTreeMap<String, ClusterFacts>>>,
    pub(super) looking: Option<JoinHandle<BTreeMap<String, ClusterFacts>>>,
    /// Whether the rollback has been asked for.
    pub(super) is_over: bool,
}

/// One virtual cluster on probation.
#[derive(Debug)]
pub(super) struct ProbationCase {
    pub(super) began: Instant,
    pub(super) is_new: bool,
    pub(super) keeps_gateways: bool,
    /// `None` until the counters at the beginning have been read.
    pub(super) start: Option<ClusterSample>,
    pub(super) before: Option<BeforeReload>,
    /// Counters when clients had had time to come back.
    pub(super) settled: Option<ClusterSample>,
    pub(super) verdict: ProbationVerdict,
    pub(super) figures: String,
}

/// What a look came to.
pub(super) enum Looked {
    Over(EndedProbation),
    Worse(DegradationReason, Vec<String>, String),
}

impl RunningProbation {
    /// The reload of `generation` has changed these clusters; `before` are all as they were.
    pub(super) fn begin(&mut self, generation: u64, before: ClusterSnapshot, names: Vec<String>) {
        self.generation = generation;
        self.looking = None;
        let read = move || collect::some(&before, &names);
        self.starting.push(tokio::task::spawn_blocking(read));
    }

    /// Judges again what was about to be taken back: something else runs now.
    pub(super) fn resume(&mut self) {
        self.is_over = false;
        for case in self.cases.values_mut() {
            if case.verdict == ProbationVerdict::Degraded {
                case.verdict = ProbationVerdict::Watching;
            }
        }
    }

    /// Takes in counters at the beginning that have been read meanwhile.
    pub(super) async fn take_starts(&mut self, baseline: &Baseline) {
        for task in std::mem::take(&mut self.starting) {
            if !task.is_finished() {
                self.starting.push(task);
                continue;
            }
            for (name, facts) in task.await.unwrap_or_default() {
                if let Some(case) = self.cases.get_mut(&name).filter(|case| case.start.is_none()) {
                    if !case.is_new {
                        case.before.get_or_insert_with(|| baseline.before(&name, &facts));
                    }
                    case.start = Some(facts.counted);
                }
            }
        }
    }

    /// Judges by what has been read since the last look, and begins to read for the next.
    pub(super) async fn look(
        &mut self,
        clusters: &ClusterSnapshot,
        bounds: &RollbackSettings,
        now: Instant,
    ) -> Option<Looked> {
        if self.is_over {
            return None;
        }
        let facts = finished(&mut self.looking).await;
        let looked = facts.and_then(|facts| self.judge(&facts, bounds, now));
        if self.looking.is_none() {
            let (clusters, names) = (
                Arc::clone(clusters),
                self.cases.keys().cloned().collect::<Vec<_>>(),
            );
            self.looking = Some(tokio::task::spawn_blocking(move || {
                collect::some(&clusters, &names)
            }));
        }
        self.is_over = matches!(looked, Some(Looked::Worse(..)));
        looked
    }

    fn judge(
        &mut self,
        facts: &BTreeMap<String, ClusterFacts>,
        bounds: &RollbackSettings,
        now: Instant,
    ) -> Option<Looked> {
        let mut worse: Option<(DegradationReason, String)> = None;
        let mut names = Vec::new();
        for (name, case) in &mut self.cases {
            let Some(periods) = facts.get(name).and_then(|facts| case.periods(facts, bounds, now)) else {
                continue;
            };
            case.figures = Figures(&periods).to_string();
            match judge(&periods, bounds) {
                Ok(verdict) => case.verdict = verdict,
                Err((reason, what)) => {
                    case.verdict = ProbationVerdict::Degraded;
                    names.push(name.clone());
                    worse.get_or_insert_with(|| (reason, format!("virtual cluster `{name}`: {what}")));
                }
            }
        }
        if let Some((reason, mut detail)) = worse {
            if names.len() > 1 {
                detail += &format!("; and {} more virtual clusters got worse", names.len() - 1);
            }
            return Some(Looked::Worse(reason, names, detail));
        }
        (self.verdict() != ProbationVerdict::Watching).then(|| Looked::Over(self.ended()))
    }

    /// The verdict about all clusters: healthy if one is and none got worse.
    pub(super) fn verdict(&self) -> ProbationVerdict {
        let has = |verdict| self.cases.values().any(|case| case.verdict == verdict);
        let order = [
            ProbationVerdict::Degraded,
            ProbationVerdict::Watching,
            ProbationVerdict::Healthy,
        ];
        let found = order.into_iter().find(|verdict| has(*verdict));
        found.unwrap_or(ProbationVerdict::TooLittleTraffic)
    }

    fn ended(&self) -> EndedProbation {
        const MAX_NAMED: usize = 3;
        let described = self.cases.iter().take(MAX_NAMED);
        let described: Vec<String> = described
            .map(|(name, case)| format!("`{name}` {}: {}", case.verdict.name(), case.figures))
            .collect();
        let more = match self.cases.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        EndedProbation {
            generation: self.generation,
            verdict: self.verdict(),
            clusters: self.cases.keys().cloned().collect(),
            detail: format!("{}{more}", described.join("; ")),
        }
    }
}

impl ProbationCase {
    /// Begins anew. `known`: it was on probation already, so what it was like before that counts.
    pub(super) fn begin(known: Option<Self>, is_new: bool, keeps_gateways: bool, now: Instant) -> Self {
        Self {
            began: now,
            is_new: known.as_ref().map_or(is_new, |known| known.is_new),
            keeps_gateways,
            start: is_new.then(ClusterSample::default),
            before: known.and_then(|known| known.before),
            settled: None,
            verdict: ProbationVerdict::Watching,
            figures: String::new(),
        }
    }

    /// What it was like before and since; `None` until the counters at the beginning are known.
    fn periods(
        &mut self,
        facts: &ClusterFacts,
        bounds: &RollbackSettings,
        now: Instant,
    ) -> Option<ClusterPeriods> {
        let start = self.start.as_ref()?;
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed >= Schedule(bounds.window).settled() && self.settled.is_none() {
            self.settled = Some(facts.counted.clone());
        }
        let settled = self.settled.as_ref();
        Some(ClusterPeriods {
            before: self.before.clone(),
            after: facts.counted.since(start),
            settled: settled.map_or_else(ClusterSample::default, |settled| facts.counted.since(settled)),
            brokers_after: facts.brokers.clone(),
            waiting: facts.waiting,
            elapsed,
            keeps_gateways: self.keeps_gateways,
        })
    }
}
