//! Puts the parts together: a running proxy, its control thread, and the way to talk to it.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::mpsc as reply;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::control::{
    PrepareError, ProxyStatus, Reloader, ShutdownOutcome, Signals, StateDirectory, drain_all,
};
use crate::endpoint::{Bind, EndpointRegistry, SystemBind, Workers, raise_descriptor_limit};
use crate::model::ProxyModel;
use crate::session::counters::ClusterCounters;
use crate::session::nodes::EndpointRequest;

/// Requests for endpoints that may wait for the control thread.
const ENDPOINT_REQUESTS: usize = 256;

/// Learned addresses are written this long after the first change, together with those that follow it.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// Gateways that are named one by one when the proxy starts; more are only counted.
const NAMED_GATEWAYS: usize = 20;

/// A proxy that serves. Dropping it shuts it down.
#[derive(Debug)]
pub struct Proxy {
    commands: mpsc::Sender<Command>,
    /// Held by whoever waits for an answer, so that the queue has room whatever number of threads ask.
    asking: Mutex<()>,
    thread: Option<JoinHandle<Exit>>,
}

/// Why a proxy did not start. Nothing is left bound.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("threads cannot be had: {0}")]
    Threads(#[from] io::Error),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Prepare(Vec<PrepareError>),
    #[error("the control thread ended unexpectedly")]
    Control,
}

/// How a proxy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every session was drained, or the deadline had passed.
    Drained(ShutdownOutcome),
    /// A second signal ended it at once.
    Forced,
}

/// How a proxy is run, apart from its configuration.
pub struct Options {
    /// Binds the ports.
    pub binder: Arc<dyn Bind>,
    /// React to SIGTERM, SIGINT and SIGHUP.
    pub signals: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            binder: Arc::new(SystemBind),
            signals: false,
        }
    }
}

enum Command {
    Status(reply::Sender<ProxyStatus>),
    Counters(String, reply::Sender<Option<Arc<ClusterCounters>>>),
    Shutdown,
}

impl Proxy {
    /// Binds every port of `model` and serves.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub fn start(model: ProxyModel) -> Result<Self, StartError> {
        Self::start_with(model, Options::default())
    }

    /// # Errors
    /// As [`Proxy::start`].
    pub fn start_with(model: ProxyModel, options: Options) -> Result<Self, StartError> {
        let (commands, inbox) = mpsc::channel(16);
        let (started, outcome) = reply::channel();
        let control = std::thread::Builder::new().name("kproxy-control".into());
        let thread = control.spawn(move || control_thread(model, options, inbox, &started))?;
        outcome.recv().map_err(|_| StartError::Control)??;
        Ok(Self {
            commands,
            asking: Mutex::default(),
            thread: Some(thread),
        })
    }

    /// What runs; `None` if nothing does any more.
    pub fn status(&self) -> Option<ProxyStatus> {
        self.ask(Command::Status)
    }

    /// The counters of one cluster.
    pub fn counters(&self, cluster: &str) -> Option<Arc<ClusterCounters>> {
        self.ask(|reply| Command::Counters(cluster.to_owned(), reply))?
    }

    /// Where the bootstrap endpoint of a gateway is bound.
    pub fn bootstrap(&self, cluster: &str, gateway: &str) -> Option<SocketAddr> {
        let status = self.status()?;
        let cluster = status
            .clusters
            .into_iter()
            .find(|candidate| candidate.name == cluster)?;
        Some(
            cluster
                .gateways
                .into_iter()
                .find(|candidate| candidate.name == gateway)?
                .bound,
        )
    }

    /// Where the endpoint of node `id` is bound.
    pub fn node(&self, cluster: &str, gateway: &str, id: i32) -> Option<SocketAddr> {
        let status = self.status()?;
        let cluster = status
            .clusters
            .into_iter()
            .find(|candidate| candidate.name == cluster)?;
        let gateway = cluster
            .gateways
            .into_iter()
            .find(|candidate| candidate.name == gateway)?;
        Some(gateway.nodes.into_iter().find(|node| node.id == id)?.bound)
    }

    /// Drains and ends, within `network.proxy.shutdownTimeout`.
    pub fn shutdown(mut self) -> Option<Exit> {
        self.stop()
    }

    /// Waits until a signal has ended it.
    pub fn wait(mut self) -> Option<Exit> {
        self.thread.take()?.join().ok()
    }

    fn stop(&mut self) -> Option<Exit> {
        let thread = self.thread.take()?;
        // A proxy that has ended already takes no command; its outcome is there all the same.
        self.commands.try_send(Command::Shutdown).unwrap_or_default();
        thread.join().ok()
    }

    fn ask<T>(&self, command: impl FnOnce(reply::Sender<T>) -> Command) -> Option<T> {
        let (sender, receiver) = reply::channel();
        let _asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        self.commands.try_send(command(sender)).ok()?;
        receiver.recv().ok()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

fn control_thread(
    model: ProxyModel,
    options: Options,
    commands: mpsc::Receiver<Command>,
    started: &reply::Sender<Result<(), StartError>>,
) -> Exit {
    let nothing = Exit::Drained(ShutdownOutcome {
        sessions: 0,
        forced: 0,
    });
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            started.send(Err(error.into())).unwrap_or_default();
            return nothing;
        }
    };
    runtime.block_on(async {
        match Control::start(model, options).await {
            Ok(mut control) => {
                started.send(Ok(())).unwrap_or_default();
                control.run(commands).await
            }
            Err(error) => {
                started.send(Err(error)).unwrap_or_default();
                nothing
            }
        }
    })
}

