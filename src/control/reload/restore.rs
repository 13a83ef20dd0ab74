//! Configurations that a rollback may bring back: those in memory, and those in the journal.

use std::sync::Arc;

use super::candidate::{Candidate, ConfigLocation};
use super::generations::{KeptContent, RecentGenerations};
use super::journal::HistoryReader;
use crate::config::Sources;

/// Everything that ran before and is kept.
#[derive(Debug)]
pub(in crate::control) struct Restorable {
    pub(in crate::control) recent: Arc<RecentGenerations>,
    pub(in crate::control) history: HistoryReader,
    /// What comes back without a confirmation.
    pub(in crate::control) confirmed: Option<(u64, Arc<Sources>)>,
    /// Texts from which passwords are taken, which the journal does not keep, the first first.
    pub(in crate::control) known: Vec<Arc<Sources>>,
}

impl Restorable {
    /// The generation that a rollback goes back to by default.
    pub(in crate::control) fn previous(&self) -> Option<u64> {
        let of_earlier_runs = || {
            let (root, text) = self.recent.running()?;
            let text = text?.to_string();
            let mut kept = self.history.kept().into_iter();
            let found = kept.find(|(generation, kept_text)| *generation < root && *kept_text != text);
            found.map(|(generation, _)| generation)
        };
        self.recent.previous().or_else(of_earlier_runs)
    }

    /// Where the configuration of a generation is read.
    ///
    /// # Errors
    /// What comes of reading it, if it is nowhere or need not be read.
    pub(in crate::control) fn place(&self, generation: u64) -> Result<ConfigLocation, Candidate> {
        if let Some((_, sources)) = self.confirmed.as_ref().filter(|(base, _)| *base == generation) {
            return Ok(ConfigLocation::Kept(Arc::clone(sources)));
        }
        match self.recent.content(generation) {
            Some(KeptContent::Text(sources)) => Ok(ConfigLocation::Kept(Arc::clone(sources))),
            Some(KeptContent::Model(model)) => Err(Candidate::InMemory(Arc::clone(model))),
            None if self.history.entry_of(generation).is_some_and(|entry| entry.kept) => {
                Ok(ConfigLocation::Journal {
                    generation,
                    history: self.history.clone(),
                    known: self.known.clone(),
                })
            }
            None => Err(Candidate::Broken(format!(
                "generation {generation} is not kept; kept are {}",
                self.describe()
            ))),
        }
    }

    fn describe(&self) -> String {
        let written = self.history.kept().into_iter().map(|(generation, _)| generation);
        let all: Vec<u64> = written.chain(self.recent.bounds()).collect();
        match (all.iter().min(), all.iter().max()) {
            (Some(first), Some(last)) if first < last => format!("some of {first} to {last}"),
            (Some(only), _) => format!("only {only}"),
            _ => "none".to_owned(),
        }
    }
}
