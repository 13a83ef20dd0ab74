//! The inspector of a session, called as the pump calls it, without sockets and without a runtime.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::lane::BenchLane;
use crate::drain::{SessionGuard, SessionHandle};
use crate::filter::testing::PEER;
use crate::filter::{Chain, ClientSession, SessionClock};
use crate::session::Output;
use crate::session::cause::Fault;
use crate::session::context::EndpointBinding;
use crate::session::inspect::{Inspect as _, InspectResult, KafkaInspector, Learning, Wait, session_facts};
use crate::session::nodes::NodeTable;

/// Time after which the wait of a filter is over, whether it is ready or not; as in the pump.
const FILTER_WAIT: Duration = Duration::from_secs(10);

/// Seconds since 1970 at which the clock of a test begins.
const CLOCK_BEGINS: u64 = 1_800_000_000;

/// A session in memory.
#[derive(Debug)]
pub struct SessionDriver {
    /// The inspector.
    pub inspector: KafkaInspector,
    /// The endpoint that the client came in at.
    pub binding: EndpointBinding,
    /// From the client to the broker.
    pub up: BenchLane,
    /// From the broker to the client.
    pub down: BenchLane,
    /// Why the session ended.
    pub fault: Option<Fault>,
    guard: SessionGuard,
    clock: SessionClock,
    began: Instant,
    up_wait: Option<TimedWait>,
    down_wait: Option<TimedWait>,
    out: Output,
}

/// What a direction waits for, and for how long.
#[derive(Debug)]
struct TimedWait {
    wait: Wait,
    until: Instant,
}

impl TimedWait {
    fn is_over(&mut self, clock: &SessionClock, context: &mut Context<'_>) -> bool {
        clock.now() >= self.until || self.wait.0.as_mut().poll(context).is_ready()
    }
}

impl SessionDriver {
    /// A session of an anonymous client at this endpoint, with the filters of its cluster.
    pub fn new(binding: EndpointBinding, learning: Option<Learning>) -> Self {
        Self::prepared(binding, learning, |session| session)
    }

    /// A session at this endpoint. `prepare` has the session before any filter sees it.
    pub fn prepared(
        binding: EndpointBinding,
        learning: Option<Learning>,
        prepare: impl FnOnce(ClientSession) -> ClientSession,
    ) -> Self {
        let clock = SessionClock::standing_at(UNIX_EPOCH + Duration::from_secs(CLOCK_BEGINS));
        let guard = binding.tracker.register(1, PEER, 1, binding.node.id());
        let handle = Arc::clone(guard.handle());
        let session = ClientSession::new(Arc::clone(&handle), session_facts(&binding));
        let session = Box::new(prepare(session.with_clock(clock.clone())));
        Self {
            inspector: KafkaInspector::with_filtered(handle, binding.clone(), learning, Some(session)),
            binding,
            up: BenchLane::default(),
            down: BenchLane::default(),
            fault: None,
            guard,
            began: clock.now(),
            clock,
            up_wait: None,
            down_wait: None,
            out: Output::default(),
        }
    }

    /// The shared side of the session.
    pub fn handle(&self) -> &SessionHandle {
        self.guard.handle()
    }

    /// The clock, which stands still until it is moved.
    pub fn clock(&self) -> &SessionClock {
        &self.clock
    }

    /// Whether the session has ended, or would be ended now.
    pub fn is_over(&self) -> bool {
        self.fault.is_some() || self.inspector.wants_to_leave().is_some()
    }

    /// Replaces the filters, as a reload does.
    pub fn reload(&mut self, chain: Option<Arc<Chain>>) {
        self.binding.cluster.set_chain(chain);
        self.inspector.refresh();
        self.settle();
    }

    /// Has bytes of the client arrive in one read.
    pub fn client(&mut self, bytes: &[u8]) {
        self.up.arrive(bytes);
        self.settle();
    }

    /// Has bytes of the broker arrive in one read.
    pub fn broker(&mut self, bytes: &[u8]) {
        self.down.arrive(bytes);
        self.settle();
    }

    /// Has what is held looked at although less has arrived than was wanted: how much that is depends on the pieces.
    pub fn look_once_more(&mut self) {
        self.up.look_once_more();
        self.down.look_once_more();
        self.settle();
    }

    /// Does what can be done without more bytes, as the pump between two reads.
    pub fn settle(&mut self) {
        self.settle_with(&mut Context::from_waker(Waker::noop()));
    }

