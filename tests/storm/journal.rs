//! What clients write down as they go.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use super::checker::Ledger;

/// Shared by all clients of a storm.
#[derive(Default)]
pub struct Journal(Mutex<Entries>);

#[derive(Default)]
pub struct Entries {
    /// By topic, which is also the name of its one producer.
    pub ledgers: BTreeMap<String, Ledger>,
    /// By group and topic.
    pub seen: BTreeMap<(String, String), BTreeSet<u64>>,
    /// What an application would have to deal with, by client.
    pub errors: BTreeMap<String, Vec<String>>,
    /// What a client warns of, by client.
    pub warnings: BTreeMap<String, Vec<String>>,
    /// What a client tells about its connections, by client.
    pub connections: BTreeMap<String, Connections>,
}

/// How often a client says that a connection...
#[derive(Clone, Copy, Debug, Default)]
pub struct Connections {
    /// was closed by the other side,
    pub closed: usize,
    /// could not be made,
    pub refused: usize,
    /// was reset.
    pub reset: usize,
}

impl Connections {
    /// Sorts a client's log line or error.
    pub fn note(&mut self, line: &str) {
        let line = line.to_ascii_lowercase();
        if line.contains("refused") || line.contains("could not be established") {
            self.refused += 1;
        } else if line.contains("reset by peer") || line.contains("broken pipe") {
            self.reset += 1;
        } else if line.contains("disconnected") || line.contains("network_exception") {
            self.closed += 1;
        }
    }
}

impl Entries {
    /// What failed, and what clients warned of.
    pub fn details(&self) -> String {
        let failed: Vec<_> = self
            .ledgers
            .iter()
            .map(|(topic, ledger)| (topic, &ledger.failed))
            .collect();
        format!("{failed:#?}\n{:#?}", self.warnings)
    }
}

impl Journal {
    pub fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().expect("no panic under the lock")
    }

    pub fn error(&self, client: &str, what: impl Into<String>) {
        let mut entries = self.open();
        entries
            .errors
            .entry(client.to_owned())
            .or_default()
            .push(what.into());
    }

    /// Changes the ledger of `topic`.
    pub fn enter(&self, topic: &str, entry: impl FnOnce(&mut Ledger)) {
        let mut entries = self.open();
        if !entries.ledgers.contains_key(topic) {
            entries.ledgers.insert(topic.to_owned(), Ledger::default());
        }
        entry(entries.ledgers.get_mut(topic).expect("just made"));
    }

    pub fn see(&self, group: &str, topic: &str, sequences: impl IntoIterator<Item = u64>) {
        let mut entries = self.open();
        let place = (group.to_owned(), topic.to_owned());
        entries.seen.entry(place).or_default().extend(sequences);
    }
}
