//! How operators and Kubernetes replace files that a process reads.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Puts a whole new file in the place of `path`, in one step.
pub fn atomically(path: &Path, text: &str) {
    let temporary = path.with_extension(format!("tmp-{}", number()));
    fs::write(&temporary, text).unwrap();
    fs::rename(temporary, path).unwrap();
}

fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A directory as the kubelet mounts a Secret or ConfigMap: `NAME` is a link to `..data/NAME`, and `..data` a link to
/// the directory of one version. All files change at once, when `..data` is swapped.
#[derive(Debug)]
pub struct Mount {
    directory: PathBuf,
}

impl Mount {
    /// Mounts `files`, names and contents, in `directory`.
    pub fn new(directory: &Path, files: &[(&str, &str)]) -> Self {
        fs::create_dir_all(directory).unwrap();
        let mount = Self {
            directory: directory.to_owned(),
        };
        mount.swap(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), directory.join(name)).unwrap();
        }
        mount
    }

    /// Replaces all files at once and removes the version before.
    pub fn swap(&self, files: &[(&str, &str)]) {
        let version = format!("..version-{}", number());
        fs::create_dir(self.directory.join(&version)).unwrap();
        for (name, text) in files {
            fs::write(self.directory.join(&version).join(name), text).unwrap();
        }
        let (data, next) = (self.directory.join("..data"), self.directory.join("..data_tmp"));
        let before = fs::read_link(&data).ok();
        symlink(&version, &next).unwrap();
        fs::rename(next, data).unwrap();
        if let Some(before) = before {
            fs::remove_dir_all(self.directory.join(before)).unwrap();
        }
    }

    /// The path of the file of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}
