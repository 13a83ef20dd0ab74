//! The channel to the thread of a watcher: commands of its owner, and file events. Neither sender waits, and
//! nothing piles up.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::file_events::Delivery;
use super::{IsCurrent, WatchSettings};

/// Events kept while the thread is busy; when there are more, anything may have happened.
const MAX_EVENTS: usize = 16_384;

/// Asks whether followed files are unmodified; the answer is `None` where no events arrive.
pub(super) type WatchQuestion = oneshot::Sender<Option<bool>>;

#[derive(Default)]
pub(super) struct WatcherChannel {
    commands: Mutex<WatcherCommands>,
    filled: Condvar,
}

/// Work for the thread.
#[derive(Default)]
pub(super) struct WatcherCommands {
    is_filled: bool,
    pub(super) stop: bool,
    pub(super) settings: Option<WatchSettings>,
    /// Files, and directories in which new files count; both sorted.
    pub(super) follow: Option<(Vec<PathBuf>, Vec<PathBuf>)>,
    pub(super) compare: Option<IsCurrent>,
    pub(super) questions: Vec<WatchQuestion>,
    pub(super) events: Vec<notify::Event>,
    /// Events are missing.
    pub(super) is_lossy: bool,
    /// Everything that happened before the marker was touched is among `events`, or was before.
    pub(super) is_marked: bool,
}

impl WatcherChannel {
    /// Changes what the thread is to do, and wakes it.
    pub(super) fn command(&self, change: impl FnOnce(&mut WatcherCommands)) {
        let mut commands = self.lock();
        change(&mut commands);
        commands.is_filled = true;
        self.filled.notify_one();
    }

    pub(super) fn ask(&self, question: WatchQuestion) {
        self.command(|commands| {
            commands.questions.retain(|question| !question.is_closed());
            commands.questions.push(question);
        });
    }

    pub(super) fn deliver(&self, delivery: Delivery) {
        self.command(|commands| match delivery {
            Delivery::Event(event) if commands.events.len() < MAX_EVENTS => commands.events.push(event),
            Delivery::Event(_) | Delivery::Loss => commands.is_lossy = true,
            Delivery::Mark => commands.is_marked = true,
        });
    }

    /// Takes all commands; waits for some until `until`.
    pub(super) fn take(&self, until: Option<Instant>) -> WatcherCommands {
        let commands = self.lock();
        let is_empty = |commands: &mut WatcherCommands| !commands.is_filled;
        let mut commands = match until {
            None => self
                .filled
                .wait_while(commands, is_empty)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let timeout = until.saturating_duration_since(Instant::now());
                let waited = self.filled.wait_timeout_while(commands, timeout, is_empty);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        std::mem::take(&mut *commands)
    }

    fn lock(&self) -> MutexGuard<'_, WatcherCommands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
