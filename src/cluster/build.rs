//! From the plan for a cluster to what its sessions are given. Nothing that runs is touched here: a [`PreparedCluster`]
//! holds all that a commit has to swap.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::endpoints::{GatewayEndpoints, PlannedSpec};
use super::lifecycle::ClusterLifecycle;
use super::manager::{ManagedCluster, ManagedEndpoint, ManagedGateway};
use super::node_table::node_table;
use crate::drain::ConnectionTracker;
use crate::endpoint::{ListenerKey, RouteUpdates};
use crate::filter::FilterChain;
use crate::model::{Gateway, SaslTerminationModel, VirtualCluster};
use crate::reload::{
    ClusterPlan, Departure, DrainReason, FiltersAction, GatewayAction, KeptGateway, RunningEndpoint,
    TargetAction,
};
use crate::session::clients::ClientLimit;
use crate::session::context::{
    ClusterCommons, ClusterContext, EndpointBinding, GatewayContext, NodeRole, ProcessContext,
};
use crate::session::nodes::{EndpointRequest, NodeDirectory, NodeTable};
use crate::session::permits::ConnectionLimit;
use crate::session::routes::RouteChange;
use crate::session::successor::{GatewaySuccessor, Successor};
use crate::session::upstream::UpstreamTarget;
use crate::tls::{DownstreamContext, TlsError, UpstreamContext};

/// Services shared by all clusters.
#[derive(Debug)]
pub struct SharedServices {
    /// Context of the process.
    pub process: Arc<ProcessContext>,
    /// Requests of sessions for endpoints of nodes outside the configured ranges.
    pub endpoint_requests: mpsc::Sender<EndpointRequest>,
}

/// A cluster that is about to run: new, or in place of the running one.
#[derive(Debug)]
pub struct PreparedCluster {
    /// The cluster as it will run.
    pub cluster: ManagedCluster,
    /// New targets of listeners and host names; those that keep theirs are not among them.
    pub upserts: RouteUpdates,
    /// New advertised endpoints of gateways that are kept.
    pub tables: Vec<(Arc<NodeDirectory>, NodeTable)>,
    /// TLS settings for the next handshakes with clients, for gateways that are kept.
    pub tls: Vec<TlsUpdate>,
    /// TLS settings for the next handshakes with brokers, where the target is kept.
    pub upstream_tls: Option<Arc<UpstreamContext>>,
    /// Whether the context of the running cluster is reused and gets the new model.
    pub is_reused: bool,
    /// Action on the filters of a reused context.
    pub filters: FiltersAction,
    /// The settings by which clients that have authenticated at kproxy are checked again.
    pub recheck_logins: Option<Arc<SaslTerminationModel>>,
    /// Sessions that leave, with the reason.
    pub leaving: Vec<(DrainReason, Arc<ConnectionTracker>)>,
    /// Sessions that go on with the new target where they can, and leave where they cannot.
    pub moving: Vec<Arc<ConnectionTracker>>,
    /// Where they go on.
    pub successor: Option<Arc<Successor>>,
}

/// New TLS settings of a gateway that is kept.
#[derive(Debug)]
pub struct TlsUpdate {
    /// The gateway.
    pub gateway: Arc<GatewayContext>,
    /// Its new TLS settings.
    pub context: Arc<DownstreamContext>,
    /// Sessions whose clients are verified again; empty if the rules about clients are the same.
    pub recheck: Vec<Arc<ConnectionTracker>>,
}

/// Facts about listeners.
#[derive(Clone, Copy)]
pub struct Listeners<'l> {
    /// The address where one is bound, listening already or only reserved.
    pub bound: &'l dyn Fn(&ListenerKey) -> Option<SocketAddr>,
    /// Whether it listens already. That of a failed cluster may not.
    pub is_listening: &'l dyn Fn(&ListenerKey) -> bool,
}

