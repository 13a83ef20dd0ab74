//! What clients are told of the nodes of a gateway.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::endpoints::GatewayEndpoints;
use crate::endpoint::ListenerKey;
use crate::model::{Gateway, IdentifiedBy};
use crate::session::context::NodeRole;
use crate::session::nodes::{AdvertisedNode, NodeHosts, NodeTable};

/// Builds the table from the endpoints that there are, or will be; `bound` knows the addresses of those whose port the
/// operating system chooses.
pub(super) fn node_table(
    gateway: &Gateway,
    endpoints: &GatewayEndpoints,
    bound: impl Fn(&ListenerKey) -> Option<SocketAddr>,
) -> NodeTable {
    if let IdentifiedBy::SniHost { advertised_port } = gateway.identified_by {
        let shared = endpoints.get(&NodeRole::Bootstrap);
        let bound = shared.and_then(|planned| match planned.spec.address.port {
            0 => bound(&planned.spec.key).map(|bound| bound.port()),
            port => Some(port),
        });
        return NodeTable::of_hosts(NodeHosts {
            pattern: gateway.node_host_pattern.clone(),
            port: advertised_port.or(bound).unwrap_or_default(),
        });
    }
    let mut table = NodeTable::new(gateway.dynamic_ports.is_some());
    let advertised: BTreeMap<i32, Option<u16>> = gateway
        .nodes
        .iter()
        .map(|node| (node.node_id, node.advertised_port))
        .collect();
    for (node, planned) in endpoints {
        let NodeRole::Node(id) = *node else { continue };
        // A port that is named needs no socket to be known.
        let port = match planned.spec.address.port {
            0 => bound(&planned.spec.key).map(|bound| bound.port()),
            port => Some(port),
        };
        if let Some(port) = advertised.get(&id).copied().flatten().or(port) {
            table.insert(
                id,
                AdvertisedNode {
                    host: gateway.node_host_pattern.host(id),
                    port,
                },
            );
        }
    }
    if gateway.dynamic_ports.is_some() {
        table.expect_host(gateway.node_host_pattern.host(i32::MAX).len());
    }
    table
}
