//! One client connection with its one broker connection, from accept to close.

mod broker_moves;
pub mod buffer;
pub mod cause;
pub mod clients;
pub mod close_log;
pub mod context;
pub mod counters;
mod expiry;
pub mod inspect;
mod lane;
pub mod ledger;
pub mod limits;
pub mod nodes;
mod opening;
mod output;
pub mod own;
pub mod permits;
mod probe;
mod proxied;
pub mod pump;
mod ready;
mod report;
mod role;
pub mod routes;
mod timer;
pub mod topology;
pub mod transport;
pub mod upstream;

pub use output::Output;
pub use ready::{DetachedSession, ReadySession};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::drain::SessionGuard;
use context::{EndpointBinding, ProcessContext};
use opening::UnroutedConnection;
use permits::ConnectionPermits;
use routes::{HostRouter, ListenerTarget};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A connection that was accepted and waits to be opened.
#[derive(Debug)]
pub struct AcceptedConnection {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    id: u64,
    accepted_on: AcceptedOn,
    permits: ConnectionPermits,
}

#[derive(Debug)]
enum AcceptedOn {
    /// It has joined its endpoint's tracker.
    Endpoint {
        binding: EndpointBinding,
        guard: SessionGuard,
    },
    /// Whose it is, it has to say.
    Hosts {
        router: Arc<HostRouter>,
        process: Arc<ProcessContext>,
        /// What a name meant by then, it means for this one.
        arrived: Instant,
    },
}

/// Joins an accepted connection to its endpoint's tracker before anything else is asked, and before it waits for a
/// worker: no drain misses it on the way.
pub fn register_connection(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    target: ListenerTarget,
    permits: ConnectionPermits,
) -> AcceptedConnection {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let accepted_on = match target {
        ListenerTarget::Endpoint(binding) => {
            let generation = binding.cluster.generation();
            let guard = binding.tracker.register(id, peer, generation, binding.node.id());
            AcceptedOn::Endpoint { binding, guard }
        }
        ListenerTarget::Hosts { router, process } => AcceptedOn::Hosts {
            router,
            process,
            arrived: Instant::now(),
        },
    };
    AcceptedConnection {
        stream,
        peer,
        id,
        accepted_on,
        permits,
    }
}

impl AcceptedConnection {
    /// Whether opening it takes so much work that it must not be done among sessions.
    pub fn needs_handshake(&self) -> bool {
        match &self.accepted_on {
            AcceptedOn::Endpoint { binding, .. } => {
                binding.gateway.tls.is_some() || binding.cluster.target.has_tls()
            }
            AcceptedOn::Hosts { .. } => true,
        }
    }

    /// Gets a session going: from an accepted connection to one with a broker behind it. `None`: it has ended, and that
    /// has been told.
    pub async fn open(self) -> Option<ReadySession> {
        let Self {
            stream,
            peer,
            id,
            accepted_on,
            permits,
        } = self;
        match accepted_on {
            AcceptedOn::Endpoint { binding, guard } => {
                opening::endpoint(stream, binding, guard, permits).await
            }
            AcceptedOn::Hosts {
                router,
                process,
                arrived,
            } => {
                let connection = UnroutedConnection {
                    peer,
                    router: &router,
                    process: &process,
                    id,
                    arrived,
                };
                Box::pin(opening::routed(stream, connection, permits)).await
            }
        }
    }
}

/// Runs an accepted connection to its end.
pub fn run(arrived: AcceptedConnection) -> impl Future<Output = ()> + Send {
    // Boxed: what it takes to get a session going is large, and gone for the rest of the session's life.
    let opening = Box::pin(async move { Some(arrived.open().await?.run()) });
    async move {
        if let Some(running) = opening.await {
            running.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a session costs while it lives, without what its sockets and buffers cost. Grows only on purpose.
    #[test]
    fn a_session_stays_small() {
        fn future_size<A, F: Future>(_run: impl Fn(A) -> F) -> usize {
            size_of::<F>()
        }
        assert!(
            future_size(AcceptedConnection::open) <= 4096,
            "{}",
            future_size(AcceptedConnection::open)
        );
        assert!(future_size(run) <= 512, "{}", future_size(run));
        assert!(
            size_of::<ready::SessionPump>() <= 1000,
            "{}",
            size_of::<ready::SessionPump>()
        );
    }
}
