//! Sessions whose clients new rules refuse: those of TLS, or those by which clients authenticate at kproxy.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rustls::pki_types::UnixTime;

use crate::drain::ConnectionTracker;
use crate::model::SaslTerminationModel;
use crate::tls::DownstreamContext;

/// Rules by which the clients of live sessions are checked again.
pub(in crate::control) enum RecheckRules {
    /// Rules of TLS, of one gateway.
    Tls(Arc<DownstreamContext>),
    /// Rules by which clients authenticate at kproxy, of one virtual cluster.
    Logins(Arc<SaslTerminationModel>),
}

/// Checks the clients of all sessions of `trackers` against `rules`. Returns the refused sessions by id, each with the
/// reason. Changes nothing.
pub(in crate::control) fn refused(
    rules: &RecheckRules,
    trackers: &[Arc<ConnectionTracker>],
) -> HashMap<u64, Arc<str>> {
    match rules {
        RecheckRules::Tls(context) => refused_by_tls(context, trackers),
        RecheckRules::Logins(settings) => refused_logins(settings, trackers),
    }
}

/// Each certificate is verified once, however many sessions use it.
fn refused_by_tls(
    context: &DownstreamContext,
    trackers: &[Arc<ConnectionTracker>],
) -> HashMap<u64, Arc<str>> {
    let now = UnixTime::now();
    let (mut checked, mut refused) = (HashMap::new(), HashMap::new());
    for session in trackers.iter().flat_map(|tracker| tracker.sessions()) {
        // A session without TLS facts has not finished its handshake, and checks the rules itself when it has.
        let Some(tls) = session.facts.tls() else { continue };
        let check = || {
            context
                .accepts_client(&tls.negotiated, now)
                .err()
                .map(Arc::<str>::from)
        };
        let refusal = checked.entry(tls.negotiated.credentials()).or_insert_with(check);
        if let Some(reason) = refusal {
            refused.insert(session.id, Arc::clone(reason));
        }
    }
    refused
}

fn refused_logins(
    settings: &SaslTerminationModel,
    trackers: &[Arc<ConnectionTracker>],
) -> HashMap<u64, Arc<str>> {
    let sessions = trackers.iter().flat_map(|tracker| tracker.sessions());
    let refused = sessions.filter_map(|session| {
        let reason = session.facts.login()?.check(settings).err()?;
        let reason = format!("the client has authenticated at kproxy, and {reason}");
        Some((session.id, reason.into()))
    });
    refused.collect()
}

/// Number of sessions for each reason.
pub(in crate::control) fn by_reason(refused: &HashMap<u64, Arc<str>>) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for reason in refused.values() {
        *reasons.entry(&**reason).or_default() += 1;
    }
    reasons
}
