//! Status of the process, as data.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Snapshot;
use crate::cluster::{ManagedCluster, ManagedGateway};
use crate::control::engine::Unconfirmed;
use crate::control::log_level::LogChange;
use crate::control::reload::retry::RetrySchedule;
use crate::control::runtime::brokers;
use crate::control::runtime::drains::RunningDrain;
use crate::control::runtime::fences;
use crate::control::status::{
    ClusterStatus, ConfigStatus, DrainStatus, DrainedStatus, FenceStatus, FilterStatus, GatewayStatus,
    NodeStatus, PausedStatus, ProxyStatus, RuleStatus, UpstreamStatus,
};
use crate::drain::ConnectionTracker;
use crate::filter::{FilterChain, RuleDecisions};
use crate::model::{FailurePolicy, FilterModel, HostPort, IdentifiedBy};
use crate::session::context::NodeRole;
use crate::time::rfc3339;

impl Snapshot {
    pub(super) fn proxy_status(&self) -> ProxyStatus {
        let mut warnings = self.warnings_in_force();
        let mut clusters: Vec<ClusterStatus> = self
            .clusters
            .iter()
            .map(|cluster| self.cluster_status(cluster, &mut warnings))
            .collect();
        let mut removed: BTreeMap<&str, ClusterStatus> = BTreeMap::new();
        for drain in self.drains.iter() {
            let cluster = match self.cluster(&drain.cluster) {
                Some(place) => &mut clusters[place],
                None => removed
                    .entry(&drain.cluster)
                    .or_insert_with(|| ClusterStatus::removed(drain)),
            };
            cluster.join(drain);
        }
        if !removed.is_empty() {
            clusters.extend(removed.into_values());
            clusters.sort_by(|one, other| one.name.cmp(&other.name));
        }
        self.status_of(clusters, warnings)
    }

    /// The status of the process with these virtual clusters and warnings.
    pub(super) fn status_of(&self, clusters: Vec<ClusterStatus>, warnings: Vec<String>) -> ProxyStatus {
        ProxyStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_seconds: self.began.elapsed().as_secs_f64(),
            generation: self.generation,
            management: self.management(),
            log: self.log_change.as_ref().map(LogChange::status),
            config: ConfigStatus {
                path: self.path.as_ref().map(|path| path.display().to_string()),
                hash: self.hash(),
                in_sync: self.in_sync,
                restored_generation: self.restored,
                confirm: self.unconfirmed.as_ref().map(Unconfirmed::status),
                staged: self.staged.as_ref().map(|staged| staged.status()),
                last_reload: self.history.last().cloned(),
                retry: self.retry.map(RetrySchedule::status),
                last_renewal: self.history.last_renewal().cloned(),
            },
            clusters,
            drains: self.drains_with_sessions(),
            limits: self.with_limits(|reached| reached.status()),
            warnings,
            probation: self.probation.as_deref().cloned(),
        }
    }

    pub(super) fn drains_with_sessions(&self) -> Vec<DrainStatus> {
        let drains = self.drains.iter().map(|drain| DrainStatus::of(drain));
        drains.filter(|drain| drain.remaining > 0).collect()
    }

    pub(super) fn cluster_status(
        &self,
        cluster: &ManagedCluster,
        warnings: &mut Vec<String>,
    ) -> ClusterStatus {
        let trackers = || cluster.trackers().map(AsRef::as_ref);
        let health = brokers::broker_health(cluster);
        warnings.extend(brokers::degraded_warning(&cluster.model.name, &health));
        ClusterStatus {
            name: cluster.model.name.clone(),
            state: cluster.reported_state(brokers::is_degraded(&health)).into(),
            drained: cluster.context.intake.stopped().map(|stop| DrainedStatus {
                since: rfc3339(stop.since),
                by: stop.by,
            }),
            paused: cluster.context.pause.current().as_ref().map(PausedStatus::of),
            fence: self.fence_status(cluster),
            cause: cluster.lifecycle.state().cause().map(str::to_owned),
            generation: cluster.generation,
            connections: trackers().map(ConnectionTracker::len).sum(),
            in_flight: trackers().map(ConnectionTracker::in_flight).sum(),
            filters: cluster
                .model
                .filters
                .iter()
                .map(|filter| FilterStatus::of(filter, &cluster.filters))
                .collect(),
            gateways: cluster
                .gateways
                .iter()
                .filter_map(|gateway| self.gateway_status(cluster, gateway))
                .collect(),
            upstream: health.iter().map(UpstreamStatus::of).collect(),
        }
    }

    /// The fence of a virtual cluster.
    pub(super) fn fence_status(&self, cluster: &ManagedCluster) -> Option<FenceStatus> {
        let name = cluster.model.name.as_str();
        let leaving = self.drains.iter().filter(|drain| drain.cluster == name);
        fences::status(cluster, leaving.flat_map(|drain| drain.trackers()))
    }

    pub(super) fn gateway_status(
        &self,
        cluster: &ManagedCluster,
        gateway: &ManagedGateway,
    ) -> Option<GatewayStatus> {
        let bound_to = |node: &NodeRole| {
            let key = &gateway.endpoints.get(node)?.wanted.key;
            self.listeners.get(key)
        };
        let bound = bound_to(&NodeRole::Bootstrap)?;
        let table = gateway.context.directory.table();
        let topology = cluster.context.target.topology.snapshot();
        let node = |role: &NodeRole| {
            let NodeRole::Node(id) = *role else { return None };
            let advertised = table.get(id)?;
            Some(NodeStatus {
                id,
                bound: bound_to(role)?.into(),
                advertised: advertised.to_string(),
                upstream: topology.get(&id).map(ToString::to_string),
            })
        };
        let by_name = || {
            // Whatever the target has can be reached by its name, at the one address.
            let mut ids: Vec<i32> = topology.keys().copied().collect();
            ids.sort_unstable();
            let node = |id| NodeStatus {
                id,
                bound: bound.into(),
                advertised: table.advertised_address(id),
                upstream: topology.get(&id).map(ToString::to_string),
            };
            ids.into_iter().map(node).collect()
        };
        let nodes = match gateway.model.identified_by {
            IdentifiedBy::Port => gateway.endpoints.keys().filter_map(node).collect(),
            IdentifiedBy::SniHost { .. } => by_name(),
        };
        let port = gateway.model.advertised_bootstrap_port;
        Some(GatewayStatus {
            name: gateway.context.name.to_string(),
            bootstrap: HostPort {
                host: gateway.model.bootstrap_host.clone(),
                port: port.unwrap_or_else(|| bound.port()),
            }
            .to_string(),
            bound: bound.into(),
            nodes,
        })
    }
}

