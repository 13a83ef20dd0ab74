//! Between the watcher's owner and its thread: the latest orders one way, the latest hint the other. Nobody waits
//! for anybody, and nothing piles up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::EventfdFlags;
use tokio::sync::{Notify, oneshot};

use super::{Hint, WatchSettings};

#[derive(Debug)]
pub(super) struct Mailbox {
    orders: Mutex<Orders>,
    /// Wakes the thread. `None` if there was no descriptor left: then the thread looks for orders by itself.
    wake: Option<OwnedFd>,
    hint: Mutex<Option<Hint>>,
    hinted: Notify,
}

/// What the thread is to do.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) settings: Option<WatchSettings>,
    /// Files, and directories in which new files count; both sorted.
    pub(super) follow: Option<(Vec<PathBuf>, Vec<PathBuf>)>,
    pub(super) questions: Vec<oneshot::Sender<bool>>,
    pub(super) stop: bool,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Self {
            orders: Mutex::default(),
            wake: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok(),
            hint: Mutex::default(),
            hinted: Notify::new(),
        }
    }

    pub(super) fn follow(&self, files: Vec<PathBuf>, directories: Vec<PathBuf>) {
        self.order(|orders| orders.follow = Some((files, directories)));
    }

    pub(super) fn set(&self, settings: WatchSettings) {
        self.order(|orders| orders.settings = Some(settings));
    }

    pub(super) fn ask(&self, question: oneshot::Sender<bool>) {
        self.order(|orders| {
            orders.questions.retain(|question| !question.is_closed());
            orders.questions.push(question);
        });
    }

    pub(super) fn stop(&self) {
        self.order(|orders| orders.stop = true);
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut lock(&self.orders));
        if let Some(wake) = &self.wake
            && let Err(errno) = rustix::io::write(wake, &1_u64.to_ne_bytes())
        {
            // Only a full counter is an error, and that wakes as well.
            tracing::trace!(%errno, "the watcher has been woken already");
        }
    }

    /// The thread takes its orders.
    pub(super) fn orders(&self) -> Orders {
        if let Some(wake) = &self.wake {
            let mut count = [0; 8];
            if let Err(errno) = rustix::io::read(wake, &mut count) {
                tracing::trace!(%errno, "nobody has woken the watcher");
            }
        }
        std::mem::take(&mut lock(&self.orders))
    }

    /// Readable when there are orders.
    pub(super) fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.wake.as_ref().map(AsFd::as_fd)
    }

    /// Gives a hint. One that has not been taken yet is made one with it.
    pub(super) fn give(&self, hint: Hint) {
        let mut given = lock(&self.hint);
        *given = match *given {
            Some(Hint::Event) => Some(Hint::Event),
            Some(Hint::Poll) | None => Some(hint),
        };
        drop(given);
        self.hinted.notify_one();
    }

    /// Waits for a hint. Cancel safe.
    pub(super) async fn hint(&self) -> Hint {
        loop {
            let given = lock(&self.hint).take();
            match given {
                Some(hint) => return hint,
                None => self.hinted.notified().await,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
