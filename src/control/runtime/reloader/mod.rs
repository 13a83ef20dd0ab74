//! From one model to the next: *prepare* may fail and leaves no trace, *commit* cannot fail, *retire* takes its
//! time behind it.

mod dynamic;
mod fence;
mod filters;
mod rebind;
mod retired;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::cluster::{
    ClusterLifecycle, ClusterState, GatewayEndpoints, Listeners, ManagedCluster, PreparedCluster,
    SharedServices, VirtualClusterManager, build_cluster, planned_endpoints, remove_routes,
};
use crate::control::runtime::fences;
use crate::control::runtime::remembered_topics::TopicSource;
use crate::control::runtime::state::{RememberedTopology, StateDirectory};
use crate::endpoint::{
    Activation, BindAddr, BindError, EndpointRegistry, EndpointSpec, ListenerKey, Reserved, RouteUpdates,
};
use crate::filter::{FilterChain, FilterError, TopicNameMap};
use crate::model::{Network, ProxyModel, VirtualCluster};
use crate::reload::{AddressConflict, ClusterPlan, DrainReason, FiltersAction, Plan};
use crate::session::context::{ClusterContext, ProcessContext};
use crate::session::nodes::EndpointRequest;
use crate::session::successor::Successor;
use crate::session::upstream::UpstreamTarget;
use crate::tls::TlsError;
pub(in crate::control) use rebind::RebindFailure;
pub(in crate::control) use retired::{Leaving, Recheck, Replaced, Retired};

/// Clusters built before other work on this thread gets its turn.
const SLICE: usize = 256;

/// Owns what runs.
pub struct Reloader {
    /// What runs. Moves in [`Reloader::commit`] and nowhere else.
    current: Arc<ProxyModel>,
    pub(in crate::control) registry: EndpointRegistry,
    pub(in crate::control) clusters: VirtualClusterManager,
    pub(in crate::control) services: SharedServices,
    remembered: RememberedTopology,
    topology_changed: Arc<Notify>,
}

/// Reason why a model cannot run. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A listener could not be bound.
    #[error("virtual cluster `{cluster}`: {error}")]
    Bind {
        /// Name of the virtual cluster.
        cluster: String,
        /// The listener and the error of the operating system.
        error: BindError,
    },
    /// A filter cannot do its work.
    #[error("virtual cluster `{cluster}`: {error}")]
    Filter {
        /// Name of the virtual cluster.
        cluster: String,
        /// The reason.
        error: FilterError,
    },
    /// TLS settings could not be used.
    #[error("virtual cluster `{cluster}`: TLS: {error}")]
    Tls {
        /// Name of the virtual cluster.
        cluster: String,
        /// The reason.
        error: TlsError,
    },
}

impl PrepareError {
    /// Whether the reason may go away without a change of the configuration: a port used by another process, missing
    /// descriptors, root certificates of the platform that are not installed yet, a server that a filter needs.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Bind { .. } => true,
            Self::Filter { error, .. } => error.may_pass,
            Self::Tls { error, .. } => matches!(error, TlsError::Platform(_)),
        }
    }
}

/// Everything the next generation needs, built and bound and not yet live. Dropping it is the rollback.
pub struct Prepared {
    pub(in crate::control) reserved: Reserved,
    /// Addresses that are bound only once conflicting ones have been released.
    pub(in crate::control) conflicting: Vec<EndpointSpec>,
    pub(in crate::control) conflicts: Vec<AddressConflict>,
    clusters: Vec<PreparedCluster>,
    activation: Activation,
    /// Sessions of clusters that go on.
    leaving: Vec<Leaving>,
    removed: Vec<String>,
    /// Listeners that no cluster has afterwards.
    orphans: Vec<ListenerKey>,
    network: Option<Arc<Network>>,
    next: Arc<ProxyModel>,
}

impl Reloader {
    /// A reloader that runs the empty model.
    pub fn new(
        registry: EndpointRegistry,
        endpoint_requests: mpsc::Sender<EndpointRequest>,
        remembered: RememberedTopology,
    ) -> Self {
        let process = Arc::new(ProcessContext::new(Network::default()));
        process.set_openers(registry.openers());
        Self {
            current: Arc::new(ProxyModel::empty()),
            registry,
            clusters: VirtualClusterManager::default(),
            services: SharedServices {
                process,
                endpoint_requests,
            },
            remembered,
            topology_changed: Arc::default(),
        }
    }

    /// Number of the running configuration.
    pub fn generation(&self) -> u64 {
        self.services.process.generation()
    }

    /// Has the first generation be the one after `reached`, which an earlier run of the process reached.
    pub fn continue_after(&self, reached: u64) {
        self.services.process.continue_after(reached);
    }

