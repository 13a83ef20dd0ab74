//! TLS towards brokers: whether the way to them is still the same after files were replaced.

use std::path::Path;

use super::super::effect::Effect::{self, Apply, RenewBrokerTls, ReplaceTarget};
use crate::model::{UpstreamTls, UpstreamTrust};
use crate::pki::{Identity, RevocationLists, TrustStore};

const TLS: &str = "virtualClusters[].targetCluster.tls";
const KEY: &str = "virtualClusters[].targetCluster.tls.key";
const TRUST: &str = "virtualClusters[].targetCluster.tls.trust";
const STORE: &str = "virtualClusters[].targetCluster.tls.trust.storeFile";
const REVOKED: &str = "virtualClusters[].targetCluster.tls.crlFile";

pub(super) fn compare(
    old: Option<&UpstreamTls>,
    new: Option<&UpstreamTls>,
    changed: &mut impl FnMut(&'static str, Effect),
) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) => (old, new),
        _ => return changed(TLS, ReplaceTarget),
    };
    let UpstreamTls {
        trust,
        identity,
        server_name,
        revoked,
        negotiation,
    } = old;
    match (trust, &new.trust) {
        (old, new) if old == new => {}
        (UpstreamTrust::Store(old), UpstreamTrust::Store(new)) => {
            changed(STORE, replacement(Some(&**old), Some(&**new)))
        }
        _ => changed(TRUST, ReplaceTarget),
    }
    if *identity != new.identity {
        changed(KEY, replacement(identity.as_deref(), new.identity.as_deref()));
    }
    if *server_name != new.server_name {
        changed("virtualClusters[].targetCluster.tls.serverName", ReplaceTarget);
    }
    if *revoked != new.revoked {
        changed(REVOKED, replacement(revoked.as_deref(), new.revoked.as_deref()));
    }
    if negotiation.versions != new.negotiation.versions {
        changed("virtualClusters[].targetCluster.tls.protocols", ReplaceTarget);
    } else if *negotiation != new.negotiation {
        changed("virtualClusters[].targetCluster.tls.cipherSuites", ReplaceTarget);
    }
}

/// Material that is read from a file.
trait FromFile {
    fn file(&self) -> &Path;
    fn has_content_of(&self, other: &Self) -> bool;
}

macro_rules! from_file {
    ($($kind:ty),+) => {$(
        impl FromFile for $kind {
            fn file(&self) -> &Path {
                <$kind>::file(self)
            }

            fn has_content_of(&self, other: &Self) -> bool {
                <$kind>::has_content_of(self, other)
            }
        }
    )+};
}

from_file!(Identity, TrustStore, RevocationLists);

/// The effect of other material. A file that is named where none was, or none any more, is no renewal.
fn replacement<M: FromFile>(before: Option<&M>, after: Option<&M>) -> Effect {
    match (before, after) {
        (Some(before), Some(after)) if after.has_content_of(before) => Apply,
        (Some(before), Some(after)) if after.file() == before.file() => RenewBrokerTls,
        _ => ReplaceTarget,
    }
}
