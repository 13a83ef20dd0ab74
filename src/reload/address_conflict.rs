//! Addresses that cannot be bound before another is released.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{BindIp, Gateway, IdentifiedBy, VirtualCluster};

/// An address that a socket listens on. The port is never 0: such ports collide with nothing.
pub(super) type BoundAddress = (BindIp, u16);

/// `bind` and `release` have the same port on overlapping addresses: the kernel refuses the one while the other
/// listens, so here alone an address is released first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressConflict {
    /// Address that is released first.
    pub release: BoundAddress,
    /// Address that is bound after it.
    pub bind: BoundAddress,
}

/// Whether sockets on both, with the same port, would exclude each other.
pub fn overlap(one: BindIp, other: BindIp) -> bool {
    if let (BindIp::Loopback, ip) | (ip, BindIp::Loopback) = (one, other) {
        let families = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return ip == BindIp::Loopback || families.into_iter().any(|family| overlap(BindIp::Ip(family), ip));
    }
    let everything = |ip: BindIp| match ip {
        BindIp::Any | BindIp::Loopback => true,
        BindIp::Ip(ip) => ip.is_unspecified(),
    };
    let v4 = |ip: BindIp| matches!(ip, BindIp::Ip(IpAddr::V4(_)));
    let v6_alone = |ip: BindIp| matches!(ip, BindIp::Ip(IpAddr::V6(v6)) if !v6.is_unspecified());
    if one == other {
        return true;
    }
    // 0.0.0.0 leaves IPv6 addresses alone; `::` takes both families.
    let apart = (v4(one) && v6_alone(other)) || (v6_alone(one) && v4(other));
    (everything(one) || everything(other)) && !apart
}

/// The conflicts between what `leaving` clusters listen on and what `arriving` ones want. A modified cluster is
/// among both. `all` gives the clusters there will be: an address that several share is not released while any of them
/// is left. It is only asked where there is something to release and something to bind.
pub(super) fn between<'m, A: Iterator<Item = &'m VirtualCluster>>(
    leaving: impl Iterator<Item = &'m VirtualCluster>,
    arriving: impl Iterator<Item = &'m VirtualCluster>,
    all: impl FnOnce() -> A,
) -> Vec<AddressConflict> {
    let old: HashSet<BoundAddress> = leaving.flat_map(addresses).collect();
    let mut new: Vec<BoundAddress> = arriving.flat_map(addresses).collect();
    // Several may want to share one.
    let mut wanted = HashSet::with_capacity(new.len());
    new.retain(|address| wanted.insert(*address));
    let released = old.iter().filter(|address| !wanted.contains(address));
    if released.count() == 0 || new.iter().all(|address| old.contains(address)) {
        return Vec::new();
    }
    let shared = all().flat_map(shared);
    let kept: HashSet<BoundAddress> = wanted.into_iter().chain(shared).collect();
    let mut released: HashMap<u16, Vec<BindIp>> = HashMap::new();
    for &(ip, port) in old.iter().filter(|address| !kept.contains(address)) {
        released.entry(port).or_default().push(ip);
    }
    let mut found = Vec::new();
    for &bind in new.iter().filter(|address| !old.contains(address)) {
        for &ip in released.get(&bind.1).into_iter().flatten() {
            if overlap(ip, bind.0) {
                let release = (ip, bind.1);
                found.push(AddressConflict { release, bind });
            }
        }
    }
    found
}

/// Where host names tell clusters apart.
fn shared(cluster: &VirtualCluster) -> impl Iterator<Item = BoundAddress> + '_ {
    let by_host = |gateway: &&Gateway| matches!(gateway.identified_by, IdentifiedBy::SniHost { .. });
    let gateways = cluster.gateways.iter().filter(by_host);
    gateways.map(|gateway| (gateway.bind, gateway.bootstrap_port))
}

fn addresses(cluster: &VirtualCluster) -> impl Iterator<Item = BoundAddress> + '_ {
    let of = |gateway: &Gateway| {
        let bind = gateway.bind;
        let nodes: Vec<u16> = gateway.nodes.iter().map(|node| node.port).collect();
        std::iter::once(gateway.bootstrap_port)
            .chain(nodes)
            .map(move |port| (bind, port))
    };
    cluster
        .gateways
        .iter()
        .flat_map(of)
        .filter(|&(_, port)| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_overlap_as_sockets_do() {
        let ip = |text: &str| BindIp::Ip(text.parse().unwrap());
        for (one, other, expected) in [
            (ip("127.0.0.1"), ip("127.0.0.1"), true),
            (ip("127.0.0.1"), ip("127.0.0.2"), false),
            (ip("0.0.0.0"), ip("127.0.0.1"), true),
            (ip("0.0.0.0"), ip("::1"), false),
            (BindIp::Any, ip("127.0.0.1"), true),
            (BindIp::Any, ip("::1"), true),
            (BindIp::Any, ip("0.0.0.0"), true),
            (ip("::1"), ip("127.0.0.1"), false),
            (BindIp::Loopback, BindIp::Loopback, true),
            (BindIp::Loopback, BindIp::Any, true),
            (BindIp::Loopback, ip("127.0.0.1"), true),
            (BindIp::Loopback, ip("::1"), true),
            (BindIp::Loopback, ip("0.0.0.0"), true),
            (BindIp::Loopback, ip("127.0.0.2"), false),
            (BindIp::Loopback, ip("192.0.2.1"), false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one:?} {other:?}");
            assert_eq!(overlap(other, one), expected, "{other:?} {one:?}");
        }
    }
}
