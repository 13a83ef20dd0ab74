//! Reading of a configuration that may come to run, away from the control thread.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::journal::{HistoryReader, NotKept};
use super::staged::StagedReload;
use crate::config::{Diagnostic, Digest, FaultLines, Sources};
use crate::control::watch::ModificationProbe;
use crate::model::{self, Loaded, Loader, ProxyModel, Warnings};

/// Maximum number of readings of files that keep changing.
const ATTEMPTS: usize = 5;

/// Delay before files are read again that were open for writing.
const WRITTEN: Duration = Duration::from_millis(50);

/// Bounds of the time between two readings that must agree.
const APART: (Duration, Duration) = (WRITTEN, Duration::from_secs(2));

/// What came of reading a configuration.
#[derive(Debug)]
pub(in crate::control) enum ReadOutcome {
    /// It was read, or could not be.
    Read(Candidate),
    /// The files changed while they were read; the watcher gives another hint.
    Superseded,
}

/// A configuration that was read.
#[derive(Debug)]
pub(in crate::control) enum Candidate {
    /// The files are those that were read last.
    SameBytes,
    /// There is no file to read.
    Missing,
    /// Nothing could be read; the reason.
    Broken(String),
    /// A model that was given without a file.
    InMemory(Arc<ProxyModel>),
    /// A configuration that was read when it was staged.
    Staged(Arc<StagedReload>),
    /// A configuration from files.
    Read {
        sources: Arc<Sources>,
        /// Digest of `sources`.
        digest: Digest,
        /// The model, or its violations with the lines that they blame.
        model: Result<Arc<ProxyModel>, Box<Violations>>,
        /// Warnings about the model.
        warnings: Box<Warnings>,
        /// Why the configuration counts as empty, if it does.
        empty: Option<String>,
        /// Whether the main file holds no text.
        emptied: bool,
        /// Errors in files whose content stays as it is in use.
        left_out: Vec<String>,
    },
}

impl Candidate {
    /// A configuration as it was loaded. `left_out`: errors in files whose content stays as it is in use.
    pub(in crate::control) fn of(loaded: Loaded, left_out: Vec<Diagnostic>) -> Self {
        let texts = |found: Vec<Diagnostic>| found.iter().map(ToString::to_string).collect();
        let digest = loaded.sources.digest();
        let model = loaded.model.map(Arc::new);
        let model = model.map_err(|found| {
            let lines = loaded.sources.lines_around(&found);
            let texts = texts(found);
            Box::new(Violations { texts, lines })
        });
        Self::Read {
            sources: Arc::new(loaded.sources),
            digest,
            model,
            warnings: Box::new(loaded.warnings),
            empty: loaded.no_clusters.map(|diagnostic| diagnostic.to_string()),
            emptied: loaded.emptied,
            left_out: texts(left_out),
        }
    }
}

/// Why files are not a configuration.
#[derive(Debug)]
pub(in crate::control) struct Violations {
    /// Each in words.
    pub(in crate::control) texts: Vec<String>,
    /// Lines of the files that they blame.
    pub(in crate::control) lines: Vec<FaultLines>,
}

/// Where a configuration is read.
#[derive(Debug, Clone)]
pub(in crate::control) enum ConfigLocation {
    /// The file at this path. Skipped if the files hold what was read as these sources.
    File(PathBuf, Option<Arc<Sources>>, Arc<Mutex<Loader>>),
    /// The file at this path, read with a copy of what a loader knows.
    Copy(PathBuf, Arc<Mutex<Loader>>),
    /// The running text, which was read as `in_use`. Skipped if the files that it references hold what they held in
    /// `tried`.
    Text {
        in_use: Arc<Sources>,
        tried: Arc<Sources>,
    },
    /// The text of a configuration that ran before.
    Kept(Arc<Sources>),
    /// The text of a configuration that ran before, in the journal. Passwords are taken from `known`.
    Journal {
        generation: u64,
        history: HistoryReader,
        known: Vec<Arc<Sources>>,
    },
}

