//! The owner of the listening sockets: `reserve` may fail and changes nothing, `activate` cannot fail, `release`
//! closes.
//!
//! A listener is identified by its address and outlives configurations. Its target is one atomic pointer, so a
//! changed cluster on an unchanged address never unbinds.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::{self, AcceptContext, ListenerBinding};
use super::accept_errors::AcceptErrors;
use super::addresses::{BoundAddresses, ListenerAddresses};
use super::bind::{Bind, BindAddr, Bound};
use super::limits::ProcessLimit;
use super::workers::{Dispatcher, RuntimeThread, Workers};
use crate::drain::ConnectionTracker;
use crate::model::{BindIp, Gateway, IdentifiedBy};
use crate::session::context::{EndpointBinding, NodeRole, ProcessContext};
use crate::session::limits::Limit;
use crate::session::own::{OwnListener, OwnListeners};
use crate::session::permits::ConnectionLimit;
use crate::session::routes::{HostRoute, HostRouter, ListenerTarget, RouteChange};

/// Sockets bound before other tasks of this thread run.
const SLICE: usize = 256;

/// Identity of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenerKey {
    /// The address of the listener.
    Address(BindAddr),
    /// The owner of the listener, where the operating system chooses the port.
    Ephemeral {
        /// IP address of the listener.
        ip: BindIp,
        /// Name of the virtual cluster.
        cluster: String,
        /// Name of the gateway.
        gateway: String,
        /// Bootstrap or a node id.
        node: NodeRole,
    },
}

/// A listener that the configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Identity of the listener.
    pub key: ListenerKey,
    /// Address to bind.
    pub address: BindAddr,
}

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The listener that was asked for.
    pub key: ListenerKey,
    /// The address that could not be bound.
    pub address: BindAddr,
    /// The error of the operating system.
    pub source: io::Error,
}

/// Sockets that are bound and not yet accepted from. Dropping the value unbinds them: that is the whole rollback.
#[derive(Debug, Default)]
pub struct Reserved {
    sockets: HashMap<ListenerKey, Bound>,
}

impl Reserved {
    /// Adds the sockets of `other`.
    pub fn absorb(&mut self, other: Self) {
        self.sockets.extend(other.sockets);
    }

    /// Whether a socket is bound for `key`.
    pub fn has(&self, key: &ListenerKey) -> bool {
        self.sockets.contains_key(key)
    }

    /// Unbinds the socket of `key`.
    pub fn remove(&mut self, key: &ListenerKey) {
        self.sockets.remove(key);
    }
}

/// Prepared changes of targets, with every look-up already done.
#[derive(Debug, Default)]
pub struct Activation {
    /// New targets of existing listeners.
    swaps: Vec<(Arc<ListenerBinding>, ListenerTarget)>,
    /// Targets of listeners that will be started.
    starts: Vec<(ListenerKey, ListenerTarget)>,
    /// Changed host names on addresses that several gateways share.
    routes: Vec<(Arc<HostRouter>, Vec<RouteChange>)>,
}

/// Changes of targets, as the configuration asks for them.
#[derive(Debug, Default)]
pub struct RouteUpdates {
    /// New targets of listeners that belong to one endpoint.
    pub endpoints: Vec<(ListenerKey, EndpointBinding)>,
    /// Changed host names of listeners that several gateways share.
    pub routes: Vec<(ListenerKey, RouteChange)>,
}

impl RouteUpdates {
    /// Adds the endpoint under `key` with the target `binding`, by port or by host name as its gateway identifies
    /// nodes.
    pub fn add(&mut self, gateway: &Gateway, key: &ListenerKey, binding: EndpointBinding) {
        if gateway.identified_by == IdentifiedBy::Port {
            self.endpoints.push((key.clone(), binding));
            return;
        }
        for host in [
            gateway.bootstrap_host.as_str(),
            gateway.node_host_pattern.as_str(),
        ] {
            let (host, route) = (host.to_owned(), HostRoute::of(&binding));
            self.routes.push((key.clone(), RouteChange::Set { host, route }));
        }
    }
}

/// Owner of all listeners: binds them, swaps their targets and closes them. One task owns it (the reloader).
pub struct EndpointRegistry {
    binder: Arc<dyn Bind>,
    acceptor: RuntimeThread,
    context: Arc<AcceptContext>,
    limit: ProcessLimit,
    own: Arc<OwnListeners>,
    /// Listeners of other parts of the process, such as management.
    beside: Vec<OwnListener>,
    listeners: HashMap<ListenerKey, Listener>,
    addresses: Arc<ListenerAddresses>,
    /// Number of listening sockets.
    sockets: usize,
}