impl ClusterStatus {
    /// Sessions of an earlier generation are sessions of the cluster.
    pub(super) fn join(&mut self, drain: &RunningDrain) {
        self.connections += drain.remaining();
        self.in_flight += in_flight(drain);
    }

    /// A removed cluster, before the sessions that are left of it are counted.
    pub(super) fn removed(drain: &RunningDrain) -> Self {
        Self {
            name: drain.cluster.clone(),
            state: drain.state_name().into(),
            drained: None,
            paused: None,
            fence: None,
            cause: None,
            generation: drain.generation,
            connections: 0,
            in_flight: 0,
            filters: Vec::new(),
            gateways: Vec::new(),
            upstream: Vec::new(),
        }
    }
}

impl FilterStatus {
    fn of(filter: &FilterModel, running: &FilterChain) -> Self {
        let mut decisions = running.decisions().filter(|(name, _)| *name == filter.name);
        let rules = decisions
            .next()
            .into_iter()
            .flat_map(|(_, decisions)| decisions.by_rule());
        let mut health = running.health().filter(|(name, _)| *name == filter.name);
        let (panics, quarantined) = health.next().map_or((0, false), |(_, health)| {
            (health.panics(), health.is_quarantined())
        });
        let is_written = filter.on_error != FailurePolicy::default();
        Self {
            rules: rules.map(RuleStatus::of).collect(),
            on_error: is_written.then(|| filter.on_error.name().into()),
            panics,
            quarantined,
            name: filter.name.clone(),
            filter_type: filter.kind.type_name().to_owned(),
            mode: filter.mode.name().into(),
            when: filter.when.as_ref().map(|when| when.source().to_owned()),
        }
    }
}

impl RuleStatus {
    fn of(decided: RuleDecisions) -> Self {
        let texts =
            |names: std::collections::BTreeSet<Box<str>>| names.into_iter().map(String::from).collect();
        let (line, rule) = decided.rule.map_or_else(
            || (None, "otherwise deny;".into()),
            |(line, text)| (Some(line), text),
        );
        Self {
            rule: (*rule).to_owned(),
            line,
            decision: if decided.allows { "allow" } else { "deny" }.into(),
            count: decided.count,
            client_ids: texts(decided.denied.client_ids),
            users: texts(decided.denied.users),
        }
    }
}

pub(super) fn in_flight(drain: &RunningDrain) -> u64 {
    drain.trackers().iter().map(|tracker| tracker.in_flight()).sum()
}

impl DrainStatus {
    fn of(drain: &RunningDrain) -> Self {
        let now = Instant::now();
        let left = |deadline: Instant| deadline.saturating_duration_since(now).as_secs_f64();
        Self {
            cluster: drain.cluster.clone(),
            generation: drain.ended_by,
            sessions_generation: drain.generation,
            sessions: drain.sessions,
            remaining: drain.remaining(),
            strategy: drain.strategy_name().into(),
            soft_deadline_seconds: left(drain.deadlines.soft),
            hard_deadline_seconds: left(drain.deadlines.hard),
        }
    }
}