impl ConfigLocation {
    /// Reads it once, without waiting for it to be quiet; `None` if nothing has changed.
    ///
    /// # Errors
    /// The reason why there is nothing to read.
    pub(in crate::control) fn load(&self) -> Result<Option<(Loaded, Vec<Diagnostic>)>, String> {
        Ok(match self {
            Self::File(_, Some(last), _) if last.is_current() => None,
            Self::File(path, _, loader) => {
                let mut loader = loader.lock().unwrap_or_else(PoisonError::into_inner);
                Some((loader.load_all(path), Vec::new()))
            }
            Self::Copy(path, loader) => {
                let known = loader.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Some((known.beside(path).load_all(path), Vec::new()))
            }
            Self::Text { tried, .. } if tried.is_material_current() => None,
            Self::Text { in_use: kept, .. } | Self::Kept(kept) => Some(model::load_again(kept)),
            Self::Journal {
                generation,
                history,
                known,
            } => {
                let kept = history.sources(*generation, known).map_err(|NotKept(why)| why)?;
                Some(model::load_again(&kept))
            }
        })
    }

    /// Whether the files still hold what was read as `sources`.
    fn still_has(&self, sources: &Sources) -> bool {
        match self {
            Self::File(..) | Self::Copy(..) => sources.is_current(),
            Self::Text { .. } | Self::Kept(_) | Self::Journal { .. } => sources.is_material_current(),
        }
    }
}

/// Conditions under which a reading is believed.
pub(in crate::control) struct Confirmation {
    /// Source of answers about modifications; `None` for files that are not followed.
    pub(in crate::control) watcher: Option<ModificationProbe>,
    /// `reload.debounce`.
    pub(in crate::control) debounce: Duration,
    /// Whether a hint was the reason to read, and another one follows if the files change.
    pub(in crate::control) is_hinted: bool,
    /// Whether no event was reported for the whole debounce before the reading.
    pub(in crate::control) was_quiet: bool,
    /// Where the time is added up that was waited only, for files to stay as they are.
    pub(in crate::control) waited: WaitedTime,
}

/// Time that was waited on purpose, in microseconds. Shared with those who measure.
#[derive(Debug, Clone, Default)]
pub(in crate::control) struct WaitedTime(Arc<AtomicU64>);

impl WaitedTime {
    /// Waits, and adds the time up.
    async fn wait(&self, time: Duration) {
        let began = Instant::now();
        tokio::time::sleep(time).await;
        let waited = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(waited, Ordering::Relaxed);
    }

