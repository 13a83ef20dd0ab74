//! The control thread's loop. It owns what runs and reacts to what happens: requests, signals, hints of the watcher,
//! configurations that have been read, drains that end. One reload is decided at a time.
//!
//! Files are read, names are looked up and sessions drain elsewhere, in tasks whose results come back as one more thing
//! that happens. Questions are answered from snapshots (`observe`), so they do not wait for this loop either.

mod apply;
mod checking;
mod confirm;
mod decide;
mod fence;
mod files;
mod heal;
mod journal;
mod pause;
mod plan;
mod probation;
mod refuse;
mod rehearse;
mod saving;
mod stage;
mod steer;
mod tell;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use self::checking::Checking;
pub(super) use self::confirm::Unconfirmed;
use self::saving::SaveSchedule;
use super::audit::AuditTrail;
use super::events::{EventBus, EventObserver};
use super::handle::{ControlCommand, ControlInbox, Progress};
use super::log_level::LogLevel;
use super::observe::{Observe, Snapshot};
use super::reload::earlier_start::EarlierStart;
use super::reload::file_sync::{Compared, FileSync};
use super::reload::generations::RecentGenerations;
use super::reload::history::ReloadHistory;
use super::reload::journal::{ConfirmedStore, Journal};
use super::reload::preview::PlanReadings;
use super::reload::probation::{ProbationWatch, RollbackCall};
use super::reload::queue::{QueuedReload, ReloadQueue};
use super::reload::retry::{self, Retry};
use super::reload::staged::StagedReload;
use super::reload::summary::TARGET;
use super::runtime::brokers::BrokerWatch;
use super::runtime::certificates::CertificateWatch;
use super::runtime::drains::ConnectionDrainManager;
use super::runtime::ends::Ends;
use super::runtime::limits::ReachedLimits;
use super::runtime::names::unresolved_servers;
use super::runtime::reloader::{PrepareError, Reloader};
use super::runtime::state::StateDirectory;
use super::runtime::warnings::WarningsInForce;
use super::service_report::ServiceReport;
use super::shutdown_times::ShutdownTimes;
use super::signals::{Signal, Signals, next_signal};
use super::status::ProxyStatus;
use super::timings::{SlowReloadLog, Timings};
use super::watch::{ConfigWatcher, WatchSettings};
use crate::config::Sources;
use crate::model::{Loader, ProxyModel, ReloadSettings, VirtualCluster, Warnings};
use crate::reload::{Plan, Trigger};
use crate::service::ServiceNotifier;
use crate::session::nodes::EndpointRequest;

/// Interval at which limits, warnings and brokers are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Callback for every model that comes to run, for parts that live above this one.
pub type Applied = Box<dyn FnMut(&ProxyModel) + Send>;

/// Parts that an [`Engine`] is made of.
pub struct Parts {
    /// What runs; nothing yet.
    pub reloader: Reloader,
    /// Commands, and the place to publish what runs.
    pub inbox: ControlInbox,
    /// Requests of sessions for endpoints of nodes outside the configured ranges.
    pub endpoint_requests: mpsc::Receiver<EndpointRequest>,
    /// Signals to react to, if any.
    pub signals: Option<Signals>,
    /// Where learned addresses are kept, if anywhere.
    pub state: Option<StateDirectory>,
    /// What came of earlier starts and reloads.
    pub journal: Journal,
    /// Present if the configuration is an earlier one, in place of the file.
    pub earlier: Option<EarlierStart>,
    /// The file the process was started with, and what was read of it.
    pub source: Option<(PathBuf, Sources)>,
    /// Called with every model that comes to run later.
    pub applied: Applied,
    /// Whether kproxy connects to brokers of new targets, and to those that fail, by itself.
    pub try_brokers: bool,
    /// Warnings about the first configuration.
    pub warnings: Warnings,
    /// Tells the service manager what the process does.
    pub service: ServiceNotifier,
    /// The log level.
    pub log: LogLevel,
}

