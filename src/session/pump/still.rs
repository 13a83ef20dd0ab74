//! What decides whether an open session leaves, once neither direction moves.

use std::task::Context;
use std::time::Instant;

use super::draining::DrainStep;
use super::{OpenOutcome, Pump};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::Inspect;
use crate::session::timer::EPOLL_LAG_GRACE;
use crate::session::transport::Transport;

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// What becomes of the session now that neither direction moves; `None` if it goes on. Registers the timer for the next
    /// look then.
    pub(super) fn verdict(&mut self, context: &mut Context<'_>) -> Option<OpenOutcome> {
        if let Some(fault) = self.inspector.wants_to_leave() {
            return Some(OpenOutcome::Leave(self.leave(fault)));
        }
        let done = self.inspector.in_flight() == 0 && self.inspector.at_boundary() && self.down.is_clear();
        if self.up.closed && done && self.broken.is_none() {
            let leave = self.leave(Fault::new(CloseCause::ClientClosed, ""));
            return Some(OpenOutcome::Leave(leave));
        }
        if let Some(leave) = self.check_progress(context) {
            return Some(OpenOutcome::Leave(leave));
        }
        let mut idle = self.idle_deadline();
        let order = self.handle.order();
        if idle.is_none() && order.is_none() {
            self.timer.clear();
            return None;
        }
        let now = Instant::now();
        if let Some((_, detail)) = idle.filter(|(deadline, _)| *deadline <= now) {
            if !self.up.is_flushed() || !self.client.has_unread() {
                let leave = self.leave_saving(Fault::new(CloseCause::IdleTimeout, detail));
                return Some(OpenOutcome::Leave(leave));
            }
            // What has arrived is about to be read.
            idle = Some((now + EPOLL_LAG_GRACE, detail));
        }
        let mut next = idle.map(|(deadline, _)| deadline);
        if let Some(order) = order {
            let deadline = match self.drain_step(order, now, done) {
                DrainStep::Leave(leave) => return Some(OpenOutcome::Leave(leave)),
                DrainStep::Prepare => return Some(OpenOutcome::Prepare),
                DrainStep::Move => return Some(OpenOutcome::Move),
                DrainStep::Stay(deadline) => deadline,
            };
            next = Some(next.map_or(deadline, |next| next.min(deadline)));
        }
        if next.is_some_and(|next| self.timer.poll_at(next, context).is_ready()) {
            // It fired between the look at the clock and now: look again.
            context.waker().wake_by_ref();
        }
        None
    }

    /// Whether every request is answered, those included that the kernel has and the session has not read.
    pub(super) fn is_quiet(&self) -> bool {
        self.inspector.is_settled() && self.has_nothing_unread()
    }

    /// Whether all that the client has sent has been passed on.
    pub(super) fn has_nothing_unread(&self) -> bool {
        self.up.is_clear() && !self.client.has_unread()
    }

    /// When the client has been silent for too long, and the detail to log then.
    fn idle_deadline(&self) -> Option<(Instant, &'static str)> {
        if self.inspector.requests_completed() == 0 {
            let limit = self.limits.unauthenticated_idle?;
            return Some((
                self.began + limit,
                "no complete request within unauthenticatedIdleTimeout",
            ));
        }
        let limit = self.limits.authenticated_idle.filter(|_| !self.is_waiting())?;
        Some((self.last_read + limit, "silent for authenticatedIdleTimeout"))
    }

    /// Whether the client is silent for a good reason: it waits for an answer, has not taken one yet, has sent bytes that the
    /// broker does not take, or a request for which a filter waits.
    fn is_waiting(&self) -> bool {
        if self.up_wait.is_some() || !self.up.is_flushed() || !self.down.is_flushed() {
            return true;
        }
        // Nobody answers half a request; the one in flight may be just that.
        self.inspector.at_request_boundary()
            && (self.inspector.in_flight() > 0 || !self.inspector.at_boundary())
    }
}
