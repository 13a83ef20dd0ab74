//! From the model of a cluster to what its sessions are given, beside what they have now. Nothing that runs is
//! touched here: an [`Arrival`] holds all that a commit has to swap.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::lifecycle::ClusterLifecycle;
use super::manager::{ManagedCluster, ManagedEndpoint, ManagedGateway};
use crate::drain::ConnectionTracker;
use crate::endpoint::{BindAddr, EndpointSpec, ListenerKey, RouteUpdates};
use crate::model::{Difference, Gateway, IdentifiedBy, TargetCluster, VirtualCluster};
use crate::session::clients::ClientLimit;
use crate::session::context::{ClusterContext, EndpointBinding, GatewayContext, NodeRole, ProcessContext};
use crate::session::nodes::{AdvertisedNode, EndpointRequest, NodeDirectory, NodeHosts, NodeTable};
use crate::session::permits::ConnectionLimit;
use crate::session::routes::RouteChange;
use crate::session::upstream::UpstreamTarget;
use crate::tls::{DownstreamContext, TlsError, UpstreamContext};

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
    pub meanings: RouteUpdates,
    /// What clients are told of nodes from now on, where the gateway goes on.
    pub tables: Vec<(Arc<NodeDirectory>, NodeTable)>,
    /// TLS settings for the next handshakes, where the gateway goes on.
    pub tls: Vec<TlsChange>,
    /// TLS settings for the next handshakes with brokers, where the target goes on.
    pub upstream_tls: Option<Arc<UpstreamContext>>,
    /// The cluster's context goes on and is to be given the new model.
    pub goes_on: bool,
    /// Sessions of endpoints that end, or mean something else from now on.
    pub leaving: Vec<Arc<ConnectionTracker>>,
}

/// Other TLS settings of a gateway that goes on.
#[derive(Debug)]
pub struct TlsChange {
    pub gateway: Arc<GatewayContext>,
    pub context: Arc<DownstreamContext>,
    /// Clients are let in by other rules than before: the gateway's sessions have to be judged anew.
    pub judges: Option<Vec<Arc<ConnectionTracker>>>,
}

