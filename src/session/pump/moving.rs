//! How a session that is asked to leave goes on over another broker connection instead, if it may.
//!
//! The other connection is made first, while the session goes on. Then requests that begin wait in the kernel, until all before
//! are answered and every answer is delivered; there the pump stops, and its caller exchanges the connections. If the
//! other connection cannot be made, the session goes on as before and tries again later, until the soft deadline of its order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::draining::{BrokerSilence, DrainStep};
use super::{Limits, Pump, PumpPhase, micros};
use crate::drain::{DrainOrder, SessionState};
use crate::session::inspect::Inspect;
use crate::session::lane::Lane;
use crate::session::nodes::NodeDirectory;
use crate::session::transport::Transport;

/// Time for which requests wait for the answers to those before them. A broker that takes longer is busy.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// Time between two attempts: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Least time for moving, where the strategy of the drain leaves none.
const LEAST_TIME: Duration = Duration::from_secs(10);

/// Time after which a connection that has been made ready is too old: brokers close those on which they hear nothing.
const FRESH: Duration = Duration::from_secs(60);

/// Where a session stands that has been asked to go on over another broker connection.
#[derive(Debug)]
pub(super) struct Relocation {
    /// When it was asked.
    asked: Instant,
    /// Number of attempts that have failed.
    failed: u32,
    stage: RelocationStage,
}

#[derive(Debug, Clone, Copy)]
enum RelocationStage {
    /// The other connection is to be made, from this time on.
    Due(Instant),
    /// It is being made.
    Preparing,
    /// It is there, since this time.
    Ready { since: Instant, hold: Hold },
    /// The session has to leave.
    Impossible,
}

/// Whether requests wait for the session to move.
#[derive(Debug, Clone, Copy)]
enum Hold {
    /// They do from this time on.
    From(Instant),
    /// They do since this time.
    Since(Instant),
}

impl Relocation {
    fn asked_at(now: Instant) -> Self {
        Self {
            asked: now,
            failed: 0,
            stage: RelocationStage::Due(now),
        }
    }

