//! A reload whose targets are tested before it is applied (`reload.checks`). The loop goes on meanwhile; reloads that come
//! wait, at most for the time limit of the checks.

use std::sync::Arc;
use std::time::Instant;

use super::Engine;
use super::decide::Settled;
use crate::control::reload::checks::{self, CheckVerdict, CheckedTarget, RunningChecks, changed_targets};
use crate::control::reload::proposal::Proposal;
use crate::control::reload::queue::{Origin, QueuedReload};
use crate::control::reload::rejection::Rejection;
use crate::control::reload::summary::{MAX_LOGGED, TARGET};
use crate::reload::Plan;

/// The reload whose targets are being tested, if there is one.
#[derive(Default)]
pub(super) struct Checking {
    running: Option<(PendingReload, RunningChecks)>,
}

/// A reload that is applied if the checks pass.
pub(super) struct PendingReload {
    reload: QueuedReload,
    /// Whether a new text was read for it.
    is_new: bool,
    proposal: Proposal,
    began: Instant,
}

impl Checking {
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether they run for a reload that somebody asked for.
    pub(super) fn is_requested(&self) -> bool {
        let pending = self.running.as_ref().map(|(pending, _)| pending);
        pending.is_some_and(|pending| !pending.reload.is_automatic())
    }

    /// Waits until the checks have ended; for ever while none run. Cancel safe.
    pub(super) async fn ended(&mut self) -> (PendingReload, CheckVerdict) {
        let Some((_, running)) = &mut self.running else {
            return std::future::pending().await;
        };
        let verdict = running.verdict().await;
        match self.running.take() {
            Some((pending, _)) => (pending, verdict),
            None => std::future::pending().await,
        }
    }

    /// Gives the checks up and returns the reload that waited for them.
    pub(super) fn clear(&mut self) -> Option<QueuedReload> {
        let (pending, _) = self.running.take()?;
        Some(pending.reload)
    }
}

impl Engine {
    /// The targets to test before `plan` is applied. A forced reload is applied without tests, and so is a return to what
    /// has run before, which is forced.
    pub(super) fn targets_to_check(
        &self,
        reload: &QueuedReload,
        plan: &Plan,
        proposal: &Proposal,
    ) -> Vec<CheckedTarget> {
        let is_forced = reload.force && reload.origin != Origin::Running;
        match proposal.model.reload.checks.connect && !is_forced {
            true => changed_targets(self.reloader.current(), plan),
            false => Vec::new(),
        }
    }

    /// Begins to test targets, away from the control thread.
    pub(super) fn begin_checks(
        &mut self,
        reload: QueuedReload,
        is_new: bool,
        proposal: Proposal,
        targets: Vec<CheckedTarget>,
    ) {
        let model = &proposal.model;
        let own = Arc::clone(self.reloader.registry.own());
        let (settings, step) = (model.reload.checks.clone(), model.network.connect_timeout);
        tracing::debug!(target: TARGET, targets = targets.len(), "the targets of the new configuration are tested");
        let running = checks::start(targets, settings, step, own);
        let pending = PendingReload {
            reload,
            is_new,
            proposal,
            began: Instant::now(),
        };
        self.checking.running = Some((pending, running));
    }

    /// Applies a reload whose targets have been tested, or rejects it.
    pub(super) async fn decide_checked(&mut self, checked: PendingReload, verdict: CheckVerdict) {
        let PendingReload {
            mut reload,
            is_new,
            proposal,
            began,
        } = checked;
        reload.phases.checks = began.elapsed();
        let report = if verdict.rejected.is_empty() {
            log_tolerated(&verdict.tolerated);
            // What runs may have changed meanwhile, so the plan is made again.
            match self.consider(&mut reload, proposal, false).await {
                Settled::Ended(report) => report.map(|report| *report),
                Settled::Accepted(..) => None,
            }
        } else {
            Some(self.reject(&reload, &Rejection::Checks(verdict.rejected)))
        };
        self.conclude(reload, is_new, report);
    }
}

/// Logs servers that do not pass although enough others do.
fn log_tolerated(failures: &[String]) {
    for failure in failures.iter().take(MAX_LOGGED) {
        tracing::warn!(target: TARGET, failure, "a check before the reload failed; enough other servers pass");
    }
    if let Some(more) = failures.len().checked_sub(MAX_LOGGED).filter(|more| *more > 0) {
        tracing::warn!(target: TARGET, more, "more checks before the reload failed; enough other servers pass");
    }
}
