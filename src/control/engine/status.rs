//! What runs, as the engine tells it.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::reload::retry::Again;
use super::super::runtime::brokers;
use super::super::runtime::drains::RunningDrain;
use super::super::status::{
    ClusterStatus, ConfigStatus, DrainStatus, GatewayStatus, NodeStatus, ProxyStatus, UpstreamStatus,
};
use super::Engine;
use crate::cluster::{ManagedCluster, ManagedGateway};
use crate::drain::ConnectionTracker;
use crate::endpoint::Reserved;
use crate::model::{HostPort, IdentifiedBy};
use crate::session::context::NodeRole;

impl Engine {
    pub fn status(&self) -> ProxyStatus {
        let mut warnings = self.warnings.all();
        let mut clusters: Vec<ClusterStatus> = self
            .reloader
            .clusters
            .iter()
            .map(|cluster| self.cluster_status(cluster, &mut warnings))
            .collect();
        for drain in self.drains.running() {
            match clusters.binary_search_by(|cluster| cluster.name.as_str().cmp(&drain.cluster)) {
                Ok(found) => clusters[found].join(drain),
                Err(place) => clusters.insert(place, ClusterStatus::gone(drain)),
            }
        }
        ProxyStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_seconds: self.began.elapsed().as_secs_f64(),
            generation: self.reloader.generation(),
            management: self.management(),
            config: ConfigStatus {
                path: self.path.as_ref().map(|path| path.display().to_string()),
                hash: self.history.hash(),
                in_sync: self.history.in_sync(),
                last_reload: self.history.last().cloned(),
                retry: self.again.as_ref().map(Again::status),
                last_renewal: self.history.last_renewal().cloned(),
            },
            clusters,
            drains: self
                .drains
                .running()
                .map(DrainStatus::of)
                .filter(|drain| drain.remaining > 0)
                .collect(),
            limits: self.limits.status(),
            warnings,
        }
    }

    pub(in super::super) fn listeners(&self) -> Vec<SocketAddr> {
        let bound = self.reloader.registry.addresses();
        bound.chain(self.management()).collect()
    }

    fn management(&self) -> Option<SocketAddr> {
        Some(self.reloader.current().management.as_ref()?.address)
    }

    fn cluster_status(&self, cluster: &ManagedCluster, warnings: &mut Vec<String>) -> ClusterStatus {
        let trackers = || cluster.trackers().map(AsRef::as_ref);
        let claims = brokers::claims(cluster);
        warnings.extend(brokers::complaint(&cluster.model.name, &claims));
        ClusterStatus {
            name: cluster.model.name.clone(),
            state: cluster
                .lifecycle
                .state()
                .name_beside(brokers::is_degraded(&claims))
                .into(),
            cause: cluster.lifecycle.state().cause().map(str::to_owned),
            generation: cluster.generation,
            connections: trackers().map(ConnectionTracker::len).sum(),
            in_flight: trackers().map(ConnectionTracker::in_flight).sum(),
            gateways: cluster
                .gateways
                .iter()
                .filter_map(|gateway| self.gateway_status(cluster, gateway))
                .collect(),
            upstream: claims.iter().map(UpstreamStatus::of).collect(),
        }
    }

    fn gateway_status(&self, cluster: &ManagedCluster, gateway: &ManagedGateway) -> Option<GatewayStatus> {
        let nothing = Reserved::default();
        let bound_to = |node: &NodeRole| {
            let key = &gateway.endpoints.get(node)?.wanted.key;
            self.reloader.registry.bound(key, &nothing)
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
    fn join(&mut self, drain: &RunningDrain) {
        self.connections += drain.remaining();
        self.in_flight += in_flight(drain);
    }

    /// A cluster of which only sessions are left.
    fn gone(drain: &RunningDrain) -> Self {
        Self {
            name: drain.cluster.clone(),
            state: drain.state_name().into(),
            cause: None,
            generation: drain.generation,
            connections: drain.remaining(),
            in_flight: in_flight(drain),
            gateways: Vec::new(),
            upstream: Vec::new(),
        }
    }
}

fn in_flight(drain: &RunningDrain) -> u64 {
    drain.trackers().iter().map(|tracker| tracker.in_flight()).sum()
}

impl DrainStatus {
    fn of(drain: &RunningDrain) -> Self {
        let left = drain.deadlines.soft.saturating_duration_since(Instant::now());
        Self {
            cluster: drain.cluster.clone(),
            generation: drain.ended_by,
            sessions_generation: drain.generation,
            remaining: drain.remaining(),
            strategy: drain.strategy_name().into(),
            soft_deadline_seconds: left.as_secs_f64(),
        }
    }
}
