//! Whether the configuration file is what runs.

use std::sync::Arc;

use super::candidate::ConfigLocation;
use crate::config::{Digest, Sources};

/// Relation of the configuration file to the running configuration, with what was read of both.
#[derive(Debug)]
pub(in crate::control) struct FileSync {
    relation: Relation,
    /// The configuration file as it was read last, whatever came of it.
    last_read: Option<Arc<Sources>>,
    /// Sources of the running configuration; `None` where it comes from no file.
    running: Option<Arc<Sources>>,
    /// The running text with the contents of its referenced files at the last renewal, usable or not.
    renewal: Option<Arc<Sources>>,
    /// Digest of the files that the running configuration was read from.
    digest: Option<Digest>,
    /// Number of the comparison that counts; results of earlier ones are out of date.
    comparison: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// The file says what runs.
    InSync,
    /// What runs came from the file, which says something else by now.
    OutOfSync,
    /// Something else was applied in place of the file. `edited`: the text of the file has changed since; until then only
    /// a request for it applies the file again.
    Overridden { edited: bool },
}

/// A comparison of the configuration file with what runs, to be made on a thread that may block.
#[derive(Debug)]
pub(in crate::control) struct Comparison {
    number: u64,
    running: Arc<Sources>,
}

/// Result of a [`Comparison`].
#[derive(Debug, Clone, Copy)]
pub(in crate::control) struct Compared {
    number: u64,
    is_equal: bool,
}

impl Comparison {
    /// Reads and compares the files. Blocks.
    pub(in crate::control) fn run(self) -> Compared {
        Compared {
            number: self.number,
            is_equal: self.running.is_current(),
        }
    }
}

/// Transitions.
impl FileSync {
    /// The process started with a configuration that was read as `sources`; without a file, with `None`.
    pub(in crate::control) fn started(sources: Option<Arc<Sources>>) -> Self {
        Self {
            relation: match sources {
                Some(_) => Relation::InSync,
                None => Relation::Overridden { edited: false },
            },
            digest: sources.as_ref().map(|sources| sources.digest()),
            last_read: sources.clone(),
            renewal: sources.clone(),
            running: sources,
            comparison: 0,
        }
    }

    /// The process started with something else than the file, which was read as `file`.
    pub(in crate::control) fn started_beside(&mut self, file: Arc<Sources>) {
        self.last_read = Some(file);
        self.relation = Relation::Overridden { edited: false };
    }

    /// The configuration file was read.
    pub(in crate::control) fn read(&mut self, sources: &Arc<Sources>) {
        let before = self.last_read.replace(Arc::clone(sources));
        let same_text = before.is_some_and(|before| before.has_text_of(sources));
        if let Relation::Overridden { edited } = &mut self.relation {
            *edited |= !same_text;
        }
    }

    /// What was read of the configuration file is applied, or means the same as what runs.
    pub(in crate::control) fn applied(&mut self, sources: Arc<Sources>, digest: Digest) {
        self.run(Some((sources, digest)));
        self.relation = Relation::InSync;
    }

    /// Something else than the configuration file is applied: another file, or a model without one.
    pub(in crate::control) fn overridden(&mut self, read: Option<(Arc<Sources>, Digest)>) {
        self.run(read);
        self.relation = Relation::Overridden { edited: false };
    }

    /// A configuration that ran before is applied again. Where the configuration file says the same, it is what runs.
    pub(in crate::control) fn rolled_back(&mut self, read: Option<(Arc<Sources>, Digest)>) {
        self.overridden(read);
        if self.running.is_some() && !self.runs_other_text() {
            self.relation = Relation::InSync;
        }
    }

    fn run(&mut self, read: Option<(Arc<Sources>, Digest)>) {
        let (sources, digest) = read.unzip();
        self.renewal.clone_from(&sources);
        self.running = sources;
        self.digest = digest;
        self.comparison += 1;
    }

