//! Reloads that wait, and the one whose configuration is being read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::candidate::{self, Candidate, ConfigLocation, Confirmation, ReadOutcome, WaitedTime};
use super::report::{ReloadPhases, ReloadReport};
use super::restore::Restorable;
use super::staged::StagedReload;
use crate::control::handle::{ReloadRequest, ReloadSource};
use crate::control::requester::Requester;
use crate::control::watch::ModificationProbe;
use crate::reload::{Plan, Trigger};

/// Kind of [`ReloadSource`], for when the source itself has been taken to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control) enum Origin {
    Configured,
    File,
    Running,
    /// A configuration that ran before.
    Generation,
    Model,
}

impl Origin {
    pub(in crate::control) fn of(source: &ReloadSource) -> Self {
        match source {
            ReloadSource::Configured => Self::Configured,
            ReloadSource::File(_) => Self::File,
            ReloadSource::Running => Self::Running,
            ReloadSource::Generation(_) | ReloadSource::Previous => Self::Generation,
            ReloadSource::Model(_) => Self::Model,
        }
    }

    /// Whether the watcher follows the files that are read.
    pub(in crate::control) fn is_followed(self) -> bool {
        matches!(self, Self::Configured | Self::Running)
    }
}

/// A reload that somebody or something has asked for.
#[derive(Debug)]
pub(in crate::control) struct QueuedReload {
    pub(in crate::control) trigger: Trigger,
    pub(in crate::control) by: Requester,
    pub(in crate::control) force: bool,
    pub(in crate::control) origin: Origin,
    /// Whether it is another attempt at what failed for a passing reason.
    pub(in crate::control) is_retry: bool,
    /// The generation that it takes back by itself; nothing happens if another one runs.
    only_for: Option<u64>,
    /// The wait for a confirmation that it ends; nothing happens if that is over.
    pub(in crate::control) ends_wait: Option<u64>,
    /// The generation whose configuration it brings back, once that is known.
    pub(in crate::control) restores: Option<u64>,
    pub(in crate::control) intent: ReloadIntent,
    source: ReloadSource,
    replies: Vec<oneshot::Sender<ReloadReport>>,
    /// Time of the request.
    pub(in crate::control) at: SystemTime,
    pub(in crate::control) began: Instant,
    /// Durations of the phases so far.
    pub(in crate::control) phases: ReloadPhases,
}

/// What a reload comes to once its configuration has been read.
#[derive(Debug)]
pub(in crate::control) enum ReloadIntent {
    /// It is applied.
    Apply,
    /// It is applied, and taken back unless it is confirmed in this time.
    Confirm(Duration),
    /// It waits for approval, so long at most.
    Stage(Duration),
    /// It has waited, and is applied as it was read then.
    Approved(Arc<StagedReload>),
}

/// Reloads in the order of their requests, one of which is being read.
#[derive(Debug, Default)]
pub(in crate::control) struct ReloadQueue {
    waiting: VecDeque<QueuedReload>,
    in_progress: Option<ReloadInProgress>,
}

/// A reload whose configuration is being read, away from the control thread.
#[derive(Debug)]
struct ReloadInProgress {
    reload: QueuedReload,
    began: Instant,
    waited: WaitedTime,
    task: JoinHandle<ReadOutcome>,
}

/// What the files that a reload may read are known to hold already.
#[derive(Debug)]
pub(in crate::control) struct ReadFrom {
    /// The configuration file.
    pub(in crate::control) configured: Option<ConfigLocation>,
    /// The running text.
    pub(in crate::control) running: Option<ConfigLocation>,
    /// The configurations that ran before.
    pub(in crate::control) earlier: Restorable,
}

impl QueuedReload {
    pub(in crate::control) fn new(
        request: ReloadRequest,
        reply: Option<oneshot::Sender<ReloadReport>>,
    ) -> Self {
        Self {
            trigger: request.trigger,
            by: request.by,
            force: request.force,
            origin: Origin::of(&request.source),
            is_retry: false,
            only_for: None,
            ends_wait: None,
            restores: None,
            intent: ReloadIntent::Apply,
            source: request.source,
            replies: reply.into_iter().collect(),
            at: SystemTime::now(),
            began: Instant::now(),
            phases: ReloadPhases::default(),
        }
    }

    /// A reload that is taken back unless it is confirmed.
    pub(in crate::control) fn unconfirmed(
        request: ReloadRequest,
        within: Duration,
        reply: oneshot::Sender<ReloadReport>,
    ) -> Self {
        Self {
            intent: ReloadIntent::Confirm(within),
            ..Self::new(request, Some(reply))
        }
    }

