//! What a plan says of clusters, gateways and sessions, beside what building does with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kproxy::cluster::{
    Listeners, ManagedCluster, ManagedEndpoint, ManagedGateway, PreparedCluster, SharedServices,
    build_cluster, new_tracker, planned_endpoints,
};
use kproxy::drain::ConnectionTracker;
use kproxy::endpoint::{BindAddr, EndpointSpec, ListenerKey};
use kproxy::filter::FilterChain;
use kproxy::model::{
    ClientAuth, DownstreamTls, Gateway, IdentifiedBy, Network, ProxyModel, TargetCluster, UpstreamTrust,
    VirtualCluster,
};
use kproxy::reload::{ClusterPlan, Departure, GatewayAction, Plan, TargetAction};
use kproxy::session::context::{NodeRole, ProcessContext};
use kproxy::session::upstream::UpstreamTarget;
use proptest::prelude::*;

use super::models::any_model;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Promise 7.
    #[test]
    fn what_is_built_is_what_the_plan_says(old in any_model(), new in any_model()) {
        let (old, new) = (buildable(old), buildable(new));
        let before: BTreeMap<String, ManagedCluster> = Plan::between(&ProxyModel::empty(), &old)
            .added()
            .map(|plan| (plan.cluster.name.clone(), with_dynamic_nodes(build(plan, None).cluster)))
            .collect();
        let plan = Plan::between(&old, &new);
        for change in plan.modified() {
            let running = &before[&change.cluster.name];
            let prepared = build(change, Some(running));
            check_sessions(change, running, &prepared)?;
            check_settings(change, running, &prepared)?;
        }
        for name in plan.removed().map(|removal| &removal.cluster) {
            prop_assert!(before.contains_key(name));
        }
    }
}

/// The platform of a test may have no roots.
fn buildable(mut model: ProxyModel) -> ProxyModel {
    for cluster in model.clusters.values_mut() {
        if let Some(tls) = &mut Arc::make_mut(cluster).target.tls
            && tls.trust == UpstreamTrust::Platform
        {
            tls.trust = UpstreamTrust::Insecure;
        }
    }
    model
}

fn build(plan: &ClusterPlan, before: Option<&ManagedCluster>) -> PreparedCluster {
    let services = SharedServices {
        process: Arc::new(ProcessContext::new(Network::default())),
        endpoint_requests: tokio::sync::mpsc::channel(1).0,
    };
    let listeners = Listeners {
        bound: &|_| None,
        is_listening: &|_| true,
    };
    let target = || {
        let model = plan.cluster.target.clone();
        UpstreamTarget::new(model, Default::default(), Arc::default(), Arc::default()).map(Arc::new)
    };
    let endpoints = planned_endpoints(plan, before);
    build_cluster(
        plan,
        endpoints,
        before,
        listeners,
        &services,
        |_: &_, _| FilterChain::default(),
        target,
    )
    .unwrap()
}

/// Nodes outside the ranges that brokers have named: one at each dynamic port.
fn with_dynamic_nodes(mut cluster: ManagedCluster) -> ManagedCluster {
    for gateway in &mut cluster.gateways {
        let Some(ports) = gateway.model.dynamic_ports else {
            continue;
        };
        for (node, port) in (2..).zip(ports.start..=ports.end) {
            let address = BindAddr {
                ip: gateway.model.bind,
                port,
            };
            let endpoint = ManagedEndpoint {
                wanted: EndpointSpec {
                    key: ListenerKey::Address(address),
                    address,
                },
                tracker: new_tracker(&gateway.context.name),
                dynamic: true,
            };
            gateway.endpoints.entry(NodeRole::Node(node)).or_insert(endpoint);
        }
    }
    cluster
}

/// Whether a session may stay: an account of its own, by what its client and its broker could notice.
fn may_stay(old: &VirtualCluster, new: &VirtualCluster, gateway: &ManagedGateway, node: NodeRole) -> bool {
    let (before, endpoint) = (&gateway.model, &gateway.endpoints[&node]);
    let Some(after) = new.gateways.iter().find(|after| after.name == before.name) else {
        return false;
    };
    let hosts = |gateway: &Gateway| {
        let by_host = gateway.identified_by != IdentifiedBy::Port;
        by_host.then(|| (gateway.bootstrap_host.clone(), gateway.node_host_pattern.clone()))
    };
    let port = match node.id() {
        None => Some(after.bootstrap_port),
        Some(id) => after
            .nodes
            .iter()
            .find(|node| node.node_id == id)
            .map(|node| node.port),
    };
    let was_at = endpoint.wanted.address.port;
    let dynamic = endpoint.dynamic && after.dynamic_ports.is_some_and(|ports| ports.contains(was_at));
    same_target(&old.target, &new.target)
        && before.tls.is_some() == after.tls.is_some()
        && before.proxy_protocol == after.proxy_protocol
        && hosts(before) == hosts(after)
        && before.bind == after.bind
        && port.map_or(dynamic, |port| port == was_at)
}

