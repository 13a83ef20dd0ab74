//! The journal on the disk: one file for each entry, compressed, in the folder `journal` of the state directory.
//!
//! A file holds two lines of JSON: the entry, and its configuration or `null`. It is written under another name, synced and
//! renamed, and never changed afterwards: whatever happens during a write, earlier entries are as they were.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::entry::{HistoryEntry, KeptConfiguration};
use crate::control::runtime::private_directory::{BeforeStep, PrivateDirectory};

/// Folder in the state directory.
const FOLDER: &str = "journal";

/// Name of an entry while it is written.
const NEW: &str = "new";

/// End of the names of entries; before it are the digits of the id.
const SUFFIX: &str = ".json.gz";

/// Largest head and largest configuration that are read, in bytes: well above what a configuration may have.
const MAX_HEAD: u64 = 16 << 20;
const MAX_CONFIGURATION: u64 = 256 << 20;

/// The folder of the journal.
#[derive(Debug, Clone)]
pub(super) struct JournalStore {
    folder: PrivateDirectory,
}

/// What is on the disk.
#[derive(Debug, Default)]
pub(super) struct StoredEntries {
    /// Entries that can be read, ascending.
    pub(super) entries: Vec<HistoryEntry>,
    /// Names of files that cannot, with the reasons.
    pub(super) unreadable: Vec<(String, String)>,
    /// The first id that is free.
    pub(super) next_id: u64,
}

fn name_of(id: u64) -> String {
    format!("{id:010}{SUFFIX}")
}

fn id_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let id = digits.parse().ok()?;
    (name_of(id) == name).then_some(id)
}

