//! Endpoints for nodes outside the configured ranges, bound when an answer first names such a node.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::cluster::{ManagedEndpoint, ManagedGateway, new_tracker};
use crate::endpoint::{BindAddr, EndpointSpec, ListenerKey, RouteUpdates};
use crate::model::PortRange;
use crate::session::context::{EndpointBinding, NodeRole};
use crate::session::nodes::{AdvertisedNode, EndpointRequest, NodeTable};

use super::Reloader;

impl Reloader {
    /// Binds what is asked for and updates the gateway's directory. Returns where to report that this is done.
    pub async fn bind_on_the_spot(&mut self, request: EndpointRequest) -> oneshot::Sender<()> {
        let EndpointRequest {
            cluster,
            gateway,
            nodes,
            done,
        } = request;
        for node in nodes {
            self.bind_node(&cluster, &gateway, node).await;
        }
        done
    }

    async fn bind_node(&mut self, cluster: &str, gateway: &str, node: i32) {
        let Some((context, managed)) = self.clusters.gateway_mut(cluster, gateway) else {
            return;
        };
        let Some(ports) = managed.model.dynamic_ports else {
            return;
        };
        let mut table = NodeTable::clone(&managed.context.directory.table());
        if !table.is_new(node) {
            return;
        }
        let ip = managed.model.bind;
        for port in preferred(ports, node).filter(|&port| !is_taken(managed, port)) {
            let address = BindAddr { ip, port };
            let wanted = EndpointSpec {
                key: ListenerKey::Address(address),
                address,
            };
            if self.registry.has(&wanted.key) {
                continue;
            }
            let reserved = match self.registry.reserve(std::slice::from_ref(&wanted)).await {
                Ok(reserved) => reserved,
                Err(errors) => {
                    let error = errors.first().map(ToString::to_string).unwrap_or_default();
                    // Brokers decide how many nodes there are, so this is no line of the usual log.
                    tracing::debug!(
                        cluster,
                        gateway,
                        node,
                        error,
                        "a dynamic port is taken; the next one is tried"
                    );
                    continue;
                }
            };
            let binding = EndpointBinding {
                cluster: context.clone(),
                gateway: managed.context.clone(),
                node: NodeRole::Node(node),
                tracker: new_tracker(&managed.context.name),
            };
            let endpoint = ManagedEndpoint {
                wanted: wanted.clone(),
                tracker: Arc::clone(&binding.tracker),
                dynamic: true,
            };
            table.insert(
                node,
                AdvertisedNode {
                    host: managed.model.node_host_pattern.host(node),
                    port,
                },
            );
            let updates = RouteUpdates {
                endpoints: vec![(wanted.key, binding)],
                routes: Vec::new(),
            };
            let activation = self.registry.plan_activation(updates, &self.services.process);
            self.registry.activate(reserved, activation);
            managed.endpoints.insert(NodeRole::Node(node), endpoint);
            managed.context.directory.store(table);
            tracing::info!(cluster, gateway, node, %address, "endpoint bound for a node outside the ranges");
            return;
        }
        table.refuse(node);
        self.services.process.dynamic_ports.record_hit();
        managed.context.directory.store(table);
        // The limit is told once, however many nodes a broker names.
        tracing::debug!(
            cluster,
            gateway,
            node,
            "no dynamic port is left; the node is withheld from clients"
        );
    }
}

/// Every port of the range, beginning with the one that belongs to the node: a client that cached it finds the node
/// there again after a restart, whatever order nodes appear in.
fn preferred(ports: PortRange, node: i32) -> impl Iterator<Item = u16> {
    let (start, count) = (u32::from(ports.start), u32::from(ports.end - ports.start) + 1);
    let first = node.unsigned_abs() % count;
    (0..count).filter_map(move |step| u16::try_from(start + (first + step) % count).ok())
}

fn is_taken(gateway: &ManagedGateway, port: u16) -> bool {
    gateway
        .endpoints
        .values()
        .any(|endpoint| endpoint.wanted.address.port == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_finds_its_port_again_and_every_port_is_tried_once() {
        let range = PortRange {
            start: 9300,
            end: 9303,
        };
        assert_eq!(preferred(range, 6).collect::<Vec<_>>(), [9302, 9303, 9300, 9301]);
        assert_eq!(
            preferred(
                PortRange {
                    start: 65535,
                    end: 65535
                },
                i32::MIN
            )
            .collect::<Vec<_>>(),
            [65535]
        );
    }
}
