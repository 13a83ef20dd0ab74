//! Keys of issuers of tokens (JWKS), fetched and kept up to date for all sessions together.
//!
//! A [`KeySource`] owns one task, which ends with the last filter that uses the source. While the issuer cannot be
//! reached, the keys that are known stay in use. A filter that replaces another takes its source over, if it is to have
//! the same: a key set whose address has changed is trusted no longer.

mod fetch;
mod judge;
mod schedule;
mod tally;

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

pub use judge::IssuerJudge;
pub use tally::{TokenFigures, TokenTally};

use self::fetch::{ATTEMPT_TIMEOUT, Fetcher};
use self::schedule::{Demand, Demanded, FetchSchedule};
use crate::model::{KeySetModel, KeySetOrigin, KeysOnStart};
use crate::sasl::jwt::VerificationKeys;

/// Longest wait for the first keys of a new filter: so much less than a filter may take to start that there is time to say
/// why.
const START_TIMEOUT: Duration = Duration::from_millis(4500);

/// Longest wait for keys that a token asks for: a little more than an attempt takes.
const ASK_TIMEOUT: Duration = Duration::from_secs(ATTEMPT_TIMEOUT.as_secs() + 1);

/// Keys of one issuer.
#[derive(Debug)]
pub struct KeySource {
    model: KeySetModel,
    state: Arc<KeySourceState>,
    /// `None`: the keys are fixed.
    task: Option<AbortHandle>,
}

#[derive(Debug)]
struct KeySourceState {
    keys: ArcSwap<VerificationKeys>,
    demand: Mutex<Demand>,
    asked: Notify,
    /// Number of attempts that have ended.
    ended: watch::Sender<u64>,
    failed: AtomicU64,
    /// Reason of the last failure; `None` after a success.
    failure: Mutex<Option<String>>,
}

/// Figures of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeySourceFigures {
    /// Number of keys.
    pub keys: u64,
    /// Attempts to fetch them that succeeded.
    pub fetched: u64,
    /// Attempts to fetch them that failed.
    pub failed: u64,
    /// Whether the last attempt failed.
    pub unreachable: bool,
}

impl KeySource {
    /// Opens the source that `model` describes, or takes over `previous` if it is the same. Takes at most five seconds.
    ///
    /// # Errors
    /// Why the first keys have not come, if the source has to have some.
    pub async fn open(model: &KeySetModel, previous: Option<&Arc<Self>>) -> Result<Arc<Self>, String> {
        if let Some(previous) = previous.filter(|previous| previous.model == *model) {
            return Ok(Arc::clone(previous));
        }
        let source = Self::start(model);
        if source.task.is_none() || model.on_start == KeysOnStart::Lazy {
            return Ok(Arc::new(source));
        }
        let mut ended = source.state.ended.subscribe();
        let first = ended.wait_for(|_| !source.keys().is_empty());
        match tokio::time::timeout(START_TIMEOUT, first).await {
            Ok(_) => Ok(Arc::new(source)),
            Err(_) => Err(source.failure().unwrap_or_else(|| "no answer in time".to_owned())),
        }
    }

    fn start(model: &KeySetModel) -> Self {
        let fixed = match &model.origin {
            KeySetOrigin::File(keys) => Some(Arc::clone(keys)),
            KeySetOrigin::Web { .. } => None,
        };
        let state = Arc::new(KeySourceState {
            keys: ArcSwap::new(fixed.unwrap_or_default()),
            demand: Mutex::new(Demand::first(Instant::now())),
            asked: Notify::new(),
            ended: watch::Sender::new(0),
            failed: AtomicU64::new(0),
            failure: Mutex::new(None),
        });
        let task = match &model.origin {
            KeySetOrigin::File(_) => None,
            KeySetOrigin::Web { url, tls } => {
                let fetcher = Fetcher::new(url, tls.clone());
                let keeping = keep_fresh(Arc::clone(&state), fetcher, FetchSchedule::new(model));
                Some(tokio::spawn(keeping).abort_handle())
            }
        };
        Self {
            model: model.clone(),
            state,
            task,
        }
    }

    /// The newest keys.
    pub fn keys(&self) -> Arc<VerificationKeys> {
        self.state.keys.load_full()
    }

    /// Asks for newer keys, because a token names one that is not known. Returns what to wait for, which ends by itself;
    /// `None`: others have asked a moment ago, and there is nothing to wait for.
    pub fn ask(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.task.as_ref()?;
        let mut ended = self.state.ended.subscribe();
        match self.state.lock_demand().ask(Instant::now()) {
            Demanded::Refused => return None,
            Demanded::Joins => {}
            Demanded::Begins => self.state.asked.notify_one(),
        }
        Some(Box::pin(async move {
            // Whether it ended or took too long: the token is judged by the keys that there are.
            drop(tokio::time::timeout(ASK_TIMEOUT, ended.changed()).await);
        }))
    }

    /// Figures for metrics.
    pub fn figures(&self) -> KeySourceFigures {
        let failed = self.state.failed.load(Ordering::Relaxed);
        KeySourceFigures {
            keys: self.keys().len() as u64,
            fetched: self.state.ended.borrow().saturating_sub(failed),
            failed,
            unreachable: self.state.lock_failure().is_some(),
        }
    }

    /// Why the last attempt to fetch the keys failed; `None` if it succeeded.
    pub fn failure(&self) -> Option<String> {
        self.state.lock_failure().clone()
    }
}

impl Drop for KeySource {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl KeySourceState {
    fn lock_demand(&self) -> MutexGuard<'_, Demand> {
        self.demand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in the outcome of an attempt, and tells about changes of it once.
    fn ended(&self, issuer: &str, outcome: Result<VerificationKeys, String>) -> bool {
        let succeeded = outcome.is_ok();
        let earlier = std::mem::replace(&mut *self.lock_failure(), outcome.as_ref().err().cloned());
        match outcome {
            Ok(keys) => {
                if earlier.is_some() {
                    tracing::info!(issuer, "the keys of an issuer of tokens can be fetched again");
                }
                if **self.keys.load() != keys {
                    tracing::info!(issuer, keys = keys.len(), "an issuer of tokens has new keys");
                    self.keys.store(Arc::new(keys));
                }
            }
            Err(reason) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                if earlier.is_none() {
                    let known = self.keys.load().len();
                    tracing::warn!(
                        issuer,
                        reason,
                        known,
                        "the keys of an issuer of tokens cannot be fetched; those that are known stay in use"
                    );
                }
            }
        }
        self.lock_demand().served();
        self.ended.send_modify(|ended| *ended += 1);
        succeeded
    }
}

/// Fetches the keys when they are due, and when somebody asks for them.
async fn keep_fresh(state: Arc<KeySourceState>, mut fetcher: Fetcher, mut schedule: FetchSchedule) {
    loop {
        let outcome = fetcher.fetch().await;
        let pause = match state.ended(fetcher.name(), outcome) {
            true => schedule.succeeded(),
            false => Some(schedule.failed()),
        };
        match pause {
            None => state.asked.notified().await,
            // Whether the pause is over or somebody has asked: the next attempt is due.
            Some(pause) => drop(tokio::time::timeout(pause, state.asked.notified()).await),
        }
    }
}

#[cfg(test)]
mod tests;
