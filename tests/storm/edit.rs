//! The ways in which people and programs save a file.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use super::rng::Rng;

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Truncated and written.
    InPlace,
    /// Truncated and written slowly, piece by piece.
    Chunked,
    /// Written beside it and renamed over it.
    Rename,
    /// The old one is moved away, the new one created under its name, the old one removed: vim.
    Backup,
    /// A symbolic link to another version is renamed over it.
    Link,
}

pub const WAYS: [Way; 5] = [Way::InPlace, Way::Chunked, Way::Rename, Way::Backup, Way::Link];

/// The configuration file, wherever it is kept at the moment.
pub struct ConfigFile {
    path: PathBuf,
    version: u64,
}

impl ConfigFile {
    pub fn create(directory: &Path, text: &str) -> Self {
        let path = directory.join("proxy.yaml");
        fs::write(&path, text).expect("a temporary file can be written");
        Self { path, version: 0 }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn save(&mut self, way: Way, text: &str, rng: &mut Rng) {
        self.version += 1;
        let beside = self.path.with_file_name(format!("version-{}", self.version));
        match way {
            Way::InPlace => fs::write(&self.path, text).expect("our own file"),
            Way::Chunked => self.in_chunks(text, rng),
            Way::Rename => {
                fs::write(&beside, text).expect("our own directory");
                fs::rename(&beside, &self.path).expect("our own file");
            }
            Way::Backup => {
                fs::rename(&self.path, &beside).expect("our own file");
                fs::write(&self.path, text).expect("our own directory");
                fs::remove_file(&beside).expect("our own file");
            }
            Way::Link => {
                fs::write(&beside, text).expect("our own directory");
                let link = self.path.with_file_name(format!("link-{}", self.version));
                symlink(&beside, &link).expect("our own directory");
                fs::rename(&link, &self.path).expect("our own file");
            }
        }
    }

    /// Most pauses are longer than the quiet period after which the file is looked at.
    fn in_chunks(&self, text: &str, rng: &mut Rng) {
        let mut file = File::create(&self.path).expect("our own file");
        for chunk in text.as_bytes().chunks(text.len() / 4 + 1) {
            file.write_all(chunk).expect("a file takes bytes");
            thread::sleep(Duration::from_millis(10) + rng.millis_below(30));
        }
    }

    pub fn touch(&self) {
        let file = File::options()
            .append(true)
            .open(&self.path)
            .expect("our own file");
        file.set_modified(SystemTime::now()).expect("our own file");
    }
}
