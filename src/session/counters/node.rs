//! What is counted for the sessions of one endpoint role of a cluster.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Closes, add};
use crate::drain::{Progress, SessionHandle};
use crate::session::cause::CloseCause;

/// Counters of one cluster and one `node_id`. Kept as long as the cluster's.
#[derive(Debug, Default)]
pub struct NodeCounters {
    /// Client connections accepted.
    pub accepted: AtomicU64,
    /// Broker connections established.
    pub connected: AtomicU64,
    /// Ends of client connections.
    pub closes: Closes,
    /// Ends of broker connections.
    pub broker_closes: Closes,
    sessions: Mutex<Sessions>,
}

/// Locked when a session comes or goes and when somebody looks.
#[derive(Debug, Default)]
struct Sessions {
    /// What sessions that have ended moved.
    ended: Progress,
    live: HashMap<u64, Arc<SessionHandle>>,
}

/// What the sessions of a role have moved so far, the live ones included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    pub moved: Progress,
    pub live: usize,
}

impl NodeCounters {
    /// A session begins.
    pub fn join(self: &Arc<Self>, handle: &Arc<SessionHandle>) -> Membership {
        add(&self.accepted, 1);
        self.lock().live.insert(handle.id, Arc::clone(handle));
        Membership {
            node: Arc::clone(self),
            handle: Arc::clone(handle),
            connected: false,
        }
    }

    /// Never less than at an earlier look, but for what is in flight: a session moves from the living to the ended
    /// under the lock.
    pub fn traffic(&self) -> Traffic {
        let sessions = self.lock();
        let live = sessions.live.values().map(|handle| handle.activity.progress());
        Traffic {
            moved: live.fold(sessions.ended, Progress::plus),
            live: sessions.live.len(),
        }
    }

    /// The sessions that live, in no order.
    pub fn live(&self) -> Vec<Arc<SessionHandle>> {
        self.lock().live.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session's place among those that are counted. Dropping it is leaving.
#[derive(Debug)]
pub struct Membership {
    node: Arc<NodeCounters>,
    handle: Arc<SessionHandle>,
    connected: bool,
}

impl Membership {
    /// The session has a broker connection.
    pub fn connected(&mut self) {
        add(&self.node.connected, 1);
        self.connected = true;
    }

    /// Both connections end for `cause`.
    pub fn count_close(&self, cause: CloseCause) {
        self.node.closes.count(cause);
        if self.connected {
            self.node.broker_closes.count(cause);
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut sessions = self.node.lock();
        if sessions.live.remove(&self.handle.id).is_some() {
            let last = Progress {
                in_flight: 0,
                ..self.handle.activity.progress()
            };
            sessions.ended = sessions.ended.plus(last);
        }
    }
}
