//! The timer of a session.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Time within which the runtime learns of bytes that the kernel already has. After the process or the machine was
/// stopped for a while, timers fire before the runtime has polled its sockets.
pub(super) const EPOLL_LAG_GRACE: Duration = Duration::from_millis(100);

/// The one timer of a session, set only while it waits for something. An earlier deadline moves it; with a later
/// deadline it fires once too early, which is cheaper than moving it on every read.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Stops the timer. A running timer that is not needed costs its worker a clock read each time it goes to sleep.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.sleep.is_some() {
            self.sleep = None;
        }
    }

    /// Whether the timer is set and has not fired.
    #[inline]
    pub(super) fn is_running(&self) -> bool {
        self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed())
    }

    /// Whether the timer was set and has fired.
    #[inline]
    pub(super) fn has_fired(&self) -> bool {
        self.sleep.as_ref().is_some_and(|sleep| sleep.is_elapsed())
    }

    /// Ready at `deadline`, or earlier if an earlier deadline was set before.
    pub(super) fn poll_at(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let deadline = tokio::time::Instant::from_std(deadline);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline || sleep.is_elapsed() {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(context)
    }
}
