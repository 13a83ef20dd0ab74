//! What becomes of a configuration that has been read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::Engine;
use crate::config::{Digest, Sources};
use crate::control::events::Event;
use crate::control::reload::candidate::{Candidate, ReadOutcome};
use crate::control::reload::checks::CheckedTarget;
use crate::control::reload::proposal::{NoProposal, Proposal};
use crate::control::reload::queue::{Origin, QueuedReload, ReloadIntent};
use crate::control::reload::rejection::Rejection;
use crate::control::reload::report::ReloadReport;
use crate::control::reload::safeguards::policy_violations;
use crate::control::reload::summary::TARGET;
use crate::control::runtime::warnings::WarningsInForce;
use crate::control::timings::slow_reload;
use crate::reload::{Outcome, Plan};

/// Reason of rollbacks that somebody has asked for, in metrics.
const REQUESTED: &str = "requested";

/// What has become of a configuration so far.
pub(super) enum Settled {
    /// It was applied, or not. `None`: nothing has changed, and nobody waits to hear of it.
    Ended(Option<Box<ReloadReport>>),
    /// It may be applied if enough bootstrap servers of these targets pass.
    Accepted(Proposal, Vec<CheckedTarget>),
}

impl Engine {
    /// Decides on a reload whose configuration has been read, and answers those who asked for it.
    pub(super) async fn decide(&mut self, mut reload: QueuedReload, outcome: ReadOutcome) {
        let candidate = match outcome {
            ReadOutcome::Read(candidate) => candidate,
            ReadOutcome::Superseded => return self.superseded(),
        };
        if self.is_over(&reload) {
            return;
        }
        if reload.is_outdated(self.generation()) {
            // What runs now is judged anew.
            self.rolling_back = None;
            return;
        }
        let is_new = matches!(
            candidate,
            Candidate::Read { .. } | Candidate::InMemory(_) | Candidate::Staged(_)
        );
        match self.settle(&mut reload, candidate).await {
            Settled::Ended(report) => self.conclude(reload, is_new, report.map(|report| *report)),
            // What was read is followed while the targets are tested.
            Settled::Accepted(proposal, targets) => self.begin_checks(reload, is_new, proposal, targets),
        }
    }

    /// Ends a reload: `report` is for those who asked for it.
    pub(super) fn conclude(&mut self, reload: QueuedReload, is_new: bool, report: Option<ReloadReport>) {
        if let Some(report) = &report {
            self.forget_staged(&reload, report.outcome);
        }
        self.schedule_healing();
        if self.path.is_some() {
            if is_new {
                self.follow_files();
            }
            self.renew_beside_file(&reload);
        }
        if let Some(report) = report.as_ref().filter(|_| reload.is_automatic_rollback()) {
            self.rollback_ended(report);
        } else if let Some(report) = &report
            && reload.origin == Origin::Generation
            && report.outcome == Outcome::Applied
        {
            self.history_mut().count_rollback(REQUESTED);
        }
        self.publish();
        if let Some(report) = report {
            reload.answer(&report);
        }
    }

    /// Follows what was read of the configuration file, and what the running configuration references beside it.
    pub(super) fn follow_files(&mut self) {
        let read = self.file.last_read().cloned();
        let running = self
            .file
            .running_text()
            .filter(|_| self.file.runs_other_text())
            .cloned();
        let referenced = running.iter().flat_map(|sources| sources.references());
        let files = read.iter().flat_map(|sources| sources.files()).chain(referenced);
        let files: Vec<PathBuf> = files.map(ToOwned::to_owned).collect();
        let directories = read
            .as_ref()
            .map(|sources| sources.directories())
            .unwrap_or_default();
        self.watcher.follow(&files, &directories);
        self.watcher.compare(move || {
            let is_read = read.as_ref().is_none_or(|sources| sources.is_current());
            is_read
                && running
                    .as_ref()
                    .is_none_or(|sources| sources.is_material_current())
        });
    }

    /// Queues a renewal of what runs where the configuration file is something else, whatever came of it.
    fn renew_beside_file(&mut self, reload: &QueuedReload) {
        let is_other = self.file.runs_other_text() || !self.file.is_in_sync();
        if reload.origin == Origin::Configured && is_other && self.file.running_text().is_some() {
            self.queue.push(QueuedReload::renewal(reload.trigger));
        }
    }

