//! A directory with files that are followed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kproxy::control::watch::{ConfigWatcher, Hint, WatchSettings};
use tempfile::TempDir;

pub(crate) const DEBOUNCE: Duration = Duration::from_millis(150);
pub(crate) const CEILING: Duration = Duration::from_secs(2);
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Without polling: whatever is told, an event told it.
pub(crate) const EVENTS: WatchSettings = WatchSettings {
    watch: true,
    debounce: DEBOUNCE,
    poll_interval: None,
};

pub(crate) struct Scene {
    _directory: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) watcher: ConfigWatcher,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            root: directory.path().canonicalize().unwrap(),
            _directory: directory,
            watcher: ConfigWatcher::new(EVENTS),
        }
    }

    /// A file in a directory of its own, followed.
    pub(crate) async fn with_file() -> Self {
        let mut scene = Self::new();
        scene.write("etc/proxy.yaml", "1");
        scene.follow(&["etc/proxy.yaml"], &[]).await;
        scene
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// `ln -sfn`
    pub(crate) fn point(&self, link: &str, target: &str) {
        let temporary = self.path("temporary link");
        symlink(target, &temporary).unwrap();
        fs::rename(temporary, self.path(link)).unwrap();
    }

    /// Follows, past the hint that this gives.
    pub(crate) async fn follow(&mut self, files: &[&str], directories: &[&str]) {
        let paths = |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| self.path(name)).collect() };
        let (files, directories) = (paths(files), paths(directories));
        self.watcher.follow(&files, &directories);
        assert_eq!(self.hint().await, Hint::Event);
        self.calm().await;
    }

    pub(crate) async fn hint(&mut self) -> Hint {
        tokio::time::timeout(PATIENCE, self.watcher.changed())
            .await
            .unwrap()
    }

    /// Does something; hints follow until there is nothing more to tell, the last one a quiet period after it.
    pub(crate) async fn told(&mut self, action: impl FnOnce(&Self)) {
        let began = Instant::now();
        action(self);
        let done = Instant::now();
        loop {
            assert_eq!(self.hint().await, Hint::Event);
            if self.watcher.confirm_unmodified().await && !self.is_told().await {
                break;
            }
        }
        assert!(began.elapsed() >= DEBOUNCE, "told without a quiet period");
        assert!(done.elapsed() <= CEILING, "told after {:?}", done.elapsed());
    }

    pub(crate) async fn is_told(&mut self) -> bool {
        let now = tokio::time::timeout(Duration::ZERO, self.watcher.changed());
        now.await.is_ok()
    }

    /// Nothing that has happened so far is going to give a hint.
    pub(crate) async fn calm(&mut self) {
        assert!(self.watcher.confirm_unmodified().await, "a hint is coming");
        assert!(!self.is_told().await, "a hint has come");
    }

    /// No hint for longer than the ceiling.
    pub(crate) async fn held(&mut self) {
        let early = tokio::time::timeout(CEILING + 2 * DEBOUNCE, self.watcher.changed()).await;
        assert!(early.is_err(), "told while somebody is writing");
        assert!(!self.watcher.confirm_unmodified().await);
    }
}