    /// A reload that waits for approval once it has been read.
    pub(in crate::control) fn staging(
        request: ReloadRequest,
        within: Duration,
        reply: oneshot::Sender<ReloadReport>,
    ) -> Self {
        Self {
            intent: ReloadIntent::Stage(within),
            ..Self::new(request, Some(reply))
        }
    }

    /// A reload that has waited for approval.
    pub(in crate::control) fn approved(
        staged: Arc<StagedReload>,
        trigger: Trigger,
        by: Requester,
        reply: oneshot::Sender<ReloadReport>,
    ) -> Self {
        let request = ReloadRequest {
            trigger,
            by,
            force: staged.force,
            source: ReloadSource::Configured,
        };
        Self {
            origin: staged.origin,
            intent: ReloadIntent::Approved(staged),
            ..Self::new(request, Some(reply))
        }
    }

    /// The approved reload, if `plan` is another one than it had when it was staged.
    pub(in crate::control) fn outdated(&self, plan: &Plan) -> Option<Arc<StagedReload>> {
        match &self.intent {
            ReloadIntent::Approved(staged) if staged.plan != *plan => Some(Arc::clone(staged)),
            ReloadIntent::Approved(_)
            | ReloadIntent::Apply
            | ReloadIntent::Confirm(_)
            | ReloadIntent::Stage(_) => None,
        }
    }

    /// A reload of the configuration file that nobody waits for.
    pub(in crate::control) fn unattended(trigger: Trigger) -> Self {
        let request = ReloadRequest {
            trigger,
            by: Requester::Process,
            force: false,
            source: ReloadSource::Configured,
        };
        Self::new(request, None)
    }

    /// Another attempt at the configuration file.
    pub(in crate::control) fn retry() -> Self {
        Self {
            is_retry: true,
            ..Self::unattended(Trigger::Poll)
        }
    }

    /// The running text with what its referenced files hold now. It has been accepted before, so it is forced.
    pub(in crate::control) fn renewal(trigger: Trigger) -> Self {
        let request = ReloadRequest {
            trigger,
            by: Requester::Process,
            force: true,
            source: ReloadSource::Running,
        };
        Self::new(request, None)
    }

    /// The return from generation `from` to `to` that kproxy makes by itself. `to` has run before, so it is forced.
    pub(in crate::control) fn automatic_rollback(from: u64, to: u64) -> Self {
        let request = ReloadRequest {
            trigger: Trigger::Rollback,
            force: true,
            source: ReloadSource::Generation(to),
            by: Requester::Process,
        };
        Self {
            only_for: Some(from),
            ..Self::new(request, None)
        }
    }

    /// The return to generation `to`, since nobody has confirmed what runs in the wait of this number.
    pub(in crate::control) fn revert(wait: u64, to: u64) -> Self {
        Self {
            only_for: None,
            ends_wait: Some(wait),
            ..Self::automatic_rollback(0, to)
        }
    }

    pub(in crate::control) fn is_automatic_rollback(&self) -> bool {
        self.only_for.is_some()
    }

    /// Whether it is a return from a generation that does not run any more.
    pub(in crate::control) fn is_outdated(&self, generation: u64) -> bool {
        self.only_for.is_some_and(|only| only != generation)
    }

    /// Whether the watcher caused it, so that nobody waits to hear that nothing has changed.
    pub(in crate::control) fn is_automatic(&self) -> bool {
        matches!(self.trigger, Trigger::Watch | Trigger::Poll)
    }

