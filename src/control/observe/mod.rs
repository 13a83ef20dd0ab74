//! Answers to questions about what runs, given on the thread that asks.
//!
//! The control thread publishes a [`Snapshot`] after each change. A question reads the newest one, so it never waits for a
//! reload, however long that takes, and one reload is seen as a whole or not at all. What counts by itself (sessions,
//! counters, time) is read at the moment of the question.

mod connections;
mod limits;
mod metrics;
mod overview;
mod status;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::audit::AuditTrail;
use super::engine::Unconfirmed;
use super::log_level::LogChange;
use super::metrics::MetricsSnapshot;
use super::overview::{ClusterLine, Observation};
use super::reload::history::ReloadHistory;
use super::reload::journal::HistoryReader;
use super::reload::retry::RetrySchedule;
use super::reload::staged::StagedReload;
use super::runtime::connections::{ConnectionFilter, ConnectionInfo};
use super::runtime::drains::{DrainSnapshot, EndedDrains};
use super::runtime::limits::ReachedLimits;
use super::runtime::warnings;
use super::shutdown_times::ShutdownTimes;
use super::status::{ClusterStatus, DrainStatus, FenceStatus, GatewayStatus, ProbationStatus, ProxyStatus};
use super::timings::{ProxyStats, Timings};
use crate::cluster::ClusterSnapshot;
use crate::config::Digest;
use crate::endpoint::{AcceptErrors, ListenerAddresses};
use crate::model::{ProxyModel, Warnings};
use crate::session::context::ProcessContext;
use crate::session::limits::Limit;
use crate::session::permits::ConnectionLimit;

/// Answers questions about what runs. Blocks for nothing.
pub trait Observe: Debug + Send + Sync {
    /// State of the process, its configuration, virtual clusters and drains.
    fn status(&self) -> ProxyStatus;

    /// Everything `/metrics` shows, as data.
    fn metrics(&self) -> MetricsSnapshot;

    /// Every address that the process listens on, that of HTTP included.
    fn listeners(&self) -> Vec<SocketAddr>;

    /// Drains that have sessions left.
    fn drains(&self) -> Vec<DrainStatus> {
        self.status().drains
    }

    /// Percentiles of the last reloads and drains.
    fn stats(&self) -> ProxyStats {
        ProxyStats::default()
    }

    /// The gateway of a virtual cluster, by their names.
    fn gateway(&self, cluster: &str, gateway: &str) -> Option<GatewayStatus> {
        let mut clusters = self.status().clusters.into_iter();
        let gateways = clusters.find(|found| found.name == cluster)?.gateways;
        gateways.into_iter().find(|found| found.name == gateway)
    }

    /// The fence of a virtual cluster, by its name.
    fn fence(&self, cluster: &str) -> Option<FenceStatus> {
        let mut clusters = self.status().clusters.into_iter();
        clusters.find(|found| found.name == cluster)?.fence
    }

    /// State of the process, and one line for each virtual cluster.
    fn observation(&self) -> Observation {
        let mut status = self.status();
        let clusters = std::mem::take(&mut status.clusters);
        Observation {
            clusters: clusters.iter().map(ClusterLine::from).collect(),
            status,
            certificates: Vec::new(),
        }
    }

    /// Everything about the virtual clusters of these names; of one that is gone, nothing.
    fn clusters_named(&self, names: &[&str]) -> Vec<ClusterStatus> {
        let clusters = self.status().clusters;
        let named = |name: &&str| clusters.iter().find(|cluster| cluster.name == **name);
        names.iter().filter_map(named).cloned().collect()
    }

    /// What came of starts and reloads.
    fn history(&self) -> Option<HistoryReader> {
        None
    }

    /// Live sessions that pass `filter`, draining ones included, by id.
    fn connections(&self, filter: &ConnectionFilter) -> Vec<ConnectionInfo>;
}

