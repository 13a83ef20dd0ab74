//! The table of live sessions of one endpoint.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use super::order::OrderSlot;
use super::state::StateCell;
use super::tie::TieCell;
use super::{Activity, BrokerTie, ClientInfo, DrainOrder, SessionState};

/// Live sessions of one endpoint or gateway, and the drain that has begun on them, if any.
///
/// The table is locked when a connection comes or goes and when a drain begins, never per frame.
#[derive(Debug, Default)]
pub struct ConnectionTracker {
    gateway: Arc<str>,
    forced: AtomicU64,
    moved: AtomicU64,
    state: Mutex<TrackerState>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct TrackerState {
    sessions: HashMap<u64, Arc<SessionHandle>>,
    /// The order for sessions that register after a drain has begun.
    late_order: Option<DrainOrder>,
}

/// The shared side of one session: facts for other threads to read, and the way to give it an order.
#[derive(Debug)]
pub struct SessionHandle {
    /// Number of the session, unique within the process.
    pub id: u64,
    /// Address of the socket's peer: the client, or a load balancer in front of it.
    pub peer: SocketAddr,
    /// Node id of the endpoint the client connected to; `None` for bootstrap.
    pub node: Option<i32>,
    /// Time of the accept.
    pub since: Instant,
    /// Generation that had last changed the session's cluster when the session began, or moved.
    generation: AtomicU64,
    /// Counters and names of the session.
    pub activity: Activity,
    /// Facts about its client.
    pub facts: ClientInfo,
    state: StateCell,
    ties: TieCell,
    /// The tracker that the session was put into, see [`ConnectionTracker::part`].
    parted: Mutex<Option<Arc<ConnectionTracker>>>,
    order: OrderSlot,
    /// Whether the settings have changed since the session last looked.
    stale: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl SessionHandle {
    /// Changes the state; for the session's own task only. An illegal transition is a programming error and is
    /// ignored in release builds.
    pub fn enter(&self, next: SessionState) {
        let moved = self.state.enter(next);
        debug_assert!(moved, "{:?} does not become {next:?}", self.state.get());
    }

    /// The current state. An open session with an order counts as draining, even before it has read the order; not if it may
    /// move instead.
    pub fn state(&self) -> SessionState {
        match self.state.get() {
            SessionState::Open if self.order().is_some_and(|order| !order.may_move) => SessionState::Draining,
            state => state,
        }
    }

    /// Generation that had last changed the session's cluster when the session began, or moved to another broker connection.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Notes the generation to which the session has moved.
    pub fn note_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Ties the session to its broker connection.
    pub fn tie(&self, tie: BrokerTie) {
        self.ties.add(tie);
    }

    /// What ties the session to its broker connection; `None` if it could go on over another one.
    pub fn tied_by(&self) -> Option<BrokerTie> {
        self.ties.first()
    }

    /// Address of the client: from the PROXY header where there is one, else of the socket's peer.
    pub fn client(&self) -> SocketAddr {
        let proxied = self.facts.proxied().and_then(|proxied| proxied.client);
        proxied.unwrap_or(self.peer)
    }

    /// Counts that the session was closed at the hard deadline of a drain, in `tracker` or in the one it was parted
    /// to.
    pub fn count_forced(&self, tracker: &ConnectionTracker) {
        let parted = self.lock_parted().clone();
        parted.as_deref().unwrap_or(tracker).count_forced();
    }

    fn lock_parted(&self) -> MutexGuard<'_, Option<Arc<ConnectionTracker>>> {
        self.parted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order to leave, if there is one. Cheap enough to be called on every poll.
    pub fn order(&self) -> Option<DrainOrder> {
        self.order.get()
    }

    /// Stores the waker of the task to wake when an order comes. Once per task is enough: a task's waker does not
    /// change.
    pub fn wake_with(&self, waker: &Waker) {
        *self.lock_waker() = Some(waker.clone());
    }

    /// Resolves when an order comes.
    pub fn poll_ordered(&self, context: &mut Context<'_>) -> Poll<DrainOrder> {
        self.wake_with(context.waker());
        self.order().map_or(Poll::Pending, Poll::Ready)
    }

    /// Gives the session an order to leave. A second order joins the first: each deadline is the earlier one of the
    /// two.
    pub fn give_order(&self, order: DrainOrder) {
        if self.order.tighten(order) {
            self.wake();
        }
    }

    /// Marks the session's settings as changed and wakes it.
    pub fn refresh(&self) {
        self.stale.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether the settings have changed since the last call. Cheap enough to be called on every poll.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed) && self.stale.swap(false, Ordering::Acquire)
    }

