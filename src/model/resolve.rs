//! The whole file: fills in defaults, checks rules, collects violations.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::login::AccessKeys;
use super::names::{Unique, check_cluster_name};
use super::own_address::TargetServers;
use super::ports::PortClaims;
use super::scope::{Definition, MAX_PORTS, Scope};
use super::sni_hosts::SniHosts;
use super::tls::PemCache;
use super::warnings::Warnings;
use super::{ProxyModel, VirtualCluster, cluster, drain, filters, login, notify, operation, process};
use crate::config::{Config, Diagnostic, Errors, Pos};

/// Gives the file its meaning, or reports every rule it breaks, in the order of the file.
pub fn resolve(config: &Config) -> Result<(ProxyModel, Warnings), Vec<Diagnostic>> {
    let root = &config.root;
    let errors = Errors::within(config.names().cloned().collect());
    let mut scope = Scope {
        config,
        warnings: Warnings::within(errors.clone()),
        errors,
        material: PemCache::default(),
        ports: PortClaims::default(),
        hosts: SniHosts::default(),
        targets: TargetServers::default(),
        definitions: HashMap::new(),
        definitions_complete: true,
        filters: Rc::default(),
        default_drain: root.drain.as_ref().map(|drain| &drain.value),
        ports_left: MAX_PORTS,
    };
    let network = process::network(root, &mut scope.errors);
    let logging = process::logging(root, &mut scope.errors);
    let control_socket = operation::control_socket(config, &mut scope.errors);
    let management = operation::management(config, &mut scope);
    let notify = notify::webhooks(config, &mut scope.errors);
    let reload = operation::reload(root, &mut scope.errors);
    let rollback = operation::rollback(root, &mut scope.errors);
    define_clusters(config, &mut scope);
    scope.filters = Rc::new(filters::define(config, &mut scope));
    check_default_drain(&mut scope);
    let clusters = virtual_clusters(config, &mut scope);
    scope.ports.check(&mut scope.errors);
    scope.hosts.check(&mut scope.errors);
    scope.targets.check(&scope.ports, &mut scope.errors);
    if !scope.errors.is_empty() {
        return Err(scope.errors.into_diagnostics());
    }
    let state_directory = root.state_directory.as_ref().map(|path| config.path(path));
    let model = ProxyModel {
        network,
        logging,
        state_directory,
        audit_file: operation::audit_file(config),
        notify,
        management,
        control_socket,
        reload,
        rollback,
        clusters,
    };
    Ok((model, scope.warnings))
}

fn define_clusters<'c>(config: &'c Config, scope: &mut Scope<'c>) {
    let lists = || config.cluster_definitions().map(|list| &list.value);
    scope.definitions_complete =
        config.root.shape.is_sound() && config.included_complete && lists().all(|list| list.complete);
    let mut unique = Unique::new("cluster definition");
    for definition in lists().flat_map(|list| &list.items) {
        let name = &definition.value.name;
        unique.check(&name.value, name.at, &mut scope.errors);
        let written = &definition.value;
        let keys = AccessKeys {
            via: written.via.as_ref(),
            via_credentials_file: written.via_credentials_file.as_ref(),
            tls: written.tls.as_ref(),
            sasl: written.sasl.as_ref(),
            is_sound: written.shape.is_sound(),
        };
        let access = login::access(&keys, scope);
        let definition = Definition { written, access };
        scope.definitions.entry(&name.value).or_insert(definition);
    }
}

/// Checked also where every cluster overrides it, and once: a broken default is not every cluster's fault.
fn check_default_drain(scope: &mut Scope<'_>) {
    let mut errors = Errors::new();
    drain::resolve(None, None, scope.default_drain, &mut errors);
    if !errors.is_empty() {
        scope.default_drain = None;
        scope.errors.append(errors);
    }
}

fn virtual_clusters<'c>(config: &'c Config, scope: &mut Scope<'c>) -> BTreeMap<String, Arc<VirtualCluster>> {
    let mut clusters = BTreeMap::new();
    let root = &config.root;
    let missing = root.virtual_clusters.is_none() && root.include().is_none() && !config.emptied;
    if missing && root.shape.is_sound() {
        scope.errors.push(Pos::START, "missing key `virtualClusters`");
    }
    let mut unique = Unique::ignoring_case("virtual cluster");
    for written in config.virtual_clusters().flat_map(|list| &list.value.items) {
        let name = &written.value.name;
        check_cluster_name(name, &mut scope.errors);
        unique.check(&name.value, name.at, &mut scope.errors);
        if let Some(cluster) = cluster::resolve(written, scope) {
            clusters.insert(cluster.name.clone(), Arc::new(cluster));
        }
    }
    clusters
}