    /// Waits until no filter waits any more, and does what follows. Filters that wait for something outside of the test need
    /// this, and a runtime.
    pub async fn ready(&mut self) {
        std::future::poll_fn(|context| {
            self.settle_with(context);
            match self.waits() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Whether a filter waits.
    pub fn waits(&self) -> bool {
        self.fault.is_none() && (self.up_wait.is_some() || self.down_wait.is_some())
    }

    fn settle_with(&mut self, context: &mut Context<'_>) {
        while self.fault.is_none() {
            let answered = self.write_own_answers();
            let moved = self.move_requests(context) | self.move_answers(context);
            if !answered && !moved {
                return;
            }
        }
    }

    /// Puts out the answers of kproxy's own that are due. Returns whether there were any.
    pub fn write_own_answers(&mut self) -> bool {
        if !self.inspector.owes_answer() {
            return false;
        }
        self.out.clear();
        self.inspector.write_own_answers(&mut self.out);
        assert!(!self.out.is_empty(), "an answer was owed");
        self.down.add(&self.out);
        true
    }

    /// Presents the requests that wait, if that is due. Returns whether it was.
    fn move_requests(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(wait) = &mut self.up_wait {
            if !wait.is_over(&self.clock, context) {
                return false;
            }
            self.up_wait = None;
        }
        if !self.up.is_due() || !self.inspector.accepts_requests() {
            return false;
        }
        if let Ok(InspectResult::Pause { .. }) = self.present_requests() {
            self.up_wait = self.take_wait();
            assert!(
                self.up_wait.is_some() || !self.inspector.accepts_requests(),
                "paused for nothing"
            );
        }
        true
    }

    /// Presents the answers that wait, if that is due. Returns whether it was.
    fn move_answers(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(wait) = &mut self.down_wait {
            if !wait.is_over(&self.clock, context) {
                return false;
            }
            self.down_wait = None;
        }
        if self.fault.is_some() || !self.down.is_due() {
            return false;
        }
        match self.present_answers() {
            Ok(InspectResult::NeedEndpoints { nodes, .. }) => {
                self.refuse_endpoints(&nodes);
                self.down.paused = true;
            }
            Ok(InspectResult::Pause { .. }) => {
                self.down_wait = self.take_wait();
                assert!(self.down_wait.is_some(), "paused for nothing");
            }
            _ => {}
        }
        true
    }

    /// Presents what waits of the requests. What they wait for is left with the inspector.
    ///
    /// # Errors
    /// The end of the session, which [`Self::fault`] has, too.
    pub fn present_requests(&mut self) -> Result<InspectResult, Fault> {
        let now_us = self.now_us();
        self.out.clear();
        let result = self.inspector.requests(self.up.waiting(), now_us, &mut self.out);
        match &result {
            Ok(result) => self.up.decided(result, &self.out),
            Err(fault) => {
                self.up.add_before_fault(&self.out);
                self.end(fault);
            }
        }
        result
    }

    /// Presents what waits of the answers, as [`Self::present_requests`].
    ///
    /// # Errors
    /// The end of the session, which [`Self::fault`] has, too.
    pub fn present_answers(&mut self) -> Result<InspectResult, Fault> {
        let now_us = self.now_us();
        self.out.clear();
        let result = self
            .inspector
            .responses(self.down.waiting(), now_us, &mut self.out);
        match &result {
            Ok(result) => self.down.decided(result, &self.out),
            Err(fault) => {
                self.down.add_before_fault(&self.out);
                self.end(fault);
            }
        }
        result
    }

    fn now_us(&self) -> u64 {
        let since = self.clock.now() - self.began;
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    fn take_wait(&mut self) -> Option<TimedWait> {
        let wait = self.inspector.take_wait()?;
        Some(TimedWait {
            wait,
            until: self.clock.now() + FILTER_WAIT,
        })
    }

    fn end(&mut self, fault: &Fault) {
        self.fault = Some(Fault::new(fault.cause, fault.detail.clone()));
        self.up.end();
        self.down.end();
    }

    /// Answers a request for endpoints as an owner of the listeners without a free port would. Every node is new, so there is
    /// an end to asking.
    fn refuse_endpoints(&self, nodes: &[i32]) {
        let directory = &self.binding.gateway.directory;
        assert!(!nodes.is_empty(), "endpoints for no node");
        let mut table = NodeTable::clone(&directory.table());
        for &node in nodes {
            assert!(table.is_new(node), "node {node} was asked for before");
            table.refuse(node);
        }
        directory.store(table);
    }
}
