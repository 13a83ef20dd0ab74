//! What came of the reloads so far.

use std::time::SystemTime;

use super::report::ReloadReport;
use crate::config::Digest;
use crate::control::metrics::ReloadCounters;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::control) struct History {
    /// The last reload that somebody would want to hear of.
    last: Option<ReloadReport>,
    /// The last renewal beside a file that does not run.
    last_renewal: Option<ReloadReport>,
    last_success: Option<SystemTime>,
    counters: ReloadCounters,
    /// Of the files that what runs was read from.
    hash: Option<Digest>,
    in_sync: bool,
}

impl History {
    pub(in crate::control) fn record(&mut self, report: ReloadReport) {
        self.counters
            .count(report.outcome, report.trigger, report.duration);
        if report.outcome.is_success() {
            self.last_success = Some(report.at);
        }
        self.last = Some(report);
    }

    /// As [`History::record`], of a reload of what runs already, with what its files hold now. It says nothing about the
    /// configured file, and its outcome is not the last reload's.
    pub(in crate::control) fn record_renewal(&mut self, report: ReloadReport) {
        self.counters
            .count(report.outcome, report.trigger, report.duration);
        self.last_renewal = Some(report);
    }

    /// The text that runs was read with other files.
    pub(in crate::control) fn renewed(&mut self, digest: Option<Digest>) {
        self.hash = digest;
    }

    /// What runs is what the configured files say.
    pub(in crate::control) fn runs(&mut self, digest: Digest) {
        self.hash = Some(digest);
        self.in_sync = true;
        self.last_renewal = None;
    }

    /// What runs is something else.
    pub(in crate::control) fn runs_other(&mut self, digest: Option<Digest>) {
        self.hash = digest;
        self.in_sync = false;
    }

    /// The files have been compared with what runs.
    pub(in crate::control) fn compared(&mut self, equal: bool) {
        self.in_sync = equal;
    }

    /// The files say something that does not run.
    pub(in crate::control) fn out_of_sync(&mut self) {
        self.in_sync = false;
    }

    pub(in crate::control) fn in_sync(&self) -> bool {
        self.in_sync
    }

    /// In hex; empty where what runs comes from no file.
    pub(in crate::control) fn hash(&self) -> String {
        self.hash.map(|digest| digest.to_string()).unwrap_or_default()
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
