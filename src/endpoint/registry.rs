//! The owner of the listening sockets: `reserve` may fail and changes nothing, `activate` cannot fail, `release`
//! lets go.
//!
//! A listener is known by its address and outlives configurations. What the address means is one atomic pointer
//! behind it, so a changed cluster on an unchanged address never unbinds.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::{self, AcceptContext, ListenerBinding};
use super::accept_errors::AcceptErrors;
use super::bind::{Bind, BindAddr, Bound};
use super::limits::ProcessLimit;
use super::workers::{RuntimeThread, Workers};
use crate::drain::ConnectionTracker;
use crate::model::{BindIp, Gateway, IdentifiedBy};
use crate::session::context::{EndpointBinding, NodeRole, ProcessContext};
use crate::session::limits::Limit;
use crate::session::own::{OwnListener, OwnListeners};
use crate::session::permits::ConnectionLimit;
use crate::session::routes::{HostRoute, HostRouter, ListenerTarget, RouteChange};

/// Sockets bound before other work on this thread gets its turn.
const SLICE: usize = 256;

/// By what a listener is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenerKey {
    /// Its address.
    Address(BindAddr),
    /// Whose it is, where the operating system chooses the port.
    Ephemeral {
        ip: BindIp,
        cluster: String,
        gateway: String,
        node: NodeRole,
    },
}

/// An endpoint that shall be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    pub key: ListenerKey,
    pub address: BindAddr,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// Of the endpoint that wanted it.
    pub key: ListenerKey,
    pub address: BindAddr,
    pub source: io::Error,
}

/// Sockets that are bound and not yet accepted from. Dropping it unbinds them: that is the whole rollback.
#[derive(Debug, Default)]
pub struct Reserved {
    sockets: HashMap<ListenerKey, Bound>,
}

impl Reserved {
    /// Takes in what was reserved elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.sockets.extend(other.sockets);
    }

    /// Whether one is bound under `key`.
    pub fn has(&self, key: &ListenerKey) -> bool {
        self.sockets.contains_key(key)
    }

    /// Unbinds one of them.
    pub fn remove(&mut self, key: &ListenerKey) {
        self.sockets.remove(key);
    }
}

/// What endpoints are to mean, with everything looked up that can be before they do.
#[derive(Debug, Default)]
pub struct Activation {
    /// Of listeners that are there.
    swaps: Vec<(Arc<ListenerBinding>, ListenerTarget)>,
    /// Of those that will be.
    starts: Vec<(ListenerKey, ListenerTarget)>,
    /// Of names on addresses that several gateways share.
    routes: Vec<(Arc<HostRouter>, Vec<RouteChange>)>,
}

/// What endpoints are to mean.
#[derive(Debug, Default)]
pub struct RouteUpdates {
    /// Where all that arrives is for one.
    pub endpoints: Vec<(ListenerKey, EndpointBinding)>,
    /// Where the host name tells them apart.
    pub routes: Vec<(ListenerKey, RouteChange)>,
}

impl RouteUpdates {
    /// Has the endpoint under `key` mean `binding`, in the way its gateway is reached.
    pub fn add(&mut self, gateway: &Gateway, key: &ListenerKey, binding: EndpointBinding) {
        if gateway.identified_by == IdentifiedBy::Port {
            self.endpoints.push((key.clone(), binding));
            return;
        }
        for host in [&gateway.bootstrap_host, &gateway.node_host_pattern] {
            let (host, route) = (host.clone(), HostRoute::of(&binding));
            self.routes.push((key.clone(), RouteChange::Set { host, route }));
        }
    }
}

/// See the module.
pub struct EndpointRegistry {
    binder: Arc<dyn Bind>,
    acceptor: RuntimeThread,
    context: Arc<AcceptContext>,
    limit: ProcessLimit,
    own: Arc<OwnListeners>,
    /// Of other parts of the process.
    beside: Vec<OwnListener>,
    listeners: HashMap<ListenerKey, Listener>,
    /// Of all listeners together.
    sockets: usize,
}

