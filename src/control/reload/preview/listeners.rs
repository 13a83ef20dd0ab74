//! Listeners that a change binds and releases. Changes nothing.

use std::collections::{HashMap, HashSet};

use super::Running;
use crate::cluster::{GatewayEndpoints, first_endpoints, planned_endpoints};
use crate::control::runtime::reloader::orphans;
use crate::endpoint::{BindAddr, EndpointSpec, ListenerKey};
use crate::model::{IdentifiedBy, ProxyModel};
use crate::reload::Plan;

/// Listeners of one virtual cluster, as text.
#[derive(Debug, Default)]
pub(super) struct ListenerChanges {
    pub(super) bound: Vec<String>,
    pub(super) released: Vec<String>,
}

/// The listeners that `plan` binds and releases, by virtual cluster. A shared one is counted for the first of its
/// clusters. Without a process, `old` listens where it says.
pub(super) fn changes(
    plan: &Plan,
    old: &ProxyModel,
    new: &ProxyModel,
    running: Option<Running<'_>>,
) -> HashMap<String, ListenerChanges> {
    let mut changes: HashMap<String, ListenerChanges> = HashMap::new();
    let arriving: Vec<(&str, EndpointSpec)> = plan
        .clusters()
        .flat_map(|plan| {
            let before = running.and_then(|running| running.cluster(&plan.cluster.name));
            let endpoints = planned_endpoints(plan, before);
            let specs = endpoints.into_iter().flat_map(GatewayEndpoints::into_values);
            specs.map(|planned| (plan.cluster.name.as_str(), planned.spec))
        })
        .collect();
    let kept = HeldListeners::of(old, running);
    let mut seen = HashSet::new();
    for (cluster, spec) in &arriving {
        if !kept.has(&spec.key) && seen.insert(&spec.key) {
            let of_cluster = changes.entry((*cluster).to_owned()).or_default();
            of_cluster.bound.push(spec.address.to_string());
        }
    }
    let arriving: HashSet<&ListenerKey> = arriving.iter().map(|(_, spec)| &spec.key).collect();
    let shared = shared(new);
    let mut seen = HashSet::new();
    for cluster in touched(plan) {
        for spec in before(cluster, &arriving, old, running) {
            if !shared.contains(&spec.key) && seen.insert(spec.key.clone()) {
                let of_cluster = changes.entry(cluster.to_owned()).or_default();
                of_cluster.released.push(kept.address(&spec));
            }
        }
    }
    changes
}

/// The clusters that run before `plan` and are touched by it.
fn touched(plan: &Plan) -> impl Iterator<Item = &str> {
    let modified = plan.modified().map(|plan| plan.cluster.name.as_str());
    modified.chain(plan.removed().map(|removal| removal.cluster.as_str()))
}

/// Where a cluster listens before the change, and none of those `arriving` does after it.
fn before(
    name: &str,
    arriving: &HashSet<&ListenerKey>,
    old: &ProxyModel,
    running: Option<Running<'_>>,
) -> Vec<EndpointSpec> {
    if let Some(running) = running {
        return orphans(running.cluster(name).into_iter(), arriving)
            .cloned()
            .collect();
    }
    let cluster = old.clusters.get(name).into_iter();
    let endpoints = cluster.flat_map(|cluster| first_endpoints(cluster));
    endpoints.filter(|spec| !arriving.contains(&spec.key)).collect()
}

/// Addresses where host names tell gateways apart: not released while any of them is left.
fn shared(new: &ProxyModel) -> HashSet<ListenerKey> {
    let gateways = new.clusters.values().flat_map(|cluster| &cluster.gateways);
    let by_host = gateways.filter(|gateway| gateway.identified_by != IdentifiedBy::Port);
    by_host
        .map(|gateway| {
            ListenerKey::Address(BindAddr {
                ip: gateway.bind,
                port: gateway.bootstrap_port,
            })
        })
        .collect()
}

/// Listeners before the change.
enum HeldListeners<'r> {
    Running(Running<'r>),
    Configured(HashSet<ListenerKey>),
}

impl<'r> HeldListeners<'r> {
    fn of(old: &ProxyModel, running: Option<Running<'r>>) -> Self {
        let keys = || {
            let endpoints = old.clusters.values().flat_map(|cluster| first_endpoints(cluster));
            endpoints.map(|spec| spec.key).collect()
        };
        running.map_or_else(|| Self::Configured(keys()), Self::Running)
    }

    fn has(&self, key: &ListenerKey) -> bool {
        match self {
            Self::Running(running) => running.listeners.get(key).is_some(),
            Self::Configured(keys) => keys.contains(key),
        }
    }

    /// The address of a listener, with the port that the operating system chose.
    fn address(&self, spec: &EndpointSpec) -> String {
        match (self, &spec.key) {
            (Self::Running(running), ListenerKey::Ephemeral { .. }) => running
                .listeners
                .get(&spec.key)
                .map_or_else(|| spec.address.to_string(), |bound| bound.to_string()),
            _ => spec.address.to_string(),
        }
    }
}
