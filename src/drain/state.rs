//! States of a session: accepted, handshaking, introducing, authenticating, connecting, open, draining, moving, leaving.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::names::names;

names! {
    /// State of a session, in lists of sessions and in JSON.
    #[repr(u8)]
    pub enum SessionState {
        /// The session is registered with its endpoint; no byte has been read.
        Accepted = "accepted",
        /// A PROXY header or the TLS handshake is in progress.
        Handshaking = "handshaking",
        /// The proxy waits for the client's first request.
        AwaitingFirstRequest = "introducing",
        /// The client authenticates at kproxy; there is no broker connection yet.
        Authenticating = "authenticating",
        /// A connection to a broker is being made.
        Connecting = "connecting",
        /// Bytes are forwarded in both directions.
        Open = "open",
        /// The session has an order to leave and ends at the first quiet moment.
        Draining = "draining",
        /// Another broker connection is being made for the session; its client waits.
        Moving = "moving",
        /// No new request is read; answers in flight are still delivered.
        Leaving = "leaving",
    }
}

impl SessionState {
    /// Whether a session in this state may go to `next`. Every state may go to `Leaving`; otherwise only forward, but
    /// for the way back from `Moving`.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Accepted, Self::Handshaking | Self::AwaitingFirstRequest)
                | (Self::Handshaking, Self::AwaitingFirstRequest)
                | (
                    Self::AwaitingFirstRequest,
                    Self::Authenticating | Self::Connecting
                )
                | (Self::Authenticating, Self::Connecting)
                | (Self::Connecting, Self::Open)
                | (Self::Open, Self::Draining | Self::Moving)
                | (Self::Draining, Self::Moving)
                | (Self::Moving, Self::Open)
        ) || (next == Self::Leaving && self != Self::Leaving)
    }
}

/// The current state. The session's own task is the only writer; any thread may read.
#[derive(Debug)]
pub(super) struct StateCell(AtomicU8);

impl Default for StateCell {
    fn default() -> Self {
        Self(AtomicU8::new(SessionState::Accepted as u8))
    }
}

impl StateCell {
    pub(super) fn get(&self) -> SessionState {
        let at = usize::from(self.0.load(Ordering::Relaxed));
        // Nothing but states is stored.
        SessionState::ALL
            .get(at)
            .copied()
            .unwrap_or(SessionState::Leaving)
    }

    /// Changes the state. Returns whether the transition is legal; staying in the same state is.
    pub(super) fn enter(&self, next: SessionState) -> bool {
        let now = self.get();
        let legal = now.may_become(next);
        if legal {
            self.0.store(next as u8, Ordering::Relaxed);
        }
        legal || now == next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_legal_moves_are_made() {
        let legal = [
            ("accepted", "handshaking"),
            ("accepted", "introducing"),
            ("accepted", "leaving"),
            ("handshaking", "introducing"),
            ("handshaking", "leaving"),
            ("introducing", "authenticating"),
            ("introducing", "connecting"),
            ("authenticating", "connecting"),
            ("authenticating", "leaving"),
            ("introducing", "leaving"),
            ("connecting", "open"),
            ("connecting", "leaving"),
            ("open", "draining"),
            ("open", "leaving"),
            ("open", "moving"),
            ("draining", "moving"),
            ("moving", "open"),
            ("moving", "leaving"),
            ("draining", "leaving"),
        ];
        for from in SessionState::ALL {
            for to in SessionState::ALL {
                let pair = (from.name(), to.name());
                assert_eq!(from.may_become(to), legal.contains(&pair), "{pair:?}");
                let cell = StateCell(AtomicU8::new(from as u8));
                assert_eq!(cell.get(), from);
                assert_eq!(cell.enter(to), from == to || legal.contains(&pair), "{pair:?}");
                let expected = if from.may_become(to) { to } else { from };
                assert_eq!(cell.get(), expected, "{pair:?}");
            }
        }
    }
}
