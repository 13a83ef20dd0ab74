//! What a session is given when it begins, and keeps until it ends.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use super::counters::ClusterCounters;
use super::nodes::NodeDirectory;
use super::upstream::Target;
use crate::drain::ConnectionTracker;
use crate::model::{Network, VirtualCluster};

/// One generation of one virtual cluster, as its sessions see it. Immutable but for what lives behind `Arc`s.
#[derive(Debug)]
pub struct ClusterContext {
    pub generation: u64,
    pub model: Arc<VirtualCluster>,
    pub network: Arc<Network>,
    /// Shared between generations as long as the target stays the same.
    pub target: Arc<Target>,
    /// Shared between generations.
    pub counters: Arc<ClusterCounters>,
    /// Of this generation alone: what is drained is a generation.
    pub tracker: Arc<ConnectionTracker>,
    /// `maxConnections` of the cluster, as permits.
    pub limit: Option<Arc<Semaphore>>,
}

/// One gateway of a cluster.
#[derive(Debug)]
pub struct GatewayContext {
    pub name: String,
    pub directory: Arc<NodeDirectory>,
    /// Whether a withheld node has been logged: said once, then only counted.
    pub withheld_logged: AtomicBool,
}

/// What an endpoint means just now: which cluster, which gateway, and which of its brokers.
#[derive(Debug, Clone)]
pub struct EndpointBinding {
    pub cluster: Arc<ClusterContext>,
    pub gateway: Arc<GatewayContext>,
    pub node: NodeRole,
}

/// The broker an endpoint leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeRole {
    /// Any bootstrap server.
    Bootstrap,
    /// Exactly this node and no other.
    Node(i32),
}

impl std::fmt::Display for NodeRole {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bootstrap => out.write_str("bootstrap"),
            Self::Node(id) => write!(out, "{id}"),
        }
    }
}
