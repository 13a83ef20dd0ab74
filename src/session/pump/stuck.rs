//! The check, once a second, of a session that makes no progress, so that every wait for a peer ends.
//!
//! As long as a client waits for a broker that may answer, kproxy waits too: the client knows best for how long. But where
//! the broker takes no bytes, kproxy does not read the client's and cannot see that the client has gone; so a broker that
//! takes nothing is given up after the time after which clients give up as well. After the end of a client's stream, the
//! time for an answer is limited too.

use std::task::Context;
use std::time::{Duration, Instant};

use super::Pump;
use super::leaving::LeavePhase;
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::Inspect;
use crate::session::timer::Timer;
use crate::session::transport::Transport;

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time without progress after which a broker that owes answers, or a client that has ended its stream, is given up: the
/// default `request.timeout.ms` of clients, and the default `replica.lag.time.max.ms`, after which a broker stops waiting
/// for a replica.
const STUCK_TIMEOUT: Duration = Duration::from_secs(30);

/// Time without progress after which a broker is given up that has answered everything else and stops in the middle of
/// reading one request.
const HALF_READ_TIMEOUT: Duration = Duration::from_secs(8);

/// Time for an answer after the end of the client's stream where the sessions of many clients of the cluster wait for one.
const CROWDED_TIMEOUT: Duration = Duration::from_secs(2);

/// Most such sessions on one worker that do not count as many.
const CROWD: usize = 4;

/// Time limit of a leaving session for a peer that takes nothing.
pub(super) const LEAVING_TIMEOUT: Duration = STUCK_TIMEOUT;

/// What was observed of a session that makes no progress.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Set while the session makes no progress, and a little longer: moving a timer costs more than letting it fire.
    timer: Timer,
    /// Number of bytes that had moved at the last check.
    moved: u64,
    /// When that number was first observed.
    since: Option<Instant>,
}

impl Watch {
    /// Forgets what was observed.
    pub(super) fn restart(&mut self) {
        self.since = None;
    }

    /// Since when `moved` bytes have moved, as far as that was observed.
    pub(super) fn still_since(&mut self, moved: u64, now: Instant) -> Instant {
        match self.since {
            Some(since) if moved == self.moved => since,
            _ => {
                self.moved = moved;
                *self.since.insert(now)
            }
        }
    }
}

