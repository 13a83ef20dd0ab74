//! A directory whose files belong to their owner alone.
//!
//! Files are 0600 and a directory that kproxy makes is 0700, whatever the umask, and no symbolic link in it is followed.
//! The directory itself may be one (systemd makes them so).

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fchmod, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Called before each step of a write, which ends where it fails, as it would where the process was killed.
pub(in crate::control) type BeforeStep<'s> = &'s dyn Fn(&str) -> io::Result<()>;

/// The directory at a path; nothing is read or written before it is asked for.
#[derive(Debug, Clone)]
pub(in crate::control) struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    pub(in crate::control) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(in crate::control) fn path(&self) -> &Path {
        &self.0
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// [`io::Error`] of the file system, or for what is no regular file.
    pub(in crate::control) fn open(&self, name: &str) -> io::Result<File> {
        // Non-blocking, so that a pipe in place of the file is not waited for.
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(File::open(&self.0)?, name, how, Mode::empty())?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("not a regular file")),
        }
    }

    /// The names of everything in it that are UTF-8.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    pub(in crate::control) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(File::open(&self.0)?)? {
            names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// Writes the file `name`: writes another one called `temporary`, syncs and renames it, so that a crash leaves the old
    /// file or the new one.
    ///
    /// # Errors
    /// [`io::Error`] of the file system; the old file is unchanged.
    pub(in crate::control) fn write(
        &self,
        name: &str,
        temporary: &str,
        bytes: &[u8],
        before: BeforeStep<'_>,
    ) -> io::Result<()> {
        before("open the directory")?;
        let directory = self.open_or_make()?;
        // An earlier write may have been interrupted.
        before("remove what an interrupted write has left")?;
        remove(&directory, temporary)?;
        let own = Mode::RUSR | Mode::WUSR;
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        before("create the temporary file")?;
        let mut file = File::from(openat(&directory, temporary, how, own)?);
        // The umask may have cleared bits.
        fchmod(&file, own)?;
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        before("write the first half")?;
        file.write_all(first)?;
        before("write the second half")?;
        file.write_all(rest)?;
        before("sync the temporary file")?;
        file.sync_all()?;
        before("rename the temporary file")?;
        renameat(&directory, temporary, &directory, name)?;
        before("sync the directory")?;
        directory.sync_all()
    }

    /// Removes the file `name`, if it is there.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    pub(in crate::control) fn remove(&self, name: &str) -> io::Result<()> {
        match File::open(&self.0) {
            Ok(directory) => remove(&directory, name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Has what was renamed and removed in it survive a power failure.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    pub(in crate::control) fn sync(&self) -> io::Result<()> {
        match File::open(&self.0) {
            Ok(directory) => directory.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn open_or_make(&self) -> io::Result<File> {
        match File::open(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        if let Some(parent) = self.0.parent() {
            private().recursive(true).create(parent)?;
        }
        match private().create(&self.0) {
            Ok(()) => fs::set_permissions(&self.0, PermissionsExt::from_mode(0o700))?,
            // Another process was quicker, and chooses the mode.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        File::open(&self.0)
    }
}

fn remove(directory: &File, name: &str) -> io::Result<()> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}
