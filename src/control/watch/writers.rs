//! Files that are open for writing, as events report it. Pure: the time is an argument.
//!
//! The kernel reports every write and, when the writer closes the file, the end; in between the file holds a prefix of
//! what it will hold. A file that was created and is still empty is being written, too.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::effects::Relevance;

/// Time after its last write at which a writer counts as done although it has not closed the file.
pub(super) const MAX_WRITE_PAUSE: Duration = Duration::from_secs(30);

/// Maximum number of open files that are remembered. Files that are not followed are among them: they may be renamed.
const CAPACITY: usize = 4096;

/// Whether the operating system reports that a writer has closed its file.
const REPORTS_CLOSE: bool = cfg!(target_os = "linux");

#[derive(Debug, Default)]
pub(super) struct Writers {
    open: HashMap<PathBuf, FileWriter>,
    /// Tracker and writer of a file that has left one path and not yet arrived at another.
    moving: Option<(usize, FileWriter)>,
}

#[derive(Debug, Clone, Copy)]
struct FileWriter {
    last_write: Instant,
    /// Time at which the file appeared at its path, if it was seen to.
    appeared: Option<Instant>,
}

impl Writers {
    /// Notes a new, empty file.
    pub(super) fn created(&mut self, path: &Path, now: Instant) {
        let writer = FileWriter {
            last_write: now,
            appeared: Some(now),
        };
        self.insert(path, writer, now);
    }

    /// Notes a write.
    pub(super) fn wrote(&mut self, path: &Path, now: Instant) {
        let appeared = self.open.get(path).and_then(|writer| writer.appeared);
        let writer = FileWriter {
            last_write: now,
            appeared,
        };
        self.insert(path, writer, now);
    }

    /// Notes that the writer has closed the file, or that the file is gone from its path.
    pub(super) fn done(&mut self, path: &Path) {
        self.open.remove(path);
    }

    /// Notes that nothing is known any more about files in `directory`.
    pub(super) fn forget_in(&mut self, directory: &Path) {
        self.open.retain(|path, _| path.parent() != Some(directory));
    }

    /// Notes that a file leaves its path; `tracker` is that of its arrival.
    pub(super) fn renamed_from(&mut self, path: &Path, tracker: Option<usize>) {
        self.moving = tracker.zip(self.open.remove(path));
    }

    /// Notes that a file arrives. A rename does not end a write.
    pub(super) fn renamed_to(&mut self, path: &Path, tracker: Option<usize>, now: Instant) {
        self.open.remove(path);
        if let Some((from, mut writer)) = self.moving.take()
            && Some(from) == tracker
        {
            writer.appeared = Some(now);
            self.insert(path, writer, now);
        }
    }

    /// Time until which hints have to wait. Whether an included file counts is not known, so it delays them only when
    /// it has just appeared: it may be a log.
    pub(super) fn hold_until(&self, relevance: impl Fn(&Path) -> Relevance) -> Option<Instant> {
        let until = |(path, writer): (&PathBuf, &FileWriter)| match relevance(path) {
            Relevance::Followed => Some(writer.last_write + MAX_WRITE_PAUSE),
            Relevance::Included => writer.appeared.map(|appeared| appeared + MAX_WRITE_PAUSE),
            Relevance::None => None,
        };
        self.open.iter().filter_map(until).max()
    }

    fn insert(&mut self, path: &Path, writer: FileWriter, now: Instant) {
        if !REPORTS_CLOSE {
            return;
        }
        if self.open.len() >= CAPACITY {
            self.open
                .retain(|_, writer| writer.last_write + MAX_WRITE_PAUSE > now);
        }
        if self.open.len() < CAPACITY || self.open.contains_key(path) {
            self.open.insert(path.to_owned(), writer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follows(name: &'static str) -> impl Fn(&Path) -> Relevance {
        move |path| match path == Path::new(name) {
            true => Relevance::Followed,
            false => Relevance::None,
        }
    }

    fn included(_: &Path) -> Relevance {
        Relevance::Included
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_write_holds_until_it_is_closed() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(Path::new("a"), start);
        writers.wrote(Path::new("a"), start + seconds(20));
        assert_eq!(writers.hold_until(follows("a")), Some(start + seconds(50)));
        writers.done(Path::new("a"));
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn files_nobody_follows_hold_nothing() {
        let mut writers = Writers::default();
        writers.wrote(Path::new("log"), Instant::now());
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn a_file_renamed_while_it_is_written_is_still_being_written() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(Path::new("temporary"), start);
        writers.renamed_from(Path::new("temporary"), Some(7));
        writers.renamed_to(Path::new("a"), Some(7), start);
        assert_eq!(writers.hold_until(follows("a")), Some(start + MAX_WRITE_PAUSE));
    }

    #[test]
    fn a_closed_file_that_replaces_a_half_written_one_is_complete() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(Path::new("a"), start);
        writers.renamed_from(Path::new("temporary"), Some(7));
        writers.renamed_to(Path::new("a"), Some(7), start);
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn a_move_from_elsewhere_does_not_inherit_an_earlier_one() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(Path::new("temporary"), start);
        writers.renamed_from(Path::new("temporary"), Some(7));
        writers.renamed_to(Path::new("a"), Some(8), start);
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn an_included_file_holds_while_it_is_new_and_not_for_ever() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(Path::new("log"), start);
        assert_eq!(writers.hold_until(included), None);
        writers.created(Path::new("new"), start);
        writers.wrote(Path::new("new"), start + seconds(29));
        assert_eq!(writers.hold_until(included), Some(start + MAX_WRITE_PAUSE));
    }

    #[test]
    fn files_in_a_directory_that_is_watched_anew_hold_nothing() {
        let mut writers = Writers::default();
        writers.wrote(Path::new("d/a"), Instant::now());
        writers.forget_in(Path::new("d"));
        assert_eq!(writers.hold_until(follows("d/a")), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let start = Instant::now();
        let mut writers = Writers::default();
        for number in 0..=CAPACITY {
            writers.wrote(Path::new(&number.to_string()), start);
        }
        assert_eq!(writers.open.len(), CAPACITY);
        writers.wrote(Path::new("a"), start + MAX_WRITE_PAUSE);
        assert!(writers.hold_until(follows("a")).is_some());
    }
}
