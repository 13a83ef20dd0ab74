//! What follows from a probation: a return to the last healthy generation, and what is told of it.

use std::sync::Arc;
use std::time::Instant;

use super::Engine;
use crate::cluster::ClusterSnapshot;
use crate::control::events::{Event, ProbationEvent, RollbackEvent};
use crate::control::reload::probation::{
    ChangedCluster, CommittedReload, EndedProbation, ProbationStep, ProbationVerdict, RollbackCall,
};
use crate::control::reload::queue::{Origin, QueuedReload};
use crate::control::reload::report::ReloadReport;
use crate::control::reload::summary::TARGET;
use crate::model::ProxyModel;
use crate::reload::{Outcome, Plan};
use crate::time::whole_millis;

/// What has to be known of a reload before its commit.
pub(super) struct BeforeCommit {
    changed: Vec<ChangedCluster>,
    clusters: ClusterSnapshot,
}

impl Engine {
    /// Notes what `plan` changes. Where nothing goes on probation, this costs nothing.
    pub(super) fn before_commit(
        &mut self,
        reload: &QueuedReload,
        plan: &Plan,
        next: &ProxyModel,
    ) -> BeforeCommit {
        // The contents of files that are referenced are not kept, so their renewal cannot be taken back.
        let is_watched = next.rollback.auto && !matches!(reload.origin, Origin::Running | Origin::Generation);
        match is_watched {
            true => BeforeCommit {
                changed: CommittedReload::changed_by(plan),
                clusters: self.reloader.clusters.snapshot(),
            },
            false => BeforeCommit {
                changed: Vec::new(),
                clusters: ClusterSnapshot::default(),
            },
        }
    }

    /// Begins to watch what a reload has changed.
    pub(super) fn begin_probation(&mut self, reload: &QueuedReload, before: BeforeCommit) {
        let BeforeCommit { changed, clusters } = before;
        for name in changed.iter().filter_map(ChangedCluster::renewed_target) {
            if let Some(cluster) = self.reloader.clusters.get(name) {
                self.brokers.probe_new_target(cluster);
            }
        }
        let committed = CommittedReload {
            generation: self.generation(),
            model: Arc::clone(self.reloader.current()),
            changed,
            before: clusters,
            is_return: reload.origin == Origin::Generation,
        };
        let window = committed.model.rollback.window;
        let clusters = self.probation.committed(committed, Instant::now());
        if clusters > 0 {
            tracing::info!(
                target: TARGET,
                generation = self.generation(),
                clusters,
                window_ms = whole_millis(window),
                "changed virtual clusters are on probation"
            );
        }
    }

    /// Looks at the clusters on probation.
    pub(super) async fn look_at_probation(&mut self) {
        let clusters = self.reloader.clusters.snapshot();
        let model = Arc::clone(self.reloader.current());
        let running = (self.generation(), &model);
        match self.probation.tick(clusters, running, Instant::now()).await {
            None => {}
            Some(ProbationStep::Ended(ended)) => self.probation_ended(ended),
            Some(ProbationStep::RollBack(rollback)) => self.roll_back(rollback),
        }
    }

    fn probation_ended(&mut self, ended: EndedProbation) {
        let EndedProbation {
            generation,
            verdict,
            clusters,
            detail,
        } = ended;
        match verdict {
            ProbationVerdict::TooLittleTraffic => tracing::warn!(
                target: TARGET,
                generation,
                detail,
                "probation ended: there was not enough traffic to judge"
            ),
            _ => tracing::info!(target: TARGET, generation, detail, "probation passed"),
        }
        self.publish();
        self.events.publish(Event::Probation(ProbationEvent {
            generation,
            verdict: verdict.name().into(),
            clusters,
            detail,
        }));
    }

    /// Asks for a return to the last healthy generation.
    fn roll_back(&mut self, rollback: RollbackCall) {
        let RollbackCall {
            from,
            to,
            reason,
            clusters,
            detail,
        } = &rollback;
        self.publish();
        tracing::error!(
            target: TARGET,
            generation = from,
            back_to = to,
            reason = reason.name(),
            detail,
            "a reload made things worse: the last healthy configuration comes back"
        );
        self.events.publish(Event::Probation(ProbationEvent {
            generation: *from,
            verdict: ProbationVerdict::Degraded.name().into(),
            clusters: clusters.clone(),
            detail: detail.clone(),
        }));
        self.queue
            .push_first(QueuedReload::automatic_rollback(*from, *to));
        self.rolling_back = Some((rollback, Arc::clone(self.reloader.current())));
    }

    /// Takes in what came of a rollback that a probation had called for.
    pub(super) fn rollback_ended(&mut self, report: &ReloadReport) {
        let Some((rollback, condemned)) = self.rolling_back.take() else {
            return;
        };
        let is_applied = report.outcome == Outcome::Applied;
        self.probation.rolled_back(&rollback, &condemned, is_applied);
        if is_applied {
            self.history_mut().count_rollback(rollback.reason.name());
        } else {
            tracing::error!(
                target: TARGET,
                generation = rollback.from,
                back_to = rollback.to,
                outcome = report.outcome.name(),
                "the automatic rollback changed nothing: kproxy keeps the configuration that made things worse"
            );
        }
        self.events.publish(Event::Rollback(RollbackEvent {
            by: crate::control::Requester::Process,
            from_generation: rollback.from,
            to_generation: rollback.to,
            automatic: true,
            reason: rollback.detail,
            outcome: report.outcome,
        }));
    }
}
