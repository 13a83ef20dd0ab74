//! Collisions between the listening addresses of a file, found in one sweep.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::BindIp;
use crate::config::{Errors, Pos, quoted};

/// A range of ports that is bound now or later.
#[derive(Debug, Clone, Copy)]
pub(super) struct PortClaim<'c> {
    pub(super) ip: BindIp,
    pub(super) start: u16,
    /// Last port; part of the range.
    pub(super) end: u16,
    /// Position of the value that determines the ports.
    pub(super) at: Pos,
    /// Virtual cluster and gateway; `None` for the process itself.
    pub(super) owner: Option<(&'c str, &'c str)>,
    pub(super) what: ClaimKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClaimKind {
    Management,
    Bootstrap,
    Nodes,
    Dynamic,
    /// The port of `sniHostIdentifiesNode`, shared by gateways.
    Sni,
}

impl fmt::Display for ClaimKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Management => "the port of `management`",
            Self::Bootstrap => "the bootstrap port",
            Self::Nodes => "a node port",
            Self::Dynamic => "`dynamicNodePorts`",
            Self::Sni => "the port for host names",
        })
    }
}

/// Claims in the order of the file, the process's own first.
#[derive(Debug, Default)]
pub(super) struct PortClaims<'c> {
    claims: Vec<PortClaim<'c>>,
    /// Addresses of `sniHostIdentifiesNode` gateways, each claimed once.
    shared: HashSet<(BindIp, u16)>,
}

impl<'c> PortClaims<'c> {
    /// Adds a claim. Port 0 is any free port and collides with nothing.
    pub(super) fn add(&mut self, claim: PortClaim<'c>) {
        let is_first = claim.what != ClaimKind::Sni || self.shared.insert((claim.ip, claim.start));
        if claim.start == 0 || !is_first {
            return;
        }
        if claim.ip == BindIp::Loopback {
            let families = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let ip = |ip| PortClaim {
                ip: BindIp::Ip(ip),
                ..claim
            };
            self.claims.extend(families.map(ip));
        } else {
            self.claims.push(claim);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &PortClaim<'c>> {
        self.claims.iter()
    }

    /// Visits the claims by ascending first port. A claim collides with an earlier one exactly if it begins before
    /// the end of the earlier claim that reaches furthest, among those with overlapping addresses. Each collision is
    /// reported at the later position in the file, once per other gateway.
    pub(super) fn check(&self, errors: &mut Errors) {
        let mut order: Vec<usize> = (0..self.claims.len()).collect();
        order.sort_by_key(|&index| (self.claims[index].start, index));
        let mut furthest = Furthest::default();
        let mut reported = HashSet::new();
        for index in order {
            let claim = &self.claims[index];
            if let Some(other) = furthest.overlapping(claim, &self.claims) {
                let (first, second) = if other < index {
                    (other, index)
                } else {
                    (index, other)
                };
                let (first, second) = (&self.claims[first], &self.claims[second]);
                if reported.insert((second.at, first.owner)) {
                    let line = errors.line_of(first.at, second.at);
                    errors.push_with(second.at, || describe(first, second, &line));
                }
            }
            furthest.note(index, &self.claims);
        }
    }
}

fn describe(first: &PortClaim<'_>, second: &PortClaim<'_>, line: &str) -> String {
    let port = first.start.max(second.start);
    let place = match (second.ip, first.ip) {
        (BindIp::Ip(ip), _) | (BindIp::Any, BindIp::Ip(ip)) => ip.to_string(),
        _ => "every address".to_owned(),
    };
    let owner = match first.owner {
        None => String::new(),
        owner if owner == second.owner => " of this gateway".to_owned(),
        Some((cluster, gateway)) => {
            format!(
                " of gateway {} of virtual cluster {}",
                quoted(gateway),
                quoted(cluster)
            )
        }
    };
    format!("port {port} on {place} is already {}{owner} ({line})", first.what)
}

/// The claim that reaches the highest port, by kind of address.
#[derive(Default)]
struct Furthest {
    all: Option<usize>,
    v4: Option<usize>,
    any: Option<usize>,
    by_ip: HashMap<IpAddr, usize>,
}

impl Furthest {
    fn overlapping(&self, claim: &PortClaim<'_>, claims: &[PortClaim<'_>]) -> Option<usize> {
        let candidates = match claim.ip {
            BindIp::Any | BindIp::Loopback => [self.all, None, None],
            BindIp::Ip(ip) => {
                let ip = ip.to_canonical();
                let wildcard = match ip {
                    IpAddr::V4(v4) if v4.is_unspecified() => self.v4,
                    IpAddr::V4(_) => self.by_ip.get(&IpAddr::V4(Ipv4Addr::UNSPECIFIED)).copied(),
                    IpAddr::V6(_) => None,
                };
                [self.any, wildcard, self.by_ip.get(&ip).copied()]
            }
        };
        let reaching = candidates
            .into_iter()
            .flatten()
            .filter(|&other| claims[other].end >= claim.start);
        reaching.min()
    }

