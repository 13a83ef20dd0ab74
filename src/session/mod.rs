//! One client connection with its one broker connection, from accept to close.

pub mod buffer;
pub mod cause;
pub mod context;
pub mod counters;
pub mod inspect;
mod lane;
pub mod nodes;
mod opening;
mod output;
pub mod permits;
mod probe;
mod proxied;
pub mod pump;
mod report;
mod role;
pub mod routes;
mod timer;
pub mod topology;
pub mod transport;
pub mod upstream;

pub use output::Output;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::drain::SessionGuard;
use cause::{CloseCause, Fault};
use context::{EndpointBinding, Meaning, ProcessContext};
use inspect::{KafkaInspector, Learning};
use opening::{Newcomer, ended_early};
use permits::Places;
use pump::{Limits, Pump};
use report::Report;
use routes::HostRouter;
use transport::{Detached, Stream};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A connection that was accepted and waits to be opened.
#[derive(Debug)]
pub struct Arrived {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    id: u64,
    entry: Entry,
    places: Places,
}

#[derive(Debug)]
enum Entry {
    /// It has joined its endpoint's tracker.
    Endpoint {
        binding: EndpointBinding,
        guard: SessionGuard,
    },
    /// Whose it is, it has to say.
    Hosts {
        router: Arc<HostRouter>,
        process: Arc<ProcessContext>,
    },
}

/// Joins an accepted connection to its endpoint's tracker before anything else is asked, and before it waits for a
/// worker: no drain misses it on the way.
pub fn admit(stream: std::net::TcpStream, peer: SocketAddr, meaning: Meaning, places: Places) -> Arrived {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let entry = match meaning {
        Meaning::Endpoint(binding) => {
            let generation = binding.cluster.process.generation();
            let guard = binding.tracker.register(id, peer, generation, binding.node.id());
            Entry::Endpoint { binding, guard }
        }
        Meaning::Hosts { router, process } => Entry::Hosts { router, process },
    };
    Arrived {
        stream,
        peer,
        id,
        entry,
        places,
    }
}

impl Arrived {
    /// Whether opening it takes so much work that it must not be done among sessions.
    pub fn is_costly(&self) -> bool {
        match &self.entry {
            Entry::Endpoint { binding, .. } => {
                binding.gateway.tls.is_some() || binding.cluster.target.has_tls()
            }
            Entry::Hosts { .. } => true,
        }
    }

    /// Gets a session going: from an accepted connection to one with a broker behind it. `None`: it has ended, and that
    /// has been told.
    pub async fn open(self) -> Option<Ready> {
        let Self {
            stream,
            peer,
            id,
            entry,
            places,
        } = self;
        match entry {
            Entry::Endpoint { binding, guard } => opening::endpoint(stream, binding, guard, places).await,
            Entry::Hosts { router, process } => {
                let newcomer = Newcomer {
                    peer,
                    router: &router,
                    process: &process,
                    id,
                };
                Box::pin(opening::routed(stream, newcomer, places)).await
            }
        }
    }
}

/// Runs an accepted connection to its end.
pub fn run(arrived: Arrived) -> impl Future<Output = ()> + Send {
    // Boxed: what it takes to get a session going is large, and gone for the rest of the session's life.
    let opening = Box::pin(async move { Some(arrived.open().await?.run()) });
    async move {
        if let Some(running) = opening.await {
            running.await;
        }
    }
}

type SessionPump = Pump<Stream, Stream, KafkaInspector>;

/// A session with both its connections, that has not begun to move bytes.
pub struct Ready {
    client: Stream,
    broker: Stream,
    /// What the client has said already.
    first: Vec<u8>,
    learning: Option<Learning>,
    guard: SessionGuard,
    report: Report,
    places: Places,
}

/// A [`Ready`] on its way from one thread to another.
pub struct Parked {
    client: Detached,
    broker: Detached,
    first: Vec<u8>,
    learning: Option<Learning>,
    guard: SessionGuard,
    report: Report,
    places: Places,
}

impl Ready {
    /// Moves bytes until the session's end.
    pub fn run(self) -> impl Future<Output = ()> + Send {
        let Self {
            client,
            broker,
            first,
            learning,
            guard,
            report,
            places,
        } = self;
        let pump = Box::new(pump(client, broker, first, learning, &guard, &report));
        async move {
            let ended = pump.await;
            report.end(ended);
            drop((guard, places));
        }
    }

    /// Lets go of the thread it is on. `None`: it has ended, and that has been told.
    pub fn park(self) -> Option<Parked> {
        let Self {
            client,
            broker,
            first,
            learning,
            guard,
            report,
            places,
        } = self;
        match client.detach().and_then(|client| Ok((client, broker.detach()?))) {
            Ok((client, broker)) => Some(Parked {
                client,
                broker,
                first,
                learning,
                guard,
                report,
                places,
            }),
            Err(error) => {
                report.end(local(&error));
                None
            }
        }
    }
}

impl Parked {
    /// Goes on where it is polled.
    pub async fn run(self) {
        let Self {
            client,
            broker,
            first,
            learning,
            guard,
            report,
            places,
        } = self;
        match client.attach().and_then(|client| Ok((client, broker.attach()?))) {
            Ok((client, broker)) => {
                let ready = Ready {
                    client,
                    broker,
                    first,
                    learning,
                    guard,
                    report,
                    places,
                };
                ready.run().await;
            }
            Err(error) => report.end(local(&error)),
        }
    }
}

fn local(error: &io::Error) -> pump::Ended {
    ended_early(Fault::new(CloseCause::Local, error.to_string()))
}

/// Made where it runs: what it counts, it counts for the thread it is on.
fn pump(
    client: Stream,
    broker: Stream,
    first: Vec<u8>,
    learning: Option<Learning>,
    guard: &SessionGuard,
    report: &Report,
) -> SessionPump {
    let handle = guard.handle();
    let binding = report.binding().clone();
    let limits = Limits::of(&binding.cluster.process.network());
    let directory = Arc::clone(&binding.gateway.directory);
    let inspector = KafkaInspector::new(handle, binding, learning).introducing(Arc::clone(handle));
    let pump = Pump::new(client, broker, inspector, first, Arc::clone(handle), limits);
    pump.with_directory(directory)
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
            future_size(Arrived::open) <= 4096,
            "{}",
            future_size(Arrived::open)
        );
        assert!(future_size(run) <= 512, "{}", future_size(run));
        assert!(size_of::<SessionPump>() <= 928, "{}", size_of::<SessionPump>());
    }
}
