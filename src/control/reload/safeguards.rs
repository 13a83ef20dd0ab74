//! What a plan must not do unless it is asked to twice. Pure.

use crate::model::ProxyModel;
use crate::reload::Plan;

/// Reason for which a plan is not applied although the configuration is valid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::control) enum PolicyViolation {
    /// Keys changed that are only read at the start. Cannot be forced.
    #[error("`{}` cannot change while kproxy runs: restart it, or take the change back", keys.join("`, `"))]
    NeedsRestart { keys: Vec<&'static str> },
    /// No virtual cluster would be left.
    #[error("this would remove all {clusters} virtual clusters; --force removes them")]
    RemovesAll { clusters: usize },
    /// More virtual clusters would be removed than `reload.maxRemovedPercent` allows.
    #[error(
        "this would remove {removed} of {clusters} virtual clusters, more than `reload.maxRemovedPercent` ({allowed} %) \
         allows; --force removes them"
    )]
    RemovesTooMany {
        removed: usize,
        clusters: usize,
        allowed: u8,
    },
}

/// Reasons for which a plan from `old` to `new` is not applied; empty if it may be. `force` allows every removal.
pub(in crate::control) fn policy_violations(
    old: &ProxyModel,
    new: &ProxyModel,
    plan: &Plan,
    force: bool,
) -> Vec<PolicyViolation> {
    let keys: Vec<&str> = plan.needs_restart().map(|key| key.path).collect();
    let mut violations = Vec::new();
    if !keys.is_empty() {
        violations.push(PolicyViolation::NeedsRestart { keys });
    }
    if force || old.clusters.is_empty() {
        return violations;
    }
    let lost = plan.removed().filter(|removal| removal.moved_to.is_none());
    let (removed, clusters) = (lost.count(), old.clusters.len());
    let allowed = new.reload.max_removed_percent;
    if new.clusters.is_empty() {
        violations.push(PolicyViolation::RemovesAll { clusters });
    } else if removed * 100 > clusters * usize::from(allowed) {
        violations.push(PolicyViolation::RemovesTooMany {
            removed,
            clusters,
            allowed,
        });
    }
    violations
}