impl JournalStore {
    /// The journal in a state directory; nothing is read or written yet.
    pub(super) fn in_directory(state: &Path) -> Self {
        Self {
            folder: PrivateDirectory::new(state.join(FOLDER)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Reads all entries, without their configurations.
    ///
    /// # Errors
    /// [`io::Error`] where the folder cannot be read. One that does not exist has no entries.
    pub(super) fn read_all(&self) -> io::Result<StoredEntries> {
        let names = match self.folder.names() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        let mut ids: Vec<u64> = names.iter().filter_map(|name| id_of(name)).collect();
        ids.sort_unstable();
        let mut stored = StoredEntries {
            next_id: ids.last().map_or(1, |id| id.saturating_add(1)),
            ..StoredEntries::default()
        };
        for id in ids {
            match self.read_head(id) {
                Ok(entry) => stored.entries.push(entry),
                Err(error) => stored.unreadable.push((name_of(id), error.to_string())),
            }
        }
        Ok(stored)
    }

    fn lines(&self, id: u64) -> io::Result<impl BufRead> {
        Ok(BufReader::new(GzDecoder::new(self.folder.open(&name_of(id))?)))
    }

    fn read_head(&self, id: u64) -> io::Result<HistoryEntry> {
        let mut entry: HistoryEntry = read_line(&mut self.lines(id)?, MAX_HEAD)?;
        // The name counts.
        entry.id = id;
        Ok(entry)
    }

    /// Reads the configuration of an entry.
    ///
    /// # Errors
    /// [`io::Error`] of the file system, or where the file is not whole.
    pub(super) fn read_configuration(&self, id: u64) -> io::Result<KeptConfiguration> {
        let mut lines = self.lines(id)?;
        let _head: HistoryEntry = read_line(&mut lines, MAX_HEAD)?;
        let configuration: Option<KeptConfiguration> = read_line(&mut lines, MAX_CONFIGURATION)?;
        configuration.ok_or_else(|| io::Error::other("the entry has no configuration"))
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// [`io::Error`] of the file system; no other entry is changed.
    pub(super) fn write(
        &self,
        entry: &HistoryEntry,
        configuration: Option<&KeptConfiguration>,
        before: BeforeStep<'_>,
    ) -> io::Result<()> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        serde_json::to_writer(&mut encoder, entry)?;
        encoder.write_all(b"\n")?;
        serde_json::to_writer(&mut encoder, &configuration)?;
        encoder.write_all(b"\n")?;
        self.folder
            .write(&name_of(entry.id), NEW, &encoder.finish()?, before)
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    pub(super) fn remove(&self, id: u64) -> io::Result<()> {
        self.folder.remove(&name_of(id))
    }
}

fn read_line<T: serde::de::DeserializeOwned>(lines: &mut impl BufRead, most: u64) -> io::Result<T> {
    let mut line = Vec::new();
    lines.take(most).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::control::reload::journal::entry::KeptFile;

    fn entry(id: u64) -> HistoryEntry {
        let mut entry = HistoryEntry {
            id,
            kept: true,
            ..HistoryEntry::default()
        };
        entry.report.generation = id;
        entry
    }

    fn configuration(id: u64) -> KeptConfiguration {
        let file = KeptFile {
            path: "proxy.yaml".into(),
            text: format!("# {id}\n").repeat(1000),
        };
        KeptConfiguration {
            files: vec![file],
            references: Vec::new(),
        }
    }

    fn write(store: &JournalStore, id: u64, before: BeforeStep<'_>) -> io::Result<()> {
        store.write(&entry(id), Some(&configuration(id)), before)
    }

    /// Checks that these entries are there, whole, and nothing else is.
    #[track_caller]
    fn expect(store: &JournalStore, ids: &[u64]) {
        let stored = store.read_all().unwrap();
        assert!(stored.unreadable.is_empty(), "{stored:?}");
        assert_eq!(
            stored.entries,
            ids.iter().map(|id| entry(*id)).collect::<Vec<_>>()
        );
        for id in ids {
            assert_eq!(store.read_configuration(*id).unwrap(), configuration(*id));
        }
    }

    #[test]
    fn killed_at_any_step_of_a_write_it_has_lost_no_earlier_entry() {
        for fatal in 0.. {
            let root = tempfile::TempDir::new().unwrap();
            let store = JournalStore::in_directory(root.path());
            for id in [1, 2] {
                write(&store, id, &|_| Ok(())).unwrap();
            }
            let (steps, last) = (Cell::new(0), Cell::new(String::new()));
            let killed = write(&store, 3, &|step| {
                steps.set(steps.get() + 1);
                last.set(step.to_owned());
                match steps.get() > fatal {
                    true => Err(io::Error::other("killed")),
                    false => Ok(()),
                }
            });
            let last = last.take();
            let is_there = killed.is_ok() || last == "sync the directory";
            expect(&store, if is_there { &[1, 2, 3] } else { &[1, 2] });
            // The next process goes on.
            let next = store.read_all().unwrap().next_id;
            assert_eq!(next, if is_there { 4 } else { 3 }, "{last}");
            write(&store, next, &|_| Ok(())).unwrap();
            expect(&store, if is_there { &[1, 2, 3, 4] } else { &[1, 2, 3] });
            if killed.is_ok() {
                assert!(fatal > 6, "{fatal}");
                return;
            }
        }
    }

    #[test]
    fn what_is_written_is_its_owners_alone_and_small() {
        let root = tempfile::TempDir::new().unwrap();
        let store = JournalStore::in_directory(&root.path().join("state"));
        write(&store, 7, &|_| Ok(())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let file = store.path().join("0000000007.json.gz");
        assert_eq!((mode(store.path()), mode(&file)), (0o700, 0o600));
        assert!(fs::metadata(&file).unwrap().len() < 1000);
        store.remove(7).unwrap();
        store.remove(7).unwrap();
        expect(&store, &[]);
    }

    #[test]
    fn a_file_that_is_no_entry_hides_no_other() {
        let root = tempfile::TempDir::new().unwrap();
        let store = JournalStore::in_directory(root.path());
        for id in [1, 3] {
            write(&store, id, &|_| Ok(())).unwrap();
        }
        for (name, bytes) in [
            ("0000000002.json.gz", "x"),
            ("new", ""),
            ("1.json.gz", ""),
            ("notes", ""),
        ] {
            fs::write(store.path().join(name), bytes).unwrap();
        }
        std::os::unix::fs::symlink("0000000001.json.gz", store.path().join("0000000004.json.gz")).unwrap();
        let stored = store.read_all().unwrap();
        assert_eq!(stored.entries, [entry(1), entry(3)]);
        let unreadable: Vec<&str> = stored.unreadable.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(unreadable, ["0000000002.json.gz", "0000000004.json.gz"]);
        assert_eq!(stored.next_id, 5);
    }
}
