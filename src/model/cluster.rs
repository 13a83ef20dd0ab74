//! Virtual clusters and their targets.

use std::rc::Rc;
use std::sync::Arc;

use super::login::AccessKeys;
use super::names::{Unique, check_name};
use super::per_client;
use super::scope::{BrokerAccess, Scope};
use super::topic_names::TopicNameLimits;
use super::{
    AllowedBrokers, BootstrapSelection, ClientLogins, FenceModel, FilterModel, HostPort, TargetCluster,
    VirtualCluster, drain, gateway, login, subject,
};
use crate::config::schema::{self, BootstrapServerSelection, SelectionStrategy};
use crate::config::{Address, Servers, Spanned, quoted, suggestion};

/// `None` where something was wrong and has been reported.
pub(super) fn resolve<'c>(
    written: &'c Spanned<schema::VirtualCluster>,
    scope: &mut Scope<'c>,
) -> Option<VirtualCluster> {
    let cluster = &written.value;
    let target = target(written, scope);
    let own_drain = cluster.drain.as_ref().map(|drain| &drain.value);
    let drain = drain::resolve(
        own_drain,
        cluster.drain_timeout.as_ref(),
        scope.default_drain,
        &mut scope.errors,
    );
    let max_connections_per_client =
        per_client::resolve(cluster.max_connections_per_client.as_ref(), &mut scope.errors);
    let definitions = Rc::clone(&scope.filters);
    let filters = definitions.chain_of(cluster.filters.as_ref(), scope);
    if let Some(target) = &target {
        warn_of_shared_identity(cluster, target, &filters, scope);
    }
    let subject_builder = cluster.subject_builder.as_ref();
    let subject_builder =
        subject_builder.and_then(|builder| subject::resolve::transport(builder, &mut scope.errors));
    let topic_names = TopicNameLimits::resolve(cluster.topic_name_cache.as_ref(), &mut scope.errors);
    let fence = FenceModel::resolve(cluster.fence.as_ref(), &mut scope.errors);
    let gateways = gateways(written, scope);
    Some(VirtualCluster {
        name: cluster.name.value.clone(),
        target: target?,
        drain,
        max_connections: cluster
            .max_connections
            .as_ref()
            .map(|count| count.value.get() as usize),
        max_connections_per_client,
        log_network: cluster.log_network.as_ref().is_some_and(|on| on.value),
        log_frames: cluster.log_frames.as_ref().is_some_and(|on| on.value),
        filters,
        fence: fence.map(Arc::new),
        subject_builder: subject_builder.map(Arc::new),
        topic_names,
        gateways,
    })
}

fn target(written: &Spanned<schema::VirtualCluster>, scope: &mut Scope<'_>) -> Option<TargetCluster> {
    let cluster = &written.value;
    match (&cluster.target, &cluster.target_cluster) {
        (Some(reference), None) => referenced(&reference.value.cluster, scope),
        (None, Some(inline)) => {
            let inline = &inline.value;
            let keys = AccessKeys {
                via: inline.via.as_ref(),
                via_credentials_file: inline.via_credentials_file.as_ref(),
                tls: inline.tls.as_ref(),
                sasl: inline.sasl.as_ref(),
                is_sound: inline.shape.is_sound(),
            };
            let access = login::access(&keys, scope)?;
            Some(target_cluster(
                &inline.bootstrap_servers,
                inline.bootstrap_server_selection.as_ref(),
                AllowedBrokers::of(inline.allowed_brokers.as_ref()),
                access,
                scope,
            ))
        }
        (Some(target), Some(inline)) => {
            let second = if inline.key > target.key {
                inline.key
            } else {
                target.key
            };
            scope
                .errors
                .push(second, "`target` and `targetCluster` exclude each other");
            None
        }
        (None, None) => {
            if cluster.shape.is_sound() {
                let name = quoted(&cluster.name.value);
                let why = format!("virtual cluster {name} needs `target` or `targetCluster`");
                scope.errors.push(written.at, why);
            }
            None
        }
    }
}

fn referenced(name: &Spanned<String>, scope: &mut Scope<'_>) -> Option<TargetCluster> {
    if let Some(definition) = scope.definitions.get(name.value.as_str()) {
        let access = definition.access.clone()?;
        let written = definition.written;
        return Some(target_cluster(
            &written.bootstrap_servers,
            written.bootstrap_server_selection.as_ref(),
            AllowedBrokers::of(written.allowed_brokers.as_ref()),
            access,
            scope,
        ));
    }
    if scope.definitions_complete {
        let definitions = &scope.definitions;
        scope.errors.push_with(name.at, || {
            let mut names: Vec<&str> = definitions.keys().copied().collect();
            names.sort_unstable();
            format!(
                "no cluster definition named {}{}",
                quoted(&name.value),
                suggestion(&name.value, names)
            )
        });
    }
    None
}

