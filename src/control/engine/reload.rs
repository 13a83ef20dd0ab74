//! One reload: from being asked for to what came of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::super::candidate::Candidate;
use super::super::gate::objections;
use super::super::handle::{ReloadRequest, ReloadSource};
use super::super::judgement;
use super::super::reloader::{Judged, Reloader, Retired};
use super::super::report::{ReloadReport, millis};
use super::super::watcher::ConfigWatcher;
use super::summary::{Summary, TARGET, TOLD};
use super::waiting::Waiting;
use super::{Engine, warn_of_names, watch_settings};
use crate::config::{Digest, Sources};
use crate::drain::ConnectionTracker;
use crate::model::ProxyModel;
use crate::reload::{Outcome, Plan, Trigger};

/// Between two looks at files that are being written.
const WRITTEN: Duration = Duration::from_millis(50);

/// Sessions refreshed before other work on this thread gets its turn.
const SLICE: usize = 256;

/// What is odd about the configuration that runs now.
fn tell_warnings(warnings: &[String]) {
    for warning in warnings.iter().take(TOLD) {
        tracing::warn!(target: TARGET, warning, "the configuration is in use, with a warning");
    }
    if let Some(more) = warnings.len().checked_sub(TOLD).filter(|more| *more > 0) {
        tracing::warn!(target: TARGET, more, "more warnings: `kproxy check` prints them all");
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
    pub(super) async fn decide(&mut self, waiting: Waiting, candidate: Candidate) {
        let configured = matches!(waiting.source, ReloadSource::Configured);
        if configured && !self.watcher.undisturbed().await {
            return self.read_again(waiting);
        }
        let (model, digest, warnings) = match candidate {
            Candidate::SameBytes => return self.same_bytes(waiting).await,
            Candidate::Missing => {
                let why = "kproxy was started without a configuration file".to_owned();
                return self.reject(waiting, vec![why]);
            }
            Candidate::Broken(why) => return self.reject(waiting, vec![why]),
            Candidate::Made(model) => (model, None, Vec::new()),
            Candidate::Read {
                sources,
                digest,
                model,
                warnings,
                empty,
            } => {
                if configured {
                    follow(&mut self.watcher, &sources);
                    self.last_read = Some(sources);
                }
                match (model, empty) {
                    (Err(violations), _) => return self.reject(waiting, violations),
                    (Ok(_), Some(empty)) if !waiting.force => return self.reject(waiting, vec![empty]),
                    (Ok(model), _) => (model, Some(digest), warnings),
                }
            }
        };
        self.restore_failed().await;
        let plan = Plan::between(self.reloader.current(), &model);
        if plan.is_empty() {
            if configured {
                self.runs(configured, digest);
            }
            return self.unchanged(waiting);
        }
        let against = objections(self.reloader.current(), &model, &plan, waiting.force);
        if !against.is_empty() {
            return self.reject(waiting, against);
        }
        let next = plan.replayed(self.reloader.current());
        debug_assert!(next == *model, "a plan leads where it was made for");
        if self
            .apply(waiting, plan, Arc::new(next), configured, digest)
            .await
        {
            tell_warnings(&warnings);
        }
    }

    /// Somebody was writing while the files were read, so what was read may be half of something. Another hint
    /// follows; whoever waits for an answer has it from the next look.
    fn read_again(&mut self, mut waiting: Waiting) {
        if !waiting.is_automatic() || !waiting.replies.is_empty() {
            waiting.pause = WRITTEN;
            self.queue.push_front(waiting);
        }
    }

    /// Whether it runs now.
    async fn apply(
        &mut self,
        waiting: Waiting,
        plan: Plan,
        model: Arc<ProxyModel>,
        configured: bool,
        digest: Option<Digest>,
    ) -> bool {
        let summary = Summary::of(&plan);
        let mut prepared = match self.reloader.prepare(plan, model).await {
            Ok(prepared) => prepared,
            Err(errors) => {
                self.reject(waiting, errors.iter().map(ToString::to_string).collect());
                return false;
            }
        };
        if let Err(failure) = self.reloader.hand_over(&mut prepared).await {
            self.refuse(waiting, failure.outcome(), failure.reasons());
            return false;
        }
        let before = Arc::clone(self.reloader.current());
        let committing = Instant::now();
        let retired = self.reloader.commit(prepared);
        let commit = committing.elapsed();
        self.runs(configured, digest);
        let mut report = self.report(&waiting, Outcome::Applied);
        summary.enter(&mut report);
        summary.tell(&report, commit);
        self.history.record(report.clone());
        let current = Arc::clone(self.reloader.current());
        let has_file = self.path.is_some();
        self.watcher.set(watch_settings(&current.reload, has_file));
        (self.applied)(&current);
        warn_of_names(before, Arc::clone(&current));
        self.retire(retired, None).await;
        self.publish();
        waiting.answer(&report);
        true
    }

    /// Releases and drains what a commit replaced. The drains go on by themselves.
    pub(in super::super) async fn retire(&mut self, retired: Retired, deadline: Option<Instant>) {
        let Retired {
            listeners,
            leaving,
            refresh,
            judged,
            replaced,
        } = retired;
        // Waited for, so that a reload that is reported holds for the next frame of every session.
        refresh_all(refresh).await;
        // Waited for, so that the next reload finds these addresses free.
        for listener in self.reloader.registry.release(listeners) {
            if listener.await.is_err() {
                tracing::error!(target: TARGET, "an accept loop panicked");
            }
        }
        // Behind the listeners: who was waiting there is among those who are asked to leave.
        for leaving in leaving {
            self.drains.begin(leaving, deadline);
        }
        for judged in judged {
            self.judge(judged, deadline).await;
        }
        // Thousands of allocations; nobody waits for them to be freed.
        drop(tokio::task::spawn_blocking(move || drop(replaced)));
    }

    /// Asks those sessions to leave that new rules about clients do not let in.
    async fn judge(&mut self, judged: Judged, deadline: Option<Instant>) {
        let Judged { context, mut leaving } = judged;
        let trackers = leaving.trackers.clone();
        // Certificates are verified, away from this thread.
        let refused = tokio::task::spawn_blocking(move || judgement::refused(&context, &trackers)).await;
        let Ok(refused) = refused else {
            return tracing::error!(target: TARGET, "judging sessions panicked");
        };
        if refused.is_empty() {
            return;
        }
        for (reason, sessions) in judgement::by_reason(&refused) {
            tracing::warn!(target: "kproxy::drain", cluster = %leaving.cluster, sessions, reason, "sessions are not let in any more");
        }
        let part =
            |tracker: &Arc<ConnectionTracker>| tracker.part(|session| refused.contains_key(&session.id));
        leaving.trackers = leaving.trackers.iter().map(part).collect();
        self.drains.begin(leaving, deadline);
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
            self.looking = None;
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
        self.looking = None;
        match digest {
            Some(digest) if configured => {
                self.applied_sources.clone_from(&self.last_read);
                self.history.runs(digest);
            }
            digest => {
                self.applied_sources = None;
                self.history.runs_other(digest);
            }
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
