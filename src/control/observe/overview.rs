//! The overview, as data: one line for each virtual cluster, and everything about a few of them.

use std::collections::{BTreeMap, HashMap};

use super::Snapshot;
use crate::cluster::ManagedCluster;
use crate::control::overview::{ClusterLine, Observation, TrafficTotals};
use crate::control::runtime::brokers;
use crate::control::runtime::drains::RunningDrain;
use crate::control::status::ClusterStatus;
use crate::drain::ConnectionTracker;
use crate::session::counters::ClusterCounters;

impl Snapshot {
    pub(super) fn observation(&self) -> Observation {
        let mut warnings = self.warnings_in_force();
        let mut clusters: Vec<ClusterLine> = self
            .clusters
            .iter()
            .map(|cluster| line(cluster, &mut warnings))
            .collect();
        let mut removed: BTreeMap<&str, ClusterLine> = BTreeMap::new();
        for drain in self.drains.iter() {
            let line = match self.cluster(&drain.cluster) {
                Some(place) => &mut clusters[place],
                None => removed.entry(&drain.cluster).or_insert_with(|| ClusterLine {
                    name: drain.cluster.clone(),
                    state: drain.state_name().into(),
                    moved: moved(drain.counters()),
                    ..ClusterLine::default()
                }),
            };
            line.connections += drain.remaining();
            line.in_flight += super::status::in_flight(drain);
        }
        if !removed.is_empty() {
            clusters.extend(removed.into_values());
            clusters.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Observation {
            status: self.status_of(Vec::new(), warnings),
            clusters,
            certificates: super::metrics::certificates(&self.model),
        }
    }

    /// Everything about the virtual clusters of these names; of one that is gone, nothing.
    pub(super) fn clusters_named(&self, names: &[&str]) -> Vec<ClusterStatus> {
        let mut drains: HashMap<&str, Vec<&RunningDrain>> =
            names.iter().map(|name| (*name, Vec::new())).collect();
        for drain in self.drains.iter() {
            if let Some(drains) = drains.get_mut(drain.cluster.as_str()) {
                drains.push(drain);
            }
        }
        let found = |name: &&str| {
            let drains = drains.get(name)?;
            let mut status = match self.cluster(name) {
                Some(place) => self.cluster_status(&self.clusters[place], &mut Vec::new()),
                None => ClusterStatus::removed(drains.first()?),
            };
            drains.iter().for_each(|drain| status.join(drain));
            Some(status)
        };
        names.iter().filter_map(found).collect()
    }
}

fn line(cluster: &ManagedCluster, warnings: &mut Vec<String>) -> ClusterLine {
    // Ten thousand clusters are looked at every few seconds, and few of them have a broker that fails.
    let mut degraded = false;
    if cluster.context.target.is_any_failing() {
        let health = brokers::broker_health(cluster);
        degraded = brokers::is_degraded(&health);
        warnings.extend(brokers::degraded_warning(&cluster.model.name, &health));
    }
    let trackers = || cluster.trackers().map(AsRef::as_ref);
    ClusterLine {
        name: cluster.model.name.clone(),
        state: cluster.reported_state(degraded).into(),
        connections: trackers().map(ConnectionTracker::len).sum(),
        in_flight: trackers().map(ConnectionTracker::in_flight).sum(),
        moved: moved(&cluster.context.counters),
    }
}

fn moved(counters: &ClusterCounters) -> TrafficTotals {
    let moved = counters.moved();
    TrafficTotals {
        requests: moved.requests,
        client_bytes: moved.client_bytes,
        broker_bytes: moved.broker_bytes,
    }
}
