//! The report of a plan: what its steps come to, beside what runs.

use std::collections::HashMap;

use super::listeners::{self, ListenerChanges};
use super::report::{
    PlanReport, PlanSummary, PlanVerdict, PlannedAction, PlannedCluster, PlannedConnections, PlannedHandover,
    PlannedKey,
};
use super::sessions::Disturbance;
use super::{Running, certificates};
use crate::control::runtime::reloader::address;
use crate::model::{ProxyModel, VirtualCluster};
use crate::reload::{ChangedKey, ClusterPlan, Effect, Plan, ReloadClass, Step};

/// What `plan`, which leads from `old` to `new`, does to what is `running`; without a process, to what `old` says. The
/// verdict and the errors are those of the preparation alone.
pub(super) fn report(
    plan: &Plan,
    old: &ProxyModel,
    new: &ProxyModel,
    running: Option<Running<'_>>,
) -> PlanReport {
    let mut listeners = listeners::changes(plan, old, new, running);
    let mut errors = Vec::new();
    let mut clusters: Vec<(Option<ReloadClass>, PlannedCluster)> = Vec::new();
    for step in &plan.steps {
        clusters.extend(planned(step, old, running, &mut listeners, &mut errors));
    }
    clusters.sort_by(|(one_class, one), (other_class, other)| {
        let disturbed = |cluster: &PlannedCluster| cluster.connections.map_or(0, |found| found.drained);
        let by_class = || other_class.cmp(one_class);
        disturbed(other)
            .cmp(&disturbed(one))
            .then_with(by_class)
            .then_with(|| one.action.cmp(&other.action))
            .then_with(|| one.name.cmp(&other.name))
    });
    let clusters: Vec<PlannedCluster> = clusters.into_iter().map(|(_, cluster)| cluster).collect();
    PlanReport {
        verdict: verdict(plan, &clusters, !errors.is_empty()),
        generation: None,
        file: None,
        hash: String::new(),
        errors,
        summary: summary(plan, old, &clusters, running),
        process: plan
            .process()
            .map(|change| keys(&change.changed))
            .unwrap_or_default(),
        clusters,
        certificates: certificates::exchanges(plan, old),
        handovers: handovers(plan),
    }
}

fn verdict(plan: &Plan, clusters: &[PlannedCluster], is_rejected: bool) -> PlanVerdict {
    if is_rejected {
        PlanVerdict::Rejected
    } else if plan.is_empty() {
        PlanVerdict::Unchanged
    } else if clusters.iter().any(may_drain) {
        PlanVerdict::Drains
    } else {
        PlanVerdict::Undisturbed
    }
}

/// Whether connections of the cluster are drained, or are if the new target is another Kafka cluster.
fn may_drain(cluster: &PlannedCluster) -> bool {
    let moved = cluster.connections.is_some_and(|found| found.moved > 0);
    moved || !cluster.drains.is_empty()
}

/// What a step does to its cluster; `None` for the process.
fn planned(
    step: &Step,
    old: &ProxyModel,
    running: Option<Running<'_>>,
    listeners: &mut HashMap<String, ListenerChanges>,
    errors: &mut Vec<String>,
) -> Option<(Option<ReloadClass>, PlannedCluster)> {
    let (name, action, class) = match step {
        Step::Process(_) => return None,
        Step::Add(plan) => (
            &plan.cluster.name,
            PlannedAction::Add,
            Some(Effect::AddCluster.class()),
        ),
        Step::Modify(plan) => (&plan.cluster.name, PlannedAction::Modify, plan.class()),
        Step::Remove(removal) => (
            &removal.cluster,
            PlannedAction::Remove,
            Some(Effect::RemoveCluster.class()),
        ),
    };
    let disturbance = disturbance(step, old.clusters.get(name).map(AsRef::as_ref), running, errors);
    let ListenerChanges { bound, released } = listeners.remove(name).unwrap_or_default();
    let (keys, moved_to) = match step {
        Step::Modify(plan) => (keys(&plan.changed), None),
        Step::Remove(removal) => (Vec::new(), removal.moved_to.clone()),
        Step::Process(_) | Step::Add(_) => (Vec::new(), None),
    };
    let cluster = PlannedCluster {
        name: name.clone(),
        action,
        class: class.map(ReloadClass::name).unwrap_or_default().into(),
        moved_to,
        keys,
        connections: disturbance.connections,
        drains: disturbance.drains,
        clients: disturbance.clients,
        more_clients: disturbance.more_clients,
        listeners_bound: bound,
        listeners_released: released,
    };
    Some((class, cluster))
}

fn disturbance(
    step: &Step,
    old: Option<&VirtualCluster>,
    running: Option<Running<'_>>,
    errors: &mut Vec<String>,
) -> Disturbance {
    let plan: Option<&ClusterPlan> = match step {
        Step::Process(_) | Step::Add(_) => return Disturbance::default(),
        Step::Modify(plan) => Some(plan),
        Step::Remove(_) => None,
    };
    let Some(old) = old else {
        return Disturbance::default();
    };
    let Some(running) = running else {
        return Disturbance::possible(old, plan);
    };
    let Some(cluster) = running.cluster(&old.name) else {
        return Disturbance::default();
    };
    match plan {
        None => Disturbance::by_removal(cluster),
        Some(plan) => Disturbance::by_change(cluster, plan).unwrap_or_else(|error| {
            errors.push(error);
            Disturbance::default()
        }),
    }
}

/// Changed keys, each once with each of its effects.
fn keys(changed: &[ChangedKey]) -> Vec<PlannedKey> {
    let mut changed = changed.to_vec();
    // The most disturbing first.
    changed.sort_by_key(|key| (std::cmp::Reverse(key.effect), key.path));
    changed.dedup();
    let key = |key: ChangedKey| PlannedKey {
        key: key.path.into(),
        effect: key.effect.name().into(),
        class: key.class().name().into(),
    };
    changed.into_iter().map(key).collect()
}

fn summary(
    plan: &Plan,
    old: &ProxyModel,
    clusters: &[PlannedCluster],
    running: Option<Running<'_>>,
) -> PlanSummary {
    let moved = plan.removed().filter(|removal| removal.moved_to.is_some());
    let (modified, removed) = (plan.modified().count(), plan.removed().count());
    let mut summary = PlanSummary {
        added: plan.added().count(),
        modified,
        removed,
        moved: moved.count(),
        unchanged: old.clusters.len().saturating_sub(modified + removed),
        connections: running.map(|running| PlannedConnections {
            live: running.live(),
            ..PlannedConnections::default()
        }),
        ..PlanSummary::default()
    };
    for cluster in clusters {
        *summary.classes.entry(cluster.class.clone()).or_default() += 1;
        summary.listeners_bound += cluster.listeners_bound.len();
        summary.listeners_released += cluster.listeners_released.len();
        if let (Some(all), Some(own)) = (&mut summary.connections, cluster.connections) {
            all.drained += own.drained;
            all.moved += own.moved;
            all.verified_again += own.verified_again;
            all.refused += own.refused;
        }
    }
    summary
}

fn handovers(plan: &Plan) -> Vec<PlannedHandover> {
    let mut handovers: Vec<PlannedHandover> = plan
        .conflicts
        .iter()
        .map(|conflict| PlannedHandover {
            release: address(conflict.release).to_string(),
            bind: address(conflict.bind).to_string(),
        })
        .collect();
    handovers.dedup();
    handovers
}
