//! Rules between virtual clusters, for a few that changed beside all those that did not. Where a rule might be broken, all
//! of them have to be resolved together, which also finds the words for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::own_address::{addresses, leads_to};
use super::scope::MAX_PORTS;
use super::{BindIp, Gateway, IdentifiedBy, VirtualCluster};

type Clusters = BTreeMap<String, Arc<VirtualCluster>>;

/// Whether the clusters in `new`, each of which may also stand in `old`, break no rule beside `others`, which break none
/// beside `old`. `false`: they may break one.
pub(super) fn stands_beside<'m, O>(old: &Clusters, new: &Clusters, others: impl Fn() -> O) -> bool
where
    O: Iterator<Item = &'m VirtualCluster>,
{
    let claims_more = |(name, cluster): &(&String, &Arc<VirtualCluster>)| {
        old.get(*name).is_none_or(|old| !has_claims_of(cluster, old))
    };
    let claimants: Vec<&VirtualCluster> = new
        .iter()
        .filter(claims_more)
        .map(|(_, cluster)| &**cluster)
        .collect();
    // Whether host names lead to one gateway only is checked for all of an address together.
    let by_host = |gateway: &Gateway| gateway.identified_by != IdentifiedBy::Port;
    if claimants
        .iter()
        .any(|cluster| cluster.gateways.iter().any(by_host))
    {
        return false;
    }
    let claims: Vec<GatewayPorts> = claimants.iter().flat_map(|cluster| claims(cluster)).collect();
    let servers: Vec<(IpAddr, u16)> = new.values().flat_map(|cluster| servers(cluster)).collect();
    let added = |name: &&String| !old.contains_key(*name);
    let added: Vec<&String> = new.keys().filter(added).collect();
    let mut ports: usize = new.values().map(|cluster| count_nodes(cluster)).sum();
    for other in others() {
        ports += count_nodes(other);
        let clashes = added.iter().any(|name| name.eq_ignore_ascii_case(&other.name))
            || self::claims(other).any(|other| {
                claims.iter().any(|claim| claim.may_collide(&other))
                    || servers.iter().any(|server| other.is_at(*server))
            })
            || (!claims.is_empty()
                && self::servers(other).any(|server| claims.iter().any(|claim| claim.is_at(server))));
        if clashes {
            return false;
        }
    }
    ports <= MAX_PORTS
}

/// Ports that a gateway binds now or later.
struct GatewayPorts {
    ip: BindIp,
    ports: RangeInclusive<u16>,
}

impl GatewayPorts {
    /// Two addresses of this host exclude each other only if neither stands for several.
    fn may_collide(&self, other: &Self) -> bool {
        let apart = match (self.ip, other.ip) {
            (BindIp::Ip(one), BindIp::Ip(other)) => {
                let (one, other) = (one.to_canonical(), other.to_canonical());
                one != other && !one.is_unspecified() && !other.is_unspecified()
            }
            _ => false,
        };
        !apart && self.ports.start() <= other.ports.end() && other.ports.start() <= self.ports.end()
    }

    fn is_at(&self, (ip, port): (IpAddr, u16)) -> bool {
        self.ports.contains(&port) && leads_to(ip, self.ip)
    }
}

fn claims(cluster: &VirtualCluster) -> impl Iterator<Item = GatewayPorts> + '_ {
    cluster.gateways.iter().flat_map(|gateway| {
        let nodes = gateway.nodes.first().zip(gateway.nodes.last());
        let ranges = [
            Some(gateway.bootstrap_port..=gateway.bootstrap_port),
            nodes.map(|(first, last)| first.port..=last.port),
            gateway.dynamic_ports.map(|range| range.start..=range.end),
        ];
        let claim = |ports: RangeInclusive<u16>| GatewayPorts {
            ip: gateway.bind,
            ports,
        };
        // Port 0 is another one each time.
        ranges
            .into_iter()
            .flatten()
            .filter(|ports| *ports.start() != 0)
            .map(claim)
    })
}

/// The addresses of the target that are known without a look-up.
fn servers(cluster: &VirtualCluster) -> impl Iterator<Item = (IpAddr, u16)> + '_ {
    cluster.target.bootstrap_servers.iter().flat_map(|server| {
        let known = addresses(&server.host).into_iter().flatten();
        known.map(|ip| (ip, server.port))
    })
}

fn count_nodes(cluster: &VirtualCluster) -> usize {
    cluster.gateways.iter().map(|gateway| gateway.nodes.len()).sum()
}

/// Whether both bind the same ports and are reached by the same names.
fn has_claims_of(one: &VirtualCluster, other: &VirtualCluster) -> bool {
    let claim = |gateway: &Gateway| {
        let by_host = gateway.identified_by != IdentifiedBy::Port;
        let hosts = by_host.then(|| (gateway.bootstrap_host.clone(), gateway.node_host_pattern.clone()));
        let header = by_host.then(|| gateway.proxy_protocol.clone());
        let nodes: Vec<u16> = gateway.nodes.iter().map(|node| node.port).collect();
        (
            gateway.bind,
            gateway.bootstrap_port,
            nodes,
            gateway.dynamic_ports,
            hosts,
            header,
        )
    };
    one.gateways
        .iter()
        .map(claim)
        .eq(other.gateways.iter().map(claim))
}
