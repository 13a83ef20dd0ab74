//! From one model to the next: *prepare* may fail and leaves no trace, *commit* cannot fail, *retire* takes its
//! time behind it.

mod dynamic;
mod handover;

pub(in crate::control) use handover::HandoverFailure;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::cluster::{
    Arrival, ClusterLifecycle, ClusterState, Listeners, ManagedCluster, Surroundings, TlsChange,
    VirtualClusterManager, arrive, farewell, wanted,
};
use crate::control::runtime::state::{Remembered, StateDirectory};
use crate::drain::ConnectionTracker;
use crate::endpoint::{
    Activation, BindAddr, BindError, EndpointRegistry, EndpointSpec, ListenerKey, Reserved, RouteUpdates,
};
use crate::model::{DrainPolicy, Network, ProxyModel, VirtualCluster};
use crate::reload::{Handover, Plan};
use crate::session::context::ProcessContext;
use crate::session::counters::ClusterCounters;
use crate::session::nodes::EndpointRequest;
use crate::session::routes::ListenerTarget;
use crate::session::upstream::UpstreamTarget;
use crate::tls::{DownstreamContext, TlsError};

/// Clusters built before other work on this thread gets its turn.
const SLICE: usize = 256;

/// Owns what runs.
pub struct Reloader {
    /// What runs. Moves in [`Reloader::commit`] and nowhere else.
    current: Arc<ProxyModel>,
    pub(in crate::control) registry: EndpointRegistry,
    pub(in crate::control) clusters: VirtualClusterManager,
    pub(in crate::control) surroundings: Surroundings,
    remembered: Remembered,
    topology_changed: Arc<Notify>,
}

/// Why a model cannot run. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("virtual cluster `{cluster}`: {error}")]
    Bind { cluster: String, error: BindError },
    #[error("virtual cluster `{cluster}`: TLS: {error}")]
    Tls { cluster: String, error: TlsError },
}

impl PrepareError {
    /// Whether it may pass without anybody changing the configuration: a port that another process has, descriptors that
    /// are short, root certificates of the platform that are not there yet.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Bind { .. } => true,
            Self::Tls { error, .. } => matches!(error, TlsError::Platform(_)),
        }
    }
}

/// Everything the next generation needs, built and bound and not yet live. Dropping it is the rollback.
pub struct Prepared {
    pub(in crate::control) reserved: Reserved,
    /// Addresses that are bound only once others have been let go of.
    pub(in crate::control) after_handover: Vec<EndpointSpec>,
    pub(in crate::control) handovers: Vec<Handover>,
    arrivals: Vec<Arrival>,
    activation: Activation,
    /// Of clusters that stay.
    leaving: Vec<Leaving>,
    removed: Vec<String>,
    /// Listeners that no cluster has afterwards.
    orphans: Vec<ListenerKey>,
    network: Option<Arc<Network>>,
    next: Arc<ProxyModel>,
}

/// What a commit replaced: to be released and drained.
#[derive(Default)]
pub struct Retired {
    /// Listeners nobody has any more.
    pub listeners: Vec<ListenerKey>,
    pub leaving: Vec<Leaving>,
    /// Sessions that go on and are to look at their settings anew.
    pub refresh: Vec<Arc<ConnectionTracker>>,
    /// Sessions that are to be judged by new rules about clients.
    pub judged: Vec<Judged>,
    pub replaced: Replaced,
}

/// Sessions of a gateway that other clients are let in to than before.
pub struct Judged {
    pub context: Arc<DownstreamContext>,
    /// Those who are not let in any more shall leave, as this says; it has all of the gateway's trackers.
    pub leaving: Leaving,
}

/// What ran and does not any more; to be dropped where nobody waits.
#[derive(Default)]
pub struct Replaced {
    _clusters: Vec<Arc<ManagedCluster>>,
    _meanings: Vec<Arc<ListenerTarget>>,
    _model: Option<Arc<ProxyModel>>,
}

/// Sessions that shall leave, of one cluster.
pub struct Leaving {
    pub cluster: String,
    /// That last changed what they belong to.
    pub generation: u64,
    pub policy: DrainPolicy,
    pub trackers: Vec<Arc<ConnectionTracker>>,
    pub counters: Arc<ClusterCounters>,
    /// Present where the cluster itself is gone.
    pub removed: Option<ClusterLifecycle>,
}

impl Reloader {
    pub fn new(
        registry: EndpointRegistry,
        endpoint_requests: mpsc::Sender<EndpointRequest>,
        remembered: Remembered,
    ) -> Self {
        Self {
            current: Arc::new(ProxyModel::empty()),
            registry,
            clusters: VirtualClusterManager::default(),
            surroundings: Surroundings {
                process: Arc::new(ProcessContext::new(Network::default())),
                endpoint_requests,
            },
            remembered,
            topology_changed: Arc::default(),
        }
    }

