//! The limit of client connections of the process. Beyond it, accepting waits: clients queue in the kernel and none
//! is refused.

use std::sync::Arc;

use crate::resolver;
use crate::session::context::MAX_WAITING_CONNECTIONS;
use crate::session::limits::Limit;
use crate::session::permits::{ConnectionLimit, ConnectionPermits};
use crate::session::upstream::EXTRA_ATTEMPTS;

/// Descriptors reserved for standard streams, epoll, files and probes.
const RESERVED_DESCRIPTORS: usize = 64;

/// Share (one in this many) of descriptors reserved for name look-ups and parallel connection attempts.
const KEPT_FOR_CONNECTING: usize = 16;

/// Share (one in this many) of descriptors reserved for connections that wait for a permit of their cluster.
const KEPT_FOR_WAITING: usize = 64;

/// Descriptors of one session: client and broker.
const DESCRIPTORS_PER_SESSION: usize = 2;

/// The process-wide limit: `maxConnections`, but never more than the descriptors allow. Running out of descriptors
/// would break the broker side of sessions that are already accepted.
#[derive(Debug)]
pub(super) struct ProcessLimit {
    connections: Arc<ConnectionLimit>,
    configured: Option<usize>,
    listeners: usize,
}

impl ProcessLimit {
    pub(super) fn new(configured: Option<usize>) -> Self {
        let mut limit = Self {
            connections: Arc::new(ConnectionLimit::new(Some(0))),
            configured,
            listeners: 0,
        };
        limit.adjust(0);
        limit
    }

    pub(super) fn connections(&self) -> &Arc<ConnectionLimit> {
        &self.connections
    }

    /// Sets the number of descriptors that listeners use.
    pub(super) fn adjust(&mut self, listeners: usize) {
        self.listeners = listeners;
        self.connections.set(Some(self.wanted()));
    }

    /// Sets `maxConnections`.
    pub(super) fn configure(&mut self, configured: Option<usize>) {
        self.configured = configured;
        self.connections.set(Some(self.wanted()));
    }

    /// What determines the limit: `maxConnections` or descriptors.
    pub(super) fn limit(&self) -> Limit {
        if self.configured.is_some() && self.configured == self.connections.allowed() {
            Limit::Connections
        } else {
            Limit::Descriptors
        }
    }

    fn wanted(&self) -> usize {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let descriptors = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let room = connections_within(descriptors, self.listeners);
        self.configured.map_or(room, |configured| configured.min(room))
    }
}

/// The client connections that so many descriptors allow, `listeners` of which are used to listen. Even a process with
/// almost no descriptors serves one session.
pub fn connections_within(descriptors: usize, listeners: usize) -> usize {
    let connecting = (descriptors / KEPT_FOR_CONNECTING).min(EXTRA_ATTEMPTS + resolver::THREADS);
    let waiting = (descriptors / KEPT_FOR_WAITING).min(MAX_WAITING_CONNECTIONS);
    let reserved = RESERVED_DESCRIPTORS + connecting + waiting;
    let room = descriptors.saturating_sub(reserved + listeners) / DESCRIPTORS_PER_SESSION;
    room.max(1)
}

/// Raises the soft limit of open files to the hard limit.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    if now.current != now.maximum
        && let Err(error) = setrlimit(Resource::Nofile, wanted)
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Waits for the permits of one more connection. The cluster is `None` where it becomes known only later.
pub(super) async fn permits(
    process: &Arc<ConnectionLimit>,
    cluster: Option<&Arc<ConnectionLimit>>,
) -> ConnectionPermits {
    let cluster = match cluster {
        Some(cluster) => Some(cluster.acquire().await),
        None => None,
    };
    let process = Some(process.acquire().await);
    ConnectionPermits {
        process,
        cluster,
        ..ConnectionPermits::default()
    }
}
