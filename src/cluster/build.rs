//! From the model of a cluster to what its sessions are given, beside what they have now. Nothing that runs is
//! touched here: an [`Arrival`] holds all that a commit has to swap.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use super::lifecycle::ClusterLifecycle;
use super::manager::{ManagedCluster, ManagedEndpoint, ManagedGateway};
use crate::drain::ConnectionTracker;
use crate::endpoint::{BindAddr, ListenerKey, Wanted};
use crate::model::{Gateway, VirtualCluster};
use crate::session::context::{ClusterContext, EndpointBinding, GatewayContext, NodeRole, ProcessContext};
use crate::session::nodes::{AdvertisedNode, EndpointRequest, NodeDirectory, NodeTable};
use crate::session::permits::ConnectionLimit;
use crate::session::upstream::Target;

/// The token of host patterns that stands for the node id.
const NODE_ID: &str = "$(nodeId)";

/// What all clusters are built with.
#[derive(Debug)]
pub struct Surroundings {
    pub process: Arc<ProcessContext>,
    pub endpoint_requests: mpsc::Sender<EndpointRequest>,
}

/// A cluster that is about to run: new, or in place of the one that does.
#[derive(Debug)]
pub struct Arrival {
    pub cluster: ManagedCluster,
    /// What endpoints mean from now on; those that go on meaning the same are not among them.
    pub bindings: Vec<(ListenerKey, Arc<EndpointBinding>)>,
    /// What clients are told of nodes from now on, where the gateway goes on.
    pub tables: Vec<(Arc<NodeDirectory>, NodeTable)>,
    /// The cluster's context goes on and is to be given the new model.
    pub goes_on: bool,
    /// Sessions of endpoints that end, or mean something else from now on.
    pub leaving: Vec<Arc<ConnectionTracker>>,
}

/// Every endpoint of a cluster, before any is bound; those bound on the spot for the cluster before it included, as
/// far as they still may be.
pub fn wanted(model: &VirtualCluster, before: Option<&ManagedCluster>) -> Vec<Wanted> {
    let of = |gateway: &Gateway| endpoints(&model.name, gateway, predecessor(before, gateway)).into_values();
    model
        .gateways
        .iter()
        .flat_map(of)
        .map(|(wanted, _)| wanted)
        .collect()
}

/// What is known of listeners.
#[derive(Clone, Copy)]
pub struct Listeners<'l> {
    /// Where one is bound, listening already or only reserved.
    pub bound: &'l dyn Fn(&ListenerKey) -> Option<SocketAddr>,
    /// Whether it listens already. That of a failed cluster may not.
    pub listening: &'l dyn Fn(&ListenerKey) -> bool,
}

/// Builds what `model` needs, taking over from the cluster `before` whatever goes on. `target` makes a new target.
pub fn arrive(
    model: &Arc<VirtualCluster>,
    before: Option<&ManagedCluster>,
    listeners: Listeners<'_>,
    surroundings: &Surroundings,
    target: impl FnOnce() -> Arc<Target>,
) -> Arrival {
    let same_target = before.filter(|before| before.model.target.is_same_cluster(&model.target));
    let context = match (before, same_target) {
        (Some(before), Some(_)) => Arc::clone(&before.context),
        (before, _) => {
            let (counters, limit) = match before {
                Some(before) => (
                    Arc::clone(&before.context.counters),
                    Arc::clone(&before.context.limit),
                ),
                None => (
                    Arc::default(),
                    Arc::new(ConnectionLimit::new(model.max_connections)),
                ),
            };
            let process = Arc::clone(&surroundings.process);
            Arc::new(ClusterContext::new(
                process,
                Arc::clone(model),
                target(),
                counters,
                limit,
            ))
        }
    };
    let mut arrival = Arrival {
        cluster: ManagedCluster {
            lifecycle: before.map_or_else(ClusterLifecycle::default, |before| before.lifecycle.clone()),
            generation: 0,
            model: Arc::clone(model),
            context,
            gateways: Vec::with_capacity(model.gateways.len()),
        },
        bindings: Vec::new(),
        tables: Vec::new(),
        goes_on: same_target.is_some(),
        leaving: Vec::new(),
    };
    for gateway in &model.gateways {
        let goes_on = same_target.and_then(|before| before.gateway(&gateway.name));
        let wanted = endpoints(&model.name, gateway, predecessor(before, gateway));
        let table = table(gateway, &wanted, listeners.bound);
        let place = Place {
            goes_on,
            listeners,
            surroundings,
        };
        add_gateway(&mut arrival, gateway, place, wanted, table);
    }
    arrival.leaving = before.map_or_else(Vec::new, |before| leaving(before, &arrival.cluster));
    arrival
}

fn predecessor<'b>(before: Option<&'b ManagedCluster>, gateway: &Gateway) -> Option<&'b ManagedGateway> {
    before?.gateway(&gateway.name)
}

/// Where a gateway comes to stand.
struct Place<'p> {
    /// The gateway that goes on in it.
    goes_on: Option<&'p ManagedGateway>,
    listeners: Listeners<'p>,
    surroundings: &'p Surroundings,
}

