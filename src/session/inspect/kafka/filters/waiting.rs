//! Waits of filters: for a future of theirs, or for the broker's answer to a question. The pump ends each within its limit, and
//! the chain learns here how it ended.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::filter::{FilterFailure, poll_wait};
use crate::session::inspect::Wait;

// States of a wait; 0 before it is waited for.
const WAITED_FOR: u8 = 1;
const READY: u8 = 2;
const LATE: u8 = 3;
const PANICKED: u8 = 4;

/// How a wait went, shared between the pump, which waits, and the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct WaitOutcome(Arc<AtomicU8>);

/// What a filter waits for. Dropped before it is ready, it is late: the time of the wait is over.
struct WatchedWait {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    outcome: WaitOutcome,
}

/// A question to the broker that has no answer yet.
#[derive(Debug)]
pub(super) struct OpenQuestion {
    outcome: WaitOutcome,
    answered: oneshot::Sender<()>,
}

impl WaitOutcome {
    /// A wait for `future`, whose end this outcome will tell.
    pub(super) fn watch(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Wait {
        let outcome = self.clone();
        Wait(Box::pin(WatchedWait { future, outcome }))
    }

    /// Whether it has ended without success.
    pub(super) fn failure(&self) -> Option<FilterFailure> {
        match self.get() {
            LATE => Some(FilterFailure::new("what it waits for has not come within 10 s")),
            PANICKED => Some(FilterFailure::panic()),
            _ => None,
        }
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, how: u8) {
        self.0.store(how, Ordering::Release);
    }
}

impl Future for WatchedWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (how, polled) = match poll_wait(self.future.as_mut(), context) {
            Poll::Pending => (WAITED_FOR, Poll::Pending),
            Poll::Ready(Ok(())) => (READY, Poll::Ready(())),
            Poll::Ready(Err(_)) => (PANICKED, Poll::Ready(())),
        };
        self.outcome.set(how);
        polled
    }
}

impl Drop for WatchedWait {
    fn drop(&mut self) {
        if self.outcome.get() == WAITED_FOR {
            self.outcome.set(LATE);
        }
    }
}

impl OpenQuestion {
    /// A question, the wait for its answer, and how that will have gone.
    pub(super) fn new() -> (Self, Wait, WaitOutcome) {
        let (answered, answer) = oneshot::channel();
        let outcome = WaitOutcome::default();
        let wait = outcome.watch(Box::pin(async move {
            // A sender that is gone is a session that ends.
            answer.await.ok();
        }));
        let question = Self {
            outcome: outcome.clone(),
            answered,
        };
        (question, wait, outcome)
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_late(&self) -> bool {
        self.outcome.get() == LATE
    }

    /// Ends the wait: the answer is there.
    pub(super) fn answered(self) {
        self.answered.send(()).ok();
    }
}
