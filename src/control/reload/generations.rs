//! Configurations that came to run since the process began, so that one of them can be brought back.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::{Digest, Sources};
use crate::model::ProxyModel;

/// Most configurations that are kept, the running one included.
const MAX_KEPT: usize = 10;

/// Most bytes of text that are kept, beyond those of the running configuration and of the one before it.
const MAX_TEXT: usize = 64 << 20;

/// The configurations that ran last, the running one at the end.
#[derive(Debug, Clone, Default)]
pub(in crate::control) struct RecentGenerations {
    kept: VecDeque<KeptGeneration>,
}

/// A configuration that came to run.
#[derive(Debug, Clone)]
struct KeptGeneration {
    /// The generations that ran it: more than one where files that it references were renewed.
    first: u64,
    last: u64,
    place: Lineage,
    content: KeptContent,
}

/// Where a configuration stands among those that ran.
#[derive(Debug, Clone, Copy)]
struct Lineage {
    /// The generation that a rollback has brought back.
    restored: Option<u64>,
    /// The generation that first ran it, as far as rollbacks lead back.
    root: u64,
}

/// What is kept of a configuration.
#[derive(Debug, Clone)]
pub(in crate::control) enum KeptContent {
    /// The text, with what the files that it references held.
    Text(Arc<Sources>),
    /// A model that came from no file.
    Model(Arc<ProxyModel>),
}

impl KeptContent {
    fn text(&self) -> Option<Digest> {
        match self {
            Self::Text(sources) => Some(sources.text_digest()),
            Self::Model(_) => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(sources) => sources.text_size(),
            Self::Model(_) => 0,
        }
    }
}

/// Transitions.
impl RecentGenerations {
    /// A configuration came to run as `generation`. `restored`: it ran before as that generation.
    pub(in crate::control) fn ran(&mut self, generation: u64, content: KeptContent, restored: Option<u64>) {
        let root = match restored {
            Some(number) => self.entry(number).map_or(number, |entry| entry.place.root),
            None => generation,
        };
        self.kept.push_back(KeptGeneration {
            first: generation,
            last: generation,
            place: Lineage { restored, root },
            content,
        });
        self.shrink();
    }

    /// The running configuration has other files behind it and the same meaning, or the same text and other content of the
    /// files that it references. `generation` runs now.
    pub(in crate::control) fn renewed(&mut self, generation: u64, sources: Arc<Sources>) {
        if let Some(running) = self.kept.back_mut() {
            running.last = generation;
            running.content = KeptContent::Text(sources);
        }
    }

    /// The configuration file says what runs, whatever brought it back.
    pub(in crate::control) fn agreed(&mut self) {
        if let Some(running) = self.kept.back_mut() {
            running.place.restored = None;
        }
    }

    fn shrink(&mut self) {
        let beyond = |kept: &VecDeque<KeptGeneration>| -> usize {
            kept.iter().rev().skip(2).map(|entry| entry.content.size()).sum()
        };
        while self.kept.len() > MAX_KEPT || beyond(&self.kept) > MAX_TEXT {
            self.kept.pop_front();
        }
    }
}

/// Queries.
impl RecentGenerations {
    fn entry(&self, generation: u64) -> Option<&KeptGeneration> {
        let mut kept = self.kept.iter();
        kept.find(|entry| (entry.first..=entry.last).contains(&generation))
    }

    /// What ran as `generation`; `None` if it is not kept.
    pub(in crate::control) fn content(&self, generation: u64) -> Option<&KeptContent> {
        Some(&self.entry(generation)?.content)
    }

