//! What a plan comes to, for those who are told of it.

use std::time::Duration;

use super::queue::Origin;
use super::report::ReloadReport;
use crate::reload::Plan;
use crate::time::millis;

/// The target of log lines about reloads: what somebody who wants to follow them asks for.
pub(in crate::control) const TARGET: &str = "kproxy::reload";

/// Steps and reasons that are told one by one; more are only counted.
pub(in crate::control) const TOLD: usize = 20;

/// Of a change beside a file that is not what runs.
const RENEWED: &str = "renewal applied: the running configuration uses what its files hold now; the configuration file \
                       is still not in sync";

/// What is kept of a plan once it is on its way.
pub(in crate::control) struct Summary {
    added: Vec<String>,
    modified: Vec<String>,
    removed: Vec<String>,
    /// The first steps, in words, and how many there are.
    told: Vec<String>,
    steps: usize,
}

impl Summary {
    pub(in crate::control) fn of(plan: &Plan) -> Self {
        Self {
            added: plan.added().map(str::to_owned).collect(),
            modified: plan.modified().map(str::to_owned).collect(),
            removed: plan.removed().map(str::to_owned).collect(),
            told: plan.steps.iter().take(TOLD).map(ToString::to_string).collect(),
            steps: plan.steps.len(),
        }
    }

    pub(in crate::control) fn enter(&self, report: &mut ReloadReport) {
        report.added.clone_from(&self.added);
        report.modified.clone_from(&self.modified);
        report.removed.clone_from(&self.removed);
    }

    /// `commit`: how long the commit alone took.
    pub(in crate::control) fn tell(&self, report: &ReloadReport, commit: Duration, origin: Origin) {
        let generation = report.generation;
        tracing::info!(
            target: TARGET,
            trigger = report.trigger.name(),
            generation,
            added = self.added.len(),
            modified = self.modified.len(),
            removed = self.removed.len(),
            duration_ms = millis(report.duration),
            commit_us = u64::try_from(commit.as_micros()).unwrap_or(u64::MAX),
            "{}",
            match origin {
                Origin::Running => RENEWED,
                _ => "reload applied",
            }
        );
        for step in &self.told {
            tracing::info!(target: TARGET, generation, step, "change");
        }
        if self.steps > self.told.len() {
            tracing::info!(target: TARGET, generation, more = self.steps - self.told.len(), "further changes");
        }
    }
}