/// Builds what `plan` says, taking over from the cluster that ran `before` whatever is kept. `endpoints` are those of
/// [`planned_endpoints`](super::planned_endpoints), `filters` gives those of the cluster as it will run, for its context, and
/// for whether that is a new one; `new_target` connects to the target that takes the place of the one before.
///
/// # Errors
/// When TLS settings cannot be used.
pub fn build_cluster(
    plan: &ClusterPlan,
    endpoints: Vec<GatewayEndpoints>,
    before: Option<&ManagedCluster>,
    listeners: Listeners<'_>,
    services: &SharedServices,
    filters: impl FnOnce(&ClusterContext, bool) -> FilterChain,
    new_target: impl FnOnce() -> Result<Arc<UpstreamTarget>, TlsError>,
) -> Result<PreparedCluster, TlsError> {
    let same_target = before.filter(|_| plan.target != TargetAction::Replace);
    // Sessions that are there keep the filters that settled who they are.
    let kept = same_target.filter(|_| plan.filters != FiltersAction::Replace);
    let context = match (kept, same_target) {
        (Some(before), _) => Arc::clone(&before.context),
        (None, Some(before)) => {
            let target = Arc::clone(&before.context.target);
            new_context(&plan.cluster, Some(before), services, target)
        }
        (None, None) => new_context(&plan.cluster, before, services, new_target()?),
    };
    let filters = filters(&context, kept.is_none());
    if kept.is_none() {
        context.set_chain(filters.chain().cloned());
    }
    let mut prepared = PreparedCluster {
        cluster: ManagedCluster {
            lifecycle: before.map_or_else(ClusterLifecycle::default, |before| before.lifecycle.clone()),
            generation: before.map_or(0, |before| before.generation),
            model: Arc::clone(&plan.cluster),
            context,
            filters,
            gateways: Vec::with_capacity(plan.cluster.gateways.len()),
        },
        upserts: RouteUpdates::default(),
        tables: Vec::new(),
        tls: Vec::new(),
        upstream_tls: renewed_upstream(plan)?,
        is_reused: kept.is_some(),
        filters: plan.filters,
        recheck_logins: plan.rechecked_logins().cloned().map(Arc::new),
        leaving: Vec::new(),
        moving: Vec::new(),
        successor: None,
    };
    for ((model, gateway), endpoints) in plan.gateways_after().zip(endpoints) {
        let table = || node_table(model, &endpoints, listeners.bound);
        let running = before.and_then(|before| before.gateway(&gateway.name));
        let kept = match (gateway.action, running) {
            (GatewayAction::Keep(changes), Some(running)) => {
                prepared.change_gateway(plan, running, model, changes, table)?;
                Some(running)
            }
            _ => None,
        };
        let context = match kept {
            Some(running) => Arc::clone(&running.context),
            None => new_gateway(&plan.cluster.name, model, table(), services)?,
        };
        prepared.add_gateway(model, context, kept, endpoints, listeners);
    }
    if let Some(before) = before {
        prepared.end(plan, before);
    }
    Ok(prepared)
}

impl PreparedCluster {
    /// Notes what changes of a gateway that is kept.
    fn change_gateway(
        &mut self,
        plan: &ClusterPlan,
        running: &ManagedGateway,
        model: &Gateway,
        changes: KeptGateway,
        table: impl FnOnce() -> NodeTable,
    ) -> Result<(), TlsError> {
        if changes.table {
            self.tables
                .push((Arc::clone(&running.context.directory), table()));
        }
        if let (true, Some(settings), Some(current)) = (changes.tls, &model.tls, &running.context.tls) {
            let current = current.load();
            // Tickets vouch for clients that were verified by the rules of their day.
            let same_rules = (!changes.recheck).then_some(&**current);
            self.tls.push(TlsUpdate {
                gateway: Arc::clone(&running.context),
                context: Arc::new(DownstreamContext::new(settings, same_rules)?),
                recheck: running.rechecked(plan),
            });
        }
        Ok(())
    }

