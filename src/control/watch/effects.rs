//! The effect of a file event on the files that are followed.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use notify::event::{AccessKind, AccessMode, Event, EventKind, ModifyKind, RenameMode};

use super::links::Children;
use super::writers::Writers;

/// What a path is to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relevance {
    /// A file that is followed, or a link or directory on the way to it.
    Followed,
    /// A file in a directory in which new files count.
    Included,
    /// A file that the configuration does not name.
    None,
}

/// What has to be done because of an event; each includes the one before.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EventEffect {
    #[default]
    None,
    /// The files have to be read.
    Changed,
    /// A path may lead elsewhere now: watches have to be set anew.
    Moved,
}

/// The paths that are watched, and the writers seen there.
#[derive(Debug, Default)]
pub(super) struct Watches {
    pub(super) directories: HashMap<PathBuf, Children>,
    pub(super) files: HashSet<PathBuf>,
    pub(super) writers: Writers,
}

impl Watches {
    /// Takes note of an event.
    pub(super) fn take(&mut self, event: &Event, now: Instant) -> EventEffect {
        if event.need_rescan() {
            // A writer that is known is still waited for: its end may be among the events that were lost.
            return EventEffect::Moved;
        }
        let Some(path) = event.paths.first() else {
            return EventEffect::None;
        };
        if self.is_listed(path) {
            self.note_writer(path, event, now);
        }
        effect(self.relevance(path), event.kind)
    }

    /// Time until which a file that would be read counts as open for writing.
    pub(super) fn writing_until(&self) -> Option<Instant> {
        self.writers.hold_until(|path| self.relevance(path))
    }

    fn note_writer(&mut self, path: &Path, event: &Event, now: Instant) {
        match event.kind {
            // A file that comes by a link is complete, and no close follows.
            EventKind::Create(_) if is_empty_file(path) => self.writers.created(path, now),
            EventKind::Modify(ModifyKind::Data(_)) => self.writers.wrote(path, now),
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => self.writers.done(path),
            // The end of a file that was replaced is reported after the arrival of the one that replaced it, and by
            // the same path.
            EventKind::Remove(_) if path.symlink_metadata().is_err() => self.writers.done(path),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                self.writers.renamed_from(path, event.tracker());
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                self.writers.renamed_to(path, event.tracker(), now);
            }
            _ => (),
        }
    }

    /// Whether `path` is watched itself, or stands in a directory in which names matter.
    fn is_listed(&self, path: &Path) -> bool {
        let parent = path.parent().and_then(|parent| self.directories.get(parent));
        self.files.contains(path) || parent.is_some_and(Children::matter)
    }

    fn relevance(&self, path: &Path) -> Relevance {
        let is_watched = self.files.contains(path) || self.directories.contains_key(path);
        let place = path.parent().zip(path.file_name());
        let siblings = place.and_then(|(parent, name)| Some((self.directories.get(parent)?, name)));
        match siblings {
            _ if is_watched => Relevance::Followed,
            Some((children, name)) if children.names.contains(name) => Relevance::Followed,
            Some((children, name)) if children.all && !is_hidden(name) => Relevance::Included,
            _ => Relevance::None,
        }
    }
}

