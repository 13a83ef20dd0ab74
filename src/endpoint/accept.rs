//! The accept loop of one listener.
//!
//! It waits for a connection first and for a permit second, so an idle listener holds no permit. It never ends or
//! spins because of an error: an error of one connection skips that connection, an error of the process is waited
//! out.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use socket2::SockRef;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, watch};

use super::accept_errors::{AcceptErrors, ErrorScope};
use super::limits::permits;
use super::workers::Dispatcher;
use crate::session;
use crate::session::limits::ran_out_of_descriptors;
use crate::session::permits::{ConnectionLimit, ConnectionPermits};
use crate::session::routes::{HostRouter, ListenerTarget};

/// Pause of the accept loop when the process has run out of a resource.
const PAUSE: Duration = Duration::from_millis(100);

/// What all accept loops share.
#[derive(Debug)]
pub(super) struct AcceptContext {
    pub(super) dispatcher: Dispatcher,
    pub(super) process: Arc<ConnectionLimit>,
    pub(super) errors: Arc<AcceptErrors>,
    /// Whether the process ends, so that sockets that are kept are left to the next one.
    pub(super) is_ending: AtomicBool,
}

/// The current target of one listener.
#[derive(Debug)]
pub struct ListenerBinding {
    target: ArcSwap<ListenerTarget>,
    /// Wakes an accept loop that waits for a permit of the previous target.
    changed: Notify,
}

impl ListenerBinding {
    /// A binding with this target.
    pub fn new(target: ListenerTarget) -> Self {
        Self {
            target: ArcSwap::from_pointee(target),
            changed: Notify::new(),
        }
    }

    /// Sets the target for connections accepted from now on. Returns the previous target.
    pub(super) fn set(&self, target: ListenerTarget) -> Arc<ListenerTarget> {
        let before = self.target.swap(Arc::new(target));
        // There may be one loop per address family. A loop that is about to wait finds the stored permit.
        self.changed.notify_one();
        self.changed.notify_one();
        before
    }

    /// The target for a connection that is accepted now.
    pub fn target(&self) -> ListenerTarget {
        ListenerTarget::clone(&self.target.load())
    }

    /// The host names of an address that several gateways share.
    pub(super) fn router(&self) -> Option<Arc<HostRouter>> {
        match &**self.target.load() {
            ListenerTarget::Hosts { router, .. } => Some(Arc::clone(router)),
            ListenerTarget::Endpoint(_) => None,
        }
    }

    /// The connection limit of the target's cluster, where the listener alone determines the cluster.
    fn limit(&self) -> Option<Arc<ConnectionLimit>> {
        match &**self.target.load() {
            ListenerTarget::Endpoint(binding) => Some(Arc::clone(&binding.cluster.limit)),
            ListenerTarget::Hosts { .. } => None,
        }
    }
}

/// Accepts connections until `stop`; then serves those that are already established and closes the listener.
///
/// Closing a listener resets every connection in its queue, so the queue is emptied first. Where the service manager
/// keeps the socket (`is_kept`), the queue waits for the next process if this one ends, and otherwise the socket is shut
/// down, which frees its address.
pub(super) async fn run(
    (listener, is_kept): (TcpListener, bool),
    binding: Arc<ListenerBinding>,
    context: Arc<AcceptContext>,
    mut stop: watch::Receiver<()>,
) {
    #[expect(
        deprecated,
        reason = "its replacement is unsafe; the descriptor of a TcpListener stays valid as long as it is owned, and \
                  TcpListener of tokio would register every accepted connection with this thread first"
    )]
    let listener = match AsyncFd::new(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "cannot register a listener with epoll; its port accepts no connections");
            return;
        }
    };
    loop {
        tokio::select! {
            biased;
            // An error means that the sender is gone.
            _ = stop.changed() => break,
            () = accept_some(&listener, &binding, &context) => {}
        }
    }
    if is_kept && context.is_ending.load(Ordering::Acquire) {
        return;
    }
    while let Ok((stream, client)) = listener.get_ref().accept() {
        dispatch(stream, client, &binding, &context, ConnectionPermits::default());
    }
    if is_kept && let Err(error) = SockRef::from(listener.get_ref()).shutdown(Shutdown::Read) {
        tracing::warn!(%error, "cannot shut down a socket that the service manager keeps; its address stays in use");
    }
}

/// Accepts the connections of one readiness event.
async fn accept_some(listener: &AsyncFd<TcpListener>, binding: &ListenerBinding, context: &AcceptContext) {
    let mut ready = match listener.readable().await {
        Ok(ready) => ready,
        Err(error) => return pause(&error, context).await,
    };
    loop {
        let limit = binding.limit();
        let permits = tokio::select! {
            biased;
            permits = permits(&context.process, limit.as_ref()) => permits,
            () = binding.changed.notified() => continue,
        };
        match ready.try_io(|listener| listener.get_ref().accept()) {
            Err(_would_block) => return,
            Ok(Ok((stream, client))) => dispatch(stream, client, binding, context, permits),
            Ok(Err(error)) => match ErrorScope::of(&error) {
                ErrorScope::Connection => context.errors.count(&error),
                ErrorScope::Process => {
                    drop(permits);
                    return pause(&error, context).await;
                }
            },
        }
    }
}

async fn pause(error: &io::Error, context: &AcceptContext) {
    context.errors.count(error);
    // The limit monitor logs this once.
    if !ran_out_of_descriptors(error) {
        context.errors.report(error);
    }
    tokio::time::sleep(PAUSE).await;
}

fn dispatch(
    stream: TcpStream,
    client: SocketAddr,
    binding: &ListenerBinding,
    context: &AcceptContext,
    permits: ConnectionPermits,
) {
    if let Err(error) = stream.set_nonblocking(true) {
        context.errors.report(&error);
        return;
    }
    let accepted = session::register_connection(stream, client, binding.target(), permits);
    context.dispatcher.dispatch(accepted);
}
