//! Writing of the journal, away from the control thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::entry::{HistoryEntry, KeptConfiguration};
use super::store::{JournalStore, StoredEntries};
use super::{TARGET, lock};
use crate::config::Sources;

/// Most entries that wait to be written; beyond them the oldest are lost.
const MAX_PENDING: usize = 64;

/// What the owner of the journal, its writer and its readers share.
#[derive(Debug)]
pub(super) struct JournalState {
    /// All entries, ascending, written or not.
    pub(super) entries: Vec<HistoryEntry>,
    /// Entries that are not on the disk yet.
    pending: VecDeque<PendingEntry>,
    /// Entries that are to be removed from the disk.
    pub(super) leaving: Vec<u64>,
    /// Whether a task writes.
    pub(super) is_writing: bool,
    next_id: u64,
    /// Whether the last write failed, which has been told.
    is_failing: bool,
}

/// An entry that is to be written.
#[derive(Debug, Clone)]
pub(super) struct PendingEntry {
    pub(super) entry: HistoryEntry,
    pub(super) sources: Option<Arc<Sources>>,
}

impl JournalState {
    pub(super) fn after(stored: StoredEntries) -> Self {
        Self {
            entries: stored.entries,
            pending: VecDeque::new(),
            leaving: Vec::new(),
            is_writing: false,
            next_id: stored.next_id,
            is_failing: false,
        }
    }

    pub(super) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    pub(super) fn push(&mut self, pending: PendingEntry) {
        self.pending.push_back(pending);
        if self.pending.len() > MAX_PENDING {
            self.pending.pop_front();
        }
    }

    /// Whether an entry waits to be written, or could not be.
    pub(super) fn is_pending(&self, id: u64) -> bool {
        self.pending.iter().any(|pending| pending.entry.id == id)
    }
}

/// Writes all entries that wait, the oldest first, until there are none or one cannot be written. Blocks.
pub(super) fn write_all(shared: &Mutex<JournalState>, store: &JournalStore) {
    loop {
        let next = {
            let mut shared = lock(shared);
            let next = shared.pending.front().cloned();
            // In the same breath: an entry that is appended from now on begins another task.
            shared.is_writing = next.is_some();
            next
        };
        let Some(next) = next else { return };
        let is_kept = match write(store, &next) {
            Ok(is_kept) => is_kept,
            Err(error) => return failed(shared, store, &error),
        };
        let leaving = {
            let mut shared = lock(shared);
            // It may have been given up meanwhile.
            shared.pending.retain(|pending| pending.entry.id != next.entry.id);
            if let Some(entry) = shared.entries.iter_mut().find(|entry| entry.id == next.entry.id) {
                entry.kept = is_kept;
            }
            if std::mem::take(&mut shared.is_failing) {
                tracing::info!(target: TARGET, "the history is written again");
            }
            std::mem::take(&mut shared.leaving)
        };
        for id in leaving {
            if let Err(error) = store.remove(id) {
                tracing::debug!(target: TARGET, id, %error, "an old entry of the history could not be removed");
            }
        }
    }
}

/// Writes an entry. Returns whether its configuration is kept.
fn write(store: &JournalStore, pending: &PendingEntry) -> std::io::Result<bool> {
    let mut entry = pending.entry.clone();
    let configuration = pending.sources.as_deref().and_then(KeptConfiguration::of);
    entry.kept = configuration.is_some();
    store.write(&entry, configuration.as_ref(), &|_| Ok(()))?;
    Ok(entry.kept)
}

fn failed(shared: &Mutex<JournalState>, store: &JournalStore, error: &std::io::Error) {
    let mut shared = lock(shared);
    shared.is_writing = false;
    if !std::mem::replace(&mut shared.is_failing, true) {
        tracing::warn!(target: TARGET, directory = %store.path().display(), %error,
            "the history cannot be written; kproxy tries again with the next entry"
        );
    }
}
