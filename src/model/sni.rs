//! Gateways that identify nodes by host name (`sniHostIdentifiesNode`).

use std::net::IpAddr;

use super::gateway::{GatewayCommon, bind_ip};
use super::node_host::NODE_ID;
use super::ports::{ClaimKind, PortClaim};
use super::scope::Scope;
use super::sni_hosts::SniGateway;
use super::{Gateway, IdentifiedBy};
use crate::config::schema::{self, SniHostIdentifiesNode};
use crate::config::{Errors, HostPattern, Pos, Spanned, quoted};

const CLUSTER: &str = "$(virtualClusterName)";

/// Longest DNS name and longest label (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;
const MAX_LABEL: usize = 63;

/// Resolves a gateway; `None` after an error that was reported.
pub(super) fn resolve<'c>(
    cluster: &'c str,
    gateway: &'c Spanned<schema::Gateway>,
    by_sni: &'c Spanned<SniHostIdentifiesNode>,
    secured: GatewayCommon,
    scope: &mut Scope<'c>,
) -> Option<Gateway> {
    let written = &by_sni.value;
    if gateway.value.tls.is_none() && gateway.value.shape.is_sound() {
        let why = "`sniHostIdentifiesNode` needs `tls` with a `key`";
        scope.errors.push(by_sni.key, why);
    }
    let (address, advertised) = (
        &written.bootstrap_address,
        &written.advertised_broker_address_pattern,
    );
    let host = bootstrap_host(address.at, &address.value.host, cluster, scope);
    let pattern = node_pattern(advertised, cluster, scope);
    let advertised_port = advertised.value.port;
    if advertised_port == Some(0) {
        scope
            .errors
            .push(advertised.at, "clients cannot connect to port 0");
    }
    let (host, pattern) = (host?, pattern?);
    let told = [(&*host, address.at), (&*pattern, advertised.at)];
    let bind = bind_ip(
        gateway.value.bind_address.as_ref().map(|ip| ip.value),
        told.into_iter(),
        scope,
    );
    let (proxy_protocol, header_at) = secured.proxy_protocol;
    // A port that follows from an unreadable value would only cause further errors.
    if !gateway.value.shape.bad_values && !written.shape.bad_values {
        let named = SniGateway {
            ip: bind,
            port: address.value.port,
            owner: (cluster, gateway.value.name.value.as_str()),
            bootstrap: (host.clone(), address.at),
            pattern: (pattern.clone(), advertised.at),
            proxy_protocol: (proxy_protocol.clone(), header_at.unwrap_or(by_sni.key)),
        };
        claim(named, scope);
    }
    Some(Gateway {
        name: gateway.value.name.value.clone(),
        bind,
        bootstrap_host: host,
        bootstrap_port: address.value.port,
        advertised_bootstrap_port: None,
        node_host_pattern: pattern.into(),
        identified_by: IdentifiedBy::SniHost { advertised_port },
        nodes: Vec::new(),
        dynamic_ports: None,
        tls: secured.tls?,
        proxy_protocol,
    })
}

/// Claims the port. Port 0 is a new port each time and is never shared.
fn claim<'c>(gateway: SniGateway<'c>, scope: &mut Scope<'c>) {
    if gateway.port == 0 {
        return;
    }
    scope.ports.add(PortClaim {
        ip: gateway.ip,
        start: gateway.port,
        end: gateway.port,
        at: gateway.bootstrap.1,
        owner: Some(gateway.owner),
        what: ClaimKind::Sni,
    });
    scope.hosts.add(gateway);
}

fn bootstrap_host(at: Pos, written: &str, cluster: &str, scope: &mut Scope<'_>) -> Option<String> {
    let pattern = HostPattern {
        host: written.to_owned(),
        port: None,
    };
    if let Some(why) = pattern.unknown_token(&["virtualClusterName"]) {
        scope.errors.push(at, why);
        return None;
    }
    let host = written.replace(CLUSTER, cluster).to_ascii_lowercase();
    check_name(at, &host, scope)?;
    Some(host)
}

fn node_pattern(written: &Spanned<HostPattern>, cluster: &str, scope: &mut Scope<'_>) -> Option<String> {
    let pattern = &written.value;
    if let Some(why) = pattern.unknown_token(&["nodeId", "virtualClusterName"]) {
        scope.errors.push(written.at, why);
        return None;
    }
    let host = pattern.host.replace(CLUSTER, cluster);
    let Some((before, after)) = host.split_once(NODE_ID) else {
        let why = "`advertisedBrokerAddressPattern` needs `$(nodeId)`";
        scope.errors.push(written.at, why);
        return None;
    };
    let (before, after) = (before.to_ascii_lowercase(), after.to_ascii_lowercase());
    check_place(&before, &after, written.at, &mut scope.errors)?;
    check_name(written.at, &format!("{before}{}{after}", i32::MAX), scope)?;
    Some(format!("{before}{NODE_ID}{after}"))
}

/// Checks that the pattern gives exactly one node id for every name.
fn check_place(before: &str, after: &str, at: Pos, errors: &mut Errors) -> Option<()> {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let why = if after.contains(&NODE_ID.to_ascii_lowercase()) {
        "`advertisedBrokerAddressPattern` has `$(nodeId)` more than once"
    } else if digit(before.as_bytes().last()) || digit(after.as_bytes().first()) {
        "a digit next to `$(nodeId)`: the end of the node id would be ambiguous"
    } else {
        return Some(());
    };
    errors.push(at, why);
    None
}

/// Checks that clients can send `host` in a TLS ClientHello.
fn check_name(at: Pos, host: &str, scope: &mut Scope<'_>) -> Option<()> {
    let long_label = host.split('.').find(|label| label.len() > MAX_LABEL);
    let why = if host.parse::<IpAddr>().is_ok() {
        format!(
            "{} is an address: clients send host names only (RFC 6066 §3), so kproxy could not find the gateway",
            quoted(host)
        )
    } else if host.ends_with('.') {
        format!("{} ends with a dot, which clients do not send", quoted(host))
    } else if host.len() > MAX_HOST {
        format!("host name {} has more than {MAX_HOST} characters", quoted(host))
    } else if let Some(label) = long_label {
        format!(
            "host name with a label of more than {MAX_LABEL} characters: {}",
            quoted(label)
        )
    } else {
        if !host.contains('.') || host.contains('_') {
            scope.warnings.push(at, || {
                format!(
                    "Java clients send no host name for {}: it needs a dot and no underscore",
                    quoted(host)
                )
            });
        }
        return Some(());
    };
    scope.errors.push(at, why);
    None
}
