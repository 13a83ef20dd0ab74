//! Moves bytes between a client and its broker until one of them, a drain or a fault ends the session; then sees
//! to it that nothing that was promised is lost on the way out.
//!
//! A session is *open* as long as both directions may move. It then *leaves*: what is left over is written,
//! `shutdown(WR)` follows the last answer, and what the client still sends is read and discarded until it closes
//! or a short linger ends. Closing with unread bytes would make the kernel send a reset, which destroys answers
//! on their way (RFC 1122 §4.2.2.13), so `close()` is never the first move.

mod draining;
mod leaving;
mod stuck;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::cause::{CloseCause, Fault};
use super::inspect::{DrainMode, Inspect, InspectResult};
use super::lane::{Lane, LaneError, Step};
use super::ledger::Account;
use super::nodes::NodeDirectory;
use super::output::Output;
use super::timer::{EPOLL_LAG_GRACE, Timer};
use super::transport::Transport;
use crate::drain::{SessionHandle, SessionProgress, SessionState};
use crate::model::Network;
use crate::wire::frame::REQUEST_HEAD_LEN;
use draining::Calm;
use leaving::Leave;
use stuck::Watch;

pub(super) use leaving::LAST_WORDS;

/// One read in so many has the time measured from its return to the end of the write that follows.
const SAMPLED: u8 = 64;

/// Reads of one direction before the other gets its turn.
const STEPS: usize = 4;

/// Time limits of one session.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the first complete request, from the session's beginning.
    pub unauthenticated_idle: Option<Duration>,
    /// For silence after it.
    pub authenticated_idle: Option<Duration>,
}

impl Limits {
    pub fn of(network: &Network) -> Self {
        Self {
            unauthenticated_idle: network.unauthenticated_idle_timeout,
            authenticated_idle: network.authenticated_idle_timeout,
        }
    }
}

/// How a session ended.
#[derive(Debug)]
pub struct Ended {
    pub cause: CloseCause,
    pub detail: String,
    /// Requests that were forwarded and never answered.
    pub unanswered: usize,
    /// Bytes read from the client and from the broker.
    pub client_bytes: u64,
    pub broker_bytes: u64,
    pub requests: u64,
}

/// The two connections of a session and everything between them.
pub struct Pump<C, B, I> {
    client: C,
    broker: B,
    inspector: I,
    /// Client to broker.
    up: Lane,
    /// Broker to client.
    down: Lane,
    handle: Arc<SessionHandle>,
    directory: Option<Arc<NodeDirectory>>,
    /// A request for endpoints that answers wait for.
    asking: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    limits: Limits,
    began: Instant,
    last_read: Instant,
    timer: Timer,
    phase: Phase,
    /// Requests wait until the inspector takes them again.
    up_paused: bool,
    /// The broker takes no more requests; why.
    broken: Option<Fault>,
    waker_known: bool,
    calm: Calm,
    watch: Watch,
    /// What the session holds for peers that do not take it.
    account: Account,
    /// Reads until the next whose latency is measured.
    unsampled: u8,
}

enum Phase {
    Open,
    Leaving(Leave),
}

/// Runs the session to its end.
impl<C, B, I> Future for Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        if !this.waker_known {
            // A task's waker stays the same for its life; registering once spares a lock per wake-up.
            this.handle.wake_with(context.waker());
            this.waker_known = true;
        }
        if this.handle.is_stale()
            && let Some(limits) = this.inspector.refresh()
        {
            this.limits = limits;
        }
        if this.account.is_dismissed() && this.account.holds() {
            match this.phase {
                Phase::Open => {
                    let leave = this.dismissed();
                    this.begin_to_leave(leave);
                }
                Phase::Leaving(_) => return Poll::Ready(this.end_at_once()),
            }
        }
        if let Phase::Open = this.phase
            && let Poll::Ready(leave) = this.poll_open(context)
        {
            this.begin_to_leave(leave);
        }
        let polled = match this.phase {
            Phase::Open => Poll::Pending,
            Phase::Leaving(_) => this.poll_leave(context),
        };
        this.handle.activity.note(this.progress());
        let moved = this.up.moved() + this.down.moved();
        this.account.set(this.held(), moved, context.waker());
        if this.up.starved || this.down.starved {
            this.account.wait();
        }
        polled
    }
}