    /// The time so far.
    pub(in crate::control) fn total(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Confirmation {
    /// Time after which the files are read a second time, if they have to be.
    fn apart(&self, candidate: &Candidate) -> Option<Duration> {
        let Candidate::Read {
            model,
            left_out,
            emptied,
            ..
        } = candidate
        else {
            return None;
        };
        let may_run = model.is_ok() && left_out.is_empty();
        let (least, most) = APART;
        match (self.is_hinted, self.was_quiet && !emptied) {
            (false, _) => None,
            // The kernel reports a write a moment after it was made.
            (true, true) => (!may_run).then_some(least),
            (true, false) => Some(self.debounce.clamp(least, most)),
        }
    }

    /// Whether no followed file was modified since the last hint or is open for writing. `None` if no events arrive.
    async fn is_unmodified(&self) -> Option<bool> {
        self.watcher.as_ref()?.is_unmodified().await
    }
}

/// Reads a configuration by the rule that keeps a part of a file from being used: the same digest twice, a debounce
/// apart, and no followed file is open for writing. Where events arrive, a quiet period stands for the first digest; an
/// empty file, and a configuration that cannot run, are read twice nevertheless.
///
/// A requested reading does not wait for the debounce, but it waits while a followed file is open for writing.
pub(in crate::control) async fn read(place: ConfigLocation, confirmation: Confirmation) -> ReadOutcome {
    let mut changes = 0;
    while changes < ATTEMPTS {
        let candidate = read_once(place.clone()).await;
        let apart = confirmation.apart(&candidate);
        if let Some(apart) = apart {
            confirmation.waited.wait(apart).await;
        }
        let is_known = match confirmation.is_unmodified().await {
            Some(false) if confirmation.is_hinted => return ReadOutcome::Superseded,
            Some(false) => {
                confirmation.waited.wait(WRITTEN).await;
                continue;
            }
            Some(true) => apart.is_none(),
            None => false,
        };
        if is_known || is_still_there(&place, &candidate).await {
            return ReadOutcome::Read(candidate);
        }
        changes += 1;
    }
    match confirmation.is_hinted {
        true => ReadOutcome::Superseded,
        false => {
            let why = "the files change while they are being read";
            ReadOutcome::Read(Candidate::Broken(why.to_owned()))
        }
    }
}

async fn read_once(place: ConfigLocation) -> Candidate {
    let read = move || {
        let (loaded, left_out) = match place.load() {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Candidate::SameBytes,
            Err(why) => return Candidate::Broken(why),
        };
        Candidate::of(loaded, left_out)
    };
    in_background(read).await
}

/// Whether reading `place` again finds the same digests.
async fn is_still_there(place: &ConfigLocation, candidate: &Candidate) -> bool {
    let Candidate::Read { sources, .. } = candidate else {
        return true;
    };
    let (place, sources) = (place.clone(), Arc::clone(sources));
    in_background(move || place.still_has(&sources)).await
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = "virtualClusters: [{name: a, targetCluster: {bootstrapServers: 'b:1'}, \
                        gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: 'localhost:9192'}}]}]";

    /// Result of a hinted reading of a file that holds `before` and, well within the debounce, `after`: whether it may run,
    /// or `None` if it was given up.
    async fn hinted(before: &str, after: &str, was_quiet: bool) -> Option<bool> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), before).unwrap();
        let confirmation = Confirmation {
            watcher: None,
            debounce: Duration::from_secs(1),
            is_hinted: true,
            was_quiet,
            waited: WaitedTime::default(),
        };
        let place = ConfigLocation::File(file.path().to_owned(), None, Arc::default());
        let reading = tokio::spawn(read(place, confirmation));
        if before != after {
            tokio::time::sleep(Duration::from_millis(300)).await;
            std::fs::write(file.path(), after).unwrap();
        }
        match reading.await.unwrap() {
            ReadOutcome::Read(Candidate::Read { model, emptied, .. }) => Some(model.is_ok() && !emptied),
            ReadOutcome::Superseded => None,
            other => panic!("{other:?}"),
        }
    }

    /// A storm of reloads on a busy machine had a file rejected that was being written.
    #[tokio::test]
    async fn an_empty_file_is_not_believed_at_once() {
        assert_eq!(hinted("", RUNS, true).await, Some(true));
        assert_eq!(hinted("", "", true).await, Some(false));
    }

    #[tokio::test]
    async fn a_violation_is_believed_once_it_stays() {
        assert_eq!(hinted("virtualClusters: 1", RUNS, false).await, Some(true));
        assert_eq!(
            hinted("virtualClusters: 1", "virtualClusters: 1", true).await,
            Some(false)
        );
    }

    #[tokio::test]
    async fn where_no_events_tell_a_configuration_is_believed_once_it_stays() {
        assert_eq!(hinted(RUNS, "virtualClusters: 1", false).await, Some(false));
        assert_eq!(hinted(RUNS, RUNS, false).await, Some(true));
    }

    #[tokio::test]
    async fn a_file_that_never_rests_is_given_up() {
        let found = async |is_hinted| {
            let confirmation = Confirmation {
                watcher: None,
                debounce: Duration::ZERO,
                is_hinted,
                was_quiet: false,
                waited: WaitedTime::default(),
            };
            // Every reading finds another one.
            let place = ConfigLocation::File("/proc/sys/kernel/random/uuid".into(), None, Arc::default());
            read(place, confirmation).await
        };
        assert!(matches!(found(true).await, ReadOutcome::Superseded));
        assert!(matches!(
            found(false).await,
            ReadOutcome::Read(Candidate::Broken(_))
        ));
    }
}
