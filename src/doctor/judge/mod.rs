//! The judge of a walk: a pure function from what was seen to the findings.

mod addresses;
mod cluster;
mod connections;
#[cfg(test)]
mod tests;

use super::client::messages::ClusterListing;
use super::client::{StepAction, StepSeen, StepSubject, WalkStep};
use super::walk::WalkRecord;
use super::{DoctorFinding, FindingKind};

/// The findings of a walk, in the order of its steps. `now` is in seconds since 1970.
pub fn judge(record: &WalkRecord, now: i64) -> Vec<DoctorFinding> {
    let mut findings = FindingList {
        record,
        found: Vec::new(),
    };
    connections::judge(&mut findings, now);
    cluster::judge(&mut findings);
    addresses::judge(&mut findings);
    let mut found = findings.found;
    // Stable: findings of one step stay in the order in which they were made.
    found.sort_by_key(|finding| finding.step.unwrap_or(usize::MAX));
    found
}

/// Findings so far.
struct FindingList<'r> {
    record: &'r WalkRecord,
    found: Vec<DoctorFinding>,
}

impl<'r> FindingList<'r> {
    /// Adds a finding of a step.
    fn push(&mut self, kind: FindingKind, step: usize, what: String) {
        let subject = self
            .record
            .steps
            .get(step)
            .map_or_else(String::new, |step| step.subject.to_string());
        self.push_about(kind, Some(step), subject, what);
    }

    fn push_about(&mut self, kind: FindingKind, step: Option<usize>, subject: String, what: String) {
        self.found.push(DoctorFinding {
            kind,
            step,
            subject,
            what,
        });
    }

    /// The steps with their places.
    fn steps(&self) -> impl Iterator<Item = (usize, &'r WalkStep)> + use<'r> {
        self.record.steps.iter().enumerate()
    }

    /// The brokers as they were listed over the first connection with this subject.
    fn listing(&self, subject: StepSubject) -> Option<(usize, &'r ClusterListing)> {
        self.steps().find_map(|(place, step)| match &step.result {
            Ok(StepSeen::Listed(listing))
                if step.subject == subject && step.action == StepAction::Metadata =>
            {
                Some((place, listing))
            }
            _ => None,
        })
    }
}
