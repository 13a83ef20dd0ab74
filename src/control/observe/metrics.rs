//! Metrics as data.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use super::Snapshot;
use crate::control::metrics::{ClusterMetrics, MetricsSnapshot};
use crate::control::reload::probation::DegradationReason;
use crate::control::runtime::brokers;
use crate::control::runtime::drains::RunningDrain;
use crate::control::shutdown_times::ShutdownPhase;
use crate::filter::FilterChain;
use crate::model::ProxyModel;
use crate::session::cause::{CloseCause, Side};
use crate::session::counters::CloseCounters;
use crate::session::ledger;
use crate::session::limits::Limit;

impl Snapshot {
    pub(super) fn take_metrics(&self) -> MetricsSnapshot {
        for cluster in self.clusters.iter() {
            cluster.context.forget_nodes();
            cluster.context.count_from_the_start();
        }
        let mut warnings = self.warnings_in_force().len() as u64;
        let running = self.clusters.iter().map(|cluster| {
            let health = brokers::broker_health(cluster);
            let degraded = brokers::is_degraded(&health);
            warnings += u64::from(degraded);
            ClusterMetrics {
                name: cluster.model.name.clone(),
                state: cluster.reported_state(degraded),
                counters: cluster.context.counters.clone(),
                drains: self.ended_drains.of(&cluster.model.name),
                filters: cluster.filters.clone(),
                upstream: brokers::by_node(&health),
                tried_last: cluster.context.target.tried_last().count(),
            }
        });
        let mut clusters: Vec<ClusterMetrics> = running.collect();
        let drains = self.drains.iter().map(AsRef::as_ref);
        let removed: BTreeMap<&str, &RunningDrain> = drains
            .filter(|drain| self.cluster(&drain.cluster).is_none())
            .map(|drain| (drain.cluster.as_str(), drain))
            .collect();
        clusters.extend(removed.into_values().map(|drain| ClusterMetrics {
            name: drain.cluster.clone(),
            state: drain.state_name(),
            counters: drain.counters().clone(),
            drains: self.ended_drains.of(&drain.cluster),
            filters: FilterChain::default(),
            upstream: Vec::new(),
            tried_last: 0,
        }));
        clusters.sort_by(|one, other| one.name.cmp(&other.name));
        let last = self.history.last();
        let process = &self.process;
        MetricsSnapshot {
            generation: self.generation,
            config_hash: self.hash(),
            in_sync: self.in_sync,
            last_reload_successful: last.is_none_or(|report| report.outcome.is_success()),
            last_success: self.history.last_success().unwrap_or(SystemTime::UNIX_EPOCH),
            reloads: self.history.counters().clone(),
            rollbacks: rollbacks(self.history.rollbacks()),
            clusters,
            drains_running: self.drains.len(),
            accept_errors: self.accept_errors.by_name(),
            limits: Limit::ALL
                .iter()
                .map(|&limit| {
                    (
                        limit.name(),
                        self.with_limits(|reached| reached.is_reached(limit)),
                    )
                })
                .collect(),
            warnings,
            buffers_in_use_bytes: ledger::bytes_in_use() as u64,
            filter_bytes_held: process.frame_memory.in_use(),
            certificates: certificates(&self.model),
            tls_errors: by_name(&process.tls_errors, CloseCause::is_tls),
            shutdown_phases: ShutdownPhase::ALL
                .map(|phase| (phase.name(), self.shutdown_times.spent(phase, Instant::now()))),
            unrouted: by_name(&process.unrouted, |cause| cause.side() == Side::Client),
        }
    }
}

/// Counts by name of the cause. Causes that can occur are listed from the start with 0: a scraper sees no increase in a
/// series that appears.
fn by_name(closes: &CloseCounters, can_occur: impl Fn(CloseCause) -> bool) -> Vec<(&'static str, u64)> {
    let counts = CloseCause::ALL.into_iter().map(|cause| (cause, closes.of(cause)));
    counts
        .filter(|&(cause, count)| count > 0 || can_occur(cause))
        .map(|(cause, count)| (cause.name(), count))
        .collect()
}

/// Counts by reason; reasons that can occur are listed from the start with 0.
fn rollbacks(counted: &BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    let known = DegradationReason::ALL.map(|reason| (reason.name(), 0));
    let mut all: BTreeMap<&'static str, u64> = known.into_iter().collect();
    all.extend(counted);
    all.into_iter().collect()
}

pub(super) fn certificates(model: &ProxyModel) -> Vec<(String, i64)> {
    let expiries = model.certificate_expiries().into_iter();
    expiries
        .map(|(file, at)| (file.display().to_string(), at))
        .collect()
}
