//! Starts with an earlier configuration in place of the file.

use std::path::Path;
use std::sync::Arc;

use super::journal::{ConfirmedConfiguration, HistoryEntry, Journal, Retention};
use crate::config::{KnownSecrets, Sources};
use crate::model::{self, Loaded, ProxyModel, RollbackSettings, Warnings};

/// An earlier configuration that a process starts with.
#[derive(Debug)]
pub struct EarlierConfiguration {
    /// Its meaning now.
    pub model: ProxyModel,
    /// The text, with what the files that it references hold now.
    pub sources: Sources,
    /// Warnings about it.
    pub warnings: Warnings,
    /// Why it runs in place of the file.
    pub start: EarlierStart,
}

/// A start with an earlier configuration, since the file is broken or was not confirmed.
#[derive(Debug)]
pub struct EarlierStart {
    /// The generation that it ran as.
    pub generation: u64,
    /// The file, as it was read.
    pub file: Arc<Sources>,
    /// What is wrong with the file; empty if it was not confirmed.
    pub errors: Vec<String>,
}

impl EarlierStart {
    /// What the status says as long as the file is not what runs.
    pub fn warning(&self) -> String {
        let generation = self.generation;
        match self.errors.first() {
            Some(error) => format!(
                "the configuration file cannot be used, and the last good configuration runs, that of generation {generation}: {error}"
            ),
            None => format!(
                "the configuration file was not confirmed before kproxy ended, and the confirmed configuration runs, that of \
                 generation {generation}"
            ),
        }
    }
}

/// The last configuration that ran and was confirmed, by the journal in `state`. `file`: the file that cannot be used, for
/// `errors`. Blocks.
///
/// # Errors
/// The reason why there is none.
pub fn last_good(state: &Path, file: Sources, errors: Vec<String>) -> Result<EarlierConfiguration, String> {
    let history = Journal::open(Some(state), Retention::of(&RollbackSettings::default())).reader();
    let unconfirmed = ConfirmedConfiguration::read(state).ok().flatten();
    let is_good = |entry: &HistoryEntry| {
        let hash = &entry.text_hash;
        let waits = unconfirmed
            .as_ref()
            .is_some_and(|kept| kept.unconfirmed.contains(hash));
        entry.kept && entry.has_run() && !waits
    };
    let entries = history.entries(usize::MAX);
    let last = entries.iter().find(|entry| is_good(entry));
    let generation = last
        .map(|entry| entry.report.generation)
        .ok_or_else(|| format!("no configuration is remembered in {}", state.display()))?;
    let file = Arc::new(file);
    let kept = history.sources(generation, std::slice::from_ref(&file));
    let (loaded, _) = model::load_again(&kept.map_err(|why| why.to_string())?);
    usable(
        loaded,
        EarlierStart {
            generation,
            file,
            errors,
        },
    )
}

/// The confirmed configuration, where `file` ran without being confirmed when kproxy ended; `None` if it may run. Blocks.
pub fn confirmed_instead_of(state: &Path, file: &Sources) -> Option<Result<EarlierConfiguration, String>> {
    let kept = match ConfirmedConfiguration::read(state) {
        Ok(kept) => kept.filter(|kept| kept.is_unconfirmed(file))?,
        Err(error) => return Some(Err(error.to_string())),
    };
    let mut known = KnownSecrets::default();
    known.add(file);
    let earlier = kept.configuration.restore(&known).and_then(|sources| {
        let (loaded, _) = model::load_again(&sources);
        usable(
            loaded,
            EarlierStart {
                generation: kept.generation,
                file: Arc::new(file.clone()),
                errors: Vec::new(),
            },
        )
    });
    Some(earlier)
}

fn usable(loaded: Loaded, start: EarlierStart) -> Result<EarlierConfiguration, String> {
    let warnings = loaded.warnings.clone();
    let (model, sources) = loaded.for_start().map_err(|broken| {
        let first = broken.first().map(ToString::to_string).unwrap_or_default();
        format!("generation {} cannot be used any more: {first}", start.generation)
    })?;
    Ok(EarlierConfiguration {
        model,
        sources,
        warnings,
        start,
    })
}
