//! The control thread's loop: one reload at a time, everything else between.

mod limits;
mod observe;
mod reload;
mod status;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::handle::{Command, ControlInbox, Progress, ReloadRequest, ReloadSource};
use super::reload::history::History;
use super::reload::queue::{self, Reading, Waiting};
use super::reload::retry::{self, Again};
use super::reload::running::Running;
use super::reload::summary::TARGET;
use super::runtime::brokers::BrokerWatch;
use super::runtime::drains::Drains;
use super::runtime::limits::LimitBoard;
use super::runtime::names::unresolved;
use super::runtime::reloader::{PrepareError, Reloader};
use super::runtime::state::{self, StateDirectory};
use super::runtime::warnings::WarningsInForce;
use super::signals::{Signals, next_signal};
use super::watch::{ConfigWatcher, Hint, WatchSettings};
use crate::config::Sources;
use crate::model::{ProxyModel, ReloadSettings, Warnings};
use crate::reload::{Outcome, Plan, Trigger};
use crate::session::nodes::EndpointRequest;

/// Learned addresses are written this long after the first change, together with those that follow it.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// Between two looks at what may have come or gone without a word.
const LOOK: Duration = Duration::from_secs(1);

/// Called with every model that comes to run, for parts that live above this one.
pub type Applied = Box<dyn FnMut(&ProxyModel) + Send>;

/// What an engine is made of.
pub struct Parts {
    pub reloader: Reloader,
    pub inbox: ControlInbox,
    pub endpoint_requests: mpsc::Receiver<EndpointRequest>,
    pub signals: Option<Signals>,
    pub state: Option<StateDirectory>,
    /// The file it was started with, and what was read of it.
    pub source: Option<(PathBuf, Sources)>,
    pub applied: Applied,
    /// Brokers of new targets are tried out, and those that fail.
    pub try_brokers: bool,
    /// What is odd about the configuration it starts with.
    pub warnings: Warnings,
}

/// See the module.
pub struct Engine {
    pub(super) reloader: Reloader,
    pub(super) drains: Drains,
    pub(super) inbox: ControlInbox,
    pub(super) endpoint_requests: mpsc::Receiver<EndpointRequest>,
    pub(super) signals: Option<Signals>,
    pub(super) history: History,
    pub(super) began: Instant,
    pub(super) path: Option<PathBuf>,
    state: Option<StateDirectory>,
    watcher: ConfigWatcher,
    /// What was read last of the configured file, whatever came of it.
    last_read: Option<Arc<Sources>>,
    running: Running,
    /// A reload of the configured file that was rejected for a moment.
    again: Option<Again>,
    /// Clusters that are `failed` because their addresses could not be had.
    healing: Option<Again>,
    /// A comparison of the files with what runs, where they are not followed.
    looking: Option<JoinHandle<bool>>,
    queue: VecDeque<Waiting>,
    reading: Option<Reading>,
    applied: Applied,
    limits: LimitBoard,
    brokers: BrokerWatch,
    warnings: WarningsInForce,
}

