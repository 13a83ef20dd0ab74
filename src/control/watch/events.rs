//! What an event of inotify means for the files that are followed. Pure: the time is an argument.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Instant;

use rustix::fs::inotify::ReadFlags;

use super::links::Children;
use super::writers::{Concern, Place, Writers};

/// One event, as the kernel tells it.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) watch: i32,
    pub(super) flags: ReadFlags,
    /// Joins the two halves of a rename.
    pub(super) cookie: u32,
    /// In the watched directory; empty if the event is about what is watched itself.
    pub(super) name: OsString,
}

/// What a watch is there for.
#[derive(Debug)]
pub(super) enum Subject {
    File,
    Directory(Children),
}

#[derive(Debug)]
pub(super) struct Watched {
    pub(super) path: PathBuf,
    pub(super) subject: Subject,
}

impl Watched {
    fn is_listed(&self) -> bool {
        matches!(&self.subject, Subject::Directory(children) if children.matter())
    }
}

/// What happened, all in all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The files should be looked at.
    pub(super) hint: bool,
    /// A path may lead elsewhere now: watches are to be set anew.
    pub(super) moved: bool,
}

impl Meaning {
    const NOTHING: Self = Self {
        hint: false,
        moved: false,
    };
    const CHANGED: Self = Self {
        hint: true,
        moved: false,
    };
    const MOVED: Self = Self {
        hint: true,
        moved: true,
    };

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            hint: self.hint || other.hint,
            moved: self.moved || other.moved,
        }
    }
}

/// The watches that are set, and what has been seen through them.
#[derive(Debug, Default)]
pub(super) struct Watches {
    by_number: HashMap<i32, Watched>,
    writers: Writers,
}

impl Watches {
    /// Replaces the watches; returns those that are no longer wanted, and whether there are directories in which
    /// something may have happened before they were watched.
    pub(super) fn replace(&mut self, wanted: HashMap<i32, Watched>) -> (Vec<i32>, bool) {
        let gone = self.by_number.keys().filter(|watch| !wanted.contains_key(watch));
        let gone: Vec<i32> = gone.copied().collect();
        for watch in &gone {
            self.writers.unwatched(*watch);
        }
        let mut watched = wanted.iter();
        let unseen = watched.any(|(watch, watched)| watched.is_listed() && !self.is_listed(*watch));
        self.by_number = wanted;
        (gone, unseen)
    }

    pub(super) fn take(&mut self, event: Event, now: Instant) -> Meaning {
        let flags = event.flags;
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            // Whatever was lost, a known writer is still waited for: its end may be among it.
            return Meaning::MOVED;
        }
        if !self.by_number.contains_key(&event.watch) {
            return Meaning::NOTHING;
        }
        if flags.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
            self.by_number.remove(&event.watch);
            self.writers.unwatched(event.watch);
            return Meaning::MOVED;
        }
        let place = (event.watch, event.name);
        let concern = self.concern(&place);
        self.note_writer(place, flags, event.cookie, now);
        meaning(concern, flags)
    }

    /// Until when somebody is taken to be writing what would be looked at.
    pub(super) fn writing_until(&self) -> Option<Instant> {
        self.writers.hold_until(|place| self.concern(place))
    }

    /// Files that have appeared and of which no write was seen, with the path to look at them. What turns out not
    /// to be an empty file is to be told to [`Watches::is_complete`].
    pub(super) fn unwritten(&self) -> Vec<(Place, PathBuf)> {
        let path = |place: Place| {
            let watched = self.by_number.get(&place.0)?;
            let path = watched.path.join(&place.1);
            (self.concern(&place) != Concern::None).then_some((place, path))
        };
        self.writers.unwritten().into_iter().filter_map(path).collect()
    }

    /// Nobody is going to close this file: it came complete.
    pub(super) fn is_complete(&mut self, place: &Place) {
        self.writers.done(place);
    }

    pub(super) fn looked(&mut self) {
        self.writers.looked();
    }

    fn note_writer(&mut self, place: Place, flags: ReadFlags, cookie: u32, now: Instant) {
        if flags.contains(ReadFlags::ISDIR) {
            return;
        }
        if flags.contains(ReadFlags::CREATE) {
            self.writers.created(place, now);
        } else if flags.contains(ReadFlags::MODIFY) {
            self.writers.wrote(place, now);
        } else if flags.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::DELETE) {
            self.writers.done(&place);
        } else if flags.contains(ReadFlags::MOVED_FROM) {
            self.writers.moved_from(&place, cookie);
        } else if flags.contains(ReadFlags::MOVED_TO) {
            self.writers.moved_to(place, cookie);
        }
    }

    fn is_listed(&self, watch: i32) -> bool {
        self.by_number.get(&watch).is_some_and(Watched::is_listed)
    }

    fn concern(&self, (watch, name): &Place) -> Concern {
        match self.by_number.get(watch).map(|watched| &watched.subject) {
            Some(Subject::File) => Concern::Followed,
            Some(Subject::Directory(children)) => concern_in(children, name),
            None => Concern::None,
        }
    }
}

fn concern_in(children: &Children, name: &OsStr) -> Concern {
    if name.is_empty() || children.names.contains(name) {
        Concern::Followed
    } else if children.all && !is_hidden(name) {
        Concern::Neighbour
    } else {
        Concern::None
    }
}