    /// The generation that a rollback goes back to by default: the last one before the running configuration that ran
    /// another text. Where the running configuration has been brought back itself, the one before it came to run first,
    /// so that one rollback after the other goes further back.
    pub(in crate::control) fn previous(&self) -> Option<u64> {
        let running = self.kept.back()?;
        let text = running.content.text();
        let differs = |entry: &&KeptGeneration| text.is_none() || entry.content.text() != text;
        let earlier = self
            .kept
            .iter()
            .rev()
            .filter(|entry| entry.last < running.place.root);
        Some(
            earlier
                .filter(|entry| entry.first != running.first)
                .find(differs)?
                .last,
        )
    }

    /// The generation that a rollback has brought back, if that is what runs.
    pub(in crate::control) fn restored(&self) -> Option<u64> {
        self.kept.back()?.place.restored
    }

    /// The texts that are kept, the running one first.
    pub(in crate::control) fn texts(&self) -> impl Iterator<Item = &Arc<Sources>> {
        self.kept.iter().rev().filter_map(|entry| match &entry.content {
            KeptContent::Text(sources) => Some(sources),
            KeptContent::Model(_) => None,
        })
    }

    /// The generation that first ran what runs, as far as rollbacks lead back, and the digest of its text.
    pub(in crate::control) fn running(&self) -> Option<(u64, Option<Digest>)> {
        let running = self.kept.back()?;
        Some((running.place.root, running.content.text()))
    }

    /// The oldest generation that is kept, and the running one.
    pub(in crate::control) fn bounds(&self) -> impl Iterator<Item = u64> {
        let oldest = self.kept.front().map(|oldest| oldest.first);
        oldest
            .into_iter()
            .chain(self.kept.back().map(|newest| newest.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    /// A file that says one thing after the other.
    struct Edited(tempfile::NamedTempFile);

    impl Edited {
        fn new() -> Self {
            Self(tempfile::NamedTempFile::new().unwrap())
        }

        fn sources(&self, text: &str) -> Arc<Sources> {
            std::fs::write(self.0.path(), text).unwrap();
            Arc::new(config::load(self.0.path()).1)
        }

        fn says(&self, text: &str) -> KeptContent {
            KeptContent::Text(self.sources(text))
        }
    }

    #[test]
    fn one_rollback_after_the_other_goes_further_back() {
        let (file, mut kept) = (Edited::new(), RecentGenerations::default());
        for (generation, content) in [(1, "a: 1"), (2, "a: 2"), (3, "a: 3")] {
            kept.ran(generation, file.says(content), None);
        }
        assert_eq!(kept.previous(), Some(2));
        kept.ran(4, file.says("a: 2"), Some(2));
        assert_eq!((kept.previous(), kept.restored()), (Some(1), Some(2)));
        kept.ran(5, file.says("a: 1"), Some(1));
        assert_eq!(kept.previous(), None);
        // An edit is a new beginning.
        kept.ran(6, file.says("a: 6"), None);
        assert_eq!((kept.previous(), kept.restored()), (Some(5), None));
        kept.ran(7, file.says("a: 1"), Some(5));
        assert_eq!(kept.previous(), None);
        kept.agreed();
        assert_eq!((kept.previous(), kept.restored()), (None, None));
    }

    #[test]
    fn what_ran_the_same_text_is_not_the_one_before() {
        let (file, mut kept) = (Edited::new(), RecentGenerations::default());
        kept.ran(1, file.says("a: 1"), None);
        kept.ran(2, file.says("a: 2"), None);
        kept.renewed(3, file.sources("a: 2"));
        assert_eq!(kept.previous(), Some(1));
        assert!(kept.content(2).is_some() && kept.content(3).is_some());
        assert!(kept.content(4).is_none());
        // Saved as before, without a rollback.
        kept.ran(4, file.says("a: 1"), None);
        assert_eq!(kept.previous(), Some(3));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let (file, mut kept) = (Edited::new(), RecentGenerations::default());
        for generation in 1..=25 {
            kept.ran(generation, file.says(&format!("a: {generation}")), None);
        }
        assert!(kept.bounds().eq([16, 25]));
        assert!(kept.content(15).is_none() && kept.content(16).is_some());
    }
}
