//! The run of a session over one broker connection after another, while its client connection stays.
//!
//! A session that is asked to leave because the target of its virtual cluster has changed goes on with the new one, if that is
//! the same Kafka cluster: elsewhere, over TLS, behind another listener. What a broker has to hear first, ApiVersions and the
//! login of kproxy, it hears again; nothing of it reaches the client. See `pump::moving` for the moment, and
//! `inspect::kafka::moving` for what ties a session to its broker connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::io::AsyncWriteExt as _;

use super::broker_moves;
use super::cause::{CloseCause, Fault};
use super::context::EndpointBinding;
use super::inspect::{Learning, SessionLogin};
use super::opened_session::SessionPump;
use super::opening::broker::connect;
use super::opening::first_request::drain_patience_ends;
use super::opening::replay::Introduction;
use super::probe;
use super::pump::{Ended, PumpStop};
use super::report::Report;
use super::transport::Stream;
use super::upstream::{Promise, ProxyPreamble, Upstream};
use crate::drain::{SessionGuard, SessionHandle, SessionState};

/// Time for the old broker to answer that it has read everything, and to take the end of the stream.
const FAREWELL: Duration = Duration::from_secs(2);

/// Pause between two attempts to connect behind a pause of the virtual cluster.
const COME_BACK_PAUSE: Duration = Duration::from_millis(100);

/// Most contexts that follow each other while a session moves; behind more it is drained.
const MOST_SUCCESSORS: usize = 16;

/// What belongs to a session besides its connections.
pub(super) struct SessionSeat {
    pub(super) guard: SessionGuard,
    pub(super) report: Report,
    /// What its broker connections begin with.
    pub(super) preamble: ProxyPreamble,
    /// Where it belongs now, for the expiry of its client's certificate.
    pub(super) place: Option<Arc<ArcSwap<EndpointBinding>>>,
}

/// Why a session does not go on over another broker connection.
enum Stays {
    /// A reason that may pass.
    Failed(Fault),
    /// A reason that stays.
    Tied(Fault),
}

/// A broker connection to go on over.
struct NextBroker {
    binding: EndpointBinding,
    upstream: Upstream,
    /// When it was begun.
    began: Instant,
    /// What the client has been promised, and the broker keeps.
    promise: Option<Arc<Promise>>,
}

type NextBrokerFuture = Pin<Box<dyn Future<Output = Result<NextBroker, Stays>> + Send>>;

/// The other broker connection of a session that is to move.
enum Preparation {
    /// None is asked for.
    Nothing,
    /// It is being made.
    Running(NextBrokerFuture),
    /// It is there.
    Ready(Box<NextBroker>),
}

/// The run of a session to its end.
struct SessionRun {
    pump: Box<SessionPump>,
    seat: SessionSeat,
    prepared: Preparation,
}

/// Forwards bytes until the session ends, over other broker connections if it has to.
pub(super) async fn run_to_end(pump: Box<SessionPump>, seat: SessionSeat) -> (Ended, SessionSeat) {
    let mut run = SessionRun {
        pump,
        seat,
        prepared: Preparation::Nothing,
    };
    loop {
        match std::future::poll_fn(|context| run.poll_pump(context)).await {
            PumpStop::Ended(ended) => return (ended, run.seat),
            PumpStop::Prepares => run.prepared = Preparation::Running(run.prepare()),
            PumpStop::Moves => Box::pin(run.move_on()).await,
        }
    }
}

impl SessionRun {
    /// Polls the pump, and beside it what makes another broker connection.
    fn poll_pump(&mut self, context: &mut Context<'_>) -> Poll<PumpStop> {
        loop {
            if let Poll::Ready(stop) = Pin::new(&mut *self.pump).poll(context) {
                return Poll::Ready(stop);
            }
            if self.pump.is_leaving() {
                self.prepared = Preparation::Nothing;
            }
            let Preparation::Running(running) = &mut self.prepared else {
                return Poll::Pending;
            };
            let outcome = ready!(running.as_mut().poll(context));
            self.take_in(outcome);
        }
    }

    fn take_in(&mut self, outcome: Result<NextBroker, Stays>) {
        self.prepared = Preparation::Nothing;
        match outcome {
            Ok(next) => {
                self.prepared = Preparation::Ready(Box::new(next));
                self.pump.is_prepared();
            }
            Err(stays) => self.stay(&stays),
        }
    }

    fn stay(&mut self, stays: &Stays) {
        let (fault, what) = match stays {
            Stays::Failed(fault) => (
                fault,
                "the session could not move to another broker connection yet",
            ),
            Stays::Tied(fault) => (fault, "the session cannot move to another broker connection"),
        };
        self.seat.tell(fault, what);
        self.pump.stay_for_now();
        if let Stays::Tied(_) = stays {
            self.pump.moves_no_more();
        }
    }

