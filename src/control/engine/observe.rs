//! What is looked at from outside, beside the status: sessions and numbers.

use std::time::SystemTime;

use super::super::metrics::{ClusterMetrics, MetricsSnapshot};
use super::super::runtime::brokers;
use super::super::runtime::connections::{ConnectionFilter, ConnectionInfo, Known};
use super::Engine;
use crate::drain::{ConnectionTracker, SessionHandle};
use crate::model::ProxyModel;
use crate::session::cause::{CloseCause, Side};
use crate::session::counters::CloseCounters;
use crate::session::ledger;
use crate::session::limits::Limit;

impl Engine {
    /// The live sessions that pass `filter`, those that drain included, by id.
    pub(in super::super) fn connections(&self, filter: &ConnectionFilter) -> Vec<ConnectionInfo> {
        let mut found = Vec::new();
        let wanted = |name: &str| filter.cluster.as_deref().is_none_or(|cluster| cluster == name);
        for cluster in self
            .reloader
            .clusters
            .iter()
            .filter(|cluster| wanted(&cluster.model.name))
        {
            for tracker in cluster.trackers() {
                list(
                    tracker,
                    (&cluster.model.name, cluster.generation),
                    filter,
                    &mut found,
                );
            }
        }
        for drain in self.drains.running().filter(|drain| wanted(&drain.cluster)) {
            for tracker in drain.trackers() {
                list(tracker, (&drain.cluster, drain.generation), filter, &mut found);
            }
        }
        found.sort_unstable_by_key(|session| session.id);
        found
    }

    /// Sessions alive.
    pub(in super::super) fn sessions(&self) -> usize {
        let running: usize = self
            .reloader
            .clusters
            .iter()
            .flat_map(|cluster| cluster.trackers())
            .map(|tracker| tracker.len())
            .sum();
        running
            + self
                .drains
                .running()
                .map(|drain| drain.remaining())
                .sum::<usize>()
    }

    pub(in super::super) fn metrics(&self) -> MetricsSnapshot {
        for cluster in self.reloader.clusters.iter() {
            cluster.context.forget_nodes();
            cluster.context.count_from_the_start();
        }
        let mut warnings = self.warnings.all().len() as u64;
        let running = self.reloader.clusters.iter().map(|cluster| {
            let claims = brokers::claims(cluster);
            let degraded = brokers::is_degraded(&claims);
            warnings += u64::from(degraded);
            ClusterMetrics {
                name: cluster.model.name.clone(),
                state: cluster.lifecycle.state().name_beside(degraded),
                counters: cluster.context.counters.clone(),
                drains: self.drains.counters(&cluster.model.name),
                upstream: brokers::by_node(&claims),
            }
        });
        let mut clusters: Vec<ClusterMetrics> = running.collect();
        for drain in self.drains.running() {
            let place = clusters.binary_search_by(|cluster| cluster.name.as_str().cmp(&drain.cluster));
            if let Err(place) = place {
                let gone = ClusterMetrics {
                    name: drain.cluster.clone(),
                    state: drain.state_name(),
                    counters: drain.counters().clone(),
                    drains: self.drains.counters(&drain.cluster),
                    upstream: Vec::new(),
                };
                clusters.insert(place, gone);
            }
        }
        let last = self.history.last();
        let process = &self.reloader.surroundings.process;
        MetricsSnapshot {
            generation: self.reloader.generation(),
            config_hash: self.history.hash(),
            in_sync: self.history.in_sync(),
            last_reload_successful: last.is_none_or(|report| report.outcome.is_success()),
            last_success: self.history.last_success().unwrap_or(SystemTime::UNIX_EPOCH),
            reloads: self.history.counters().clone(),
            clusters,
            drains_running: self.drains.len(),
            accept_errors: self.reloader.registry.accept_errors().by_name(),
            limits: Limit::ALL
                .iter()
                .map(|&limit| (limit.name(), self.limits.is_reached(limit)))
                .collect(),
            warnings,
            buffers_in_use_bytes: ledger::bytes_in_use() as u64,
            certificates: certificates(self.reloader.current()),
            tls_errors: by_name(&process.tls_errors, CloseCause::is_tls),
            unrouted: by_name(&process.unrouted, |cause| cause.side() == Side::Client),
        }
    }
}

/// Those that can occur are there from the start, with 0: an increase from nothing is no increase to a scraper.
fn by_name(closes: &CloseCounters, can_occur: impl Fn(CloseCause) -> bool) -> Vec<(&'static str, u64)> {
    let counts = CloseCause::ALL.iter().map(|&cause| (cause, closes.of(cause)));
    counts
        .filter(|&(cause, count)| count > 0 || can_occur(cause))
        .map(|(cause, count)| (cause.name(), count))
        .collect()
}

fn certificates(model: &ProxyModel) -> Vec<(String, i64)> {
    let expiries = model.certificate_expiries().into_iter();
    expiries
        .map(|(file, at)| (file.display().to_string(), at))
        .collect()
}

fn list(
    tracker: &ConnectionTracker,
    (cluster, generation): (&str, u64),
    filter: &ConnectionFilter,
    found: &mut Vec<ConnectionInfo>,
) {
    for session in tracker.sessions() {
        let client_id = session.activity.client_id();
        let passes = filter
            .client_id
            .as_deref()
            .is_none_or(|wanted| client_id == Some(wanted))
            && filter.has_generation(session.generation, generation);
        if passes {
            found.push(info(&session, tracker, cluster));
        }
    }
}

fn info(session: &SessionHandle, tracker: &ConnectionTracker, cluster: &str) -> ConnectionInfo {
    let progress = session.activity.progress();
    ConnectionInfo {
        id: session.id,
        cluster: cluster.to_owned(),
        gateway: tracker.gateway().to_owned(),
        node: session
            .node
            .map_or_else(|| "bootstrap".to_owned(), |id| id.to_string()),
        client: session.client().into(),
        client_id: session.activity.client_id().map(str::to_owned),
        software: session.activity.software().map(str::to_owned),
        generation: session.generation,
        in_flight: progress.in_flight,
        age_seconds: session.since.elapsed().as_secs_f64(),
        client_bytes: progress.client_bytes,
        broker_bytes: progress.broker_bytes,
        requests: progress.requests,
        known: Known::of(&session.facts),
        state: session.state().name().into(),
    }
}
