//! Sessions: one client connection with its one broker connection, from accept to close.

mod broker_moves;
pub mod buffer;
pub mod cause;
pub mod clients;
pub mod close_log;
pub mod context;
pub mod counters;
#[cfg(feature = "otlp")]
pub mod ended;
mod expiry;
pub mod frame_memory;
pub mod inspect;
pub mod intake;
mod lane;
pub mod ledger;
pub mod limits;
mod moving;
pub mod nodes;
mod opened_session;
mod opening;
mod output;
pub mod own;
pub mod pause;
pub mod permits;
mod probe;
mod proxied;
pub mod pump;
mod report;
mod role;
pub mod routes;
pub mod successor;
mod timer;
pub mod topology;
pub mod transport;
pub mod upstream;

pub use opened_session::{DetachedSession, OpenedSession};
pub use output::Output;

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

/// An accepted connection that is not open yet.
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
    /// The listener belongs to one endpoint; the connection has joined its tracker.
    Endpoint {
        binding: EndpointBinding,
        guard: SessionGuard,
    },
    /// Several gateways share the listener; the host name in the TLS ClientHello selects one.
    Hosts {
        router: Arc<HostRouter>,
        process: Arc<ProcessContext>,
        /// Time of the accept. A host name removed after it still routes for this connection.
        arrived: Instant,
    },
}

/// Registers an accepted connection with its endpoint's tracker, before anything is read and before it waits for a
/// worker. No drain can miss it in between.
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
    /// Whether opening it includes a TLS handshake, which is too much work for a thread that runs sessions.
    pub fn needs_handshake(&self) -> bool {
        match &self.accepted_on {
            AcceptedOn::Endpoint { binding, .. } => {
                binding.gateway.tls.is_some() || binding.cluster.target.has_tls()
            }
            AcceptedOn::Hosts { .. } => true,
        }
    }

    /// Opens the session: from an accepted connection to one with a broker connection. `None` if it ended before; the
    /// end is then already logged and counted.
    pub async fn open(self) -> Option<OpenedSession> {
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
    // Boxed: opening needs a large future, which is dropped before the session runs.
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
            size_of::<opened_session::SessionPump>() <= 1096,
            "{}",
            size_of::<opened_session::SessionPump>()
        );
    }
}
