//! How a session follows the order to drain.
//!
//! Until the soft deadline it goes on as before, throttles the client, and leaves at the first moment in which no request
//! is in flight. After it, no new request is forwarded. A request in flight is waited for if executing it twice would do
//! harm; otherwise the session leaves once the broker has been silent for a while, because some requests (JoinGroup) wait
//! for other clients. At the hard deadline the session leaves whatever is in flight.
//!
//! When the process ends, a client that has only introduced itself (ApiVersions, SASL) leaves after a second of silence: a
//! supervisor may wait for less than the soft deadline.

use std::time::{Duration, Instant};

use super::Pump;
use super::leaving::LeavePhase;
use crate::drain::{DrainOrder, SessionState};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::{DrainMode, Inspect};
use crate::session::timer::EPOLL_LAG_GRACE;
use crate::session::transport::Transport;

/// Time limit for a client's next byte while it introduces itself (ApiVersions, SASL). Within it the session waits for the
/// first other answer: a client that is closed earlier takes the address for a bad one.
const INTRODUCTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Silence of the broker, after the soft deadline, that makes the session give up requests that are safe to repeat.
/// Ordinary answers take less time, and a client that has its answer need not ask again.
const BROKER_SILENCE: Duration = Duration::from_millis(250);

/// What an order to leave makes of a session.
pub(super) enum DrainStep {
    /// It leaves.
    Leave(LeavePhase),
    /// Another broker connection is to be made for it.
    Prepare,
    /// It goes on over the other broker connection.
    Move,
    /// It stays; the latest time of the next look.
    Stay(Instant),
}

/// Since when the broker has sent nothing, observed after the soft deadline only.
#[derive(Debug)]
pub(super) struct BrokerSilence {
    /// Number of bytes that had been read from the broker when it was last observed.
    bytes: u64,
    /// When that number was first observed.
    since: Instant,
}

impl BrokerSilence {
    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: 0, since: now }
    }
}

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// What the order `order` makes of the session now that neither direction moves. `done`: every request is answered and every
    /// answer delivered.
    pub(super) fn drain_step(&mut self, order: DrainOrder, now: Instant, done: bool) -> DrainStep {
        let moves_until = self.moves_until(order, now);
        let moving = (now < moves_until).then(|| self.move_step(moves_until, now, done));
        if let Some(step) = moving.flatten() {
            return step;
        }
        self.handle.enter(SessionState::Draining);
        if now >= order.hard {
            let cause = if done {
                CloseCause::Drained
            } else {
                CloseCause::DrainTimeout
            };
            return DrainStep::Leave(self.leave_saving(Fault::new(cause, "hard deadline")));
        }
        self.inspector.set_drain_mode(DrainMode::Throttling);
        let settled = self.inspector.is_settled();
        let soft_at = match settled {
            true => order.soft,
            false => order.soft.max(self.last_read) + INTRODUCTION_TIMEOUT,
        };
        let soft = now >= soft_at;
        if soft {
            self.inspector.set_drain_mode(DrainMode::Acks0Only);
        }
        if done && (soft || self.is_quiet()) {
            return DrainStep::Leave(self.drained(String::new()));
        }
        let silent_at = self.last_read + INTRODUCTION_TIMEOUT;
        if done && order.process_ends && now >= silent_at && self.has_nothing_unread() {
            return DrainStep::Leave(self.drained("silent before its first request".into()));
        }
        if !soft {
            let mut next = soft_at.min(order.hard);
            if done && order.process_ends {
                // Bytes that the kernel has and the runtime does not know of yet are about to be read.
                next = next.min(silent_at.max(now + EPOLL_LAG_GRACE));
            }
            return DrainStep::Stay(next);
        }
        let given_up = self.silent_since(now).max(order.soft) + BROKER_SILENCE;
        if !((settled || order.process_ends) && self.only_repeatable_left()) {
            return DrainStep::Stay(order.hard);
        }
        if now < given_up {
            return DrainStep::Stay(order.hard.min(given_up));
        }
        let left = self.inspector.in_flight();
        DrainStep::Leave(self.drained(format!("soft deadline: {left} unanswered, all safe to repeat")))
    }

    /// Since when the broker has sent nothing, as far as that has been observed.
    fn silent_since(&mut self, now: Instant) -> Instant {
        if self.silence.bytes != self.down.bytes {
            self.silence.bytes = self.down.bytes;
            self.silence.since = now;
        }
        self.silence.since
    }

    /// Whether the session waits for nothing but answers that have not begun, to requests that are safe to repeat.
    fn only_repeatable_left(&self) -> bool {
        self.inspector.at_boundary()
            && self.down.is_clear()
            && self.broken.is_none()
            && self.inspector.is_repeatable()
    }

    fn drained(&self, detail: String) -> LeavePhase {
        self.leave_saving(Fault::new(CloseCause::Drained, detail))
    }
}
