//! The table of live sessions of one cluster generation.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use super::{Activity, DrainOrder};

/// Live sessions, and the drain that concerns them if one has begun.
///
/// Locked when a connection comes or goes and when a drain begins; never per frame.
#[derive(Debug, Default)]
pub struct ConnectionTracker {
    state: Mutex<State>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<u64, Arc<SessionHandle>>,
    /// Given to sessions that register after a drain has begun.
    late_order: Option<DrainOrder>,
}

/// What the rest of the process knows of one session, and the one way to tell it something.
#[derive(Debug)]
pub struct SessionHandle {
    pub id: u64,
    pub client: SocketAddr,
    pub since: Instant,
    pub activity: Activity,
    order: OnceLock<DrainOrder>,
    waker: Mutex<Option<Waker>>,
}

impl SessionHandle {
    /// The order to leave, once there is one. Cheap enough to ask on every poll.
    pub fn order(&self) -> Option<DrainOrder> {
        self.order.get().copied()
    }

    /// Names the task to wake when an order comes. Once per task is enough: a task's waker does not change.
    pub fn wake_with(&self, waker: &Waker) {
        *self.lock_waker() = Some(waker.clone());
    }

    /// Resolves when an order comes.
    pub fn poll_ordered(&self, context: &mut Context<'_>) -> Poll<DrainOrder> {
        self.wake_with(context.waker());
        self.order().map_or(Poll::Pending, Poll::Ready)
    }

    /// Tells the session to leave. A second order changes nothing.
    pub fn give(&self, order: DrainOrder) {
        if self.order.set(order).is_ok()
            && let Some(waker) = self.lock_waker().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    fn lock_waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionTracker {
    /// Enters the table. The guard's handle already carries the order if a drain has begun.
    pub fn register(self: &Arc<Self>, id: u64, client: SocketAddr) -> SessionGuard {
        let handle = Arc::new(SessionHandle {
            id,
            client,
            since: Instant::now(),
            activity: Activity::default(),
            order: OnceLock::new(),
            waker: Mutex::new(None),
        });
        let mut state = self.lock();
        if let Some(order) = state.late_order {
            handle.give(order);
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

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts a drain: sessions that register from now on get `order`. Returns the sessions alive at that
    /// moment, in no order; whoever drains paces them.
    pub fn begin_drain(&self, order: DrainOrder) -> Vec<Arc<SessionHandle>> {
        let mut state = self.lock();
        state.late_order.get_or_insert(order);
        state.sessions.values().cloned().collect()
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

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the map was locked cannot leave it half-changed: every change is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's membership; dropping it is leaving.
#[derive(Debug)]
pub struct SessionGuard {
    tracker: Arc<ConnectionTracker>,
    handle: Arc<SessionHandle>,
}

impl SessionGuard {
    pub fn handle(&self) -> &Arc<SessionHandle> {
        &self.handle
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let mut state = self.tracker.lock();
        state.sessions.remove(&self.handle.id);
        if state.sessions.is_empty() {
            // A waiter registers its `Notified` before it looks, so this cannot be missed.
            self.tracker.emptied.notify_waiters();
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
        }
    }

    fn client() -> SocketAddr {
        "127.0.0.1:1".parse().unwrap()
    }

    #[test]
    fn a_session_that_registers_after_the_drain_began_has_the_order() {
        let tracker = Arc::new(ConnectionTracker::default());
        let early = tracker.register(1, client());
        let order = order(1);
        let found = tracker.begin_drain(order);
        assert_eq!(found.len(), 1);
        assert_eq!(early.handle().order(), None, "whoever drains hands the order out");
        assert_eq!(tracker.register(2, client()).handle().order(), Some(order));
    }

    #[test]
    fn the_first_order_counts() {
        let tracker = Arc::new(ConnectionTracker::default());
        let session = tracker.register(1, client());
        let first = order(1);
        session.handle().give(first);
        session.handle().give(order(2));
        assert_eq!(session.handle().order(), Some(first));
    }

    #[tokio::test]
    async fn emptied_resolves_when_the_last_guard_drops() {
        let tracker = Arc::new(ConnectionTracker::default());
        let (one, two) = (tracker.register(1, client()), tracker.register(2, client()));
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