impl Engine {
    /// Starts from nothing: the first commit is a reload like any other.
    ///
    /// # Errors
    /// Everything that stands against `model`.
    pub async fn start(parts: Parts, model: ProxyModel) -> Result<Self, Vec<PrepareError>> {
        let (began, at) = (Instant::now(), SystemTime::now());
        let Parts {
            mut reloader,
            inbox,
            endpoint_requests,
            signals,
            state,
            source,
            applied,
            try_brokers,
            warnings,
        } = parts;
        let next = Arc::new(model);
        let plan = Plan::between(reloader.current(), &next);
        let prepared = reloader.prepare(plan, Arc::clone(&next)).await?;
        let retired = reloader.commit(prepared);
        debug_assert!(retired.leaving.is_empty(), "nothing ran before");
        let (path, sources) = match source {
            Some((path, sources)) => (Some(path), Some(Arc::new(sources))),
            None => (None, None),
        };
        let mut watcher = ConfigWatcher::new(watch_settings(&next.reload, path.is_some()));
        let mut history = History::default();
        if let Some(sources) = &sources {
            history.runs(sources.digest());
            reload::follow(&mut watcher, Some(sources), None);
        }
        history.record(reload::report(
            &reloader,
            Outcome::Applied,
            Trigger::Start,
            at,
            began,
        ));
        let mut engine = Self {
            drains: Drains::default(),
            reloader,
            inbox,
            endpoint_requests,
            signals,
            history,
            began,
            path,
            state,
            watcher,
            running: Running::configured(sources.clone()),
            again: None,
            healing: None,
            looking: None,
            last_read: sources,
            queue: VecDeque::new(),
            reading: None,
            applied,
            limits: LimitBoard::new(),
            brokers: BrokerWatch::new(try_brokers),
            warnings: WarningsInForce::new(warnings),
        };
        for cluster in engine.reloader.clusters.iter() {
            engine.brokers.is_new(cluster);
        }
        engine.publish();
        engine.inbox.set_ready(true);
        warn_of_names(Arc::new(ProxyModel::empty()), next);
        Ok(engine)
    }

