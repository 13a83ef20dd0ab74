//! Certificates that a change exchanges.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::report::{CertificateExchange, CertificateSummary};
use crate::model::{ClientAuth, Gateway, ProxyModel, UpstreamTrust, VirtualCluster};
use crate::pki::{CertificateFacts, Identity, TrustStore};
use crate::reload::Plan;
use crate::time::rfc3339;

/// Virtual clusters that are named for one exchange.
const MAX_CLUSTERS: usize = 10;

/// Use, file before and file after, with the virtual clusters that use it.
type Exchanges = BTreeMap<(&'static str, CertificateSummary, CertificateSummary), Vec<String>>;

/// The certificates in use that `plan` exchanges, by use and file. Certificates that come or go are none.
pub(super) fn exchanges(plan: &Plan, old: &ProxyModel) -> Vec<CertificateExchange> {
    let mut found = Exchanges::new();
    for change in plan.modified() {
        if let Some(before) = old.clusters.get(&change.cluster.name) {
            of_cluster(before, &change.cluster, &mut found);
        }
    }
    let exchange = |((role, before, after), mut clusters): (_, Vec<String>)| {
        clusters.dedup();
        let uses = clusters.len();
        clusters.truncate(MAX_CLUSTERS);
        CertificateExchange {
            role: std::borrow::Cow::Borrowed(role),
            before,
            after,
            clusters,
            uses,
        }
    };
    found.into_iter().map(exchange).collect()
}

fn of_cluster(old: &VirtualCluster, new: &VirtualCluster, found: &mut Exchanges) {
    let mut note = |role, before, after| {
        let users = found.entry((role, before, after)).or_default();
        users.push(new.name.clone());
    };
    for after in &new.gateways {
        if let Some(before) = old.gateways.iter().find(|before| before.name == after.name) {
            of_gateway(before, after, &mut note);
        }
    }
    let (Some(before), Some(after)) = (&old.target.tls, &new.target.tls) else {
        return;
    };
    if let (Some(before), Some(after)) = (&before.identity, &after.identity) {
        identity("broker_client", before, after, &mut note);
    }
    if let (UpstreamTrust::Store(before), UpstreamTrust::Store(after)) = (&before.trust, &after.trust) {
        trust(before, after, &mut note);
    }
}

fn of_gateway(
    before: &Gateway,
    after: &Gateway,
    note: &mut impl FnMut(&'static str, CertificateSummary, CertificateSummary),
) {
    let (Some(before), Some(after)) = (&before.tls, &after.tls) else {
        return;
    };
    identity("gateway", &before.identity, &after.identity, note);
    let store = |auth: &ClientAuth| match auth {
        ClientAuth::None => None,
        ClientAuth::Requested(store) | ClientAuth::Required(store) => Some(std::sync::Arc::clone(store)),
    };
    if let (Some(before), Some(after)) = (store(&before.client_auth), store(&after.client_auth)) {
        trust(&before, &after, note);
    }
}

fn identity(
    role: &'static str,
    before: &Identity,
    after: &Identity,
    note: &mut impl FnMut(&'static str, CertificateSummary, CertificateSummary),
) {
    if !before.has_content_of(after) {
        let of = |identity: &Identity| summary(identity.file(), identity.facts(), identity.not_after());
        note(role, of(before), of(after));
    }
}

fn trust(
    before: &TrustStore,
    after: &TrustStore,
    note: &mut impl FnMut(&'static str, CertificateSummary, CertificateSummary),
) {
    if !before.has_content_of(after) {
        let of = |store: &TrustStore| summary(store.file(), store.facts(), store.not_after());
        note("trust", of(before), of(after));
    }
}

fn summary(file: &Path, facts: &[CertificateFacts], not_after: Option<i64>) -> CertificateSummary {
    let at = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok()?;
        Some(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)))
    };
    CertificateSummary {
        file: file.display().to_string(),
        subject: facts
            .first()
            .map(|facts| facts.subject.clone())
            .unwrap_or_default(),
        not_after: not_after.and_then(at),
    }
}
