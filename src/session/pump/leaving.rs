//! The end of a session, once it is decided that it leaves.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::stuck::LEAVING_TIMEOUT;
use super::{Ended, Pump, PumpPhase};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::{Inspect, InspectResult};
use crate::session::lane::{LaneError, LaneStep};
use crate::session::output::Output;
use crate::session::transport::Transport;

/// Time limit for the client to close its side, from the moment in which it was told to.
const LINGER: Duration = Duration::from_secs(5);

/// [`LINGER`] when the process ends: a client that does not close its side must not delay that.
const SHUTDOWN_LINGER: Duration = Duration::from_secs(2);

/// Time after a drain's hard deadline for the FIN to go out after the last bytes. Less than the quarter of a second that a
/// shutdown grants after its deadline, or the session would not be counted.
pub(in crate::session) const FIN_GRACE: Duration = Duration::from_millis(150);

/// Why a session leaves, and what it still does.
pub(super) struct LeavePhase {
    pub(super) reason: Fault,
    pub(super) unanswered: usize,
    /// When the client was sent the end of the stream; its own close is waited for from then on.
    pub(super) told: Option<Instant>,
    /// Requests that no client sends twice are still forwarded.
    pub(super) acks0_only: bool,
    /// Nothing more is written to the client: it was reset, or takes nothing.
    pub(super) client_dead: bool,
    /// Nothing more is exchanged with the broker: it was reset, takes nothing, or has sent bytes that are no answers.
    pub(super) broker_dead: bool,
}

impl LeavePhase {
    /// The value that stands in for the real one while that is moved out.
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
    /// How the session leaves for `reason`.
    pub(super) fn leave(&self, reason: Fault) -> LeavePhase {
        LeavePhase {
            reason,
            unanswered: self.inspector.in_flight(),
            told: None,
            acks0_only: false,
            client_dead: false,
            broker_dead: false,
        }
    }

    /// How the session leaves by kproxy's own decision. The client does not know of it, so requests without an answer that
    /// it sends meanwhile are still forwarded.
    pub(super) fn leave_saving(&self, reason: Fault) -> LeavePhase {
        LeavePhase {
            acks0_only: self.inspector.can_forward_acks0(),
            ..self.leave(reason)
        }
    }

    pub(super) fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        let PumpPhase::Leaving(leave) = &mut self.phase else {
            return Poll::Pending;
        };
        let mut leave = std::mem::replace(leave, LeavePhase::placeholder());
        self.finish_up(&mut leave, context);
        self.finish_down(&mut leave, context);
        let over = self.up.eof && self.up.closed && self.down.eof && self.down.closed;
        if over || self.out_of_time(&mut leave, context) {
            return Poll::Ready(self.ended(leave));
        }
        self.phase = PumpPhase::Leaving(leave);
        Poll::Pending
    }

    /// Reads what the client still sends, and writes what the broker is still to get.
    fn finish_up(&mut self, leave: &mut LeavePhase, context: &mut Context<'_>) {
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
        if self.up_paused {
            match self.up.poll_flush(&mut self.broker, context) {
                Poll::Pending => return true,
                Poll::Ready(Err(_)) => return false,
                Poll::Ready(Ok(())) => {}
            }
            self.up_paused = false;
            let inspector = &mut self.inspector;
            let put = |bytes: &[u8], out: &mut Output| inspector.requests(bytes, 0, out);
            match self.up.reconsider(&mut self.broker, context, put) {
                Ok(InspectResult::Pause { .. }) | Err(_) => return false,
                Ok(_) => {}
            }
        }
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
                // It would have to wait for a filter.
                Poll::Ready(Ok(LaneStep::Moved(InspectResult::Pause { .. }))) => return false,
                Poll::Ready(Ok(LaneStep::Moved(_) | LaneStep::Held)) => {}
                Poll::Ready(Ok(LaneStep::Eof)) => return false,
                Poll::Ready(Err(LaneError::Source(_))) => {
                    self.up.eof = true;
                    return false;
                }
                Poll::Ready(Err(LaneError::Sink(_) | LaneError::Fault(_))) => return false,
            }
        }
    }

    /// Writes what the client is still to get, and reads what the broker still sends.
    fn finish_down(&mut self, leave: &mut LeavePhase, context: &mut Context<'_>) {
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

    /// Whether the session ends although not everything is done. The linger begins when the client has been told; until
    /// then a client that takes nothing is waited for at most [`LEAVING_TIMEOUT`]. A drain's hard deadline ends both.
    fn out_of_time(&mut self, leave: &mut LeavePhase, context: &mut Context<'_>) -> bool {
        let now = Instant::now();
        if self.down.closed {
            leave.told.get_or_insert(now);
        }
        let order = self.handle.order();
        let linger = match order {
            Some(order) if order.process_ends => SHUTDOWN_LINGER,
            _ => LINGER,
        };
        let still_since = self.watch.still_since(self.up.written + self.down.written, now);
        let until = leave
            .told
            .map_or(still_since + LEAVING_TIMEOUT, |told| told + linger);
        let hard = order.map(|order| order.hard + FIN_GRACE);
        let until = hard.map_or(until, |hard| hard.min(until));
        if now >= until {
            return true;
        }
        self.timer.poll_at(until, context).is_ready()
    }

    /// Ends the session without doing what is not done yet.
    pub(super) fn end_at_once(&mut self) -> Ended {
        let leave = match std::mem::replace(&mut self.phase, PumpPhase::Open) {
            PumpPhase::Leaving(leave) => leave,
            PumpPhase::Open => LeavePhase::placeholder(),
        };
        self.ended(leave)
    }

    fn ended(&mut self, leave: LeavePhase) -> Ended {
        Ended {
            cause: leave.reason.cause,
            detail: leave.reason.detail.into_owned(),
            unanswered: leave.unanswered,
            waited: self.last_read.elapsed(),
            client_bytes: self.up.bytes,
            broker_bytes: self.down.bytes,
            requests: self.inspector.requests_completed(),
        }
    }
}
