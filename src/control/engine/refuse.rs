//! Reloads that change nothing.

use tokio::sync::oneshot;

use super::Engine;
use crate::control::handle::ReloadRequest;
use crate::control::reload::queue::{Origin, QueuedReload, ReloadIntent};
use crate::control::reload::rejection::Rejection;
use crate::control::reload::report::ReloadReport;
use crate::control::reload::retry::Retry;
use crate::control::reload::summary::{MAX_LOGGED, TARGET};
use crate::time::millis;

impl Engine {
    /// Records and logs a rejection, and schedules another attempt if its reason may pass.
    pub(super) fn reject(&mut self, reload: &QueuedReload, rejection: &Rejection) -> ReloadReport {
        let mut report = self.report(reload, rejection.outcome());
        report.errors = rejection.reasons();
        report.excerpts = rejection.lines();
        let is_transient = rejection.is_transient();
        let is_news = self.schedule_retry(reload, &report.errors, is_transient);
        if is_news {
            self.record(reload.origin, &report);
        }
        if reload.origin == Origin::Configured {
            self.file.rejected();
        }
        self.unconfirmed_rejected(reload);
        self.publish();
        if is_news {
            log_rejection(reload.origin, &report);
            if let Some(retry) = self.retry.as_ref().filter(|_| is_transient) {
                log_next_attempt(retry);
            }
        } else {
            tracing::debug!(target: TARGET, "rejected again for the same reasons");
        }
        report
    }

    /// Schedules the next attempt. Returns whether the reasons are others than those of the last attempt.
    fn schedule_retry(&mut self, reload: &QueuedReload, reasons: &[String], is_transient: bool) -> bool {
        if !matches!(reload.intent, ReloadIntent::Apply) {
            // An attempt by itself would apply it without the confirmation or the approval that was asked for.
            self.retry = None;
            return true;
        }
        let is_watched = self.path.is_some() && self.reloader.current().reload.watch;
        let is_worth_it = is_transient && is_watched;
        match (reload.origin, &mut self.retry) {
            (Origin::Configured, retry) if !is_worth_it => {
                *retry = None;
                true
            }
            (Origin::Configured, Some(retry)) if reload.is_retry => retry.failed(reasons),
            (Origin::Configured, retry) => {
                *retry = Some(Retry::after(reasons.to_owned()));
                true
            }
            // An attempt at the file leads to one at what runs.
            (Origin::Running, retry @ None) if is_worth_it => {
                *retry = Some(Retry::after(reasons.to_owned()));
                true
            }
            _ => true,
        }
    }

    /// Rejects every reload that waits or is being read, since the process ends.
    pub(in crate::control) fn reject_all(&mut self) {
        let rejection = Rejection::ShuttingDown;
        for reload in self.checking.clear().into_iter().chain(self.queue.clear()) {
            let mut report = self.report(&reload, rejection.outcome());
            report.errors = rejection.reasons();
            reload.answer(&report);
        }
    }

    /// Rejects a reload that is asked for while the process ends.
    pub(in crate::control) fn reject_late(
        &mut self,
        request: ReloadRequest,
        reply: oneshot::Sender<ReloadReport>,
    ) {
        self.queue.push(QueuedReload::new(request, Some(reply)));
        self.reject_all();
    }
}

fn log_rejection(origin: Origin, report: &ReloadReport) {
    let what = match origin {
        Origin::Running => "renewal",
        Origin::Generation => "rollback",
        _ => "reload",
    };
    let (outcome, generation) = (report.outcome.name(), report.generation);
    for reason in report.errors.iter().take(MAX_LOGGED) {
        tracing::error!(target: TARGET, generation, reason, "{what} {outcome}");
    }
    tracing::error!(target: TARGET,
        trigger = report.trigger.name(),
        generation,
        reasons = report.errors.len(),
        duration_ms = millis(report.duration),
        "{what} {outcome}: generation {generation} keeps running unchanged"
    );
}

fn log_next_attempt(retry: &Retry) {
    tracing::info!(target: TARGET,
        attempts = retry.attempts(),
        "next attempt in {:?}, later ones less often, until it succeeds or the file changes",
        retry.delay()
    );
}