/// The control thread's own state.
struct Control {
    reloader: Reloader,
    endpoint_requests: mpsc::Receiver<EndpointRequest>,
    signals: Option<Signals>,
    state: Option<StateDirectory>,
}

impl Control {
    async fn start(model: ProxyModel, options: Options) -> Result<Self, StartError> {
        let began = Instant::now();
        let signals = options.signals.then(Signals::install).transpose()?;
        raise_descriptor_limit();
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = Arc::new(Workers::start(model.network.worker_threads.unwrap_or(cores))?);
        let registry = EndpointRegistry::new(
            options.binder,
            Arc::clone(&workers),
            model.network.max_connections,
        )?;
        let state = model.state_directory.clone().map(StateDirectory::new);
        let remembered = state.as_ref().map(StateDirectory::load).unwrap_or_default();
        let (sender, endpoint_requests) = mpsc::channel(ENDPOINT_REQUESTS);
        let mut reloader = Reloader::new(registry, sender, remembered);
        let prepared = reloader
            .prepare(Arc::new(model))
            .await
            .map_err(StartError::Prepare)?;
        let retired = reloader.commit(prepared);
        debug_assert!(retired.is_empty(), "nothing ran before");
        announce(&reloader, workers.len(), began);
        Ok(Self {
            reloader,
            endpoint_requests,
            signals,
            state,
        })
    }

    async fn run(&mut self, mut commands: mpsc::Receiver<Command>) -> Exit {
        let topology_changed = Arc::clone(self.reloader.topology_changed());
        let mut save_at: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    None | Some(Command::Shutdown) => break,
                    Some(command) => self.answer(command),
                },
                signal = next_signal(&mut self.signals) => {
                    tracing::info!(signal, "shutting down");
                    break;
                }
                Some(request) = self.endpoint_requests.recv() => self.reloader.bind_on_the_spot(request).await,
                () = topology_changed.notified(), if self.state.is_some() => {
                    save_at.get_or_insert_with(|| tokio::time::Instant::now() + SAVE_AFTER);
                }
                () = at(save_at) => {
                    save_at = None;
                    self.save_topology().await;
                }
            }
        }
        self.save_topology().await;
        self.shut_down().await
    }

    fn answer(&self, command: Command) {
        // Whoever asked may have gone away.
        match command {
            Command::Status(reply) => reply.send(self.reloader.status()).unwrap_or_default(),
            Command::Counters(cluster, reply) => {
                reply.send(self.reloader.counters(&cluster)).unwrap_or_default()
            }
            Command::Shutdown => {}
        }
    }

    async fn save_topology(&self) {
        let Some(state) = self.state.clone() else { return };
        let image = self.reloader.topology_image();
        let path = state.path().to_owned();
        let saved = tokio::task::spawn_blocking(move || state.save(&image)).await;
        if let Err(error) = saved.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            tracing::warn!(directory = %path.display(), %error, "the learned topology could not be saved");
        }
    }

    async fn shut_down(&mut self) -> Exit {
        let began = Instant::now();
        // Nobody binds endpoints any more; sessions that ask withhold the node.
        self.endpoint_requests.close();
        while self.endpoint_requests.try_recv().is_ok() {}
        let outcome = tokio::select! {
            outcome = drain_all(&mut self.reloader) => outcome,
            signal = next_signal(&mut self.signals) => {
                tracing::warn!(signal, "second signal: exiting at once");
                return Exit::Forced;
            }
        };
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            sessions = outcome.sessions,
            forced = outcome.forced,
            duration_ms,
            "shut down"
        );
        Exit::Drained(outcome)
    }
}

async fn next_signal(signals: &mut Option<Signals>) -> &'static str {
    match signals {
        Some(signals) => signals.shutdown().await,
        None => std::future::pending().await,
    }
}

async fn at(instant: Option<tokio::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Says what clients can connect to.
fn announce(reloader: &Reloader, workers: usize, began: Instant) {
    let status = reloader.status();
    let gateways = || {
        status
            .clusters
            .iter()
            .flat_map(|cluster| cluster.gateways.iter().map(move |g| (cluster, g)))
    };
    for (cluster, gateway) in gateways().take(NAMED_GATEWAYS) {
        tracing::info!(
            cluster = %cluster.name,
            gateway = %gateway.name,
            bootstrap = %gateway.bootstrap,
            bound = %gateway.bound,
            nodes = gateway.nodes.len(),
            "listening"
        );
    }
    tracing::info!(
        version = status.version,
        generation = status.generation,
        clusters = status.clusters.len(),
        listeners = gateways()
            .map(|(_, gateway)| 1 + gateway.nodes.len())
            .sum::<usize>(),
        workers,
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "kproxy serves"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_may_ask_at_once_than_commands_fit_into_the_queue() {
        let proxy = Proxy::start(ProxyModel::empty()).unwrap();
        std::thread::scope(|scope| {
            let ask = || (0..20).all(|_| proxy.status().is_some());
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
        });
    }
}
