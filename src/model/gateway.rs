//! Gateways: the addresses they listen on and the addresses they advertise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::node_ids::node_ids;
use super::ports::{ClaimKind, PortClaim};
use super::scope::Scope;
use super::{
    BindIp, DownstreamTls, Gateway, IdentifiedBy, NodePort, PortRange, ProxyProtocol, coverage,
    proxy_protocol, sni, tls,
};
use crate::config::schema::{self, PortIdentifiesNode};
use crate::config::{Errors, HostPattern, Pos, Spanned, quoted};

/// Resolves a gateway; `None` after an error that was reported.
pub(super) fn resolve<'c>(
    cluster: &'c str,
    written: &'c Spanned<schema::Gateway>,
    scope: &mut Scope<'c>,
) -> Option<Gateway> {
    let gateway = &written.value;
    let secured = GatewayCommon {
        tls: match &gateway.tls {
            Some(tls) => tls::downstream(tls, scope).map(Some),
            None => Some(None),
        },
        proxy_protocol: proxy_protocol::resolve(gateway.proxy_protocol.as_ref(), scope),
    };
    let resolved = resolve_kind(cluster, written, secured, scope);
    if let Some(resolved) = &resolved {
        coverage::check(resolved, written, scope);
    }
    resolved
}

/// Settings common to both kinds of gateway.
pub(super) struct GatewayCommon {
    /// TLS settings; the outer `None` means an error that was reported.
    pub(super) tls: Option<Option<DownstreamTls>>,
    /// PROXY protocol settings, with their position in the file.
    pub(super) proxy_protocol: (ProxyProtocol, Option<Pos>),
}

fn resolve_kind<'c>(
    cluster: &'c str,
    written: &'c Spanned<schema::Gateway>,
    secured: GatewayCommon,
    scope: &mut Scope<'c>,
) -> Option<Gateway> {
    let gateway = &written.value;
    match (&gateway.port_identifies_node, &gateway.sni_host_identifies_node) {
        (Some(by_port), None) => resolve_ports(cluster, written, by_port, secured, scope),
        (None, Some(by_sni)) => sni::resolve(cluster, written, by_sni, secured, scope),
        (Some(by_port), Some(by_sni)) => {
            let second = by_port.key.max(by_sni.key);
            scope.errors.push(
                second,
                "`portIdentifiesNode` and `sniHostIdentifiesNode` exclude each other",
            );
            None
        }
        (None, None) => {
            if gateway.shape.is_sound() {
                let name = quoted(&gateway.name.value);
                let why = format!("gateway {name} needs `portIdentifiesNode` or `sniHostIdentifiesNode`");
                scope.errors.push(written.at, why);
            }
            None
        }
    }
}

fn resolve_ports<'c>(
    cluster: &'c str,
    gateway: &'c Spanned<schema::Gateway>,
    by_port: &'c Spanned<PortIdentifiesNode>,
    secured: GatewayCommon,
    scope: &mut Scope<'c>,
) -> Option<Gateway> {
    let written = &by_port.value;
    let address = &written.bootstrap_address.value;
    if address.host.contains("$(") {
        scope.errors.push(
            written.bootstrap_address.at,
            "tokens have no meaning in this `bootstrapAddress`",
        );
    }
    let pattern = written.advertised_broker_address_pattern.as_ref();
    check_told(written.bootstrap_address.at, &address.host, &mut scope.errors);
    if let Some(pattern) = pattern {
        check_node_pattern(pattern, &mut scope.errors);
        check_told(pattern.at, &pattern.value.host, &mut scope.errors);
    }
    let nodes = nodes(by_port, scope);
    let dynamic_ports = written
        .dynamic_node_ports
        .as_ref()
        .map(|range| dynamic_ports(range, &mut scope.errors));
    let told = [(&*address.host, written.bootstrap_address.at)];
    let told = told
        .into_iter()
        .chain(pattern.map(|pattern| (&*pattern.value.host, pattern.at)));
    let bind = bind_ip(
        gateway.value.bind_address.as_ref().map(|ip| ip.value),
        told,
        scope,
    );
    // Ports that follow from an unreadable value would only cause further errors.
    if !written.shape.bad_values && !gateway.value.shape.bad_values {
        let claim = |what, start, end, at| PortClaim {
            ip: bind,
            start,
            end,
            at,
            owner: Some((cluster, gateway.value.name.value.as_str())),
            what,
        };
        let bootstrap_at = written.bootstrap_address.at;
        scope.ports.add(claim(
            ClaimKind::Bootstrap,
            address.port,
            address.port,
            bootstrap_at,
        ));
        if let Some((first, last)) = nodes.as_ref().and_then(|nodes| nodes.first().zip(nodes.last())) {
            let at = written
                .node_start_port
                .as_ref()
                .map_or(bootstrap_at, |port| port.at);
            scope
                .ports
                .add(claim(ClaimKind::Nodes, first.port, last.port, at));
        }
        if let (Some(ports), Some(range)) = (dynamic_ports, &written.dynamic_node_ports) {
            scope
                .ports
                .add(claim(ClaimKind::Dynamic, ports.start, ports.end, range.at));
        }
    }
    Some(Gateway {
        name: gateway.value.name.value.clone(),
        bind,
        bootstrap_host: address.host.clone(),
        bootstrap_port: address.port,
        advertised_bootstrap_port: written
            .advertised_bootstrap_port
            .as_ref()
            .map(|port| port.value.get()),
        node_host_pattern: pattern
            .map_or(&address.host, |pattern| &pattern.value.host)
            .into(),
        identified_by: IdentifiedBy::Port,
        nodes: nodes?,
        dynamic_ports,
        tls: secured.tls?,
        proxy_protocol: secured.proxy_protocol.0,
    })
}

