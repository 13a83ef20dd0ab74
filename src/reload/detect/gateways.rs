//! How a cluster is reached.

use super::super::change::{ChangeResult, ChangedKey};
use super::super::classes::ReloadClass;
use super::{ChangeDetector, ConfigurationChangeContext, at_least, key, tls};
use crate::model::{Gateway, IdentifiedBy, NodePort, ProxyProtocol};

pub(super) struct Gateways;

impl ChangeDetector for Gateways {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        for (old, new) in &context.changed {
            let added = |gateway: &&Gateway| !old.gateways.iter().any(|other| other.name == gateway.name);
            if new.gateways.iter().any(|gateway| added(&gateway)) {
                result.modify(&old.name, key("virtualClusters[].gateways"));
            }
            for gateway in &old.gateways {
                match new.gateways.iter().find(|other| other.name == gateway.name) {
                    Some(other) if other == gateway => {}
                    Some(other) => compare(gateway, other, |changed| result.modify(&old.name, changed)),
                    None => result.modify(
                        &old.name,
                        at_least("virtualClusters[].gateways", ReloadClass::Drain),
                    ),
                }
            }
        }
    }
}

const BOOTSTRAP: &str = "virtualClusters[].gateways[].portIdentifiesNode.bootstrapAddress";
const PORTS: &str = "virtualClusters[].gateways[].portIdentifiesNode";
const SNI: &str = "virtualClusters[].gateways[].sniHostIdentifiesNode";
const SNI_BOOTSTRAP: &str = "virtualClusters[].gateways[].sniHostIdentifiesNode.bootstrapAddress";
const SNI_PATTERN: &str = "virtualClusters[].gateways[].sniHostIdentifiesNode.advertisedBrokerAddressPattern";
const START_PORT: &str = "virtualClusters[].gateways[].portIdentifiesNode.nodeStartPort";
const RANGES: &str = "virtualClusters[].gateways[].portIdentifiesNode.nodeIdRanges";

fn compare(old: &Gateway, new: &Gateway, mut changed: impl FnMut(ChangedKey)) {
    let Gateway {
        name: _,
        bind,
        bootstrap_host,
        bootstrap_port,
        advertised_bootstrap_port,
        node_host_pattern,
        identified_by,
        nodes,
        dynamic_ports,
        tls,
        proxy_protocol,
    } = old;
    if *bind != new.bind {
        // Every endpoint is somewhere else now.
        changed(at_least(
            "virtualClusters[].gateways[].bindAddress",
            ReloadClass::Drain,
        ));
    }
    tls::compare(tls.as_ref(), new.tls.as_ref(), &mut changed);
    compare_proxy_protocol(proxy_protocol, &new.proxy_protocol, &mut changed);
    match (identified_by, &new.identified_by) {
        (IdentifiedBy::Port, IdentifiedBy::Port) => {}
        (
            IdentifiedBy::SniHost { advertised_port },
            IdentifiedBy::SniHost {
                advertised_port: other,
            },
        ) => {
            let bootstrap = (bootstrap_host, bootstrap_port, advertised_bootstrap_port);
            if bootstrap
                != (
                    &new.bootstrap_host,
                    &new.bootstrap_port,
                    &new.advertised_bootstrap_port,
                )
            {
                changed(key(SNI_BOOTSTRAP));
            }
            if *node_host_pattern != new.node_host_pattern {
                changed(key(SNI_PATTERN));
            } else if advertised_port != other {
                // What clients are told; whoever is connected has got there.
                changed(ChangedKey {
                    path: SNI_PATTERN,
                    class: ReloadClass::Live,
                });
            }
            return;
        }
        (IdentifiedBy::Port, IdentifiedBy::SniHost { .. }) => return changed(key(SNI)),
        (IdentifiedBy::SniHost { .. }, IdentifiedBy::Port) => {
            return changed(at_least(PORTS, ReloadClass::Drain));
        }
    }
    if *bootstrap_port != new.bootstrap_port {
        changed(at_least(BOOTSTRAP, ReloadClass::Drain));
    } else if *bootstrap_host != new.bootstrap_host {
        // What clients are told to begin with; nobody is connected to a name.
        changed(ChangedKey {
            path: BOOTSTRAP,
            class: ReloadClass::Live,
        });
    }
    if *advertised_bootstrap_port != new.advertised_bootstrap_port {
        changed(key(
            "virtualClusters[].gateways[].portIdentifiesNode.advertisedBootstrapPort",
        ));
    }
    if *node_host_pattern != new.node_host_pattern {
        changed(key(
            "virtualClusters[].gateways[].portIdentifiesNode.advertisedBrokerAddressPattern",
        ));
    }
    if *nodes != new.nodes {
        compare_nodes(nodes, &new.nodes, &mut changed);
    }
    if *dynamic_ports != new.dynamic_ports {
        changed(key(
            "virtualClusters[].gateways[].portIdentifiesNode.dynamicNodePorts",
        ));
    }
}

fn compare_proxy_protocol(old: &ProxyProtocol, new: &ProxyProtocol, changed: &mut impl FnMut(ChangedKey)) {
    let ProxyProtocol {
        mode,
        trusted_peers,
        upstream,
    } = old;
    if *mode != new.mode {
        changed(key("virtualClusters[].gateways[].proxyProtocol.mode"));
    }
    if *trusted_peers != new.trusted_peers {
        changed(key("virtualClusters[].gateways[].proxyProtocol.trustedPeers"));
    }
    if *upstream != new.upstream {
        changed(key("virtualClusters[].gateways[].proxyProtocol.upstream"));
    }
}

/// Ids that come need a listener, ids that go take their sessions with them, and so does an id whose port moves.
fn compare_nodes(old: &[NodePort], new: &[NodePort], changed: &mut impl FnMut(ChangedKey)) {
    let of = |nodes: &[NodePort], id| {
        nodes
            .binary_search_by_key(&id, |node| node.node_id)
            .map(|at| nodes[at])
            .ok()
    };
    let (mut gone, mut moved, mut advertised) = (false, false, false);
    for node in old {
        let NodePort {
            node_id,
            port,
            advertised_port,
        } = *node;
        match of(new, node_id) {
            None => gone = true,
            Some(other) => {
                moved |= other.port != port;
                advertised |= other.advertised_port != advertised_port;
            }
        }
    }
    let come = new.iter().any(|node| of(old, node.node_id).is_none());
    if gone {
        changed(at_least(RANGES, ReloadClass::Drain));
    } else if come {
        changed(key(RANGES));
    }
    if moved {
        changed(at_least(START_PORT, ReloadClass::Drain));
    }
    if advertised {
        changed(key(
            "virtualClusters[].gateways[].portIdentifiesNode.advertisedNodeStartPort",
        ));
    }
}
