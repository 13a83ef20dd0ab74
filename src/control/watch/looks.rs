//! Polling: what the files look like from outside, for changes that no event tells.
//!
//! A look is cheap, so that it can be taken often; reading is the business of whoever is told. Two looks are taken
//! per interval and a change is told at the second that sees it, so a file that is being written by somebody whom
//! no event announces has had half an interval to become complete.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// What some files looked like at one moment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Look {
    seen: Vec<Option<Stamp>>,
    /// Equal looks mean equal contents.
    tells_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    mode: u32,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Look {
    /// Looks at each path, through links.
    pub(super) fn at<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let mut look = Self {
            seen: Vec::new(),
            tells_all: true,
        };
        let mut local = HashMap::new();
        for path in paths {
            let mut stamp = path.metadata().ok();
            if let Some(metadata) = &stamp
                && !*local.entry(metadata.dev()).or_insert_with(|| is_local(path))
            {
                look.tells_all = false;
                stamp = opened(path, metadata).or(stamp);
            }
            look.seen.push(stamp.as_ref().map(Stamp::of));
        }
        look
    }
}

/// What a network file system says of a file when it is opened: then it asks the server, while a mere question is
/// answered from memory for up to a minute (nfs(5), "close-to-open").
fn opened(path: &Path, metadata: &Metadata) -> Option<Metadata> {
    if !metadata.is_file() {
        return None;
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .ok()?;
    file.metadata().ok()
}

/// Whether this kernel writes the times of the file system itself, so that nothing changes without them. On all
/// others (network, FUSE, shared with a host) contents have to be read.
fn is_local(path: &Path) -> bool {
    const LOCAL: [u64; 9] = [
        0xEF53,      // ext
        0x5846_5342, // XFS
        0x9123_683E, // btrfs
        0x2FC1_2FC1, // ZFS
        0xF2F5_2010, // F2FS
        0x0102_1994, // tmpfs
        0x8584_58F6, // ramfs
        0x794C_7630, // overlayfs
        0xCA45_1A4E, // bcachefs
    ];
    rustix::fs::statfs(path)
        .ok()
        .and_then(|found| u64::try_from(found.f_type).ok())
        .is_some_and(|found| LOCAL.contains(&found))
}

/// Compares looks. Pure.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Before the files were last read.
    read: Look,
    /// A change that the next look is to confirm.
    unsure: Option<Look>,
}

/// What a look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Unchanged,
    /// Changed since the last look: it may not be over.
    Unsure,
    /// The files should be read.
    Read,
}

impl Looks {
    /// The files are read after this look.
    pub(super) fn reading(&mut self, look: Look) {
        self.read = look;
        self.unsure = None;
    }

    /// `due`: contents are to be read now if a look does not tell all.
    pub(super) fn compare(&mut self, look: Look, due: bool) -> Verdict {
        if look == self.read {
            self.unsure = None;
            return match due && !look.tells_all {
                true => Verdict::Read,
                false => Verdict::Unchanged,
            };
        }
        if self.unsure.as_ref() == Some(&look) {
            return Verdict::Read;
        }
        self.unsure = Some(look);
        Verdict::Unsure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(size: u64, tells_all: bool) -> Look {
        let stamp = Stamp {
            device: 1,
            inode: 1,
            mode: 0o644,
            size,
            modified: (1, 1),
            changed: (1, 1),
        };
        Look {
            seen: vec![Some(stamp)],
            tells_all,
        }
    }

    fn looks(size: u64) -> Looks {
        let mut looks = Looks::default();
        looks.reading(look(size, true));
        looks
    }

    #[test]
    fn an_unchanged_file_is_not_read() {
        assert_eq!(looks(1).compare(look(1, true), true), Verdict::Unchanged);
    }

    #[test]
    fn a_change_is_told_when_a_second_look_confirms_it() {
        let mut looks = looks(1);
        assert_eq!(looks.compare(look(2, true), true), Verdict::Unsure);
        assert_eq!(looks.compare(look(3, true), true), Verdict::Unsure);
        assert_eq!(looks.compare(look(3, true), false), Verdict::Read);
        looks.reading(look(3, true));
        assert_eq!(looks.compare(look(3, true), true), Verdict::Unchanged);
    }

    #[test]
    fn a_change_that_nobody_could_read_yet_is_told_again() {
        let mut looks = looks(1);
        assert_eq!(looks.compare(look(2, true), true), Verdict::Unsure);
        assert_eq!(looks.compare(look(2, true), true), Verdict::Read);
        assert_eq!(looks.compare(look(2, true), true), Verdict::Read);
    }

    #[test]
    fn a_change_taken_back_is_none() {
        let mut looks = looks(1);
        assert_eq!(looks.compare(look(2, true), true), Verdict::Unsure);
        assert_eq!(looks.compare(look(1, true), true), Verdict::Unchanged);
        assert_eq!(looks.compare(look(2, true), true), Verdict::Unsure);
    }

    #[test]
    fn where_a_look_does_not_tell_all_contents_are_read_when_due() {
        let mut looks = Looks::default();
        looks.reading(look(1, false));
        assert_eq!(looks.compare(look(1, false), false), Verdict::Unchanged);
        assert_eq!(looks.compare(look(1, false), true), Verdict::Read);
    }

    #[test]
    fn what_is_missing_looks_different_from_what_is_there() {
        let scene = tempfile::tempdir().unwrap();
        let path = scene.path().join("a");
        let missing = Look::at([&path]);
        std::fs::write(&path, "").unwrap();
        let there = Look::at([&path]);
        assert_ne!(missing, there);
        assert_eq!(there, Look::at([&path]));
    }

    #[test]
    fn a_file_system_made_up_by_the_kernel_does_not_tell_all() {
        assert!(!is_local(Path::new("/proc/self/status")));
        assert!(!Look::at([&PathBuf::from("/proc/self/status")]).tells_all);
    }
}
