//! The pump of a session: moves bytes between a client and its broker until one of them, a drain or a fault ends it, and
//! then ends it without losing an answer.
//!
//! A session is *open* as long as both directions may move. It then *leaves*: the pump writes what is left over,
//! `shutdown(WR)` follows the last answer, and what the client still sends is read and discarded until it closes or a
//! short linger ends. Closing a socket with unread bytes would make the kernel send a reset, which destroys answers on
//! their way (RFC 1122 §4.2.2.13), so `close()` is never the first step.
//!
//! `requests` and `responses` move the two directions of an open session; `still`, `stuck` and `draining` decide whether
//! it leaves once neither moves; `leaving` ends it, and `moving` has it go on over another broker connection.

mod draining;
mod leaving;
mod moving;
mod requests;
mod responses;
mod still;
mod stuck;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::cause::{CloseCause, Fault};
use super::inspect::{DrainMode, Inspect, Wait};
use super::lane::Lane;
use super::ledger::Account;
use super::nodes::NodeDirectory;
use super::timer::Timer;
use super::transport::Transport;
use crate::drain::{SessionHandle, SessionProgress, SessionState};
use crate::model::Network;
use crate::wire::frame::REQUEST_HEAD_LEN;
use draining::BrokerSilence;
use leaving::LeavePhase;
use moving::Relocation;
use stuck::Watch;

pub(super) use leaving::FIN_GRACE;

/// Why a pump stopped.
#[derive(Debug)]
pub enum PumpStop {
    /// The session has ended.
    Ended(Ended),
    /// Another broker connection is to be made for the session, which goes on meanwhile: the pump may be polled on.
    Prepares,
    /// The session stands between two requests and is to go on over another broker connection. The pump may be polled on,
    /// with another broker connection or without.
    Moves,
}

/// What becomes of an open session in which neither direction moves.
enum OpenOutcome {
    Leave(LeavePhase),
    Prepare,
    Move,
}

/// Number of reads of which one is measured: how long it takes from the end of the read to the end of the write.
const READS_PER_SAMPLE: u8 = 64;

/// Number of reads of one direction before the other has its turn.
const READS_PER_TURN: usize = 4;

/// Time limits of one session.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time from the session's beginning to the first complete request.
    pub unauthenticated_idle: Option<Duration>,
    /// Time without a read after that.
    pub authenticated_idle: Option<Duration>,
}

impl Limits {
    /// The limits that `network` configures.
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
    /// Why.
    pub cause: CloseCause,
    /// What else is known of it; may be empty.
    pub detail: String,
    /// Number of requests that were forwarded and never answered.
    pub unanswered: usize,
    /// Time since the last byte of either side.
    pub waited: Duration,
    /// Number of bytes read from the client.
    pub client_bytes: u64,
    /// Number of bytes read from the broker.
    pub broker_bytes: u64,
    /// Number of requests that arrived whole.
    pub requests: u64,
}

/// Time without an answer after which a client that leaves has given up. Polls of consumers are answered sooner.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

impl Ended {
    /// Whether the client left because answers did not come.
    pub fn is_given_up(&self) -> bool {
        let by_client = matches!(self.cause, CloseCause::ClientClosed | CloseCause::ClientReset);
        by_client && self.unanswered > 0 && self.waited >= GIVEN_UP_AFTER
    }
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
    /// What the responses wait for: a request for endpoints, or a filter.
    down_wait: Option<BoxedWait>,
    /// What the requests wait for: a filter.
    up_wait: Option<BoxedWait>,
    limits: Limits,
    began: Instant,
    last_read: Instant,
    timer: Timer,
    phase: PumpPhase,
    /// Requests wait until the inspector accepts them again.
    up_paused: bool,
    /// Why the broker takes no more requests.
    broken: Option<Fault>,
    waker_known: bool,
    silence: BrokerSilence,
    watch: Watch,
    /// The account of the bytes that the session holds for peers that do not take them.
    account: Account,
    /// Number of reads until the next one that is measured.
    unsampled: u8,
    /// Boxed because it is there only while the session is to move.
    relocation: Option<Box<Relocation>>,
}

type BoxedWait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Time limit for one wait of a filter.
const FILTER_WAIT: Duration = Duration::from_secs(10);

enum PumpPhase {
    Open,
    Leaving(LeavePhase),
}

