//! One reload: from being asked for to what came of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::super::handle::ReloadRequest;
use super::super::reload::candidate::Candidate;
use super::super::reload::queue::{Origin, Waiting};
use super::super::reload::report::ReloadReport;
use super::super::reload::retry::Again;
use super::super::reload::running::Running;
use super::super::reload::safeguards::objections;
use super::super::reload::summary::{Summary, TARGET, TOLD};
use super::super::runtime::recheck;
use super::super::runtime::reloader::{Judged, PrepareError, Reloader, Retired};
use super::super::runtime::warnings::WarningsInForce;
use super::super::watch::ConfigWatcher;
use super::{Engine, warn_of_names, watch_settings};
use crate::config::{Digest, Sources};
use crate::drain::ConnectionTracker;
use crate::model::ProxyModel;
use crate::reload::{Outcome, Plan, Trigger};
use crate::time::millis;

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

/// Follows what was read of the configured file, and what the configuration that runs references.
pub(super) fn follow(watcher: &mut ConfigWatcher, read: Option<&Sources>, running: Option<&Sources>) {
    let material = running.into_iter().flat_map(Sources::references);
    let files = read.into_iter().flat_map(Sources::files).chain(material);
    let files: Vec<PathBuf> = files.map(ToOwned::to_owned).collect();
    let directories = read.map(Sources::directories).unwrap_or_default();
    watcher.follow(&files, &directories);
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

/// What a configuration that may come to run was read from; nothing where it comes from no file.
#[derive(Default)]
pub(super) struct ReadFrom {
    sources: Option<Arc<Sources>>,
    digest: Option<Digest>,
}

impl Engine {
    /// What becomes of a configuration that has been read.
    pub(super) async fn decide(&mut self, waiting: Waiting, candidate: Candidate) {
        let (origin, trigger) = (waiting.origin, waiting.trigger);
        let is_followed = matches!(origin, Origin::Configured | Origin::Running);
        if is_followed && !self.watcher.undisturbed().await {
            return self.read_again(waiting);
        }
        let is_new = matches!(candidate, Candidate::Read { .. } | Candidate::Made(_));
        self.settle(waiting, candidate).await;
        self.look_after_failed();
        if self.path.is_none() {
            return;
        }
        let read = self.last_read.as_deref();
        let beside = self.running.differs_from(read);
        let is_refused = !self.history.in_sync();
        if is_new {
            let running = self.running.tried().filter(|_| beside).map(AsRef::as_ref);
            follow(&mut self.watcher, read, running);
        }
        // Whatever came of the file: what runs has what its own files hold.
        if origin == Origin::Configured && (beside || is_refused) && self.running.tried().is_some() {
            self.enqueue(Waiting::renewal(trigger));
        }
    }

    async fn settle(&mut self, waiting: Waiting, candidate: Candidate) {
        let (model, read, warnings, left_out) = match candidate {
            Candidate::SameBytes => return self.same_bytes(waiting).await,
            Candidate::Missing => {
                let why = match waiting.origin {
                    Origin::Running => "what runs comes from no file",
                    _ => "kproxy was started without a configuration file",
                };
                return self.reject(waiting, vec![why.to_owned()]);
            }
            Candidate::Broken(why) => return self.reject(waiting, vec![why]),
            Candidate::Made(model) => (model, ReadFrom::default(), Box::default(), Vec::new()),
            Candidate::Read {
                sources,
                digest,
                model,
                warnings,
                empty,
                emptied,
                left_out,
            } => {
                if self.note(&waiting, &sources) {
                    return self.same_bytes(waiting).await;
                }
                let may_pass = sources.may_be_readable_later();
                match (model, empty) {
                    (Err(violations), _) => {
                        return self.refuse(waiting, Outcome::Rejected, violations, may_pass);
                    }
                    // What runs was forced, if it is empty.
                    (Ok(_), Some(empty)) if !waiting.force && waiting.origin != Origin::Running => {
                        return self.reject(waiting, vec![empty]);
                    }
                    (Ok(model), _) => {
                        let read = ReadFrom {
                            sources: Some(sources),
                            digest: Some(digest),
                        };
                        // An emptied file takes the clusters away, and says nothing of the process.
                        let model = match emptied {
                            true => Arc::new(self.reloader.current().without_clusters()),
                            false => model,
                        };
                        (model, read, warnings, left_out)
                    }
                }
            }
        };
        self.restore_failed().await;
        let plan = Plan::between(self.reloader.current(), &model);
        if plan.is_empty() {
            if !left_out.is_empty() {
                return self.not_renewed(waiting, left_out);
            }
            if matches!(waiting.origin, Origin::Configured | Origin::Running) {
                self.runs(waiting.origin, read);
                self.warnings = WarningsInForce::new(*warnings);
            }
            return self.unchanged(waiting);
        }
        let against = objections(self.reloader.current(), &model, &plan, waiting.force);
        if !against.is_empty() {
            return self.reject(waiting, against);
        }
        let next = plan.replayed(self.reloader.current());
        debug_assert!(next == *model, "a plan leads where it was made for");
        if self.apply(waiting, plan, Arc::new(next), read, left_out).await {
            self.warnings = WarningsInForce::new(*warnings);
            tell_warnings(&self.warnings.all());
        }
    }

    /// All that has changed of the files that the running configuration references cannot be used.
    fn not_renewed(&mut self, waiting: Waiting, left_out: Vec<String>) {
        if self.running.differs_from(self.last_read.as_deref()) {
            return self.reject(waiting, left_out);
        }
        // The reload of the file was rejected for the same.
        let report = self.report(&waiting, Outcome::Rejected);
        waiting.answer(&report);
    }

    /// Notes what was read. Whether it is nothing new after all: of a file that was set aside only what it references has
    /// changed.
    fn note(&mut self, waiting: &Waiting, sources: &Arc<Sources>) -> bool {
        match waiting.origin {
            Origin::Configured => {
                let before = self.last_read.replace(Arc::clone(sources));
                let same_text = before.is_some_and(|before| before.has_text_of(sources));
                if !same_text {
                    self.running.configured_has_changed();
                }
                waiting.is_automatic() && !waiting.is_retry && self.running.is_set_aside()
            }
            Origin::Running => {
                self.running.tried_with(sources);
                false
            }
            Origin::File | Origin::Model => false,
        }
    }

    /// Somebody was writing while the files were read, so what was read may be half of something. Another hint
    /// follows; whoever waits for an answer has it from the next look.
    fn read_again(&mut self, mut waiting: Waiting) {
        if !waiting.is_automatic() || !waiting.replies.is_empty() {
            waiting.pause = WRITTEN;
            self.queue.push_front(waiting);
        } else if let Some(again) = &mut self.again {
            again.resume();
        }
    }

    /// Whether it runs now.
    async fn apply(
        &mut self,
        waiting: Waiting,
        plan: Plan,
        model: Arc<ProxyModel>,
        read: ReadFrom,
        left_out: Vec<String>,
    ) -> bool {
        let summary = Summary::of(&plan);
        let mut prepared = match self.reloader.prepare(plan, model).await {
            Ok(prepared) => prepared,
            Err(errors) => {
                let may_pass = errors.iter().any(PrepareError::may_pass);
                let errors = errors.iter().map(ToString::to_string).collect();
                self.refuse(waiting, Outcome::Rejected, errors, may_pass);
                return false;
            }
        };
        if let Err(failure) = self.reloader.hand_over(&mut prepared).await {
            // It is not tried again by itself: every attempt closes the address for a moment.
            self.refuse(waiting, failure.outcome(), failure.reasons(), false);
            return false;
        }
        let before = Arc::clone(self.reloader.current());
        let committing = Instant::now();
        let retired = self.reloader.commit(prepared);
        let commit = committing.elapsed();
        let attempts = self
            .again
            .as_ref()
            .filter(|_| waiting.is_retry)
            .map(Again::attempts);
        self.runs(waiting.origin, read);
        let mut report = self.report(&waiting, Outcome::Applied);
        summary.enter(&mut report);
        summary.tell(&report, commit, waiting.origin);
        for reason in left_out.iter().take(TOLD) {
            tracing::error!(target: TARGET, generation = report.generation, reason, "renewal applied without this");
        }
        report.errors = left_out;
        if let Some(attempts) = attempts {
            tracing::info!(target: TARGET, attempts = attempts + 1, "what was rejected for a moment is applied");
        }
        for name in report.added.iter().chain(&report.modified) {
            let Some(cluster) = self.reloader.clusters.get(name) else {
                continue;
            };
            let before = before.clusters.get(name);
            if before.is_none_or(|before| !before.target.is_same_cluster(&cluster.model.target)) {
                self.brokers.is_new(cluster);
            }
        }
        self.record(waiting.origin, &report);
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

    fn record(&mut self, origin: Origin, report: &ReloadReport) {
        match origin {
            Origin::Running => self.history.record_renewal(report.clone()),
            _ => self.history.record(report.clone()),
        }
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
            let ended_by = self.reloader.generation();
            self.drains.begin(leaving, ended_by, deadline);
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
        let refused = tokio::task::spawn_blocking(move || recheck::refused(&context, &trackers)).await;
        let Ok(refused) = refused else {
            return tracing::error!(target: TARGET, "judging sessions panicked");
        };
        if refused.is_empty() {
            return;
        }
        for (reason, sessions) in recheck::by_reason(&refused) {
            tracing::warn!(target: "kproxy::drain", cluster = %leaving.cluster, sessions, reason, "sessions are not let in any more");
        }
        let part =
            |tracker: &Arc<ConnectionTracker>| tracker.part(|session| refused.contains_key(&session.id));
        leaving.trackers = leaving.trackers.iter().map(part).collect();
        self.drains.begin(leaving, self.reloader.generation(), deadline);
    }

    async fn same_bytes(&mut self, waiting: Waiting) {
        self.restore_failed().await;
        if let Some(again) = &mut self.again {
            again.resume();
        }
        let nobody_asked = waiting.is_automatic() || waiting.origin == Origin::Running;
        if nobody_asked && waiting.replies.is_empty() {
            if waiting.origin == Origin::Configured {
                tracing::debug!(target: TARGET, trigger = waiting.trigger.name(), "nothing has changed");
            }
            return;
        }
        self.unchanged(waiting);
    }

    fn unchanged(&mut self, waiting: Waiting) {
        let report = self.report(&waiting, Outcome::Unchanged);
        match waiting.origin {
            Origin::Running => tracing::debug!(target: TARGET,
                generation = report.generation,
                "renewal: the files mean what they meant, nothing changes"
            ),
            _ => tracing::info!(target: TARGET,
                trigger = waiting.trigger.name(),
                generation = report.generation,
                "reload: the configuration means what runs already, nothing changes"
            ),
        }
        self.record(waiting.origin, &report);
        waiting.answer(&report);
    }

    /// For reasons that stay until somebody changes the file.
    fn reject(&mut self, waiting: Waiting, errors: Vec<String>) {
        self.refuse(waiting, Outcome::Rejected, errors, false);
    }

    /// `may_pass`: the reasons may go away while the file stays as it is.
    fn refuse(&mut self, waiting: Waiting, outcome: Outcome, errors: Vec<String>, may_pass: bool) {
        let mut report = self.report(&waiting, outcome);
        report.errors = errors;
        let is_news = self.schedule(&waiting, &report.errors, may_pass);
        if is_news {
            self.tell_refused(&waiting, &report);
            self.tell_next_attempt(may_pass);
        } else {
            tracing::debug!(target: TARGET, "rejected again for the same reasons");
        }
        if waiting.origin == Origin::Configured {
            self.looking = None;
            self.history.out_of_sync();
        }
        if is_news {
            self.record(waiting.origin, &report);
        }
        waiting.answer(&report);
    }

    /// Sees to the next attempt. Whether the reasons are news.
    fn schedule(&mut self, waiting: &Waiting, reasons: &[String], may_pass: bool) -> bool {
        let is_watched = self.path.is_some() && self.reloader.current().reload.watch;
        match (waiting.origin, &mut self.again) {
            (Origin::Configured, again) if !(may_pass && is_watched) => {
                *again = None;
                true
            }
            (Origin::Configured, Some(again)) if waiting.is_retry => again.failed(reasons),
            (Origin::Configured, again) => {
                *again = Some(Again::after(reasons.to_owned()));
                true
            }
            // An attempt at the file leads to one at what runs.
            (Origin::Running, again @ None) if may_pass && is_watched => {
                *again = Some(Again::after(reasons.to_owned()));
                true
            }
            _ => true,
        }
    }

    fn tell_refused(&self, waiting: &Waiting, report: &ReloadReport) {
        let what = match waiting.origin {
            Origin::Running => "renewal",
            _ => "reload",
        };
        let (outcome, generation) = (report.outcome.name(), report.generation);
        for reason in report.errors.iter().take(TOLD) {
            tracing::error!(target: TARGET, generation, reason, "{what} {outcome}");
        }
        tracing::error!(target: TARGET,
            trigger = report.trigger.name(),
            generation,
            reasons = report.errors.len(),
            duration_ms = millis(report.duration),
            "{what} {outcome}: generation {generation} goes on running as it was"
        );
    }

    fn tell_next_attempt(&self, may_pass: bool) {
        if let Some(again) = self.again.as_ref().filter(|_| may_pass) {
            tracing::info!(target: TARGET,
                attempts = again.attempts(),
                "next attempt in {:?}, later ones less often, until it succeeds or the file changes",
                again.delay()
            );
        }
    }

    /// Tries again to bind what could not be restored by an earlier hand-over.
    async fn restore_failed(&mut self) {
        for (cluster, cause) in self.restore_all().await {
            tracing::error!(target: TARGET, cluster, cause, "the cluster is still failed");
        }
    }

    /// The clusters that could not be restored, and why.
    async fn restore_all(&mut self) -> Vec<(String, String)> {
        let mut lost = Vec::new();
        for cluster in self.reloader.failed() {
            match self.reloader.restore(&cluster).await {
                Ok(()) => tracing::info!(target: TARGET, cluster, "the cluster serves again"),
                Err(cause) => lost.push((cluster, cause)),
            }
        }
        lost
    }

    /// Has clusters that are `failed` restored once their addresses can be had.
    fn look_after_failed(&mut self) {
        if self.reloader.failed().is_empty() {
            self.healing = None;
        } else if self.healing.is_none() {
            self.healing = Some(Again::after(Vec::new()));
        }
    }

    /// One more attempt at that.
    pub(super) async fn heal(&mut self) {
        let lost = self.restore_all().await;
        let reasons: Vec<String> = lost
            .into_iter()
            .map(|(cluster, cause)| format!("`{cluster}`: {cause}"))
            .collect();
        let Some(healing) = self.healing.as_mut().filter(|_| !reasons.is_empty()) else {
            self.healing = None;
            return;
        };
        if healing.failed(&reasons) {
            for reason in reasons.iter().take(TOLD) {
                tracing::error!(target: TARGET, reason, "the cluster is still failed; kproxy goes on trying");
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

    /// This runs from now on.
    fn runs(&mut self, origin: Origin, ReadFrom { sources, digest }: ReadFrom) {
        if origin == Origin::Running {
            self.running.renewed();
            return self.history.renewed(digest);
        }
        self.looking = None;
        self.again = None;
        match digest {
            Some(digest) if origin == Origin::Configured => {
                self.running = Running::configured(sources);
                self.history.runs(digest);
            }
            digest => {
                self.running = Running::other(sources);
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
