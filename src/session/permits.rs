//! How many connections there may be, of a cluster or of the process.
//!
//! A semaphore whose size can change while permits are out: what is in use is counted, not what is left, so a smaller
//! limit simply lets nobody in until enough have gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::clients::ClientPermit;
use super::limits::LimitCounter;

/// A limit that may change.
#[derive(Debug)]
pub struct ConnectionLimit {
    limit: AtomicUsize,
    used: AtomicUsize,
    changed: Notify,
    mark: LimitCounter,
}

/// One connection's place; dropping it gives the place back.
#[derive(Debug)]
pub struct ConnectionPermit(Arc<ConnectionLimit>);

/// The places that one connection holds while it lives.
#[derive(Debug, Default)]
pub struct ConnectionPermits {
    /// Among all of the process; `None` where there was none left to wait for.
    pub process: Option<ConnectionPermit>,
    /// Among those of its cluster; `None` as long as that is not known.
    pub cluster: Option<ConnectionPermit>,
    /// Among those of its client; `None` as long as that is not known.
    pub client: Option<ClientPermit>,
    pub client_in_cluster: Option<ClientPermit>,
}

impl ConnectionPermit {
    /// Of what it is a part.
    pub fn limit(&self) -> &Arc<ConnectionLimit> {
        &self.0
    }
}

impl ConnectionLimit {
    /// `None`: no limit.
    pub fn new(limit: Option<usize>) -> Self {
        Self {
            limit: AtomicUsize::new(limit.unwrap_or(usize::MAX)),
            used: AtomicUsize::new(0),
            changed: Notify::new(),
            mark: LimitCounter::new(),
        }
    }

    /// From now on. Connections that are there stay, even where they are more.
    pub fn set(&self, limit: Option<usize>) {
        let limit = limit.unwrap_or(usize::MAX);
        if self.limit.swap(limit, Ordering::SeqCst) != limit {
            self.changed.notify_waiters();
        }
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// `None`: no limit.
    pub fn allowed(&self) -> Option<usize> {
        Some(self.limit.load(Ordering::Relaxed)).filter(|&limit| limit != usize::MAX)
    }

    /// Where it is counted that somebody found no room.
    pub fn mark(&self) -> &LimitCounter {
        &self.mark
    }

    /// Waits until there is room for one more.
    pub async fn acquire(self: &Arc<Self>) -> ConnectionPermit {
        if let Some(permit) = self.try_acquire() {
            return permit;
        }
        let _waiting = self.mark.wait();
        loop {
            let notified = self.changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            // Room may have been made between the look and the listening.
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            notified.await;
        }
    }

    /// If there is room for one more.
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
