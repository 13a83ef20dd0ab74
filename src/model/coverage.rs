//! Check that a gateway's certificate covers the host names it advertises.

use super::node_host::NODE_ID;
use super::scope::Scope;
use super::{Gateway, IdentifiedBy};
use crate::config::schema;
use crate::config::{Pos, Spanned, quoted};
use crate::pki::CertificateFacts;

/// Warns about host names that clients with hostname verification would reject.
pub(super) fn check(gateway: &Gateway, written: &Spanned<schema::Gateway>, scope: &mut Scope<'_>) {
    let Some(tls) = &gateway.tls else { return };
    let Some(facts) = tls.identity.facts().first() else {
        return;
    };
    let file = tls.identity.file().to_string_lossy().into_owned();
    let (bootstrap_at, pattern_at) = places(&written.value, written.at);
    let mut warn = |at: Pos, host: &str| {
        scope.warnings.push(at, || {
            let names = if facts.dns_names.is_empty() { "it has no DNS names" } else { "its names are others" };
            let (host, file) = (quoted(host), quoted(&file));
            format!("the certificate in {file} does not cover {host}, {names}: clients that check names will refuse it")
        });
    };
    if !facts.covers(&gateway.bootstrap_host) {
        warn(bootstrap_at, &gateway.bootstrap_host);
    }
    if let Some(host) = uncovered_node(gateway, facts) {
        warn(pattern_at, &host);
    }
}

/// Positions of bootstrap host and node pattern in the file.
fn places(gateway: &schema::Gateway, default: Pos) -> (Pos, Pos) {
    if let Some(by_port) = &gateway.port_identifies_node {
        let by_port = &by_port.value;
        let pattern = by_port.advertised_broker_address_pattern.as_ref();
        let bootstrap = by_port.bootstrap_address.at;
        return (bootstrap, pattern.map_or(bootstrap, |pattern| pattern.at));
    }
    gateway
        .sni_host_identifies_node
        .as_ref()
        .map_or((default, default), |by_sni| {
            let by_sni = &by_sni.value;
            (
                by_sni.bootstrap_address.at,
                by_sni.advertised_broker_address_pattern.at,
            )
        })
}

fn uncovered_node(gateway: &Gateway, facts: &CertificateFacts) -> Option<String> {
    let pattern = gateway.node_host_pattern.as_str();
    if pattern == gateway.bootstrap_host {
        return None;
    }
    let Some((before, after)) = pattern.split_once(NODE_ID) else {
        return (!facts.covers(pattern)).then(|| pattern.to_owned());
    };
    let name = |id: i32| format!("{before}{id}{after}");
    match gateway.identified_by {
        IdentifiedBy::Port => {
            let names = gateway.nodes.iter().map(|node| name(node.node_id));
            names.into_iter().find(|name| !facts.covers(name))
        }
        // The node ids are unknown: a list of names may cover all of them.
        IdentifiedBy::SniHost { .. } => {
            let listed = |listed: &String| {
                let id = listed
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after));
                id.is_some_and(|id| id.parse::<u32>().is_ok())
            };
            let covered = facts.covers(&name(0)) || facts.dns_names.iter().any(listed);
            (!covered).then(|| pattern.to_owned())
        }
    }
}
