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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::FindingKind;
    use crate::doctor::report::MachineReport;

    fn step(subject: &str, step: &'static str, status: &'static str, took_ms: f64, detail: &str) -> StepReport {
        StepReport {
            subject: subject.into(),
            address: "localhost:9192".into(),
            step,
            status,
            took_ms,
            detail: detail.into(),
        }
    }

    fn finding(kind: FindingKind, subject: &str, what: &str) -> DoctorFinding {
        DoctorFinding {
            kind,
            step: Some(0),
            subject: subject.into(),
            what: what.into(),
        }
    }

    /// Texts of strangers do not act on the terminal.
    #[test]
    fn a_walk_shows_steps_and_then_faults_before_notes() {
        let report = WalkReport {
            cluster: Some("orders".into()),
            gateway: Some("main".into()),
            bootstrap: vec!["localhost:9192".into()],
            took_ms: 1234.5,
            steps: vec![
                step("bootstrap", "resolve", "ok", 0.04, "127.0.0.1"),
                step("node 10", "identity", "fault", 1000.0, "a\u{1b}[2Jb"),
            ],
            findings: vec![
                finding(FindingKind::IdentityUnknown, "node 1", "refused"),
                finding(FindingKind::NodeSwapped, "node 10", "it leads to broker 2"),
            ],
        };
        let expected = "\
virtual cluster orders, gateway main, bootstrap localhost:9192
  ok          0.0 ms  bootstrap  localhost:9192  resolve   127.0.0.1
  fault    1000.0 ms  node 10    localhost:9192  identity  a\\u{1b}[2Jb
  fault: node 10: it leads to broker 2 (node_swapped)
    The address of this node leads to another broker: requests fail, and new clients start over again and again.
    Check what stands between clients and kproxy: a load balancer must lead each port to the same port of kproxy.
  note: node 1: refused (identity_unknown)
    Whether the address of this node leads to the broker with this id could not be checked.
    Allow the user DescribeConfigs on the cluster, if this is to be checked.

";
        assert_eq!(walk(&report), expected);
        let report = DoctorReport::of(vec![report], None);
        assert_eq!(summary(&report), "NOT sound: 1 walk, 1 fault, 0 warnings\n");
    }

    #[test]
    fn a_machine_shows_its_steps_and_findings() {
        let report = MachineReport {
            took_ms: 1.0,
            steps: vec![step("machine", "clock", "warning", 0.25, "not synchronised")],
            findings: vec![finding(FindingKind::BacklogCut, "net.core.somaxconn", "too few")],
        };
        let expected = "\
process and machine
  warning     0.2 ms  machine  localhost:9192  clock  not synchronised
  warning: net.core.somaxconn: too few (backlog_cut)
    In a rush of new connections some wait a second and more for their repetition.
    Raise `net.core.somaxconn`.

";
        assert_eq!(machine(&report), expected);
        let report = DoctorReport::of(Vec::new(), Some(report));
        assert_eq!(summary(&report), "sound: process and machine, 0 faults, 1 warning\n");
    }
}
