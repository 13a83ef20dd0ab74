//! TLS towards clients.

use super::super::change::ChangedKey;
use super::super::classes::ReloadClass;
use super::key;
use crate::model::{ClientAuth, DownstreamTls};
use crate::pki::{Negotiation, TrustStore};

const TLS: &str = "virtualClusters[].gateways[].tls";
const KEY: &str = "virtualClusters[].gateways[].tls.key";
const TRUST: &str = "virtualClusters[].gateways[].tls.trust.storeFile";
const CLIENT_AUTH: &str = "virtualClusters[].gateways[].tls.trust.trustOptions.clientAuth";

pub(super) fn compare(
    old: Option<&DownstreamTls>,
    new: Option<&DownstreamTls>,
    changed: &mut impl FnMut(ChangedKey),
) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) => (old, new),
        _ => return changed(key(TLS)),
    };
    let DownstreamTls {
        identity,
        client_auth,
        revoked,
        negotiation,
        end_sessions_on_expiry,
    } = old;
    if *identity != new.identity {
        changed(key(KEY));
    }
    compare_client_auth(client_auth, &new.client_auth, changed);
    if *revoked != new.revoked {
        changed(key("virtualClusters[].gateways[].tls.crlFile"));
    }
    compare_negotiation(negotiation, &new.negotiation, changed);
    if *end_sessions_on_expiry != new.end_sessions_on_expiry {
        changed(key("virtualClusters[].gateways[].tls.endSessionsOnExpiry"));
    }
}

fn compare_client_auth(old: &ClientAuth, new: &ClientAuth, changed: &mut impl FnMut(ChangedKey)) {
    if std::mem::discriminant(old) != std::mem::discriminant(new) {
        changed(key(CLIENT_AUTH));
    }
    match (store(old), store(new)) {
        (Some(old), Some(new)) if old == new => {}
        // The same certificates, somewhere else.
        (Some(old), Some(new)) if old.has_content_of(new) => changed(ChangedKey {
            path: TRUST,
            class: ReloadClass::Live,
        }),
        (Some(_), Some(_)) => changed(key(TRUST)),
        // That is what `clientAuth` says.
        (None, _) | (_, None) => {}
    }
}

fn store(client_auth: &ClientAuth) -> Option<&TrustStore> {
    match client_auth {
        ClientAuth::None => None,
        ClientAuth::Requested(store) | ClientAuth::Required(store) => Some(store),
    }
}

/// Suites that only come or go with their version are not what was changed.
fn compare_negotiation(old: &Negotiation, new: &Negotiation, changed: &mut impl FnMut(ChangedKey)) {
    let Negotiation { versions, suites } = old;
    if *versions != new.versions {
        changed(key("virtualClusters[].gateways[].tls.protocols"));
    }
    let both = |version| {
        let is_it = |other: &&rustls::SupportedProtocolVersion| other.version == version;
        versions.iter().any(&is_it) && new.versions.iter().any(is_it)
    };
    let old = suites.iter().filter(|suite| both(suite.version().version));
    let new = new.suites.iter().filter(|suite| both(suite.version().version));
    if !old.eq(new) {
        changed(key("virtualClusters[].gateways[].tls.cipherSuites"));
    }
}
