//! The state of the process in a size that does not grow with the number of virtual clusters: the JSON of `/overview`, from
//! which the status page is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reload::journal::HistoryEntry;
use super::reload::report::ReloadReport;
use super::requester::Requester;
use super::status::{
    ClusterStatus, ConfigStatus, DrainStatus, LimitStatus, ProbationStatus, ProxyStatus, Word,
};
use crate::reload::{Outcome, Trigger};
use crate::time::rfc3339;

/// What the process says about itself when it is asked for an overview, before a part of it is chosen.
#[derive(Debug, Default)]
pub struct Observation {
    /// State of the process, without its virtual clusters.
    pub status: ProxyStatus,
    /// Every virtual cluster, by name.
    pub clusters: Vec<ClusterLine>,
    /// Files of certificates in use, with the earliest expiry of each in seconds since 1970.
    pub certificates: Vec<(String, i64)>,
}

/// One virtual cluster without its addresses and brokers.
#[derive(Debug, Clone, Default)]
pub struct ClusterLine {
    /// Name of the virtual cluster.
    pub name: String,
    /// Its state, as in [`ClusterStatus`].
    pub state: Word,
    /// Live client connections.
    pub connections: usize,
    /// Requests that await their response.
    pub in_flight: u64,
    /// What its sessions have moved since the process began.
    pub moved: TrafficTotals,
}

/// What sessions have moved, ended sessions included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrafficTotals {
    /// Requests read from clients.
    pub requests: u64,
    /// Bytes read from clients.
    pub client_bytes: u64,
    /// Bytes read from brokers.
    pub broker_bytes: u64,
}

/// The answer to `/overview`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Overview {
    /// Version of kproxy.
    pub version: Word,
    /// Process id.
    pub pid: u32,
    /// When the process began, as RFC 3339 has it.
    pub started: String,
    /// Number of the running configuration.
    pub generation: u64,
    /// The running configuration. Of its reports, the first names and errors only.
    pub config: ConfigStatus,
    /// Lengths of the lists in `config.last_reload` before they were shortened.
    pub last_reload_counts: ReloadCounts,
    /// Sums over all virtual clusters.
    pub totals: OverviewTotals,
    /// What was asked for, and how many virtual clusters that are.
    pub view: OverviewView,
    /// The virtual clusters of the page that was asked for.
    pub clusters: Vec<ClusterRow>,
    /// The probation of the last change that has one, with the first of its virtual clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probation: Option<ProbationStatus>,
    /// Drains that have sessions left, those with most sessions first.
    pub drains: Shortened<DrainStatus>,
    /// Files of certificates in use, the first to expire first.
    pub certificates: Shortened<CertificateStatus>,
    /// Starts and reloads, the newest first.
    pub history: Shortened<HistoryLine>,
    /// What the generation that was asked for changed in the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<ShownDifference>,
    /// Limits that are reached now.
    pub limits: Shortened<LimitStatus>,
    /// Warnings in force, in sentences.
    pub warnings: Shortened<String>,
}

/// How much a reload changed, and how many errors it had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadCounts {
    /// Virtual clusters that it added.
    pub added: usize,
    /// Virtual clusters that it modified.
    pub modified: usize,
    /// Virtual clusters that it removed.
    pub removed: usize,
    /// Reasons for which it was not applied.
    pub errors: usize,
}

/// The beginning of a list, and how long it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Shortened<T> {
    /// Length of the whole list.
    pub total: usize,
    /// Its first entries.
    pub first: Vec<T>,
}

/// Sums over all virtual clusters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OverviewTotals {
    /// Number of virtual clusters.
    pub clusters: usize,
    /// Number of virtual clusters by state; states without any are absent.
    pub states: BTreeMap<Word, usize>,
    /// Live client connections.
    pub connections: usize,
    /// Requests that await their response.
    pub in_flight: u64,
    /// What is moved per second; absent until it has been looked at twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// What is moved per second, between the last two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Requests read from clients.
    pub requests: f64,
    /// Bytes read from clients.
    pub client_bytes: f64,
    /// Bytes read from brokers.
    pub broker_bytes: f64,
}

/// The part of the virtual clusters that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct OverviewView {
    /// Text that names have to contain, without regard to case; may be empty.
    pub search: String,
    /// State that they have to be in; empty: any.
    pub state: String,
    /// Order: `problems`, `name`, `connections`, `in_flight`, `requests` or `bytes`.
    pub sort: Word,
    /// Generation whose changes are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Number of the page, from 1.
    pub page: usize,
    /// Number of pages; at least 1.
    pub pages: usize,
    /// Virtual clusters on a page.
    pub size: usize,
    /// Number of virtual clusters on all pages.
    pub matching: usize,
}