impl<C, B, I> Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    /// A session whose client has already sent `first`.
    pub fn new(
        client: C,
        broker: B,
        inspector: I,
        first: Vec<u8>,
        handle: Arc<SessionHandle>,
        limits: Limits,
    ) -> Self {
        let now = Instant::now();
        Self {
            client,
            broker,
            inspector,
            // Behind a PROXY header whole requests may have come, after which the client waits for answers.
            up_paused: first.len() > REQUEST_HEAD_LEN,
            up: Lane::starting_with(first),
            down: Lane::default(),
            began: handle.since,
            handle,
            directory: None,
            asking: None,
            limits,
            last_read: now,
            timer: Timer::default(),
            phase: Phase::Open,
            broken: None,
            waker_known: false,
            calm: Calm::new(now),
            watch: Watch::default(),
            account: Account::of(0),
            unsampled: 0,
        }
    }

    /// Where endpoints for unknown nodes are asked for.
    #[must_use]
    pub fn with_directory(mut self, directory: Arc<NodeDirectory>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Whose share of memory for held bytes it uses: any number that no other cluster has.
    #[must_use]
    pub fn accounted_to(mut self, cluster: usize) -> Self {
        self.account = Account::of(cluster);
        self
    }

    /// Both directions, until neither moves. A direction that waits has registered what it waits for, so it is
    /// not asked again only because the other has moved.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<Leave> {
        loop {
            let mut again = false;
            match self.poll_up(context) {
                Ok(more) => again |= more,
                Err(error) => match self.after_up_error(error) {
                    Some(leave) => return Poll::Ready(leave),
                    None => again = true,
                },
            }
            let held_up = !self.up.eof && !self.inspector.accepts_requests();
            match self.poll_down(context) {
                Ok(more) => again |= more,
                Err(error) => return Poll::Ready(self.after_down_error(error)),
            }
            // An answer may have made room for requests that were not read.
            again |= held_up && self.inspector.accepts_requests();
            if again {
                continue;
            }
            return match self.reason_to_leave(context) {
                Some(leave) => Poll::Ready(leave),
                None => Poll::Pending,
            };
        }
    }

    /// Client to broker. True if it stopped only to give the other direction its turn.
    #[inline]
    fn poll_up(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        for _ in 0..STEPS {
            if self.up.eof || !self.inspector.accepts_requests() {
                return self.close_or_flush_up(context).map(|()| false);
            }
            let inspector = &mut self.inspector;
            if self.up_paused {
                // What was put out before comes first.
                match self.up.poll_flush(&mut self.broker, context) {
                    Poll::Pending => return Ok(false),
                    Poll::Ready(flushed) => flushed.map_err(LaneError::Sink)?,
                }
                let now_us = micros(self.began, self.last_read);
                let verdict = self.up.reconsider(&mut self.broker, context, |bytes, out| {
                    inspector.requests(bytes, now_us, out)
                })?;
                self.up_paused = matches!(verdict, InspectResult::Pause { .. });
                continue;
            }
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
                Poll::Ready(Ok(Step::Eof)) => {
                    self.up.drop_carry();
                    self.watch.restart();
                }
                Poll::Ready(Ok(Step::Held)) => self.last_read = Instant::now(),
                Poll::Ready(Ok(Step::Moved(verdict))) => {
                    self.sample_latency();
                    self.up_paused = matches!(verdict, InspectResult::Pause { .. });
                }
            }
        }
        Ok(true)
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

    /// Broker to client, kproxy's own answers in their places. True as for [`Self::poll_up`].
    #[inline]
    fn poll_down(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        for _ in 0..STEPS {
            // Answers of its own, kproxy makes only as fast as the client takes them.
            if self.inspector.owes_answer() {
                if !self.flush_down(context)? {
                    return Ok(false);
                }
                let inspector = &mut self.inspector;
                let put = |out: &mut Output| inspector.write_own_answers(out);
                self.down
                    .write_own(&mut self.client, context, put)
                    .map_err(LaneError::Sink)?;
            }
            if let Some(asking) = &mut self.asking {
                let known = asking.as_mut().poll(context).is_ready();
                if !self.flush_down(context)? || !known {
                    return Ok(false);
                }
                self.asking = None;
                let (inspector, now_us) = (&mut self.inspector, micros(self.began, self.last_read));
                let verdict = self.down.reconsider(&mut self.client, context, |bytes, out| {
                    inspector.responses(bytes, now_us, out)
                })?;
                self.ask_for_endpoints(verdict);
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
                Poll::Ready(Ok(Step::Eof)) => return Err(LaneError::Fault(self.broker_closed())),
                Poll::Ready(Ok(Step::Held)) => self.last_read = Instant::now(),
                Poll::Ready(Ok(Step::Moved(verdict))) => {
                    self.sample_latency();
                    self.ask_for_endpoints(verdict);
                }
            }
        }
        Ok(true)
    }

    /// Memory that is kept for either side.
    #[inline]
    fn held(&self) -> usize {
        let lanes = [&self.up, &self.down].map(|lane| lane.unwritten() + lane.unjudged());
        lanes[0] + lanes[1] + self.client.held() + self.broker.held() + self.inspector.held()
    }

    fn begin_to_leave(&mut self, leave: Leave) {
        if leave.acks0_only {
            self.inspector.set_drain_mode(DrainMode::Acks0Only);
        }
        self.handle.enter(SessionState::Leaving);
        self.watch.restart();
        self.phase = Phase::Leaving(leave);
    }

    #[inline]
    fn sample_latency(&mut self) {
        match self.unsampled.checked_sub(1) {
            Some(left) => self.unsampled = left,
            None => {
                self.unsampled = SAMPLED - 1;
                self.inspector.record_added_latency(self.last_read.elapsed());
            }
        }
    }

    fn progress(&self) -> SessionProgress {
        SessionProgress {
            in_flight: self.inspector.in_flight() as u64,
            client_bytes: self.up.bytes,
            broker_bytes: self.down.bytes,
            client_written: self.down.written,
            broker_written: self.up.written,
            requests: self.inspector.requests_completed(),
        }
    }

    /// Whether the client has taken everything that was put out for it.
    fn flush_down(&mut self, context: &mut Context<'_>) -> Result<bool, LaneError> {
        match self.down.poll_flush(&mut self.client, context) {
            Poll::Pending => Ok(false),
            Poll::Ready(flushed) => flushed.map(|()| true).map_err(LaneError::Sink),
        }
    }

    fn ask_for_endpoints(&mut self, verdict: InspectResult) {
        if let InspectResult::NeedEndpoints { nodes, .. } = verdict
            && let Some(directory) = &self.directory
        {
            self.asking = Some(Box::pin(Arc::clone(directory).request(nodes)));
        }
    }

    /// The end of the broker's stream, in words.
    fn broker_closed(&mut self) -> Fault {
        if let Some(reason) = self.broken.take() {
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

    /// `None`: the broker takes nothing more, but may have sent answers that the client is still owed.
    fn after_up_error(&mut self, error: LaneError) -> Option<Leave> {
        match error {
            LaneError::Fault(fault) => Some(self.leave(fault)),
            LaneError::Source(error) => {
                let leave = self.leave(Fault::broken(CloseCause::ClientReset, &error));
                Some(Leave {
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

    fn after_down_error(&mut self, error: LaneError) -> Leave {
        match error {
            // Answers cannot be delivered any more, but what the client sent before it left counts.
            LaneError::Sink(error) => {
                let leave = self.leave(Fault::broken(CloseCause::ClientReset, &error));
                Leave {
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
                Leave {
                    broker_dead: true,
                    ..self.leave(self.unless_client_left(reason))
                }
            }
            LaneError::Fault(fault) => Leave {
                broker_dead: true,
                ..self.leave(fault)
            },
        }
    }

    /// The broker breaks TLS off, and has never said anything in it: where the client's end has reached it, it takes
    /// that for the end of the handshake.
    fn unless_client_left(&self, reason: Fault) -> Fault {
        if reason.cause == CloseCause::UpstreamTlsFailed && self.up.closed && self.down.bytes == 0 {
            return Fault::new(CloseCause::ClientClosed, "before the broker's first answer");
        }
        reason
    }

    fn leave(&self, reason: Fault) -> Leave {
        Leave {
            reason,
            unanswered: self.inspector.in_flight(),
            told: None,
            acks0_only: false,
            client_dead: false,
            broker_dead: false,
        }
    }

    /// Leaves by kproxy's own decision, which the client does not know of: what it sends meanwhile without expecting an
    /// answer is still forwarded.
    fn leave_saving(&self, reason: Fault) -> Leave {
        Leave {
            acks0_only: self.inspector.can_forward_acks0(),
            ..self.leave(reason)
        }
    }

    /// Whether it is time, now that neither direction moves. Registers the timer for when it will be.
    fn reason_to_leave(&mut self, context: &mut Context<'_>) -> Option<Leave> {
        if let Some(fault) = self.inspector.wants_to_leave() {
            return Some(self.leave(fault));
        }
        let done = self.inspector.in_flight() == 0 && self.inspector.at_boundary() && self.down.is_clear();
        if self.up.closed && done && self.broken.is_none() {
            return Some(self.leave(Fault::new(CloseCause::ClientClosed, "")));
        }
        if let Some(leave) = self.look_whether_stuck(context) {
            return Some(leave);
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
                return Some(self.leave_saving(Fault::new(CloseCause::IdleTimeout, detail)));
            }
            // What has arrived is about to be read.
            idle = Some((now + EPOLL_LAG_GRACE, detail));
        }
        let mut next = idle.map(|(deadline, _)| deadline);
        if let Some(order) = order {
            let deadline = match self.heed(order, now, done) {
                Ok(leave) => return Some(leave),
                Err(deadline) => deadline,
            };
            next = Some(next.map_or(deadline, |next| next.min(deadline)));
        }
        if next.is_some_and(|next| self.timer.poll_at(next, context).is_ready()) {
            // It fired between the look at the clock and now: look again.
            context.waker().wake_by_ref();
        }
        None
    }

    /// Nothing has been asked that is not answered, down to the kernel: what has arrived and was not read counts.
    fn is_quiet(&self) -> bool {
        self.inspector.is_settled() && self.has_nothing_unread()
    }

    /// Whether all that the client has sent has been passed on.
    fn has_nothing_unread(&self) -> bool {
        self.up.is_clear() && !self.client.has_unread()
    }

    /// When silence becomes too long, and what to call it.
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

    /// Whether the client is silent for a good reason: it waits for an answer, is still taking one in, or has sent
    /// what the broker does not take.
    fn is_waiting(&self) -> bool {
        if !self.up.is_flushed() || !self.down.is_flushed() {
            return true;
        }
        // Nobody answers half a request; the one in flight may be just that.
        self.inspector.at_request_boundary()
            && (self.inspector.in_flight() > 0 || !self.inspector.at_boundary())
    }
}

fn micros(began: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(began).as_micros()).unwrap_or(u64::MAX)
}
