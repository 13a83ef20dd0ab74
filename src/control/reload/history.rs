//! Outcomes of the reloads so far.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::report::ReloadReport;
use crate::control::metrics::ReloadCounters;

/// Reports and counts of the reloads since the process began.
#[derive(Debug, Clone, Default)]
pub(in crate::control) struct ReloadHistory {
    /// The last reload that came to a result worth telling.
    last: Option<ReloadReport>,
    /// The last renewal, while the configuration file is not what runs.
    last_renewal: Option<ReloadReport>,
    last_success: Option<SystemTime>,
    counters: ReloadCounters,
    /// Rollbacks that were applied, by reason.
    rollbacks: BTreeMap<&'static str, u64>,
}

impl ReloadHistory {
    /// Records a reload.
    pub(in crate::control) fn record(&mut self, report: ReloadReport) {
        self.count(&report);
        if report.outcome.is_success() {
            self.last_success = Some(report.at);
        }
        self.last = Some(report);
    }

    /// Records a renewal: a reload of the running configuration with what the files that it references hold now. It tells
    /// nothing about the configuration file, and is not the last reload.
    pub(in crate::control) fn record_renewal(&mut self, report: ReloadReport) {
        self.count(&report);
        self.last_renewal = Some(report);
    }

    /// Forgets the last renewal: the configuration file is what runs.
    pub(in crate::control) fn forget_renewal(&mut self) {
        self.last_renewal = None;
    }

    /// Counts a reload that is staged: it is not the last one, because nothing has come of it yet.
    pub(in crate::control) fn record_staged(&mut self, report: &ReloadReport) {
        self.count(report);
    }

    /// Counts a rollback that was applied.
    pub(in crate::control) fn count_rollback(&mut self, reason: &'static str) {
        *self.rollbacks.entry(reason).or_default() += 1;
    }

    pub(in crate::control) fn rollbacks(&self) -> &BTreeMap<&'static str, u64> {
        &self.rollbacks
    }

    fn count(&mut self, report: &ReloadReport) {
        self.counters
            .count(report.outcome, report.trigger, report.duration);
    }

    pub(in crate::control) fn last(&self) -> Option<&ReloadReport> {
        self.last.as_ref()
    }

    pub(in crate::control) fn last_renewal(&self) -> Option<&ReloadReport> {
        self.last_renewal.as_ref()
    }

    pub(in crate::control) fn last_success(&self) -> Option<SystemTime> {
        self.last_success
    }

    pub(in crate::control) fn counters(&self) -> &ReloadCounters {
        &self.counters
    }
}