/// What a session that makes no progress waits for.
enum WaitsFor {
    /// The broker, which takes no bytes, or answers none of too many requests, while the client takes all answers.
    BrokerToRead,
    /// The client, which has ended its stream and takes no answers.
    ClientToRead,
    /// The answers to a client that has ended its stream.
    Answer,
    /// Memory.
    Memory,
}

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// How the session leaves, if it has made no progress for too long. Otherwise registers the timer for the next check.
    #[inline]
    pub(super) fn check_progress(&mut self, context: &mut Context<'_>) -> Option<LeavePhase> {
        match self.waits() {
            Some(waits) => self.check(&waits, context),
            None => {
                if self.watch.timer.has_fired() {
                    self.watch = Watch::default();
                }
                None
            }
        }
    }

    #[inline]
    fn waits(&self) -> Option<WaitsFor> {
        let taken = self.down.is_flushed();
        if taken && (!self.up.is_flushed() || (!self.up.eof && !self.inspector.accepts_requests())) {
            Some(WaitsFor::BrokerToRead)
        } else if self.up.eof {
            match taken {
                true => Some(WaitsFor::Answer),
                false => Some(WaitsFor::ClientToRead),
            }
        } else if self.up.starved || self.down.starved {
            Some(WaitsFor::Memory)
        } else {
            None
        }
    }

    fn check(&mut self, waits: &WaitsFor, context: &mut Context<'_>) -> Option<LeavePhase> {
        if self.watch.timer.is_running() && self.watch.since.is_some() {
            return None;
        }
        let (now, moved) = (Instant::now(), self.up.moved() + self.down.moved());
        let since = self.watch.still_since(moved, now);
        if let Some(error) = self.client.fault() {
            let leave = self.leave(Fault::broken(CloseCause::ClientReset, &error));
            return Some(LeavePhase {
                client_dead: true,
                ..leave
            });
        }
        let still = now.duration_since(since);
        if let Some(leave) = self.give_up(waits, still, context) {
            return Some(leave);
        }
        // It fires at once only if the check took a whole interval.
        if self.watch.timer.poll_at(now + CHECK_INTERVAL, context).is_ready() {
            context.waker().wake_by_ref();
        }
        None
    }

    fn give_up(&mut self, waits: &WaitsFor, still: Duration, context: &Context<'_>) -> Option<LeavePhase> {
        match waits {
            WaitsFor::BrokerToRead => {
                let in_half = !self.inspector.at_request_boundary() && self.inspector.in_flight() <= 1;
                let limit = if in_half { HALF_READ_TIMEOUT } else { STUCK_TIMEOUT };
                (still >= limit).then(|| {
                    let detail = format!("took and sent no byte for {limit:?} although bytes wait for it");
                    self.leave_slow_broker(detail)
                })
            }
            WaitsFor::ClientToRead => (still >= STUCK_TIMEOUT).then(|| {
                self.leave_slow_client(format!(
                    "took no byte for {STUCK_TIMEOUT:?} after it had ended its stream"
                ))
            }),
            WaitsFor::Answer => {
                self.account.client_ended(context.waker());
                let idle = self.limits.authenticated_idle.unwrap_or(STUCK_TIMEOUT);
                let patience = if self.account.ended_beside() > CROWD {
                    CROWDED_TIMEOUT
                } else {
                    STUCK_TIMEOUT
                };
                // Until the end has been passed on, the session waits for more than the answer.
                let limit = if self.up.closed {
                    patience.min(idle)
                } else {
                    STUCK_TIMEOUT
                };
                (still >= limit).then(|| {
                    let unanswered = self.inspector.in_flight();
                    let detail =
                        format!("no answer within {limit:?} of the client's end: {unanswered} unanswered");
                    LeavePhase {
                        broker_dead: true,
                        ..self.leave(Fault::new(CloseCause::ClientClosed, detail))
                    }
                })
            }
            WaitsFor::Memory => None,
        }
    }

    /// Frees what the session holds, and returns how it leaves: the worker holds too much, and this session has made no
    /// progress for longest.
    pub(super) fn dismissed(&mut self) -> LeavePhase {
        let by_client = self.down.unwritten() + self.client.held();
        let by_broker = self.up.unwritten() + self.broker.held();
        let uninspected = (self.up.uninspected(), self.down.uninspected());
        let held = by_client + by_broker + uninspected.0 + uninspected.1;
        let detail =
            format!("{held} bytes held, for longest of all, where the limit of held bytes is reached");
        let leave = if by_client + uninspected.0 >= by_broker + uninspected.1 {
            self.leave_slow_client(detail)
        } else {
            self.leave_slow_broker(detail)
        };
        self.up.discard_held();
        self.down.discard_held();
        self.client.abandon();
        self.broker.abandon();
        leave
    }

    /// How the session leaves a client that takes nothing. What the client sent still goes to the broker.
    fn leave_slow_client(&mut self, detail: String) -> LeavePhase {
        let leave = self.leave(Fault::new(CloseCause::ClientTooSlow, detail));
        self.down.discard_held();
        self.client.abandon();
        LeavePhase {
            client_dead: true,
            ..leave
        }
    }

    /// How the session leaves a broker that takes nothing. What the broker sent still goes to the client.
    fn leave_slow_broker(&mut self, detail: String) -> LeavePhase {
        let leave = self.leave(Fault::new(CloseCause::BrokerTooSlow, detail));
        self.up.discard_held();
        self.broker.abandon();
        LeavePhase {
            broker_dead: true,
            ..leave
        }
    }
}
