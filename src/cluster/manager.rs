//! Which virtual clusters run. Owned by the thread that applies changes; nobody else writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::GatewayPlan;
use super::lifecycle::ClusterLifecycle;
use crate::endpoint::ListenerKey;
use crate::session::context::{ClusterContext, GatewayContext};

/// One running cluster.
#[derive(Debug)]
pub struct ManagedCluster {
    pub lifecycle: ClusterLifecycle,
    pub context: Arc<ClusterContext>,
    pub gateways: Vec<ManagedGateway>,
}

/// One gateway of it, with the listeners it holds.
#[derive(Debug)]
pub struct ManagedGateway {
    pub plan: GatewayPlan,
    pub context: Arc<GatewayContext>,
    /// Bound on the spot for nodes outside the configured ranges: node id and listener.
    pub dynamic: BTreeMap<i32, ListenerKey>,
}

impl ManagedCluster {
    /// Every listener of the cluster.
    pub fn listeners(&self) -> impl Iterator<Item = &ListenerKey> {
        self.gateways.iter().flat_map(|gateway| {
            std::iter::once(&gateway.plan.bootstrap.key)
                .chain(gateway.plan.nodes.iter().map(|(_, wanted)| &wanted.key))
                .chain(gateway.dynamic.values())
        })
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct VirtualClusterManager {
    clusters: BTreeMap<String, ManagedCluster>,
}

impl VirtualClusterManager {
    /// Puts a cluster in its place and returns the one it replaces.
    pub fn insert(&mut self, cluster: ManagedCluster) -> Option<ManagedCluster> {
        self.clusters.insert(cluster.context.model.name.clone(), cluster)
    }

    pub fn remove(&mut self, name: &str) -> Option<ManagedCluster> {
        self.clusters.remove(name)
    }

    pub fn get(&self, name: &str) -> Option<&ManagedCluster> {
        self.clusters.get(name)
    }

    pub fn gateway_mut(
        &mut self,
        cluster: &str,
        gateway: &str,
    ) -> Option<(&Arc<ClusterContext>, &mut ManagedGateway)> {
        let cluster = self.clusters.get_mut(cluster)?;
        let gateway = cluster
            .gateways
            .iter_mut()
            .find(|candidate| candidate.context.name == gateway)?;
        Some((&cluster.context, gateway))
    }

    pub fn iter(&self) -> impl Iterator<Item = &ManagedCluster> {
        self.clusters.values()
    }

    pub fn len(&self) -> usize {
        self.clusters.len()
    }

    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }
}
