//! What is counted about the sessions of one virtual cluster.
//!
//! Handles are resolved once per cluster; a session adds what it has seen when it ends or at rare events, so
//! nothing shared is touched per frame.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cause::CloseCause;

/// Counters of one virtual cluster. They outlive its generations.
#[derive(Debug)]
pub struct ClusterCounters {
    /// Client connections accepted.
    pub accepted: AtomicU64,
    /// Broker connections established.
    pub connected: AtomicU64,
    /// Broker addresses rewritten in answers.
    pub rewritten_addresses: AtomicU64,
    /// Brokers left out of answers because they have no endpoint.
    pub withheld_nodes: AtomicU64,
    /// Requests forwarded, `acks=0` included.
    pub requests: AtomicU64,
    /// Bytes read from clients and from brokers.
    pub client_bytes: AtomicU64,
    pub broker_bytes: AtomicU64,
    closes: [AtomicU64; CloseCause::ALL.len()],
}

impl Default for ClusterCounters {
    fn default() -> Self {
        Self {
            accepted: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            rewritten_addresses: AtomicU64::new(0),
            withheld_nodes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            client_bytes: AtomicU64::new(0),
            broker_bytes: AtomicU64::new(0),
            closes: [const { AtomicU64::new(0) }; CloseCause::ALL.len()],
        }
    }
}

impl ClusterCounters {
    pub fn count_close(&self, cause: CloseCause) {
        self.closes[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Sessions that ended for `cause`.
    pub fn closes(&self, cause: CloseCause) -> u64 {
        self.closes[cause as usize].load(Ordering::Relaxed)
    }

    /// Every cause that has occurred, with its count.
    pub fn all_closes(&self) -> impl Iterator<Item = (CloseCause, u64)> + '_ {
        CloseCause::ALL
            .iter()
            .map(|&cause| (cause, self.closes(cause)))
            .filter(|&(_, count)| count > 0)
    }
}

/// Adds to one of the counters above.
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}
