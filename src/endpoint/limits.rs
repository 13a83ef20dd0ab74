//! How many client connections there may be. Beyond it accepting waits: clients queue in the kernel, none is
//! refused.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Descriptors kept back: standard streams, epoll, name resolution, files, probes.
const RESERVED_DESCRIPTORS: usize = 64;

/// A session has a client and a broker.
const DESCRIPTORS_PER_SESSION: usize = 2;

/// The process-wide limit: `maxConnections`, and never more than descriptors allow. Running out of descriptors
/// would hit the broker side of sessions that were already accepted.
#[derive(Debug)]
pub(super) struct ProcessLimit {
    permits: Arc<Semaphore>,
    configured: Option<usize>,
    /// Permits in circulation.
    granted: usize,
}

impl ProcessLimit {
    pub(super) fn new(configured: Option<usize>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(0)),
            configured,
            granted: 0,
        }
    }

    pub(super) fn permits(&self) -> &Arc<Semaphore> {
        &self.permits
    }

    /// Adjusts to the number of descriptors that listeners take.
    pub(super) fn adjust(&mut self, listeners: usize) {
        let wanted = self.wanted(listeners);
        if wanted > self.granted {
            self.permits.add_permits(wanted - self.granted);
            self.granted = wanted;
        } else {
            // Permits in use cannot be taken back; they come back one by one.
            self.granted -= self.permits.forget_permits(self.granted - wanted);
        }
    }

    fn wanted(&self, listeners: usize) -> usize {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let descriptors = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let room = descriptors.saturating_sub(RESERVED_DESCRIPTORS + listeners) / DESCRIPTORS_PER_SESSION;
        // Even a process with next to no descriptors serves somebody.
        let room = room.clamp(1, Semaphore::MAX_PERMITS);
        self.configured.map_or(room, |configured| configured.min(room))
    }
}

/// Lets the process use as many descriptors as it may.
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
        tracing::warn!(%error, "the descriptor limit stays as it is");
    }
}

/// What a connection holds while it lives.
#[derive(Debug)]
pub(super) struct Permits {
    _process: OwnedSemaphorePermit,
    _cluster: Option<OwnedSemaphorePermit>,
}

impl Permits {
    /// Waits until one more connection is allowed.
    pub(super) async fn acquire(process: &Arc<Semaphore>, cluster: Option<&Arc<Semaphore>>) -> Option<Self> {
        let _cluster = match cluster {
            Some(cluster) => Some(Arc::clone(cluster).acquire_owned().await.ok()?),
            None => None,
        };
        let _process = Arc::clone(process).acquire_owned().await.ok()?;
        Some(Self { _process, _cluster })
    }
}