/// What no glob matches: editors keep their notes under such names.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn meaning(concern: Concern, flags: ReadFlags) -> Meaning {
    let elsewhere = ReadFlags::CREATE
        | ReadFlags::DELETE
        | ReadFlags::MOVED_FROM
        | ReadFlags::MOVED_TO
        | ReadFlags::MOVE_SELF
        | ReadFlags::DELETE_SELF;
    let written = ReadFlags::MODIFY | ReadFlags::CLOSE_WRITE | ReadFlags::ATTRIB;
    match concern {
        Concern::Followed if flags.intersects(elsewhere) => Meaning::MOVED,
        Concern::Followed if flags.intersects(written) => Meaning::CHANGED,
        // A neighbour that existed and is written to is one that nobody included.
        Concern::Neighbour if flags.intersects(elsewhere | ReadFlags::CLOSE_WRITE) => Meaning::CHANGED,
        _ => Meaning::NOTHING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTORY: i32 = 1;
    const FILE: i32 = 2;
    const INCLUDES: i32 = 3;

    fn watches() -> Watches {
        let directory = |path: &str, names: &[&str], all| Watched {
            path: PathBuf::from(path),
            subject: Subject::Directory(Children {
                names: names.iter().map(OsString::from).collect(),
                all,
            }),
        };
        let file = Watched {
            path: PathBuf::from("/etc/a"),
            subject: Subject::File,
        };
        let mut watches = Watches::default();
        watches.replace(HashMap::from([
            (DIRECTORY, directory("/etc", &["a"], false)),
            (FILE, file),
            (INCLUDES, directory("/etc/d", &[], true)),
        ]));
        watches
    }

    fn take(watches: &mut Watches, watch: i32, flags: ReadFlags, name: &str) -> Meaning {
        let event = Event {
            watch,
            flags,
            cookie: 0,
            name: OsString::from(name),
        };
        watches.take(event, Instant::now())
    }

    #[test]
    fn other_peoples_files_mean_nothing() {
        let mut watches = watches();
        for flags in [ReadFlags::CREATE, ReadFlags::MODIFY, ReadFlags::MOVED_TO] {
            assert_eq!(take(&mut watches, DIRECTORY, flags, "log"), Meaning::NOTHING);
        }
        assert_eq!(watches.writing_until(), None);
    }

    #[test]
    fn reading_means_nothing() {
        let mut watches = watches();
        for flags in [ReadFlags::OPEN, ReadFlags::ACCESS, ReadFlags::CLOSE_NOWRITE] {
            assert_eq!(take(&mut watches, DIRECTORY, flags, "a"), Meaning::NOTHING);
            assert_eq!(take(&mut watches, FILE, flags, ""), Meaning::NOTHING);
        }
    }

    #[test]
    fn a_lost_event_means_that_anything_may_have_happened() {
        let mut watches = watches();
        assert_eq!(
            take(&mut watches, -1, ReadFlags::QUEUE_OVERFLOW, ""),
            Meaning::MOVED
        );
    }

    #[test]
    fn a_lost_watch_is_to_be_set_anew() {
        let mut watches = watches();
        assert_eq!(take(&mut watches, FILE, ReadFlags::MODIFY, ""), Meaning::CHANGED);
        assert!(watches.writing_until().is_some());
        assert_eq!(take(&mut watches, FILE, ReadFlags::IGNORED, ""), Meaning::MOVED);
        assert_eq!(watches.writing_until(), None);
        assert_eq!(take(&mut watches, FILE, ReadFlags::MODIFY, ""), Meaning::NOTHING);
    }

    #[test]
    fn a_neighbour_counts_when_it_comes_goes_or_is_finished() {
        let mut watches = watches();
        assert_eq!(
            take(&mut watches, INCLUDES, ReadFlags::CREATE, "b"),
            Meaning::CHANGED
        );
        assert!(watches.writing_until().is_some());
        assert_eq!(
            take(&mut watches, INCLUDES, ReadFlags::MODIFY, "b"),
            Meaning::NOTHING
        );
        assert_eq!(
            take(&mut watches, INCLUDES, ReadFlags::CLOSE_WRITE, "b"),
            Meaning::CHANGED
        );
        assert_eq!(watches.writing_until(), None);
        assert_eq!(
            take(&mut watches, INCLUDES, ReadFlags::CREATE, ".b.swp"),
            Meaning::NOTHING
        );
    }

    #[test]
    fn a_directory_that_moves_away_is_noticed() {
        let mut watches = watches();
        assert_eq!(
            take(&mut watches, DIRECTORY, ReadFlags::MOVE_SELF, ""),
            Meaning::MOVED
        );
        assert_eq!(watches.writing_until(), None);
    }

    #[test]
    fn what_appeared_is_told_with_its_path_until_it_is_known_to_be_complete() {
        let mut watches = watches();
        take(&mut watches, DIRECTORY, ReadFlags::CREATE, "a");
        let unwritten = watches.unwritten();
        assert_eq!(unwritten.len(), 1);
        assert_eq!(unwritten[0].1, PathBuf::from("/etc/a"));
        watches.is_complete(&unwritten[0].0);
        assert_eq!(watches.writing_until(), None);
    }
}