    /// The running model.
    pub fn current(&self) -> &Arc<ProxyModel> {
        &self.current
    }

    /// Told whenever a broker's address changes.
    pub fn topology_changed(&self) -> &Arc<Notify> {
        &self.topology_changed
    }

    /// Builds and binds what `plan` says; it leads from what runs to `next`.
    ///
    /// # Errors
    /// [`PrepareError::Filter`] for every cluster whose filters cannot do their work; else [`PrepareError::Bind`] for every
    /// port that cannot be bound; else [`PrepareError::Tls`] for every cluster whose TLS
    /// settings cannot be used.
    pub async fn prepare(&self, plan: Plan, next: Arc<ProxyModel>) -> Result<Prepared, Vec<PrepareError>> {
        let new_names = |model: &VirtualCluster| self.topic_names(model);
        let filters = filters::build_all(&plan, &self.clusters, new_names).await?;
        let endpoints: Vec<Vec<GatewayEndpoints>> = plan
            .clusters()
            .map(|plan| planned_endpoints(plan, self.clusters.get(&plan.cluster.name)))
            .collect();
        let conflicting: HashSet<BindAddr> = plan
            .conflicts
            .iter()
            .map(|conflict| address(conflict.bind))
            .collect();
        let specs = endpoints.iter().flatten().flat_map(GatewayEndpoints::values);
        let specs = specs.map(|planned| planned.spec.clone());
        let (conflicting, now): (Vec<_>, Vec<_>) =
            specs.partition(|spec| conflicting.contains(&spec.address));
        let reserved = self
            .registry
            .reserve(&now)
            .await
            .map_err(|errors| blame(&plan, &endpoints, errors))?;
        let mut clusters = self.build(&plan, endpoints, filters, &reserved).await?;
        let removed: Vec<String> = plan.removed().map(|removal| removal.cluster.clone()).collect();
        let new_network = (self.current.network != next.network).then(|| Arc::new(next.network.clone()));
        let leaving = clusters
            .iter_mut()
            .flat_map(|cluster| self.leaving(cluster))
            .collect();
        let routes = self.route_updates(&mut clusters, &removed);
        Ok(Prepared {
            reserved,
            conflicting,
            activation: self.registry.plan_activation(routes, &self.services.process),
            leaving,
            orphans: self.orphans(&clusters, &removed),
            clusters,
            removed,
            network: new_network,
            conflicts: plan.conflicts,
            next,
        })
    }

    async fn build(
        &self,
        plan: &Plan,
        endpoints: Vec<Vec<GatewayEndpoints>>,
        filters: Vec<FilterChain>,
        reserved: &Reserved,
    ) -> Result<Vec<PreparedCluster>, Vec<PrepareError>> {
        let (mut clusters, mut errors) = (Vec::new(), Vec::new());
        let parts = plan.clusters().zip(endpoints).zip(filters);
        for (index, ((plan, endpoints), filters)) in parts.enumerate() {
            match self.build_one(plan, endpoints, filters, reserved) {
                Ok(cluster) => clusters.push(cluster),
                Err(error) => errors.push(PrepareError::Tls {
                    cluster: plan.cluster.name.clone(),
                    error,
                }),
            }
            if index % SLICE == SLICE - 1 {
                tokio::task::yield_now().await;
            }
        }
        if errors.is_empty() {
            Ok(clusters)
        } else {
            Err(errors)
        }
    }

    /// What is known of the topics of a cluster that has no filters yet.
    fn topic_names(&self, model: &VirtualCluster) -> Arc<TopicNameMap> {
        let names = TopicNameMap::new(model.topic_names, Arc::clone(&self.topology_changed));
        self.remembered.tell_topics(&model.name, &model.target, &names);
        Arc::new(names)
    }

    /// What is known of the topics of a cluster that runs.
    fn topics_of(&self, cluster: &ManagedCluster) -> Arc<TopicNameMap> {
        let known = cluster.filters.topics().cloned();
        known.unwrap_or_else(|| self.topic_names(&cluster.model))
    }

    fn build_one(
        &self,
        plan: &ClusterPlan,
        endpoints: Vec<GatewayEndpoints>,
        filters: FilterChain,
        reserved: &Reserved,
    ) -> Result<PreparedCluster, TlsError> {
        let model = &plan.cluster;
        let new_target = || {
            let nodes = self.remembered.nodes_of(&model.name, &model.target);
            let changed = Arc::clone(&self.topology_changed);
            let own = Arc::clone(self.registry.own());
            UpstreamTarget::new(model.target.clone(), nodes, changed, own).map(Arc::new)
        };
        let listeners = Listeners {
            bound: &|key| self.registry.bound(key, reserved),
            is_listening: &|key| self.registry.has(key),
        };
        let before = self.clusters.get(&model.name);
        let filters_of = |context: &ClusterContext, is_new| {
            fences::configured(filters, model.fence.as_ref(), context, is_new)
        };
        build_cluster(
            plan,
            endpoints,
            before,
            listeners,
            &self.services,
            filters_of,
            new_target,
        )
    }