    fn prepare(&mut self) -> NextBrokerFuture {
        let before = self.seat.report.binding().clone();
        let promise = self.pump.inspector().promise().cloned();
        let handle = Arc::clone(self.seat.guard.handle());
        let preamble = self.seat.preamble.clone();
        Box::pin(async move { next_broker(&before, promise, &handle, preamble).await })
    }

    /// Exchanges the broker connections: the session stands between two requests.
    async fn move_on(&mut self) {
        self.seat.guard.handle().enter(SessionState::Moving);
        if self.seat.guard.handle().order().is_none() {
            return self.come_back().await;
        }
        let handle = Arc::clone(self.seat.guard.handle());
        let running = match std::mem::replace(&mut self.prepared, Preparation::Nothing) {
            Preparation::Ready(next) => Box::pin(std::future::ready(Ok(*next))) as NextBrokerFuture,
            Preparation::Running(running) => running,
            // The broker has ended its stream before.
            Preparation::Nothing => self.prepare(),
        };
        let next = tokio::select! {
            next = running => next,
            () = drain_patience_ends(&handle, FAREWELL) => Err(overdue()),
        };
        let next = match next {
            Ok(next) if self.is_overtaken(&next) => {
                let why = "the virtual cluster or the client has changed meanwhile";
                Err(Stays::Failed(Fault::new(CloseCause::Drained, why)))
            }
            next => next,
        };
        match next {
            Ok(next) => self.go_on_with(next).await,
            Err(stays) => self.stay(&stays),
        }
    }

    /// Connects again behind a pause in which the broker has ended its stream.
    async fn come_back(&mut self) {
        let handle = Arc::clone(self.seat.guard.handle());
        let cluster = Arc::clone(&self.seat.report.binding().cluster);
        let patience = cluster.process.network().connect_timeout;
        let next = async {
            cluster.pause.ended().await;
            let began = Instant::now();
            loop {
                match self.prepare().await {
                    Err(Stays::Failed(_)) if began.elapsed() < patience => {
                        tokio::time::sleep(COME_BACK_PAUSE).await;
                    }
                    outcome => return outcome,
                }
            }
        };
        let next = tokio::select! {
            next = next => next,
            () = drain_patience_ends(&handle, FAREWELL) => Err(overdue()),
        };
        match next {
            // The target may have changed in the pause.
            Ok(next) if handle.order().is_some() => self.go_on_with(next).await,
            Ok(next) => self.exchange(next),
            Err(stays) => self.stay(&stays),
        }
    }

    /// Whether something has changed since the other connection was begun.
    fn is_overtaken(&mut self, next: &NextBroker) -> bool {
        let promise = self.pump.inspector().promise();
        let same_promise = match (promise, &next.promise) {
            (Some(now), Some(then)) => Arc::ptr_eq(now, then),
            (now, then) => now.is_none() && then.is_none(),
        };
        !same_promise || next.binding.cluster.successor().is_some()
    }

    async fn go_on_with(&mut self, next: NextBroker) {
        let mut is_usable = true;
        if self.pump.inspector().has_sent_unanswered() {
            // So that nothing that follows overtakes what has no answer.
            let read = tokio::time::timeout(FAREWELL, probe::barrier(self.pump.broker())).await;
            is_usable = matches!(read, Ok(Ok(())));
        }
        if self.seat.guard.move_to(&next.binding.tracker) {
            return self.exchange(next);
        }
        if !is_usable {
            // Its answer would be taken for one to the client: the broker ends the connection.
            drop(tokio::time::timeout(FAREWELL, self.pump.broker().shutdown()).await);
        }
        self.pump.stay_for_now();
        self.pump.moves_no_more();
    }

    fn exchange(&mut self, next: NextBroker) {
        let NextBroker {
            binding,
            upstream,
            began,
            promise: _,
        } = next;
        let handle = self.seat.guard.handle();
        handle.note_generation(binding.cluster.generation());
        let login = SessionLogin::of(&upstream, &self.seat.preamble);
        self.seat.report.moved(binding.clone(), &upstream, began);
        broker_moves::drain_if_moved(&binding.cluster, handle, &upstream.address);
        if let Some(place) = &self.seat.place {
            place.store(Arc::new(binding.clone()));
        }
        let directory = Arc::clone(&binding.gateway.directory);
        let limits = self.pump.inspector().change_broker(binding, login);
        let before = self.pump.go_on_over(upstream.stream, directory, limits);
        tokio::spawn(close(before));
    }
}

impl SessionSeat {
    fn tell(&self, fault: &Fault, what: &str) {
        let session = self.guard.handle();
        tracing::debug!(
            target: "kproxy::drain",
            cluster = %self.report.binding().cluster.name,
            session = session.id,
            client = %session.client(),
            cause = fault.cause.name(),
            detail = %fault.detail,
            "{what}"
        );
    }
}

