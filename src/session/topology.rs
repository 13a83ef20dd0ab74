//! Broker addresses of a target cluster: learned from answers, never configured.
//!
//! Every forwarded answer that names brokers updates them; readers take a snapshot. A broker that complete listings
//! no longer name keeps its last address for a while, or until another broker claims it. It may only be restarting,
//! and a client that connects to it meets a refused connection, as it would without a proxy. After that it is
//! forgotten, unless sessions are connected to it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;

use crate::model::HostPort;

/// Broker addresses by node id.
pub type NodeAddresses = HashMap<i32, HostPort>;

/// Maximum number of nodes of one cluster. The largest Kafka clusters have some hundreds; an answer that names more
/// is not trusted.
pub const MOST_NODES: usize = 10_000;

/// Time for which a node is kept that complete listings do not name: as long as a broker takes to restart.
const MISSED: Duration = Duration::from_secs(60);

/// Number of nodes that may restart at the same time. If more are missing, the cluster is another one, or never had
/// them.
const MOST_MISSED: usize = 64;

/// Time within which a broker that returns to a previous address counts as a broker with two valid addresses.
const TWO_ADDRESSES: Duration = Duration::from_secs(600);

/// Longest id of a Kafka cluster that is kept, in bytes; Kafka writes 22.
const MOST_CLUSTER_ID: usize = 255;

/// Id of a Kafka cluster, see `cluster_id` of Metadata (KIP-78).
#[derive(Debug, PartialEq, Eq)]
pub struct ClusterId(Box<[u8]>);

impl fmt::Display for ClusterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The learned addresses of one target cluster.
#[derive(Debug)]
pub struct Topology {
    nodes: ArcSwap<NodeAddresses>,
    /// Lock for writers, so that an older answer never overwrites a newer one half-way.
    memory: Mutex<Memory>,
    /// Notified of every change, for the task that persists topologies.
    changed: Arc<Notify>,
    began: Instant,
    /// Time of the last complete listing, in milliseconds since `began` plus one; 0 means never.
    confirmed_ms: AtomicU64,
    /// Whether nodes have moved since [`Topology::take_moved`].
    has_moved: AtomicBool,
    /// How often nodes were forgotten.
    forgets: AtomicU64,
    /// Id of the Kafka cluster; `None` until an answer has told it.
    cluster_id: ArcSwapOption<ClusterId>,
}

/// State of writers beyond the addresses. Each map has at most one entry per node.
#[derive(Debug, Default)]
struct Memory {
    /// Time since which complete listings do not name the node.
    missed: HashMap<i32, Instant>,
    moved: HashMap<i32, Moved>,
    /// Nodes that have moved since [`Topology::take_moved`].
    untold: Vec<i32>,
    /// Whether the last complete listing named too many nodes.
    too_many: bool,
}

#[derive(Debug)]
struct Moved {
    from: HostPort,
    at: Instant,
    /// Whether the node had returned to this address from another one.
    returned: bool,
}

/// Result of a complete listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Whether anything changed.
    pub changed: bool,
    /// Whether it names too many nodes and the one before did not.
    pub too_many: bool,
}

impl Topology {
    /// A topology that starts with what an earlier run has stored.
    pub fn new(nodes: NodeAddresses, changed: Arc<Notify>) -> Self {
        Self {
            nodes: ArcSwap::from_pointee(nodes),
            memory: Mutex::default(),
            changed,
            began: Instant::now(),
            confirmed_ms: AtomicU64::new(0),
            has_moved: AtomicBool::new(false),
            forgets: AtomicU64::new(0),
            cluster_id: ArcSwapOption::empty(),
        }
    }

    /// Id of the Kafka cluster, as an answer to Metadata has told it.
    pub fn cluster_id(&self) -> Option<Arc<ClusterId>> {
        self.cluster_id.load_full()
    }

