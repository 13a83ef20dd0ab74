//! The direction from the client to the broker, while the session is open.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::leaving::LeavePhase;
use super::{Pump, READS_PER_TURN, micros};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::{Inspect, InspectResult};
use crate::session::lane::{LaneError, LaneStep};
use crate::session::transport::Transport;

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// Moves requests to the broker. True if it stopped only to give the other direction its turn.
    #[inline]
    pub(super) fn poll_up(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        for _ in 0..READS_PER_TURN {
            if self.up.eof || !self.is_up_ready(context) || !self.inspector.accepts_requests() {
                return self.close_or_flush_up(context).map(|()| false);
            }
            if self.up_paused {
                if !self.resume_requests(context)? {
                    return Ok(false);
                }
                continue;
            }
            let inspector = &mut self.inspector;
            let (began, last_read) = (self.began, &mut self.last_read);
            let step = self.up.poll_step(
                &mut self.client,
                &mut self.broker,
                &self.account,
                context,
                |bytes, out| {
                    *last_read = Instant::now();
                    inspector.requests(bytes, micros(began, *last_read), out)
                },
            );
            match step {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(LaneStep::Eof)) => {
                    self.up.drop_carry();
                    self.watch.restart();
                }
                Poll::Ready(Ok(LaneStep::Held)) => self.last_read = Instant::now(),
                Poll::Ready(Ok(LaneStep::Moved(result))) => {
                    self.sample_latency();
                    self.note_up_pause(&result);
                    self.up.note_frame_left(self.inspector.request_bytes_left());
                }
            }
        }
        Ok(true)
    }

    /// Presents paused requests again. False if the broker has to take what was put out before.
    fn resume_requests(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        match self.up.poll_flush(&mut self.broker, context) {
            Poll::Pending => return Ok(false),
            Poll::Ready(flushed) => flushed.map_err(LaneError::Sink)?,
        }
        // They may have waited for long.
        self.last_read = Instant::now();
        let (inspector, now_us) = (&mut self.inspector, micros(self.began, self.last_read));
        let result = self.up.reconsider(&mut self.broker, context, |bytes, out| {
            inspector.requests(bytes, now_us, out)
        })?;
        self.note_up_pause(&result);
        Ok(true)
    }

    /// Notes whether requests are paused, and what for.
    fn note_up_pause(&mut self, result: &InspectResult) {
        self.up_paused = matches!(result, InspectResult::Pause { .. });
        if self.up_paused {
            self.up_wait = self.filter_wait();
        }
    }

    /// Whether no filter has requests wait.
    fn is_up_ready(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(wait) = &mut self.up_wait {
            if wait.as_mut().poll(context).is_pending() {
                return false;
            }
            self.up_wait = None;
        }
        true
    }

    /// Passes the client's end on as soon as everything before it is written: acks=0 data included, which has no
    /// answer to wait for.
    fn close_or_flush_up(&mut self, context: &mut Context<'_>) -> Result<(), LaneError> {
        let flushed = self
            .up
            .poll_flush(&mut self.broker, context)
            .map_err(LaneError::Sink)?;
        if self.up.eof && !self.up.closed && flushed.is_ready() {
            match Pin::new(&mut self.broker).poll_shutdown(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.up.closed = true,
                Poll::Ready(Err(error)) => return Err(LaneError::Sink(error)),
            }
        }
        Ok(())
    }

    /// What follows from an error of the request direction. `None` if the session stays open because only the broker takes
    /// nothing more: it may have sent answers that the client has not.
    pub(super) fn after_up_error(&mut self, error: LaneError) -> Option<LeavePhase> {
        match error {
            LaneError::Fault(fault) => Some(self.leave(fault)),
            LaneError::Source(error) => {
                let leave = self.leave(Fault::broken(CloseCause::ClientReset, &error));
                Some(LeavePhase {
                    client_dead: true,
                    ..leave
                })
            }
            LaneError::Sink(error) => {
                self.broken = Some(Fault::broken(CloseCause::UpstreamReset, &error));
                self.up.abandon();
                None
            }
        }
    }
}
