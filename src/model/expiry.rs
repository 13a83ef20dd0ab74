//! Expiry of certificates that were read from files.

use std::collections::BTreeMap;
use std::path::Path;

use super::warnings::soon;
use super::{ClientAuth, DownstreamTls, ProxyModel, UpstreamTls, UpstreamTrust};
use crate::pki::{CertificateFacts, Identity, TrustStore};

/// The end of the first certificate of a file in use. Times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEnd {
    /// Path of the file.
    pub file: String,
    /// When it expires.
    pub not_after: i64,
    /// When it begins to expire soon.
    pub soon: i64,
}

/// The certificate of each file that expires first.
type Earliest<'m> = BTreeMap<&'m Path, &'m CertificateFacts>;

impl ProxyModel {
    /// Every certificate file in use, with the earliest expiry of its certificates in seconds since 1970-01-01 UTC.
    pub fn certificate_expiries(&self) -> BTreeMap<&Path, i64> {
        let found = self.earliest_certificates().into_iter();
        found.map(|(file, facts)| (file, facts.not_after)).collect()
    }

    /// Every certificate file in use, with the end of the certificate that expires first.
    pub fn certificate_ends(&self) -> Vec<CertificateEnd> {
        let found = self.earliest_certificates().into_iter();
        found
            .map(|(file, facts)| CertificateEnd {
                file: file.display().to_string(),
                not_after: facts.not_after,
                soon: soon(facts.not_before, facts.not_after),
            })
            .collect()
    }

    fn earliest_certificates(&self) -> Earliest<'_> {
        let mut found = Earliest::new();
        for cluster in self.clusters.values() {
            if let Some(tls) = &cluster.target.tls {
                of_upstream(tls, &mut found);
            }
            let gateways = cluster.gateways.iter().filter_map(|gateway| gateway.tls.as_ref());
            gateways.for_each(|tls| of_downstream(tls, &mut found));
        }
        found
    }
}

fn of_upstream<'m>(tls: &'m UpstreamTls, found: &mut Earliest<'m>) {
    if let Some(identity) = &tls.identity {
        of_identity(identity, found);
    }
    if let UpstreamTrust::Store(store) = &tls.trust {
        of_trust(store, found);
    }
}

fn of_downstream<'m>(tls: &'m DownstreamTls, found: &mut Earliest<'m>) {
    of_identity(&tls.identity, found);
    match &tls.client_auth {
        ClientAuth::None => {}
        ClientAuth::Requested(store) | ClientAuth::Required(store) => of_trust(store, found),
    }
}

fn of_identity<'m>(identity: &'m Identity, found: &mut Earliest<'m>) {
    note(identity.file(), identity.facts(), found);
}

fn of_trust<'m>(store: &'m TrustStore, found: &mut Earliest<'m>) {
    note(store.file(), store.facts(), found);
}

/// Notes the certificates of a file. A file may hold both certificates and trust.
fn note<'m>(file: &'m Path, certificates: &'m [CertificateFacts], found: &mut Earliest<'m>) {
    let noted = found.get(file).copied().into_iter();
    if let Some(first) = noted.chain(certificates).min_by_key(|facts| facts.not_after) {
        found.insert(file, first);
    }
}
