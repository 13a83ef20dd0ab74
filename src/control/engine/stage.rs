//! Reloads that wait for approval.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use super::Engine;
use crate::control::events::{Event, StagedEvent, SteeringEvent};
use crate::control::handle::{ApprovalRequest, ReloadRequest};
use crate::control::reload::proposal::Proposal;
use crate::control::reload::queue::{Origin, QueuedReload, ReloadIntent};
use crate::control::reload::report::ReloadReport;
use crate::control::reload::staged::{ApprovalRefusal, DEFAULT_WAIT, StagedReload, StagedReport};
use crate::control::reload::summary::{Summary, TARGET};
use crate::control::requester::Requester;
use crate::reload::{Outcome, Plan, Trigger};

impl Engine {
    /// Queues a reload that is staged once it has been read.
    pub(super) fn queue_staging(
        &mut self,
        request: ReloadRequest,
        within: Option<Duration>,
        reply: oneshot::Sender<ReloadReport>,
    ) {
        let request = self.recognize(request);
        let within = within.unwrap_or(DEFAULT_WAIT);
        self.queue.push(QueuedReload::staging(request, within, reply));
    }

    /// How long `reload` is to wait for approval; `None` applies it. An edit that was noticed waits if
    /// `reload.requireApproval` is set; a command or a signal is an operator's own decision. Other content of files that
    /// the running text refers to is a renewal, which never waits.
    pub(super) fn waits_for_approval(&self, reload: &QueuedReload) -> Option<Duration> {
        match &reload.intent {
            ReloadIntent::Stage(within) => Some(*within),
            ReloadIntent::Approved(_) | ReloadIntent::Confirm(_) => None,
            ReloadIntent::Apply => {
                let is_edit = reload.origin == Origin::Configured && self.file.runs_other_text();
                let is_noticed = reload.is_automatic() && !reload.is_awaited();
                let is_required = self.reloader.current().reload.require_approval;
                (is_edit && is_noticed && is_required).then_some(DEFAULT_WAIT)
            }
        }
    }

    /// Keeps what was read until it is approved. Nothing live changes.
    pub(super) fn stage(
        &mut self,
        reload: &QueuedReload,
        plan: Plan,
        proposal: Proposal,
        within: Duration,
    ) -> ReloadReport {
        let summary = Summary::of(&plan);
        let staged = Arc::new(StagedReload::new(reload, plan, proposal, within));
        if let Some(before) = self.staged.take().filter(|before| before.id != staged.id) {
            self.drop_staged(&before, "another one was staged");
        }
        if reload.origin == Origin::Configured {
            self.file.rejected();
        }
        self.staged = Some(Arc::clone(&staged));
        let seconds = within.as_secs();
        tracing::info!(target: TARGET,
            id = staged.id,
            trigger = staged.trigger.name(),
            by = %staged.by,
            seconds,
            "a reload is staged: it waits for `kproxy approve` by somebody else"
        );
        self.events
            .publish(Event::Staged(self.staged_event(&staged, String::new())));
        let mut report = self.report(reload, Outcome::Staged);
        summary.enter(&mut report);
        report.staged = Some(Box::new(staged.status()));
        self.history_mut().record_staged(&report);
        self.publish();
        report
    }

    /// Queues what waits, if this request may approve it.
    pub(super) fn approve(&mut self, request: ApprovalRequest, reply: oneshot::Sender<ReloadReport>) {
        let ApprovalRequest { id, trigger, by } = request;
        let staged = match StagedReload::check(self.staged.as_ref(), &id, by) {
            Ok(staged) => Arc::clone(staged),
            Err(refusal) => return self.refuse_approval(&id, trigger, by, &refusal, reply),
        };
        tracing::info!(target: TARGET, id, by = %by, staged_by = %staged.by, "a staged reload is approved");
        self.events.publish(Event::Approved(StagedEvent {
            by,
            ..self.staged_event(&staged, format!("staged by {}", staged.by))
        }));
        self.queue
            .push(QueuedReload::approved(staged, trigger, by, reply));
    }

    fn refuse_approval(
        &self,
        id: &str,
        trigger: Trigger,
        by: Requester,
        refusal: &ApprovalRefusal,
        reply: oneshot::Sender<ReloadReport>,
    ) {
        tracing::warn!(target: TARGET, id, by = %by, reason = %refusal, "an approval is refused");
        self.events.publish(Event::Steering(SteeringEvent {
            by,
            command: "approve".into(),
            object: id.to_owned(),
            outcome: "refused".into(),
            detail: refusal.to_string(),
            sessions: 0,
        }));
        let (at, none) = (SystemTime::now(), Duration::ZERO);
        let report = ReloadReport {
            by,
            errors: vec![refusal.to_string()],
            ..ReloadReport::new(Outcome::Rejected, trigger, at, none, self.generation())
        };
        // An error means that the asker has gone away.
        drop(reply.send(report));
    }

    /// Forgets what waits once it has been applied, or the configuration file means what runs.
    pub(super) fn forget_staged(&mut self, reload: &QueuedReload, outcome: Outcome) {
        if !outcome.is_success() {
            return;
        }
        let Some(staged) = self.staged.clone() else { return };
        match &reload.intent {
            ReloadIntent::Approved(approved) if Arc::ptr_eq(approved, &staged) => {
                self.staged = None;
                self.compare_file();
            }
            _ if staged.origin == Origin::Configured && self.file.is_in_sync() => {
                self.staged = None;
                self.drop_staged(&staged, "the configuration file means what runs");
            }
            _ => {}
        }
    }

    /// Drops what has waited too long.
    pub(super) fn expire_staged(&mut self) {
        if let Some(staged) = self.staged.take() {
            self.drop_staged(&staged, "nobody has approved it in time");
        }
        self.publish();
    }

    /// Drops an approved reload that would do something else than it did when it was staged.
    pub(super) fn outdate_staged(&mut self, staged: &Arc<StagedReload>) {
        if self
            .staged
            .as_ref()
            .is_some_and(|waiting| Arc::ptr_eq(waiting, staged))
        {
            self.staged = None;
        }
        self.drop_staged(staged, "what runs has changed since it was staged");
    }

    fn drop_staged(&self, staged: &StagedReload, reason: &str) {
        tracing::warn!(target: TARGET, id = staged.id, reason, "a staged reload is dropped");
        self.events
            .publish(Event::StageExpired(self.staged_event(staged, reason.to_owned())));
    }

    fn staged_event(&self, staged: &StagedReload, detail: String) -> StagedEvent {
        StagedEvent {
            id: staged.id.clone(),
            trigger: staged.trigger,
            by: staged.by,
            generation: self.generation(),
            detail,
        }
    }

    /// Begins to tell what waits, with what it would do now.
    pub(super) fn tell_staged(&mut self, reply: oneshot::Sender<Vec<StagedReport>>) {
        let (staged, snapshot) = (self.staged.clone(), self.snapshot());
        self.plans.tell_staged(staged, snapshot, reply);
    }
}
