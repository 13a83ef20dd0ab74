//! Result of a reload, for logs, status and the command that asked for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::staged::StagedStatus;
use crate::config::FaultLines;
use crate::control::requester::Requester;
use crate::control::status::ConfirmStatus;
use crate::reload::{Outcome, Trigger};
use crate::time::{as_millis, as_rfc3339};

/// Lines of a file around the one that an error blames.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorExcerpt {
    /// Name of the file, as in the error.
    pub file: String,
    /// The line that the error blames, from 1.
    pub line: u32,
    /// Number of the first of `lines`.
    pub first_line: u32,
    /// The lines, in order.
    pub lines: Vec<String>,
}

impl ErrorExcerpt {
    /// Whether `error` blames this line.
    pub fn is_blamed_by(&self, error: &str) -> bool {
        let place = error
            .strip_prefix(&self.file)
            .and_then(|rest| rest.strip_prefix(':'));
        place.is_some_and(|place| place.split(':').next() == Some(&self.line.to_string()))
    }
}

impl From<&FaultLines> for ErrorExcerpt {
    fn from(fault: &FaultLines) -> Self {
        Self {
            file: fault.file.to_string(),
            line: fault.line,
            first_line: fault.first,
            lines: fault.lines.clone(),
        }
    }
}

/// One reload, from the request to its end. In JSON, fields of other versions are ignored and missing ones empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadReport {
    /// How it ended.
    pub outcome: Outcome,
    /// What asked for it.
    pub trigger: Trigger,
    /// Who asked for it.
    pub by: Requester,
    /// When it began.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
    /// From the beginning to the end, drains not included; `duration_ms` in JSON.
    #[serde(rename = "duration_ms", with = "as_millis")]
    pub duration: Duration,
    /// Parts of the duration.
    pub phases: ReloadPhases,
    /// Generation that runs after it.
    pub generation: u64,
    /// The generation whose configuration it brought back, or was to bring back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_generation: Option<u64>,
    /// Names of the virtual clusters that it added, in order. Empty unless applied.
    pub added: Vec<String>,
    /// Names of those that it modified.
    pub modified: Vec<String>,
    /// Names of those that it removed.
    pub removed: Vec<String>,
    /// Present if it is taken back unless it is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Box<ConfirmStatus>>,
    /// What waits for approval with the outcome `staged`; what had waited, where that was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged: Option<Box<StagedStatus>>,
    /// Why it was not applied, one entry for each reason. `FILE:LINE:COL: error: WHAT` where a place in a file is to blame.
    pub errors: Vec<String>,
    /// Lines of files that errors blame, as they were read; what may be a secret is masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<ErrorExcerpt>,
}

/// Durations of the phases of a reload, in the order in which they follow each other; in JSON `read_ms` and so on. Those
/// that were not reached are zero. What lies between them is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadPhases {
    /// Waiting: for the reloads before it, and for files to stay as they are.
    #[serde(rename = "queued_ms", with = "as_millis")]
    pub queued: Duration,
    /// Reading and checking the files.
    #[serde(rename = "read_ms", with = "as_millis")]
    pub read: Duration,
    /// Comparing the configurations.
    #[serde(rename = "plan_ms", with = "as_millis")]
    pub plan: Duration,
    /// Testing changed targets (`reload.checks`).
    #[serde(rename = "checks_ms", with = "as_millis")]
    pub checks: Duration,
    /// Building and binding what is new.
    #[serde(rename = "prepare_ms", with = "as_millis")]
    pub prepare: Duration,
    /// Exchanging what runs.
    #[serde(rename = "commit_ms", with = "as_millis")]
    pub commit: Duration,
}

impl ReloadPhases {
    /// The phases with their names in metrics, JSON and events, in order.
    pub(in crate::control) fn named(&self) -> [(&'static str, Duration); 6] {
        [
            ("queued", self.queued),
            ("read", self.read),
            ("plan", self.plan),
            ("checks", self.checks),
            ("prepare", self.prepare),
            ("commit", self.commit),
        ]
    }
}

impl ReloadReport {
    /// Keeps the first names and errors, enough for a person to see.
    #[must_use]
    pub(crate) fn shortened(mut self) -> Self {
        const MOST: usize = 20;
        for list in [
            &mut self.added,
            &mut self.modified,
            &mut self.removed,
            &mut self.errors,
        ] {
            list.truncate(MOST);
        }
        self
    }

    /// Report without details.
    pub(in crate::control) fn new(
        outcome: Outcome,
        trigger: Trigger,
        at: SystemTime,
        duration: Duration,
        generation: u64,
    ) -> Self {
        Self {
            outcome,
            trigger,
            by: Requester::default(),
            at,
            duration,
            phases: ReloadPhases::default(),
            generation,
            restored_generation: None,
            added: Vec::new(),
            modified: Vec::new(),
            removed: Vec::new(),
            confirm: None,
            staged: None,
            errors: Vec::new(),
            excerpts: Vec::new(),
        }
    }
}

impl Default for ReloadReport {
    fn default() -> Self {
        let (outcome, trigger) = (Outcome::default(), Trigger::default());
        Self::new(outcome, trigger, UNIX_EPOCH, Duration::ZERO, 0)
    }
}
