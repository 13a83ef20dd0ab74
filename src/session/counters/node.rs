//! Counters of the sessions of one endpoint role: bootstrap or one node of a cluster.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CloseCounters, add};
use crate::drain::{SessionHandle, SessionProgress};
use crate::model::HostPort;
use crate::session::cause::CloseCause;

/// Counters of one cluster and one `node_id`. Kept as long as the node is known.
#[derive(Debug, Default)]
pub struct NodeCounters {
    /// Client connections accepted.
    pub accepted: AtomicU64,
    /// Broker connections established.
    pub connected: AtomicU64,
    /// Ends of client connections.
    pub closes: CloseCounters,
    /// Ends of broker connections.
    pub broker_closes: CloseCounters,
    sessions: Mutex<Sessions>,
}

/// Live sessions and the sum of ended ones. Locked when a session comes or goes and when the counters are read.
#[derive(Debug, Default)]
struct Sessions {
    /// Sum of the counters of sessions that have ended.
    ended: SessionProgress,
    live: HashMap<u64, Live>,
}

/// A live session, and the broker it is connected to.
#[derive(Debug)]
struct Live {
    handle: Arc<SessionHandle>,
    broker: Option<Arc<HostPort>>,
}

/// Sum of the counters of a role's sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeTraffic {
    /// Sum of the counters of all sessions, ended ones included.
    pub moved: SessionProgress,
    /// Number of live sessions.
    pub live: usize,
}

impl NodeCounters {
    /// Adds a session and counts it.
    pub fn join(self: &Arc<Self>, handle: &Arc<SessionHandle>) -> Membership {
        let membership = self.join_for_now(handle);
        membership.count();
        membership
    }

    /// Adds a session without counting it, while its role is not certain. [`Membership::settle`] counts it.
    pub fn join_for_now(self: &Arc<Self>, handle: &Arc<SessionHandle>) -> Membership {
        let live = Live {
            handle: Arc::clone(handle),
            broker: None,
        };
        self.lock().live.insert(handle.id, live);
        Membership {
            node: Arc::clone(self),
            handle: Arc::clone(handle),
            connected: false,
            counted: AtomicBool::new(false),
        }
    }

    /// Whether it has live sessions.
    pub fn is_in_use(&self) -> bool {
        !self.lock().live.is_empty()
    }

    /// The sessions that are connected to a broker at another address than `address`.
    pub fn led_elsewhere(&self, address: &HostPort) -> Vec<Arc<SessionHandle>> {
        let sessions = self.lock();
        let elsewhere = |live: &&Live| live.broker.as_deref().is_some_and(|broker| broker != address);
        let led = sessions.live.values().filter(elsewhere);
        led.map(|live| Arc::clone(&live.handle)).collect()
    }

    /// Reads the counters. Monotonic, except `in_flight`: a session that ends moves to the sum of ended ones under the lock.
    pub fn traffic(&self) -> NodeTraffic {
        let sessions = self.lock();
        let live = sessions.live.values().map(|live| live.handle.activity.progress());
        NodeTraffic {
            moved: live.fold(sessions.ended, SessionProgress::plus),
            live: sessions.live.len(),
        }
    }

    /// The live sessions, in no particular order.
    pub fn live(&self) -> Vec<Arc<SessionHandle>> {
        let sessions = self.lock();
        let live = sessions.live.values();
        live.map(|live| Arc::clone(&live.handle)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Membership of one session; dropping it removes the session.
#[derive(Debug)]
pub struct Membership {
    node: Arc<NodeCounters>,
    handle: Arc<SessionHandle>,
    connected: bool,
    /// Whether the session has been counted as accepted.
    counted: AtomicBool,
}

impl Membership {
    /// Whether the role of the session is certain.
    pub fn is_settled(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Moves the session to the counters of `node`, its certain role.
    pub fn settle(&mut self, node: Arc<NodeCounters>) {
        let live = self.node.lock().live.remove(&self.handle.id);
        if let Some(live) = live {
            node.lock().live.insert(self.handle.id, live);
        }
        self.node = node;
        self.count();
    }

    /// Counts the broker connection of the session.
    pub fn connected(&mut self) {
        self.count();
        add(&self.node.connected, 1);
        self.connected = true;
    }

    /// Notes the address of the broker that the session is connected to.
    pub fn lead_to(&self, broker: &Arc<HostPort>) {
        if let Some(live) = self.node.lock().live.get_mut(&self.handle.id) {
            live.broker = Some(Arc::clone(broker));
        }
    }

    /// Counts the session as accepted, once.
    fn count(&self) {
        if !self.counted.swap(true, Ordering::Relaxed) {
            add(&self.node.accepted, 1);
        }
    }

    /// Counts the end of both connections.
    pub fn count_close(&self, cause: CloseCause) {
        self.count();
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
            let last = SessionProgress {
                in_flight: 0,
                ..self.handle.activity.progress()
            };
            sessions.ended = sessions.ended.plus(last);
        }
    }
}