/// The bind address of a gateway that advertises these hosts, the bootstrap host first. By default the loopback
/// addresses if every host is a loopback address, else every address.
pub(super) fn bind_ip<'t>(
    written: Option<IpAddr>,
    told: impl Iterator<Item = (&'t str, Pos)>,
    scope: &mut Scope<'_>,
) -> BindIp {
    if let Some(ip) = written {
        return BindIp::of(ip);
    }
    let mut bind = None;
    for (host, at) in told {
        let Some(loopback) = loopback(host) else {
            return BindIp::Any;
        };
        match bind {
            None => bind = Some(loopback),
            Some(before) if before == loopback => {}
            Some(before) if is_either(before) && is_either(loopback) => bind = Some(BindIp::Loopback),
            // Two different addresses of 127.0.0.0/8.
            Some(_) => scope.warnings.push(at, || {
                let host = quoted(host);
                format!("kproxy does not listen on {host}, which is advertised to clients: set `bindAddress`")
            }),
        }
    }
    bind.unwrap_or(BindIp::Any)
}

/// Whether the address is one of the addresses of `localhost`.
fn is_either(bind: BindIp) -> bool {
    const EITHER: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    bind == BindIp::Loopback || EITHER.map(BindIp::Ip).contains(&bind)
}

/// The loopback address that `host` stands for; `localhost` stands for both families, and clients may try either
/// first.
fn loopback(host: &str) -> Option<BindIp> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return ip.is_loopback().then_some(BindIp::Ip(ip));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    (name == "localhost" || name.ends_with(".localhost")).then_some(BindIp::Loopback)
}

/// Resolves node ports; reports an error and returns `None` if the ports do not fit.
fn nodes(by_port: &Spanned<PortIdentifiesNode>, scope: &mut Scope<'_>) -> Option<Vec<NodePort>> {
    let written = &by_port.value;
    let bootstrap = &written.bootstrap_address;
    let explicit = written.node_start_port.as_ref();
    let start = match (explicit, bootstrap.value.port) {
        (Some(port), _) => u32::from(port.value),
        (None, 0) => 0,
        (None, port) => u32::from(port) + 1,
    };
    let ids = node_ids(by_port, scope)?;
    let advertised = written.advertised_node_start_port.as_ref();
    let at = explicit.map_or(bootstrap.at, |port| port.at);
    let mut fits = true;
    if start > 0 {
        fits &= check_fits("node", start, ids.len(), at, &mut scope.errors);
    }
    if let Some(port) = advertised {
        let start = u32::from(port.value.get());
        fits &= check_fits("advertised node", start, ids.len(), port.at, &mut scope.errors);
    }
    if !fits {
        return None;
    }
    let numbered = ids.into_iter().zip(0_u32..);
    let nodes = numbered.map(|(node_id, index)| {
        let port_from = |start: u32| u16::try_from(start + index).unwrap_or(u16::MAX);
        NodePort {
            node_id,
            port: if start == 0 { 0 } else { port_from(start) },
            advertised_port: advertised.map(|port| port_from(u32::from(port.value.get()))),
        }
    });
    Some(nodes.collect())
}

fn check_fits(what: &str, start: u32, count: usize, at: Pos, errors: &mut Errors) -> bool {
    let last = u64::from(start) + (count as u64).saturating_sub(1);
    let fits = count == 0 || last <= u64::from(u16::MAX);
    if !fits {
        errors.push(
            at,
            format!("{what} ports {start} to {last} for {count} nodes go beyond 65535"),
        );
    }
    fits
}

fn dynamic_ports(range: &Spanned<schema::PortRange>, errors: &mut Errors) -> PortRange {
    let (start, end) = (range.value.start.value.get(), range.value.end.value.get());
    if start > end {
        errors.push(
            range.value.end.at,
            format!("`end` {end} is before `start` {start}"),
        );
    }
    PortRange {
        start,
        end: end.max(start),
    }
}

/// Rejects an unspecified address as an advertised host: kproxy can listen on it, but clients cannot connect to it.
fn check_told(at: Pos, host: &str, errors: &mut Errors) {
    if host
        .parse::<IpAddr>()
        .is_ok_and(|ip| ip.to_canonical().is_unspecified())
    {
        let why = format!(
            "this host is advertised to clients, which cannot connect to {}: write the name or address at which they \
             reach kproxy; `bindAddress` of the gateway is the address to listen on",
            quoted(host)
        );
        errors.push(at, why);
    }
}

fn check_node_pattern(pattern: &Spanned<HostPattern>, errors: &mut Errors) {
    if pattern.value.port.is_some() {
        let why =
            "a port is not allowed here: ports follow from `nodeStartPort` and `advertisedNodeStartPort`";
        errors.push(pattern.at, why);
    }
    if let Some(why) = pattern.value.unknown_token(&["nodeId"]) {
        errors.push(pattern.at, why);
    }
}
