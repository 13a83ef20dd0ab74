//! The kernel's side of watching: sets watches and reads events. Nothing in here waits.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::events::{Event, Subject, Watched};
use super::links::{Children, Needs};

/// Never `OPEN` or `CLOSE_NOWRITE`: that the files are read is none of our business, least of all by ourselves.
const FILE: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::MASK_ADD);

/// A directory on the way.
const PASSED: WatchFlags = WatchFlags::MOVE_SELF
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::MASK_ADD);

/// A directory in which names matter.
const DIRECTORY: WatchFlags = PASSED
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::EXCL_UNLINK);

/// Events read in one go. A batch is an answer to "what has happened so far"; an endless stream must not make it
/// endless.
const BATCH: usize = 65_536;

#[derive(Debug)]
pub(super) struct Inotify {
    queue: OwnedFd,
    buffer: Box<[MaybeUninit<u8>]>,
}

/// What came of setting watches.
#[derive(Debug, Default)]
pub(super) struct Armed {
    pub(super) watches: HashMap<i32, Watched>,
    /// The first thing that ought to be watched and is not. What has gone in the meantime is no failure.
    pub(super) failed: Option<(PathBuf, Errno)>,
}

impl Inotify {
    /// # Errors
    ///
    /// `EMFILE`: too many instances of this user (`fs.inotify.max_user_instances`) or descriptors of this process.
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self {
            queue: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            buffer: vec![MaybeUninit::uninit(); 64 * 1024].into_boxed_slice(),
        })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }

    /// Watches what `needs` says. A watch belongs to an inode: what is watched already keeps its number, and what
    /// has been replaced gets a new one.
    pub(super) fn arm(&self, needs: &Needs) -> Armed {
        let mut armed = Armed::default();
        for (path, children) in &needs.directories {
            let (flags, essential) = match children.matter() {
                true => (DIRECTORY, true),
                false => (PASSED, false),
            };
            if let Some(watch) = self.add(path, flags, essential, &mut armed) {
                join(&mut armed.watches, watch, path, children);
            }
        }
        for path in &needs.files {
            // Its directory says nearly all of it, so a file nobody may read costs only a late notice.
            if let Some(watch) = self.add(path, FILE, false, &mut armed) {
                let watched = Watched {
                    path: path.clone(),
                    subject: Subject::File,
                };
                armed.watches.insert(watch, watched);
            }
        }
        armed
    }

    fn add(&self, path: &Path, flags: WatchFlags, essential: bool, armed: &mut Armed) -> Option<i32> {
        match inotify::add_watch(&self.queue, path, flags) {
            Ok(watch) => Some(watch),
            // The next look at the path sees what is there instead.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => None,
            Err(errno) => {
                if essential || errno != Errno::ACCESS {
                    armed.failed.get_or_insert_with(|| (path.to_owned(), errno));
                }
                None
            }
        }
    }

    pub(super) fn remove(&self, watch: i32) {
        if let Err(errno) = inotify::remove_watch(&self.queue, watch) {
            // The kernel has removed it together with the file.
            tracing::trace!(watch, %errno, "a watch was gone already");
        }
    }

    /// Hands over what has happened so far.
    ///
    /// # Errors
    ///
    /// The queue cannot be read and is to be given up.
    pub(super) fn read(&mut self, mut take: impl FnMut(Event)) -> Result<(), Errno> {
        let mut reader = Reader::new(&self.queue, &mut self.buffer);
        for _ in 0..BATCH {
            match reader.next() {
                Ok(event) => take(Event {
                    watch: event.wd(),
                    flags: event.events(),
                    cookie: event.cookie(),
                    name: event.file_name().map_or_else(Default::default, |name| {
                        OsStr::from_bytes(name.to_bytes()).to_owned()
                    }),
                }),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => (),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// Two paths may lead to one directory, as bind mounts do.
fn join(watches: &mut HashMap<i32, Watched>, watch: i32, path: &Path, children: &Children) {
    if let Some(Watched {
        subject: Subject::Directory(known),
        ..
    }) = watches.get_mut(&watch)
    {
        known.names.extend(children.names.iter().cloned());
        known.all |= children.all;
        return;
    }
    let watched = Watched {
        path: path.to_owned(),
        subject: Subject::Directory(children.clone()),
    };
    watches.insert(watch, watched);
}