    /// Takes in the id of the Kafka cluster.
    pub fn note_cluster_id(&self, id: &[u8]) {
        let known = self.cluster_id.load();
        if known.as_deref().is_none_or(|known| *known.0 != *id) && (1..=MOST_CLUSTER_ID).contains(&id.len()) {
            self.cluster_id.store(Some(Arc::new(ClusterId(id.into()))));
        }
    }

    /// All known addresses.
    pub fn snapshot(&self) -> Arc<NodeAddresses> {
        self.nodes.load_full()
    }

    /// The address of a node, if it is known.
    pub fn address(&self, node: i32) -> Option<HostPort> {
        self.nodes.load().get(&node).cloned()
    }

    /// Whether no address is known.
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

    /// Adds brokers that an answer named. Returns whether anything was new.
    pub fn learn(&self, seen: &[(i32, HostPort)]) -> bool {
        // The common case: nothing new, and no lock.
        let known = |nodes: &NodeAddresses| seen.iter().all(|(id, address)| nodes.get(id) == Some(address));
        if known(&self.nodes.load()) {
            return false;
        }
        let mut memory = self.lock();
        let mut nodes = NodeAddresses::clone(&self.nodes.load());
        self.merge(seen, &mut nodes, &mut memory);
        self.publish(nodes)
    }

    /// Takes an answer that names all brokers, and forgets nodes that such answers no longer name, unless they are in
    /// use. Takes time in proportion to the brokers.
    pub fn list(&self, seen: &[(i32, HostPort)], in_use: impl Fn(i32) -> bool) -> Listed {
        let mut memory = self.lock();
        let mut nodes = NodeAddresses::clone(&self.nodes.load());
        // Forgotten nodes make room for new ones.
        let named: HashSet<i32> = seen.iter().map(|&(id, _)| id).collect();
        self.forget(&named, &mut nodes, &mut memory, in_use);
        let too_many = self.merge(seen, &mut nodes, &mut memory);
        let before = std::mem::replace(&mut memory.too_many, too_many);
        Listed {
            changed: self.publish(nodes),
            too_many: too_many && !before,
        }
    }

    /// Merges brokers into `nodes`. Returns whether there are too many; then the first are kept. For each id and each
    /// address the last mention counts.
    fn merge(&self, seen: &[(i32, HostPort)], nodes: &mut NodeAddresses, memory: &mut Memory) -> bool {
        let mut named: HashMap<i32, &HostPort> = seen.iter().map(|(id, address)| (*id, address)).collect();
        let claimed: HashSet<&HostPort> = named.values().copied().collect();
        nodes.retain(|id, address| named.contains_key(id) || !claimed.contains(address));
        let mut too_many = false;
        for &(id, _) in seen {
            let Some(address) = named.remove(&id) else {
                continue;
            };
            memory.missed.remove(&id);
            match nodes.get(&id) {
                Some(known) if known == address => continue,
                Some(known) => self.note_move(id, known.clone(), address, memory),
                None if nodes.len() >= MOST_NODES => {
                    too_many = true;
                    continue;
                }
                None => {}
            }
            nodes.insert(id, address.clone());
        }
        too_many
    }

    fn note_move(&self, node: i32, from: HostPort, to: &HostPort, memory: &mut Memory) {
        let before = memory.moved.get(&node);
        let returned = before.is_some_and(|moved| moved.from == *to && moved.at.elapsed() < TWO_ADDRESSES);
        let at = Instant::now();
        memory.moved.insert(node, Moved { from, at, returned });
        if !returned && !memory.untold.contains(&node) && memory.untold.len() < MOST_MISSED {
            memory.untold.push(node);
            self.has_moved.store(true, Ordering::Release);
        }
    }