/// The loop of the control thread, with everything that it owns.
pub struct Engine {
    pub(super) reloader: Reloader,
    pub(super) drains: ConnectionDrainManager,
    pub(super) inbox: ControlInbox,
    pub(super) endpoint_requests: mpsc::Receiver<EndpointRequest>,
    pub(super) signals: Option<Signals>,
    history: Arc<ReloadHistory>,
    began: Instant,
    path: Option<PathBuf>,
    state: Option<StateDirectory>,
    watcher: ConfigWatcher,
    file: FileSync,
    /// What is known of the configuration file so that it need not be read as a whole again.
    loader: Arc<Mutex<Loader>>,
    /// Comparisons of the configuration file with what runs.
    comparisons: JoinSet<Compared>,
    /// Attempts at the configuration file after it was rejected for a passing reason.
    retry: Option<Retry>,
    /// Attempts to bind the addresses of `failed` clusters.
    healing: Option<Retry>,
    queue: ReloadQueue,
    /// What ran, to be brought back.
    generations: Arc<RecentGenerations>,
    journal: Journal,
    /// What runs until somebody confirms it.
    unconfirmed: Option<Unconfirmed>,
    /// Whether the disk has what a wait for a confirmation before the start of the process left there.
    earlier_wait: bool,
    confirmed_store: ConfirmedStore,
    /// What is odd about the configuration that the process started with, as long as it runs beside the file.
    notice: Option<Arc<str>>,
    /// Answers to the question what a reload would do.
    plans: PlanReadings,
    /// The reload whose targets are being tested.
    checking: Checking,
    /// A configuration that waits for approval.
    staged: Option<Arc<StagedReload>>,
    applied: Applied,
    limits: Arc<Mutex<ReachedLimits>>,
    brokers: BrokerWatch,
    warnings: WarningsInForce,
    log: LogLevel,
    /// Changed clusters that are watched after a reload.
    probation: ProbationWatch,
    /// The rollback that a probation has called for, and what it takes back.
    rolling_back: Option<(RollbackCall, Arc<ProxyModel>)>,
    /// Where everything that happens is published.
    pub(super) events: EventBus,
    observer: EventObserver,
    pub(super) service: ServiceReport,
    pub(super) shutdown_times: ShutdownTimes,
    pub(super) audit: AuditTrail,
    timings: Timings,
    slow_reloads: SlowReloadLog,
    certificates: CertificateWatch,
    fence_ends: Ends,
    pause_ends: Ends,
}

/// Why the loop ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum StopCause {
    Signal(Signal),
    /// The handle asked for it, or nobody has a handle any more.
    Handle,
}

impl std::fmt::Display for StopCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signal(signal) => signal.fmt(f),
            Self::Handle => f.write_str("none"),
        }
    }
}

impl Engine {
    /// Applies `model` as the first reload, from nothing.
    ///
    /// # Errors
    /// Every port that cannot be bound and every TLS setting that cannot be used, as [`PrepareError`]s.
    pub async fn start(parts: Parts, model: ProxyModel) -> Result<Self, Vec<PrepareError>> {
        let (began, at) = (Instant::now(), SystemTime::now());
        let Parts {
            mut reloader,
            inbox,
            endpoint_requests,
            signals,
            state,
            journal,
            earlier,
            source,
            applied,
            try_brokers,
            warnings,
            service,
            log,
        } = parts;
        let (audit, timings) = (AuditTrail::default(), Timings::default());
        let events = EventBus::with_sinks(vec![Box::new(audit.clone()), Box::new(timings.clone())]);
        let next = Arc::new(model);
        let plan = Plan::between(reloader.current(), &next);
        let prepared = reloader.prepare(plan, Arc::clone(&next)).await?;
        let retired = reloader.commit(prepared);
        debug_assert!(retired.leaving.is_empty(), "nothing ran before");
        let (path, sources) = match source {
            Some((path, sources)) => (Some(path), Some(Arc::new(sources))),
            None => (None, None),
        };
        let loader = path.as_ref().zip(sources.as_ref());
        let loader = loader.map(|(path, sources)| Loader::after(path, sources, &next, &warnings));
        let mut confirmed_store = ConfirmedStore::new(state.as_ref().map(StateDirectory::path));
        if earlier.is_none() {
            // The file runs: nothing that waited before the start is to come back.
            drop(confirmed_store.remove());
        }
        let mut engine = Self {
            drains: ConnectionDrainManager::new(events.clone()),
            inbox,
            endpoint_requests,
            signals,
            history: Arc::default(),
            began,
            watcher: ConfigWatcher::new(watch_settings(&next.reload, path.is_some())),
            path,
            state,
            file: FileSync::started(sources),
            loader: Arc::new(Mutex::new(loader.unwrap_or_default())),
            comparisons: JoinSet::new(),
            retry: None,
            healing: None,
            queue: ReloadQueue::default(),
            generations: Arc::default(),
            journal,
            plans: PlanReadings::default(),
            checking: Checking::default(),
            staged: None,
            unconfirmed: None,
            earlier_wait: earlier.is_some(),
            confirmed_store,
            notice: None,
            applied,
            limits: Arc::new(Mutex::new(ReachedLimits::new(events.clone()))),
            brokers: BrokerWatch::new(try_brokers, events.clone()),
            warnings: WarningsInForce::new(warnings),
            log,
            probation: ProbationWatch::default(),
            rolling_back: None,
            events,
            observer: EventObserver::default(),
            service: ServiceReport::new(service),
            shutdown_times: ShutdownTimes::default(),
            audit,
            timings,
            slow_reloads: SlowReloadLog::default(),
            certificates: CertificateWatch::default(),
            fence_ends: Ends::default(),
            pause_ends: Ends::default(),
            reloader,
        };
        engine.keep_first(earlier.as_ref());
        engine.probation.started(engine.generation(), &next);
        if engine.path.is_some() {
            engine.follow_files();
        }
        engine.audit.set(&next);
        engine.record_start(at, earlier.as_ref());
        for cluster in engine.reloader.clusters.iter() {
            engine.brokers.probe_new_target(cluster);
        }
        engine.publish();
        engine.inbox.set_ready(true);
        warn_of_names(next.clusters.values().cloned().collect());
        Ok(engine)
    }