    /// The targets of all listeners and host names that change, with the removals of those that end.
    fn route_updates(&self, clusters: &mut [PreparedCluster], removed: &[String]) -> RouteUpdates {
        let mut all = RouteUpdates::default();
        for cluster in clusters {
            let RouteUpdates { endpoints, routes } = std::mem::take(&mut cluster.upserts);
            all.endpoints.extend(endpoints);
            all.routes.extend(routes);
        }
        let gone = removed.iter().filter_map(|name| self.clusters.get(name));
        all.routes
            .extend(remove_routes(gone.flat_map(|cluster| &cluster.gateways)));
        all
    }

    /// The sessions of a cluster that goes on which the plan asks to leave, and those which it asks to move or leave.
    fn leaving(&self, cluster: &mut PreparedCluster) -> Vec<Leaving> {
        let leaving = std::mem::take(&mut cluster.leaving);
        let moving = std::mem::take(&mut cluster.moving);
        let Some(before) = self.clusters.get(&cluster.cluster.model.name) else {
            return Vec::new();
        };
        let of = |reason: DrainReason, trackers: Vec<_>, may_move| Leaving {
            cluster: before.model.name.clone(),
            generation: before.generation,
            policy: cluster.cluster.model.drain.clone(),
            reason: Some(reason.description()),
            trackers,
            counters: Arc::clone(&cluster.cluster.context.counters),
            removed: None,
            may_move,
        };
        let reason = leaving.first().map(|(reason, _)| *reason);
        let trackers = leaving.into_iter().map(|(_, tracker)| tracker).collect();
        let leave = reason.map(|reason| of(reason, trackers, false));
        let go_on = (!moving.is_empty()).then(|| of(DrainReason::TargetReplaced, moving, true));
        leave.into_iter().chain(go_on).collect()
    }

    /// The listeners of clusters that are modified or removed which none of `prepared` has.
    fn orphans(&self, prepared: &[PreparedCluster], removed: &[String]) -> Vec<ListenerKey> {
        let arriving = prepared.iter().flat_map(|prepared| prepared.cluster.listeners());
        let names = prepared.iter().map(|prepared| &prepared.cluster.model.name);
        let before = names.chain(removed).filter_map(|name| self.clusters.get(name));
        let arriving = arriving.collect();
        let orphans = orphans(before, &arriving);
        orphans.map(|spec| spec.key.clone()).collect()
    }

    /// Makes it live: swaps pointers and starts accepting. What it replaces is returned.
    pub fn commit(&mut self, prepared: Prepared) -> Retired {
        let Prepared {
            reserved,
            clusters,
            activation,
            leaving,
            removed,
            orphans,
            network,
            next,
            conflicting: _,
            conflicts: _,
        } = prepared;
        let mut retired = Retired {
            listeners: orphans,
            leaving,
            ..Retired::default()
        };
        let generation = self.services.process.advance();
        if let Some(network) = network {
            self.registry.set_max_connections(network.max_connections);
            self.services.process.set_network(network);
            let all = self.clusters.iter().flat_map(ManagedCluster::trackers);
            retired.refresh.extend(all.cloned());
        }
        let mut before = Vec::with_capacity(clusters.len() + removed.len());
        for prepared in clusters {
            self.remembered.given_to(&prepared.cluster);
            before.extend(self.install(prepared, generation, &mut retired));
        }
        let targets = self.registry.activate(reserved, activation);
        for name in removed {
            self.remembered.forget(&name);
            if let Some(cluster) = self.clusters.remove(&name) {
                cluster.context.set_successor(Arc::new(Successor::none()));
                retired.leaving.push(Leaving::of(&cluster));
                before.push(cluster);
            }
        }
        retired.replaced = Replaced::new(before, targets, std::mem::replace(&mut self.current, next));
        retired
    }