/// What runs at one moment, between two changes.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) began: Instant,
    pub(super) path: Option<PathBuf>,
    pub(super) generation: u64,
    pub(super) model: Arc<ProxyModel>,
    pub(super) clusters: ClusterSnapshot,
    pub(super) drains: DrainSnapshot,
    pub(super) ended_drains: EndedDrains,
    /// Digest of the files that the running configuration was read from.
    pub(super) digest: Option<Digest>,
    pub(super) in_sync: bool,
    /// The log level in place of that of the configuration.
    pub(super) log_change: Option<LogChange>,
    /// The generation whose configuration was brought back and runs.
    pub(super) restored: Option<u64>,
    /// What waits for approval.
    pub(super) staged: Option<Arc<StagedReload>>,
    pub(super) journal: HistoryReader,
    /// What waits for confirmation.
    pub(super) unconfirmed: Option<Unconfirmed>,
    /// What is odd about the configuration that the process started with.
    pub(super) notice: Option<Arc<str>>,
    pub(super) history: Arc<ReloadHistory>,
    pub(super) retry: Option<RetrySchedule>,
    pub(super) warnings: Arc<Warnings>,
    /// The probation that runs, or the last one.
    pub(super) probation: Option<Arc<ProbationStatus>>,
    pub(super) audit: AuditTrail,
    pub(super) timings: Timings,
    pub(super) limits: Arc<Mutex<ReachedLimits>>,
    pub(super) listeners: Arc<ListenerAddresses>,
    pub(super) accept_errors: Arc<AcceptErrors>,
    pub(super) process: Arc<ProcessContext>,
    /// What bounds the client connections of the process: `maxConnections` or descriptors.
    pub(super) connection_limit: (Limit, Arc<ConnectionLimit>),
    pub(super) shutdown_times: ShutdownTimes,
}

impl Observe for Snapshot {
    fn status(&self) -> ProxyStatus {
        self.refresh_limits();
        self.proxy_status()
    }

    fn metrics(&self) -> MetricsSnapshot {
        self.refresh_limits();
        self.take_metrics()
    }

    fn listeners(&self) -> Vec<SocketAddr> {
        let mut addresses = self.listeners.all();
        addresses.extend(self.management());
        addresses
    }

    fn drains(&self) -> Vec<DrainStatus> {
        self.drains_with_sessions()
    }

    fn stats(&self) -> ProxyStats {
        self.timings.stats(self.model.reload.target)
    }

    fn gateway(&self, cluster: &str, gateway: &str) -> Option<GatewayStatus> {
        let cluster = &self.clusters[self.cluster(cluster)?];
        let mut gateways = cluster.gateways.iter();
        self.gateway_status(cluster, gateways.find(|found| *found.context.name == *gateway)?)
    }

    fn fence(&self, cluster: &str) -> Option<FenceStatus> {
        self.fence_status(&self.clusters[self.cluster(cluster)?])
    }

    fn observation(&self) -> Observation {
        self.refresh_limits();
        Self::observation(self)
    }

    fn clusters_named(&self, names: &[&str]) -> Vec<ClusterStatus> {
        Self::clusters_named(self, names)
    }

    fn history(&self) -> Option<HistoryReader> {
        Some(self.journal.clone())
    }

    fn connections(&self, filter: &ConnectionFilter) -> Vec<ConnectionInfo> {
        self.sessions_passing(filter)
    }
}

impl Snapshot {
    /// Warnings in force about the configuration, the audit and reloads, in sentences.
    fn warnings_in_force(&self) -> Vec<String> {
        let mut all = warnings::in_force(&self.warnings);
        all.extend(self.notice.as_deref().map(str::to_owned));
        all.extend(self.audit.trouble());
        all.extend(self.timings.warning(self.model.reload.target));
        all.extend(self.quarantined_filters());
        all
    }

    /// A warning for each filter that is quarantined.
    fn quarantined_filters(&self) -> impl Iterator<Item = String> {
        let filters = self.clusters.iter().flat_map(|cluster| {
            let health = cluster.filters.health();
            health.map(|(filter, health)| (&cluster.model.name, filter, health))
        });
        filters
            .filter(|(_, _, health)| health.is_quarantined())
            .map(|(cluster, filter, _)| {
                format!(
                    "filter `{filter}` of virtual cluster `{cluster}` has panicked three times within a minute and is not \
                     asked any more: a reload that changes it, or another filter of the virtual cluster, builds it anew"
                )
            })
    }

    /// Where HTTP is configured to be.
    fn management(&self) -> Option<SocketAddr> {
        Some(self.model.management.as_ref()?.address)
    }

    /// Digest of the running configuration in hex; empty where it comes from no file.
    fn hash(&self) -> String {
        self.digest.map(|digest| digest.to_string()).unwrap_or_default()
    }

    /// Place of a cluster in [`Snapshot::clusters`]; `None` if it does not run.
    fn cluster(&self, name: &str) -> Option<usize> {
        let found = self
            .clusters
            .binary_search_by(|cluster| cluster.model.name.as_str().cmp(name));
        found.ok()
    }

    /// Number of live sessions.
    pub(super) fn sessions(&self) -> usize {
        let clusters = self.clusters.iter();
        let trackers = clusters.flat_map(|cluster| cluster.trackers());
        let running: usize = trackers.map(|tracker| tracker.len()).sum();
        let draining: usize = self.drains.iter().map(|drain| drain.remaining()).sum();
        running + draining
    }

    fn with_limits<T>(&self, read: impl FnOnce(&mut ReachedLimits) -> T) -> T {
        read(&mut self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
