//! The report for people.

use std::fmt::Write as _;

use crate::cli::table::visible;
use crate::doctor::report::{DoctorReport, MachineReport, StepReport, WalkReport};
use crate::doctor::{DoctorFinding, FindingLevel};

/// One walk: its steps, then its findings.
pub(super) fn walk(report: &WalkReport) -> String {
    let bootstrap = visible(&report.bootstrap.join(","));
    let mut text = match (&report.cluster, &report.gateway) {
        (Some(cluster), Some(gateway)) => format!(
            "virtual cluster {}, gateway {}, bootstrap {bootstrap}\n",
            visible(cluster),
            visible(gateway)
        ),
        _ => format!("bootstrap {bootstrap}\n"),
    };
    steps(&report.steps, &mut text);
    findings(&report.findings, &mut text);
    text.push('\n');
    text
}

/// The process and its machine: what was looked at, then the findings.
pub(super) fn machine(report: &MachineReport) -> String {
    let mut text = String::from("process and machine\n");
    steps(&report.steps, &mut text);
    findings(&report.findings, &mut text);
    text.push('\n');
    text
}

/// One line for each step.
fn steps(steps: &[StepReport], text: &mut String) {
    let width = |of: fn(&StepReport) -> &str| {
        let widths = steps.iter().map(|step| visible(of(step)).chars().count());
        widths.max().unwrap_or_default()
    };
    let subject = width(|step| &step.subject);
    let address = width(|step| &step.address).min(48);
    let action = width(|step| step.step);
    for step in steps {
        let line = format!(
            "  {:<7}  {:>9}  {:<subject$}  {:<address$}  {:<action$}  {}",
            step.status,
            format!("{:.1} ms", step.took_ms),
            visible(&step.subject),
            visible(&step.address),
            step.step,
            visible(&step.detail)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Each finding with what it means and what can be done: faults first, notes last.
fn findings(findings: &[DoctorFinding], text: &mut String) {
    for level in [FindingLevel::Fault, FindingLevel::Warning, FindingLevel::Note] {
        for finding in findings.iter().filter(|finding| finding.kind.level() == level) {
            // Writing to a string cannot fail.
            writeln!(
                text,
                "  {}: {}: {} ({})\n    {}\n    {}",
                level.name(),
                visible(&finding.subject),
                visible(&finding.what),
                finding.kind.name(),
                finding.kind.means(),
                finding.kind.advice()
            )
            .unwrap_or_default();
        }
    }
}

/// The last line.
pub(super) fn summary(report: &DoctorReport) -> String {
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let verdict = if report.sound { "sound" } else { "NOT sound" };
    let walks = match &report.machine {
        None => count(report.walks.len(), "walk"),
        Some(_) => "process and machine".to_owned(),
    };
    format!(
        "{verdict}: {walks}, {}, {}\n",
        count(report.faults, "fault"),
        count(report.warnings, "warning")
    )
}
