//! Sessions whose clients new client-authentication rules refuse.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rustls::pki_types::UnixTime;

use crate::drain::ConnectionTracker;
use crate::tls::DownstreamContext;

/// Checks the clients of all sessions of `trackers` against the rules of `context`. Returns the refused sessions by id,
/// each with the reason. Each certificate is verified once, however many sessions use it. Changes nothing.
pub(in crate::control) fn refused(
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

/// Number of sessions for each reason.
pub(in crate::control) fn by_reason(refused: &HashMap<u64, Arc<str>>) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for reason in refused.values() {
        *reasons.entry(&**reason).or_default() += 1;
    }
    reasons
}
