//! Where the gateways of a cluster listen after a change: what the plan says, and what was bound on the spot before and
//! stays.

use std::collections::BTreeMap;

use super::manager::{ManagedCluster, ManagedEndpoint, ManagedGateway};
use crate::endpoint::{BindAddr, EndpointSpec, ListenerKey};
use crate::model::{Gateway, VirtualCluster};
use crate::reload::{ClusterPlan, Departure, GatewayPlan, RunningEndpoint};
use crate::session::context::NodeRole;

/// Endpoints of one gateway that will run.
pub type GatewayEndpoints = BTreeMap<NodeRole, PlannedSpec>;

/// One endpoint that will run.
#[derive(Debug, Clone)]
pub struct PlannedSpec {
    /// The listener of the endpoint.
    pub spec: EndpointSpec,
    /// Whether it was bound on demand, for a node outside the configured ranges.
    pub is_dynamic: bool,
    /// Whether it ran before and its sessions stay.
    pub is_kept: bool,
}

impl ManagedGateway {
    /// An endpoint of this gateway as plans know it.
    pub fn running<'g>(&'g self, node: NodeRole, endpoint: &ManagedEndpoint) -> RunningEndpoint<'g> {
        let BindAddr { ip, port } = endpoint.wanted.address;
        RunningEndpoint {
            gateway: &self.context.name,
            node: node.id(),
            address: (ip, port),
            is_dynamic: endpoint.dynamic,
        }
    }
}

/// The endpoints of every gateway after the change, in the order of the model.
pub fn planned_endpoints(plan: &ClusterPlan, before: Option<&ManagedCluster>) -> Vec<GatewayEndpoints> {
    plan.gateways_after()
        .map(|(model, gateway)| {
            let before = before.and_then(|cluster| cluster.gateway(&model.name));
            gateway_endpoints(plan, model, gateway, before)
        })
        .collect()
}

/// Every endpoint of a cluster that is not there yet.
pub fn first_endpoints(model: &VirtualCluster) -> impl Iterator<Item = EndpointSpec> + '_ {
    model.gateways.iter().flat_map(|gateway| {
        let nodes = gateway
            .nodes
            .iter()
            .map(|node| (NodeRole::Node(node.node_id), node.port));
        let all = std::iter::once((NodeRole::Bootstrap, gateway.bootstrap_port)).chain(nodes);
        all.map(|(node, port)| endpoint_spec(&model.name, gateway, node, port))
    })
}

fn gateway_endpoints(
    plan: &ClusterPlan,
    model: &Gateway,
    gateway: &GatewayPlan,
    before: Option<&ManagedGateway>,
) -> GatewayEndpoints {
    let stays = |node: NodeRole, endpoint: &ManagedEndpoint| {
        let departure = before.map(|before| plan.departure(&before.running(node, endpoint)));
        matches!(departure, Some(Departure::Stay | Departure::Recheck))
    };
    let mut endpoints = BTreeMap::new();
    // A gateway that is replaced goes on having the ports of the nodes that its clients know.
    for (&node, endpoint) in before.iter().flat_map(|before| &before.endpoints) {
        let is_kept = stays(node, endpoint);
        if endpoint.dynamic && (is_kept || may_stay(model, endpoint)) {
            let planned = PlannedSpec {
                spec: endpoint.wanted.clone(),
                is_dynamic: true,
                is_kept,
            };
            endpoints.insert(node, planned);
        }
    }
    for planned in &gateway.endpoints {
        let node = planned.node.map_or(NodeRole::Bootstrap, NodeRole::Node);
        let running = before.and_then(|before| before.endpoints.get(&node));
        let planned = PlannedSpec {
            spec: endpoint_spec(&plan.cluster.name, model, node, planned.port),
            is_dynamic: false,
            is_kept: running.is_some_and(|endpoint| stays(node, endpoint)),
        };
        endpoints.insert(node, planned);
    }
    endpoints
}

fn may_stay(gateway: &Gateway, endpoint: &ManagedEndpoint) -> bool {
    let BindAddr { ip, port } = endpoint.wanted.address;
    ip == gateway.bind && gateway.dynamic_ports.is_some_and(|range| range.contains(port))
}

/// Where one endpoint of a gateway listens.
fn endpoint_spec(cluster: &str, gateway: &Gateway, node: NodeRole, port: u16) -> EndpointSpec {
    let address = BindAddr {
        ip: gateway.bind,
        port,
    };
    let key = match port {
        0 => ListenerKey::Ephemeral {
            ip: gateway.bind,
            cluster: cluster.into(),
            gateway: gateway.name.clone(),
            node,
        },
        _ => ListenerKey::Address(address),
    };
    EndpointSpec { key, address }
}
