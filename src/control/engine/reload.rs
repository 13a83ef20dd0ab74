//! One reload: from being asked for to what came of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::candidate::{self, Candidate};
use super::super::gate::objections;
use super::super::handle::{ReloadRequest, ReloadSource};
use super::super::reloader::{Reloader, Retired};
use super::super::report::{ReloadReport, millis};
use super::super::watcher::ConfigWatcher;
use super::{Engine, watch_settings};
use crate::config::{Digest, Sources};
use crate::drain::ConnectionTracker;
use crate::model::ProxyModel;
use crate::reload::{Outcome, Plan, Trigger};

/// Of the log lines about reloads: what somebody who wants to follow them asks for.
const TARGET: &str = "kproxy::reload";

/// Steps and reasons that are told one by one; more are only counted.
const TOLD: usize = 20;

/// Between two looks at files that are being written.
const WRITTEN: Duration = Duration::from_millis(50);

/// Sessions refreshed before other work on this thread gets its turn.
const SLICE: usize = 256;

/// A reload that was asked for.
pub(super) struct Waiting {
    pub(super) trigger: Trigger,
    pub(super) force: bool,
    pub(super) source: ReloadSource,
    replies: Vec<oneshot::Sender<ReloadReport>>,
    /// Before reading.
    pause: Duration,
    at: SystemTime,
    began: Instant,
}

/// A reload whose configuration is being read.
pub(super) struct Reading {
    waiting: Waiting,
    task: JoinHandle<(Candidate, Vec<String>)>,
}

impl Waiting {
    pub(super) fn new(request: ReloadRequest, reply: Option<oneshot::Sender<ReloadReport>>) -> Self {
        Self {
            trigger: request.trigger,
            force: request.force,
            source: request.source,
            replies: reply.into_iter().collect(),
            pause: Duration::ZERO,
            at: SystemTime::now(),
            began: Instant::now(),
        }
    }

    pub(super) fn automatic(trigger: Trigger) -> Self {
        let request = ReloadRequest {
            trigger,
            force: false,
            source: ReloadSource::Configured,
        };
        Self::new(request, None)
    }

    /// Nobody waits to hear that nothing has changed.
    pub(super) fn is_automatic(&self) -> bool {
        matches!(self.trigger, Trigger::Watch | Trigger::Poll)
    }

    /// Whether the other one asks for nothing that this one does not do.
    pub(super) fn takes(&self, other: &Self) -> bool {
        let configured = |waiting: &Self| matches!(waiting.source, ReloadSource::Configured);
        configured(self) && configured(other) && self.force == other.force
    }

    pub(super) fn join(&mut self, other: Self) {
        if self.is_automatic() {
            self.trigger = other.trigger;
        }
        self.replies.extend(other.replies);
    }

    fn answer(self, report: &ReloadReport) {
        for reply in self.replies {
            // Whoever asked may have gone away.
            reply.send(report.clone()).map_err(drop).unwrap_or_default();
        }
    }
}

impl Reading {
    pub(super) fn begin(
        mut waiting: Waiting,
        configured: Option<PathBuf>,
        last: Option<Arc<Sources>>,
        current: Arc<ProxyModel>,
    ) -> Self {
        let path = match std::mem::replace(&mut waiting.source, ReloadSource::Configured) {
            ReloadSource::Model(model) => {
                let ready = Candidate::Made(Arc::from(model));
                let task = tokio::spawn(async move { (ready, Vec::new()) });
                return Self { waiting, task };
            }
            ReloadSource::File(path) => {
                waiting.source = ReloadSource::File(path.clone());
                Some(path)
            }
            ReloadSource::Configured => configured,
        };
        let (check_names, pause) = (!waiting.force, waiting.pause);
        let patient = waiting.is_automatic();
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let candidate = match path {
                Some(path) if patient => candidate::read_settled(path, last).await,
                Some(path) => candidate::read(path, last).await,
                None => Candidate::Missing,
            };
            let violations = match &candidate {
                Candidate::Read { model: Ok(model), .. } if check_names => {
                    candidate::unresolvable(&current, model).await
                }
                _ => Vec::new(),
            };
            (candidate, violations)
        });
        Self { waiting, task }
    }
}

/// Waits until a configuration has been read; for ever where none is. Cancel safe.
pub(super) async fn read(reading: &mut Option<Reading>) -> (Waiting, (Candidate, Vec<String>)) {
    let Some(Reading { task, .. }) = reading else {
        return std::future::pending().await;
    };
    let outcome = task.await;
    let read = match outcome {
        Ok(read) => read,
        Err(error) => {
            let why = format!("reading the configuration failed: {error}");
            (Candidate::Broken(why), Vec::new())
        }
    };
    match reading.take() {
        Some(reading) => (reading.waiting, read),
        None => std::future::pending().await,
    }
}

