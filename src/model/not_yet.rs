//! Keys that are decoded and checked, and that nothing acts on yet. They are rejected, never ignored.

use crate::config::schema::{
    Gateway, ProxyProtocol, ProxyProtocolMode, UpstreamProxyProtocol, VirtualCluster,
};
use crate::config::{Config, Errors, Pos, Spanned, not_supported_yet};

type Find = fn(&Config, &mut dyn FnMut(Pos));

/// Key, and where it is used in a file. Wiring one deletes its line.
const NOT_YET: &[(&str, Find)] = &[
    ("proxyProtocol", proxy_protocol),
    ("sniHostIdentifiesNode", |config, found| {
        gateways(config).for_each(|gateway| key(&gateway.sni_host_identifies_node, found));
    }),
    ("tls", |config, found| {
        gateways(config).for_each(|gateway| key(&gateway.tls, found))
    }),
    ("tls", upstream_tls),
];

pub(super) fn check(config: &Config, errors: &mut Errors) {
    for (name, find) in NOT_YET {
        find(config, &mut |at| errors.push(at, not_supported_yet(name)));
    }
}

fn key<T>(value: &Option<Spanned<T>>, found: &mut dyn FnMut(Pos)) {
    if let Some(value) = value {
        found(value.key);
    }
}

fn clusters(config: &Config) -> impl Iterator<Item = &VirtualCluster> {
    config
        .virtual_clusters()
        .flat_map(|list| &list.value.items)
        .map(|cluster| &cluster.value)
}

fn gateways(config: &Config) -> impl Iterator<Item = &Gateway> {
    clusters(config)
        .flat_map(|cluster| &cluster.gateways)
        .flat_map(|list| &list.value.items)
        .map(|gateway| &gateway.value)
}

/// Its defaults, spelled out, ask for nothing.
fn proxy_protocol(config: &Config, found: &mut dyn FnMut(Pos)) {
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
    check(&config.root.proxy_protocol);
    gateways(config).for_each(|gateway| check(&gateway.proxy_protocol));
}

fn upstream_tls(config: &Config, found: &mut dyn FnMut(Pos)) {
    for definition in config.cluster_definitions().flat_map(|list| &list.value.items) {
        key(&definition.value.tls, found);
    }
    for target in clusters(config).filter_map(|cluster| cluster.target_cluster.as_ref()) {
        key(&target.value.tls, found);
    }
}
