//! Keys that are decoded and checked, and that nothing acts on yet. They are rejected, never ignored.

use crate::config::schema::{
    Gateway, ProxyProtocol, ProxyProtocolMode, Root, UpstreamProxyProtocol, VirtualCluster,
};
use crate::config::{Errors, Pos, Spanned, not_supported_yet};

type Find = fn(&Root, &mut dyn FnMut(Pos));

/// Key, and where it is used in a file. Wiring one deletes its line.
const NOT_YET: &[(&str, Find)] = &[
    ("reload.include", include),
    ("proxyProtocol", proxy_protocol),
    ("sniHostIdentifiesNode", |root, found| {
        gateways(root).for_each(|gateway| key(&gateway.sni_host_identifies_node, found));
    }),
    ("tls", |root, found| {
        gateways(root).for_each(|gateway| key(&gateway.tls, found))
    }),
    ("tls", upstream_tls),
];

pub(super) fn check(root: &Root, errors: &mut Errors) {
    for (name, find) in NOT_YET {
        find(root, &mut |at| errors.push(at, not_supported_yet(name)));
    }
}

fn key<T>(value: &Option<Spanned<T>>, found: &mut dyn FnMut(Pos)) {
    if let Some(value) = value {
        found(value.key);
    }
}

fn clusters(root: &Root) -> impl Iterator<Item = &VirtualCluster> {
    root.virtual_clusters
        .iter()
        .flat_map(|list| &list.value.items)
        .map(|cluster| &cluster.value)
}

fn gateways(root: &Root) -> impl Iterator<Item = &Gateway> {
    clusters(root)
        .flat_map(|cluster| &cluster.gateways)
        .flat_map(|list| &list.value.items)
        .map(|gateway| &gateway.value)
}

fn include(root: &Root, found: &mut dyn FnMut(Pos)) {
    if let Some(reload) = &root.reload {
        key(&reload.value.include, found);
    }
}

/// Its defaults, spelled out, ask for nothing.
fn proxy_protocol(root: &Root, found: &mut dyn FnMut(Pos)) {
    let mut check = |written: &Option<Spanned<ProxyProtocol>>| {
        let Some(written) = written.as_ref().map(|written| &written.value) else {
            return;
        };
        if let Some(mode) = written
            .mode
            .as_ref()
            .filter(|mode| mode.value != ProxyProtocolMode::Disabled)
        {
            found(mode.key);
        }
        if let Some(peers) = written
            .trusted_peers
            .as_ref()
            .filter(|peers| !peers.value.items.is_empty())
        {
            found(peers.key);
        }
        if let Some(leg) = written
            .upstream
            .as_ref()
            .filter(|leg| leg.value != UpstreamProxyProtocol::None)
        {
            found(leg.key);
        }
    };
    check(&root.proxy_protocol);
    gateways(root).for_each(|gateway| check(&gateway.proxy_protocol));
}

fn upstream_tls(root: &Root, found: &mut dyn FnMut(Pos)) {
    for definition in root.cluster_definitions.iter().flat_map(|list| &list.value.items) {
        key(&definition.value.tls, found);
    }
    for target in clusters(root).filter_map(|cluster| cluster.target_cluster.as_ref()) {
        key(&target.value.tls, found);
    }
}