    fn add_gateway(
        &mut self,
        model: &Gateway,
        context: Arc<GatewayContext>,
        kept: Option<&ManagedGateway>,
        endpoints: GatewayEndpoints,
        listeners: Listeners<'_>,
    ) {
        let cluster = Arc::clone(&self.cluster.context);
        let mut managed = ManagedGateway {
            model: model.clone(),
            context,
            endpoints: std::collections::BTreeMap::new(),
        };
        for (node, planned) in endpoints {
            let PlannedSpec {
                spec,
                is_dynamic,
                is_kept,
            } = planned;
            let running = kept
                .and_then(|gateway| gateway.endpoints.get(&node))
                .filter(|_| is_kept);
            let tracker = match running {
                Some(running) => Arc::clone(&running.tracker),
                None => new_tracker(&managed.context.name),
            };
            if running.is_none() || !(listeners.is_listening)(&spec.key) {
                let binding = EndpointBinding {
                    cluster: Arc::clone(&cluster),
                    gateway: Arc::clone(&managed.context),
                    node,
                    tracker: Arc::clone(&tracker),
                };
                self.upserts.add(model, &spec.key, binding);
            }
            let endpoint = ManagedEndpoint {
                wanted: spec,
                tracker,
                dynamic: is_dynamic,
            };
            managed.endpoints.insert(node, endpoint);
        }
        self.cluster.gateways.push(managed);
    }

    /// Notes the sessions and the host names of the cluster `before` that end.
    fn end(&mut self, plan: &ClusterPlan, before: &ManagedCluster) {
        self.leaving = before.leaving(plan);
        self.moving = before.moving(plan);
        self.successor = self.successor_of(plan, before);
        let is_kept = |gateway: &ManagedGateway| {
            let mut plans = plan.gateways.iter();
            plans.any(|plan| {
                *plan.name == *gateway.context.name && matches!(plan.action, GatewayAction::Keep(_))
            })
        };
        let ended = before.gateways.iter().filter(|gateway| !is_kept(gateway));
        self.upserts.routes.extend(remove_routes(ended));
    }
}

impl PreparedCluster {
    /// Where the sessions of the cluster `before` go on that may; `None` if its context stays.
    fn successor_of(&self, plan: &ClusterPlan, before: &ManagedCluster) -> Option<Arc<Successor>> {
        let gateways = before.gateways.iter().filter_map(|old| {
            let new = self.cluster.gateway(&old.context.name)?;
            let moves = |node: &NodeRole, endpoint: &ManagedEndpoint| {
                plan.departure(&old.running(*node, endpoint)) == Departure::Move
            };
            let endpoints = old
                .endpoints
                .iter()
                .filter(|(node, endpoint)| moves(node, endpoint));
            let trackers = endpoints.filter_map(|(node, _)| {
                let endpoint = new.endpoints.get(node)?;
                Some((*node, Arc::clone(&endpoint.tracker)))
            });
            let gateway = GatewaySuccessor {
                context: Arc::clone(&new.context),
                trackers: trackers.collect(),
                is_shared: new.shared_endpoint().is_some(),
            };
            (!gateway.trackers.is_empty()).then(|| (Arc::clone(&old.context.name), gateway))
        });
        let gateways: HashMap<_, _> = gateways.collect();
        let cluster = Arc::clone(&self.cluster.context);
        let is_replaced = !Arc::ptr_eq(&cluster, &before.context);
        is_replaced.then(|| Arc::new(Successor::new(cluster, gateways)))
    }
}

impl ManagedGateway {
    /// The sessions whose clients are verified again with `plan`, by endpoint.
    pub fn rechecked(&self, plan: &ClusterPlan) -> Vec<Arc<ConnectionTracker>> {
        let rechecked = self
            .endpoints
            .iter()
            .filter(|(node, endpoint)| plan.departure(&self.running(**node, endpoint)) == Departure::Recheck);
        rechecked
            .map(|(_, endpoint)| Arc::clone(&endpoint.tracker))
            .collect()
    }
}

impl ManagedCluster {
    /// The sessions that do not all leave with `plan`, by endpoint.
    pub fn staying(&self, plan: &ClusterPlan) -> Vec<Arc<ConnectionTracker>> {
        let stay = |running: &RunningEndpoint<'_>| !matches!(plan.departure(running), Departure::Leave(_));
        let staying = self.running_endpoints().filter(|(running, _)| stay(running));
        staying.map(|(_, tracker)| Arc::clone(tracker)).collect()
    }