pub(super) fn follow(watcher: &mut ConfigWatcher, sources: &Sources) {
    let files: Vec<PathBuf> = sources.files().map(ToOwned::to_owned).collect();
    watcher.follow(&files, &sources.directories());
}

/// A report that only lacks what came of it in detail.
pub(super) fn report(
    reloader: &Reloader,
    outcome: Outcome,
    trigger: Trigger,
    at: SystemTime,
    began: Instant,
) -> ReloadReport {
    ReloadReport {
        outcome,
        trigger,
        at,
        duration: began.elapsed(),
        generation: reloader.generation(),
        added: Vec::new(),
        modified: Vec::new(),
        removed: Vec::new(),
        errors: Vec::new(),
    }
}

impl Engine {
    /// What becomes of a configuration that has been read.
    pub(super) async fn decide(
        &mut self,
        waiting: Waiting,
        (candidate, unresolvable): (Candidate, Vec<String>),
    ) {
        let configured = matches!(waiting.source, ReloadSource::Configured);
        if configured && !self.watcher.undisturbed().await {
            return self.read_again(waiting);
        }
        let (model, digest) = match candidate {
            Candidate::SameBytes => return self.same_bytes(waiting).await,
            Candidate::Missing => {
                let why = "kproxy was started without a configuration file".to_owned();
                return self.reject(waiting, vec![why]);
            }
            Candidate::Broken(why) => return self.reject(waiting, vec![why]),
            Candidate::Made(model) => (model, None),
            Candidate::Read {
                sources,
                digest,
                model,
                empty,
            } => {
                if configured {
                    follow(&mut self.watcher, &sources);
                    self.last_read = Some(Arc::new(sources));
                }
                match (model, empty) {
                    (Err(violations), _) => return self.reject(waiting, violations),
                    (Ok(_), Some(empty)) if !waiting.force => return self.reject(waiting, vec![empty]),
                    (Ok(model), _) => (model, Some(digest)),
                }
            }
        };
        self.restore_failed().await;
        let plan = Plan::between(self.reloader.current(), &model);
        if plan.is_empty() {
            self.runs(configured, digest);
            return self.unchanged(waiting);
        }
        let mut against = objections(self.reloader.current(), &model, &plan, waiting.force);
        against.extend(unresolvable);
        if !against.is_empty() {
            return self.reject(waiting, against);
        }
        let next = plan.replayed(self.reloader.current());
        debug_assert!(next == *model, "a plan leads where it was made for");
        self.apply(waiting, plan, Arc::new(next), configured, digest)
            .await;
    }

    /// Somebody was writing while the files were read, so what was read may be half of something. Another hint
    /// follows; whoever waits for an answer has it from the next look.
    fn read_again(&mut self, mut waiting: Waiting) {
        if !waiting.is_automatic() || !waiting.replies.is_empty() {
            waiting.pause = WRITTEN;
            self.queue.push_front(waiting);
        }
    }

    async fn apply(
        &mut self,
        waiting: Waiting,
        plan: Plan,
        model: Arc<ProxyModel>,
        configured: bool,
        digest: Option<Digest>,
    ) {
        let told: Vec<String> = plan.steps.iter().take(TOLD).map(ToString::to_string).collect();
        let steps = plan.steps.len();
        let owned = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect::<Vec<_>>();
        let names = (
            owned(&mut plan.added()),
            owned(&mut plan.modified()),
            owned(&mut plan.removed()),
        );
        let mut prepared = match self.reloader.prepare(plan, model).await {
            Ok(prepared) => prepared,
            Err(errors) => return self.reject(waiting, errors.iter().map(ToString::to_string).collect()),
        };
        if let Err(failure) = self.reloader.hand_over(&mut prepared).await {
            let outcome = if failure.failed.is_empty() {
                Outcome::RolledBack
            } else {
                Outcome::Failed
            };
            let bound = failure.errors.iter().map(ToString::to_string);
            let lost = failure.failed.iter().map(|(cluster, cause)| {
                format!("virtual cluster `{cluster}` could not be restored: {cause}")
            });
            return self.refuse(waiting, outcome, bound.chain(lost).collect());
        }
        let committing = Instant::now();
        let retired = self.reloader.commit(prepared);
        let commit = committing.elapsed();
        self.runs(configured, digest);
        let mut report = self.report(&waiting, Outcome::Applied);
        (report.added, report.modified, report.removed) = names;
        tracing::info!(target: TARGET,
            trigger = waiting.trigger.name(),
            generation = report.generation,
            added = report.added.len(),
            modified = report.modified.len(),
            removed = report.removed.len(),
            duration_ms = millis(report.duration),
            commit_us = u64::try_from(commit.as_micros()).unwrap_or(u64::MAX),
            "reload applied"
        );
        for step in &told {
            tracing::info!(target: TARGET, generation = report.generation, step, "change");
        }
        if steps > told.len() {
            tracing::info!(target: TARGET,
                generation = report.generation,
                more = steps - told.len(),
                "further changes"
            );
        }
        self.history.record(report.clone());
        let current = Arc::clone(self.reloader.current());
        let has_file = self.path.is_some();
        self.watcher.set(watch_settings(&current.reload, has_file));
        (self.applied)(&current);
        self.retire(retired, None).await;
        self.publish();
        waiting.answer(&report);
    }

