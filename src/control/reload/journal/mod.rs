//! The journal: what came of every start and reload, and the configurations that ran.
//!
//! With `stateDirectory` it is on the disk and outlives the process; otherwise it lists what this process did. Entries are
//! written in a task behind the reload. A disk that takes none is told once and changes nothing else; what could not be
//! written is tried again with the next entry.

mod entry;
mod reader;
mod retain;
mod store;
mod unconfirmed;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::task::JoinHandle;

pub use entry::{ChangeCounts, HistoryEntry, KeptConfiguration, KeptFile, KeptReference, ProcessRun};
pub use reader::{GenerationView, HistoryReader, NotKept};
pub use retain::Retention;
pub(in crate::control) use unconfirmed::{ConfirmedConfiguration, ConfirmedStore};

use self::store::{JournalStore, StoredEntries};
use self::writer::{JournalState, PendingEntry};
use super::report::ReloadReport;
use crate::config::Sources;

/// Target of log lines about the journal.
const TARGET: &str = "kproxy::journal";

/// The journal of this process. One owner appends to it; readers look at it at any time.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Mutex<JournalState>>,
    store: Option<JournalStore>,
    retention: Retention,
    process: ProcessRun,
    /// Generation that earlier runs reached.
    reached: u64,
    /// The generation whose configuration stays, however old.
    base: Option<u64>,
    /// The task that writes.
    writing: Option<JoinHandle<()>>,
}

fn lock(shared: &Mutex<JournalState>) -> MutexGuard<'_, JournalState> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Reads the journal in `state`; without a state directory it begins empty. Blocks. What cannot be read is logged, and
    /// changes nothing else.
    pub fn open(state: Option<&Path>, retention: Retention) -> Self {
        let store = state.map(JournalStore::in_directory);
        let stored = store.as_ref().map(read_all).unwrap_or_default();
        let generations = stored.entries.iter().map(|entry| entry.report.generation);
        let reached = generations.max().unwrap_or_default();
        Self {
            shared: Arc::new(Mutex::new(JournalState::after(stored))),
            store,
            retention,
            process: ProcessRun {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started: SystemTime::now(),
            },
            reached,
            base: None,
            writing: None,
        }
    }

    /// The highest generation of earlier runs; the first one of this run comes after it.
    pub fn reached(&self) -> u64 {
        self.reached
    }

    /// Sets the bounds, from the next entry on.
    pub(in crate::control) fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// Keeps the configuration of `generation`, whatever its age, as long as another one may have to go back to it.
    pub(in crate::control) fn set_base(&mut self, generation: Option<u64>) {
        self.base = generation;
    }

    /// Appends an entry. `hash`: digest of what runs after it; `sources`: the configuration that came to run with it.
    pub(in crate::control) fn append(
        &mut self,
        report: &ReloadReport,
        hash: String,
        sources: Option<Arc<Sources>>,
    ) {
        let mut shared = lock(&self.shared);
        let mut entry = HistoryEntry::of(shared.take_id(), report.clone(), &self.process);
        entry.hash = hash;
        entry.kept = sources.is_some();
        if let Some(sources) = &sources {
            entry.text_hash = sources.text_digest().to_string();
        }
        shared.entries.push(entry.clone());
        let now = SystemTime::now();
        let leaving = retain::leaving(&shared.entries, self.retention, now, self.base);
        shared.entries.retain(|entry| !leaving.contains(&entry.id));
        if let Some(store) = &self.store {
            shared.push(PendingEntry { entry, sources });
            shared.leaving.extend(leaving);
            let begins = !std::mem::replace(&mut shared.is_writing, true);
            drop(shared);
            if begins {
                let (shared, store) = (Arc::clone(&self.shared), store.clone());
                self.writing = Some(tokio::task::spawn_blocking(move || {
                    writer::write_all(&shared, &store);
                }));
            }
        }
    }

    /// The task that writes what has been appended, to wait for its end.
    pub(in crate::control) fn take_writing(&mut self) -> Option<JoinHandle<()>> {
        self.writing.take()
    }

    /// Answers questions about the journal, on any thread.
    pub(in crate::control) fn reader(&self) -> HistoryReader {
        HistoryReader::new(Arc::clone(&self.shared), self.store.clone())
    }
}

fn read_all(store: &JournalStore) -> StoredEntries {
    let stored = store.read_all().unwrap_or_else(|error| {
        tracing::warn!(target: TARGET, directory = %store.path().display(), %error, "the history cannot be read; kproxy begins another one");
        StoredEntries {
            next_id: 1,
            ..StoredEntries::default()
        }
    });
    if let Some((name, error)) = stored.unreadable.first() {
        let entries = stored.unreadable.len();
        tracing::warn!(target: TARGET, entries, name, error, "entries of the history cannot be read; the others are as they were");
    }
    stored
}