    fn note(&mut self, index: usize, claims: &[PortClaim<'_>]) {
        let further = |slot: &mut Option<usize>| {
            if slot.is_none_or(|other| claims[other].end < claims[index].end) {
                *slot = Some(index);
            }
        };
        further(&mut self.all);
        match claims[index].ip {
            BindIp::Any | BindIp::Loopback => further(&mut self.any),
            BindIp::Ip(ip) => {
                let ip = ip.to_canonical();
                if ip.is_ipv4() {
                    further(&mut self.v4);
                }
                let mut slot = self.by_ip.get(&ip).copied();
                further(&mut slot);
                self.by_ip.extend(slot.map(|slot| (ip, slot)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn overlap(a: &PortClaim<'_>, b: &PortClaim<'_>) -> bool {
        let addresses = match (a.ip, b.ip) {
            (BindIp::Any, _) | (_, BindIp::Any) => true,
            (BindIp::Ip(a), BindIp::Ip(b)) => {
                a == b || (a.is_ipv4() && b.is_ipv4() && (a.is_unspecified() || b.is_unspecified()))
            }
            // Held as one claim for each family.
            (BindIp::Loopback, _) | (_, BindIp::Loopback) => false,
        };
        addresses && a.start <= b.end && b.start <= a.end
    }

    fn claim(line: u32, (ip, start, length): (usize, u16, u16)) -> PortClaim<'static> {
        const IPS: [Option<&str>; 5] = [
            None,
            Some("0.0.0.0"),
            Some("127.0.0.1"),
            Some("127.0.0.2"),
            Some("::1"),
        ];
        let ip = IPS[ip].map_or(BindIp::Any, |ip| BindIp::Ip(ip.parse().unwrap()));
        let end = start + length;
        PortClaim {
            ip,
            start,
            end,
            at: Pos { line, ..Pos::START },
            owner: Some(("c", "g")),
            what: ClaimKind::Nodes,
        }
    }

    proptest! {
        /// The sweep finds a collision exactly where comparing every pair does, and blames the later claim.
        #[test]
        fn the_sweep_agrees_with_all_pairs(raw in prop::collection::vec((0_usize..5, 1_u16..40, 0_u16..6), 0..12)) {
            let mut ports = PortClaims::default();
            for (line, raw) in (1..).zip(raw) {
                ports.add(claim(line, raw));
            }
            let mut errors = Errors::new();
            ports.check(&mut errors);
            let blamed: Vec<u32> = errors.into_diagnostics().iter().map(|d| d.line).collect();
            let claims = &ports.claims;
            let guilty = |index: usize| claims[..index].iter().any(|other| overlap(other, &claims[index]));
            let any = (0..claims.len()).any(guilty);
            prop_assert_eq!(any, !blamed.is_empty());
            for line in blamed {
                prop_assert!(guilty(line as usize - 1));
            }
        }
    }
}
