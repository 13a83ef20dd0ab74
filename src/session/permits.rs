//! Connection limits of a cluster or of the process.
//!
//! A semaphore whose size can change while permits are out. It counts what is in use, not what is left: with a
//! smaller limit, new connections wait until enough have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::clients::ClientPermit;
use super::limits::LimitCounter;

/// A connection limit that may change.
#[derive(Debug)]
pub struct ConnectionLimit {
    limit: AtomicUsize,
    used: AtomicUsize,
    changed: Notify,
    mark: LimitCounter,
}

/// Permit of one connection; dropping it gives the permit back.
#[derive(Debug)]
pub struct ConnectionPermit(Arc<ConnectionLimit>);

/// The permits that one connection holds while it lives.
#[derive(Debug, Default)]
pub struct ConnectionPermits {
    /// Permit of the process; `None` while the connection waits for a permit of its cluster.
    pub process: Option<ConnectionPermit>,
    /// Permit of the cluster; `None` until the cluster is known.
    pub cluster: Option<ConnectionPermit>,
    /// Permit of the client address in the process; `None` until the address is known.
    pub client: Option<ClientPermit>,
    /// Permit of the client address in the cluster; `None` until both are known.
    pub client_in_cluster: Option<ClientPermit>,
}

impl ConnectionPermit {
    /// The limit that the permit belongs to.
    pub fn limit(&self) -> &Arc<ConnectionLimit> {
        &self.0
    }
}

impl Default for ConnectionLimit {
    fn default() -> Self {
        Self::new(None)
    }
}

impl ConnectionLimit {
    /// A limit; `None` means unlimited.
    pub fn new(limit: Option<usize>) -> Self {
        Self {
            limit: AtomicUsize::new(limit.unwrap_or(usize::MAX)),
            used: AtomicUsize::new(0),
            changed: Notify::new(),
            mark: LimitCounter::new(),
        }
    }

    /// Sets the limit. Existing connections stay, even if they are more.
    pub fn set(&self, limit: Option<usize>) {
        let limit = limit.unwrap_or(usize::MAX);
        if self.limit.swap(limit, Ordering::SeqCst) != limit {
            self.changed.notify_waiters();
        }
    }

    /// Number of permits in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The current limit; `None` means unlimited.
    pub fn allowed(&self) -> Option<usize> {
        Some(self.limit.load(Ordering::Relaxed)).filter(|&limit| limit != usize::MAX)
    }

    /// Counter of waits for this limit.
    pub fn mark(&self) -> &LimitCounter {
        &self.mark
    }

    /// Waits for a permit.
    pub async fn acquire(self: &Arc<Self>) -> ConnectionPermit {
        if let Some(permit) = self.try_acquire() {
            return permit;
        }
        let _waiting = self.mark.wait();
        loop {
            let notified = self.changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            // A permit may have been returned before this task began to listen.
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            notified.await;
        }
    }

    /// Takes a permit if one is free.
    pub fn try_acquire(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let limit = self.limit.load(Ordering::SeqCst);
        let one_more = |used| (used < limit).then_some(used + 1);
        self.used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
            .ok()
            .map(|_| ConnectionPermit(Arc::clone(self)))
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_wider_limit_lets_those_in_who_wait_and_a_narrower_one_waits_for_those_who_are_in() {
        let limit = Arc::new(ConnectionLimit::new(Some(1)));
        let first = limit.try_acquire().unwrap();
        let mut second = Box::pin(limit.acquire());
        assert!(poll(second.as_mut()).is_pending());
        limit.set(Some(2));
        let Poll::Ready(second) = poll(second.as_mut()) else {
            panic!("there is room");
        };
        limit.set(Some(1));
        drop(first);
        assert!(limit.try_acquire().is_none(), "one of two has gone, one may stay");
        drop(second);
        assert!(limit.try_acquire().is_some());
        limit.set(None);
        assert_eq!(limit.used(), 0);
    }

    #[test]
    fn a_place_given_back_to_a_waiter_that_has_gone_is_not_lost() {
        let limit = Arc::new(ConnectionLimit::new(Some(1)));
        let permit = limit.try_acquire().unwrap();
        let (mut gone, mut stays) = (Box::pin(limit.acquire()), Box::pin(limit.acquire()));
        assert!(poll(gone.as_mut()).is_pending() && poll(stays.as_mut()).is_pending());
        drop(permit);
        drop(gone);
        assert!(poll(stays.as_mut()).is_ready());
    }
}
