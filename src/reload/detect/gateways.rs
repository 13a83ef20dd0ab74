//! The ways in which a cluster is reached.

use super::super::change::{ChangeResult, ChangedKey};
use super::super::effect::Effect::{
    self, AddEndpoints, AddGateway, Advertise, EndEndpoints, RemoveGateway, ReplaceBrokerHeader,
    ReplaceGateway,
};
use super::{ChangeDetector, ConfigurationChangeContext, tls};
use crate::model::{Gateway, IdentifiedBy, NodePort, PortRange, ProxyProtocol};

pub(super) struct Gateways;

impl ChangeDetector for Gateways {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        for (old, new) in &context.changed {
            let is_added = |gateway: &Gateway| !old.gateways.iter().any(|other| other.name == gateway.name);
            if new.gateways.iter().any(is_added) {
                result.modify(&old.name, ChangedKey::new(GATEWAYS, AddGateway));
            }
            for gateway in &old.gateways {
                match new.gateways.iter().find(|other| other.name == gateway.name) {
                    Some(other) if other == gateway => {}
                    Some(other) => compare(gateway, other, &mut |path, effect| {
                        result.modify_gateway(&old.name, &gateway.name, ChangedKey::new(path, effect));
                    }),
                    None => result.modify(&old.name, ChangedKey::new(GATEWAYS, RemoveGateway)),
                }
            }
        }
    }
}

const GATEWAYS: &str = "virtualClusters[].gateways";
const BIND: &str = "virtualClusters[].gateways[].bindAddress";
const PORTS: &str = "virtualClusters[].gateways[].portIdentifiesNode";
const BOOTSTRAP: &str = "virtualClusters[].gateways[].portIdentifiesNode.bootstrapAddress";
const ADVERTISED_BOOTSTRAP: &str = "virtualClusters[].gateways[].portIdentifiesNode.advertisedBootstrapPort";
const PATTERN: &str = "virtualClusters[].gateways[].portIdentifiesNode.advertisedBrokerAddressPattern";
const START_PORT: &str = "virtualClusters[].gateways[].portIdentifiesNode.nodeStartPort";
const ADVERTISED_START: &str = "virtualClusters[].gateways[].portIdentifiesNode.advertisedNodeStartPort";
const RANGES: &str = "virtualClusters[].gateways[].portIdentifiesNode.nodeIdRanges";
const DYNAMIC: &str = "virtualClusters[].gateways[].portIdentifiesNode.dynamicNodePorts";
const SNI: &str = "virtualClusters[].gateways[].sniHostIdentifiesNode";
const SNI_BOOTSTRAP: &str = "virtualClusters[].gateways[].sniHostIdentifiesNode.bootstrapAddress";
const SNI_PATTERN: &str = "virtualClusters[].gateways[].sniHostIdentifiesNode.advertisedBrokerAddressPattern";