struct Listener {
    /// Number of its sockets: one, or one of each address family.
    sockets: usize,
    /// Addresses of those that are kept beyond the end of the process.
    kept: Vec<SocketAddr>,
    binding: Arc<ListenerBinding>,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl EndpointRegistry {
    /// Starts the accept thread and the threads that open TLS connections.
    ///
    /// # Errors
    /// The error of the operating system if a thread cannot be started.
    pub fn new(
        binder: Arc<dyn Bind>,
        workers: Arc<Workers>,
        max_connections: Option<usize>,
    ) -> io::Result<Self> {
        let limit = ProcessLimit::new(max_connections);
        let process = Arc::clone(limit.connections());
        let context = Arc::new(AcceptContext {
            dispatcher: Dispatcher::new(workers)?,
            process,
            errors: Arc::default(),
            is_ending: AtomicBool::new(false),
        });
        let acceptor = RuntimeThread::start("kproxy-accept".into())?;
        Ok(Self {
            binder,
            acceptor,
            context,
            limit,
            own: Arc::default(),
            beside: Vec::new(),
            listeners: HashMap::new(),
            addresses: Arc::default(),
            sockets: 0,
        })
    }

    /// The threads that open TLS connections.
    pub fn openers(&self) -> Vec<Handle> {
        self.context.dispatcher.openers()
    }

    /// Addresses that this process listens on.
    pub fn own(&self) -> &Arc<OwnListeners> {
        &self.own
    }

    /// Adds a listener of another part of the process.
    pub fn note_beside(&mut self, address: SocketAddr) {
        self.beside.push(self.own.add(address));
    }

    /// Binds the listeners in `wanted` that are not bound yet; one listener that several ask for is bound once.
    ///
    /// # Errors
    /// One [`BindError`] for each listener that could not be bound; then none of the others stays bound.
    pub async fn reserve(&self, wanted: &[EndpointSpec]) -> Result<Reserved, Vec<BindError>> {
        let mut reserved = Reserved::default();
        let mut errors = Vec::new();
        let mut tried = HashSet::with_capacity(wanted.len());
        for (index, wanted) in wanted.iter().enumerate() {
            if self.listeners.contains_key(&wanted.key) || !tried.insert(&wanted.key) {
                continue;
            }
            match Bound::at(&*self.binder, wanted.address) {
                Ok(bound) => {
                    reserved.sockets.insert(wanted.key.clone(), bound);
                }
                Err((address, source)) => errors.push(BindError {
                    key: wanted.key.clone(),
                    address,
                    source,
                }),
            }
            if index % SLICE == SLICE - 1 {
                tokio::task::yield_now().await;
            }
        }
        if errors.is_empty() {
            Ok(reserved)
        } else {
            Err(errors)
        }
    }

    /// The address of the listener under `key`, active or reserved; the IPv4 address if it has one of each family.
    pub fn bound(&self, key: &ListenerKey, reserved: &Reserved) -> Option<SocketAddr> {
        let listening = self.addresses.get(key);
        listening.or_else(|| reserved.sockets.get(key).map(|bound| bound.address))
    }

    /// Prepares [`EndpointRegistry::activate`]. No listener named in `updates` may be released in between.
    pub fn plan_activation(&self, updates: RouteUpdates, process: &Arc<ProcessContext>) -> Activation {
        let mut activation = Activation::default();
        for (key, binding) in updates.endpoints {
            self.plan_listener(&mut activation, key, ListenerTarget::Endpoint(binding));
        }
        let mut by_listener: HashMap<ListenerKey, Vec<RouteChange>> = HashMap::new();
        for (key, change) in updates.routes {
            by_listener.entry(key).or_default().push(change);
        }
        for (key, changes) in by_listener {
            let there = self
                .listeners
                .get(&key)
                .and_then(|listener| listener.binding.router());
            match there {
                Some(router) => activation.routes.push((router, changes)),
                // Removing host names where none is known changes nothing.
                None if changes.iter().all(RouteChange::is_removal) => {}
                None => {
                    let router = Arc::new(HostRouter::default());
                    router.apply(changes);
                    let process = Arc::clone(process);
                    self.plan_listener(&mut activation, key, ListenerTarget::Hosts { router, process });
                }
            }
        }
        activation
    }

    fn plan_listener(&self, activation: &mut Activation, key: ListenerKey, target: ListenerTarget) {
        match self.listeners.get(&key) {
            Some(listener) => activation.swaps.push((Arc::clone(&listener.binding), target)),
            None => activation.starts.push((key, target)),
        }
    }

    /// Applies new targets: swaps them on existing listeners and starts to accept on reserved ones. Returns the
    /// previous targets of the existing listeners.
    pub fn activate(&mut self, mut reserved: Reserved, activation: Activation) -> Vec<Arc<ListenerTarget>> {
        for (router, changes) in activation.routes {
            router.apply(changes);
        }
        let swaps = activation.swaps.into_iter();
        let before = swaps.map(|(listener, target)| listener.set(target)).collect();
        for (key, target) in activation.starts {
            if let Some(bound) = reserved.sockets.remove(&key) {
                self.sockets += bound.sockets();
                self.addresses.insert(key.clone(), BoundAddresses::of(&bound));
                let listener = self.start(&key, bound, target);
                self.listeners.insert(key, listener);
            }
        }
        self.limit.adjust(self.sockets);
        before
    }

    fn start(&self, key: &ListenerKey, bound: Bound, target: ListenerTarget) -> Listener {
        let binding = Arc::new(ListenerBinding::new(target));
        let (stop, stopped) = watch::channel(());
        let sockets = bound.sockets();
        let Bound {
            socket,
            address,
            also,
        } = bound;
        let also_bound = also.as_ref().map(|(_, address)| *address);
        let own = [Some(address), also_bound].map(|bound| bound.map(|bound| self.own.add(bound)));
        let mut kept = Vec::new();
        let mut run = |socket, address| {
            // A port that the operating system chose is another one in the next process.
            let is_kept = matches!(key, ListenerKey::Address(_)) && self.binder.keep(&socket, address);
            kept.extend(is_kept.then_some(address));
            accept::run(
                (socket, is_kept),
                Arc::clone(&binding),
                Arc::clone(&self.context),
                stopped.clone(),
            )
        };
        let first = run(socket, address);
        let second = also.map(|(socket, address)| run(socket, address));
        let task = self.acceptor.handle().spawn(async move {
            match second {
                Some(second) => _ = tokio::join!(first, second),
                None => first.await,
            }
            drop(own);
        });
        Listener {
            sockets,
            kept,
            binding,
            stop,
            task,
        }
    }

    /// Whether all threads that run sessions have answered since the last call.
    pub fn workers_answer(&self) -> bool {
        self.context.dispatcher.workers_answer()
    }

    /// Leaves sockets that are kept beyond the end of the process to the next one, from now on.
    pub fn leave_kept_sockets(&self) {
        self.context.is_ending.store(true, Ordering::Release);
    }

    /// Stops accepting on these listeners, except where a host name still routes to a gateway. Connections already
    /// established are accepted and served.
    ///
    /// The listeners are closed when the returned tasks have ended.
    pub fn release(&mut self, keys: impl IntoIterator<Item = ListenerKey>) -> Vec<JoinHandle<()>> {
        let unshared = keys.into_iter().filter(|key| !self.is_shared(key));
        let unshared: Vec<ListenerKey> = unshared.collect();
        let ending = unshared.iter().filter_map(|key| self.close(key)).collect();
        self.limit.adjust(self.sockets);
        ending
    }

    /// Closes one listener, whatever host names still route there. For callers that bind another listener in its
    /// place at once.
    pub fn close_unconditionally(&mut self, key: &ListenerKey) -> Option<JoinHandle<()>> {
        let ending = self.close(key);
        self.limit.adjust(self.sockets);
        ending
    }

    fn close(&mut self, key: &ListenerKey) -> Option<JoinHandle<()>> {
        let Listener {
            stop,
            task,
            sockets,
            kept,
            ..
        } = self.listeners.remove(key)?;
        if !self.context.is_ending.load(Ordering::Acquire) {
            kept.into_iter().for_each(|address| self.binder.give_up(address));
        }
        self.addresses.remove(key);
        self.sockets -= sockets;
        drop(stop);
        Some(task)
    }

    fn is_shared(&self, key: &ListenerKey) -> bool {
        let router = self
            .listeners
            .get(key)
            .and_then(|listener| listener.binding.router());
        router.is_some_and(|router| !router.is_empty())
    }

    /// Sets `maxConnections` of the process.
    pub fn set_max_connections(&mut self, configured: Option<usize>) {
        self.limit.configure(configured);
    }

    /// The limit of client connections of the process, and what determines it: `maxConnections` or descriptors.
    pub fn process_limit(&self) -> (Limit, &Arc<ConnectionLimit>) {
        (self.limit.limit(), self.limit.connections())
    }

    /// Whether a listener exists under `key`.
    pub fn has(&self, key: &ListenerKey) -> bool {
        self.listeners.contains_key(key)
    }

    /// Whether clients of the endpoint under `key` reach `tracker`'s gateway: a listener exists, and on a shared
    /// address the gateway's host names route to it.
    pub fn routes_to(&self, key: &ListenerKey, gateway: &Gateway, tracker: &Arc<ConnectionTracker>) -> bool {
        let Some(listener) = self.listeners.get(key) else {
            return false;
        };
        if gateway.identified_by == IdentifiedBy::Port {
            return true;
        }
        let router = listener.binding.router();
        let found = router.and_then(|router| router.lookup(&gateway.bootstrap_host));
        found.is_some_and(|found| Arc::ptr_eq(&found.tracker, tracker))
    }

    /// Addresses of all listeners, for readers on any thread.
    pub fn addresses(&self) -> &Arc<ListenerAddresses> {
        &self.addresses
    }

    /// Number of listeners.
    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    /// Whether there is no listener.
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Errors of accept(2) so far.
    pub fn accept_errors(&self) -> &Arc<AcceptErrors> {
        &self.context.errors
    }
}
