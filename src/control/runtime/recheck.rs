//! Which sessions new rules about clients do not let in. Nothing is done to them here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rustls::pki_types::UnixTime;

use crate::drain::ConnectionTracker;
use crate::tls::DownstreamContext;

/// The sessions of `trackers` that `context` would not let in, with the reasons. Each certificate is verified once,
/// however many sessions have shown it.
pub(in crate::control) fn refused(
    context: &DownstreamContext,
    trackers: &[Arc<ConnectionTracker>],
) -> HashMap<u64, Arc<str>> {
    let now = UnixTime::now();
    let (mut known, mut refused) = (HashMap::new(), HashMap::new());
    for session in trackers.iter().flat_map(|tracker| tracker.sessions()) {
        // One without has not finished its handshake, and looks at the rules itself when it has.
        let Some(tls) = session.facts.tls() else { continue };
        let judge = || {
            context
                .accepts_client(&tls.negotiated, now)
                .err()
                .map(Arc::<str>::from)
        };
        let verdict = known.entry(tls.negotiated.credentials()).or_insert_with(judge);
        if let Some(reason) = verdict {
            refused.insert(session.id, Arc::clone(reason));
        }
    }
    refused
}

/// How many sessions each reason concerns.
pub(in crate::control) fn by_reason(refused: &HashMap<u64, Arc<str>>) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for reason in refused.values() {
        *reasons.entry(&**reason).or_default() += 1;
    }
    reasons
}
