//! The owner of the listening sockets: `reserve` may fail and changes nothing, `activate` cannot fail, `release`
//! lets go.
//!
//! A listener is known by its address and outlives configurations. What the address means is one atomic pointer
//! behind it, so a changed cluster on an unchanged address never unbinds.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::accept::{self, AcceptContext, Binding};
use super::accept_errors::AcceptErrors;
use super::bind::{Bind, BindAddr};
use super::limits::ProcessLimit;
use super::workers::{RuntimeThread, Workers};
use crate::model::BindIp;
use crate::session::context::{EndpointBinding, NodeRole};

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
pub struct Wanted {
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
    sockets: HashMap<ListenerKey, (TcpListener, SocketAddr)>,
}

impl Reserved {
    /// Takes in what was reserved elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.sockets.extend(other.sockets);
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
    swaps: Vec<(Arc<Binding>, Arc<EndpointBinding>)>,
    /// Of those that will be.
    starts: Vec<(ListenerKey, Arc<EndpointBinding>)>,
}

/// See the module.
pub struct EndpointRegistry {
    binder: Arc<dyn Bind>,
    acceptor: RuntimeThread,
    context: Arc<AcceptContext>,
    limit: ProcessLimit,
    listeners: HashMap<ListenerKey, Listener>,
}

struct Listener {
    bound: SocketAddr,
    binding: Arc<Binding>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl EndpointRegistry {
    /// # Errors
    /// When threads cannot be had.
    pub fn new(
        binder: Arc<dyn Bind>,
        workers: Arc<Workers>,
        max_connections: Option<usize>,
    ) -> io::Result<Self> {
        let limit = ProcessLimit::new(max_connections);
        let process = Arc::clone(limit.connections());
        let context = Arc::new(AcceptContext {
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
            listeners: HashMap::new(),
        })
    }

    /// Binds what is wanted and not there yet.
    ///
    /// # Errors
    /// Every port that cannot be had; none of the others stays bound.
    pub async fn reserve(&self, wanted: &[Wanted]) -> Result<Reserved, Vec<BindError>> {
        let mut reserved = Reserved::default();
        let mut errors = Vec::new();
        for (index, wanted) in wanted.iter().enumerate() {
            if self.listeners.contains_key(&wanted.key) || reserved.sockets.contains_key(&wanted.key) {
                continue;
            }
            match self.bind(wanted.address) {
                Ok(socket) => {
                    reserved.sockets.insert(wanted.key.clone(), socket);
                }
                Err(source) => errors.push(BindError {
                    key: wanted.key.clone(),
                    address: wanted.address,
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

    fn bind(&self, address: BindAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let socket = self.binder.bind(address)?;
        let bound = socket.local_addr()?;
        Ok((socket, bound))
    }

    /// The address behind `key`, listening already or reserved.
    pub fn bound(&self, key: &ListenerKey, reserved: &Reserved) -> Option<SocketAddr> {
        let listening = self.listeners.get(key).map(|listener| listener.bound);
        listening.or_else(|| reserved.sockets.get(key).map(|(_, bound)| *bound))
    }

    /// Makes ready for [`EndpointRegistry::activate`], before which nothing that is named here is released.
    pub fn aim(&self, bindings: impl IntoIterator<Item = (ListenerKey, Arc<EndpointBinding>)>) -> Activation {
        let mut activation = Activation::default();
        for (key, binding) in bindings {
            match self.listeners.get(&key) {
                Some(listener) => activation.swaps.push((Arc::clone(&listener.binding), binding)),
                None => activation.starts.push((key, binding)),
            }
        }
        activation
    }

    /// Gives endpoints their meaning: swaps it behind listeners that are there, starts accepting on reserved ones.
    /// Returns what the former meant before.
    pub fn activate(&mut self, mut reserved: Reserved, activation: Activation) -> Vec<Arc<EndpointBinding>> {
        let swaps = activation.swaps.into_iter();
        let before = swaps.map(|(listener, binding)| listener.set(binding)).collect();
        for (key, binding) in activation.starts {
            if let Some((socket, bound)) = reserved.sockets.remove(&key) {
                let listener = self.start(socket, bound, binding);
                self.listeners.insert(key, listener);
            }
        }
        self.limit.adjust(self.listeners.len());
        before
    }

    fn start(&self, socket: TcpListener, bound: SocketAddr, binding: Arc<EndpointBinding>) -> Listener {
        let binding = Arc::new(Binding::new(binding));
        let (stop, stopped) = oneshot::channel();
        let run = accept::run(socket, Arc::clone(&binding), Arc::clone(&self.context), stopped);
        let task = self.acceptor.handle().spawn(run);
        Listener {
            bound,
            binding,
            stop,
            task,
        }
    }

    /// Stops accepting. Connections that were established by then are taken in and served.
    ///
    /// The listeners are gone when the returned tasks have ended.
    pub fn release(&mut self, keys: impl IntoIterator<Item = ListenerKey>) -> Vec<JoinHandle<()>> {
        let mut ending = Vec::new();
        for key in keys {
            if let Some(Listener { stop, task, .. }) = self.listeners.remove(&key) {
                drop(stop);
                ending.push(task);
            }
        }
        self.limit.adjust(self.listeners.len());
        ending
    }

    /// Another `maxConnections` of the process.
    pub fn set_max_connections(&mut self, configured: Option<usize>) {
        self.limit.configure(configured);
    }

    /// Whether something listens under `key`.
    pub fn has(&self, key: &ListenerKey) -> bool {
        self.listeners.contains_key(key)
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
