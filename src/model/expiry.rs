//! Expiry of certificates that were read from files.

use std::collections::BTreeMap;
use std::path::Path;

use super::{ClientAuth, DownstreamTls, ProxyModel, UpstreamTls, UpstreamTrust};
use crate::pki::{Identity, TrustStore};

impl ProxyModel {
    /// Every certificate file in use, with the earliest expiry of its certificates in seconds since 1970-01-01 UTC.
    pub fn certificate_expiries(&self) -> BTreeMap<&Path, i64> {
        let mut found = BTreeMap::new();
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

fn of_upstream<'m>(tls: &'m UpstreamTls, found: &mut BTreeMap<&'m Path, i64>) {
    if let Some(identity) = &tls.identity {
        of_identity(identity, found);
    }
    if let UpstreamTrust::Store(store) = &tls.trust {
        of_trust(store, found);
    }
}

fn of_downstream<'m>(tls: &'m DownstreamTls, found: &mut BTreeMap<&'m Path, i64>) {
    of_identity(&tls.identity, found);
    match &tls.client_auth {
        ClientAuth::None => {}
        ClientAuth::Requested(store) | ClientAuth::Required(store) => of_trust(store, found),
    }
}

fn of_identity<'m>(identity: &'m Identity, found: &mut BTreeMap<&'m Path, i64>) {
    note(identity.file(), identity.not_after(), found);
}

fn of_trust<'m>(store: &'m TrustStore, found: &mut BTreeMap<&'m Path, i64>) {
    note(store.file(), store.not_after(), found);
}

/// Notes an expiry. A file may hold both certificates and trust.
fn note<'m>(file: &'m Path, not_after: Option<i64>, found: &mut BTreeMap<&'m Path, i64>) {
    if let Some(ends) = not_after {
        let earliest = found.entry(file).or_insert(ends);
        *earliest = (*earliest).min(ends);
    }
}
