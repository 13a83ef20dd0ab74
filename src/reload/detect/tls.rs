//! TLS towards clients.

use super::super::effect::Effect::{self, RecheckClients, RenewClientTls, ReplaceGateway};
use crate::model::{ClientAuth, DownstreamTls};
use crate::pki::{Negotiation, TrustStore};

const TLS: &str = "virtualClusters[].gateways[].tls";
const KEY: &str = "virtualClusters[].gateways[].tls.key";
const TRUST: &str = "virtualClusters[].gateways[].tls.trust.storeFile";
const REVOKED: &str = "virtualClusters[].gateways[].tls.crlFile";
const CLIENT_AUTH: &str = "virtualClusters[].gateways[].tls.trust.trustOptions.clientAuth";

pub(super) fn compare(
    old: Option<&DownstreamTls>,
    new: Option<&DownstreamTls>,
    changed: &mut impl FnMut(&'static str, Effect),
) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) => (old, new),
        _ => return changed(TLS, ReplaceGateway),
    };
    let DownstreamTls {
        identity,
        client_auth,
        revoked,
        negotiation,
        end_sessions_on_expiry,
    } = old;
    if *identity != new.identity {
        changed(KEY, RenewClientTls);
    }
    compare_client_auth(client_auth, &new.client_auth, changed);
    match (revoked, &new.revoked) {
        (old, new) if old == new => {}
        // Only the path of the lists changes.
        (Some(old), Some(new)) if old.has_content_of(new) => changed(REVOKED, RenewClientTls),
        _ => changed(REVOKED, RecheckClients),
    }
    compare_negotiation(negotiation, &new.negotiation, changed);
    if *end_sessions_on_expiry != new.end_sessions_on_expiry {
        // Clients whose certificate has expired by now leave; none leaves because the rule is gone.
        let effect = if new.end_sessions_on_expiry {
            RecheckClients
        } else {
            RenewClientTls
        };
        changed("virtualClusters[].gateways[].tls.endSessionsOnExpiry", effect);
    }
}

fn compare_client_auth(old: &ClientAuth, new: &ClientAuth, changed: &mut impl FnMut(&'static str, Effect)) {
    if std::mem::discriminant(old) != std::mem::discriminant(new) {
        changed(CLIENT_AUTH, RecheckClients);
    }
    match (store(old), store(new)) {
        (Some(old), Some(new)) if old == new => {}
        // Only the path of the certificates changes.
        (Some(old), Some(new)) if old.has_content_of(new) => changed(TRUST, RenewClientTls),
        (Some(_), Some(_)) => changed(TRUST, RecheckClients),
        // A change of `clientAuth` is reported under its own key.
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
fn compare_negotiation(old: &Negotiation, new: &Negotiation, changed: &mut impl FnMut(&'static str, Effect)) {
    let Negotiation { versions, suites } = old;
    if *versions != new.versions {
        changed("virtualClusters[].gateways[].tls.protocols", RecheckClients);
    }
    let both = |version| {
        let is_it = |other: &&rustls::SupportedProtocolVersion| other.version == version;
        versions.iter().any(&is_it) && new.versions.iter().any(is_it)
    };
    let old = suites.iter().filter(|suite| both(suite.version().version));
    let new = new.suites.iter().filter(|suite| both(suite.version().version));
    if !old.eq(new) {
        changed("virtualClusters[].gateways[].tls.cipherSuites", RecheckClients);
    }
}