/// Every endpoint of a cluster, before any is bound; those bound on the spot for the cluster before it included, as
/// far as they still may be.
pub fn wanted(model: &VirtualCluster, before: Option<&ManagedCluster>) -> Vec<EndpointSpec> {
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
///
/// # Errors
/// When TLS settings cannot be used.
pub fn arrive(
    model: &Arc<VirtualCluster>,
    before: Option<&ManagedCluster>,
    listeners: Listeners<'_>,
    surroundings: &Surroundings,
    target: impl FnOnce() -> Result<Arc<UpstreamTarget>, TlsError>,
) -> Result<Arrival, TlsError> {
    let same_target = before.filter(|before| before.model.target.is_same_cluster(&model.target));
    let context = match (before, same_target) {
        (Some(before), Some(_)) => Arc::clone(&before.context),
        (before, _) => {
            let (counters, limit, clients) = match before {
                Some(before) => (
                    Arc::clone(&before.context.counters),
                    Arc::clone(&before.context.limit),
                    Arc::clone(&before.context.clients),
                ),
                None => (
                    Arc::default(),
                    Arc::new(ConnectionLimit::new(model.max_connections)),
                    Arc::new(ClientLimit::new(model.max_connections_per_client)),
                ),
            };
            let process = Arc::clone(&surroundings.process);
            Arc::new(ClusterContext::new(
                process,
                Arc::clone(model),
                target()?,
                counters,
                limit,
                clients,
            ))
        }
    };
    let mut arrival = Arrival {
        cluster: ManagedCluster {
            lifecycle: before.map_or_else(ClusterLifecycle::default, |before| before.lifecycle.clone()),
            generation: before.map_or(0, |before| before.generation),
            model: Arc::clone(model),
            context,
            gateways: Vec::with_capacity(model.gateways.len()),
        },
        meanings: RouteUpdates::default(),
        tables: Vec::new(),
        tls: Vec::new(),
        upstream_tls: match same_target {
            Some(before) => upstream_change(&before.model.target, &model.target)?,
            None => None,
        },
        goes_on: same_target.is_some(),
        leaving: Vec::new(),
    };
    for gateway in &model.gateways {
        let goes_on = same_target
            .and_then(|before| before.gateway(&gateway.name))
            .filter(|before| is_reached_alike(&before.model, gateway));
        let wanted = endpoints(&model.name, gateway, predecessor(before, gateway));
        let table = table(gateway, &wanted, listeners.bound);
        let place = Place {
            goes_on,
            listeners,
            surroundings,
        };
        add_gateway(&mut arrival, gateway, place, wanted, table)?;
    }
    if let Some(before) = before {
        arrival.leaving = leaving(before, &arrival.cluster);
        let kept = names(&arrival.cluster);
        arrival
            .meanings
            .routes
            .extend(farewell(before, |route| kept.contains(route)));
    }
    Ok(arrival)
}

/// Whether clients that are connected to the one gateway could be connected to the other, in the same way.
fn is_reached_alike(one: &Gateway, other: &Gateway) -> bool {
    let hosts = |gateway: &Gateway| {
        let by_host = gateway.identified_by != IdentifiedBy::Port;
        by_host.then(|| {
            let names = (gateway.bootstrap_host.clone(), gateway.node_host_pattern.clone());
            (names, gateway.bind, gateway.bootstrap_port)
        })
    };
    one.tls.is_some() == other.tls.is_some()
        && one.proxy_protocol == other.proxy_protocol
        && hosts(one) == hosts(other)
}

/// A name on an address, as it leads to the sessions of a gateway.
type Name = (ListenerKey, String, *const ConnectionTracker);

/// All names of a cluster.
fn names(cluster: &ManagedCluster) -> HashSet<Name> {
    let of = |gateway: &ManagedGateway| {
        let (key, tracker) = gateway.shared_endpoint()?;
        let name = |host: &String| (key.clone(), host.clone(), Arc::as_ptr(tracker));
        Some([
            name(&gateway.model.bootstrap_host),
            name(&gateway.model.node_host_pattern),
        ])
    };
    cluster.gateways.iter().filter_map(of).flatten().collect()
}

/// Ends every name of a cluster that `kept` does not hold.
pub fn farewell(cluster: &ManagedCluster, kept: impl Fn(&Name) -> bool) -> Vec<(ListenerKey, RouteChange)> {
    let mut changes = Vec::new();
    for gateway in &cluster.gateways {
        let Some((key, tracker)) = gateway.shared_endpoint() else {
            continue;
        };
        for host in [&gateway.model.bootstrap_host, &gateway.model.node_host_pattern] {
            if !kept(&(key.clone(), host.clone(), Arc::as_ptr(tracker))) {
                let (host, tracker) = (host.clone(), Arc::clone(tracker));
                changes.push((key.clone(), RouteChange::Remove { host, tracker }));
            }
        }
    }
    changes
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
    wanted: BTreeMap<NodeRole, (EndpointSpec, bool)>,
    table: NodeTable,
) -> Result<(), TlsError> {
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
            arrival.tls.extend(tls_change(before, model)?);
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
            tls: first_tls(model)?,
            proxy_protocol: model.proxy_protocol.clone(),
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
            arrival.meanings.add(model, &wanted.key, binding);
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
    Ok(())
}

fn first_tls(model: &Gateway) -> Result<Option<ArcSwap<DownstreamContext>>, TlsError> {
    let tls = model.tls.as_ref();
    tls.map(|tls| DownstreamContext::new(tls, None).map(ArcSwap::from_pointee))
        .transpose()
}

/// What the TLS of a gateway becomes, where that is something else.
fn tls_change(before: &ManagedGateway, model: &Gateway) -> Result<Option<TlsChange>, TlsError> {
    let (Some(current), Some(wanted)) = (&before.context.tls, &model.tls) else {
        return Ok(None);
    };
    let current = current.load();
    if current.model() == wanted {
        return Ok(None);
    }
    let context = DownstreamContext::new(wanted, Some(&current))?;
    let judges = (!current.has_same_rules(wanted)).then(|| {
        let endpoints = before.endpoints.values();
        endpoints.map(|endpoint| Arc::clone(&endpoint.tracker)).collect()
    });
    Ok(Some(TlsChange {
        gateway: Arc::clone(&before.context),
        context: Arc::new(context),
        judges,
    }))
}

/// What TLS towards the brokers of a target that goes on becomes, where its files hold something else. It begins
/// without tickets: they vouch for brokers, and for kproxy, by what the files held before.
fn upstream_change(
    before: &TargetCluster,
    wanted: &TargetCluster,
) -> Result<Option<Arc<UpstreamContext>>, TlsError> {
    match (&before.tls, &wanted.tls) {
        (Some(before), Some(wanted)) if wanted.differs_from(before) > Difference::None => {
            UpstreamContext::new(wanted).map(|context| Some(Arc::new(context)))
        }
        _ => Ok(None),
    }
}

/// For the sessions of an endpoint, or of all endpoints of a gateway.
pub fn new_tracker(gateway: &Arc<str>) -> Arc<ConnectionTracker> {
    Arc::new(ConnectionTracker::new(Arc::clone(gateway)))
}

/// The sessions of `before` that have no place in `after`.
fn leaving(before: &ManagedCluster, after: &ManagedCluster) -> Vec<Arc<ConnectionTracker>> {
    let kept: HashSet<*const ConnectionTracker> = after.trackers().map(Arc::as_ptr).collect();
    let gone = |tracker: &&Arc<ConnectionTracker>| !kept.contains(&Arc::as_ptr(tracker));
    before.trackers().filter(gone).cloned().collect()
}

/// The endpoints of a gateway, and whether each was bound on the spot.
fn endpoints(
    cluster: &str,
    gateway: &Gateway,
    before: Option<&ManagedGateway>,
) -> BTreeMap<NodeRole, (EndpointSpec, bool)> {
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

fn may_stay(gateway: &Gateway, bound: &EndpointSpec) -> bool {
    let port = bound.address.port;
    bound.address.ip == gateway.bind
        && gateway
            .dynamic_ports
            .is_some_and(|range| (range.start..=range.end).contains(&port))
}

/// What is listened on for one endpoint of a gateway.
fn endpoint(cluster: &str, gateway: &Gateway, node: NodeRole, port: u16) -> EndpointSpec {
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
    EndpointSpec { key, address }
}

/// What clients are told of the nodes of a gateway.
fn table(
    gateway: &Gateway,
    endpoints: &BTreeMap<NodeRole, (EndpointSpec, bool)>,
    bound: impl Fn(&ListenerKey) -> Option<SocketAddr>,
) -> NodeTable {
    if let IdentifiedBy::SniHost { advertised_port } = gateway.identified_by {
        let shared = endpoints.get(&NodeRole::Bootstrap);
        let bound = shared.and_then(|(wanted, _)| match wanted.address.port {
            0 => bound(&wanted.key).map(|bound| bound.port()),
            port => Some(port),
        });
        return NodeTable::of_hosts(NodeHosts {
            pattern: gateway.node_host_pattern.clone(),
            port: advertised_port.or(bound).unwrap_or_default(),
        });
    }
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
