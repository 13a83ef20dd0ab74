//! Cached answers and running look-ups, by name.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{FRESH, LookupError, ResolvedAddresses, STALE};

/// Duration of a look-up above which the name counts as slow.
pub(super) const SLOW: Duration = Duration::from_secs(1);

/// Number of cached names; further names are kept only while a caller waits.
const MAX_CACHED_NAMES: usize = 4096;

/// The answer of a look-up; `None` while it runs.
type LookupAnswer = Option<Result<ResolvedAddresses, LookupError>>;

/// A look-up that a caller waits for.
pub(super) struct PendingLookup(watch::Receiver<LookupAnswer>);

impl PendingLookup {
    pub(super) async fn wait(mut self) -> Result<ResolvedAddresses, LookupError> {
        let gone = || LookupError::Failed("the look-up was given up".into());
        let told = self.0.wait_for(Option::is_some).await.map_err(|_| gone())?;
        told.clone().unwrap_or_else(|| Err(gone()))
    }
}

/// An old answer, usable while there is no new one.
pub(super) struct StaleAnswer {
    pub(super) addresses: ResolvedAddresses,
    /// Whether the caller has already waited `PATIENCE` for a new answer.
    pub(super) overdue: bool,
}

/// Result of a request for a name.
pub(super) enum CachedLookup {
    Fresh(ResolvedAddresses),
    Asked {
        answer: PendingLookup,
        stale: Option<StaleAnswer>,
    },
}

/// Earlier behaviour of a name, which determines how many look-ups may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameSpeed {
    /// The last look-up was quick, whatever its answer.
    Quick,
    /// There was no look-up before.
    New,
    /// The last look-up took longer than [`SLOW`].
    Slow,
}

#[derive(Debug, Default)]
struct NameEntry {
    answer: Option<(ResolvedAddresses, Instant)>,
    /// Whether the addresses must be looked up again before use.
    doubted: bool,
    manner: Option<NameSpeed>,
    /// The running or queued look-up, with the time of the request.
    asked: Option<(watch::Sender<LookupAnswer>, Instant)>,
}

impl NameEntry {
    fn manner(&self) -> NameSpeed {
        self.manner.unwrap_or(NameSpeed::New)
    }
}

/// Names in lower case.
#[derive(Debug, Default)]
pub(super) struct NameCache {
    names: HashMap<String, NameEntry>,
    swept: Option<Instant>,
}

impl NameCache {
    /// The cached addresses of `host`, if they are recent enough.
    pub(super) fn fresh(&self, host: &str) -> Option<ResolvedAddresses> {
        let name = self.names.get(host).filter(|name| !name.doubted)?;
        let (addresses, at) = name.answer.as_ref()?;
        (at.elapsed() < FRESH).then(|| addresses.clone())
    }

    /// Joins the look-up of `host`, or begins one; the second value is set if it begins here.
    pub(super) fn join(&mut self, host: &str) -> (PendingLookup, Option<StaleAnswer>, bool) {
        self.sweep();
        let name = self.names.entry(host.to_owned()).or_default();
        let begins = name.asked.is_none();
        let (sender, since) = name
            .asked
            .get_or_insert_with(|| (watch::Sender::new(None), Instant::now()));
        let overdue = since.elapsed() >= SLOW || name.manner == Some(NameSpeed::Slow);
        let answer = PendingLookup(sender.subscribe());
        let usable = name.answer.as_ref().filter(|(_, at)| at.elapsed() < STALE);
        let stale = usable.map(|(addresses, _)| StaleAnswer {
            addresses: addresses.clone(),
            overdue,
        });
        (answer, stale, begins)
    }

    /// Earlier behaviour of `host`; `None` if no caller waits for it.
    pub(super) fn manner(&self, host: &str) -> Option<NameSpeed> {
        let name = self.names.get(host)?;
        let (sender, _) = name.asked.as_ref()?;
        (sender.receiver_count() > 0).then(|| name.manner())
    }

    /// Removes a queued look-up that no caller waits for.
    pub(super) fn forget_asking(&mut self, host: &str) {
        if let Some(name) = self.names.get_mut(host) {
            name.asked = None;
        }
    }

    pub(super) fn doubt(&mut self, host: &str) {
        if let Some(name) = self.names.get_mut(host) {
            name.doubted = true;
        }
    }

    /// Stores the answer of a look-up and its duration.
    pub(super) fn answered(
        &mut self,
        host: &str,
        took: Duration,
        said: Result<ResolvedAddresses, LookupError>,
    ) {
        let Some(name) = self.names.get_mut(host) else {
            return;
        };
        name.manner = Some(if took < SLOW {
            NameSpeed::Quick
        } else {
            NameSpeed::Slow
        });
        match &said {
            Ok(addresses) => {
                name.answer = Some((addresses.clone(), Instant::now()));
                name.doubted = false;
            }
            Err(LookupError::Unknown(_)) => name.answer = None,
            Err(LookupError::Failed(_)) => {}
        }
        if let Some((sender, _)) = name.asked.take() {
            sender.send_replace(Some(said));
        }
    }

    /// Removes old names if there are many, at most once a second: it visits all of them.
    fn sweep(&mut self) {
        if self.names.len() < MAX_CACHED_NAMES || self.swept.is_some_and(|at| at.elapsed() < SLOW) {
            return;
        }
        self.swept = Some(Instant::now());
        self.names.retain(|_, name| {
            let is_fresh = name.answer.as_ref().is_some_and(|(_, at)| at.elapsed() < FRESH);
            name.asked.is_some() || is_fresh
        });
    }
}
