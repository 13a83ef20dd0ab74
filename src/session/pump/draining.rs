//! What a session makes of an order to leave.
//!
//! Until the soft deadline it goes on as before, asks the client for quiet, and leaves at the first moment in which
//! nothing is on its way. From then on nothing new is forwarded; what is on its way is waited for if it must not be
//! executed twice, and otherwise given up when the broker does not get on with it: a JoinGroup waits for a whole
//! group, and nobody shall wait for that. At the hard deadline nothing is waited for any more.
//!
//! When the process ends, a client that has asked for nothing but what introduces it (ApiVersions, SASL) leaves as soon
//! as it is silent for a second: a supervisor may wait for less than the soft deadline.

use std::time::{Duration, Instant};

use super::Pump;
use super::leaving::Leave;
use crate::drain::{DrainOrder, SessionState};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::{DrainMode, Inspect};
use crate::session::timer::EPOLL_LAG_GRACE;
use crate::session::transport::Transport;

/// A client in the middle of introducing itself (ApiVersions, SASL) would take a close for the failure of the address,
/// so it is let come to its first real answer, as long as it is not silent for longer than this.
const INTRODUCTION: Duration = Duration::from_secs(1);

/// Silence of a broker, beyond the soft deadline, by which a request that is safe to repeat counts as parked. What is
/// merely under way is answered in less, and a client is better off with an answer.
const PARKED: Duration = Duration::from_millis(250);

/// How far a broker has come in falling silent.
#[derive(Debug)]
pub(super) struct Calm {
    /// Bytes that had been read of the broker when it was last looked at beyond the soft deadline, and since when they
    /// have been so many.
    answered: u64,
    answered_at: Instant,
}

impl Calm {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            answered: 0,
            answered_at: now,
        }
    }
}

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// Whether to leave now, that neither direction moves, or when to ask again at the latest. `done`: everything is
    /// answered and delivered.
    pub(super) fn heed(&mut self, order: DrainOrder, now: Instant, done: bool) -> Result<Leave, Instant> {
        self.handle.enter(SessionState::Draining);
        if now >= order.hard {
            let cause = if done {
                CloseCause::Drained
            } else {
                CloseCause::DrainTimeout
            };
            return Ok(self.leave_saving(Fault::new(cause, "hard deadline")));
        }
        self.inspector.set_drain_mode(DrainMode::Throttling);
        let settled = self.inspector.is_settled();
        let soft_at = match settled {
            true => order.soft,
            false => order.soft.max(self.last_read) + INTRODUCTION,
        };
        let soft = now >= soft_at;
        if soft {
            self.inspector.set_drain_mode(DrainMode::Acks0Only);
        }
        if done && (soft || self.is_quiet()) {
            return Ok(self.drained(String::new()));
        }
        let silent_at = self.last_read + INTRODUCTION;
        if done && order.process_ends && now >= silent_at && self.has_nothing_unread() {
            return Ok(self.drained("silent before its first request".into()));
        }
        if !soft {
            let mut next = soft_at.min(order.hard);
            if done && order.process_ends {
                // Bytes that the kernel has and the runtime does not know of yet are about to be read.
                next = next.min(silent_at.max(now + EPOLL_LAG_GRACE));
            }
            return Err(next);
        }
        let given_up = self.parked_since(now).max(order.soft) + PARKED;
        if !((settled || order.process_ends) && self.owes_nothing_lasting()) {
            return Err(order.hard);
        }
        if now < given_up {
            return Err(order.hard.min(given_up));
        }
        let left = self.inspector.in_flight();
        Ok(self.drained(format!("soft deadline: {left} unanswered, all safe to repeat")))
    }

    /// Since when the broker has said nothing, as far as that has been watched.
    fn parked_since(&mut self, now: Instant) -> Instant {
        if self.calm.answered != self.down.bytes {
            self.calm.answered = self.down.bytes;
            self.calm.answered_at = now;
        }
        self.calm.answered_at
    }

    /// Whether all that keeps the session are answers that have not begun and that the client can ask for again.
    fn owes_nothing_lasting(&self) -> bool {
        self.inspector.at_boundary()
            && self.down.is_clear()
            && self.broken.is_none()
            && self.inspector.is_repeatable()
    }

    fn drained(&self, detail: String) -> Leave {
        self.leave_saving(Fault::new(CloseCause::Drained, detail))
    }
}
