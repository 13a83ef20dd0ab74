//! From the model of a cluster to what its sessions are given. Pure but for counting generations.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Semaphore, mpsc};

use crate::drain::ConnectionTracker;
use crate::endpoint::{BindAddr, ListenerKey, Wanted};
use crate::model::{Gateway, Network, NodePort, VirtualCluster};
use crate::session::context::{ClusterContext, EndpointBinding, GatewayContext, NodeRole};
use crate::session::counters::ClusterCounters;
use crate::session::nodes::{AdvertisedNode, EndpointRequest, NodeDirectory, NodeTable};
use crate::session::upstream::Target;

/// The token of host patterns that stands for the node id.
const NODE_ID: &str = "$(nodeId)";

/// Every endpoint a cluster wants, before any is bound.
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    pub model: Arc<VirtualCluster>,
    pub gateways: Vec<GatewayPlan>,
}

#[derive(Debug, Clone)]
pub struct GatewayPlan {
    pub model: Gateway,
    pub bootstrap: Wanted,
    pub nodes: Vec<(NodePort, Wanted)>,
}

/// What a new generation of a cluster takes over from the one before, or begins with.
#[derive(Debug, Clone)]
pub struct TargetSource {
    pub target: Arc<Target>,
    pub counters: Arc<ClusterCounters>,
}

impl ClusterPlan {
    pub fn of(model: &Arc<VirtualCluster>) -> Self {
        let gateway = |gateway: &Gateway| GatewayPlan {
            bootstrap: wanted(&model.name, gateway, NodeRole::Bootstrap, gateway.bootstrap_port),
            nodes: gateway
                .nodes
                .iter()
                .map(|&node| {
                    (
                        node,
                        wanted(&model.name, gateway, NodeRole::Node(node.node_id), node.port),
                    )
                })
                .collect(),
            model: gateway.clone(),
        };
        Self {
            model: Arc::clone(model),
            gateways: model.gateways.iter().map(gateway).collect(),
        }
    }

    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.gateways.iter().flat_map(|gateway| {
            std::iter::once(&gateway.bootstrap).chain(gateway.nodes.iter().map(|(_, node)| node))
        })
    }

    /// The context of one generation of this cluster.
    pub fn context(
        &self,
        generation: u64,
        network: &Arc<Network>,
        source: TargetSource,
    ) -> Arc<ClusterContext> {
        Arc::new(ClusterContext {
            generation,
            model: Arc::clone(&self.model),
            network: Arc::clone(network),
            target: source.target,
            counters: source.counters,
            tracker: Arc::new(ConnectionTracker::default()),
            limit: self
                .model
                .max_connections
                .map(|limit| Arc::new(Semaphore::new(limit))),
        })
    }
}

/// What is listened on for one endpoint of a gateway.
pub(super) fn wanted(cluster: &str, gateway: &Gateway, node: NodeRole, port: u16) -> Wanted {
    let address = BindAddr {
        ip: gateway.bind,
        port,
    };
    let key = match port {
        0 => ListenerKey::Ephemeral {
            cluster: cluster.into(),
            gateway: gateway.name.clone(),
            node,
        },
        _ => ListenerKey::Address(address),
    };
    Wanted { key, address }
}

impl GatewayPlan {
    /// The gateway's context, once it is known what its endpoints are bound to.
    pub fn context(
        &self,
        cluster: &str,
        bound: impl Fn(&ListenerKey) -> Option<SocketAddr>,
        requests: &mpsc::Sender<EndpointRequest>,
    ) -> Arc<GatewayContext> {
        let mut table = NodeTable::default();
        for (node, wanted) in &self.nodes {
            if let Some(bound) = bound(&wanted.key) {
                let port = node.advertised_port.unwrap_or_else(|| bound.port());
                table.insert(
                    node.node_id,
                    AdvertisedNode {
                        host: self.host_of(node.node_id),
                        port,
                    },
                );
            }
        }
        if self.model.dynamic_ports.is_some() {
            table.expect_host(self.host_of(i32::MAX).len());
        }
        let requests = self.model.dynamic_ports.map(|_| requests.clone());
        let directory = NodeDirectory::new(cluster, &self.model.name, table, requests);
        Arc::new(GatewayContext {
            name: self.model.name.clone(),
            directory: Arc::new(directory),
            withheld_logged: AtomicBool::new(false),
        })
    }

    /// The host clients are told for a node.
    pub fn host_of(&self, node: i32) -> String {
        self.model.node_host_pattern.replace(NODE_ID, &node.to_string())
    }

    /// The meaning of every endpoint of this gateway.
    pub fn bindings(
        &self,
        cluster: &Arc<ClusterContext>,
        gateway: &Arc<GatewayContext>,
    ) -> Vec<(ListenerKey, EndpointBinding)> {
        let binding = |node| EndpointBinding {
            cluster: Arc::clone(cluster),
            gateway: Arc::clone(gateway),
            node,
        };
        let bootstrap = (self.bootstrap.key.clone(), binding(NodeRole::Bootstrap));
        let nodes = self
            .nodes
            .iter()
            .map(|(node, wanted)| (wanted.key.clone(), binding(NodeRole::Node(node.node_id))));
        std::iter::once(bootstrap).chain(nodes).collect()
    }
}
