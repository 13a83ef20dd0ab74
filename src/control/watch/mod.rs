//! Notices that the configuration, or a file it references, may have changed.
//!
//! Events of inotify are hints, and so are polls: whoever is told reads the files and compares bytes. What is
//! watched is worked out from the paths (`links`): every link on the way, every directory that could be replaced,
//! the file itself. Hints wait for a quiet period (`quiet`) and for whoever has a file open and has begun to write
//! it (`writers`), so that nobody reads a prefix. Where events do not arrive, files are looked at from time to
//! time (`looks`).
//!
//! All of it happens on a thread of its own: questions to a network file system whose server is gone are not
//! answered, and nothing but this may wait for them.

mod events;
mod inotify;
mod links;
mod looks;
mod mailbox;
mod quiet;
mod watching;
mod writers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::oneshot;

use inotify::Inotify;
use mailbox::Mailbox;
use watching::Watching;

/// How long [`ConfigWatcher::undisturbed`] waits for an answer.
const ANSWER: Duration = Duration::from_secs(1);

/// Above this, a time is as good as never, and sums of times cannot overflow.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Far more than the thread needs.
const STACK: usize = 256 * 1024;

/// What starts a reload, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchSettings {
    /// `reload.watch`: whether anything is noticed at all.
    pub watch: bool,
    /// `reload.debounce`: how long nothing must have happened before a hint is given.
    pub debounce: Duration,
    /// `reload.pollInterval`: how often contents are compared where events do not arrive. `None` leaves changes
    /// without events unnoticed, except where the kernel cannot watch at all: then every ten seconds.
    pub poll_interval: Option<Duration>,
}

impl WatchSettings {
    fn bounded(self) -> Self {
        let interval = self.poll_interval.filter(|interval| !interval.is_zero());
        Self {
            watch: self.watch,
            debounce: self.debounce.min(LONGEST),
            poll_interval: interval.map(|interval| interval.min(LONGEST)),
        }
    }
}

/// Why the files should be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// The kernel told of a change; trigger `watch`.
    Event,
    /// It is time to compare, or something looks different; trigger `poll`.
    Poll,
}

/// Watches files. Dropping it ends that.
#[derive(Debug)]
pub struct ConfigWatcher {
    mailbox: Arc<Mailbox>,
    settings: WatchSettings,
    running: bool,
    open: fn() -> Result<Inotify, Errno>,
}

impl ConfigWatcher {
    /// Starts with nothing to watch. Without inotify it warns once and polls.
    pub fn new(settings: WatchSettings) -> Self {
        Self::with(settings, Inotify::new)
    }

    fn with(settings: WatchSettings, open: fn() -> Result<Inotify, Errno>) -> Self {
        let mut watcher = Self {
            mailbox: Arc::new(Mailbox::new()),
            settings: settings.bounded(),
            running: false,
            open,
        };
        watcher.start();
        watcher
    }

    /// Follows exactly these files from now on, whether they exist or not, and these directories, in which new
    /// files are a change. Relative paths are relative to the working directory.
    ///
    /// If the lists differ from the last ones, a hint follows after the quiet period: what was read before may
    /// have changed before it was watched.
    pub fn follow(&mut self, files: &[PathBuf], directories: &[PathBuf]) {
        self.start();
        self.mailbox.follow(sorted(files), sorted(directories));
    }

    /// Changes the settings of a running watcher.
    pub fn set(&mut self, settings: WatchSettings) {
        self.settings = settings.bounded();
        self.start();
        self.mailbox.set(self.settings);
    }

    /// Waits until the files should be read: nothing has happened for the quiet period, or something has for two
    /// seconds, and nobody is writing them. A writer that neither writes nor closes for 30 s is no longer waited
    /// for. Cancel safe.
    pub async fn changed(&mut self) -> Hint {
        self.mailbox.hint().await
    }