/// Targets with the same servers, trusted for the same reason or for what the same file holds now.
fn same_target(old: &TargetCluster, new: &TargetCluster) -> bool {
    let same_tls = match (&old.tls, &new.tls) {
        (Some(old), Some(new)) => match (&old.trust, &new.trust) {
            (UpstreamTrust::Store(old), UpstreamTrust::Store(new)) => {
                old.file() == new.file() || old.has_content_of(new)
            }
            (old, new) => old == new,
        },
        (old, new) => old.is_none() && new.is_none(),
    };
    old.bootstrap_servers == new.bootstrap_servers && same_tls
}

fn same_client_rules(old: &DownstreamTls, new: &DownstreamTls) -> bool {
    let store = |auth: &ClientAuth| match auth {
        ClientAuth::None => (0, None),
        ClientAuth::Requested(store) => (1, Some(store.digest())),
        ClientAuth::Required(store) => (2, Some(store.digest())),
    };
    store(&old.client_auth) == store(&new.client_auth)
        && old.revoked == new.revoked
        && old.negotiation == new.negotiation
        && (old.end_sessions_on_expiry || !new.end_sessions_on_expiry)
}

fn check_sessions(
    plan: &ClusterPlan,
    before: &ManagedCluster,
    prepared: &PreparedCluster,
) -> Result<(), TestCaseError> {
    let is_in = |tracker: &Arc<ConnectionTracker>, trackers: &[&Arc<ConnectionTracker>]| {
        trackers.iter().any(|other| Arc::ptr_eq(tracker, other))
    };
    let after: Vec<_> = prepared.cluster.trackers().collect();
    let leaving: Vec<_> = prepared.leaving.iter().map(|(_, tracker)| tracker).collect();
    let rechecked: Vec<_> = prepared.tls.iter().flat_map(|update| &update.recheck).collect();
    for gateway in &before.gateways {
        for (&node, endpoint) in &gateway.endpoints {
            let departure = plan.departure(&gateway.running(node, endpoint));
            let leaves = matches!(departure, Departure::Leave(_) | Departure::Move);
            let tracker = &endpoint.tracker;
            prop_assert_eq!(
                leaves,
                !may_stay(&before.model, &plan.cluster, gateway, node),
                "{} {}",
                plan.cluster.name,
                node
            );
            prop_assert_eq!(leaves, is_in(tracker, &leaving));
            prop_assert_eq!(leaves, !is_in(tracker, &after));
            prop_assert_eq!(departure == Departure::Recheck, is_in(tracker, &rechecked));
        }
    }
    Ok(())
}

fn check_settings(
    plan: &ClusterPlan,
    before: &ManagedCluster,
    prepared: &PreparedCluster,
) -> Result<(), TestCaseError> {
    let is_same = Arc::ptr_eq(&before.context, &prepared.cluster.context);
    prop_assert_eq!(is_same, plan.target != TargetAction::Replace);
    prop_assert_eq!(is_same, same_target(&before.model.target, &plan.cluster.target));
    prop_assert_eq!(
        prepared.upstream_tls.is_some(),
        plan.target == TargetAction::Renew
    );
    for (directory, table) in &prepared.tables {
        directory.store(table.clone());
    }
    let fresh = build(
        &Plan::between(&ProxyModel::empty(), &alone(plan))
            .added()
            .next()
            .unwrap()
            .clone(),
        None,
    );
    let gateways = prepared.cluster.gateways.iter().zip(&fresh.cluster.gateways);
    for ((after, fresh), (model, planned)) in gateways.zip(plan.gateways_after()) {
        let running = before.gateway(&model.name);
        let is_kept = running.is_some_and(|running| Arc::ptr_eq(&running.context, &after.context));
        prop_assert_eq!(is_kept, matches!(planned.action, GatewayAction::Keep(_)));
        // What clients are told is as if nothing had run before, but for nodes that were bound on the spot.
        let (told, expected) = (after.context.directory.table(), fresh.context.directory.table());
        prop_assert_eq!(told.advertised_address(1), expected.advertised_address(1));
        for node in &model.nodes {
            prop_assert_eq!(told.get(node.node_id), expected.get(node.node_id));
        }
        let update = prepared
            .tls
            .iter()
            .find(|update| Arc::ptr_eq(&update.gateway, &after.context));
        if let (true, Some(old), Some(new)) =
            (is_kept, running.and_then(|g| g.model.tls.as_ref()), &model.tls)
        {
            prop_assert_eq!(update.is_some(), old != new);
            prop_assert_eq!(
                matches!(planned.action, GatewayAction::Keep(kept) if kept.recheck),
                !same_client_rules(old, new)
            );
        }
    }
    Ok(())
}

fn alone(plan: &ClusterPlan) -> ProxyModel {
    let mut model = ProxyModel::empty();
    model
        .clusters
        .insert(plan.cluster.name.clone(), Arc::clone(&plan.cluster));
    model
}