    /// Serves until something ends the process, and returns what.
    pub(super) async fn serve(&mut self) -> StopCause {
        let topology_changed = Arc::clone(self.reloader.topology_changed());
        let mut saving = SaveSchedule::default();
        let mut checks = check_interval();
        loop {
            self.read_next();
            self.publish();
            self.tell_service();
            tokio::select! {
                command = self.inbox.commands.recv() => match command {
                    None | Some(ControlCommand::Shutdown) => return StopCause::Handle,
                    Some(ControlCommand::Reload(request, reply)) => {
                        self.service.reload_asked();
                        let request = self.recognize(request);
                        self.queue.push(QueuedReload::new(request, Some(reply)));
                    }
                    // An error means that the reader has gone away.
                    Some(ControlCommand::Watch(reply)) => drop(reply.send(self.watch())),
                    Some(ControlCommand::Stage(request, within, reply)) => {
                        self.queue_staging(request, within, reply);
                    }
                    Some(ControlCommand::ReloadUnconfirmed(request, within, reply)) => {
                        let request = self.recognize(request);
                        self.queue.push(QueuedReload::unconfirmed(request, within, reply));
                    }
                    Some(ControlCommand::Confirm(by, reply)) => self.confirm(by, reply),
                    Some(ControlCommand::Approve(request, reply)) => self.approve(request, reply),
                    Some(ControlCommand::Staged(reply)) => self.tell_staged(reply),
                    Some(ControlCommand::Plan(request, reply)) => self.begin_plan(request, reply),
                    Some(ControlCommand::Rehearse(step)) => self.rehearse(step).await,
                    Some(ControlCommand::Log(request, reply)) => drop(reply.send(self.change_log(request))),
                    Some(ControlCommand::Steer(request, reply)) => drop(reply.send(self.steer(request).await)),
                },
                signal = next_signal(&mut self.signals) => match signal {
                    Signal::Hangup => self.reload_file(Trigger::Sighup),
                    Signal::Terminate | Signal::Interrupt => return StopCause::Signal(signal),
                },
                hint = self.watcher.changed() => self.on_file_hint(hint),
                Some(compared) = self.comparisons.join_next() => self.on_compared(compared.ok()),
                () = retry::due(self.retry.as_ref()) => self.retry_file(),
                () = at(self.fence_ends.next()) => self.end_due_fences().await,
                () = at(self.pause_ends.next()) => self.end_due_pauses().await,
                () = self.log.due() => self.end_log_change("its time is over"),
                () = retry::due(self.healing.as_ref()) => self.heal().await,
                (reload, outcome) = self.queue.read() => self.decide(reload, outcome).await,
                read = self.plans.read() => {
                    let snapshot = self.snapshot();
                    self.plans.answer(read, snapshot);
                }
                (checked, verdict) = self.checking.ended() => self.decide_checked(checked, verdict).await,
                ended = self.drains.ended() => self.on_drains_ended(&ended),
                Some(request) = self.endpoint_requests.recv() => self.bind_endpoints(request).await,
                () = topology_changed.notified(), if self.state.is_some() => {
                    saving.changed(tokio::time::Instant::now());
                }
                () = at(self.staged.as_ref().map(|staged| staged.expires.into())) => self.expire_staged(),
                _ = checks.tick() => {
                    self.check();
                    self.look_at_probation().await;
                }
                () = at(self.unconfirmed.as_ref().and_then(Unconfirmed::due)) => self.revert_unconfirmed(),
                () = at(saving.due()) => {
                    saving.saved(tokio::time::Instant::now());
                    drop(self.save_topology());
                }
            }
        }
    }

