//! Where the limits of a running proxy are read.

use super::super::runtime::limits::Reading;
use super::Engine;
use crate::cluster::ManagedCluster;
use crate::session::ledger;
use crate::session::limits::{BUFFERS, DESCRIPTORS, LOG_QUEUE, Limit};
use crate::session::permits::ConnectionLimit;

impl Engine {
    /// Tells of limits that are newly reached, and of those that are not any more.
    pub(super) fn look_at_limits(&mut self) {
        if self.limits.may_have_changed() {
            let readings = self.limits_now();
            self.limits.look(readings);
        }
    }

    fn limits_now(&self) -> Vec<Reading> {
        let process = &self.reloader.surroundings.process;
        let (bounded_by, connections) = self.reloader.registry.process_limit();
        let mut found = vec![
            Reading {
                limit: bounded_by,
                ..of_connections(Limit::Connections, connections)
            },
            Reading::of(Limit::Descriptors, &DESCRIPTORS),
            Reading::of(Limit::ConnectionsPerClient, &process.per_client),
            Reading {
                usage: format!("{} bytes held", ledger::bytes_in_use()),
                ..Reading::of(Limit::Buffers, &BUFFERS)
            },
            Reading::of(Limit::LogQueue, &LOG_QUEUE),
            Reading {
                held: self.reloader.clusters.iter().any(withholds),
                ..Reading::of(Limit::DynamicPorts, &process.dynamic_ports)
            },
        ];
        found.extend(self.reloader.clusters.iter().map(|cluster| Reading {
            cluster: Some(cluster.model.name.clone()),
            ..of_connections(Limit::ClusterConnections, &cluster.context.limit)
        }));
        found
    }
}

fn of_connections(limit: Limit, connections: &ConnectionLimit) -> Reading {
    let usage = |allowed| format!("{} of {allowed} connections in use", connections.used());
    Reading {
        usage: connections.allowed().map(usage).unwrap_or_default(),
        ..Reading::of(limit, connections.mark())
    }
}

/// Whether a broker is withheld from clients because there is no port for it.
fn withholds(cluster: &ManagedCluster) -> bool {
    let mut gateways = cluster.gateways.iter();
    gateways.any(|gateway| gateway.context.directory.table().withholds())
}
