//! The open session: both connections and what belongs to them, before it forwards bytes and while it does.

use std::io;
use std::sync::Arc;

use super::cause::{CloseCause, Fault};
use super::expiry::{Expiry, WithExpiry};
use super::inspect::{KafkaInspector, Learning, SessionLogin};
use super::moving::{SessionSeat, run_to_end};
use super::opening::ended_before_open;
use super::permits::ConnectionPermits;
use super::pump::{Limits, Pump};
use super::report::Report;
use super::transport::{Detached, Stream};
use super::upstream::{Promise, ProxyPreamble};
use crate::drain::SessionGuard;
use crate::filter::ClientSession as FilterSession;

pub(super) type SessionPump = Pump<Stream, Stream, KafkaInspector>;

/// An open session that has not begun to forward bytes.
pub struct OpenedSession {
    pub(super) client: Stream,
    pub(super) broker: Stream,
    pub(super) parts: SessionParts,
}

/// A [`OpenedSession`] without a runtime, on its way from one thread to another.
pub struct DetachedSession {
    client: Detached,
    broker: Detached,
    parts: SessionParts,
}

/// Everything of a session except its connections.
pub(super) struct SessionParts {
    /// Bytes already read from the client.
    pub(super) first: Vec<u8>,
    pub(super) learning: Option<Learning>,
    pub(super) login: Option<SessionLogin>,
    /// What filters keep of the session already.
    pub(super) filtered: Option<Box<FilterSession>>,
    /// What the client was answered to ApiVersions before there was a broker.
    pub(super) promise: Option<Arc<Promise>>,
    /// What its broker connections begin with.
    pub(super) preamble: ProxyPreamble,
    pub(super) guard: SessionGuard,
    pub(super) report: Report,
    pub(super) permits: ConnectionPermits,
}

impl OpenedSession {
    /// Forwards bytes until the session ends.
    pub fn run(self) -> impl Future<Output = ()> + Send {
        let Self {
            client,
            broker,
            parts,
        } = self;
        let SessionParts {
            first,
            learning,
            login,
            filtered,
            promise,
            preamble,
            guard,
            report,
            permits,
        } = parts;
        // Created on the thread that runs it, because its counters belong to that thread.
        let handle = guard.handle();
        let binding = report.binding().clone();
        let limits = Limits::of(&binding.cluster.process.network());
        let directory = Arc::clone(&binding.gateway.directory);
        let expiry = Expiry::of(handle, &binding);
        let cluster = Arc::as_ptr(&binding.cluster.counters).addr();
        let inspector = KafkaInspector::with_filtered(Arc::clone(handle), binding, learning, filtered)
            .with_login(login)
            .with_promise(promise);
        let pump: SessionPump = Pump::new(client, broker, inspector, first, Arc::clone(handle), limits);
        let pump = Box::new(pump.with_directory(directory).accounted_to(cluster));
        let seat = SessionSeat {
            guard,
            report,
            preamble,
            place: expiry.as_ref().map(Expiry::place),
        };
        let session = WithExpiry::new(Box::pin(run_to_end(pump, seat)), expiry);
        async move {
            let (ended, seat) = session.await;
            seat.report.end(ended);
            drop((seat.guard, permits));
        }
    }

    /// Removes the sockets from this thread's runtime. `None` if that failed; the end is then already logged and
    /// counted.
    pub fn detach(self) -> Option<DetachedSession> {
        let Self {
            client,
            broker,
            parts,
        } = self;
        match client.detach().and_then(|client| Ok((client, broker.detach()?))) {
            Ok((client, broker)) => Some(DetachedSession {
                client,
                broker,
                parts,
            }),
            Err(error) => {
                parts.fail(&error);
                None
            }
        }
    }
}

impl DetachedSession {
    /// Runs the session on the current thread's runtime.
    pub async fn run(self) {
        let Self {
            client,
            broker,
            parts,
        } = self;
        match client.attach().and_then(|client| Ok((client, broker.attach()?))) {
            Ok((client, broker)) => {
                OpenedSession {
                    client,
                    broker,
                    parts,
                }
                .run()
                .await
            }
            Err(error) => parts.fail(&error),
        }
    }
}

impl SessionParts {
    fn fail(self, error: &io::Error) {
        let fault = Fault::new(CloseCause::Local, error.to_string());
        self.report.end(ended_before_open(fault));
    }
}
