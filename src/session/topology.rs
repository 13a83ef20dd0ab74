//! Which broker of the target cluster has which address: learned, never configured.
//!
//! Every answer that passes by and names brokers teaches; readers take a snapshot. A broker that disappears
//! from Metadata keeps its last address until another broker claims it: a client that still dials it then meets
//! a refused connection, as it would without a proxy, instead of a search.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::model::HostPort;

/// Broker addresses by node id.
pub type Nodes = HashMap<i32, HostPort>;

/// The learned addresses of one target cluster.
#[derive(Debug)]
pub struct Topology {
    nodes: ArcSwap<Nodes>,
    /// Writers compare and swap under it, so that no answer overwrites a newer one half-way.
    writing: Mutex<()>,
    /// Told of every change, for whoever persists topologies.
    changed: Arc<Notify>,
    began: Instant,
    /// When an answer last listed the whole cluster, in milliseconds since `began`, plus one; 0 is never.
    confirmed_ms: AtomicU64,
}

impl Topology {
    /// Starts from what an earlier run remembered.
    pub fn new(nodes: Nodes, changed: Arc<Notify>) -> Self {
        Self {
            nodes: ArcSwap::from_pointee(nodes),
            writing: Mutex::new(()),
            changed,
            began: Instant::now(),
            confirmed_ms: AtomicU64::new(0),
        }
    }

    pub fn snapshot(&self) -> Arc<Nodes> {
        self.nodes.load_full()
    }

    pub fn address(&self, node: i32) -> Option<HostPort> {
        self.nodes.load().get(&node).cloned()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.load().is_empty()
    }

    /// Notes that an answer has just listed the whole cluster.
    pub fn confirm(&self) {
        self.confirmed_ms.store(self.elapsed_ms() + 1, Ordering::Relaxed);
    }

    /// Whether an answer has listed the whole cluster within `period`.
    pub fn confirmed_within(&self, period: Duration) -> bool {
        let confirmed = self.confirmed_ms.load(Ordering::Relaxed);
        let age = Duration::from_millis((self.elapsed_ms() + 1).saturating_sub(confirmed));
        confirmed > 0 && age < period
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// Takes in the brokers one answer named. Returns whether anything was new.
    pub fn learn(&self, seen: &[(i32, HostPort)]) -> bool {
        // The common case, on the path of every Metadata answer: nothing new, nothing locked.
        let known = |nodes: &Nodes| seen.iter().all(|(id, address)| nodes.get(id) == Some(address));
        if known(&self.nodes.load()) {
            return false;
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut nodes = Nodes::clone(&self.nodes.load());
        nodes.retain(|id, address| {
            !seen
                .iter()
                .any(|(other, claimed)| other != id && claimed == address)
        });
        nodes.extend(seen.iter().cloned());
        self.nodes.store(Arc::new(nodes));
        self.changed.notify_one();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology() -> Topology {
        Topology::new(Nodes::default(), Arc::default())
    }

    fn at(port: u16) -> HostPort {
        HostPort {
            host: "b".into(),
            port,
        }
    }

    #[test]
    fn a_vanished_broker_keeps_its_address_until_another_claims_it() {
        let topology = topology();
        assert!(topology.learn(&[(1, at(1)), (2, at(2))]));
        assert!(!topology.learn(&[(1, at(1))]), "a subset is nothing new");
        assert_eq!(topology.address(2), Some(at(2)));
        assert!(topology.learn(&[(3, at(2))]));
        assert_eq!(topology.address(2), None);
        assert_eq!(topology.address(3), Some(at(2)));
    }

    #[test]
    fn two_brokers_may_swap_addresses_in_one_answer() {
        let topology = topology();
        topology.learn(&[(1, at(1)), (2, at(2))]);
        topology.learn(&[(1, at(2)), (2, at(1))]);
        assert_eq!(
            (topology.address(1), topology.address(2)),
            (Some(at(2)), Some(at(1)))
        );
    }
}
