//! PROXY protocol settings: a gateway's keys, then the process-wide ones, key by key.

use ipnet::IpNet;

use super::ProxyProtocolVersion;
use super::scope::Scope;
use crate::config::schema::{self, UpstreamProxyProtocol};
use crate::config::{Pos, Spanned};

/// PROXY protocol settings: a load balancer sends the address of the client it connects for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Whether connections begin with a header.
    pub mode: ProxyProtocolMode,
    /// Networks of the peers whose headers are trusted, in ascending order; empty trusts every peer.
    pub trusted_peers: Vec<IpNet>,
    /// Version of the header for brokers; `None` sends none.
    pub upstream: Option<ProxyProtocolVersion>,
}

/// Whether connections begin with a PROXY protocol header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyProtocolMode {
    /// No connection begins with a header.
    #[default]
    Disabled,
    /// A connection may begin with a header.
    Allowed,
    /// Every connection begins with a header.
    Required,
}

/// Resolves the settings, with the position of the key that switches headers on, if any.
pub(super) fn resolve(
    own: Option<&Spanned<schema::ProxyProtocol>>,
    scope: &mut Scope<'_>,
) -> (ProxyProtocol, Option<Pos>) {
    let default = scope.config.root.proxy_protocol.as_ref();
    let levels = || [own, default].into_iter().flatten().map(|level| &level.value);
    let mode = levels().find_map(|level| level.mode.as_ref());
    let peers = levels().find_map(|level| level.trusted_peers.as_ref());
    let upstream = levels().find_map(|level| level.upstream.as_ref());
    let mut trusted_peers: Vec<_> = peers
        .iter()
        .flat_map(|peers| &peers.value.items)
        .map(|peer| peer.value.trunc())
        .collect();
    trusted_peers.sort_unstable();
    trusted_peers.dedup();
    let resolved = ProxyProtocol {
        mode: match mode.map(|mode| mode.value) {
            None | Some(schema::ProxyProtocolMode::Disabled) => ProxyProtocolMode::Disabled,
            Some(schema::ProxyProtocolMode::Allowed) => ProxyProtocolMode::Allowed,
            Some(schema::ProxyProtocolMode::Required) => ProxyProtocolMode::Required,
        },
        trusted_peers,
        upstream: match upstream.map(|version| version.value) {
            None | Some(UpstreamProxyProtocol::None) => None,
            Some(UpstreamProxyProtocol::V1) => Some(ProxyProtocolVersion::V1),
            Some(UpstreamProxyProtocol::V2) => Some(ProxyProtocolVersion::V2),
        },
    };
    let complete = peers.is_none_or(|peers| peers.value.complete);
    if let Some(mode) = mode
        && resolved.mode != ProxyProtocolMode::Disabled
        && resolved.trusted_peers.is_empty()
        && complete
    {
        scope.warnings.push(mode.at, || {
            "`trustedPeers` is empty: every peer may claim any address".to_owned()
        });
    }
    (resolved, mode.map(|mode| mode.at))
}
