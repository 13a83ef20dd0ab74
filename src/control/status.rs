//! What runs, as data for people and programs.

use std::net::SocketAddr;

use serde::Serialize;

use super::Reloader;
use crate::cluster::{ManagedCluster, ManagedGateway};
use crate::endpoint::ListenerKey;

#[derive(Debug, Clone, Serialize)]
pub struct ProxyStatus {
    pub version: &'static str,
    pub pid: u32,
    pub generation: u64,
    pub clusters: Vec<ClusterStatus>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ClusterStatus {
    pub name: String,
    pub state: &'static str,
    pub generation: u64,
    pub connections: usize,
    pub gateways: Vec<GatewayStatus>,
}

#[derive(Debug, Clone, Serialize)]
pub struct GatewayStatus {
    pub name: String,
    /// What clients bootstrap from.
    pub bootstrap: String,
    /// Where that is bound.
    pub bound: SocketAddr,
    pub nodes: Vec<NodeStatus>,
}

#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    pub id: i32,
    pub bound: SocketAddr,
    pub advertised: String,
    /// Absent until it has been learned.
    pub upstream: Option<String>,
}

impl Reloader {
    pub fn status(&self) -> ProxyStatus {
        ProxyStatus {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            generation: self.generation(),
            clusters: self
                .clusters
                .iter()
                .map(|cluster| self.cluster_status(cluster))
                .collect(),
        }
    }

    fn cluster_status(&self, cluster: &ManagedCluster) -> ClusterStatus {
        ClusterStatus {
            name: cluster.context.model.name.clone(),
            state: cluster.lifecycle.state().name(),
            generation: cluster.context.generation,
            connections: cluster.context.tracker.len(),
            gateways: cluster
                .gateways
                .iter()
                .filter_map(|gateway| self.gateway_status(cluster, gateway))
                .collect(),
        }
    }

    fn gateway_status(&self, cluster: &ManagedCluster, gateway: &ManagedGateway) -> Option<GatewayStatus> {
        let nothing = crate::endpoint::Reserved::default();
        let bound_to = |key: &ListenerKey| self.registry.bound(key, &nothing);
        let bound = bound_to(&gateway.plan.bootstrap.key)?;
        let model = &gateway.plan.model;
        let table = gateway.context.directory.table();
        let topology = cluster.context.target.topology.snapshot();
        let fixed = gateway
            .plan
            .nodes
            .iter()
            .map(|(node, wanted)| (node.node_id, &wanted.key));
        let all = fixed.chain(gateway.dynamic.iter().map(|(&id, key)| (id, key)));
        let node = |(id, key)| {
            let advertised = table.get(id)?;
            Some(NodeStatus {
                id,
                bound: bound_to(key)?,
                advertised: format!("{}:{}", advertised.host, advertised.port),
                upstream: topology.get(&id).map(ToString::to_string),
            })
        };
        Some(GatewayStatus {
            name: gateway.context.name.clone(),
            bootstrap: format!(
                "{}:{}",
                model.bootstrap_host,
                model.advertised_bootstrap_port.unwrap_or_else(|| bound.port())
            ),
            bound,
            nodes: all.filter_map(node).collect(),
        })
    }
}
