//! A running proxy: starts its threads, and gives access to it.

mod first;

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as reply;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::admin::{Admin, AdminError, ManagementSettings, SocketPath};
use crate::config::Sources;
use crate::control;
use crate::control::handle::{self, ControlInbox};
use crate::control::{
    Applied, ControlHandle, EarlierStart, Engine, GatewayStatus, Journal, LogLevel, Parts, PlanReport,
    PlanRequest, PrepareError, ProxyStatus, ReloadReport, ReloadRequest, ReloadSource, Reloader, Requester,
    Retention, SetLogLevel, Signals, StateDirectory,
};
use crate::endpoint::{
    Bind, CONTROL_NICENESS, EndpointRegistry, FILE_READER_NICENESS, SystemBind, Workers, lower_priority,
    raise_descriptor_limit,
};
use crate::model::{ProxyModel, Warnings};
use crate::reload::Trigger;
use crate::service::ServiceNotifier;
use crate::session::counters::ClusterCounters;
use crate::time::whole_millis;

pub use crate::control::{Exit, ShutdownOutcome};
pub use first::{FirstConfiguration, InPlaceOfFile};

/// Most requests for endpoints that wait for the control thread.
const ENDPOINT_REQUEST_CAPACITY: usize = 256;

/// Most gateways that the log of a start names.
const MAX_LOGGED_GATEWAYS: usize = 20;

/// A running proxy. Dropping it shuts it down.
#[derive(Debug)]
pub struct Proxy {
    handle: ControlHandle,
    thread: Option<JoinHandle<Exit>>,
    /// Outlives the control thread: a shutdown can be observed to its end.
    admin: Option<Arc<Admin>>,
}

/// Why a proxy did not start. Nothing is left bound.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A thread or its runtime cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] io::Error),
    /// The model cannot run, for these reasons.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Prepare(Vec<PrepareError>),
    /// Management cannot be started.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A defect of kproxy.
    #[error("the control thread ended unexpectedly")]
    Control,
}

/// Options of a proxy beside its configuration.
pub struct Options {
    /// Binds the addresses.
    pub binder: Arc<dyn Bind>,
    /// Whether SIGTERM, SIGINT and SIGHUP are handled.
    pub signals: bool,
    /// File that the model was read from, which is watched from now on, with what was read.
    pub source: Option<(PathBuf, Sources)>,
    /// Present if the model is that of an earlier configuration, in place of the file.
    pub earlier: Option<EarlierStart>,
    /// Path of the control socket.
    pub socket: SocketPath,
    /// Called with every model that is applied later.
    pub applied: Applied,
    /// Whether kproxy connects to bootstrap servers of new targets, and now and then to brokers that fail, by itself.
    pub try_brokers: bool,
    /// Warnings of the model, which have been logged.
    pub warnings: Warnings,
    /// Tells the service manager what the process does.
    pub service: ServiceNotifier,
    /// Sets the log level; `None`: the program has a log of its own.
    pub set_log_level: Option<SetLogLevel>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            binder: Arc::new(SystemBind),
            signals: false,
            source: None,
            earlier: None,
            socket: SocketPath::Off,
            applied: Box::new(|_| {}),
            try_brokers: false,
            warnings: Warnings::default(),
            service: ServiceNotifier::default(),
            set_log_level: None,
        }
    }
}

impl Proxy {
    /// Binds all addresses of `model` and serves.
    ///
    /// # Errors
    /// [`StartError`] with all reasons.
    pub fn start(model: ProxyModel) -> Result<Self, StartError> {
        Self::start_with(model, Options::default())
    }

    /// Starts with options.
    ///
    /// # Errors
    /// As [`Proxy::start`].
    pub fn start_with(model: ProxyModel, mut options: Options) -> Result<Self, StartError> {
        let (handle, inbox) = handle::channel();
        let admin = start_management(&model, &mut options, &handle)?;
        let http = admin.as_ref().and_then(|admin| admin.http());
        let (started, outcome) = reply::channel();
        let control = std::thread::Builder::new().name("kproxy-control".into());
        let thread = control.spawn(move || control_thread(model, options, http, inbox, &started))?;
        outcome.recv().map_err(|_| StartError::Control)??;
        Ok(Self {
            handle,
            thread: Some(thread),
            admin,
        })
    }