    /// Serves until told to stop; returns why.
    pub(super) async fn serve(&mut self) -> &'static str {
        let topology_changed = Arc::clone(self.reloader.topology_changed());
        let mut save_at: Option<tokio::time::Instant> = None;
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.publish();
            self.read_next();
            tokio::select! {
                command = self.inbox.commands.recv() => match command {
                    None | Some(Command::Shutdown) => return "none",
                    Some(command) => self.answer(command),
                },
                signal = next_signal(&mut self.signals) => match signal {
                    "SIGHUP" => self.ask(Trigger::Sighup),
                    signal => return signal,
                },
                hint = self.watcher.changed() => self.hear(hint),
                current = look(&mut self.looking) => self.history.compared(current),
                () = retry::due(self.again.as_ref()) => self.try_again(),
                () = retry::due(self.healing.as_ref()) => self.heal().await,
                (waiting, candidate) = queue::read(&mut self.reading) => self.decide(waiting, candidate).await,
                ended = self.drains.ended() => self.forget(ended),
                Some(request) = self.endpoint_requests.recv() => self.reloader.bind_on_the_spot(request).await,
                () = topology_changed.notified(), if self.state.is_some() => {
                    save_at.get_or_insert_with(|| tokio::time::Instant::now() + SAVE_AFTER);
                }
                _ = looks.tick() => self.look(),
                () = at(save_at) => {
                    save_at = None;
                    drop(self.save_topology());
                }
            }
        }
    }

    /// Tells what has come and gone without a word.
    fn look(&mut self) {
        self.look_at_limits();
        self.warnings.look();
        let timeout = self.reloader.current().network.connect_timeout;
        self.brokers.look(&self.reloader.clusters, timeout);
    }

    /// Answers a question. Whoever asked may have gone away.
    fn answer(&mut self, command: Command) {
        match command {
            Command::Reload(request, reply) => {
                let request = self.recognize(request);
                self.enqueue(Waiting::new(request, Some(reply)));
            }
            other => {
                self.look_at_limits();
                self.tell(other);
            }
        }
    }

    /// To name the file that the process was started with is to name none.
    fn recognize(&self, mut request: ReloadRequest) -> ReloadRequest {
        let absolute = |path: &PathBuf| std::path::absolute(path).ok();
        if let (ReloadSource::File(named), Some(own)) = (&request.source, &self.path)
            && absolute(named) == absolute(own)
        {
            request.source = ReloadSource::Configured;
        }
        request
    }

    /// Answers what changes nothing.
    pub(super) fn tell(&self, command: Command) {
        match command {
            Command::Status(reply) => reply.send(self.status()).map_err(drop).unwrap_or_default(),
            Command::Metrics(reply) => reply.send(self.metrics()).map_err(drop).unwrap_or_default(),
            Command::Listeners(reply) => reply.send(self.listeners()).map_err(drop).unwrap_or_default(),
            Command::Connections(filter, reply) => {
                reply
                    .send(self.connections(&filter))
                    .map_err(drop)
                    .unwrap_or_default();
            }
            Command::Reload(..) | Command::Shutdown => {}
        }
    }

    /// The files may have changed. Where they are not followed, it is only seen whether they did.
    fn hear(&mut self, hint: Hint) {
        if self.reloader.current().reload.watch {
            return self.ask(match hint {
                Hint::Event => Trigger::Watch,
                Hint::Poll => Trigger::Poll,
            });
        }
        if let Some(sources) = self.running.of_configured().cloned() {
            self.looking = Some(tokio::task::spawn_blocking(move || sources.is_current()));
        }
    }

    /// A reload of the file the process was started with.
    fn ask(&mut self, trigger: Trigger) {
        if self.path.is_none() {
            if trigger == Trigger::Sighup {
                tracing::warn!("SIGHUP: there is no configuration file to reload");
            }
            return;
        }
        self.enqueue(Waiting::automatic(trigger));
    }

    /// One more attempt at what was rejected for a moment.
    fn try_again(&mut self) {
        if let Some(again) = &mut self.again {
            again.begin();
        }
        self.enqueue(Waiting::retry());
    }

    /// Changes that arrive while a reload waits join it: the last content counts.
    fn enqueue(&mut self, waiting: Waiting) {
        match self.queue.back_mut() {
            Some(last) if last.takes(&waiting) => last.join(waiting),
            _ => self.queue.push_back(waiting),
        }
    }

    fn read_next(&mut self) {
        if self.reading.is_some() {
            return;
        }
        let Some(waiting) = self.queue.pop_front() else {
            return;
        };
        // Somebody who asks is told what stands against the file, and an attempt is one.
        let may_know = waiting.is_automatic() || self.history.in_sync();
        let last = self.last_read.clone().filter(|_| may_know && !waiting.is_retry);
        let configured = self.path.clone().map(|path| (path, last));
        self.reading = Some(Reading::begin(waiting, configured, self.running.place()));
    }

    pub(super) fn publish(&self) {
        let progress = Progress {
            generation: self.reloader.generation(),
            drains: self.drains.len(),
        };
        self.inbox.progress.send_if_modified(|published| {
            let differs = *published != progress;
            *published = progress;
            differs
        });
    }

    /// A cluster that is gone leaves no numbers behind once its last drain has `ended`.
    pub(super) fn forget(&mut self, ended: Option<String>) {
        let gone = ended.filter(|cluster| self.reloader.clusters.get(cluster).is_none());
        if let Some(cluster) = gone {
            self.drains.forget(&cluster);
        }
    }

    /// Writes what was learned, away from this thread: nobody waits for a disk.
    pub(super) fn save_topology(&self) -> Option<JoinHandle<()>> {
        let state = self.state.clone()?;
        Some(tokio::spawn(state::save(state, self.reloader.topology_image())))
    }
}

/// Tells of bootstrap servers whose names do not resolve; nobody waits for it.
pub(super) fn warn_of_names(old: Arc<ProxyModel>, new: Arc<ProxyModel>) {
    tokio::spawn(async move {
        for warning in unresolved(&old, &new).await {
            tracing::warn!(target: TARGET, warning, "the configuration is in use, with a warning");
        }
    });
}

/// Waits for the outcome of a comparison; for ever where there is none. Cancel safe.
async fn look(looking: &mut Option<JoinHandle<bool>>) -> bool {
    let Some(task) = looking else {
        return std::future::pending().await;
    };
    // A look that went wrong says nothing new.
    let current = task.await.unwrap_or(true);
    *looking = None;
    current
}

/// The files are looked at even where they are not followed: whether they say what runs is worth knowing.
pub(super) fn watch_settings(reload: &ReloadSettings, has_file: bool) -> WatchSettings {
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