    fn wake(&self) {
        if let Some(waker) = self.lock_waker().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn lock_waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionTracker {
    /// A tracker for one endpoint, or for all endpoints of a gateway.
    pub fn new(gateway: Arc<str>) -> Self {
        Self {
            gateway,
            ..Self::default()
        }
    }

    /// Name of the gateway.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// Adds a session to the table. If a drain has begun, the handle of the returned guard already has the order.
    ///
    /// `peer` is the address of the socket's peer; `node` is `None` on a bootstrap endpoint.
    pub fn register(
        self: &Arc<Self>,
        id: u64,
        peer: SocketAddr,
        generation: u64,
        node: Option<i32>,
    ) -> SessionGuard {
        let handle = Arc::new(SessionHandle {
            id,
            peer,
            node,
            since: Instant::now(),
            generation: AtomicU64::new(generation),
            activity: Activity::default(),
            facts: ClientInfo::default(),
            state: StateCell::default(),
            ties: TieCell::default(),
            parted: Mutex::new(None),
            order: OrderSlot::default(),
            stale: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        let mut state = self.lock();
        if let Some(order) = state.late_order {
            handle.give_order(order);
        }
        state.sessions.insert(id, Arc::clone(&handle));
        SessionGuard {
            tracker: Arc::clone(self),
            handle,
        }
    }

    /// Number of live sessions.
    pub fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Whether no session is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts a drain: sessions that register from now on get `order`. Returns the sessions alive at that moment, in
    /// no particular order; the caller paces them.
    ///
    /// A drain that has already begun is joined: each deadline is the earlier one of the two.
    pub fn begin_drain(&self, order: DrainOrder) -> Vec<Arc<SessionHandle>> {
        let mut state = self.lock();
        let joined = state.late_order.map_or(order, |first| first.joined(order));
        state.late_order = Some(joined);
        state.sessions.values().cloned().collect()
    }

    /// The live sessions, in no particular order.
    pub fn sessions(&self) -> Vec<Arc<SessionHandle>> {
        self.lock().sessions.values().cloned().collect()
    }

    /// Moves the sessions selected by `chosen` to a new tracker, so that they can be drained without the others.
    pub fn part(self: &Arc<Self>, chosen: impl Fn(&SessionHandle) -> bool) -> Arc<Self> {
        let parted = Arc::new(Self::new(Arc::clone(&self.gateway)));
        let mut state = self.lock();
        let leaving: Vec<u64> = state
            .sessions
            .values()
            .filter(|session| chosen(session))
            .map(|session| session.id)
            .collect();
        for id in leaving {
            // A guard that is dropped takes this lock first: it finds its session here, or knows where it was moved.
            if let Some(session) = state.sessions.remove(&id) {
                *session.lock_parted() = Some(Arc::clone(&parted));
                parted.lock().sessions.insert(id, session);
            }
        }
        drop(state);
        if self.is_empty() {
            self.emptied.notify_waiters();
        }
        parted
    }

    /// Counts a session that was closed at the hard deadline with unanswered requests.
    pub fn count_forced(&self) {
        self.forced.fetch_add(1, Ordering::Relaxed);
    }

    /// Number of sessions that were closed at the hard deadline.
    pub fn forced(&self) -> u64 {
        self.forced.load(Ordering::Relaxed)
    }

    /// Number of sessions that were drained from it and went on in another tracker.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    fn count_moved(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a session that was in another tracker.
    fn adopt(&self, handle: &Arc<SessionHandle>) {
        let mut state = self.lock();
        if let Some(order) = state.late_order {
            handle.give_order(order);
        }
        state.sessions.insert(handle.id, Arc::clone(handle));
    }

    /// Requests in flight of all its sessions.
    pub fn in_flight(&self) -> u64 {
        let state = self.lock();
        let sessions = state.sessions.values();
        sessions
            .map(|session| session.activity.progress().in_flight)
            .sum()
    }

    /// Waits until no session is left.
    pub async fn emptied(&self) {
        loop {
            let notified = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            notified.await;
        }
    }

    fn forget(&self, session: u64) {
        let mut state = self.lock();
        state.sessions.remove(&session);
        if state.sessions.is_empty() {
            // A waiter registers its `Notified` before it looks, so this cannot be missed.
            self.emptied.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, TrackerState> {
        // A panic while the map was locked cannot leave it half-changed: every change is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Membership of one session; dropping it removes the session from the table.
#[derive(Debug)]
pub struct SessionGuard {
    tracker: Arc<ConnectionTracker>,
    handle: Arc<SessionHandle>,
}

impl SessionGuard {
    /// The shared side of the session.
    pub fn handle(&self) -> &Arc<SessionHandle> {
        &self.handle
    }

    /// Has the session belong to `tracker` instead of the one that it is drained from, and takes the order to leave back. If
    /// a drain has begun in `tracker`, it has the order of that one afterwards. Returns false, and changes nothing, if the
    /// session has to leave.
    pub fn move_to(&mut self, tracker: &Arc<ConnectionTracker>) -> bool {
        if !self.handle.order.take_if_movable() {
            return false;
        }
        let before = std::mem::replace(&mut self.tracker, Arc::clone(tracker));
        before.count_moved();
        // In this order, so that nobody parts it from a tracker that it is not in any more.
        before.forget(self.handle.id);
        if let Some(parted) = self.handle.lock_parted().take() {
            parted.forget(self.handle.id);
        }
        tracker.adopt(&self.handle);
        true
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.tracker.forget(self.handle.id);
        if let Some(tracker) = self.handle.lock_parted().take() {
            tracker.forget(self.handle.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn order(soft: u64) -> DrainOrder {
        let now = Instant::now();
        DrainOrder {
            soft: now + Duration::from_secs(soft),
            hard: now + Duration::from_secs(60),
            process_ends: false,
            may_move: false,
        }
    }

    fn client() -> SocketAddr {
        "127.0.0.1:1".parse().unwrap()
    }

    #[test]
    fn a_session_that_registers_after_the_drain_began_has_the_order() {
        let tracker = Arc::new(ConnectionTracker::default());
        let early = tracker.register(1, client(), 1, None);
        let order = order(1);
        let found = tracker.begin_drain(order);
        assert_eq!(found.len(), 1);
        assert_eq!(early.handle().order(), None, "whoever drains hands the order out");
        assert_eq!(
            tracker.register(2, client(), 1, None).handle().order(),
            Some(order)
        );
    }

    /// What is kept of each session for others to see: with the counts of an `Arc` a block of 256. Grows only on
    /// purpose.
    #[test]
    fn a_handle_stays_small() {
        assert!(
            size_of::<SessionHandle>() <= 248,
            "{}",
            size_of::<SessionHandle>()
        );
    }

    #[test]
    fn an_open_session_drains_from_its_order_on() {
        let tracker = Arc::new(ConnectionTracker::default());
        let guard = tracker.register(1, client(), 1, None);
        let session = guard.handle();
        assert_eq!(session.state(), SessionState::Accepted);
        session.give_order(order(1));
        for (next, seen) in [
            (
                SessionState::AwaitingFirstRequest,
                SessionState::AwaitingFirstRequest,
            ),
            (SessionState::Connecting, SessionState::Connecting),
            (SessionState::Open, SessionState::Draining),
            (SessionState::Draining, SessionState::Draining),
            (SessionState::Leaving, SessionState::Leaving),
        ] {
            session.enter(next);
            assert_eq!(session.state(), seen);
        }
    }

    #[test]
    fn a_session_learns_once_that_its_settings_have_changed() {
        let tracker = Arc::new(ConnectionTracker::default());
        let session = tracker.register(1, client(), 1, None);
        assert!(!session.handle().is_stale());
        tracker.sessions().iter().for_each(|session| session.refresh());
        assert!(session.handle().is_stale());
        assert!(!session.handle().is_stale());
    }

    #[tokio::test]
    async fn a_session_that_moves_has_no_order_and_empties_the_drain() {
        let (old, new) = (
            Arc::new(ConnectionTracker::default()),
            Arc::new(ConnectionTracker::default()),
        );
        let mut guard = old.register(1, client(), 1, None);
        assert!(!guard.move_to(&new), "it is not asked to leave");
        let may_move = DrainOrder {
            may_move: true,
            ..order(1)
        };
        for session in old.begin_drain(may_move) {
            session.give_order(may_move);
        }
        assert!(guard.move_to(&new));
        assert_eq!((guard.handle().order(), old.moved()), (None, 1));
        old.emptied().await;
        assert_eq!(new.len(), 1);
        let later = order(2);
        new.begin_drain(later);
        let mut late = old.register(2, client(), 1, None);
        assert!(late.move_to(&new), "it has the order of the old tracker");
        assert_eq!(late.handle().order(), Some(later));
        assert!(!late.move_to(&old));
        drop((guard, late));
        new.emptied().await;
    }

    #[tokio::test]
    async fn sessions_that_are_parted_are_drained_alone() {
        let tracker = Arc::new(ConnectionTracker::default());
        let (stays, leaves) = (
            tracker.register(1, client(), 1, None),
            tracker.register(2, client(), 1, None),
        );
        let parted = tracker.part(|session| session.id == 2);
        assert_eq!((tracker.len(), parted.len()), (1, 1));
        let order = order(1);
        parted
            .begin_drain(order)
            .iter()
            .for_each(|session| session.give_order(order));
        assert_eq!(leaves.handle().order(), Some(order));
        assert_eq!(stays.handle().order(), None);
        leaves.handle().count_forced(&tracker);
        assert_eq!((tracker.forced(), parted.forced()), (0, 1));
        drop(leaves);
        parted.emptied().await;
        assert_eq!(tracker.len(), 1);
    }

    #[tokio::test]
    async fn emptied_resolves_when_the_last_guard_drops() {
        let tracker = Arc::new(ConnectionTracker::default());
        let (one, two) = (
            tracker.register(1, client(), 1, None),
            tracker.register(2, client(), 1, None),
        );
        let waiter = tokio::spawn({
            let tracker = Arc::clone(&tracker);
            async move { tracker.emptied().await }
        });
        drop(one);
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(two);
        waiter.await.unwrap();
    }
}