    /// What was read of the configuration file cannot be applied.
    pub(in crate::control) fn rejected(&mut self) {
        self.comparison += 1;
        if self.relation == Relation::InSync {
            self.relation = Relation::OutOfSync;
        }
    }

    /// The running text was read again, with what its referenced files hold now.
    pub(in crate::control) fn read_for_renewal(&mut self, sources: &Arc<Sources>) {
        self.renewal = Some(Arc::clone(sources));
    }

    /// What was read for a renewal is applied.
    pub(in crate::control) fn renewed(&mut self, digest: Option<Digest>) {
        self.running.clone_from(&self.renewal);
        self.digest = digest;
    }

    /// Begins a comparison of the file with what runs; `None` where what runs did not come from the file. A result of an
    /// earlier comparison counts no longer.
    pub(in crate::control) fn begin_comparison(&mut self) -> Option<Comparison> {
        let running = match self.relation {
            Relation::InSync | Relation::OutOfSync => Arc::clone(self.running.as_ref()?),
            Relation::Overridden { .. } => return None,
        };
        self.comparison += 1;
        Some(Comparison {
            number: self.comparison,
            running,
        })
    }

    /// The file has been compared with what runs.
    pub(in crate::control) fn compared(&mut self, compared: Compared) {
        let is_from_file = matches!(self.relation, Relation::InSync | Relation::OutOfSync);
        if is_from_file && compared.number == self.comparison {
            self.relation = match compared.is_equal {
                true => Relation::InSync,
                false => Relation::OutOfSync,
            };
        }
    }
}

/// Queries.
impl FileSync {
    /// Whether the file, as it was read or compared last, says what runs.
    pub(in crate::control) fn is_in_sync(&self) -> bool {
        self.relation == Relation::InSync
    }

    /// Whether only a request applies the file: it was overridden, and its text has not changed since.
    pub(in crate::control) fn is_set_aside(&self) -> bool {
        self.relation == Relation::Overridden { edited: false }
    }