fn add_gateway(
    arrival: &mut Arrival,
    model: &Gateway,
    place: Place<'_>,
    wanted: BTreeMap<NodeRole, (Wanted, bool)>,
    table: NodeTable,
) {
    let Place {
        goes_on,
        listeners,
        surroundings,
    } = place;
    let context = match goes_on {
        Some(before) => {
            arrival
                .tables
                .push((Arc::clone(&before.context.directory), table));
            Arc::clone(&before.context)
        }
        None => Arc::new(GatewayContext {
            name: model.name.as_str().into(),
            directory: Arc::new(NodeDirectory::new(
                &arrival.cluster.model.name,
                &model.name,
                table,
                surroundings.endpoint_requests.clone(),
            )),
            withheld_logged: AtomicBool::new(false),
        }),
    };
    let mut endpoints = BTreeMap::new();
    for (node, (wanted, dynamic)) in wanted {
        let same = goes_on
            .and_then(|before| before.endpoints.get(&node))
            .filter(|before| before.wanted == wanted);
        let tracker = match same {
            Some(before) => Arc::clone(&before.tracker),
            None => new_tracker(&context.name),
        };
        if same.is_none() || !(listeners.listening)(&wanted.key) {
            let binding = EndpointBinding {
                cluster: Arc::clone(&arrival.cluster.context),
                gateway: Arc::clone(&context),
                node,
                tracker: Arc::clone(&tracker),
            };
            arrival.bindings.push((wanted.key.clone(), Arc::new(binding)));
        }
        let endpoint = ManagedEndpoint {
            wanted,
            tracker,
            dynamic,
        };
        endpoints.insert(node, endpoint);
    }
    arrival.cluster.gateways.push(ManagedGateway {
        model: model.clone(),
        context,
        endpoints,
    });
}

/// For the sessions of an endpoint, or of all endpoints of a gateway.
pub fn new_tracker(gateway: &Arc<str>) -> Arc<ConnectionTracker> {
    Arc::new(ConnectionTracker::new(Arc::clone(gateway)))
}

/// The sessions of `before` that have no place in `after`.
fn leaving(before: &ManagedCluster, after: &ManagedCluster) -> Vec<Arc<ConnectionTracker>> {
    let kept: std::collections::HashSet<*const ConnectionTracker> =
        after.trackers().map(Arc::as_ptr).collect();
    let gone = |tracker: &&Arc<ConnectionTracker>| !kept.contains(&Arc::as_ptr(tracker));
    before.trackers().filter(gone).cloned().collect()
}

/// The endpoints of a gateway, and whether each was bound on the spot.
fn endpoints(
    cluster: &str,
    gateway: &Gateway,
    before: Option<&ManagedGateway>,
) -> BTreeMap<NodeRole, (Wanted, bool)> {
    let mut endpoints = BTreeMap::new();
    for (&node, endpoint) in before.iter().flat_map(|before| &before.endpoints) {
        if endpoint.dynamic && may_stay(gateway, &endpoint.wanted) {
            endpoints.insert(node, (endpoint.wanted.clone(), true));
        }
    }
    let bootstrap = (NodeRole::Bootstrap, gateway.bootstrap_port);
    let nodes = gateway
        .nodes
        .iter()
        .map(|node| (NodeRole::Node(node.node_id), node.port));
    for (node, port) in std::iter::once(bootstrap).chain(nodes) {
        endpoints.insert(node, (endpoint(cluster, gateway, node, port), false));
    }
    endpoints
}

fn may_stay(gateway: &Gateway, bound: &Wanted) -> bool {
    let port = bound.address.port;
    bound.address.ip == gateway.bind
        && gateway
            .dynamic_ports
            .is_some_and(|range| (range.start..=range.end).contains(&port))
}

/// What is listened on for one endpoint of a gateway.
fn endpoint(cluster: &str, gateway: &Gateway, node: NodeRole, port: u16) -> Wanted {
    let address = BindAddr {
        ip: gateway.bind,
        port,
    };
    let key = match port {
        0 => ListenerKey::Ephemeral {
            ip: gateway.bind,
            cluster: cluster.into(),
            gateway: gateway.name.clone(),
            node,
        },
        _ => ListenerKey::Address(address),
    };
    Wanted { key, address }
}

/// What clients are told of the nodes of a gateway.
fn table(
    gateway: &Gateway,
    endpoints: &BTreeMap<NodeRole, (Wanted, bool)>,
    bound: impl Fn(&ListenerKey) -> Option<SocketAddr>,
) -> NodeTable {
    let mut table = NodeTable::new(gateway.dynamic_ports.is_some());
    let advertised: BTreeMap<i32, Option<u16>> = gateway
        .nodes
        .iter()
        .map(|node| (node.node_id, node.advertised_port))
        .collect();
    for (node, (wanted, _)) in endpoints {
        let NodeRole::Node(id) = *node else { continue };
        // A port that is named needs no socket to be known.
        let port = match wanted.address.port {
            0 => bound(&wanted.key).map(|bound| bound.port()),
            port => Some(port),
        };
        if let Some(port) = advertised.get(&id).copied().flatten().or(port) {
            table.insert(
                id,
                AdvertisedNode {
                    host: host_of(gateway, id),
                    port,
                },
            );
        }
    }
    if gateway.dynamic_ports.is_some() {
        table.expect_host(host_of(gateway, i32::MAX).len());
    }
    table
}

/// The host clients are told for a node.
pub fn host_of(gateway: &Gateway, node: i32) -> String {
    gateway.node_host_pattern.replace(NODE_ID, &node.to_string())
}
