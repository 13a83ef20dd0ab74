//! The result of an examination: what `--json` prints, and what people read is made of.

use std::time::Duration;

use serde::Serialize;

use super::client::{StepSubject, WalkStep};
use super::judge::judge;
use super::machine::{self, MachineStep};
use super::walk::WalkRecord;
use super::{DoctorFinding, FindingLevel};
use crate::time::millis;

/// Result of an examination.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorReport {
    /// Version of kproxy that examined.
    pub version: &'static str,
    /// Whether there is no fault.
    pub sound: bool,
    /// Number of faults.
    pub faults: usize,
    /// Number of warnings.
    pub warnings: usize,
    /// Walks, in the order of virtual clusters and gateways.
    pub walks: Vec<WalkReport>,
    /// Examination of the process and its machine; null unless it was examined.
    pub machine: Option<MachineReport>,
}

/// Result of an examination of the process and its machine.
#[derive(Debug, Clone, Serialize)]
pub struct MachineReport {
    /// Time of the whole examination.
    pub took_ms: f64,
    /// Steps in order.
    pub steps: Vec<StepReport>,
    /// Findings in the order of the steps.
    pub findings: Vec<DoctorFinding>,
}

/// Result of one walk.
#[derive(Debug, Clone, Serialize)]
pub struct WalkReport {
    /// Name of the virtual cluster; null without a configuration.
    pub cluster: Option<String>,
    /// Name of the gateway; null without a configuration.
    pub gateway: Option<String>,
    /// Bootstrap addresses.
    pub bootstrap: Vec<String>,
    /// Time of the whole walk.
    pub took_ms: f64,
    /// Steps in order.
    pub steps: Vec<StepReport>,
    /// Findings in the order of the steps.
    pub findings: Vec<DoctorFinding>,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// What the step is about.
    pub subject: String,
    /// Address, or another object that it concerns.
    pub address: String,
    /// What it does.
    pub step: &'static str,
    /// `ok`, or the highest level of its findings.
    pub status: &'static str,
    /// Time that it took.
    pub took_ms: f64,
    /// What was seen, or why it failed.
    pub detail: String,
}

/// Status of a step without findings.
pub const OK: &str = "ok";

impl WalkReport {
    /// Judges what a walk saw. `now` is in seconds since 1970.
    pub fn of(record: &WalkRecord, now: i64) -> Self {
        let findings = judge(record, now);
        let steps = record.steps.iter().enumerate();
        Self {
            cluster: record.cluster.clone(),
            gateway: record.gateway.clone(),
            bootstrap: record.bootstraps.iter().map(ToString::to_string).collect(),
            took_ms: millis(record.took),
            steps: steps
                .map(|(place, step)| StepReport::of(step, status(place, &findings)))
                .collect(),
            findings,
        }
    }
}

impl StepReport {
    fn of(step: &WalkStep, status: &'static str) -> Self {
        let subject: StepSubject = step.subject;
        Self {
            subject: subject.to_string(),
            address: step.address.to_string(),
            step: step.action.name(),
            status,
            took_ms: millis(step.took),
            detail: match &step.result {
                Ok(seen) => seen.words(subject),
                Err(error) => error.to_string(),
            },
        }
    }
}

/// The highest level of the findings of a step.
fn status(place: usize, findings: &[DoctorFinding]) -> &'static str {
    let of_step = findings.iter().filter(|finding| finding.step == Some(place));
    let level = of_step.map(|finding| finding.kind.level()).max();
    level.map_or(OK, FindingLevel::name)
}

impl DoctorReport {
    /// The whole result.
    pub fn of(walks: Vec<WalkReport>, machine: Option<MachineReport>) -> Self {
        let of_walks = || walks.iter().flat_map(|walk| &walk.findings);
        let findings = || of_walks().chain(machine.iter().flat_map(|machine| &machine.findings));
        let count = |level| findings().filter(|finding| finding.kind.level() == level).count();
        let (faults, warnings) = (count(FindingLevel::Fault), count(FindingLevel::Warning));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            sound: faults == 0,
            faults,
            warnings,
            walks,
            machine,
        }
    }
}

impl MachineReport {
    /// Judges what was seen.
    pub fn of(steps: &[MachineStep], took: Duration) -> Self {
        let findings = machine::judge(steps);
        let report = |(place, step): (usize, &MachineStep)| StepReport {
            subject: "machine".to_owned(),
            address: step.object.clone(),
            step: step.check.name(),
            status: status(place, &findings),
            took_ms: millis(step.took),
            detail: match &step.fact {
                Ok(fact) => fact.to_string(),
                Err(why) => why.clone(),
            },
        };
        Self {
            took_ms: millis(took),
            steps: steps.iter().enumerate().map(report).collect(),
            findings,
        }
    }
}
