//! From one model to the next: *prepare* may fail and leaves no trace, *commit* cannot fail, *retire* takes its
//! time behind it.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use super::state::{Remembered, StateDirectory};
use crate::cluster::{
    ClusterLifecycle, ClusterPlan, ClusterState, ManagedCluster, ManagedGateway, TargetSource,
    VirtualClusterManager,
};
use crate::endpoint::{BindError, EndpointRegistry, ListenerKey, Reserved};
use crate::model::{Network, ProxyModel, VirtualCluster};
use crate::reload::Plan;
use crate::session::counters::ClusterCounters;
use crate::session::nodes::EndpointRequest;
use crate::session::upstream::Target;

/// Owns what runs.
pub struct Reloader {
    /// What runs. Moves in [`Reloader::commit`] and nowhere else.
    current: Arc<ProxyModel>,
    generation: u64,
    pub(super) registry: EndpointRegistry,
    pub(super) clusters: VirtualClusterManager,
    /// Counters outlive a cluster's generations.
    counters: HashMap<String, Arc<ClusterCounters>>,
    endpoint_requests: mpsc::Sender<EndpointRequest>,
    remembered: Remembered,
    topology_changed: Arc<Notify>,
}

/// Why a model cannot run. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("virtual cluster `{cluster}`: {error}")]
    Bind { cluster: String, error: BindError },
}

/// Everything the next generation needs, built and bound and not yet live. Dropping it is the rollback.
pub struct Prepared {
    reserved: Reserved,
    clusters: Vec<ClusterPlan>,
    leaving: Vec<String>,
    next: Arc<ProxyModel>,
}

/// What a commit replaced: to be released and drained.
#[derive(Default)]
pub struct Retired {
    pub(super) clusters: Vec<ManagedCluster>,
    /// Listeners nobody has any more.
    pub(super) listeners: Vec<ListenerKey>,
}

impl Reloader {
    pub fn new(
        registry: EndpointRegistry,
        endpoint_requests: mpsc::Sender<EndpointRequest>,
        remembered: Remembered,
    ) -> Self {
        Self {
            current: Arc::new(ProxyModel::empty()),
            generation: 0,
            registry,
            clusters: VirtualClusterManager::default(),
            counters: HashMap::new(),
            endpoint_requests,
            remembered,
            topology_changed: Arc::default(),
        }
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn current(&self) -> &Arc<ProxyModel> {
        &self.current
    }

    /// Told whenever a broker's address changes.
    pub fn topology_changed(&self) -> &Arc<Notify> {
        &self.topology_changed
    }

    /// Builds and binds what `next` needs.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub async fn prepare(&self, next: Arc<ProxyModel>) -> Result<Prepared, Vec<PrepareError>> {
        let plan = Plan::between(&self.current, &next);
        let clusters: Vec<ClusterPlan> = plan.arriving().map(ClusterPlan::of).collect();
        let wanted: Vec<_> = clusters.iter().flat_map(ClusterPlan::wanted).cloned().collect();
        let reserved = self
            .registry
            .reserve(&wanted)
            .await
            .map_err(|errors| blame(&clusters, errors))?;
        let leaving = plan.leaving().map(str::to_owned).collect();
        Ok(Prepared {
            reserved,
            clusters,
            leaving,
            next,
        })
    }

    /// Makes it live. What it replaces is returned.
    pub fn commit(&mut self, prepared: Prepared) -> Retired {
        let Prepared {
            reserved,
            clusters,
            leaving,
            next,
        } = prepared;
        self.generation += 1;
        let network = Arc::new(next.network.clone());
        let mut bindings = Vec::new();
        let mut arriving = Vec::with_capacity(clusters.len());
        for plan in &clusters {
            let context = plan.context(self.generation, &network, self.source(&plan.model));
            let mut gateways = Vec::with_capacity(plan.gateways.len());
            for gateway in &plan.gateways {
                let bound = |key: &ListenerKey| self.registry.bound(key, &reserved);
                let gateway_context = gateway.context(&plan.model.name, bound, &self.endpoint_requests);
                bindings.extend(gateway.bindings(&context, &gateway_context));
                gateways.push(ManagedGateway {
                    plan: gateway.clone(),
                    context: gateway_context,
                    dynamic: std::collections::BTreeMap::new(),
                });
            }
            arriving.push(ManagedCluster {
                lifecycle: ClusterLifecycle::default(),
                context,
                gateways,
            });
        }
        let mut retired = Retired::default();
        retired
            .clusters
            .extend(leaving.iter().filter_map(|name| self.clusters.remove(name)));
        self.registry.activate(reserved, bindings);
        for mut cluster in arriving {
            advance(&mut cluster, ClusterState::Serving);
            self.clusters.insert(cluster);
        }
        retired.listeners = self.orphans(&retired.clusters);
        self.counters.retain(|name, _| next.clusters.contains_key(name));
        self.current = next;
        retired
    }

    /// Listeners of the leaving that no running cluster has.
    fn orphans(&self, leaving: &[ManagedCluster]) -> Vec<ListenerKey> {
        let kept: std::collections::HashSet<&ListenerKey> =
            self.clusters.iter().flat_map(ManagedCluster::listeners).collect();
        leaving
            .iter()
            .flat_map(ManagedCluster::listeners)
            .filter(|key| !kept.contains(key))
            .cloned()
            .collect()
    }

    /// The target and counters of a cluster: those of the generation before, where it is the same target.
    fn source(&mut self, model: &VirtualCluster) -> TargetSource {
        let before = self
            .clusters
            .get(&model.name)
            .map(|cluster| &cluster.context.target);
        let target = match before {
            Some(target) if *target.model() == model.target => Arc::clone(target),
            _ => {
                let nodes = self.remembered.take(&model.name, &model.target);
                Arc::new(Target::new(
                    model.target.clone(),
                    nodes,
                    Arc::clone(&self.topology_changed),
                ))
            }
        };
        let counters = self.counters.entry(model.name.clone()).or_default();
        TargetSource {
            target,
            counters: Arc::clone(counters),
        }
    }

    /// The counters of a running cluster.
    pub fn counters(&self, cluster: &str) -> Option<Arc<ClusterCounters>> {
        self.counters.get(cluster).cloned()
    }

    /// What is known of every cluster's brokers, as the bytes of the file that remembers it.
    pub fn topology_image(&self) -> Vec<u8> {
        StateDirectory::image(&self.clusters)
    }

    /// The network settings of the running generation.
    pub fn network(&self) -> &Network {
        &self.current.network
    }
}

/// Moves a cluster on. The moves made here are all legal; an illegal one would be a defect worth reading about.
pub(super) fn advance(cluster: &mut ManagedCluster, state: ClusterState) {
    if let Err(error) = cluster.lifecycle.become_(state) {
        debug_assert!(false, "{error}");
        tracing::error!(cluster = %cluster.context.model.name, %error, "unexpected lifecycle move");
    }
}

/// Names the cluster that wanted each address.
fn blame(clusters: &[ClusterPlan], errors: Vec<BindError>) -> Vec<PrepareError> {
    let owner = |error: &BindError| {
        let has = |plan: &&ClusterPlan| plan.wanted().any(|wanted| wanted.address == error.address);
        clusters
            .iter()
            .find(has)
            .map_or_else(String::new, |plan| plan.model.name.clone())
    };
    errors
        .into_iter()
        .map(|error| PrepareError::Bind {
            cluster: owner(&error),
            error,
        })
        .collect()
}

impl Retired {
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty() && self.listeners.is_empty()
    }
}