    /// Puts one cluster in its place and returns the one that was there.
    fn install(
        &mut self,
        prepared: PreparedCluster,
        generation: u64,
        retired: &mut Retired,
    ) -> Option<Arc<ManagedCluster>> {
        let PreparedCluster {
            mut cluster,
            tables,
            is_reused,
            filters,
            recheck_logins,
            tls,
            upstream_tls,
            successor,
            upserts: _,
            leaving: _,
            moving: _,
        } = prepared;
        let before = self.clusters.get(&cluster.model.name);
        if let (Some(before), Some(successor)) = (before, successor) {
            before.context.set_successor(successor);
        }
        for (directory, table) in tables {
            directory.store(table);
        }
        for update in tls {
            retired.recheck.extend(Recheck::after(update, &cluster));
        }
        if let Some(context) = upstream_tls {
            cluster.context.target.switch_tls(context);
        }
        cluster.generation = generation;
        cluster.context.set_generation(generation);
        let context = &cluster.context;
        if let Some(topics) = cluster.filters.topics() {
            topics.set_limits(cluster.model.topic_names);
        }
        context.limit.set(cluster.model.max_connections);
        context.clients.set(cluster.model.max_connections_per_client);
        context.target.select(&cluster.model.target.selection);
        context.target.allow(&cluster.model.target.allowed_brokers);
        context.target.renew_via(cluster.model.target.via.as_ref());
        context.target.renew_login(cluster.model.target.login.as_ref());
        if is_reused {
            context.set_model(Arc::clone(&cluster.model));
            if filters != FiltersAction::Keep {
                context.set_chain(cluster.filters.chain().cloned());
            }
            let before = self.clusters.get(&cluster.model.name);
            let fence = before.and_then(|before| before.filters.fence());
            let ended = fences::exchange(&cluster.model.name, fence, cluster.filters.fence());
            retired.fences.extend(ended);
            let leaving = before.filter(|_| filters == FiltersAction::Offer);
            retired
                .refresh
                .extend(leaving.into_iter().flat_map(ManagedCluster::trackers).cloned());
            retired.refresh.extend(cluster.trackers().cloned());
        } else {
            // Sessions of the context before leave it with the fence that they have: what it holds must not go on to where they
            // lead.
            let before = self.clusters.get(&cluster.model.name);
            let fence = before.and_then(|before| before.filters.fence());
            drop(fences::exchange(
                &cluster.model.name,
                fence,
                cluster.filters.fence(),
            ));
        }
        let logins = recheck_logins.map(|settings| Recheck::of_logins(settings, &cluster));
        retired.recheck.extend(logins);
        if matches!(cluster.lifecycle.state(), ClusterState::Failed { .. }) {
            advance(&mut cluster.lifecycle, ClusterState::Initializing);
        }
        if *cluster.lifecycle.state() != ClusterState::Serving {
            advance(&mut cluster.lifecycle, ClusterState::Serving);
        }
        self.clusters.insert(cluster)
    }

    /// What is known of every cluster's brokers, as the bytes of the file that remembers it.
    pub fn topology_image(&self) -> Vec<u8> {
        StateDirectory::image(&self.clusters)
    }

    /// Names of topics that every cluster's filters know, or get with the first of them.
    pub fn topic_sources(&self) -> Vec<TopicSource> {
        let clusters = self.clusters.iter();
        clusters
            .filter_map(|cluster| self.remembered.topic_source(cluster))
            .collect()
    }
}

/// The listeners of clusters that are modified or removed which are not among `arriving`.
pub(in crate::control) fn orphans<'c>(
    before: impl Iterator<Item = &'c ManagedCluster>,
    arriving: &HashSet<&ListenerKey>,
) -> impl Iterator<Item = &'c EndpointSpec> {
    before
        .flat_map(ManagedCluster::endpoints)
        .map(|endpoint| &endpoint.wanted)
        .filter(|spec| !arriving.contains(&spec.key))
}

/// Makes a transition that is valid wherever this is called; an invalid one is a defect and is logged.
pub(in crate::control) fn advance(lifecycle: &mut ClusterLifecycle, state: ClusterState) {
    if let Err(error) = lifecycle.transition_to(state) {
        debug_assert!(false, "{error}");
        tracing::error!(%error, "invalid transition of a cluster");
    }
}

pub(in crate::control) fn address((ip, port): (crate::model::BindIp, u16)) -> BindAddr {
    BindAddr { ip, port }
}

/// Names the cluster of each address that cannot be bound; the first of those that would have shared it.
fn blame(plan: &Plan, endpoints: &[Vec<GatewayEndpoints>], errors: Vec<BindError>) -> Vec<PrepareError> {
    let mut owners = HashMap::new();
    for (plan, gateways) in plan.clusters().zip(endpoints) {
        for planned in gateways.iter().flat_map(GatewayEndpoints::values) {
            owners.entry(&planned.spec.key).or_insert(&plan.cluster.name);
        }
    }
    let owner = |key: &ListenerKey| owners.get(key).map(|name| (*name).clone());
    errors
        .into_iter()
        .map(|error| PrepareError::Bind {
            cluster: owner(&error.key).unwrap_or_default(),
            error,
        })
        .collect()
}