fn compare(old: &Gateway, new: &Gateway, changed: &mut impl FnMut(&'static str, Effect)) {
    // The rest is compared by kind; taken apart here so that no field is forgotten.
    let Gateway {
        name: _,
        bind,
        bootstrap_host: _,
        bootstrap_port: _,
        advertised_bootstrap_port: _,
        node_host_pattern: _,
        identified_by,
        nodes: _,
        dynamic_ports: _,
        tls,
        proxy_protocol,
    } = old;
    let is_by_host = |gateway: &Gateway| gateway.identified_by != IdentifiedBy::Port;
    if *bind != new.bind {
        // Every endpoint is at another address; where they share one, it is what the gateway is reached by.
        changed(
            BIND,
            if is_by_host(old) {
                ReplaceGateway
            } else {
                EndEndpoints
            },
        );
    }
    tls::compare(tls.as_ref(), new.tls.as_ref(), changed);
    compare_proxy_protocol(proxy_protocol, &new.proxy_protocol, changed);
    match (identified_by, &new.identified_by) {
        (IdentifiedBy::Port, IdentifiedBy::Port) => compare_ports(old, new, changed),
        (
            IdentifiedBy::SniHost {
                advertised_port: before,
            },
            IdentifiedBy::SniHost {
                advertised_port: after,
            },
        ) => {
            compare_hosts(old, new, before == after, changed);
        }
        (IdentifiedBy::Port, IdentifiedBy::SniHost { .. }) => changed(SNI, ReplaceGateway),
        (IdentifiedBy::SniHost { .. }, IdentifiedBy::Port) => changed(PORTS, ReplaceGateway),
    }
}

/// Gateways of which host names identify the nodes.
fn compare_hosts(
    old: &Gateway,
    new: &Gateway,
    same_advertised_port: bool,
    changed: &mut impl FnMut(&'static str, Effect),
) {
    if (&old.bootstrap_host, old.bootstrap_port) != (&new.bootstrap_host, new.bootstrap_port) {
        changed(SNI_BOOTSTRAP, ReplaceGateway);
    }
    if old.node_host_pattern != new.node_host_pattern {
        changed(SNI_PATTERN, ReplaceGateway);
    } else if !same_advertised_port {
        changed(SNI_PATTERN, Advertise);
    }
}

/// Gateways of which ports identify the nodes.
fn compare_ports(old: &Gateway, new: &Gateway, changed: &mut impl FnMut(&'static str, Effect)) {
    if old.bootstrap_port != new.bootstrap_port {
        changed(BOOTSTRAP, EndEndpoints);
    } else if old.bootstrap_host != new.bootstrap_host {
        // What clients begin with; no connection is tied to a name.
        changed(BOOTSTRAP, Advertise);
    }
    if old.advertised_bootstrap_port != new.advertised_bootstrap_port {
        changed(ADVERTISED_BOOTSTRAP, Advertise);
    }
    if old.node_host_pattern != new.node_host_pattern {
        changed(PATTERN, Advertise);
    }
    if old.nodes != new.nodes {
        compare_nodes(old, new, changed);
    }
    if old.dynamic_ports != new.dynamic_ports {
        let covers = |before: PortRange| {
            let after = new.dynamic_ports;
            after.is_some_and(|after| after.contains(before.start) && after.contains(before.end))
        };
        let widens = old.dynamic_ports.is_none_or(covers);
        changed(DYNAMIC, if widens { AddEndpoints } else { EndEndpoints });
    }
}

fn compare_proxy_protocol(
    old: &ProxyProtocol,
    new: &ProxyProtocol,
    changed: &mut impl FnMut(&'static str, Effect),
) {
    let ProxyProtocol {
        mode,
        trusted_peers,
        upstream,
    } = old;
    if *mode != new.mode {
        changed("virtualClusters[].gateways[].proxyProtocol.mode", ReplaceGateway);
    }
    if *trusted_peers != new.trusted_peers {
        changed(
            "virtualClusters[].gateways[].proxyProtocol.trustedPeers",
            ReplaceGateway,
        );
    }
    if *upstream != new.upstream {
        changed(
            "virtualClusters[].gateways[].proxyProtocol.upstream",
            ReplaceBrokerHeader,
        );
    }
}

/// Ids that come need a listener. An id that goes takes its sessions with it, and so does one whose port moves: also one
/// that had a port of `dynamicNodePorts` until now.
fn compare_nodes(old: &Gateway, new: &Gateway, changed: &mut impl FnMut(&'static str, Effect)) {
    let of = |nodes: &[NodePort], id| {
        let found = nodes.binary_search_by_key(&id, |node| node.node_id);
        found.map(|at| nodes[at]).ok()
    };
    let (mut ends, mut moved, mut advertised) = (false, false, false);
    for node in &old.nodes {
        let NodePort {
            node_id,
            port,
            advertised_port,
        } = *node;
        match of(&new.nodes, node_id) {
            None => ends = true,
            Some(other) => {
                moved |= other.port != port;
                advertised |= other.advertised_port != advertised_port;
            }
        }
    }
    let comes = new
        .nodes
        .iter()
        .any(|node| of(&old.nodes, node.node_id).is_none());
    if ends || (comes && old.dynamic_ports.is_some()) {
        changed(RANGES, EndEndpoints);
    } else if comes {
        changed(RANGES, AddEndpoints);
    }
    if moved {
        changed(START_PORT, EndEndpoints);
    }
    if advertised {
        changed(ADVERTISED_START, Advertise);
    }
}
