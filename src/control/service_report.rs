//! What the control thread tells the service manager: state, a line of status, and that the threads are alive.

use super::reload::report::ReloadReport;
use crate::endpoint::EndpointRegistry;
use crate::reload::Trigger;
use crate::service::ServiceNotifier;

/// Checks between two looks at the number of sessions, which changes all the time.
const SESSIONS_EVERY: u32 = 10;

/// Tells the service manager, if there is one, what the control thread knows.
#[derive(Debug)]
pub(super) struct ServiceReport {
    notifier: ServiceNotifier,
    checks: u32,
    sessions: usize,
}

impl ServiceReport {
    pub(super) fn new(notifier: ServiceNotifier) -> Self {
        Self {
            notifier,
            checks: 0,
            sessions: 0,
        }
    }

    /// Tells that a reload was asked for.
    pub(super) fn reload_asked(&self) {
        self.notifier.reload_asked();
    }

    /// Tells what runs, and whether a reload that was asked for has no result yet.
    pub(super) fn serving(
        &self,
        generation: u64,
        clusters: usize,
        last: Option<&ReloadReport>,
        is_reloading: bool,
    ) {
        self.notifier.serving(is_reloading, || {
            let last = match last {
                Some(report) if report.trigger != Trigger::Start => report.outcome.name(),
                _ => "none",
            };
            let sessions = self.sessions;
            format!("generation {generation}, {clusters} virtual clusters, {sessions} sessions, last reload: {last}")
        });
    }

    /// Tells that the process ends and what it does about it.
    pub(super) fn stopping(&self, phase: &str, sessions: usize) {
        self.notifier
            .stopping(|| format!("shutting down: {phase}, {sessions} sessions are left"));
    }

    /// Tells that this thread is alive, unless a thread with sessions has not answered since the last time. To be called
    /// about once a second.
    pub(super) fn check(&mut self, registry: &EndpointRegistry) {
        if !self.notifier.is_enabled() {
            return;
        }
        if self.checks.is_multiple_of(SESSIONS_EVERY) {
            self.sessions = registry.process_limit().1.used();
        }
        self.checks = self.checks.wrapping_add(1);
        if registry.workers_answer() {
            self.notifier.beat();
        }
    }
}
