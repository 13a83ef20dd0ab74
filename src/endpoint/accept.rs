//! The accept loop of one listener.
//!
//! It waits for a connection first and for permission second, so that an idle listener holds none, and it never
//! ends or spins because of an error: what concerns one connection is skipped, what concerns the process is waited
//! out.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, watch};

use super::accept_errors::{AcceptErrors, ErrorScope};
use super::limits::permits;
use super::workers::Workers;
use crate::session;
use crate::session::ReadySession;
use crate::session::limits::ran_out_of_descriptors;
use crate::session::permits::{ConnectionLimit, ConnectionPermits};
use crate::session::routes::{HostRouter, ListenerTarget};

/// How long accepting pauses when the process has run out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Everything an accept loop shares with the others.
#[derive(Debug)]
pub(super) struct AcceptContext {
    pub(super) workers: Arc<Workers>,
    /// Where TLS connections are opened: handshakes are work that sessions should not wait behind.
    pub(super) openers: Workers,
    pub(super) process: Arc<ConnectionLimit>,
    pub(super) errors: AcceptErrors,
}

/// What a listener means just now.
#[derive(Debug)]
pub struct ListenerBinding {
    target: ArcSwap<ListenerTarget>,
    /// Wakes whoever waits for a limit that concerns this listener no more.
    changed: Notify,
}

impl ListenerBinding {
    pub fn new(target: ListenerTarget) -> Self {
        Self {
            target: ArcSwap::from_pointee(target),
            changed: Notify::new(),
        }
    }

    /// From the next connection on. Returns what it meant before.
    pub(super) fn set(&self, target: ListenerTarget) -> Arc<ListenerTarget> {
        let before = self.target.swap(Arc::new(target));
        // There may be a loop for each address family. One of them can be about to wait, and finds the permit that is left.
        self.changed.notify_one();
        self.changed.notify_one();
        before
    }

    /// What a connection that arrives now is given.
    pub fn target(&self) -> ListenerTarget {
        ListenerTarget::clone(&self.target.load())
    }

    /// The names of an address that several gateways share.
    pub(super) fn router(&self) -> Option<Arc<HostRouter>> {
        match &**self.target.load() {
            ListenerTarget::Hosts { router, .. } => Some(Arc::clone(router)),
            ListenerTarget::Endpoint(_) => None,
        }
    }

    /// Of the cluster it is for, if that is known before a client has said so.
    fn limit(&self) -> Option<Arc<ConnectionLimit>> {
        match &**self.target.load() {
            ListenerTarget::Endpoint(binding) => Some(Arc::clone(&binding.cluster.limit)),
            ListenerTarget::Hosts { .. } => None,
        }
    }
}

/// Accepts until `stop`; then takes in what has already been established and closes the listener.
///
/// Closing a listener resets every connection in its queue, so the queue is emptied first.
pub(super) async fn run(
    listener: TcpListener,
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
            tracing::error!(%error, "a listener cannot be watched; its port stays silent");
            return;
        }
    };
    loop {
        tokio::select! {
            biased;
            // An error: the other end is gone.
            _ = stop.changed() => break,
            () = accept_some(&listener, &binding, &context) => {}
        }
    }
    while let Ok((stream, client)) = listener.get_ref().accept() {
        dispatch(stream, client, &binding, &context, ConnectionPermits::default());
    }
}

/// One readiness of the listener.
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
    // A limit that is reached is told of once, elsewhere.
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
    if !accepted.needs_handshake() {
        return context.workers.spawn(session::run(accepted));
    }
    let workers = Arc::clone(&context.workers);
    context.openers.spawn(async move {
        if let Some(detached) = accepted.open().await.and_then(ReadySession::detach) {
            workers.spawn(detached.run());
        }
    });
}