    /// Returns the address where HTTP is served.
    pub fn http(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.http()
    }

    /// Returns the handle for asynchronous code.
    pub fn handle(&self) -> &ControlHandle {
        &self.handle
    }

    /// Returns the status; `None` once the proxy has ended.
    pub fn status(&self) -> Option<ProxyStatus> {
        block_on(self.handle.status()).ok()
    }

    /// Returns the counters of a virtual cluster.
    pub fn counters(&self, cluster: &str) -> Option<Arc<ClusterCounters>> {
        let clusters = block_on(self.handle.metrics()).ok()?.clusters;
        let found = clusters.into_iter().find(|candidate| candidate.name == cluster)?;
        Some(found.counters)
    }

    /// Applies `model`, and reports the outcome. Drains go on after it. `None` once the proxy has ended.
    pub fn reload(&self, model: ProxyModel) -> Option<ReloadReport> {
        block_on(self.handle.reload(ReloadRequest {
            trigger: Trigger::Control,
            by: Requester::Program,
            force: true,
            source: ReloadSource::Model(Box::new(model)),
        }))
        .ok()
    }

    /// What applying `model` would do. `None` once the proxy has ended.
    pub fn plan(&self, model: ProxyModel) -> Option<PlanReport> {
        block_on(self.handle.plan(PlanRequest {
            force: true,
            source: ReloadSource::Model(Box::new(model)),
        }))
        .ok()
    }

    /// Returns every address that the proxy listens on; `None` once it has ended.
    pub fn listeners(&self) -> Option<Vec<SocketAddr>> {
        Some(block_on(self.handle.observed()).ok()?.listeners())
    }

    /// Waits until no drain has sessions left.
    pub fn wait_drained(&self) {
        // A proxy that has ended has drained.
        block_on(self.handle.wait_for(|progress| progress.drains == 0)).unwrap_or_default();
    }

    /// Returns the addresses of a gateway, without the status of all others.
    pub fn gateway(&self, cluster: &str, gateway: &str) -> Option<GatewayStatus> {
        block_on(self.handle.observed()).ok()?.gateway(cluster, gateway)
    }

    /// Returns the address that the bootstrap endpoint of a gateway is bound to.
    pub fn bootstrap(&self, cluster: &str, gateway: &str) -> Option<SocketAddr> {
        Some(self.gateway(cluster, gateway)?.bound.0)
    }

    /// Returns the address that the endpoint of node `id` is bound to.
    pub fn node(&self, cluster: &str, gateway: &str, id: i32) -> Option<SocketAddr> {
        let nodes = self.gateway(cluster, gateway)?.nodes;
        Some(nodes.into_iter().find(|node| node.id == id)?.bound.0)
    }

    /// Drains all sessions and ends, within `network.proxy.shutdownTimeout`.
    pub fn shutdown(mut self) -> Option<Exit> {
        self.stop()
    }

    /// Waits until a signal has ended the proxy.
    pub fn wait(mut self) -> Option<Exit> {
        self.thread.take()?.join().ok()
    }

