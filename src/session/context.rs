//! What a session is given when it begins. What may change while it lives is behind a pointer that is looked at anew
//! when the session is told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

pub use super::role::NodeRole;

use super::counters::ClusterCounters;
use super::nodes::NodeDirectory;
use super::permits::ConnectionLimit;
use super::upstream::Target;
use crate::drain::ConnectionTracker;
use crate::model::{Network, VirtualCluster};

/// What holds for the whole process; read when a session begins and when it is told that something has changed.
#[derive(Debug)]
pub struct ProcessContext {
    generation: AtomicU64,
    network: ArcSwap<Network>,
}

impl ProcessContext {
    pub fn new(network: Network) -> Self {
        Self {
            generation: AtomicU64::new(0),
            network: ArcSwap::from_pointee(network),
        }
    }

    /// Number of the running configuration.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub fn network(&self) -> Guard<Arc<Network>> {
        self.network.load()
    }

    /// For the owner of the configuration only.
    pub fn set_network(&self, network: Arc<Network>) {
        self.network.store(network);
    }

    /// For the owner of the configuration only.
    pub fn advance(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// One virtual cluster with its target, as its sessions see it. It is replaced when the target changes; everything
/// else about a cluster changes behind it.
#[derive(Debug)]
pub struct ClusterContext {
    pub name: String,
    pub process: Arc<ProcessContext>,
    model: ArcSwap<VirtualCluster>,
    pub target: Arc<Target>,
    /// Shared by all contexts of a cluster.
    pub counters: Arc<ClusterCounters>,
    /// `maxConnections` of the cluster. Shared by all contexts of a cluster.
    pub limit: Arc<ConnectionLimit>,
}

impl ClusterContext {
    pub fn new(
        process: Arc<ProcessContext>,
        model: Arc<VirtualCluster>,
        target: Arc<Target>,
        counters: Arc<ClusterCounters>,
        limit: Arc<ConnectionLimit>,
    ) -> Self {
        Self {
            name: model.name.clone(),
            process,
            model: ArcSwap::new(model),
            target,
            counters,
            limit,
        }
    }

    /// What the configuration says of the cluster now.
    pub fn model(&self) -> Guard<Arc<VirtualCluster>> {
        self.model.load()
    }

    /// For the owner of the configuration only.
    pub fn set_model(&self, model: Arc<VirtualCluster>) {
        self.model.store(model);
    }
}

/// One gateway of a cluster.
#[derive(Debug)]
pub struct GatewayContext {
    pub name: Arc<str>,
    pub directory: Arc<NodeDirectory>,
    /// Whether a withheld node has been logged: said once, then only counted.
    pub withheld_logged: AtomicBool,
}

/// What an endpoint means just now: which cluster, which gateway, which of its brokers, and who is connected.
#[derive(Debug, Clone)]
pub struct EndpointBinding {
    pub cluster: Arc<ClusterContext>,
    pub gateway: Arc<GatewayContext>,
    pub node: NodeRole,
    /// The sessions of this endpoint for as long as it means the same.
    pub tracker: Arc<ConnectionTracker>,
}
