//! No two sockets on one address: collisions between all ports of a file, found in one sweep.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::BindIp;
use crate::config::{Errors, Pos, quoted};

/// Ports that are bound, now or later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'c> {
    pub(super) ip: BindIp,
    pub(super) start: u16,
    /// Belongs to it.
    pub(super) end: u16,
    /// The value that the ports follow from.
    pub(super) at: Pos,
    /// Virtual cluster and gateway; `None` for the process itself.
    pub(super) owner: Option<(&'c str, &'c str)>,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Management,
    Bootstrap,
    Nodes,
    Dynamic,
    /// Shared by all gateways that hosts identify.
    Sni,
}

impl fmt::Display for What {
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

/// In the order of the file, with the process's own first.
#[derive(Debug, Default)]
pub(super) struct PortClaims<'c> {
    claims: Vec<Claim<'c>>,
    /// Where host names are told apart; claimed once.
    shared: HashSet<(BindIp, u16)>,
}

impl<'c> PortClaims<'c> {
    /// Port 0 is whatever is free and collides with nothing.
    pub(super) fn add(&mut self, claim: Claim<'c>) {
        let is_first = claim.what != What::Sni || self.shared.insert((claim.ip, claim.start));
        if claim.start == 0 || !is_first {
            return;
        }
        if claim.ip == BindIp::Loopback {
            let families = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let ip = |ip| Claim {
                ip: BindIp::Ip(ip),
                ..claim
            };
            self.claims.extend(families.map(ip));
        } else {
            self.claims.push(claim);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Claim<'c>> {
        self.claims.iter()
    }

    /// Walks the claims by ascending first port. A claim collides with an earlier one exactly if, among those
    /// whose addresses overlap with its own, the one that reaches furthest reaches it. Each collision is reported
    /// where the later of the two stands in the file, once for each other gateway.
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

fn describe(first: &Claim<'_>, second: &Claim<'_>, line: &str) -> String {
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
    fn overlapping(&self, claim: &Claim<'_>, claims: &[Claim<'_>]) -> Option<usize> {
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

    fn note(&mut self, index: usize, claims: &[Claim<'_>]) {
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

    fn overlap(a: &Claim<'_>, b: &Claim<'_>) -> bool {
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

    fn claim(line: u32, (ip, start, length): (usize, u16, u16)) -> Claim<'static> {
        const IPS: [Option<&str>; 5] = [
            None,
            Some("0.0.0.0"),
            Some("127.0.0.1"),
            Some("127.0.0.2"),
            Some("::1"),
        ];
        let ip = IPS[ip].map_or(BindIp::Any, |ip| BindIp::Ip(ip.parse().unwrap()));
        let end = start + length;
        Claim {
            ip,
            start,
            end,
            at: Pos { line, ..Pos::START },
            owner: Some(("c", "g")),
            what: What::Nodes,
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
