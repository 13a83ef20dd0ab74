//! What ties a session to its broker connection, so that it cannot go on over another one.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::names::names;

names! {
    /// What ties a session to its broker connection.
    #[repr(u8)]
    #[derive(PartialOrd, Ord)]
    pub enum BrokerTie {
        /// Its client has authenticated to the broker, which kproxy cannot repeat.
        ClientLogin = "client_login",
        /// Its client has a share session, which ends with the connection (KIP-932).
        ShareSession = "share_session",
    }
}

impl BrokerTie {
    /// The tie in words, as the end of "the connection cannot go on over another broker connection because …".
    pub fn description(self) -> &'static str {
        match self {
            Self::ClientLogin => "the client has authenticated to the broker itself",
            Self::ShareSession => "the client has a share session",
        }
    }
}

/// The ties of one session, which are never loosened.
#[derive(Debug, Default)]
pub(super) struct TieCell(AtomicU8);

impl TieCell {
    /// Adds a tie.
    pub(super) fn add(&self, tie: BrokerTie) {
        self.0.fetch_or(1 << tie as u8, Ordering::Relaxed);
    }

    /// The first of the ties.
    pub(super) fn first(&self) -> Option<BrokerTie> {
        let ties = self.0.load(Ordering::Relaxed);
        BrokerTie::ALL
            .into_iter()
            .find(|&tie| ties & (1 << tie as u8) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_add_up() {
        let ties = TieCell::default();
        assert_eq!(ties.first(), None);
        ties.add(BrokerTie::ShareSession);
        assert_eq!(ties.first(), Some(BrokerTie::ShareSession));
        ties.add(BrokerTie::ClientLogin);
        assert_eq!(ties.first(), Some(BrokerTie::ClientLogin));
    }
}
