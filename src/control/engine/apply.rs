//! A plan that is applied, and the release of what it replaces.

use std::sync::Arc;
use std::time::Instant;

use super::{Engine, warn_of_names, watch_settings};
use crate::control::reload::proposal::Proposal;
use crate::control::reload::queue::{Origin, QueuedReload};
use crate::control::reload::rejection::Rejection;
use crate::control::reload::report::ReloadReport;
use crate::control::reload::retry::Retry;
use crate::control::reload::summary::{MAX_LOGGED, Summary, TARGET};
use crate::control::runtime::fences::EndedFence;
use crate::control::runtime::recheck;
use crate::control::runtime::reloader::{Prepared, Recheck, Replaced, Retired};
use crate::control::runtime::warnings::{self, WarningsInForce};
use crate::drain::ConnectionTracker;
use crate::model::ProxyModel;
use crate::reload::{Outcome, Plan};

/// Sessions refreshed before other work on this thread gets its turn.
const SLICE: usize = 256;

impl Engine {
    /// Prepares and commits `plan`, or rejects it and changes nothing.
    pub(super) async fn apply(
        &mut self,
        reload: &mut QueuedReload,
        plan: Plan,
        proposal: Proposal,
    ) -> ReloadReport {
        let next = plan.replayed(self.reloader.current());
        debug_assert!(next == *proposal.model, "a plan leads where it was made for");
        let summary = Summary::of(&plan);
        let waiting = match self.begin_unconfirmed(reload, &proposal).await {
            Ok(waiting) => waiting,
            Err(rejection) => return self.reject(reload, &rejection),
        };
        let before = self.before_commit(reload, &plan, &next);
        let preparing = Instant::now();
        let prepared = self.prepare(plan, Arc::new(next)).await;
        reload.phases.prepare = preparing.elapsed();
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(rejection) => return self.reject(reload, &rejection),
        };
        let committing = Instant::now();
        let retired = self.reloader.commit(prepared);
        reload.phases.commit = committing.elapsed();
        let retry = self.retry.as_ref().filter(|_| reload.is_retry);
        let attempts = retry.map(Retry::attempts);
        let Proposal {
            read,
            warnings,
            left_out,
            ..
        } = proposal;
        self.keep(reload, read.as_ref());
        self.note_running(reload.origin, read);
        if waiting.is_none() && reload.origin != Origin::Running {
            self.forget_earlier_wait();
        }
        self.settle_unconfirmed(reload, waiting);
        let mut report = self.report(reload, Outcome::Applied);
        report.confirm = self.confirm_status();
        summary.enter(&mut report);
        report.errors = left_out;
        self.record(reload.origin, &report);
        self.warnings = WarningsInForce::new(*warnings);
        self.begin_probation(reload, before);
        self.announce(&summary);
        let (rechecks, replaced) = self.retire(retired, None).await;
        // Published before it is logged: who reads the log and asks finds what it says.
        self.publish();
        summary.log(&report, reload.origin);
        self.log_applied(&report, attempts);
        for recheck in rechecks {
            self.recheck(recheck).await;
        }
        // Thousands of allocations; nobody waits for them to be freed.
        drop(tokio::task::spawn_blocking(move || drop(replaced)));
        report
    }

    /// Logs what else there is to say of a reload that has been applied. `attempts`: those before, where it is a retry.
    fn log_applied(&self, report: &ReloadReport, attempts: Option<u32>) {
        for reason in report.errors.iter().take(MAX_LOGGED) {
            tracing::error!(target: TARGET, generation = report.generation, reason, "renewal applied, except for one file");
        }
        if let Some(attempts) = attempts {
            tracing::info!(target: TARGET, attempts = attempts + 1, "a configuration that was rejected before is applied");
        }
        log_warnings(&warnings::in_force(self.warnings.warnings()));
    }

    /// Builds and binds what `plan` needs. Nothing can fail after it.
    async fn prepare(&mut self, plan: Plan, next: Arc<ProxyModel>) -> Result<Prepared, Rejection> {
        let prepared = self.reloader.prepare(plan, next).await;
        let mut prepared = prepared.map_err(Rejection::Prepare)?;
        let rebound = self.reloader.rebind_conflicting(&mut prepared).await;
        rebound.map_err(Rejection::Rebind)?;
        Ok(prepared)
    }

    /// Tells other parts of the process what runs now.
    fn announce(&mut self, summary: &Summary) {
        for name in summary.new_targets() {
            if let Some(cluster) = self.reloader.clusters.get(name) {
                self.brokers.probe_new_target(cluster);
            }
        }
        let current = Arc::clone(self.reloader.current());
        let has_file = self.path.is_some();
        self.watcher.set(watch_settings(&current.reload, has_file));
        self.audit.set(&current);
        (self.applied)(&current);
        self.configure_log(&current.logging.level);
        let new_targets = summary.new_targets();
        warn_of_names(
            new_targets
                .filter_map(|name| current.clusters.get(name))
                .cloned()
                .collect(),
        );
    }

    /// Releases and drains what a commit replaced. The drains go on by themselves; returned are the sessions to recheck,
    /// and what is to be dropped where nobody waits.
    pub(in crate::control) async fn retire(
        &mut self,
        retired: Retired,
        deadline: Option<Instant>,
    ) -> (Vec<Recheck>, Replaced) {
        let Retired {
            listeners,
            leaving,
            refresh,
            recheck,
            fences,
            replaced,
        } = retired;
        // Waited for, so that a reload that is reported holds for the next frame of every session.
        refresh_all(refresh).await;
        fences.into_iter().for_each(EndedFence::release);
        // Waited for, so that the next reload finds these addresses free.
        for listener in self.reloader.registry.release(listeners) {
            if listener.await.is_err() {
                tracing::error!(target: TARGET, "an accept loop panicked");
            }
        }
        // After the listeners: clients that waited there are among the sessions that are asked to leave.
        for leaving in leaving {
            let ended_by = self.generation();
            self.drains.begin(leaving, ended_by, deadline).await;
        }
        (recheck, replaced)
    }

    /// The trackers of sessions that were asked to leave a virtual cluster, and may go on with its new target instead.
    pub(super) fn moving_trackers(&mut self, cluster: &str) -> Vec<Arc<ConnectionTracker>> {
        let drains = self.drains.snapshot();
        let moving = drains
            .iter()
            .filter(|drain| drain.cluster == cluster && drain.may_move());
        moving
            .flat_map(|drain| drain.trackers())
            .map(Arc::clone)
            .collect()
    }

    /// Drains the sessions whose clients the new rules about clients refuse.
    async fn recheck(&mut self, recheck: Recheck) {
        let Recheck { rules, mut leaving } = recheck;
        let cluster = leaving.cluster.clone();
        leaving.trackers.extend(self.moving_trackers(&cluster));
        let trackers = leaving.trackers.clone();
        // Certificates are verified away from this thread.
        let refused = tokio::task::spawn_blocking(move || recheck::refused(&rules, &trackers)).await;
        let Ok(refused) = refused else {
            return tracing::error!(target: TARGET, "verifying the clients of sessions again panicked");
        };
        if refused.is_empty() {
            return;
        }
        let part =
            |tracker: &Arc<ConnectionTracker>| tracker.part(|session| refused.contains_key(&session.id));
        leaving.trackers = leaving.trackers.iter().map(part).collect();
        let ended_by = self.generation();
        self.drains.begin(leaving, ended_by, None).await;
        self.publish();
        for (reason, sessions) in recheck::by_reason(&refused) {
            tracing::warn!(target: "kproxy::drain", %cluster, sessions, reason, "clients are not accepted any more");
        }
    }
}

/// Logs what is odd about the configuration that runs now.
fn log_warnings(warnings: &[String]) {
    for warning in warnings.iter().take(MAX_LOGGED) {
        tracing::warn!(target: TARGET, warning, "the configuration has a warning");
    }
    if let Some(more) = warnings.len().checked_sub(MAX_LOGGED).filter(|more| *more > 0) {
        tracing::warn!(target: TARGET, more, "more warnings: `kproxy check` prints them all");
    }
}

/// Tells the sessions of these trackers that their settings have changed.
pub(super) async fn refresh_all(trackers: Vec<Arc<ConnectionTracker>>) {
    for (index, tracker) in trackers.into_iter().enumerate() {
        tracker.sessions().iter().for_each(|session| session.refresh());
        if index % SLICE == SLICE - 1 {
            tokio::task::yield_now().await;
        }
    }
}
