//! The life of one session: accepted, handshaking, introducing, connecting, open, draining, leaving.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SessionState {
    /// It has joined its endpoint's sessions; nothing was read yet.
    Accepted,
    /// What precedes Kafka is under way: a PROXY header, TLS.
    Handshaking,
    /// The client's first request is waited for.
    AwaitingFirstRequest,
    /// A broker is looked for.
    Connecting,
    /// Bytes move in both directions.
    Open,
    /// It has been asked to leave, and leaves at the first good moment.
    Draining,
    /// Nothing new is taken; what was promised is delivered.
    Leaving,
}

impl SessionState {
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Handshaking,
        Self::AwaitingFirstRequest,
        Self::Connecting,
        Self::Open,
        Self::Draining,
        Self::Leaving,
    ];

    /// The name in lists of sessions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Handshaking => "handshaking",
            Self::AwaitingFirstRequest => "introducing",
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::Draining => "draining",
            Self::Leaving => "leaving",
        }
    }

    /// Whether there is such a move. Any session may leave; otherwise there is only forward.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Accepted, Self::Handshaking | Self::AwaitingFirstRequest)
                | (Self::Handshaking, Self::AwaitingFirstRequest)
                | (Self::AwaitingFirstRequest, Self::Connecting)
                | (Self::Connecting, Self::Open)
                | (Self::Open, Self::Draining)
        ) || (next == Self::Leaving && self != Self::Leaving)
    }
}

/// Written by the session's own task alone, read by anybody.
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
        // Only states are ever stored.
        SessionState::ALL
            .get(at)
            .copied()
            .unwrap_or(SessionState::Leaving)
    }

    /// Whether the move was made; staying is no move, and fine.
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
            ("introducing", "connecting"),
            ("introducing", "leaving"),
            ("connecting", "open"),
            ("connecting", "leaving"),
            ("open", "draining"),
            ("open", "leaving"),
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
