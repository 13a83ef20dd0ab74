//! File events of the operating system, by the `notify` crate, and what has to be made good for it.
//!
//! Measured with notify 8.2 on Linux (issues and pull requests are those of notify-rs/notify):
//! - A watch stays with its file when that is renamed or replaced, and goes on under the old path (#165, #555); the end of
//!   the old file then removes the watch of the new one. Here every path has the identity of its file, and a watch whose
//!   file is another one is removed before it is set anew.
//! - With the event of a rename or removal, notify drops the watches at that path and below. Here they are
//!   forgotten with the same event.
//! - Two paths to one file share one watch, which reports one of them (#245), and removing either removes it. Here a file
//!   is watched by one of its paths.
//! - Every watch reports opening, of every file in the directory (#612; 9.0 can be told not to, #736). Here those events
//!   are dropped on notify's thread, or reading the configuration would be a reason to read it again.
//! - `watch`, `unwatch` and dropping a watcher panic when its thread has ended or could not be started. Here that is an
//!   error.
//! - Events are delivered by another thread, some time after the fact. Here opening a private file, the marker,
//!   makes an event behind all that have happened before.
//! - Not made good: a file that was replaced while it was open for writing reports writes by its old path
//!   (`IN_EXCL_UNLINK` is not set). Such a writer delays hints until it closes the file, or pauses for long.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, Error, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::links::{Children, Needs};

/// What comes from the operating system.
#[derive(Debug)]
pub(super) enum Delivery {
    Event(Event),
    /// Events were lost.
    Loss,
    /// Everything that happened before [`FileEvents::touch_marker`] has been delivered.
    Mark,
}

/// Takes a delivery on another thread; must not block.
pub(super) type Deliver = Box<dyn Fn(Delivery) + Send>;

/// Device and inode.
type InodeId = (u64, u64);

pub(super) struct FileEvents {
    /// `None` after a panic.
    watcher: Option<RecommendedWatcher>,
    /// Files and directories by the path that they are watched by.
    watched: HashMap<PathBuf, InodeId>,
    /// Paths whose watches are gone, or will report another path.
    stale: Vec<PathBuf>,
    marker: Option<Marker>,
}

/// What came of setting watches.
#[derive(Debug, Default)]
pub(super) struct Armed {
    pub(super) directories: HashMap<PathBuf, Children>,
    pub(super) files: HashSet<PathBuf>,
    /// Directories that were not watched before, in which names matter.
    pub(super) new_directories: Vec<PathBuf>,
    /// Why not everything is watched. What is gone in the meantime is no failure.
    pub(super) failure: Option<String>,
}

impl FileEvents {
    /// Starts without watches.
    ///
    /// # Errors
    ///
    /// There are no events; the reason in words.
    pub(super) fn new(deliver: Deliver) -> Result<Self, String> {
        let marker = Marker::new();
        let marked = marker.as_ref().map(|marker| marker.path.clone());
        let handler = move |event: notify::Result<Event>| match event {
            Ok(event) if is_reading(event.kind) => {
                if event.paths.first() == marked.as_ref() {
                    deliver(Delivery::Mark);
                }
            }
            Ok(event) => deliver(Delivery::Event(event)),
            Err(_) => deliver(Delivery::Loss),
        };
        let watcher = RecommendedWatcher::new(handler, Config::default()).map_err(|error| reason(&error))?;
        let mut events = Self {
            watcher: Some(watcher),
            watched: HashMap::new(),
            stale: Vec::new(),
            marker: None,
        };
        events.marker = marker.filter(|marker| events.watch(&marker.path).is_ok());
        Ok(events)
    }

    /// Watches `needs` and nothing else.
    pub(super) fn arm(&mut self, needs: Needs) -> Armed {
        let mut armed = Armed::default();
        let mut wanted = Wanted::default();
        for (path, children) in needs.directories {
            if let Some(path) = wanted.add(path) {
                armed.directories.entry(path).or_default().merge(children);
            }
        }
        for path in needs.files {
            armed.files.extend(wanted.add(path));
        }
        self.unwatch_all_but(&wanted.by_id);
        self.watch_all(wanted, &mut armed);
        armed
    }

    /// Whether events may still come.
    pub(super) fn is_alive(&self) -> bool {
        self.watcher.is_some()
    }