    /// Whether the running text differs from that of the file, so that the files that it references change beside it.
    pub(in crate::control) fn runs_other_text(&self) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        let read = self.last_read.as_ref();
        read.is_none_or(|read| !read.has_text_of(running))
    }

    /// Digest of the files that the running configuration was read from.
    pub(in crate::control) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The configuration file as it was read last.
    pub(in crate::control) fn last_read(&self) -> Option<&Arc<Sources>> {
        self.last_read.as_ref()
    }

    /// The running text, as it was read last for a renewal; `None` where it comes from no file.
    pub(in crate::control) fn running_text(&self) -> Option<&Arc<Sources>> {
        self.renewal.as_ref()
    }

    /// Where a renewal reads.
    pub(in crate::control) fn renewal_location(&self) -> Option<ConfigLocation> {
        Some(ConfigLocation::Text {
            in_use: self.running.clone()?,
            tried: self.renewal.clone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    /// A configuration file that a test writes and reads.
    struct File(tempfile::NamedTempFile);

    impl File {
        fn new(text: &str) -> Self {
            let file = Self(tempfile::NamedTempFile::new().unwrap());
            file.write(text);
            file
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn write(&self, text: &str) {
            std::fs::write(self.path(), text).unwrap();
        }

        fn read(&self) -> Arc<Sources> {
            Arc::new(config::load(self.path()).1)
        }
    }

    fn applied(sync: &mut FileSync, sources: &Arc<Sources>) {
        sync.read(sources);
        sync.applied(Arc::clone(sources), sources.digest());
    }

    #[test]
    fn what_was_read_at_the_start_or_applied_since_is_in_sync() {
        let file = File::new("a: 1");
        let first = file.read();
        let mut sync = FileSync::started(Some(Arc::clone(&first)));
        assert!(sync.is_in_sync());
        assert_eq!(sync.digest(), Some(first.digest()));
        file.write("a: 2");
        let second = file.read();
        applied(&mut sync, &second);
        assert!(sync.is_in_sync() && !sync.runs_other_text());
        assert_eq!(sync.digest(), Some(second.digest()));
        assert!(!FileSync::started(None).is_in_sync());
    }

    #[test]
    fn a_rejected_file_is_out_of_sync_until_one_is_applied() {
        let file = File::new("a: 1");
        let first = file.read();
        let mut sync = FileSync::started(Some(Arc::clone(&first)));
        file.write("a: 2");
        sync.read(&file.read());
        sync.rejected();
        assert!(!sync.is_in_sync() && sync.runs_other_text());
        assert_eq!(sync.digest(), Some(first.digest()), "the first runs on");
        assert!(!sync.is_set_aside());
        file.write("a: 1");
        applied(&mut sync, &file.read());
        assert!(sync.is_in_sync() && !sync.runs_other_text());
    }

    #[test]
    fn an_overridden_file_is_set_aside_until_its_text_changes() {
        let (file, other) = (File::new("a: 1"), File::new("b: 1").read());
        let mut sync = FileSync::started(Some(file.read()));
        sync.overridden(Some((Arc::clone(&other), other.digest())));
        assert!(!sync.is_in_sync() && sync.is_set_aside() && sync.runs_other_text());
        sync.read(&file.read());
        assert!(sync.is_set_aside(), "the same text was read again");
        file.write("a: 2");
        sync.read(&file.read());
        sync.rejected();
        assert!(!sync.is_set_aside() && !sync.is_in_sync());
        applied(&mut sync, &file.read());
        assert!(sync.is_in_sync());
        sync.overridden(None);
        assert_eq!(sync.digest(), None);
        assert!(sync.renewal_location().is_none() && !sync.runs_other_text());
    }

    #[test]
    fn a_rollback_to_what_the_file_says_is_in_sync() {
        let file = File::new("a: 1");
        let first = file.read();
        let mut sync = FileSync::started(Some(Arc::clone(&first)));
        file.write("a: 2");
        applied(&mut sync, &file.read());
        sync.rolled_back(Some((Arc::clone(&first), first.digest())));
        assert!(
            !sync.is_in_sync() && sync.is_set_aside(),
            "the file says what ran before"
        );
        file.write("a: 1");
        sync.read(&file.read());
        sync.rolled_back(Some((Arc::clone(&first), first.digest())));
        assert!(sync.is_in_sync() && !sync.is_set_aside());
    }

    #[test]
    fn a_renewal_changes_what_runs_and_not_whether_it_is_the_file() {
        let file = File::new("a: 1");
        let mut sync = FileSync::started(Some(file.read()));
        sync.rejected();
        let renewed = file.read();
        sync.read_for_renewal(&renewed);
        assert!(Arc::ptr_eq(sync.running_text().unwrap(), &renewed));
        sync.renewed(Some(renewed.digest()));
        assert!(!sync.is_in_sync());
        assert_eq!(sync.digest(), Some(renewed.digest()));
    }

    #[test]
    fn a_comparison_counts_unless_something_newer_is_known() {
        let file = File::new("a: 1");
        let mut sync = FileSync::started(Some(file.read()));
        file.write("a: 2");
        let compared = sync.begin_comparison().unwrap().run();
        sync.compared(compared);
        assert!(!sync.is_in_sync());
        file.write("a: 1");
        let compared = sync.begin_comparison().unwrap().run();
        sync.compared(compared);
        assert!(sync.is_in_sync());

        file.write("a: 2");
        let stale = sync.begin_comparison().unwrap().run();
        applied(&mut sync, &file.read());
        sync.compared(stale);
        assert!(sync.is_in_sync(), "what was compared does not run any more");

        let stale = sync.begin_comparison().unwrap().run();
        sync.rejected();
        sync.compared(stale);
        assert!(!sync.is_in_sync(), "the file was read since");

        sync.overridden(None);
        assert!(sync.begin_comparison().is_none(), "the file is not what runs");
    }
}
