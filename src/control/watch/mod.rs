//! Notices that the configuration, or a file it references, may have changed.
//!
//! File events and polls give hints; the receiver of a hint reads the files and compares digests. The places to
//! watch follow from the paths (`links`): every link on the way, every directory that could be replaced, the file itself.
//! The `notify` crate watches them (`file_events`); what an event is to the files that are followed is in `effects`. Hints
//! wait for a quiet period (`quiet`), and for everybody who has a followed file open for writing (`writers`). Where events
//! do not arrive, the files are read and compared from time to time.
//!
//! All of it happens on a thread of its own: a network file system whose server is gone does not answer, and nothing but
//! this thread may wait for it.

mod channel;
mod effects;
mod file_events;
mod links;
mod quiet;
mod thread;
mod writers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use channel::WatcherChannel;
use file_events::{Deliver, FileEvents};
use thread::WatcherThread;

/// Time limit for the answer to [`ModificationProbe::is_unmodified`].
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest period that is counted; sums of times cannot overflow.
const MAX_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// Stack of the thread, in bytes: far more than it needs.
const STACK_SIZE: usize = 256 * 1024;

/// Whether files hold what they held when they were read; reads them.
type IsCurrent = Box<dyn FnMut() -> bool + Send>;

type OpenEvents = fn(Deliver) -> Result<FileEvents, String>;

/// What starts a reload, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchSettings {
    /// `reload.watch`: whether anything is noticed at all.
    pub watch: bool,
    /// `reload.debounce`: time without events before a hint is given.
    pub debounce: Duration,
    /// `reload.pollInterval`: time between two comparisons of contents. `None` leaves changes without events unnoticed,
    /// except where nothing can be watched: then contents are compared every ten seconds.
    pub poll_interval: Option<Duration>,
}

impl WatchSettings {
    fn bounded(self) -> Self {
        let interval = self.poll_interval.filter(|interval| !interval.is_zero());
        Self {
            watch: self.watch,
            debounce: self.debounce.min(MAX_PERIOD),
            poll_interval: interval.map(|interval| interval.min(MAX_PERIOD)),
        }
    }
}

/// Why the files should be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// File events reported a change, and none came for the debounce since; trigger `watch`.
    Event,
    /// Contents differ from what was read; trigger `poll`.
    Poll,
}

/// Watches files. Dropping it ends that.
pub struct ConfigWatcher {
    channel: Arc<WatcherChannel>,
    /// Both ends: a thread may be started later.
    hints: (mpsc::Sender<Hint>, mpsc::Receiver<Hint>),
    settings: WatchSettings,
    running: bool,
    open: OpenEvents,
}

impl ConfigWatcher {
    /// Starts with nothing to watch. Without file events it warns once and polls.
    pub fn new(settings: WatchSettings) -> Self {
        Self::with(settings, FileEvents::new)
    }

    fn with(settings: WatchSettings, open: OpenEvents) -> Self {
        let mut watcher = Self {
            channel: Arc::default(),
            hints: mpsc::channel(1),
            settings: settings.bounded(),
            running: false,
            open,
        };
        watcher.start();
        watcher
    }

    /// Follows exactly these files from now on, whether they exist or not, and these directories, in which new files are a
    /// change. Relative paths are relative to the working directory.
    ///
    /// If the lists differ from the last ones, a hint follows after the quiet period: what was read before may have
    /// changed before it was watched.
    pub fn follow(&mut self, files: &[PathBuf], directories: &[PathBuf]) {
        self.start();
        let follow = Some((sorted(files), sorted(directories)));
        self.channel.command(|commands| commands.follow = follow);
    }

    /// Compares contents by `is_current` from now on, at every poll interval: whether the files hold what was read of them.
    /// It is called on the watcher's thread and may block. [`Hint::Poll`] follows for as long as they do not, and once
    /// when they do again.
    pub fn compare(&mut self, is_current: impl FnMut() -> bool + Send + 'static) {
        self.start();
        let compare: Option<IsCurrent> = Some(Box::new(is_current));
        self.channel.command(|commands| commands.compare = compare);
    }

    /// Changes the settings of a running watcher.
    pub fn set(&mut self, settings: WatchSettings) {
        self.settings = settings.bounded();
        self.start();
        let settings = Some(self.settings);
        self.channel.command(|commands| commands.settings = settings);
    }

    /// Waits until the files should be read: nothing has happened for the quiet period, or something has for two seconds,
    /// and none of them is open for writing. A writer that neither writes nor closes for 30 s no longer counts. Cancel safe.
    pub async fn changed(&mut self) -> Hint {
        match self.hints.1.recv().await {
            Some(hint) => hint,
            None => std::future::pending().await,
        }
    }

