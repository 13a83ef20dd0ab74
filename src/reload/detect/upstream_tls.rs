//! TLS towards brokers.

use super::super::change::ChangedKey;
use super::super::classes::ReloadClass;
use super::key;
use crate::model::{Difference, UpstreamTls, UpstreamTrust};

const TLS: &str = "virtualClusters[].targetCluster.tls";
const KEY: &str = "virtualClusters[].targetCluster.tls.key";
const TRUST: &str = "virtualClusters[].targetCluster.tls.trust";
const STORE: &str = "virtualClusters[].targetCluster.tls.trust.storeFile";
const REVOKED: &str = "virtualClusters[].targetCluster.tls.crlFile";

pub(super) fn compare(
    old: Option<&UpstreamTls>,
    new: Option<&UpstreamTls>,
    changed: &mut impl FnMut(ChangedKey),
) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) => (old, new),
        _ => return changed(key(TLS)),
    };
    let UpstreamTls {
        trust,
        identity,
        server_name,
        revoked,
        negotiation,
    } = old;
    if *trust != new.trust {
        let stores = matches!(
            (trust, &new.trust),
            (UpstreamTrust::Store(_), UpstreamTrust::Store(_))
        );
        let path = if stores { STORE } else { TRUST };
        changed(blamed(path, new.trust_differs_from(old)));
    }
    if *identity != new.identity {
        changed(blamed(KEY, new.identity_differs_from(old)));
    }
    if *server_name != new.server_name {
        changed(key("virtualClusters[].targetCluster.tls.serverName"));
    }
    if *revoked != new.revoked {
        changed(blamed(REVOKED, new.revoked_differs_from(old)));
    }
    if negotiation.versions != new.negotiation.versions {
        changed(key("virtualClusters[].targetCluster.tls.protocols"));
    } else if *negotiation != new.negotiation {
        changed(key("virtualClusters[].targetCluster.tls.cipherSuites"));
    }
}

/// What was renewed in its file, or only moved to another, touches no connection.
fn blamed(path: &'static str, difference: Difference) -> ChangedKey {
    match difference {
        Difference::None | Difference::Renewed => ChangedKey {
            path,
            class: ReloadClass::Live,
        },
        Difference::Incompatible => key(path),
    }
}