fn is_empty_file(path: &Path) -> bool {
    let metadata = path.symlink_metadata();
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

/// Whether no pattern matches this name: editors keep their notes under such names.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn effect(relevance: Relevance, kind: EventKind) -> EventEffect {
    let (is_moved, is_closed) = match kind {
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Remove(_)
        | EventKind::Modify(ModifyKind::Any | ModifyKind::Name(_)) => (true, false),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => (false, true),
        EventKind::Modify(_) => (false, false),
        EventKind::Access(_) | EventKind::Other => return EventEffect::None,
    };
    match relevance {
        Relevance::Followed if is_moved => EventEffect::Moved,
        Relevance::Followed => EventEffect::Changed,
        // One that was there before and is being written is followed already, or no pattern matches it.
        Relevance::Included if is_moved || is_closed => EventEffect::Changed,
        Relevance::Included | Relevance::None => EventEffect::None,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind};

    use super::*;

    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CREATE: EventKind = EventKind::Create(CreateKind::File);
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    fn watches() -> Watches {
        let children = |names: &[&str], all| Children {
            names: names.iter().map(OsString::from).collect(),
            all,
        };
        Watches {
            directories: HashMap::from([
                (PathBuf::from("/"), children(&[], false)),
                (PathBuf::from("/etc"), children(&["a"], false)),
                (PathBuf::from("/etc/d"), children(&[], true)),
            ]),
            files: HashSet::from([PathBuf::from("/etc/a")]),
            writers: Writers::default(),
        }
    }

    fn take(watches: &mut Watches, kind: EventKind, path: &str) -> EventEffect {
        watches.take(&Event::new(kind).add_path(PathBuf::from(path)), Instant::now())
    }

    #[test]
    fn other_peoples_files_have_no_effect() {
        let mut watches = watches();
        for path in ["/etc/log", "/log"] {
            for kind in [CREATE, WRITE, EventKind::Modify(ModifyKind::Name(RenameMode::To))] {
                assert_eq!(take(&mut watches, kind, path), EventEffect::None);
            }
        }
        assert_eq!(watches.writing_until(), None);
    }

    #[test]
    fn reading_has_no_effect() {
        let mut watches = watches();
        for kind in [
            AccessKind::Open(AccessMode::Any),
            AccessKind::Close(AccessMode::Read),
        ] {
            assert_eq!(
                take(&mut watches, EventKind::Access(kind), "/etc/a"),
                EventEffect::None
            );
        }
    }

    #[test]
    fn after_a_lost_event_anything_may_have_happened() {
        let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(watches().take(&lost, Instant::now()), EventEffect::Moved);
    }

    #[test]
    fn what_happens_to_a_directory_on_the_way_moves_paths() {
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        assert_eq!(take(&mut watches(), moved, "/etc"), EventEffect::Moved);
        let removed = EventKind::Remove(RemoveKind::Folder);
        assert_eq!(take(&mut watches(), removed, "/etc/d"), EventEffect::Moved);
    }

    #[test]
    fn permissions_of_a_followed_file_count() {
        let permissions = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        assert_eq!(take(&mut watches(), permissions, "/etc/a"), EventEffect::Changed);
        assert_eq!(take(&mut watches(), permissions, "/etc/d/a"), EventEffect::None);
    }

    #[test]
    fn a_new_file_among_includes_is_a_change_and_a_write_to_one_nobody_included_is_none() {
        let mut watches = watches();
        assert_eq!(take(&mut watches, CREATE, "/etc/d/new"), EventEffect::Changed);
        assert_eq!(take(&mut watches, WRITE, "/etc/d/new"), EventEffect::None);
        assert_eq!(take(&mut watches, CLOSE, "/etc/d/new"), EventEffect::Changed);
        assert_eq!(take(&mut watches, CREATE, "/etc/d/.new.swp"), EventEffect::None);
    }

    #[test]
    fn a_new_empty_file_is_being_written_and_a_new_link_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut watches = Watches::default();
        let children = Children {
            all: true,
            ..Children::default()
        };
        watches.directories.insert(directory.path().to_owned(), children);
        std::os::unix::fs::symlink("elsewhere", directory.path().join("link")).unwrap();
        take(
            &mut watches,
            CREATE,
            directory.path().join("link").to_str().unwrap(),
        );
        assert_eq!(watches.writing_until(), None);
        let empty = directory.path().join("empty");
        std::fs::write(&empty, "").unwrap();
        take(&mut watches, CREATE, empty.to_str().unwrap());
        assert!(watches.writing_until().is_some());
        take(&mut watches, CLOSE, empty.to_str().unwrap());
        assert_eq!(watches.writing_until(), None);
    }
}
