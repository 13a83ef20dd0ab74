//! The direction from the broker to the client, while the session is open.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::leaving::LeavePhase;
use super::{Pump, READS_PER_TURN, micros};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::{Inspect, InspectResult};
use crate::session::lane::{LaneError, LaneStep};
use crate::session::output::Output;
use crate::session::transport::Transport;

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// Moves responses to the client, kproxy's own answers in their places. True as for [`Self::poll_up`].
    #[inline]
    pub(super) fn poll_down(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        for _ in 0..READS_PER_TURN {
            if self.inspector.owes_answer() && !self.write_own_answers(context)? {
                return Ok(false);
            }
            if self.down_wait.is_some() {
                if !self.resume_responses(context)? {
                    return Ok(false);
                }
                continue;
            }
            let inspector = &mut self.inspector;
            let (began, last_read) = (self.began, &mut self.last_read);
            let step = self.down.poll_step(
                &mut self.broker,
                &mut self.client,
                &self.account,
                context,
                |bytes, out| {
                    *last_read = Instant::now();
                    inspector.responses(bytes, micros(began, *last_read), out)
                },
            );
            match step {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(LaneStep::Eof)) => return Err(LaneError::Fault(self.broker_closed())),
                Poll::Ready(Ok(LaneStep::Held)) => self.last_read = Instant::now(),
                Poll::Ready(Ok(LaneStep::Moved(result))) => {
                    self.sample_latency();
                    self.begin_down_wait(result);
                    self.down.note_frame_left(self.inspector.response_bytes_left());
                }
            }
        }
        Ok(true)
    }

    /// Writes kproxy's own answers, but not faster than the client takes them. False if it has to take others first.
    fn write_own_answers(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        if !self.flush_down(context)? {
            return Ok(false);
        }
        let inspector = &mut self.inspector;
        let put = |out: &mut Output| inspector.write_own_answers(out);
        let written = self.down.write_own(&mut self.client, context, put);
        written.map(|()| true).map_err(LaneError::Sink)
    }

    /// Presents the responses again that wait. False if they have to wait on.
    fn resume_responses(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        let wait = self.down_wait.as_mut();
        let over = wait.is_none_or(|wait| wait.as_mut().poll(context).is_ready());
        if !self.flush_down(context)? || !over {
            return Ok(false);
        }
        self.down_wait = None;
        let (inspector, now_us) = (&mut self.inspector, micros(self.began, self.last_read));
        let result = self.down.reconsider(&mut self.client, context, |bytes, out| {
            inspector.responses(bytes, now_us, out)
        })?;
        self.begin_down_wait(result);
        Ok(true)
    }

    /// Whether the client has taken everything that was put out for it.
    fn flush_down(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        match self.down.poll_flush(&mut self.client, context) {
            Poll::Pending => Ok(false),
            Poll::Ready(flushed) => flushed.map(|()| true).map_err(LaneError::Sink),
        }
    }

    /// Begins what the responses wait for.
    fn begin_down_wait(&mut self, result: InspectResult) {
        match (result, &self.directory) {
            (InspectResult::NeedEndpoints { nodes, .. }, Some(directory)) => {
                self.down_wait = Some(Box::pin(Arc::clone(directory).request(nodes)));
            }
            (InspectResult::Pause { .. }, _) => self.down_wait = self.filter_wait(),
            _ => {}
        }
    }

    /// Why the broker ended its stream, as far as that can be told.
    fn broker_closed(&mut self) -> Fault {
        if let Some(reason) = self.broken.take() {
            return reason;
        }
        if let Some(reason) = self.inspector.wants_to_leave() {
            return reason;
        }
        let unanswered = self.inspector.in_flight();
        // Half a request cannot be answered: the broker closes because the client has.
        if self.up.eof && !self.inspector.at_request_boundary() && unanswered <= 1 {
            return Fault::new(CloseCause::ClientClosed, "within a request");
        }
        if unanswered > 0 || !self.inspector.at_boundary() {
            let detail = format!("the broker closed with {unanswered} requests unanswered");
            return Fault::new(CloseCause::UpstreamClosedEarly, detail);
        }
        if self.up.eof {
            Fault::new(CloseCause::ClientClosed, "")
        } else {
            Fault::new(CloseCause::UpstreamClosed, "")
        }
    }

    pub(super) fn after_down_error(&mut self, error: LaneError) -> LeavePhase {
        match error {
            // Answers cannot be delivered any more, but what the client sent before it left counts.
            LaneError::Sink(error) => {
                let leave = self.leave(Fault::broken(CloseCause::ClientReset, &error));
                LeavePhase {
                    client_dead: true,
                    acks0_only: true,
                    ..leave
                }
            }
            LaneError::Source(error) => {
                let said = Fault::broken(CloseCause::UpstreamReset, &error);
                let reason = match self.broken.take() {
                    Some(broken) if said.cause == CloseCause::UpstreamReset => broken,
                    // An alert tells why it took no more: under TLS 1.3 that is how a certificate is refused.
                    _ => said,
                };
                LeavePhase {
                    broker_dead: true,
                    ..self.leave(self.unless_client_left(reason))
                }
            }
            LaneError::Fault(fault) => LeavePhase {
                broker_dead: true,
                ..self.leave(fault)
            },
        }
    }

    /// `reason`, or the client's end if that is what made the broker break TLS off: a broker that has not sent anything
    /// yet takes the end of the client's stream for the end of the handshake.
    fn unless_client_left(&self, reason: Fault) -> Fault {
        if reason.cause == CloseCause::UpstreamTlsFailed && self.up.closed && self.down.bytes == 0 {
            return Fault::new(CloseCause::ClientClosed, "before the broker's first answer");
        }
        reason
    }
}