    /// Forgets the watches that notify drops with this event.
    pub(super) fn forget_dropped(&mut self, event: &Event) {
        let is_dropped = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From | RenameMode::Any))
        );
        for path in event.paths.iter().filter(|_| is_dropped) {
            // All directories above what is watched are watched, too.
            if self.watched.contains_key(path) {
                let dropped = self.watched.extract_if(|watched, _| watched.starts_with(path));
                self.stale.extend(dropped.map(|(path, _)| path));
            }
        }
    }

    /// Makes the event that becomes [`Delivery::Mark`]. Returns false if there will be none.
    pub(super) fn touch_marker(&self) -> bool {
        let marker = self.marker.as_ref();
        marker.is_some_and(|marker| File::open(&marker.path).is_ok())
    }

    fn unwatch_all_but(&mut self, wanted: &HashMap<InodeId, PathBuf>) {
        let mut gone = std::mem::take(&mut self.stale);
        let unwanted = |path: &PathBuf, id: &mut InodeId| wanted.get(id) != Some(path);
        gone.extend(self.watched.extract_if(unwanted).map(|(path, _)| path));
        for path in gone {
            if let Err(error) = self.call(|watcher| watcher.unwatch(&path)) {
                tracing::trace!(%error, "a watch was gone already");
            }
        }
    }

    fn watch_all(&mut self, wanted: Wanted, armed: &mut Armed) {
        for (path, id) in wanted.in_order {
            if self.watched.contains_key(&path) {
                continue;
            }
            let is_listed = armed.directories.get(&path).is_some_and(Children::matter);
            match self.watch(&path) {
                Ok(()) => {
                    self.watched.insert(path.clone(), id);
                    if is_listed {
                        armed.new_directories.push(path);
                    }
                }
                Err(error) if is_gone(&error) => (),
                // The directory above reports nearly everything that happens to what may not be read.
                Err(error) if errno(&error) == Some(Errno::ACCESS) && !is_listed => (),
                Err(error) => {
                    let failure = || format!("{}: {}", path.display(), reason(&error));
                    armed.failure.get_or_insert_with(failure);
                    // The limit holds for all that would follow.
                    if matches!(error.kind, ErrorKind::MaxFilesWatch) || !self.is_alive() {
                        return;
                    }
                }
            }
        }
    }

    fn watch(&mut self, path: &Path) -> notify::Result<()> {
        self.call(|watcher| watcher.watch(path, RecursiveMode::NonRecursive))
    }

    fn call<T>(
        &mut self,
        work: impl FnOnce(&mut RecommendedWatcher) -> notify::Result<T>,
    ) -> notify::Result<T> {
        let ended = || Error::generic("the thread that reads them has ended");
        let mut watcher = self.watcher.take().ok_or_else(ended)?;
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(&mut watcher))) {
            self.watcher = Some(watcher);
            return result;
        }
        std::mem::forget(watcher);
        Err(ended())
    }
}

impl Drop for FileEvents {
    fn drop(&mut self) {
        let watcher = self.watcher.take();
        if catch_unwind(AssertUnwindSafe(|| drop(watcher))).is_err() {
            tracing::debug!("the thread that reads file events had ended");
        }
    }
}

/// Files and directories to watch, each by one of its paths.
#[derive(Default)]
struct Wanted {
    by_id: HashMap<InodeId, PathBuf>,
    in_order: Vec<(PathBuf, InodeId)>,
}

impl Wanted {
    /// Adds what stands at `path`. Returns the path to watch it by; `None` if there is nothing.
    fn add(&mut self, path: PathBuf) -> Option<PathBuf> {
        // Links on the way have been followed before.
        let metadata = path.symlink_metadata().ok()?;
        let id = (metadata.dev(), metadata.ino());
        match self.by_id.entry(id) {
            Entry::Occupied(known) => Some(known.get().clone()),
            Entry::Vacant(unknown) => {
                self.in_order.push((path.clone(), id));
                Some(unknown.insert(path).clone())
            }
        }
    }
}

/// A private file in memory.
struct Marker {
    path: PathBuf,
    _memory: OwnedFd,
}

impl Marker {
    #[cfg(target_os = "linux")]
    fn new() -> Option<Self> {
        use std::os::fd::AsRawFd;

        let memory = rustix::fs::memfd_create("kproxy-marker", rustix::fs::MemfdFlags::CLOEXEC).ok()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
        Some(Self {
            path,
            _memory: memory,
        })
    }
}

fn is_reading(kind: EventKind) -> bool {
    let is_end_of_write = kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
    kind.is_access() && !is_end_of_write
}

fn errno(error: &Error) -> Option<Errno> {
    match &error.kind {
        ErrorKind::Io(error) => Errno::from_io_error(error),
        _ => None,
    }
}

/// Whether something else stands at the path than a moment ago: the next walk finds it.
fn is_gone(error: &Error) -> bool {
    let is_other = matches!(errno(error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP));
    is_other || matches!(error.kind, ErrorKind::PathNotFound)
}

