//! Counters of authentications.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::names::names;

names! {
    /// What became of an authentication of a client at kproxy, or of the lack of one.
    pub enum ClientLoginOutcome {
        /// The client has authenticated for the first time on its connection.
        First = "first",
        /// The client has authenticated again on its open connection (KIP-368).
        Again = "again",
        /// The client was refused.
        Refused = "refused",
        /// The client had to authenticate again and has sent another request instead: its connection was closed.
        Expired = "expired",
    }
}

/// Authentications by what became of them. They survive a change of the filter.
#[derive(Debug, Default)]
pub struct ClientLoginTally([AtomicU64; ClientLoginOutcome::ALL.len()]);

impl ClientLoginTally {
    /// Counts one.
    pub fn count(&self, outcome: ClientLoginOutcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Number of those with this outcome.
    pub fn get(&self, outcome: ClientLoginOutcome) -> u64 {
        self.0[outcome as usize].load(Ordering::Relaxed)
    }
}