    /// Begins the time until the next attempt.
    fn pause(&mut self, now: Instant) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failed.min(4));
        self.stage = RelocationStage::Due(now + pause.min(LONGEST_PAUSE));
        self.failed += 1;
    }
}

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// Time until which the session tries to move; `now` if it has to leave.
    pub(super) fn moves_until(&mut self, order: DrainOrder, now: Instant) -> Instant {
        if !order.may_move || order.process_ends {
            return now;
        }
        let relocation = self
            .relocation
            .get_or_insert_with(|| Box::new(Relocation::asked_at(now)));
        match relocation.stage {
            RelocationStage::Impossible => now,
            _ => order.soft.max(relocation.asked + LEAST_TIME).min(order.hard),
        }
    }

    /// What becomes of a session that may move; `None` if it cannot and has to leave.
    pub(super) fn move_step(&mut self, until: Instant, now: Instant, done: bool) -> Option<DrainStep> {
        if !self.inspector.may_move() {
            self.moves_no_more();
            return None;
        }
        let stage = &mut self.relocation.as_mut()?.stage;
        Some(match *stage {
            RelocationStage::Due(due) if now < due => DrainStep::Stay(due.min(until)),
            RelocationStage::Due(_) => {
                *stage = RelocationStage::Preparing;
                DrainStep::Prepare
            }
            RelocationStage::Preparing | RelocationStage::Impossible => DrainStep::Stay(until),
            RelocationStage::Ready { since, .. } if now >= since + FRESH => {
                *stage = RelocationStage::Due(now);
                self.inspector.release_requests();
                DrainStep::Stay(now)
            }
            RelocationStage::Ready { hold, .. } => self.approach(hold, until, now, done),
        })
    }

    /// Has requests wait, and goes on once everything before is answered.
    fn approach(&mut self, hold: Hold, until: Instant, now: Instant, done: bool) -> DrainStep {
        if let Hold::From(at) = hold
            && now < at
        {
            return DrainStep::Stay(at.min(until));
        }
        let Some(relocation) = &mut self.relocation else {
            return DrainStep::Stay(until);
        };
        if !self.inspector.hold_requests(micros(self.began, relocation.asked)) {
            return DrainStep::Stay(until);
        }
        if done && self.stands_still() {
            return DrainStep::Move;
        }
        let began = match hold {
            Hold::From(_) => now,
            Hold::Since(since) => since,
        };
        let over = began + LONGEST_HOLD;
        let next = if now < over {
            Hold::Since(began)
        } else {
            Hold::From(now + LONGEST_PAUSE)
        };
        if let Some(relocation) = &mut self.relocation
            && let RelocationStage::Ready { hold, .. } = &mut relocation.stage
        {
            *hold = next;
        }
        match next {
            Hold::Since(_) => DrainStep::Stay(over.min(until)),
            Hold::From(at) => {
                self.inspector.release_requests();
                DrainStep::Stay(at.min(until))
            }
        }
    }

    /// Whether nothing is between the client and the broker, filters included.
    fn stands_still(&self) -> bool {
        self.up.is_flushed()
            && !self.up.eof
            && (self.up_wait.is_none() || self.inspector.waits_for_pause())
            && self.down_wait.is_none()
            && self.broken.is_none()
    }

    /// Whether the end of the broker's stream is the moment to go on over another connection: nothing is lost with it, and the
    /// session is to move, or is paused.
    pub(super) fn moves_at_end_of_broker(&mut self) -> bool {
        let (now, order) = (Instant::now(), self.handle.order());
        let is_asked = order.is_some_and(|order| now < self.moves_until(order, now));
        let is_paused = order.is_none() && self.inspector.is_paused();
        let done = self.inspector.in_flight() == 0 && self.inspector.at_boundary() && self.down.is_clear();
        let may = (is_asked || is_paused) && self.inspector.may_move();
        may && self.down.eof && done && self.stands_still()
    }

    /// The inspector.
    pub(in crate::session) fn inspector(&mut self) -> &mut I {
        &mut self.inspector
    }

    /// The broker connection.
    pub(in crate::session) fn broker(&mut self) -> &mut B {
        &mut self.broker
    }

    /// Goes on over `broker`. Returns the connection before.
    pub(in crate::session) fn go_on_over(
        &mut self,
        broker: B,
        directory: Arc<NodeDirectory>,
        limits: Limits,
    ) -> B {
        self.inspector.release_requests();
        self.handle.enter(SessionState::Open);
        self.relocation = None;
        // What waits, for a pause or for the exchange, is presented again.
        (self.up_wait, self.up_paused) = (None, true);
        self.directory = Some(directory);
        self.limits = limits;
        self.silence = BrokerSilence::new(Instant::now());
        self.watch.restart();
        self.down = Lane::continuing(&self.down);
        std::mem::replace(&mut self.broker, broker)
    }

    /// Whether the session leaves.
    pub(in crate::session) fn is_leaving(&self) -> bool {
        matches!(self.phase, PumpPhase::Leaving(_))
    }

    /// Notes that the other connection is there.
    pub(in crate::session) fn is_prepared(&mut self) {
        let now = Instant::now();
        if let Some(relocation) = &mut self.relocation {
            relocation.stage = RelocationStage::Ready {
                since: now,
                hold: Hold::From(now),
            };
        }
    }

    /// Goes on as before: the attempt to move has failed.
    pub(in crate::session) fn stay_for_now(&mut self) {
        if self.is_leaving() {
            return;
        }
        self.handle.enter(SessionState::Open);
        self.inspector.release_requests();
        match &mut self.relocation {
            Some(relocation) if !self.down.eof => relocation.pause(Instant::now()),
            _ => self.moves_no_more(),
        }
    }

    /// Goes on as before, and leaves like others: the session cannot move.
    pub(in crate::session) fn moves_no_more(&mut self) {
        self.inspector.release_requests();
        if let Some(relocation) = &mut self.relocation {
            relocation.stage = RelocationStage::Impossible;
        }
    }
}