    /// Whether what was read since the last hint is whole: to be asked after reading. If not, somebody has begun
    /// to write in between; what was read is to be dropped, and another hint follows. Asked when the future is first
    /// polled, which may outlive the watcher.
    ///
    /// True where events do not arrive: then nobody knows.
    pub fn undisturbed(&self) -> impl Future<Output = bool> + Send + use<> {
        let mailbox = Arc::clone(&self.mailbox);
        async move {
            let (answer, answered) = oneshot::channel();
            mailbox.ask(answer);
            match tokio::time::timeout(ANSWER, answered).await {
                Ok(Ok(undisturbed)) => undisturbed,
                Ok(Err(_)) | Err(_) => true,
            }
        }
    }

    fn start(&mut self) {
        if self.running {
            return;
        }
        let mut watching = Watching::new(Arc::clone(&self.mailbox), self.settings, self.open);
        let thread = std::thread::Builder::new()
            .name("kproxy-watch".to_owned())
            .stack_size(STACK);
        match thread.spawn(move || watching.run()) {
            Ok(_) => self.running = true,
            Err(error) => tracing::warn!(%error, "the configuration is not watched: no thread to be had"),
        }
    }
}

impl Drop for ConfigWatcher {
    fn drop(&mut self) {
        self.mailbox.stop();
    }
}

fn sorted(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = paths.to_vec();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);
    const POLL: Duration = Duration::from_millis(100);

    fn settings(poll_interval: Option<Duration>) -> WatchSettings {
        WatchSettings {
            watch: true,
            debounce: Duration::from_millis(20),
            poll_interval,
        }
    }

    fn exhausted() -> Result<Inotify, Errno> {
        Err(Errno::MFILE)
    }

    /// Follows `path` without inotify, past the hint that this gives.
    async fn without_events(path: &Path, poll_interval: Option<Duration>) -> ConfigWatcher {
        let mut watcher = ConfigWatcher::with(settings(poll_interval), exhausted);
        watcher.follow(&[path.to_owned()], &[]);
        assert_eq!(hint(&mut watcher).await, Hint::Event);
        watcher
    }

    async fn hint(watcher: &mut ConfigWatcher) -> Hint {
        tokio::time::timeout(PATIENCE, watcher.changed()).await.unwrap()
    }

    #[tokio::test]
    async fn without_inotify_changes_are_found_by_polling() {
        let scene = tempfile::tempdir().unwrap();
        let path = scene.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let mut watcher = without_events(&path, Some(POLL)).await;
        std::fs::write(&path, "22").unwrap();
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
        std::fs::write(&path, "333").unwrap();
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
    }

    #[tokio::test]
    async fn without_inotify_a_file_has_half_an_interval_to_become_complete() {
        let scene = tempfile::tempdir().unwrap();
        let path = scene.path().join("a");
        std::fs::write(&path, "").unwrap();
        let mut watcher = without_events(&path, Some(4 * POLL)).await;
        let began = std::time::Instant::now();
        std::fs::write(&path, "22").unwrap();
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
        assert!(began.elapsed() >= 2 * POLL);
    }

    #[tokio::test]
    async fn where_a_look_does_not_tell_all_contents_are_compared_at_every_interval() {
        let mut watcher = without_events(Path::new("/proc/self/limits"), Some(POLL)).await;
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
    }

    #[tokio::test]
    async fn dropping_the_watcher_ends_its_thread() {
        let scene = tempfile::tempdir().unwrap();
        let watcher = without_events(&scene.path().join("a"), None).await;
        let thread = Arc::downgrade(&watcher.mailbox);
        drop(watcher);
        let ended = async {
            while thread.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap();
    }

    #[tokio::test]
    async fn what_no_event_can_tell_is_undisturbed() {
        let scene = tempfile::tempdir().unwrap();
        let watcher = without_events(&scene.path().join("a"), None).await;
        assert!(watcher.undisturbed().await);
    }
}