    fn stop(&mut self) -> Option<Exit> {
        let thread = self.thread.take()?;
        block_on(self.handle.shut_down());
        thread.join().ok()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts HTTP and the control socket, as configured, before everything else: requests wait for their answer.
fn start_management(
    model: &ProxyModel,
    options: &mut Options,
    handle: &ControlHandle,
) -> Result<Option<Arc<Admin>>, AdminError> {
    let management = model.management.as_ref().map(|management| ManagementSettings {
        address: management.address,
        token: management.token.clone(),
    });
    let socket = std::mem::replace(&mut options.socket, SocketPath::Off);
    if management.is_none() && socket == SocketPath::Off {
        return Ok(None);
    }
    let admin = Arc::new(Admin::start(management, socket, handle.clone())?);
    let mut applied = std::mem::replace(&mut options.applied, Box::new(|_| {}));
    let managed = Arc::clone(&admin);
    options.applied = Box::new(move |model| {
        let token = model
            .management
            .as_ref()
            .and_then(|management| management.token.clone());
        managed.set_token(token);
        applied(model);
    });
    Ok(Some(admin))
}

fn control_thread(
    model: ProxyModel,
    options: Options,
    http: Option<SocketAddr>,
    inbox: ControlInbox,
    started: &reply::Sender<Result<(), StartError>>,
) -> Exit {
    let nothing = Exit::Drained(ShutdownOutcome {
        sessions: 0,
        forced: 0,
    });
    // This runtime starts threads only to read and parse files.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(|| lower_priority(FILE_READER_NICENESS))
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            drop(started.send(Err(error.into())));
            return nothing;
        }
    };
    let exit = runtime.block_on(async {
        match start(model, options, http, inbox).await {
            Ok(engine) => {
                drop(started.send(Ok(())));
                control::run(engine).await
            }
            Err(error) => {
                drop(started.send(Err(error)));
                nothing
            }
        }
    });
    // Do not wait for a file that is being read or a name that is being resolved.
    runtime.shutdown_background();
    exit
}

async fn start(
    model: ProxyModel,
    options: Options,
    http: Option<SocketAddr>,
    inbox: ControlInbox,
) -> Result<Engine, StartError> {
    let began = Instant::now();
    let Options {
        binder,
        signals,
        source,
        earlier,
        socket: _,
        applied,
        try_brokers,
        warnings,
        service,
        set_log_level,
    } = options;
    let signals = signals.then(Signals::install).transpose()?;
    raise_descriptor_limit();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = Arc::new(Workers::start(model.network.worker_threads.unwrap_or(cores))?);
    let count = workers.len();
    let mut registry = EndpointRegistry::new(binder, workers, model.network.max_connections)?;
    if let Some(http) = http {
        registry.note_beside(http);
    }
    // Only now: a thread starts with the niceness of the one that starts it, and sessions must not have a low priority.
    lower_priority(CONTROL_NICENESS);
    let state = model.state_directory.clone().map(StateDirectory::new);
    let remembered = state.as_ref().map(StateDirectory::load).unwrap_or_default();
    let journal = Journal::open(model.state_directory.as_deref(), Retention::of(&model.rollback));
    let (sender, endpoint_requests) = mpsc::channel(ENDPOINT_REQUEST_CAPACITY);
    let reloader = Reloader::new(registry, sender, remembered);
    reloader.continue_after(journal.reached());
    let parts = Parts {
        reloader,
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
        log: LogLevel::new(
            &model.logging.level,
            set_log_level.unwrap_or_else(|| Box::new(|_| false)),
        ),
    };
    let mut engine = Engine::start(parts, model).await.map_err(StartError::Prepare)?;
    log_listeners(&engine.status(), count, began);
    Ok(engine)
}

/// Blocks until a future that another thread completes is ready; works within a runtime and without one.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

/// Logs what clients can connect to.
fn log_listeners(status: &ProxyStatus, workers: usize, began: Instant) {
    let gateways = || {
        status
            .clusters
            .iter()
            .flat_map(|cluster| cluster.gateways.iter().map(move |g| (cluster, g)))
    };
    for (cluster, gateway) in gateways().take(MAX_LOGGED_GATEWAYS) {
        tracing::info!(
            cluster = %cluster.name,
            gateway = %gateway.name,
            bootstrap = %gateway.bootstrap,
            bound = %gateway.bound,
            nodes = gateway.nodes.len(),
            "listening"
        );
    }
    // Gateways may share an address.
    let bound = |gateway: &GatewayStatus| {
        let nodes: Vec<SocketAddr> = gateway.nodes.iter().map(|node| node.bound.0).collect();
        std::iter::once(gateway.bound.0).chain(nodes)
    };
    let listeners: HashSet<SocketAddr> = gateways().flat_map(|(_, gateway)| bound(gateway)).collect();
    tracing::info!(
        version = &*status.version,
        generation = status.generation,
        clusters = status.clusters.len(),
        listeners = listeners.len(),
        workers,
        duration_ms = whole_millis(began.elapsed()),
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
