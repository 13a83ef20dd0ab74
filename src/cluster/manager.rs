//! Which virtual clusters run. Owned by the thread that applies changes; nobody else writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lifecycle::{ClusterLifecycle, ClusterState, ReportedState};
use crate::drain::ConnectionTracker;
use crate::endpoint::{EndpointSpec, ListenerKey};
use crate::filter::FilterChain;
use crate::model::{Gateway, IdentifiedBy, VirtualCluster};
use crate::session::context::{ClusterContext, GatewayContext, NodeRole};

/// One running cluster.
#[derive(Debug, Clone)]
pub struct ManagedCluster {
    /// State of the cluster.
    pub lifecycle: ClusterLifecycle,
    /// Generation that last changed it. Before it runs: that of its predecessor, or 0.
    pub generation: u64,
    /// Its settings.
    pub model: Arc<VirtualCluster>,
    /// Context for its sessions.
    pub context: Arc<ClusterContext>,
    /// Its filters.
    pub filters: FilterChain,
    /// Gateways in the order of the model.
    pub gateways: Vec<ManagedGateway>,
}

/// One gateway of a cluster, with its endpoints.
#[derive(Debug, Clone)]
pub struct ManagedGateway {
    /// Its settings.
    pub model: Gateway,
    /// Context for its sessions.
    pub context: Arc<GatewayContext>,
    /// Endpoints by role.
    pub endpoints: BTreeMap<NodeRole, ManagedEndpoint>,
}

/// One endpoint: its listener and its sessions.
#[derive(Debug, Clone)]
pub struct ManagedEndpoint {
    /// The listener of the endpoint.
    pub wanted: EndpointSpec,
    /// Sessions of the endpoint.
    pub tracker: Arc<ConnectionTracker>,
    /// Whether it was bound on demand, for a node outside the configured ranges.
    pub dynamic: bool,
}

impl ManagedGateway {
    /// The one endpoint of a gateway that identifies nodes by host name, with its shared listener.
    pub fn shared_endpoint(&self) -> Option<(&ListenerKey, &Arc<ConnectionTracker>)> {
        if self.model.identified_by == IdentifiedBy::Port {
            return None;
        }
        let endpoint = self.endpoints.get(&NodeRole::Bootstrap)?;
        Some((&endpoint.wanted.key, &endpoint.tracker))
    }
}

impl ManagedCluster {
    /// Every endpoint of the cluster.
    pub fn endpoints(&self) -> impl Iterator<Item = &ManagedEndpoint> {
        self.gateways
            .iter()
            .flat_map(|gateway| gateway.endpoints.values())
    }

    /// Every listener of the cluster.
    pub fn listeners(&self) -> impl Iterator<Item = &ListenerKey> {
        self.endpoints().map(|endpoint| &endpoint.wanted.key)
    }

    /// Trackers of the cluster's sessions.
    pub fn trackers(&self) -> impl Iterator<Item = &Arc<ConnectionTracker>> {
        self.endpoints().map(|endpoint| &endpoint.tracker)
    }

    /// Name of its state in status and metrics, where brokers of its target fail or do not.
    pub fn reported_state(&self, brokers_fail: bool) -> &'static str {
        match self.lifecycle.state() {
            ClusterState::Serving if self.context.intake.is_stopped() => ReportedState::Draining.name(),
            state => state.name_beside(brokers_fail),
        }
    }

    /// The gateway with this name.
    pub fn gateway(&self, name: &str) -> Option<&ManagedGateway> {
        self.gateways
            .iter()
            .find(|gateway| *gateway.context.name == *name)
    }
}

/// Virtual clusters that run. Only the thread that applies changes owns it; others read a [`ClusterSnapshot`].
#[derive(Debug, Default)]
pub struct VirtualClusterManager {
    clusters: BTreeMap<String, Arc<ManagedCluster>>,
    /// The snapshot taken last, until something changes.
    snapshot: Option<ClusterSnapshot>,
}

/// All clusters at one moment, by name.
pub type ClusterSnapshot = Arc<[Arc<ManagedCluster>]>;

impl VirtualClusterManager {
    /// Adds a cluster and returns the one of that name that it replaces.
    pub fn insert(&mut self, cluster: ManagedCluster) -> Option<Arc<ManagedCluster>> {
        self.snapshot = None;
        let cluster = Arc::new(cluster);
        if let Some(there) = self.clusters.get_mut(&cluster.model.name) {
            return Some(std::mem::replace(there, cluster));
        }
        self.clusters.insert(cluster.model.name.clone(), cluster)
    }

    /// Removes a cluster and returns it.
    pub fn remove(&mut self, name: &str) -> Option<Arc<ManagedCluster>> {
        self.snapshot = None;
        self.clusters.remove(name)
    }

    /// Finds a cluster by its name.
    pub fn get(&self, name: &str) -> Option<&ManagedCluster> {
        self.clusters.get(name).map(AsRef::as_ref)
    }

    /// Finds a cluster to change it. Snapshots taken before keep it as it was.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut ManagedCluster> {
        self.snapshot = None;
        self.clusters.get_mut(name).map(Arc::make_mut)
    }

    /// Finds a gateway to change it, as [`VirtualClusterManager::get_mut`] does.
    pub fn gateway_mut(
        &mut self,
        cluster: &str,
        gateway: &str,
    ) -> Option<(&Arc<ClusterContext>, &mut ManagedGateway)> {
        let cluster = self.get_mut(cluster)?;
        let gateway = cluster
            .gateways
            .iter_mut()
            .find(|candidate| *candidate.context.name == *gateway)?;
        Some((&cluster.context, gateway))
    }

    /// All clusters as they are now. Costs one reference for each cluster, and nothing when nothing has changed since the
    /// last time.
    pub fn snapshot(&mut self) -> ClusterSnapshot {
        let clusters = &self.clusters;
        let taken = self
            .snapshot
            .get_or_insert_with(|| clusters.values().cloned().collect());
        Arc::clone(taken)
    }

    /// Lists the clusters by name.
    pub fn iter(&self) -> impl Iterator<Item = &ManagedCluster> {
        self.clusters.values().map(AsRef::as_ref)
    }

    /// Number of clusters.
    pub fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Whether no cluster runs.
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }
}
