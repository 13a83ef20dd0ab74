//! Counters of the sessions of one virtual cluster.
//!
//! Counters are looked up when a session begins. A live session counts in its own `Activity`, which readers add up, so
//! nothing shared is touched per frame. Requests are counted once per run of equal ones, in counters of the worker.

mod node;
mod worker;

pub use crate::histogram::{Bounds, Histogram, HistogramCounts, LatencyBounds, SpanBounds};
pub use node::{Membership, NodeCounters, NodeTraffic};
pub use worker::{Run, WorkerCounters};

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::ThreadId;

use super::cause::CloseCause;
use super::close_log::CloseLog;
use super::role::NodeRole;
use crate::drain::SessionProgress;
use crate::filter::FencedTally;

/// Counters of one virtual cluster. They outlive its generations.
#[derive(Debug, Default)]
pub struct ClusterCounters {
    /// Client connections accepted.
    pub accepted: AtomicU64,
    /// Broker connections established.
    pub connected: AtomicU64,
    /// Broker addresses rewritten in answers.
    pub rewritten_addresses: AtomicU64,
    /// Brokers left out of answers because they have no endpoint.
    pub withheld_nodes: AtomicU64,
    /// Sessions whose client left after it had waited long for an answer.
    pub given_up: AtomicU64,
    /// Clients that a broker did not authenticate, by an answer of SASL.
    pub refused_credentials: AtomicU64,
    /// Logins of kproxy at brokers that it has repeated in time.
    pub renewed_logins: AtomicU64,
    /// Sessions that went on over another broker connection.
    pub moved: AtomicU64,
    /// Attempts to repeat one that have failed.
    pub failed_renewals: AtomicU64,
    /// Answers to ApiVersions with an error, apart from the one by which versions are agreed upon.
    pub error_answers: AtomicU64,
    /// Requests that fences have stopped.
    pub fenced: Arc<FencedTally>,
    /// Requests forwarded by sessions that have ended, `acks=0` included.
    pub requests: AtomicU64,
    /// Bytes read from clients and from brokers by sessions that have ended.
    pub client_bytes: AtomicU64,
    /// Bytes read from brokers by sessions that have ended.
    pub broker_bytes: AtomicU64,
    /// Time to find and connect to a broker.
    pub connect_upstream: Histogram,
    /// Rate limit for log lines about closed sessions.
    pub told: Arc<CloseLog>,
    closes: CloseCounters,
    nodes: RwLock<HashMap<NodeRole, Arc<NodeCounters>>>,
    /// Sessions whose client asks for an unknown node: ids that strangers invent have no counters of their own.
    unknown: Arc<NodeCounters>,
    tallies: Mutex<Vec<(ThreadId, Arc<WorkerCounters>)>>,
}

impl ClusterCounters {
    /// Counts the end of a session.
    pub fn count_close(&self, cause: CloseCause) {
        self.closes.count(cause);
    }

    /// Sessions that ended for `cause`.
    pub fn closes(&self, cause: CloseCause) -> u64 {
        self.closes.of(cause)
    }

    /// Every cause that has occurred, with its count.
    pub fn all_closes(&self) -> impl Iterator<Item = (CloseCause, u64)> + '_ {
        self.closes.iter()
    }

    /// The counters for unknown nodes.
    pub fn unknown(&self) -> &Arc<NodeCounters> {
        &self.unknown
    }

    /// The counters of one endpoint role, if there are any.
    pub fn existing(&self, node: NodeRole) -> Option<Arc<NodeCounters>> {
        let known = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&node).cloned()
    }

    /// Whether live sessions came for this node.
    pub fn is_in_use(&self, node: i32) -> bool {
        self.existing(NodeRole::Node(node))
            .is_some_and(|counters| counters.is_in_use())
    }

    /// Removes nodes that are not `known`, unless live sessions came for them.
    pub fn retain(&self, known: impl Fn(i32) -> bool) {
        let keeps = |role: &NodeRole, counters: &Arc<NodeCounters>| {
            role.id().is_none_or(&known) || counters.is_in_use() || Arc::strong_count(counters) > 1
        };
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let all_stay = nodes.iter().all(|(role, counters)| keeps(role, counters));
        drop(nodes);
        if !all_stay {
            let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
            nodes.retain(|role, counters| keeps(role, counters));
        }
    }

    /// The counters of one endpoint role, created on first use. For known nodes only.
    pub fn node(&self, node: NodeRole) -> Arc<NodeCounters> {
        let known = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = known.get(&node) {
            return Arc::clone(counters);
        }
        drop(known);
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(nodes.entry(node).or_default())
    }

    /// Every role that has had a session, in order.
    pub fn nodes(&self) -> Vec<(NodeRole, Arc<NodeCounters>)> {
        let known = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let mut nodes: Vec<_> = known
            .iter()
            .map(|(&role, node)| (role, Arc::clone(node)))
            .collect();
        nodes.sort_unstable_by_key(|&(role, _)| role);
        nodes
    }

    /// Sum of what the sessions of all roles have moved, ended ones included.
    pub fn moved(&self) -> SessionProgress {
        let known = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let nodes = known.values().chain([&self.unknown]);
        let moved = nodes.map(|node| node.traffic().moved);
        moved.fold(SessionProgress::default(), SessionProgress::plus)
    }

    /// The counters of the calling thread, so that workers do not share cache lines.
    pub fn tally(&self) -> Arc<WorkerCounters> {
        let thread = std::thread::current().id();
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tally)) = tallies.iter().find(|(owner, _)| *owner == thread) {
            return Arc::clone(tally);
        }
        let tally = Arc::<WorkerCounters>::default();
        tallies.push((thread, Arc::clone(&tally)));
        tally
    }

    /// The counters of all threads.
    pub fn tallies(&self) -> Vec<Arc<WorkerCounters>> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().map(|(_, tally)| Arc::clone(tally)).collect()
    }
}

/// Number of closed sessions or connections, by cause.
#[derive(Debug)]
pub struct CloseCounters([AtomicU64; CloseCause::ALL.len()]);

impl Default for CloseCounters {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; CloseCause::ALL.len()])
    }
}

impl CloseCounters {
    /// Counts one end.
    pub fn count(&self, cause: CloseCause) {
        add(&self.0[cause as usize], 1);
    }

    /// Number of ends for `cause`.
    pub fn of(&self, cause: CloseCause) -> u64 {
        self.0[cause as usize].load(Ordering::Relaxed)
    }

    /// Every cause that has occurred, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (CloseCause, u64)> + '_ {
        CloseCause::ALL
            .iter()
            .map(|&cause| (cause, self.of(cause)))
            .filter(|&(_, count)| count > 0)
    }

    /// Number of ends for all causes.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }
}

/// Adds to a counter, without ordering.
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}