    /// Whether somebody waits for the report.
    pub(in crate::control) fn is_awaited(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Whether `other` asks for nothing that this one does not do.
    fn covers(&self, other: &Self) -> bool {
        let is_plain = |reload: &Self| matches!(reload.intent, ReloadIntent::Apply);
        is_plain(self)
            && is_plain(other)
            && self.origin.is_followed()
            && self.origin == other.origin
            && self.force == other.force
    }

    fn join(&mut self, other: Self) {
        if self.is_automatic() {
            self.trigger = other.trigger;
            self.by = other.by;
        }
        self.is_retry &= other.is_retry;
        self.replies.extend(other.replies);
    }

    /// Answers all who wait.
    pub(in crate::control) fn answer(self, report: &ReloadReport) {
        for reply in self.replies {
            // An error means that the asker has gone away.
            drop(reply.send(report.clone()));
        }
    }

    /// Takes the place to read from; the model itself, where it comes from no file.
    pub(in crate::control) fn place(&mut self, known: ReadFrom) -> Result<Option<ConfigLocation>, Candidate> {
        if let ReloadIntent::Approved(staged) = &self.intent {
            return Err(Candidate::Staged(Arc::clone(staged)));
        }
        match std::mem::replace(&mut self.source, ReloadSource::Configured) {
            ReloadSource::Model(model) => Err(Candidate::InMemory(Arc::from(model))),
            ReloadSource::File(path) => Ok(Some(ConfigLocation::File(path, None, Arc::default()))),
            ReloadSource::Running => {
                self.source = ReloadSource::Running;
                Ok(known.running)
            }
            ReloadSource::Configured => Ok(known.configured),
            ReloadSource::Generation(number) => self.place_of(number, &known.earlier).map(Some),
            ReloadSource::Previous => match known.earlier.previous() {
                Some(number) => self.place_of(number, &known.earlier).map(Some),
                None => Err(Candidate::Broken(
                    "no other configuration ran before this one, as far as kproxy remembers".to_owned(),
                )),
            },
        }
    }

    /// Takes the place of the configuration that ran as generation `number`.
    fn place_of(&mut self, number: u64, earlier: &Restorable) -> Result<ConfigLocation, Candidate> {
        self.restores = Some(number);
        earlier.place(number)
    }
}

impl ReloadQueue {
    /// Adds a reload. It joins the last one that waits, if that does all that it asks for: the content that is read
    /// counts, and each asker is answered.
    pub(in crate::control) fn push(&mut self, reload: QueuedReload) {
        match self.waiting.back_mut() {
            Some(last) if last.covers(&reload) => last.join(reload),
            _ => self.waiting.push_back(reload),
        }
    }

    /// Adds a reload before all others that wait.
    pub(in crate::control) fn push_first(&mut self, reload: QueuedReload) {
        self.waiting.push_front(reload);
    }

    /// The reload whose turn it is; `None` while another one is being read.
    pub(in crate::control) fn next(&mut self) -> Option<QueuedReload> {
        if self.in_progress.is_some() {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Begins to read, in a task. `watcher` and `debounce` confirm what is read.
    pub(in crate::control) fn begin(
        &mut self,
        mut reload: QueuedReload,
        known: ReadFrom,
        watcher: ModificationProbe,
        debounce: Duration,
    ) {
        let waited = WaitedTime::default();
        let confirmation = Confirmation {
            watcher: reload.origin.is_followed().then_some(watcher),
            debounce,
            is_hinted: reload.is_automatic() && !reload.is_awaited(),
            was_quiet: reload.trigger == Trigger::Watch,
            waited: waited.clone(),
        };
        let place = reload.place(known);
        let task = tokio::spawn(async move {
            match place {
                Err(in_memory) => ReadOutcome::Read(in_memory),
                Ok(None) => ReadOutcome::Read(Candidate::Missing),
                Ok(Some(place)) => candidate::read(place, confirmation).await,
            }
        });
        let began = Instant::now();
        reload.phases.queued = began.duration_since(reload.began);
        self.in_progress = Some(ReloadInProgress {
            reload,
            began,
            waited,
            task,
        });
    }

    /// Waits until a configuration has been read; for ever while none is. Cancel safe.
    pub(in crate::control) async fn read(&mut self) -> (QueuedReload, ReadOutcome) {
        let Some(ReloadInProgress { task, .. }) = &mut self.in_progress else {
            return std::future::pending().await;
        };
        let outcome = task.await.unwrap_or_else(|error| {
            let why = format!("reading the configuration failed: {error}");
            ReadOutcome::Read(Candidate::Broken(why))
        });
        match self.in_progress.take() {
            Some(ReloadInProgress {
                mut reload,
                began,
                waited,
                ..
            }) => {
                let waited = waited.total();
                reload.phases.queued += waited;
                reload.phases.read = began.elapsed().saturating_sub(waited);
                (reload, outcome)
            }
            None => std::future::pending().await,
        }
    }

    /// Whether a reload that somebody asked for has no result yet.
    pub(in crate::control) fn is_requested(&self) -> bool {
        let in_progress = self.in_progress.iter().map(|reading| &reading.reload);
        in_progress
            .chain(&self.waiting)
            .any(|reload| !reload.is_automatic())
    }

    /// Gives up reading, and returns every reload that has not come to a result.
    pub(in crate::control) fn clear(&mut self) -> Vec<QueuedReload> {
        let in_progress = self.in_progress.take().map(|reading| {
            reading.task.abort();
            reading.reload
        });
        in_progress.into_iter().chain(self.waiting.drain(..)).collect()
    }
}
