//! Gateways: where they listen and what they tell clients.

use std::net::{IpAddr, Ipv4Addr};

use super::node_ids::node_ids;
use super::ports::{Claim, What};
use super::resolve::Scope;
use super::{BindIp, Gateway, IdentifiedBy, NodePort, PortRange, ProxyProtocol, tls};
use crate::config::schema::{self, PortIdentifiesNode, SniHostIdentifiesNode};
use crate::config::{Errors, HostPattern, Pos, Spanned, quoted};

/// `None` where something was wrong and has been reported.
pub(super) fn resolve<'c>(
    cluster: &'c str,
    written: &'c Spanned<schema::Gateway>,
    scope: &mut Scope<'c>,
) -> Option<Gateway> {
    let gateway = &written.value;
    if let Some(tls) = &gateway.tls {
        tls::check_downstream(&tls.value, &mut scope.errors);
    }
    match (&gateway.port_identifies_node, &gateway.sni_host_identifies_node) {
        (Some(by_port), None) => resolve_ports(cluster, written, by_port, scope),
        (None, Some(by_sni)) => {
            check_sni(gateway, by_sni, &mut scope.errors);
            None
        }
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
    if let Some(pattern) = pattern {
        check_node_pattern(pattern, &mut scope.errors);
    }
    let nodes = nodes(by_port, scope);
    let dynamic_ports = written
        .dynamic_node_ports
        .as_ref()
        .map(|range| dynamic_ports(range, &mut scope.errors));
    let bind = bind_ip(
        gateway.value.bind_address.as_ref().map(|ip| ip.value),
        &address.host,
    );
    // Ports that follow from a value that could not be read are no grounds for complaints.
    if !written.shape.bad_values && !gateway.value.shape.bad_values {
        let claim = |what, start, end, at| Claim {
            ip: bind,
            start,
            end,
            at,
            owner: Some((cluster, gateway.value.name.value.as_str())),
            what,
        };
        let bootstrap_at = written.bootstrap_address.at;
        scope
            .ports
            .add(claim(What::Bootstrap, address.port, address.port, bootstrap_at));
        if let Some((first, last)) = nodes.as_ref().and_then(|nodes| nodes.first().zip(nodes.last())) {
            let at = written
                .node_start_port
                .as_ref()
                .map_or(bootstrap_at, |port| port.at);
            scope.ports.add(claim(What::Nodes, first.port, last.port, at));
        }
        if let (Some(ports), Some(range)) = (dynamic_ports, &written.dynamic_node_ports) {
            scope
                .ports
                .add(claim(What::Dynamic, ports.start, ports.end, range.at));
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
        node_host_pattern: pattern.map_or_else(|| address.host.clone(), |pattern| pattern.value.host.clone()),
        identified_by: IdentifiedBy::Port,
        nodes: nodes?,
        dynamic_ports,
        tls: None,
        proxy_protocol: ProxyProtocol::default(),
    })
}

/// Absent: an address of this machine only where the clients' bootstrap host is one, else every address.
fn bind_ip(written: Option<IpAddr>, bootstrap_host: &str) -> BindIp {
    match written {
        Some(ip) => BindIp::of(ip),
        None => loopback(bootstrap_host).map_or(BindIp::Any, BindIp::Ip),
    }
}

fn loopback(host: &str) -> Option<IpAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return ip.is_loopback().then_some(ip);
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    (name == "localhost" || name.ends_with(".localhost")).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Reports and returns `None` where the ports do not fit.
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

fn check_node_pattern(pattern: &Spanned<HostPattern>, errors: &mut Errors) {
    if pattern.value.port.is_some() {
        let why = "no port here, ports follow from `nodeStartPort` and `advertisedNodeStartPort`";
        errors.push(pattern.at, why);
    }
    if let Some(why) = pattern.value.unknown_token(&["nodeId"]) {
        errors.push(pattern.at, why);
    }
}

fn check_sni(gateway: &schema::Gateway, by_sni: &Spanned<SniHostIdentifiesNode>, errors: &mut Errors) {
    const NODE_ID: &str = "nodeId";
    const CLUSTER: &str = "virtualClusterName";
    let bootstrap = &by_sni.value.bootstrap_address;
    let host = HostPattern {
        host: bootstrap.value.host.clone(),
        port: None,
    };
    if let Some(why) = host.unknown_token(&[CLUSTER]) {
        errors.push(bootstrap.at, why);
    }
    let pattern = &by_sni.value.advertised_broker_address_pattern;
    if let Some(why) = pattern.value.unknown_token(&[NODE_ID, CLUSTER]) {
        errors.push(pattern.at, why);
    } else if !pattern.value.tokens().any(|token| token == NODE_ID) {
        errors.push(pattern.at, "`advertisedBrokerAddressPattern` needs `$(nodeId)`");
    }
    let has_key = gateway
        .tls
        .as_ref()
        .is_some_and(|tls| tls.value.key.is_some() || !tls.value.shape.is_sound());
    if !has_key && gateway.shape.is_sound() {
        errors.push(by_sni.key, "`sniHostIdentifiesNode` needs `tls` with a `key`");
    }
}
