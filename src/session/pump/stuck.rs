//! Looks, once a second, at a session that does not get on, so that no wait for a peer is without an end.
//!
//! As long as a client waits for a broker that may answer, kproxy waits too: the client knows best for how long. What it
//! must not do is wait for nobody. A client that has gone can no longer be seen where its bytes are not read because the
//! broker takes none, so a broker that takes nothing is given up after a time in which its clients give up as well; and
//! after a client's end nobody can be asked any more, so an answer has a bounded time.

use std::task::Context;
use std::time::{Duration, Instant};

use super::Pump;
use super::leaving::Leave;
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::Inspect;
use crate::session::timer::Timer;
use crate::session::transport::Transport;

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(1);

/// How long nothing has moved when a broker that owes answers, or a client that has ended its stream, is given up: the
/// default `request.timeout.ms` of clients, and the default `replica.lag.time.max.ms`, after which a broker does not wait
/// for a replica any more.
const STUCK: Duration = Duration::from_secs(30);

/// The same for a broker that has answered everything else and stops in the middle of taking in one request: that, it
/// only has to read.
const HALF_TAKEN: Duration = Duration::from_secs(8);

/// The same after a client's end, where many of a cluster's clients have gone and their sessions wait for its brokers.
const CROWDED: Duration = Duration::from_secs(2);

/// So many, on one worker, are not yet a crowd.
const CROWD: usize = 4;

/// How long a session that leaves waits for a peer that takes nothing.
pub(super) const LEAVING: Duration = STUCK;

/// What has been seen of a session that does not get on.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Set while the session does not get on, and for a moment longer: to move it costs more than to let it fire.
    timer: Timer,
    /// What had moved when it was last looked at, and since when it has been so much.
    moved: u64,
    since: Option<Instant>,
}

impl Watch {
    /// Whatever has been seen does not count any more.
    pub(super) fn restart(&mut self) {
        self.since = None;
    }

    /// Since when `moved` has been so much, as far as that has been seen.
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

/// What a session waits for that does not get on.
enum Waits {
    /// A broker that takes no bytes, or answers none of too many requests. One whose answers the client does not take is
    /// not to blame.
    BrokerTakesNothing,
    /// The client has ended its stream and does not take its answers.
    ClientTakesNothing,
    /// The client has ended its stream and has answers to come.
    Answer,
    /// For memory.
    Memory,
}

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// Whether to leave because the session does not get on and will not. Registers the timer for the next look.
    #[inline]
    pub(super) fn look_whether_stuck(&mut self, context: &mut Context<'_>) -> Option<Leave> {
        match self.waits() {
            Some(waits) => self.look(&waits, context),
            None => {
                if self.watch.timer.has_fired() {
                    self.watch = Watch::default();
                }
                None
            }
        }
    }

    #[inline]
    fn waits(&self) -> Option<Waits> {
        let taken = self.down.is_flushed();
        if taken && (!self.up.is_flushed() || (!self.up.eof && !self.inspector.accepts_requests())) {
            Some(Waits::BrokerTakesNothing)
        } else if self.up.eof {
            match taken {
                true => Some(Waits::Answer),
                false => Some(Waits::ClientTakesNothing),
            }
        } else if self.up.starved || self.down.starved {
            Some(Waits::Memory)
        } else {
            None
        }
    }

    fn look(&mut self, waits: &Waits, context: &mut Context<'_>) -> Option<Leave> {
        if self.watch.timer.is_running() && self.watch.since.is_some() {
            return None;
        }
        let (now, moved) = (Instant::now(), self.up.moved() + self.down.moved());
        let since = self.watch.still_since(moved, now);
        if let Some(error) = self.client.fault() {
            let leave = self.leave(Fault::broken(CloseCause::ClientReset, &error));
            return Some(Leave {
                client_dead: true,
                ..leave
            });
        }
        let still = now.duration_since(since);
        if let Some(leave) = self.give_up(waits, still, context) {
            return Some(leave);
        }
        // More than fires at once, so that it is not asked for a second time in this poll.
        if self.watch.timer.poll_at(now + LOOK, context).is_ready() {
            context.waker().wake_by_ref();
        }
        None
    }

    fn give_up(&mut self, waits: &Waits, still: Duration, context: &Context<'_>) -> Option<Leave> {
        match waits {
            Waits::BrokerTakesNothing => {
                let in_half = !self.inspector.at_request_boundary() && self.inspector.in_flight() <= 1;
                let limit = if in_half { HALF_TAKEN } else { STUCK };
                (still >= limit).then(|| {
                    let detail = format!("took and sent no byte for {limit:?} although bytes wait for it");
                    self.leave_slow_broker(detail)
                })
            }
            Waits::ClientTakesNothing => (still >= STUCK).then(|| {
                self.leave_slow_client(format!(
                    "took no byte for {STUCK:?} after it had ended its stream"
                ))
            }),
            Waits::Answer => {
                self.account.client_ended(context.waker());
                let idle = self.limits.authenticated_idle.unwrap_or(STUCK);
                let patience = if self.account.ended_beside() > CROWD {
                    CROWDED
                } else {
                    STUCK
                };
                // Before the end has been passed on, it is not the answer that is waited for.
                let limit = if self.up.closed { patience.min(idle) } else { STUCK };
                (still >= limit).then(|| {
                    let unanswered = self.inspector.in_flight();
                    let detail =
                        format!("no answer within {limit:?} of the client's end: {unanswered} unanswered");
                    Leave {
                        broker_dead: true,
                        ..self.leave(Fault::new(CloseCause::ClientClosed, detail))
                    }
                })
            }
            Waits::Memory => None,
        }
    }

    /// Gives back what is held, and leaves: the worker holds too much, and this session has not moved for longest.
    pub(super) fn dismissed(&mut self) -> Leave {
        let by_client = self.down.unwritten() + self.client.held();
        let by_broker = self.up.unwritten() + self.broker.held();
        let unjudged = (self.up.unjudged(), self.down.unjudged());
        let held = by_client + by_broker + unjudged.0 + unjudged.1;
        let detail =
            format!("{held} bytes held, for longest of all, where the limit of held bytes is reached");
        let leave = if by_client + unjudged.0 >= by_broker + unjudged.1 {
            self.leave_slow_client(detail)
        } else {
            self.leave_slow_broker(detail)
        };
        self.up.forget();
        self.down.forget();
        self.client.abandon();
        self.broker.abandon();
        leave
    }

    /// What the client sent still goes to the broker.
    fn leave_slow_client(&mut self, detail: String) -> Leave {
        let leave = self.leave(Fault::new(CloseCause::ClientTooSlow, detail));
        self.down.forget();
        self.client.abandon();
        Leave {
            client_dead: true,
            ..leave
        }
    }

    /// What the broker sent still goes to the client.
    fn leave_slow_broker(&mut self, detail: String) -> Leave {
        let leave = self.leave(Fault::new(CloseCause::BrokerTooSlow, detail));
        self.up.forget();
        self.broker.abandon();
        Leave {
            broker_dead: true,
            ..leave
        }
    }
}