struct Listener {
    bound: SocketAddr,
    /// In the other address family.
    also_bound: Option<SocketAddr>,
    binding: Arc<ListenerBinding>,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl EndpointRegistry {
    /// # Errors
    /// When the system gives no threads.
    pub fn new(
        binder: Arc<dyn Bind>,
        workers: Arc<Workers>,
        max_connections: Option<usize>,
    ) -> io::Result<Self> {
        let limit = ProcessLimit::new(max_connections);
        let process = Arc::clone(limit.connections());
        let context = Arc::new(AcceptContext {
            openers: Workers::openers(workers.len())?,
            workers,
            process,
            errors: AcceptErrors::default(),
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
            sockets: 0,
        })
    }

    /// What this process listens on.
    pub fn own(&self) -> &Arc<OwnListeners> {
        &self.own
    }

    /// Notes a listener of another part of the process.
    pub fn note_beside(&mut self, address: SocketAddr) {
        self.beside.push(self.own.add(address));
    }

    /// Binds what is wanted and not there yet; once, where several want to share it.
    ///
    /// # Errors
    /// Every port that cannot be had, each once; none of the others stays bound.
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

    /// The address behind `key`, listening already or reserved; that of IPv4, where it is one of each family.
    pub fn bound(&self, key: &ListenerKey, reserved: &Reserved) -> Option<SocketAddr> {
        let listening = self.listeners.get(key).map(|listener| listener.bound);
        listening.or_else(|| reserved.sockets.get(key).map(|bound| bound.address))
    }

    /// Makes ready for [`EndpointRegistry::activate`], before which nothing that is named here is released.
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
                // A name that goes where none is known is gone already.
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

    /// Gives endpoints their target: swaps it behind listeners that are there, starts accepting on reserved ones.
    /// Returns what the former meant before.
    pub fn activate(&mut self, mut reserved: Reserved, activation: Activation) -> Vec<Arc<ListenerTarget>> {
        for (router, changes) in activation.routes {
            router.apply(changes);
        }
        let swaps = activation.swaps.into_iter();
        let before = swaps.map(|(listener, target)| listener.set(target)).collect();
        for (key, target) in activation.starts {
            if let Some(bound) = reserved.sockets.remove(&key) {
                self.sockets += bound.sockets();
                let listener = self.start(bound, target);
                self.listeners.insert(key, listener);
            }
        }
        self.limit.adjust(self.sockets);
        before
    }

    fn start(&self, bound: Bound, target: ListenerTarget) -> Listener {
        let binding = Arc::new(ListenerBinding::new(target));
        let (stop, stopped) = watch::channel(());
        let Bound {
            socket,
            address,
            also,
        } = bound;
        let also_bound = also.as_ref().map(|(_, address)| *address);
        let own = [Some(address), also_bound].map(|bound| bound.map(|bound| self.own.add(bound)));
        let run = |socket| {
            accept::run(
                socket,
                Arc::clone(&binding),
                Arc::clone(&self.context),
                stopped.clone(),
            )
        };
        let first = run(socket);
        let second = also.map(|(socket, _)| run(socket));
        let task = self.acceptor.handle().spawn(async move {
            match second {
                Some(second) => _ = tokio::join!(first, second),
                None => first.await,
            }
            drop(own);
        });
        Listener {
            bound: address,
            also_bound,
            binding,
            stop,
            task,
        }
    }

    /// Stops accepting, except on an address on which a name still leads somewhere. Connections that were established
    /// by then are taken in and served.
    ///
    /// The listeners are gone when the returned tasks have ended.
    pub fn release(&mut self, keys: impl IntoIterator<Item = ListenerKey>) -> Vec<JoinHandle<()>> {
        let unshared = keys.into_iter().filter(|key| !self.is_shared(key));
        let unshared: Vec<ListenerKey> = unshared.collect();
        let ending = unshared.iter().filter_map(|key| self.close(key)).collect();
        self.limit.adjust(self.sockets);
        ending
    }

    /// The same for one listener, whatever names still lead somewhere there: for those who have another one in its
    /// place before anybody can miss them.
    pub fn close_unconditionally(&mut self, key: &ListenerKey) -> Option<JoinHandle<()>> {
        let ending = self.close(key);
        self.limit.adjust(self.sockets);
        ending
    }

    fn close(&mut self, key: &ListenerKey) -> Option<JoinHandle<()>> {
        let Listener {
            stop,
            task,
            also_bound,
            ..
        } = self.listeners.remove(key)?;
        self.sockets -= 1 + usize::from(also_bound.is_some());
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

    /// Another `maxConnections` of the process.
    pub fn set_max_connections(&mut self, configured: Option<usize>) {
        self.limit.configure(configured);
    }

    /// How many client connections the process may have, and what bounds that: `maxConnections` or descriptors.
    pub fn process_limit(&self) -> (Limit, &ConnectionLimit) {
        (self.limit.limit(), self.limit.connections())
    }

    /// Whether something listens under `key`.
    pub fn has(&self, key: &ListenerKey) -> bool {
        self.listeners.contains_key(key)
    }

    /// Whether clients of the endpoint under `key` arrive at `tracker`'s gateway: something listens there, and where
    /// the gateway shares the address, its names lead to it.
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

    /// Every address that something listens on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let of = |listener: &Listener| std::iter::once(listener.bound).chain(listener.also_bound);
        self.listeners.values().flat_map(of)
    }

    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Errors of accept(2) so far.
    pub fn accept_errors(&self) -> &AcceptErrors {
        &self.context.errors
    }
}
