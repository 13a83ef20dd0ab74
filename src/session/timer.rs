//! The one timer of a session.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// How long bytes that the kernel has may take to become known to the runtime. Where the process was stopped for a
/// while, or its machine was, timers fire before anybody has looked.
pub(super) const EPOLL_LAG_GRACE: Duration = Duration::from_millis(100);

/// One timer per session, set only when something is waited for. An earlier deadline than the one it is set to
/// moves it; a later one lets it fire once for nothing, which is cheaper than moving it at every read.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// A timer that is not needed costs its worker a look at the clock whenever it goes to sleep.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.sleep.is_some() {
            self.sleep = None;
        }
    }

    /// Whether it is set and has not fired.
    #[inline]
    pub(super) fn is_running(&self) -> bool {
        self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed())
    }

    /// Whether it was set and has fired.
    #[inline]
    pub(super) fn has_fired(&self) -> bool {
        self.sleep.as_ref().is_some_and(|sleep| sleep.is_elapsed())
    }

    /// Ready at `deadline` or, for an earlier deadline set before, at that.
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
