//! What is counted for the sessions of one endpoint role of a cluster.

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

/// Locked when a session comes or goes and when somebody looks.
#[derive(Debug, Default)]
struct Sessions {
    /// What sessions that have ended moved.
    ended: SessionProgress,
    live: HashMap<u64, Live>,
}

/// A session that lives, and the broker it leads to.
#[derive(Debug)]
struct Live {
    handle: Arc<SessionHandle>,
    broker: Option<Arc<HostPort>>,
}

/// What the sessions of a role have moved so far, the live ones included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeTraffic {
    pub moved: SessionProgress,
    pub live: usize,
}

impl NodeCounters {
    /// A session begins.
    pub fn join(self: &Arc<Self>, handle: &Arc<SessionHandle>) -> Membership {
        let membership = self.join_for_now(handle);
        membership.count();
        membership
    }

    /// A session begins of which it is not known yet whether it belongs here. It is counted when that is known.
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

    /// Whether sessions live.
    pub fn is_in_use(&self) -> bool {
        !self.lock().live.is_empty()
    }

    /// The sessions that lead to a broker at another address than this one.
    pub fn led_elsewhere(&self, address: &HostPort) -> Vec<Arc<SessionHandle>> {
        let sessions = self.lock();
        let elsewhere = |live: &&Live| live.broker.as_deref().is_some_and(|broker| broker != address);
        let led = sessions.live.values().filter(elsewhere);
        led.map(|live| Arc::clone(&live.handle)).collect()
    }

    /// Never less than at an earlier look, but for what is in flight: a session moves from the living to the ended
    /// under the lock.
    pub fn traffic(&self) -> NodeTraffic {
        let sessions = self.lock();
        let live = sessions.live.values().map(|live| live.handle.activity.progress());
        NodeTraffic {
            moved: live.fold(sessions.ended, SessionProgress::plus),
            live: sessions.live.len(),
        }
    }

    /// The sessions that live, in no order.
    pub fn live(&self) -> Vec<Arc<SessionHandle>> {
        let sessions = self.lock();
        let live = sessions.live.values();
        live.map(|live| Arc::clone(&live.handle)).collect()
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
    /// Among the accepted, where it belongs.
    counted: AtomicBool,
}

impl Membership {
    /// Whether it is known where the session belongs.
    pub fn is_settled(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// It has become known that the session belongs to `node`.
    pub fn settle(&mut self, node: Arc<NodeCounters>) {
        let live = self.node.lock().live.remove(&self.handle.id);
        if let Some(live) = live {
            node.lock().live.insert(self.handle.id, live);
        }
        self.node = node;
        self.count();
    }

    /// The session has a broker connection.
    pub fn connected(&mut self) {
        self.count();
        add(&self.node.connected, 1);
        self.connected = true;
    }

    /// The session leads to the broker of its node, which is at this address.
    pub fn lead_to(&self, broker: &Arc<HostPort>) {
        if let Some(live) = self.node.lock().live.get_mut(&self.handle.id) {
            live.broker = Some(Arc::clone(broker));
        }
    }

    /// Among the accepted, once.
    fn count(&self) {
        if !self.counted.swap(true, Ordering::Relaxed) {
            add(&self.node.accepted, 1);
        }
    }

    /// Both connections end for `cause`.
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