    pub fn generation(&self) -> u64 {
        self.surroundings.process.generation()
    }

    pub fn current(&self) -> &Arc<ProxyModel> {
        &self.current
    }

    /// Told whenever a broker's address changes.
    pub fn topology_changed(&self) -> &Arc<Notify> {
        &self.topology_changed
    }

    /// Builds and binds what `next` needs; `plan` leads there from what runs.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub async fn prepare(&self, plan: Plan, next: Arc<ProxyModel>) -> Result<Prepared, Vec<PrepareError>> {
        let handed_over: HashSet<BindAddr> = plan
            .handovers
            .iter()
            .map(|handover| address(handover.bind))
            .collect();
        let all = plan
            .arriving()
            .flat_map(|model| wanted(model, self.clusters.get(&model.name)));
        let (after_handover, now): (Vec<_>, Vec<_>) =
            all.partition(|wanted| handed_over.contains(&wanted.address));
        let reserved = self
            .registry
            .reserve(&now)
            .await
            .map_err(|errors| blame(&plan, &self.clusters, errors))?;
        let (mut arrivals, mut errors) = (Vec::new(), Vec::new());
        for (index, model) in plan.arriving().enumerate() {
            match self.arrival(model, &reserved) {
                Ok(arrival) => arrivals.push(arrival),
                Err(error) => errors.push(PrepareError::Tls {
                    cluster: model.name.clone(),
                    error,
                }),
            }
            if index % SLICE == SLICE - 1 {
                tokio::task::yield_now().await;
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let removed: Vec<String> = plan.removed().map(str::to_owned).collect();
        let new_network = (self.current.network != next.network).then(|| Arc::new(next.network.clone()));
        let leaving = arrivals.iter_mut().filter_map(|arrival| self.leaving(arrival));
        let leaving = leaving.collect();
        let activation = self
            .registry
            .plan_activation(self.meanings(&mut arrivals, &removed), &self.surroundings.process);
        Ok(Prepared {
            reserved,
            after_handover,
            activation,
            leaving,
            orphans: self.orphans(&arrivals, &removed),
            arrivals,
            removed,
            network: new_network,
            handovers: plan.handovers,
            next,
        })
    }

    /// What endpoints mean after all of it.
    fn meanings(&self, arrivals: &mut [Arrival], removed: &[String]) -> RouteUpdates {
        let mut all = RouteUpdates::default();
        for arrival in arrivals {
            let RouteUpdates { endpoints, routes } = std::mem::take(&mut arrival.meanings);
            all.endpoints.extend(endpoints);
            all.routes.extend(routes);
        }
        let gone = removed.iter().filter_map(|name| self.clusters.get(name));
        all.routes
            .extend(gone.flat_map(|cluster| farewell(cluster, |_| false)));
        all
    }

    fn arrival(&self, model: &Arc<VirtualCluster>, reserved: &Reserved) -> Result<Arrival, TlsError> {
        let target = || {
            let nodes = self.remembered.nodes_of(&model.name, &model.target);
            let changed = Arc::clone(&self.topology_changed);
            let own = Arc::clone(self.registry.own());
            UpstreamTarget::new(model.target.clone(), nodes, changed, own).map(Arc::new)
        };
        arrive(
            model,
            self.clusters.get(&model.name),
            Listeners {
                bound: &|key| self.registry.bound(key, reserved),
                listening: &|key| self.registry.has(key),
            },
            &self.surroundings,
            target,
        )
    }

    /// The sessions for which there is no place in a cluster that arrives.
    fn leaving(&self, arrival: &mut Arrival) -> Option<Leaving> {
        let trackers = std::mem::take(&mut arrival.leaving);
        let model = &arrival.cluster.model;
        let before = self.clusters.get(&model.name)?;
        (!trackers.is_empty()).then(|| Leaving {
            cluster: model.name.clone(),
            generation: before.generation,
            policy: model.drain.clone(),
            trackers,
            counters: Arc::clone(&arrival.cluster.context.counters),
            removed: None,
        })
    }

    /// The listeners of clusters that are replaced or removed which none of `arrivals` has.
    fn orphans(&self, arrivals: &[Arrival], removed: &[String]) -> Vec<ListenerKey> {
        let arriving = arrivals.iter().flat_map(|arrival| arrival.cluster.listeners());
        let arriving: HashSet<&ListenerKey> = arriving.collect();
        let names = arrivals.iter().map(|arrival| &arrival.cluster.model.name);
        let before = names.chain(removed).filter_map(|name| self.clusters.get(name));
        let orphans = before
            .flat_map(ManagedCluster::listeners)
            .filter(|key| !arriving.contains(key));
        orphans.cloned().collect()
    }

    /// Makes it live: swaps pointers and starts accepting. What it replaces is returned.
    pub fn commit(&mut self, prepared: Prepared) -> Retired {
        let Prepared {
            reserved,
            arrivals,
            activation,
            leaving,
            removed,
            orphans,
            network,
            next,
            after_handover: _,
            handovers: _,
        } = prepared;
        let mut retired = Retired {
            listeners: orphans,
            leaving,
            ..Retired::default()
        };
        let generation = self.surroundings.process.advance();
        if let Some(network) = network {
            self.registry.set_max_connections(network.max_connections);
            self.surroundings.process.set_network(network);
            let all = self.clusters.iter().flat_map(ManagedCluster::trackers);
            retired.refresh.extend(all.cloned());
        }
        let mut before = Vec::with_capacity(arrivals.len() + removed.len());
        for arrival in arrivals {
            self.remembered.forget(&arrival.cluster.model.name);
            before.extend(self.install(arrival, generation, &mut retired));
        }
        let meanings = self.registry.activate(reserved, activation);
        for name in removed {
            if let Some(cluster) = self.clusters.remove(&name) {
                retired.leaving.push(Leaving::of(&cluster));
                before.push(cluster);
            }
        }
        retired.replaced = Replaced {
            _clusters: before,
            _meanings: meanings,
            _model: Some(std::mem::replace(&mut self.current, next)),
        };
        retired
    }

    /// Puts one cluster in its place and returns the one that was there.
    fn install(
        &mut self,
        arrival: Arrival,
        generation: u64,
        retired: &mut Retired,
    ) -> Option<Arc<ManagedCluster>> {
        let Arrival {
            mut cluster,
            tables,
            goes_on,
            tls,
            upstream_tls,
            meanings: _,
            leaving: _,
        } = arrival;
        for (directory, table) in tables {
            directory.store(table);
        }
        for change in tls {
            retired.judged.extend(switch_tls(change, &cluster));
        }
        if let Some(context) = upstream_tls {
            cluster.context.target.switch_tls(context);
        }
        cluster.generation = generation;
        cluster.context.set_generation(generation);
        let context = &cluster.context;
        context.limit.set(cluster.model.max_connections);
        context.clients.set(cluster.model.max_connections_per_client);
        if goes_on {
            context.set_model(Arc::clone(&cluster.model));
            context.target.select(cluster.model.target.selection);
            context.target.allow(&cluster.model.target.allowed_brokers);
            retired.refresh.extend(cluster.trackers().cloned());
        }
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
}

/// From now on handshakes go by the new settings.
fn switch_tls(change: TlsChange, cluster: &ManagedCluster) -> Option<Judged> {
    let TlsChange {
        gateway,
        context,
        judges,
    } = change;
    if let Some(tls) = &gateway.tls {
        tls.store(Arc::clone(&context));
    }
    Some(Judged {
        context,
        leaving: Leaving {
            cluster: cluster.model.name.clone(),
            generation: cluster.generation,
            policy: cluster.model.drain.clone(),
            trackers: judges?,
            counters: Arc::clone(&cluster.context.counters),
            removed: None,
        },
    })
}

impl Leaving {
    fn of(cluster: &ManagedCluster) -> Self {
        Self {
            cluster: cluster.model.name.clone(),
            generation: cluster.generation,
            policy: cluster.model.drain.clone(),
            trackers: cluster.trackers().cloned().collect(),
            counters: Arc::clone(&cluster.context.counters),
            removed: Some(cluster.lifecycle.clone()),
        }
    }
}

/// Moves a cluster on. The moves made here are all legal; an illegal one would be a defect worth reading about.
pub(in crate::control) fn advance(lifecycle: &mut ClusterLifecycle, state: ClusterState) {
    if let Err(error) = lifecycle.become_(state) {
        debug_assert!(false, "{error}");
        tracing::error!(%error, "unexpected lifecycle move");
    }
}

pub(in crate::control) fn address((ip, port): (crate::model::BindIp, u16)) -> BindAddr {
    BindAddr { ip, port }
}

/// Names the cluster that wanted each address; the first of those that would have shared it.
fn blame(plan: &Plan, clusters: &VirtualClusterManager, errors: Vec<BindError>) -> Vec<PrepareError> {
    let mut owners = HashMap::new();
    for model in plan.arriving() {
        for wanted in wanted(model, clusters.get(&model.name)) {
            owners.entry(wanted.key).or_insert_with(|| model.name.clone());
        }
    }
    errors
        .into_iter()
        .map(|error| PrepareError::Bind {
            cluster: owners.get(&error.key).cloned().unwrap_or_default(),
            error,
        })
        .collect()
}
