//! What is measured, as data: taken by the control thread at each scrape, so that a cluster that is gone leaves no
//! series behind.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use crate::reload::{Outcome, Trigger};
use crate::session::context::NodeRole;
use crate::session::counters::{ClusterCounters, HistogramCounts, SpanBounds};

/// Log lines that found no room since the process began, because nobody read those before them.
pub static LOG_LINES_DROPPED: AtomicU64 = AtomicU64::new(0);

/// Everything `/metrics` shows that is not the process's own.
#[derive(Debug, Clone)]
pub struct MetricsSnapshot {
    pub generation: u64,
    /// Of the running configuration, in hex.
    pub config_hash: String,
    /// The files mean what runs.
    pub in_sync: bool,
    pub last_reload_successful: bool,
    pub last_success: SystemTime,
    pub reloads: ReloadCounters,
    pub clusters: Vec<ClusterMetrics>,
    /// Drains that have sessions left.
    pub drains_running: usize,
    /// Errors of accept(2) by the name of their errno.
    pub accept_errors: Vec<(&'static str, u64)>,
    /// How much is odd now.
    pub warnings: u64,
    /// Every limit, and whether it is reached.
    pub limits: Vec<(&'static str, bool)>,
    pub buffers_in_use_bytes: u64,
    /// When the first certificate of each file in use expires, in seconds since 1970.
    pub certificates: Vec<(String, i64)>,
    /// Ends for reasons of TLS by cause, of all clusters there ever were.
    pub tls_errors: Vec<(&'static str, u64)>,
    /// Ends of connections before it was known which cluster they were for, by cause.
    pub unrouted: Vec<(&'static str, u64)>,
}

#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    pub name: String,
    pub state: &'static str,
    pub counters: Arc<ClusterCounters>,
    pub drains: DrainCounters,
    /// By node, bootstrap servers together.
    pub upstream: Vec<UpstreamMetrics>,
}

/// How the broker of one node answers.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    pub node: NodeRole,
    /// `None`: nobody has tried for long.
    pub up: Option<bool>,
    pub last_success: Option<SystemTime>,
}

/// Reloads since the process began.
#[derive(Debug, Clone, Default)]
pub struct ReloadCounters {
    counts: [[u64; Trigger::ALL.len()]; Outcome::ALL.len()],
    pub durations: HistogramCounts<SpanBounds>,
}

/// Drains of one cluster that have ended.
#[derive(Debug, Clone, Default)]
pub struct DrainCounters {
    pub durations: HistogramCounts<SpanBounds>,
    /// Sessions closed at the hard deadline with requests unanswered.
    pub forced: u64,
}

impl ReloadCounters {
    pub fn count(&mut self, outcome: Outcome, trigger: Trigger, duration: Duration) {
        self.counts[outcome as usize][trigger as usize] += 1;
        self.durations.observe(duration);
    }

    /// Every pair, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, Trigger, u64)> + '_ {
        let pairs = Outcome::ALL
            .into_iter()
            .flat_map(|outcome| Trigger::ALL.map(|trigger| (outcome, trigger)));
        pairs.map(|(outcome, trigger)| (outcome, trigger, self.counts[outcome as usize][trigger as usize]))
    }
}