    /// Releases and drains what a commit replaced. The drains go on by themselves.
    pub(in super::super) async fn retire(&mut self, retired: Retired, deadline: Option<Instant>) {
        let Retired {
            listeners,
            leaving,
            refresh,
            replaced,
        } = retired;
        // Waited for, so that a reload that is reported holds for the next frame of every session.
        refresh_all(refresh).await;
        for leaving in leaving {
            self.drains.begin(leaving, deadline);
        }
        // Waited for, so that the next reload finds these addresses free.
        for listener in self.reloader.registry.release(listeners) {
            if listener.await.is_err() {
                tracing::error!(target: TARGET, "an accept loop panicked");
            }
        }
        // Thousands of allocations; nobody waits for them to be freed.
        drop(tokio::task::spawn_blocking(move || drop(replaced)));
    }

    async fn same_bytes(&mut self, waiting: Waiting) {
        self.restore_failed().await;
        if waiting.is_automatic() && waiting.replies.is_empty() {
            tracing::debug!(target: TARGET, trigger = waiting.trigger.name(), "nothing has changed");
            return;
        }
        self.unchanged(waiting);
    }

    fn unchanged(&mut self, waiting: Waiting) {
        let report = self.report(&waiting, Outcome::Unchanged);
        tracing::info!(target: TARGET,
            trigger = waiting.trigger.name(),
            generation = report.generation,
            "reload: the configuration means what runs already, nothing changes"
        );
        self.history.record(report.clone());
        waiting.answer(&report);
    }

    fn reject(&mut self, waiting: Waiting, errors: Vec<String>) {
        self.refuse(waiting, Outcome::Rejected, errors);
    }

    fn refuse(&mut self, waiting: Waiting, outcome: Outcome, errors: Vec<String>) {
        let mut report = self.report(&waiting, outcome);
        for reason in errors.iter().take(TOLD) {
            tracing::error!(target: TARGET,
                generation = report.generation,
                reason,
                "reload {}",
                outcome.name()
            );
        }
        tracing::error!(target: TARGET,
            trigger = waiting.trigger.name(),
            generation = report.generation,
            reasons = errors.len(),
            duration_ms = millis(report.duration),
            "reload {}: generation {} goes on running as it was",
            outcome.name(),
            report.generation
        );
        report.errors = errors;
        if matches!(waiting.source, ReloadSource::Configured) {
            self.history.out_of_sync();
        }
        self.history.record(report.clone());
        waiting.answer(&report);
    }

    /// Tries again to bind what could not be restored by an earlier hand-over.
    async fn restore_failed(&mut self) {
        for cluster in self.reloader.failed() {
            match self.reloader.restore(&cluster).await {
                Ok(()) => tracing::info!(target: TARGET, cluster, "the cluster serves again"),
                Err(cause) => tracing::error!(target: TARGET, cluster, cause, "the cluster is still failed"),
            }
        }
    }

    /// Every reload that waits, or is being read, is answered with this.
    pub(in super::super) fn refuse_reloads(&mut self, why: &str) {
        let reading = self.reading.take().map(|reading| {
            reading.task.abort();
            reading.waiting
        });
        let waiting: Vec<Waiting> = reading.into_iter().chain(self.queue.drain(..)).collect();
        for waiting in waiting {
            let mut report = self.report(&waiting, Outcome::Rejected);
            report.errors = vec![why.to_owned()];
            waiting.answer(&report);
        }
    }

    /// Answers a reload that comes too late.
    pub(in super::super) fn refuse_reload(
        &mut self,
        request: ReloadRequest,
        reply: oneshot::Sender<ReloadReport>,
    ) {
        self.queue.push_back(Waiting::new(request, Some(reply)));
        self.refuse_reloads("kproxy is shutting down");
    }

    fn runs(&mut self, configured: bool, digest: Option<Digest>) {
        match digest {
            Some(digest) if configured => {
                self.applied_sources.clone_from(&self.last_read);
                self.history.runs(digest);
            }
            digest => self.history.runs_other(digest),
        }
    }

    fn report(&self, waiting: &Waiting, outcome: Outcome) -> ReloadReport {
        report(
            &self.reloader,
            outcome,
            waiting.trigger,
            waiting.at,
            waiting.began,
        )
    }
}

async fn refresh_all(trackers: Vec<Arc<ConnectionTracker>>) {
    for (index, tracker) in trackers.into_iter().enumerate() {
        tracker.sessions().iter().for_each(|session| session.refresh());
        if index % SLICE == SLICE - 1 {
            tokio::task::yield_now().await;
        }
    }
}