/// One virtual cluster of a page.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterRow {
    /// Everything that `/status` says about it.
    #[serde(flatten)]
    pub status: ClusterStatus,
    /// What is moved per second; absent until it has been looked at twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// A start or a reload, in a line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryLine {
    /// Number of the entry in the history.
    pub id: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What asked for it.
    pub trigger: Trigger,
    /// Who asked for it.
    pub by: Requester,
    /// When it began, as RFC 3339 has it.
    pub at: String,
    /// Generation that ran after it.
    pub generation: u64,
    /// The generation before it, if the texts of both are kept, so that its changes can be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Number of virtual clusters that it added.
    pub added: usize,
    /// Number of virtual clusters that it modified.
    pub modified: usize,
    /// Number of virtual clusters that it removed.
    pub removed: usize,
    /// Number of reasons for which it was not applied.
    pub errors: usize,
}

/// What a generation changed in the files, against the one before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShownDifference {
    /// The generation.
    pub generation: u64,
    /// A unified diff, without secrets, or why there is none. Cut off after 64 KiB.
    pub text: String,
}

/// A file with certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificateStatus {
    /// Path of the file.
    pub file: String,
    /// When the first certificate in it expires, as RFC 3339 has it.
    pub expires: String,
    /// Whole days until then; negative once it has expired.
    pub days_left: i64,
}

impl<T> Default for Shortened<T> {
    fn default() -> Self {
        Self {
            total: 0,
            first: Vec::new(),
        }
    }
}

impl<T> Shortened<T> {
    /// Keeps at most the first `most` entries.
    pub fn of(mut list: Vec<T>, most: usize) -> Self {
        let total = list.len();
        list.truncate(most);
        Self { total, first: list }
    }

    /// Returns the number of entries that were left out.
    pub fn left_out(&self) -> usize {
        self.total.saturating_sub(self.first.len())
    }
}

impl TrafficTotals {
    /// Returns what was moved per second since `before`, `seconds` ago.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate of which nobody reads the last digit"
    )]
    pub fn rates_since(self, before: Self, seconds: f64) -> Rates {
        // One decimal: what does not change by more than that is not news.
        let rate =
            |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds * 10.0).round() / 10.0;
        Rates {
            requests: rate(self.requests, before.requests),
            client_bytes: rate(self.client_bytes, before.client_bytes),
            broker_bytes: rate(self.broker_bytes, before.broker_bytes),
        }
    }
}

impl Rates {
    /// Adds the rates of `other`.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            client_bytes: self.client_bytes + other.client_bytes,
            broker_bytes: self.broker_bytes + other.broker_bytes,
        }
    }

    /// Returns bytes read from both sides.
    pub fn bytes(self) -> f64 {
        self.client_bytes + self.broker_bytes
    }
}

impl HistoryLine {
    /// Lines for entries that are the newest first.
    pub fn of(entries: &[HistoryEntry]) -> Vec<Self> {
        let line = |(place, entry): (usize, &HistoryEntry)| {
            let report = &entry.report;
            let older = entries.get(place + 1..).unwrap_or_default();
            let mut kept = older.iter().filter(|older| older.kept);
            let before = kept.find(|older| older.report.generation < report.generation);
            Self {
                id: entry.id,
                outcome: report.outcome,
                trigger: report.trigger,
                by: report.by,
                at: rfc3339(report.at),
                generation: report.generation,
                before: before.filter(|_| entry.kept).map(|older| older.report.generation),
                added: entry.counts.added,
                modified: entry.counts.modified,
                removed: entry.counts.removed,
                errors: report.errors.len(),
            }
        };
        entries.iter().enumerate().map(line).collect()
    }
}

impl From<&ReloadReport> for ReloadCounts {
    fn from(report: &ReloadReport) -> Self {
        Self {
            added: report.added.len(),
            modified: report.modified.len(),
            removed: report.removed.len(),
            errors: report.errors.len(),
        }
    }
}

impl From<&ClusterStatus> for ClusterLine {
    fn from(status: &ClusterStatus) -> Self {
        Self {
            name: status.name.clone(),
            state: status.state.clone(),
            connections: status.connections,
            in_flight: status.in_flight,
            moved: TrafficTotals::default(),
        }
    }
}