    /// The sessions that leave with `plan`, by endpoint.
    pub fn leaving(&self, plan: &ClusterPlan) -> Vec<(DrainReason, Arc<ConnectionTracker>)> {
        let leaving = self.running_endpoints();
        let leaving = leaving.filter_map(|(running, tracker)| match plan.departure(&running) {
            Departure::Leave(reason) => Some((reason, Arc::clone(tracker))),
            Departure::Stay | Departure::Recheck | Departure::Move => None,
        });
        leaving.collect()
    }

    /// The sessions that go on with the new target of `plan` where they can, by endpoint.
    pub fn moving(&self, plan: &ClusterPlan) -> Vec<Arc<ConnectionTracker>> {
        let moving = self.running_endpoints();
        let moving = moving.filter(|(running, _)| plan.departure(running) == Departure::Move);
        moving.map(|(_, tracker)| Arc::clone(tracker)).collect()
    }

    fn running_endpoints(&self) -> impl Iterator<Item = (RunningEndpoint<'_>, &Arc<ConnectionTracker>)> {
        self.gateways.iter().flat_map(|gateway| {
            let endpoints = gateway.endpoints.iter();
            endpoints.map(move |(node, endpoint)| (gateway.running(*node, endpoint), &endpoint.tracker))
        })
    }
}

/// Removals of all host names of these gateways.
pub fn remove_routes<'g>(
    gateways: impl IntoIterator<Item = &'g ManagedGateway>,
) -> impl Iterator<Item = (ListenerKey, RouteChange)> {
    gateways.into_iter().flat_map(|gateway| {
        let hosts = [
            gateway.model.bootstrap_host.as_str(),
            gateway.model.node_host_pattern.as_str(),
        ];
        gateway
            .shared_endpoint()
            .into_iter()
            .flat_map(move |(key, tracker)| {
                hosts.map(|host| {
                    let (host, tracker) = (host.to_owned(), Arc::clone(tracker));
                    (key.clone(), RouteChange::Remove { host, tracker })
                })
            })
    })
}

/// The context of a cluster with a new target. Counters and limits go on where the cluster does.
fn new_context(
    model: &Arc<VirtualCluster>,
    before: Option<&ManagedCluster>,
    services: &SharedServices,
    target: Arc<UpstreamTarget>,
) -> Arc<ClusterContext> {
    let commons = match before {
        Some(before) => before.context.commons(),
        None => ClusterCommons {
            limit: Arc::new(ConnectionLimit::new(model.max_connections)),
            clients: Arc::new(ClientLimit::new(model.max_connections_per_client)),
            ..ClusterCommons::default()
        },
    };
    let process = Arc::clone(&services.process);
    Arc::new(ClusterContext::new(process, Arc::clone(model), target, commons))
}

fn new_gateway(
    cluster: &str,
    model: &Gateway,
    table: NodeTable,
    services: &SharedServices,
) -> Result<Arc<GatewayContext>, TlsError> {
    let tls = model.tls.as_ref();
    let tls = tls.map(|tls| DownstreamContext::new(tls, None).map(ArcSwap::from_pointee));
    Ok(Arc::new(GatewayContext {
        name: model.name.as_str().into(),
        directory: Arc::new(NodeDirectory::new(
            cluster,
            &model.name,
            table,
            services.endpoint_requests.clone(),
        )),
        withheld_logged: AtomicBool::new(false),
        tls: tls.transpose()?,
        proxy_protocol: model.proxy_protocol.clone(),
    }))
}

/// TLS towards the brokers of a target whose files hold something else now. It begins without tickets: they vouch for
/// brokers, and for kproxy, by what the files held before.
fn renewed_upstream(plan: &ClusterPlan) -> Result<Option<Arc<UpstreamContext>>, TlsError> {
    let tls = plan.cluster.target.tls.as_ref();
    tls.filter(|_| plan.target == TargetAction::Renew)
        .map(|tls| UpstreamContext::new(tls).map(Arc::new))
        .transpose()
}

/// The table of sessions of an endpoint, or of all endpoints of a gateway.
pub fn new_tracker(gateway: &Arc<str>) -> Arc<ConnectionTracker> {
    Arc::new(ConnectionTracker::new(Arc::clone(gateway)))
}
