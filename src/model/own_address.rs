//! Targets that are kproxy's own addresses, as far as a file shows it. To take a port of kproxy for the broker's is
//! an easy mistake, and every connection to it would open another one.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ports::{PortClaim, PortClaims};
use super::{AllowedBrokers, BindIp, HostPort, Warnings};
use crate::config::{Errors, Pos, quoted};

/// Bootstrap servers of targets, and forward proxies, with their positions in the file.
#[derive(Debug, Default)]
pub(super) struct TargetServers {
    servers: Vec<(HostPort, Pos, ServerKind)>,
    /// Positions already added: a shared cluster definition counts once.
    known: HashSet<Pos>,
}

/// What kproxy connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServerKind {
    Bootstrap,
    ForwardProxy,
}

impl TargetServers {
    /// Adds the servers of a target, and warns about servers that are never connected to. `is_direct` is false if a forward
    /// proxy connects to them: then its `localhost` is another one.
    pub(super) fn add(
        &mut self,
        servers: &[HostPort],
        allowed: &AllowedBrokers,
        is_direct: bool,
        at: Pos,
        warnings: &mut Warnings,
    ) {
        if !self.known.insert(at) {
            return;
        }
        for server in servers {
            let ip = server.host.parse::<IpAddr>();
            if let Ok(Err(why)) = ip.map(|ip| allowed.check(server, true, ip)) {
                warnings.push(at, || {
                    let server = quoted(&server.to_string());
                    format!("bootstrap server {server} is {why}: kproxy does not connect to it")
                });
            }
        }
        if is_direct {
            let at_servers = servers
                .iter()
                .map(|server| (server.clone(), at, ServerKind::Bootstrap));
            self.servers.extend(at_servers);
        }
    }

    /// Adds a forward proxy.
    pub(super) fn add_forward_proxy(&mut self, address: &HostPort, at: Pos) {
        if self.known.insert(at) {
            self.servers.push((address.clone(), at, ServerKind::ForwardProxy));
        }
    }

    /// Reports servers whose address is bound by the same file, each once.
    pub(super) fn check(&self, ports: &PortClaims<'_>, errors: &mut Errors) {
        let mut by_port: BTreeMap<u16, Vec<(IpAddr, usize)>> = BTreeMap::new();
        for (index, (server, _, _)) in self.servers.iter().enumerate() {
            for ip in addresses(&server.host).into_iter().flatten() {
                by_port.entry(server.port).or_default().push((ip, index));
            }
        }
        let mut reported = HashSet::new();
        for claim in ports.all() {
            let bound = by_port
                .range(claim.start..=claim.end)
                .flat_map(|(_, servers)| servers);
            for &(ip, index) in bound {
                let (server, at, kind) = &self.servers[index];
                if leads_to(ip, claim.ip) && reported.insert(index) {
                    let line = errors.line_of(claim.at, *at);
                    errors.push_with(*at, || describe(server, *kind, claim, &line));
                }
            }
        }
    }
}

fn describe(server: &HostPort, kind: ServerKind, claim: &PortClaim<'_>, line: &str) -> String {
    let owner = match claim.owner {
        None => String::new(),
        Some((cluster, gateway)) => format!(
            " of gateway {} of virtual cluster {}",
            quoted(gateway),
            quoted(cluster)
        ),
    };
    let server = quoted(&server.to_string());
    let what = claim.what;
    match kind {
        ServerKind::Bootstrap => format!(
            "bootstrap server {server} is kproxy itself: the address is its own, as {what}{owner} ({line}); a target is where \
             the brokers are"
        ),
        ServerKind::ForwardProxy => {
            format!(
                "forward proxy {server} is kproxy itself: the address is its own, as {what}{owner} ({line})"
            )
        }
    }
}

/// The addresses that a host stands for without a look-up.
pub(super) fn addresses(host: &str) -> [Option<IpAddr>; 2] {
    if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
        return [Some(Ipv4Addr::LOCALHOST.into()), Some(Ipv6Addr::LOCALHOST.into())];
    }
    [host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()), None]
}

/// Whether a connection to `ip` reaches a socket bound to `bound` on this host. An address other than loopback may
/// belong to another host; that shows when it is connected to.
pub(super) fn leads_to(ip: IpAddr, bound: BindIp) -> bool {
    let is_here = ip.is_loopback() || ip.is_unspecified();
    match bound {
        BindIp::Any => is_here,
        BindIp::Loopback => ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST || ip.is_unspecified(),
        BindIp::Ip(bound) => {
            let bound = bound.to_canonical();
            let same_family = bound.is_ipv4() == ip.is_ipv4();
            let everywhere = same_family && bound.is_unspecified() && is_here;
            // A connection to the unspecified address goes to loopback.
            let to_loopback = same_family && ip.is_unspecified() && bound.is_loopback();
            bound == ip || everywhere || to_loopback
        }
    }
}