    fn forget(
        &self,
        named: &HashSet<i32>,
        nodes: &mut NodeAddresses,
        memory: &mut Memory,
        in_use: impl Fn(i32) -> bool,
    ) {
        let now = Instant::now();
        for id in nodes.keys().filter(|id| !named.contains(id)) {
            memory.missed.entry(*id).or_insert(now);
        }
        memory.missed.retain(|id, _| nodes.contains_key(id));
        let many = memory.missed.len() > MOST_MISSED;
        let before = nodes.len();
        memory.missed.retain(|&id, since| {
            let forgotten = (many || since.elapsed() >= MISSED) && !in_use(id);
            if forgotten {
                nodes.remove(&id);
            }
            !forgotten
        });
        memory.moved.retain(|id, _| nodes.contains_key(id));
        if nodes.len() < before {
            self.forgets.fetch_add(1, Ordering::Release);
        }
    }

    fn publish(&self, nodes: NodeAddresses) -> bool {
        let changed = **self.nodes.load() != nodes;
        if changed {
            self.nodes.store(Arc::new(nodes));
            self.changed.notify_one();
        }
        changed
    }

    /// How often nodes were forgotten. Tables about nodes need a clean-up when this number has changed.
    pub fn forgets(&self) -> u64 {
        self.forgets.load(Ordering::Acquire)
    }

    /// The nodes that have moved since the last call. Cheap when none has.
    pub fn take_moved(&self) -> Vec<i32> {
        if !self.has_moved.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut memory = self.lock();
        self.has_moved.store(false, Ordering::Release);
        std::mem::take(&mut memory.untold)
    }

    /// Whether `node` has moved away from `address`, unless that is another valid address of the same broker.
    pub fn has_left(&self, node: i32, address: &HostPort) -> bool {
        if self.nodes.load().get(&node).is_none_or(|now| now == address) {
            return false;
        }
        let memory = self.lock();
        let moved = memory.moved.get(&node);
        moved.is_some_and(|moved| moved.from == *address && !moved.returned)
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology() -> Topology {
        Topology::new(NodeAddresses::default(), Arc::default())
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

    fn many(count: i32) -> Vec<(i32, HostPort)> {
        (0..count).map(|id| (id, at(id as u16))).collect()
    }

    #[test]
    fn what_a_cluster_cannot_have_is_not_kept_and_told_once() {
        let topology = topology();
        let listed = topology.list(&many(20_000), |_| false);
        assert_eq!((listed.changed, listed.too_many), (true, true));
        assert_eq!(topology.snapshot().len(), MOST_NODES);
        assert!(!topology.list(&many(20_000), |_| false).too_many);
        topology.list(&many(3), |_| false);
        assert!(topology.list(&many(20_000), |_| false).too_many, "it was over");
    }

    #[test]
    fn nodes_that_full_listings_stop_naming_are_forgotten_unless_they_are_in_use() {
        let topology = topology();
        topology.list(&many(1000), |_| false);
        topology.learn(&many(1));
        assert_eq!(
            topology.snapshot().len(),
            1000,
            "a part says nothing about the rest"
        );
        topology.list(&many(998), |_| false);
        assert_eq!(topology.snapshot().len(), 1000, "a few may only restart");
        assert_eq!(topology.forgets(), 0);
        topology.list(&many(3), |id| id == 7);
        let mut left: Vec<i32> = topology.snapshot().keys().copied().collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 2, 7]);
        assert_eq!(topology.forgets(), 1);
    }

    #[test]
    fn a_move_is_told_once_and_a_second_address_of_the_same_broker_is_none() {
        let topology = topology();
        topology.learn(&[(1, at(1)), (2, at(2))]);
        assert!(topology.take_moved().is_empty());
        topology.learn(&[(1, at(11))]);
        assert!(topology.has_left(1, &at(1)));
        assert!(!topology.has_left(1, &at(11)));
        assert_eq!(topology.take_moved(), [1]);
        for port in [1, 11, 1, 11] {
            topology.learn(&[(1, at(port))]);
            assert!(topology.take_moved().is_empty());
        }
        assert!(!topology.has_left(1, &at(1)));
    }
}
