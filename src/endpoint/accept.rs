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

use super::accept_errors::{AcceptErrors, Kind};
use super::limits::places;
use super::workers::Workers;
use crate::session;
use crate::session::Ready;
use crate::session::limits::ran_out_of_descriptors;
use crate::session::permits::{ConnectionLimit, Places};
use crate::session::routes::{HostRouter, Meaning};

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
pub struct Binding {
    now: ArcSwap<Meaning>,
    /// Wakes whoever waits for a limit that concerns this listener no more.
    changed: Notify,
}

impl Binding {
    pub fn new(meaning: Meaning) -> Self {
        Self {
            now: ArcSwap::from_pointee(meaning),
            changed: Notify::new(),
        }
    }

    /// From the next connection on. Returns what it meant before.
    pub(super) fn set(&self, meaning: Meaning) -> Arc<Meaning> {
        let before = self.now.swap(Arc::new(meaning));
        // There may be a loop for each address family. One of them can be about to wait, and finds the permit that is left.
        self.changed.notify_one();
        self.changed.notify_one();
        before
    }

    /// What a connection that arrives now is given.
    pub fn meaning(&self) -> Meaning {
        Meaning::clone(&self.now.load())
    }

    /// The names of an address that several gateways share.
    pub(super) fn router(&self) -> Option<Arc<HostRouter>> {
        match &**self.now.load() {
            Meaning::Hosts { router, .. } => Some(Arc::clone(router)),
            Meaning::Endpoint(_) => None,
        }
    }

    /// Of the cluster it is for, if that is known before a client has said so.
    fn limit(&self) -> Option<Arc<ConnectionLimit>> {
        match &**self.now.load() {
            Meaning::Endpoint(binding) => Some(Arc::clone(&binding.cluster.limit)),
            Meaning::Hosts { .. } => None,
        }
    }
}

/// Accepts until `stop`; then takes in what has already been established and closes the listener.
///
/// Closing a listener resets every connection in its queue, so the queue is emptied first.
pub(super) async fn run(
    listener: TcpListener,
    binding: Arc<Binding>,
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
        serve(stream, client, &binding, &context, Places::default());
    }
}

/// One readiness of the listener.
async fn accept_some(listener: &AsyncFd<TcpListener>, binding: &Binding, context: &AcceptContext) {
    let mut ready = match listener.readable().await {
        Ok(ready) => ready,
        Err(error) => return pause(&error, context).await,
    };
    loop {
        let limit = binding.limit();
        let places = tokio::select! {
            biased;
            places = places(&context.process, limit.as_ref()) => places,
            () = binding.changed.notified() => continue,
        };
        match ready.try_io(|listener| listener.get_ref().accept()) {
            Err(_would_block) => return,
            Ok(Ok((stream, client))) => serve(stream, client, binding, context, places),
            Ok(Err(error)) => match Kind::of(&error) {
                Kind::Connection => context.errors.count(&error),
                Kind::Process => {
                    drop(places);
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

fn serve(stream: TcpStream, client: SocketAddr, binding: &Binding, context: &AcceptContext, places: Places) {
    if let Err(error) = stream.set_nonblocking(true) {
        context.errors.report(&error);
        return;
    }
    let arrived = session::admit(stream, client, binding.meaning(), places);
    if !arrived.is_costly() {
        return context.workers.spawn(session::run(arrived));
    }
    let workers = Arc::clone(&context.workers);
    context.openers.spawn(async move {
        if let Some(parked) = arrived.open().await.and_then(Ready::park) {
            workers.spawn(parked.run());
        }
    });
}
