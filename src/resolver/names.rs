//! What is known of names, and which are being looked up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Addresses, FRESH, LookupError, STALE};

/// A look-up that takes longer says that the name server is slow for this name.
pub(super) const SLOW: Duration = Duration::from_secs(1);

/// Names that are remembered; more are only as long as they are wanted.
const REMEMBERED: usize = 4096;

/// The answer, once there is one.
type Told = Option<Result<Addresses, LookupError>>;

/// A look-up that somebody waits for.
pub(super) struct Answer(watch::Receiver<Told>);

impl Answer {
    pub(super) async fn wait(mut self) -> Result<Addresses, LookupError> {
        let gone = || LookupError::Failed("the look-up was given up".into());
        let told = self.0.wait_for(Option::is_some).await.map_err(|_| gone())?;
        told.clone().unwrap_or_else(|| Err(gone()))
    }
}

/// What stands in as long as there is no new answer.
pub(super) struct Stale {
    pub(super) addresses: Addresses,
    /// The new answer has been waited for long enough.
    pub(super) overdue: bool,
}

/// What a caller is given.
pub(super) enum Kept {
    Fresh(Addresses),
    Asked { answer: Answer, stale: Option<Stale> },
}

/// How names have behaved, and so how many of them may be looked up at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The last look-up was quick, whatever it said.
    Quick,
    /// There was none yet.
    New,
    /// The last look-up took longer than [`SLOW`].
    Slow,
}

#[derive(Debug, Default)]
struct Name {
    answer: Option<(Addresses, Instant)>,
    /// The answer is not to be used without asking again.
    doubted: bool,
    manner: Option<Manner>,
    /// Being looked up, or waiting for its turn, since then.
    asked: Option<(watch::Sender<Told>, Instant)>,
}

impl Name {
    fn manner(&self) -> Manner {
        self.manner.unwrap_or(Manner::New)
    }
}

/// By name, in lower case.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: HashMap<String, Name>,
    swept: Option<Instant>,
}

impl Names {
    /// What is known of `host`, if that is young enough.
    pub(super) fn fresh(&self, host: &str) -> Option<Addresses> {
        let name = self.names.get(host).filter(|name| !name.doubted)?;
        let (addresses, at) = name.answer.as_ref()?;
        (at.elapsed() < FRESH).then(|| addresses.clone())
    }

    /// Joins the look-up of `host`, or begins one. Returns whether it has begun here.
    pub(super) fn join(&mut self, host: &str) -> (Answer, Option<Stale>, bool) {
        self.sweep();
        let name = self.names.entry(host.to_owned()).or_default();
        let begins = name.asked.is_none();
        let (sender, since) = name
            .asked
            .get_or_insert_with(|| (watch::Sender::new(None), Instant::now()));
        let overdue = since.elapsed() >= SLOW || name.manner == Some(Manner::Slow);
        let answer = Answer(sender.subscribe());
        let usable = name.answer.as_ref().filter(|(_, at)| at.elapsed() < STALE);
        let stale = usable.map(|(addresses, _)| Stale {
            addresses: addresses.clone(),
            overdue,
        });
        (answer, stale, begins)
    }

    /// How `host` has behaved; `None` where nobody waits for it any more.
    pub(super) fn manner(&self, host: &str) -> Option<Manner> {
        let name = self.names.get(host)?;
        let (sender, _) = name.asked.as_ref()?;
        (sender.receiver_count() > 0).then(|| name.manner())
    }

    /// Nobody waits for it, and nobody has begun.
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

    /// A look-up that took so long has ended.
    pub(super) fn answered(&mut self, host: &str, took: Duration, said: Result<Addresses, LookupError>) {
        let Some(name) = self.names.get_mut(host) else {
            return;
        };
        name.manner = Some(if took < SLOW { Manner::Quick } else { Manner::Slow });
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

    /// Forgets names once there are many. Not more than once a second: it goes through all of them.
    fn sweep(&mut self) {
        if self.names.len() < REMEMBERED || self.swept.is_some_and(|at| at.elapsed() < SLOW) {
            return;
        }
        self.swept = Some(Instant::now());
        self.names.retain(|_, name| {
            let is_fresh = name.answer.as_ref().is_some_and(|(_, at)| at.elapsed() < FRESH);
            name.asked.is_some() || is_fresh
        });
    }
}