    /// Whether no followed file was modified since the last hint or is open for writing: to be asked after reading. If
    /// not, what was read may be a part, and another hint follows. True where events do not arrive. Cancel safe.
    pub async fn confirm_unmodified(&self) -> bool {
        self.probe().is_unmodified().await.unwrap_or(true)
    }

    /// Returns a handle for the task that reads the files.
    pub fn probe(&self) -> ModificationProbe {
        ModificationProbe {
            channel: Arc::clone(&self.channel),
        }
    }

    fn start(&mut self) {
        if self.running {
            return;
        }
        let (channel, hints) = (Arc::clone(&self.channel), self.hints.0.clone());
        let mut watcher = WatcherThread::new(channel, hints, self.settings, self.open);
        let thread = std::thread::Builder::new()
            .name("kproxy-watch".to_owned())
            .stack_size(STACK_SIZE);
        match thread.spawn(move || watcher.run()) {
            Ok(_) => self.running = true,
            Err(error) => tracing::warn!(%error, "the configuration is not watched: cannot start a thread"),
        }
    }
}

/// Asks a [`ConfigWatcher`] whether files have been modified.
#[derive(Clone)]
pub struct ModificationProbe {
    channel: Arc<WatcherChannel>,
}

impl ModificationProbe {
    /// [`ConfigWatcher::confirm_unmodified`], but `None` where events do not arrive. Cancel safe.
    pub async fn is_unmodified(&self) -> Option<bool> {
        let (answer, answered) = oneshot::channel();
        self.channel.ask(answer);
        tokio::time::timeout(ANSWER_TIMEOUT, answered).await.ok()?.ok()?
    }
}

impl Drop for ConfigWatcher {
    fn drop(&mut self) {
        self.channel.command(|commands| commands.stop = true);
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

    fn exhausted(_: Deliver) -> Result<FileEvents, String> {
        Err("none left".to_owned())
    }

    /// Follows `path` without events, past the hint that this gives.
    async fn without_events(path: &Path, poll_interval: Option<Duration>) -> ConfigWatcher {
        let mut watcher = ConfigWatcher::with(settings(poll_interval), exhausted);
        watcher.follow(&[path.to_owned()], &[]);
        assert_eq!(hint(&mut watcher).await, Hint::Event);
        watcher
    }

    async fn hint(watcher: &mut ConfigWatcher) -> Hint {
        tokio::time::timeout(PATIENCE, watcher.changed()).await.unwrap()
    }

    fn compare(watcher: &mut ConfigWatcher, path: &Path) {
        let path = path.to_owned();
        let read = std::fs::read(&path).ok();
        watcher.compare(move || std::fs::read(&path).ok() == read);
    }

    #[tokio::test]
    async fn without_events_changes_are_found_by_reading() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let mut watcher = without_events(&path, Some(POLL)).await;
        compare(&mut watcher, &path);
        for content in ["22", "33"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(hint(&mut watcher).await, Hint::Poll);
            compare(&mut watcher, &path);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
    }

    #[tokio::test]
    async fn what_was_read_and_is_there_again_gives_a_hint() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let mut watcher = without_events(&path, Some(POLL)).await;
        compare(&mut watcher, &path);
        std::fs::write(&path, "2").unwrap();
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
        std::fs::write(&path, "1").unwrap();
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
        // One may have been on its way.
        let again = tokio::time::timeout(POLL / 2, watcher.changed()).await;
        drop(again);
        let last = tokio::time::timeout(4 * POLL, watcher.changed()).await;
        assert!(last.is_err());
    }

    #[tokio::test]
    async fn changes_that_events_do_not_report_are_found_by_reading() {
        let directory = tempfile::tempdir().unwrap();
        let mut watcher = ConfigWatcher::new(settings(Some(POLL)));
        watcher.follow(&[directory.path().join("a")], &[]);
        assert_eq!(hint(&mut watcher).await, Hint::Event);
        let mut reads = 0;
        watcher.compare(move || {
            reads += 1;
            reads < 3
        });
        assert_eq!(hint(&mut watcher).await, Hint::Poll);
        std::fs::write(directory.path().join("a"), "1").unwrap();
        while hint(&mut watcher).await != Hint::Event {}
    }

    #[tokio::test]
    async fn dropping_the_watcher_ends_its_thread() {
        let directory = tempfile::tempdir().unwrap();
        let watcher = without_events(&directory.path().join("a"), None).await;
        let thread = Arc::downgrade(&watcher.channel);
        drop(watcher);
        let ended = async {
            while thread.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap();
    }

    #[tokio::test]
    async fn what_no_event_can_tell_is_unmodified() {
        let directory = tempfile::tempdir().unwrap();
        let watcher = without_events(&directory.path().join("a"), None).await;
        assert!(watcher.confirm_unmodified().await);
        assert_eq!(watcher.probe().is_unmodified().await, None);
    }
}