    /// Waits for the next hint, since the files changed while they were read.
    fn superseded(&mut self) {
        if let Some(retry) = &mut self.retry {
            retry.resume();
        }
    }

    /// Applies a configuration, or not, unless targets have to be tested before.
    async fn settle(&mut self, reload: &mut QueuedReload, candidate: Candidate) -> Settled {
        let proposal = match self.propose(reload, candidate) {
            Ok(proposal) => proposal,
            Err(NoProposal::SameBytes) => return Settled::Ended(self.same_bytes(reload).await.map(Box::new)),
            Err(NoProposal::Rejected(rejection)) => {
                return Settled::Ended(Some(Box::new(self.reject(reload, &rejection))));
            }
        };
        self.consider(reload, proposal, true).await
    }

    /// Applies a proposal by the plan from what runs now to it, or not. `checks`: its targets are tested before, if the
    /// configuration says so.
    pub(super) async fn consider(
        &mut self,
        reload: &mut QueuedReload,
        proposal: Proposal,
        checks: bool,
    ) -> Settled {
        self.restore_failed().await;
        let planning = Instant::now();
        let plan = Plan::between(self.reloader.current(), &proposal.model);
        reload.phases.plan += planning.elapsed();
        if plan.is_empty() {
            return Settled::Ended(Some(Box::new(self.same_meaning(reload, proposal))));
        }
        let violations = policy_violations(self.reloader.current(), &proposal.model, &plan, reload.force);
        if !violations.is_empty() {
            return Settled::Ended(Some(Box::new(
                self.reject(reload, &Rejection::Policy(violations)),
            )));
        }
        if let Some(within) = self.waits_for_approval(reload) {
            return Settled::Ended(Some(Box::new(self.stage(reload, plan, proposal, within))));
        }
        if let Some(staged) = reload.outdated(&plan) {
            self.outdate_staged(&staged);
            return Settled::Ended(Some(Box::new(self.reject(reload, &Rejection::Outdated))));
        }
        let targets = match checks {
            true => self.targets_to_check(reload, &plan, &proposal),
            false => Vec::new(),
        };
        if !targets.is_empty() {
            return Settled::Accepted(proposal, targets);
        }
        Settled::Ended(Some(Box::new(self.apply(reload, plan, proposal).await)))
    }

    fn propose(&mut self, reload: &QueuedReload, candidate: Candidate) -> Result<Proposal, NoProposal> {
        if let Candidate::Read { sources, .. } = &candidate {
            self.note_read(reload, sources);
            // An attempt that waited while something else came to run is not wanted any more.
            let is_asked_for = !reload.is_automatic() || (reload.is_retry && self.retry.is_some());
            if reload.origin == Origin::Configured && self.file.is_set_aside() && !is_asked_for {
                return Err(NoProposal::SameBytes);
            }
        }
        let current = self.reloader.current();
        let proposal = Proposal::of(candidate, reload.origin, reload.force, current)?;
        let condemnation = self.probation.condemnation(&proposal.model);
        match condemnation.filter(|_| reload.is_automatic()) {
            Some(why) => Err(NoProposal::Rejected(Rejection::TakenBack(why.to_owned()))),
            None => Ok(proposal),
        }
    }

    fn note_read(&mut self, reload: &QueuedReload, sources: &Arc<Sources>) {
        match reload.origin {
            Origin::Configured => self.file.read(sources),
            Origin::Running => self.file.read_for_renewal(sources),
            Origin::File | Origin::Generation | Origin::Model => {}
        }
    }

    /// Reports that the files are those that were read before.
    async fn same_bytes(&mut self, reload: &QueuedReload) -> Option<ReloadReport> {
        self.restore_failed().await;
        if let Some(retry) = &mut self.retry {
            retry.resume();
        }
        let is_unasked = reload.is_automatic() || reload.origin == Origin::Running;
        if is_unasked && !reload.is_awaited() {
            if reload.origin == Origin::Configured {
                tracing::debug!(target: TARGET, trigger = reload.trigger.name(), "nothing has changed");
            }
            return None;
        }
        Some(self.unchanged(reload))
    }