fn target_cluster(
    servers: &Spanned<Servers>,
    selection: Option<&Spanned<BootstrapServerSelection>>,
    allowed_brokers: AllowedBrokers,
    access: BrokerAccess,
    scope: &mut Scope<'_>,
) -> TargetCluster {
    let selection = self::selection(selection, scope);
    let server = |server: &Address| HostPort {
        host: server.host.clone(),
        port: server.port,
    };
    let mut bootstrap_servers: Vec<HostPort> = servers.value.0.iter().map(server).collect();
    // Whichever comes first is only where the turns begin: another order is not another target.
    bootstrap_servers.sort_unstable();
    scope.targets.add(
        &bootstrap_servers,
        &allowed_brokers,
        access.via.is_none(),
        servers.at,
        &mut scope.warnings,
    );
    TargetCluster {
        bootstrap_servers,
        selection,
        allowed_brokers,
        via: access.via,
        tls: access.tls,
        login: access.login,
    }
}

/// Faults are reported, and stand for the default.
fn selection(
    written: Option<&Spanned<BootstrapServerSelection>>,
    scope: &mut Scope<'_>,
) -> BootstrapSelection {
    let Some(written) = written else {
        return BootstrapSelection::RoundRobin;
    };
    let BootstrapServerSelection {
        strategy,
        client_rack,
        shape,
        ..
    } = &written.value;
    let rack = client_rack.as_ref();
    match (strategy.as_ref().map(|strategy| strategy.value), rack) {
        (Some(SelectionStrategy::Nearest), Some(rack)) if rack.value.trim().is_empty() => {
            scope.errors.push(rack.at, "`clientRack` is empty");
        }
        (Some(SelectionStrategy::Nearest), Some(rack)) => {
            return BootstrapSelection::Nearest(rack.value.clone());
        }
        (Some(SelectionStrategy::Nearest), None) if shape.is_sound() => {
            scope
                .errors
                .push(written.at, "`strategy: nearest` needs `clientRack`");
        }
        (_, Some(rack)) if shape.is_sound() => {
            scope
                .errors
                .push(rack.key, "`clientRack` needs `strategy: nearest`");
        }
        (Some(SelectionStrategy::Random), None) => return BootstrapSelection::Random,
        _ => {}
    }
    BootstrapSelection::RoundRobin
}

fn gateways<'c>(written: &'c Spanned<schema::VirtualCluster>, scope: &mut Scope<'c>) -> Vec<super::Gateway> {
    let cluster = &written.value;
    let Some(list) = &cluster.gateways else {
        if cluster.shape.is_sound() {
            let name = quoted(&cluster.name.value);
            scope
                .errors
                .push(written.at, format!("virtual cluster {name} needs `gateways`"));
        }
        return Vec::new();
    };
    if list.value.items.is_empty() && list.value.complete {
        scope.errors.push(
            list.at,
            format!("virtual cluster {} has no gateways", quoted(&cluster.name.value)),
        );
    }
    let mut unique = Unique::new("gateway");
    let mut gateways = Vec::with_capacity(list.value.items.len());
    for item in &list.value.items {
        check_name(&item.value.name, &mut scope.errors);
        unique.check(&item.value.name.value, item.value.name.at, &mut scope.errors);
        gateways.extend(gateway::resolve(&cluster.name.value, item, scope));
    }
    gateways.sort_by(|a, b| a.name.cmp(&b.name));
    gateways
}

/// Warns of clients that kproxy tells apart and nobody behind it.
fn warn_of_shared_identity(
    cluster: &schema::VirtualCluster,
    target: &TargetCluster,
    filters: &[Arc<FilterModel>],
    scope: &mut Scope<'_>,
) {
    let has = |filter_type: &str| {
        filters
            .iter()
            .any(|filter| filter.kind.type_name() == filter_type)
    };
    let login = target.login.as_ref();
    let is_shared = login.is_none_or(|login| login.clients == ClientLogins::Shared);
    if has("SaslTermination") && !has("Authorization") && is_shared {
        let why = || {
            "clients authenticate at kproxy, and the brokers cannot tell them apart: without a filter `Authorization` each \
             of them may do whatever kproxy may do there"
                .to_owned()
        };
        scope.warnings.push(cluster.name.at, why);
    }
}
