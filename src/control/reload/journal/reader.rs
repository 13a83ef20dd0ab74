//! Answers about the journal, given on the thread that asks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::entry::{HistoryEntry, KeptConfiguration, KeptFile, KeptReference};
use super::lock;
use super::store::JournalStore;
use super::writer::JournalState;
use crate::config::{KnownSecrets, Sources};
use crate::control::reload::generations::{KeptContent, RecentGenerations};

/// Longest time for the search of the shortest difference of two files; beyond it a longer one is shown.
const DIFF_TIMEOUT: Duration = Duration::from_millis(500);

/// Lines of context around a difference.
const CONTEXT: usize = 3;

/// Reads the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HistoryReader {
    shared: Arc<Mutex<JournalState>>,
    store: Option<JournalStore>,
    recent: Arc<RecentGenerations>,
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotKept(pub String);

/// A configuration that ran, and how it differs from another one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerationView {
    /// How it came to run; absent where the entry is not kept any more.
    pub entry: Option<HistoryEntry>,
    /// The main file, and behind it those that it includes.
    pub files: Vec<KeptFile>,
    /// Files that it references.
    pub references: Vec<KeptReference>,
    /// The generation that it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<u64>,
    /// What leads from that one to this one, as a unified diff; empty where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl HistoryReader {
    pub(super) fn new(shared: Arc<Mutex<JournalState>>, store: Option<JournalStore>) -> Self {
        Self {
            shared,
            store,
            recent: Arc::default(),
        }
    }

    /// A reader that also knows the configurations that are in memory.
    pub(in crate::control) fn beside(self, recent: Arc<RecentGenerations>) -> Self {
        Self { recent, ..self }
    }

    /// The newest entries, at most `most`, the newest first.
    pub fn entries(&self, most: usize) -> Vec<HistoryEntry> {
        let shared = lock(&self.shared);
        shared.entries.iter().rev().take(most).cloned().collect()
    }

    /// The entry with which a generation came to run.
    pub(in crate::control) fn entry_of(&self, generation: u64) -> Option<HistoryEntry> {
        let shared = lock(&self.shared);
        let mut ran = shared.entries.iter().rev().filter(|entry| entry.has_run());
        ran.find(|entry| entry.report.generation == generation).cloned()
    }

    /// Generation and hash of the text of what ran in earlier runs and here and is kept, the newest first.
    pub(in crate::control) fn kept(&self) -> Vec<(u64, String)> {
        let shared = lock(&self.shared);
        let kept = shared.entries.iter().rev().filter(|entry| entry.kept);
        kept.map(|entry| (entry.report.generation, entry.text_hash.clone()))
            .collect()
    }

    /// The configuration that ran as `generation`. Reads the disk.
    ///
    /// # Errors
    /// [`NotKept`] with the reason.
    pub(in crate::control) fn configuration(&self, generation: u64) -> Result<KeptConfiguration, NotKept> {
        match self.recent.content(generation) {
            Some(KeptContent::Text(sources)) => {
                return KeptConfiguration::of(sources).ok_or_else(|| {
                    NotKept(format!(
                        "generation {generation} cannot be shown: it is not clear which parts of it are passwords"
                    ))
                });
            }
            Some(KeptContent::Model(_)) => {
                return Err(NotKept(format!("generation {generation} came from no file")));
            }
            None => {}
        }
        let entry = self.entry_of(generation).filter(|entry| entry.kept);
        let (Some(entry), Some(store)) = (entry, &self.store) else {
            return Err(NotKept(format!(
                "the configuration of generation {generation} is not kept"
            )));
        };
        if lock(&self.shared).is_pending(entry.id) {
            return Err(NotKept(format!(
                "the configuration of generation {generation} could not be written to the history"
            )));
        }
        let read = store.read_configuration(entry.id);
        read.map_err(|error| {
            NotKept(format!(
                "the configuration of generation {generation} cannot be read: {error}"
            ))
        })
    }

    /// The text that ran as `generation`, to be loaded. Passwords are those at the same places of `known`, the first first.
    /// Reads the disk.
    ///
    /// # Errors
    /// [`NotKept`] with the reason.
    pub(in crate::control) fn sources(
        &self,
        generation: u64,
        known: &[Arc<Sources>],
    ) -> Result<Sources, NotKept> {
        let kept = self.configuration(generation)?;
        let mut secrets = KnownSecrets::default();
        known.iter().for_each(|sources| secrets.add(sources));
        let restored = kept.restore(&secrets);
        restored.map_err(|why| NotKept(format!("generation {generation}: {why}")))
    }

    /// What ran as `generation`, and how it differs from `other`. Reads the disk.
    ///
    /// # Errors
    /// [`NotKept`] with the reason.
    pub fn show(&self, generation: u64, other: Option<u64>) -> Result<GenerationView, NotKept> {
        let configuration = self.configuration(generation)?;
        let before = other.map(|other| self.configuration(other)).transpose()?;
        Ok(GenerationView {
            entry: self.entry_of(generation),
            compared_with: other,
            diff: other
                .zip(before)
                .map(|(other, before)| difference((other, &before), (generation, &configuration))),
            files: configuration.files,
            references: configuration.references,
        })
    }
}

/// The unified diff of two configurations, file by file. As `diff` has it, a tab and what tells the two apart stand behind
/// each path: their generations.
fn difference(
    (old_generation, before): (u64, &KeptConfiguration),
    (new_generation, after): (u64, &KeptConfiguration),
) -> String {
    let mut paths: Vec<&str> = Vec::new();
    for file in before.files.iter().chain(&after.files) {
        if !paths.contains(&file.path.as_str()) {
            paths.push(&file.path);
        }
    }
    let text = |configuration: &'_ KeptConfiguration, path: &str| -> Option<String> {
        let mut files = configuration.files.iter();
        Some(files.find(|file| file.path == path)?.text.clone())
    };
    let mut diff = String::new();
    for path in paths {
        let (old, new) = (text(before, path), text(after, path));
        if old == new {
            continue;
        }
        let name = |text: &Option<String>, generation: u64| {
            let path = text.as_ref().map_or("/dev/null", |_| path);
            format!("{path}\tgeneration {generation}")
        };
        let names = (name(&old, old_generation), name(&new, new_generation));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let changes = TextDiff::configure()
            .timeout(DIFF_TIMEOUT)
            .diff_lines(&*old, &*new);
        let mut unified = changes.unified_diff();
        unified.context_radius(CONTEXT).header(&names.0, &names.1);
        diff += &unified.to_string();
    }
    diff
}
