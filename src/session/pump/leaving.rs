//! How a session leaves, once it is decided that it does.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::stuck::LEAVING;
use super::{Ended, Phase, Pump};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::Inspect;
use crate::session::lane::{LaneError, Step};
use crate::session::transport::Transport;

/// How long a leaving session waits for the other side to close.
const LINGER: Duration = Duration::from_secs(5);

/// The same when the process ends: a client that does not close its side does not hold the process.
const LAST_LINGER: Duration = Duration::from_secs(2);

/// Beyond a drain's hard deadline: time for a FIN to go out behind the last bytes. Less than the quarter of a second
/// that a shutdown grants beyond its deadline, or the session would not be counted.
pub(in crate::session) const LAST_WORDS: Duration = Duration::from_millis(150);

/// What a leaving session still does.
pub(super) struct Leave {
    pub(super) reason: Fault,
    pub(super) unanswered: usize,
    /// When the client was told; from then on its own close is waited for.
    pub(super) told: Option<Instant>,
    /// Keep forwarding requests that no client sends twice.
    pub(super) acks0_only: bool,
    /// The side is not worth another word: it was reset, or answers nonsense.
    pub(super) client_dead: bool,
    pub(super) broker_dead: bool,
}

impl Leave {
    /// Stands in for the real one while that is worked on.
    fn placeholder() -> Self {
        Self {
            reason: Fault::new(CloseCause::Local, ""),
            unanswered: 0,
            told: None,
            acks0_only: false,
            client_dead: false,
            broker_dead: false,
        }
    }
}

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    pub(super) fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        let Phase::Leaving(leave) = &mut self.phase else {
            return Poll::Pending;
        };
        let mut leave = std::mem::replace(leave, Leave::placeholder());
        self.finish_up(&mut leave, context);
        self.finish_down(&mut leave, context);
        let over = self.up.eof && self.up.closed && self.down.eof && self.down.closed;
        if over || self.out_of_time(&mut leave, context) {
            return Poll::Ready(self.ended(leave));
        }
        self.phase = Phase::Leaving(leave);
        Poll::Pending
    }

    /// What the client still sends, and what the broker is still to get.
    fn finish_up(&mut self, leave: &mut Leave, context: &mut Context<'_>) {
        if leave.broker_dead {
            self.up.closed = true;
        }
        if !self.up.closed && leave.acks0_only && !self.up.eof {
            leave.acks0_only = self.poll_acks0(context);
        }
        if !self.up.closed {
            match self.up.poll_flush(&mut self.broker, context) {
                Poll::Pending => {}
                Poll::Ready(Err(_)) => leave.broker_dead = true,
                Poll::Ready(Ok(())) if leave.acks0_only && !self.up.eof => {}
                Poll::Ready(Ok(())) => {
                    self.up.closed = Pin::new(&mut self.broker).poll_shutdown(context).is_ready();
                }
            }
        }
        if !self.up.eof && (!leave.acks0_only || self.up.closed) {
            let discarded = self.up.poll_discard(&mut self.client, context);
            self.up.eof |= matches!(discarded, Poll::Ready(Err(_)));
        }
    }

    /// Forwards requests that have no answer, drops the others. False once that cannot go on.
    fn poll_acks0(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let inspector = &mut self.inspector;
            let step = self.up.poll_step(
                &mut self.client,
                &mut self.broker,
                &self.account,
                context,
                |bytes, out| inspector.requests(bytes, 0, out),
            );
            match step {
                Poll::Pending => return true,
                Poll::Ready(Ok(Step::Moved(_) | Step::Held)) => {}
                Poll::Ready(Ok(Step::Eof)) => return false,
                Poll::Ready(Err(LaneError::Source(_))) => {
                    self.up.eof = true;
                    return false;
                }
                Poll::Ready(Err(LaneError::Sink(_) | LaneError::Fault(_))) => return false,
            }
        }
    }

    /// What the client is still to get, and what the broker still sends.
    fn finish_down(&mut self, leave: &mut Leave, context: &mut Context<'_>) {
        if leave.client_dead {
            self.down.closed = true;
        }
        if !self.down.closed {
            match self.down.poll_flush(&mut self.client, context) {
                Poll::Pending => {}
                Poll::Ready(Err(_)) => leave.client_dead = true,
                Poll::Ready(Ok(())) => {
                    self.down.closed = Pin::new(&mut self.client).poll_shutdown(context).is_ready();
                }
            }
        }
        if leave.broker_dead {
            self.down.eof = true;
        } else {
            let discarded = self.down.poll_discard(&mut self.broker, context);
            self.down.eof |= matches!(discarded, Poll::Ready(Err(_)));
        }
    }

    /// The linger begins when the client has been told. Until then a client that takes nothing is waited for only so
    /// long, and a drain's hard deadline ends it whatever happens.
    fn out_of_time(&mut self, leave: &mut Leave, context: &mut Context<'_>) -> bool {
        let now = Instant::now();
        if self.down.closed {
            leave.told.get_or_insert(now);
        }
        let order = self.handle.order();
        let linger = match order {
            Some(order) if order.process_ends => LAST_LINGER,
            _ => LINGER,
        };
        let still_since = self.watch.still_since(self.up.written + self.down.written, now);
        let until = leave.told.map_or(still_since + LEAVING, |told| told + linger);
        let hard = order.map(|order| order.hard + LAST_WORDS);
        let until = hard.map_or(until, |hard| hard.min(until));
        if now >= until {
            return true;
        }
        self.timer.poll_at(until, context).is_ready()
    }

    /// Whatever is not done yet is not done.
    pub(super) fn end_at_once(&mut self) -> Ended {
        let leave = match std::mem::replace(&mut self.phase, Phase::Open) {
            Phase::Leaving(leave) => leave,
            Phase::Open => Leave::placeholder(),
        };
        self.ended(leave)
    }

    fn ended(&mut self, leave: Leave) -> Ended {
        Ended {
            cause: leave.reason.cause,
            detail: leave.reason.detail.into_owned(),
            unanswered: leave.unanswered,
            client_bytes: self.up.bytes,
            broker_bytes: self.down.bytes,
            requests: self.inspector.requests_completed(),
        }
    }
}