    /// Binds endpoints that a session asks for. It reads them in the gateway's directory, and sees them in the status.
    pub(super) async fn bind_endpoints(&mut self, request: EndpointRequest) {
        let done = self.reloader.bind_on_the_spot(request).await;
        self.publish();
        // The session may have ended meanwhile; the endpoints stay for the next one.
        done.send(()).unwrap_or_default();
    }

    /// Tells the service manager what runs now.
    fn tell_service(&self) {
        let clusters = self.reloader.current().clusters.len();
        let is_reloading = self.queue.is_requested() || self.checking.is_requested();
        self.service
            .serving(self.generation(), clusters, self.history.last(), is_reloading);
    }

    /// Publishes what runs now.
    pub(super) fn publish(&mut self) {
        let snapshot = self.snapshot();
        let progress = Progress {
            generation: snapshot.generation,
            drains: snapshot.drains.len(),
        };
        self.observer.look(&self.events, &snapshot.clusters);
        self.inbox.publish(Arc::new(snapshot));
        self.inbox.progress.send_if_modified(|published| {
            let differs = *published != progress;
            *published = progress;
            differs
        });
    }

    /// What runs now.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let registry = &self.reloader.registry;
        let (bounded_by, connections) = registry.process_limit();
        Snapshot {
            began: self.began,
            path: self.path.clone(),
            generation: self.reloader.generation(),
            model: Arc::clone(self.reloader.current()),
            drains: self.drains.snapshot(),
            ended_drains: self.drains.ended_drains().clone(),
            digest: self.file.digest(),
            in_sync: self.file.is_in_sync(),
            log_change: self.log.change(),
            restored: self.generations.restored(),
            staged: self.staged.clone(),
            unconfirmed: self.unconfirmed.clone(),
            notice: self.notice.clone(),
            journal: self.journal.reader().beside(Arc::clone(&self.generations)),
            history: Arc::clone(&self.history),
            retry: self.retry.as_ref().map(Retry::schedule),
            warnings: Arc::clone(self.warnings.warnings()),
            audit: self.audit.clone(),
            timings: self.timings.clone(),
            probation: self.probation.status(),
            limits: Arc::clone(&self.limits),
            listeners: Arc::clone(registry.addresses()),
            accept_errors: Arc::clone(registry.accept_errors()),
            process: Arc::clone(&self.reloader.services.process),
            connection_limit: (bounded_by, Arc::clone(connections)),
            clusters: self.reloader.clusters.snapshot(),
            shutdown_times: self.shutdown_times,
        }
    }

    /// State of the process, its configuration, virtual clusters and drains.
    pub fn status(&mut self) -> ProxyStatus {
        self.snapshot().status()
    }

    fn generation(&self) -> u64 {
        self.reloader.generation()
    }

    fn history_mut(&mut self) -> &mut ReloadHistory {
        Arc::make_mut(&mut self.history)
    }
}

/// Ticks whenever limits, warnings and brokers are to be checked.
pub(super) fn check_interval() -> Interval {
    let mut checks = tokio::time::interval(CHECK_INTERVAL);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    checks
}

/// Logs, in a task, bootstrap servers of these clusters whose names do not resolve.
fn warn_of_names(clusters: Vec<Arc<VirtualCluster>>) {
    tokio::spawn(async move {
        for warning in unresolved_servers(clusters.iter().map(AsRef::as_ref)).await {
            tracing::warn!(target: TARGET, warning, "the configuration has a warning");
        }
    });
}

/// Settings of the watcher. It runs even without `reload.watch`, to tell whether the file is what runs.
fn watch_settings(reload: &ReloadSettings, has_file: bool) -> WatchSettings {
    WatchSettings {
        watch: has_file,
        debounce: reload.debounce,
        poll_interval: reload.poll_interval.filter(|_| has_file),
    }
}

async fn at(instant: Option<tokio::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