/// Runs the session to its end.
impl<C, B, I> Future for Pump<C, B, I>
where
    C: Transport,
    B: Transport,
    I: Inspect + Unpin,
{
    type Output = PumpStop;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PumpStop> {
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
                PumpPhase::Open => {
                    let leave = this.dismissed();
                    this.begin_to_leave(leave);
                }
                PumpPhase::Leaving(_) => return Poll::Ready(PumpStop::Ended(this.end_at_once())),
            }
        }
        let verdict = match this.phase {
            PumpPhase::Open => this.poll_open(context),
            PumpPhase::Leaving(_) => Poll::Pending,
        };
        let stop = match verdict {
            Poll::Ready(OpenOutcome::Leave(leave)) => {
                this.begin_to_leave(leave);
                Poll::Pending
            }
            Poll::Ready(OpenOutcome::Prepare) => Poll::Ready(PumpStop::Prepares),
            Poll::Ready(OpenOutcome::Move) => Poll::Ready(PumpStop::Moves),
            Poll::Pending => Poll::Pending,
        };
        let polled = match this.phase {
            PumpPhase::Open => stop,
            PumpPhase::Leaving(_) => this.poll_leave(context).map(PumpStop::Ended),
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
    /// Creates the pump of a session whose client has already sent `first`.
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
            down_wait: None,
            up_wait: None,
            limits,
            last_read: now,
            timer: Timer::default(),
            phase: PumpPhase::Open,
            broken: None,
            waker_known: false,
            silence: BrokerSilence::new(now),
            watch: Watch::default(),
            account: Account::of(0),
            unsampled: 0,
            relocation: None,
        }
    }

    /// Sets where endpoints for unknown nodes are requested.
    #[must_use]
    pub fn with_directory(mut self, directory: Arc<NodeDirectory>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Counts the bytes it holds in the share of `cluster`, which is any number that no other cluster has.
    #[must_use]
    pub fn accounted_to(mut self, cluster: usize) -> Self {
        self.account = Account::of(cluster);
        self
    }

    /// Moves both directions until neither moves. A direction that waits has registered what it waits for, so it is not
    /// polled again only because the other one has moved.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<OpenOutcome> {
        loop {
            let mut again = false;
            match self.poll_up(context) {
                Ok(more) => again |= more,
                Err(error) => match self.after_up_error(error) {
                    Some(leave) => return Poll::Ready(OpenOutcome::Leave(leave)),
                    None => again = true,
                },
            }
            let held_up = !self.up.eof && !self.inspector.accepts_requests();
            match self.poll_down(context) {
                Ok(more) => again |= more,
                Err(_) if self.moves_at_end_of_broker() => return Poll::Ready(OpenOutcome::Move),
                Err(error) => return Poll::Ready(OpenOutcome::Leave(self.after_down_error(error))),
            }
            // An answer may have made room for requests that were not read.
            again |= held_up && self.inspector.accepts_requests();
            if again {
                continue;
            }
            let held_up = !self.inspector.accepts_requests();
            match self.verdict(context) {
                Some(verdict) => return Poll::Ready(verdict),
                // It has let requests pass that waited.
                None if held_up && self.inspector.accepts_requests() => {}
                None => return Poll::Pending,
            }
        }
    }

    /// What the inspector waits for after a pause, within its time limit.
    fn filter_wait(&mut self) -> Option<BoxedWait> {
        let Wait(wait) = self.inspector.take_wait()?;
        Some(Box::pin(async move {
            // The frame is presented again. Where the wait is late, its drop has told the chain.
            tokio::time::timeout(FILTER_WAIT, wait).await.ok();
        }))
    }

    /// Bytes of memory that are kept for either side.
    #[inline]
    fn held(&self) -> usize {
        let lanes = [&self.up, &self.down].map(|lane| lane.unwritten() + lane.uninspected());
        lanes[0] + lanes[1] + self.client.held() + self.broker.held() + self.inspector.held()
    }

    fn begin_to_leave(&mut self, leave: LeavePhase) {
        if leave.acks0_only {
            self.inspector.set_drain_mode(DrainMode::Acks0Only);
        }
        (self.up_wait, self.down_wait) = (None, None);
        self.handle.enter(SessionState::Leaving);
        self.watch.restart();
        self.phase = PumpPhase::Leaving(leave);
    }

    #[inline]
    fn sample_latency(&mut self) {
        match self.unsampled.checked_sub(1) {
            Some(left) => self.unsampled = left,
            None => {
                self.unsampled = READS_PER_SAMPLE - 1;
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
}

fn micros(began: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(began).as_micros()).unwrap_or(u64::MAX)
}