/// Connects to the broker that a session of `before` is to go on with.
async fn next_broker(
    before: &EndpointBinding,
    promise: Option<Arc<Promise>>,
    handle: &SessionHandle,
    mut preamble: ProxyPreamble,
) -> Result<NextBroker, Stays> {
    let process = &before.cluster.process;
    let timeout = process.network().connect_timeout;
    let binding = newest(before)?;
    let target = Arc::clone(&binding.cluster.target);
    let moves = &target.moves;
    let _turn = moves.turn().await;
    if let Some(refusal) = moves.recent_refusal() {
        return Err(Stays::Failed(refusal));
    }
    same_cluster(before, &binding, timeout, &preamble).await?;
    let began = Instant::now();
    let introduction = promise
        .as_ref()
        .map(|promise| Introduction::again(Arc::clone(promise), &handle.activity));
    if let Some(introduction) = &introduction {
        preamble.first_request = introduction.frame().to_vec();
    }
    let (mut upstream, learning) = connect_aside(&binding, preamble).await.map_err(|fault| {
        moves.note_failure(&fault);
        Stays::Failed(fault)
    })?;
    if learning.is_some() {
        let why = "the new target names its brokers only to clients that authenticate";
        return Err(Stays::Tied(Fault::new(CloseCause::TopologyLearned, why)));
    }
    if let Some(introduction) = introduction {
        let chain = binding.cluster.chain();
        let chain = chain.as_ref().map(|installed| &*installed.chain);
        let checked = introduction.check(&mut upstream, &binding, chain, timeout).await;
        checked.map_err(|fault| match fault.cause {
            CloseCause::ApiVersionsNarrowed | CloseCause::MalformedResponse => Stays::Tied(fault),
            _ => Stays::Failed(fault),
        })?;
    }
    Ok(NextBroker {
        binding,
        upstream,
        began,
        promise,
    })
}

/// Connects to the broker of `binding`; on a thread for handshakes if there is one to be made.
async fn connect_aside(
    binding: &EndpointBinding,
    preamble: ProxyPreamble,
) -> Result<(Upstream, Option<Learning>), Fault> {
    let opener = binding.cluster.process.opener();
    let Some(opener) = opener.filter(|_| binding.cluster.target.has_tls()) else {
        return connect(binding, &preamble).await;
    };
    let local = |why: String| Fault::new(CloseCause::Local, why);
    let there = binding.clone();
    let connecting = opener.spawn(async move {
        let (upstream, learning) = Box::pin(connect(&there, &preamble)).await?;
        let detached = upstream.detach().map_err(|error| local(error.to_string()))?;
        Ok((detached, learning))
    });
    let (detached, learning) = connecting.await.map_err(|error| local(error.to_string()))??;
    let upstream = detached.attach().map_err(|error| local(error.to_string()))?;
    Ok((upstream, learning))
}

fn overdue() -> Stays {
    let why = "no other broker connection before the deadline of the drain";
    Stays::Tied(Fault::new(CloseCause::DrainTimeout, why))
}

/// Where a session of `before` goes on.
fn newest(before: &EndpointBinding) -> Result<EndpointBinding, Stays> {
    let mut binding = before.clone();
    for _ in 0..MOST_SUCCESSORS {
        let Some(successor) = binding.cluster.successor() else {
            return Ok(binding);
        };
        binding = successor.binding(&binding).ok_or_else(|| {
            let why = "clients do not reach this endpoint any more";
            Stays::Tied(Fault::new(CloseCause::Drained, why))
        })?;
    }
    Err(Stays::Tied(Fault::new(
        CloseCause::Drained,
        "the target changes too often",
    )))
}

/// Makes sure that the target of `after` is the Kafka cluster that the one of `before` is. The new target is asked for its id if
/// that is not known; the old one, which may be gone, is not.
async fn same_cluster(
    before: &EndpointBinding,
    after: &EndpointBinding,
    timeout: Duration,
    preamble: &ProxyPreamble,
) -> Result<(), Stays> {
    let (old, new) = (&before.cluster.target, &after.cluster.target);
    if Arc::ptr_eq(old, new) {
        return Ok(());
    }
    let tied = |why: String| Stays::Tied(Fault::new(CloseCause::Drained, why));
    let Some(old) = old.topology.cluster_id() else {
        return Err(tied(
            "no answer has told the id of the old target's Kafka cluster".into(),
        ));
    };
    let told = new.cluster_id(timeout, &preamble.own).await;
    let told = told.map_err(|error| {
        let fault = Fault::new(error.cause(), error.to_string());
        if error.is_temporary() {
            Stays::Failed(fault)
        } else {
            Stays::Tied(fault)
        }
    })?;
    match told {
        Some(new) if new == old => Ok(()),
        Some(new) => Err(tied(format!(
            "the new target is another Kafka cluster: {new}, not {old}"
        ))),
        None => Err(tied(
            "the new target does not tell the id of its Kafka cluster".into(),
        )),
    }
}

/// Ends a broker connection in order.
async fn close(mut broker: Stream) {
    // Whether the broker hears of it is the same to the session.
    drop(tokio::time::timeout(FAREWELL, broker.shutdown()).await);
}
