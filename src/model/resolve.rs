//! The whole file: fills in defaults, checks rules, collects violations.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::names::{Unique, check_cluster_name};
use super::ports::PortClaims;
use super::{ProxyModel, VirtualCluster, cluster, drain, not_yet, operation, process, tls};
use crate::config::schema::{ClusterDefinition, Drain, Root};
use crate::config::{Config, Diagnostic, Errors, Pos};

/// Ports bound from the start, over the whole file: about what a process may have open.
const MAX_PORTS: usize = 1_000_000;

/// What the parts of a file need to know of the rest of it.
pub(super) struct Scope<'c> {
    pub(super) errors: Errors,
    pub(super) ports: PortClaims<'c>,
    pub(super) definitions: HashMap<&'c str, &'c ClusterDefinition>,
    /// Not when a definition was unreadable: then a reference may well be right.
    pub(super) definitions_complete: bool,
    pub(super) default_drain: Option<&'c Drain>,
    /// Node ports that may still be given out.
    pub(super) ports_left: usize,
}

/// Gives the file its meaning, or reports every rule it breaks, in the order of the file.
pub fn resolve(config: &Config) -> Result<ProxyModel, Vec<Diagnostic>> {
    let root = &config.root;
    let mut scope = Scope {
        errors: Errors::within(config.names().cloned().collect()),
        ports: PortClaims::default(),
        definitions: HashMap::new(),
        definitions_complete: true,
        default_drain: root.drain.as_ref().map(|drain| &drain.value),
        ports_left: MAX_PORTS,
    };
    not_yet::check(root, &mut scope.errors);
    let network = process::network(root, &mut scope.errors);
    let logging = process::logging(root, &mut scope.errors);
    let control_socket = operation::control_socket(config, &mut scope.errors);
    let management = operation::management(config, &mut scope);
    define_clusters(root, &mut scope);
    check_default_drain(&mut scope);
    let clusters = virtual_clusters(root, &mut scope);
    scope.ports.check(&mut scope.errors);
    if !scope.errors.is_empty() {
        return Err(scope.errors.into_diagnostics());
    }
    let state_directory = root.state_directory.as_ref().map(|path| config.path(path));
    Ok(ProxyModel {
        network,
        logging,
        state_directory,
        management,
        control_socket,
        reload: operation::reload(root),
        clusters,
    })
}

fn define_clusters<'c>(root: &'c Root, scope: &mut Scope<'c>) {
    scope.definitions_complete = root.shape.is_sound();
    let Some(list) = &root.cluster_definitions else {
        return;
    };
    scope.definitions_complete &= list.value.complete;
    let mut unique = Unique::new("cluster definition");
    for definition in &list.value.items {
        let name = &definition.value.name;
        unique.check(&name.value, name.at, &mut scope.errors);
        if let Some(tls) = &definition.value.tls {
            tls::check_upstream(&tls.value, &mut scope.errors);
        }
        scope.definitions.entry(&name.value).or_insert(&definition.value);
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

fn virtual_clusters<'c>(root: &'c Root, scope: &mut Scope<'c>) -> BTreeMap<String, Arc<VirtualCluster>> {
    let mut clusters = BTreeMap::new();
    let Some(list) = &root.virtual_clusters else {
        if root.shape.is_sound() {
            scope.errors.push(Pos::START, "missing key `virtualClusters`");
        }
        return clusters;
    };
    let mut unique = Unique::ignoring_case("virtual cluster");
    for written in &list.value.items {
        let name = &written.value.name;
        check_cluster_name(name, &mut scope.errors);
        unique.check(&name.value, name.at, &mut scope.errors);
        if let Some(cluster) = cluster::resolve(written, scope) {
            clusters.insert(cluster.name.clone(), Arc::new(cluster));
        }
    }
    clusters
}