/// What went wrong, with what to do about it.
fn reason(error: &Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => "too many watches of this user (fs.inotify.max_user_watches)".to_owned(),
        ErrorKind::Io(_) if errno(error) == Some(Errno::MFILE) => {
            "too many inotify instances of this user (fs.inotify.max_user_instances) or open files".to_owned()
        }
        ErrorKind::Io(error) => error.to_string(),
        ErrorKind::Generic(text) => text.clone(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    struct Fixture {
        _directory: tempfile::TempDir,
        root: PathBuf,
        events: FileEvents,
        delivered: Receiver<Delivery>,
    }

    impl Fixture {
        fn new() -> Self {
            let (sender, delivered) = channel();
            let directory = tempfile::tempdir().unwrap();
            Self {
                root: directory.path().canonicalize().unwrap(),
                _directory: directory,
                events: FileEvents::new(Box::new(move |delivery| drop(sender.send(delivery)))).unwrap(),
                delivered,
            }
        }

        /// Watches these files, which are in the fixture's directory, alone.
        fn arm(&mut self, files: &[&str]) {
            let files: BTreeSet<PathBuf> = files.iter().map(|name| self.root.join(name)).collect();
            let armed = self.events.arm(Needs {
                files,
                ..Needs::default()
            });
            assert_eq!(armed.failure, None);
        }

        /// The names of the files that events have named so far.
        fn named(&mut self) -> Vec<String> {
            assert!(self.events.touch_marker());
            let mut names = BTreeSet::new();
            loop {
                match self.delivered.recv_timeout(PATIENCE).unwrap() {
                    Delivery::Mark => return names.into_iter().collect(),
                    Delivery::Loss => panic!("lost"),
                    Delivery::Event(event) => {
                        self.events.forget_dropped(&event);
                        let name = event.paths[0].file_name().unwrap();
                        names.insert(name.to_string_lossy().into_owned());
                    }
                }
            }
        }

        fn write(&self, name: &str) {
            fs::write(self.root.join(name), "x").unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.root.join(from), self.root.join(to)).unwrap();
        }
    }

    #[test]
    fn what_has_happened_is_delivered_before_the_mark() {
        let mut fixture = Fixture::new();
        fixture.write("a");
        fixture.arm(&["a"]);
        for _ in 0..200 {
            fixture.write("a");
            assert_eq!(fixture.named(), ["a"]);
            assert!(fixture.named().is_empty());
        }
    }

    #[test]
    fn reading_is_not_delivered() {
        let mut fixture = Fixture::new();
        fixture.write("a");
        fixture.arm(&["a"]);
        fs::read(fixture.root.join("a")).unwrap();
        assert!(fixture.named().is_empty());
    }

    /// #165, #555
    #[test]
    fn a_file_that_took_the_place_of_another_is_watched_and_the_other_is_not() {
        let mut fixture = Fixture::new();
        fixture.write("a");
        fixture.write("next");
        fixture.arm(&["a"]);
        let mut old = File::options().append(true).open(fixture.root.join("a")).unwrap();
        fixture.rename("next", "a");
        fixture.named();
        fixture.arm(&["a"]);
        std::io::Write::write_all(&mut old, b"x").unwrap();
        drop(old);
        assert!(fixture.named().is_empty());
        fixture.write("a");
        assert_eq!(fixture.named(), ["a"]);
    }

    #[test]
    fn a_file_that_comes_back_is_watched_again() {
        let mut fixture = Fixture::new();
        fixture.write("a");
        fixture.arm(&["a"]);
        fixture.rename("a", "b");
        fixture.rename("b", "a");
        assert!(!fixture.named().is_empty());
        fixture.arm(&["a"]);
        fixture.write("a");
        assert_eq!(fixture.named(), ["a"]);
    }

    /// #245
    #[test]
    fn a_file_of_two_names_is_watched_until_neither_is_followed() {
        let mut fixture = Fixture::new();
        fixture.write("a");
        fs::hard_link(fixture.root.join("a"), fixture.root.join("b")).unwrap();
        fixture.arm(&["a", "b"]);
        fixture.arm(&["b"]);
        fixture.write("a");
        assert_eq!(fixture.named(), ["b"]);
        fixture.arm(&[]);
        fixture.write("a");
        assert!(fixture.named().is_empty());
    }

    #[test]
    fn the_end_of_the_thread_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let (sender, ended) = channel::<()>();
        let mut events = FileEvents::new(Box::new(move |_| {
            let _dropped_with_the_thread = &sender;
            panic!("a fault in the handler");
        }))
        .unwrap();
        let needs = |path: &Path| Needs {
            files: BTreeSet::from([path.to_owned()]),
            ..Needs::default()
        };
        assert_eq!(events.arm(needs(&path)).failure, None);
        fs::write(path.join("a"), "").unwrap();
        assert!(ended.recv_timeout(PATIENCE).is_err());
        let failure = events.arm(needs(&path.join("a"))).failure.unwrap();
        assert!(
            failure.ends_with("the thread that reads them has ended"),
            "{failure}"
        );
        assert!(events.arm(needs(&path.join("a"))).failure.is_some());
    }

    #[test]
    fn limits_are_named() {
        let full = Error::new(ErrorKind::MaxFilesWatch);
        assert!(reason(&full).contains("fs.inotify.max_user_watches"));
        let full = Error::io(Errno::MFILE.into());
        assert!(reason(&full).contains("fs.inotify.max_user_instances"));
    }
}