    /// Takes in a configuration that means the same as the running one.
    fn same_meaning(&mut self, reload: &QueuedReload, proposal: Proposal) -> ReloadReport {
        let Proposal {
            read,
            warnings,
            left_out,
            ..
        } = proposal;
        if !left_out.is_empty() {
            return self.not_renewed(reload, left_out);
        }
        if reload.origin.is_followed() {
            if let Some((sources, _)) = &read {
                let generation = self.generation();
                Arc::make_mut(&mut self.generations).renewed(generation, Arc::clone(sources));
            }
            self.note_running(reload.origin, read);
            self.warnings = WarningsInForce::new(*warnings);
        }
        // Going back to what means the same is done with it.
        let waiting = self.unconfirmed.clone().filter(|_| reload.restores.is_some());
        self.settle_unconfirmed(reload, waiting);
        if reload.origin == Origin::Configured && self.unconfirmed.is_none() {
            self.forget_earlier_wait();
        }
        self.unchanged(reload)
    }

    /// Rejects a renewal of which nothing can be used.
    fn not_renewed(&mut self, reload: &QueuedReload, left_out: Vec<String>) -> ReloadReport {
        let rejection = Rejection::Invalid {
            lines: Vec::new(),
            violations: left_out,
            is_transient: false,
        };
        if self.file.runs_other_text() {
            return self.reject(reload, &rejection);
        }
        self.unconfirmed_rejected(reload);
        // The reload of the file was rejected for the same reasons.
        self.report(reload, Outcome::Rejected)
    }

    fn unchanged(&mut self, reload: &QueuedReload) -> ReloadReport {
        self.renew_unconfirmed(reload);
        let mut report = self.report(reload, Outcome::Unchanged);
        report.confirm = self.confirm_status();
        self.record(reload.origin, &report);
        self.publish();
        match reload.origin {
            Origin::Running => tracing::debug!(target: TARGET,
                generation = report.generation,
                "renewal unchanged: the files mean the same as before"
            ),
            _ => tracing::info!(target: TARGET,
                trigger = reload.trigger.name(),
                generation = report.generation,
                "reload unchanged: the configuration means the same as the running one"
            ),
        }
        report
    }

    /// Notes what runs from now on.
    pub(super) fn note_running(&mut self, origin: Origin, read: Option<(Arc<Sources>, Digest)>) {
        if origin == Origin::Running {
            return self.file.renewed(read.map(|(_, digest)| digest));
        }
        self.retry = None;
        match read {
            Some((sources, digest)) if origin == Origin::Configured => {
                self.file.applied(sources, digest);
                self.notice = None;
                // What was staged may be older than what the file says by now.
                if self.file.runs_other_text() {
                    self.file.rejected();
                }
                Arc::make_mut(&mut self.generations).agreed();
                self.history_mut().forget_renewal();
            }
            read if origin == Origin::Generation => self.file.rolled_back(read),
            read => self.file.overridden(read),
        }
    }

    pub(super) fn record(&mut self, origin: Origin, report: &ReloadReport) {
        self.write_journal(report);
        self.events.publish(Event::Reload {
            report: Box::new(report.clone()),
        });
        if let Some(slow) = slow_reload(report, self.reloader.current().reload.target) {
            self.slow_reloads.log(&slow);
            self.events.publish(Event::SlowReload(slow));
        }
        let history = self.history_mut();
        match origin {
            Origin::Running => history.record_renewal(report.clone()),
            _ => history.record(report.clone()),
        }
    }

    pub(super) fn report(&self, reload: &QueuedReload, outcome: Outcome) -> ReloadReport {
        let duration = reload.began.elapsed();
        ReloadReport {
            restored_generation: reload.restores,
            by: reload.by,
            phases: reload.phases,
            staged: match &reload.intent {
                ReloadIntent::Approved(staged) => Some(Box::new(staged.status())),
                ReloadIntent::Apply | ReloadIntent::Confirm(_) | ReloadIntent::Stage(_) => None,
            },
            ..ReloadReport::new(outcome, reload.trigger, reload.at, duration, self.generation())
        }
    }
}
