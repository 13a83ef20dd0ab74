//! Names and steps of a plan, for reports and the log.

use super::queue::Origin;
use super::report::ReloadReport;
use crate::reload::{ClusterPlan, Plan, TargetAction};
use crate::time::millis;

/// Target of log lines about reloads.
pub(in crate::control) const TARGET: &str = "kproxy::reload";

/// Number of steps and reasons that are logged one by one; more are only counted.
pub(in crate::control) const MAX_LOGGED: usize = 20;

/// Log line of a renewal while the configuration file is not what runs.
const RENEWED: &str = "renewal applied: the running configuration uses the new content of its files; the configuration file \
                       is still not in sync";

/// Log line of a rollback.
const RESTORED: &str = "rollback applied: an earlier configuration runs again";

/// Names and steps of a plan, kept while the plan itself is executed.
pub(in crate::control) struct Summary {
    added: Vec<String>,
    modified: Vec<String>,
    removed: Vec<String>,
    /// The first steps, in words.
    logged: Vec<String>,
    steps: usize,
    /// Clusters that have another target than before, or their first.
    new_targets: Vec<String>,
}

impl Summary {
    pub(in crate::control) fn of(plan: &Plan) -> Self {
        let name = |plan: &ClusterPlan| plan.cluster.name.clone();
        Self {
            added: plan.added().map(name).collect(),
            modified: plan.modified().map(name).collect(),
            removed: plan.removed().map(|removal| removal.cluster.clone()).collect(),
            logged: plan
                .steps
                .iter()
                .take(MAX_LOGGED)
                .map(ToString::to_string)
                .collect(),
            steps: plan.steps.len(),
            new_targets: plan
                .clusters()
                .filter(|plan| plan.target == TargetAction::Replace)
                .map(name)
                .collect(),
        }
    }

    /// The clusters that have another target than before, or their first.
    pub(in crate::control) fn new_targets(&self) -> impl Iterator<Item = &String> {
        self.new_targets.iter()
    }

    pub(in crate::control) fn enter(&self, report: &mut ReloadReport) {
        report.added.clone_from(&self.added);
        report.modified.clone_from(&self.modified);
        report.removed.clone_from(&self.removed);
    }

    /// Logs a plan that has been applied.
    pub(in crate::control) fn log(&self, report: &ReloadReport, origin: Origin) {
        let generation = report.generation;
        tracing::info!(
            target: TARGET,
            trigger = report.trigger.name(),
            generation,
            restored_generation = report.restored_generation,
            added = self.added.len(),
            modified = self.modified.len(),
            removed = self.removed.len(),
            duration_ms = millis(report.duration),
            commit_us = u64::try_from(report.phases.commit.as_micros()).unwrap_or(u64::MAX),
            "{}",
            match origin {
                Origin::Running => RENEWED,
                Origin::Generation => RESTORED,
                _ => "reload applied",
            }
        );
        for step in &self.logged {
            tracing::info!(target: TARGET, generation, step, "change");
        }
        if self.steps > self.logged.len() {
            tracing::info!(target: TARGET, generation, more = self.steps - self.logged.len(), "further changes");
        }
    }
}
