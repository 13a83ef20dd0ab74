//! Readings of the limits of a running proxy.

use super::Snapshot;
use crate::cluster::ManagedCluster;
use crate::control::runtime::limits::Reading;
use crate::session::ledger;
use crate::session::limits::{BUFFERS, DESCRIPTORS, LOG_QUEUE, Limit};
use crate::session::permits::ConnectionLimit;

impl Snapshot {
    /// Reads the limits, and logs which are newly reached and which are no longer.
    pub(in crate::control) fn refresh_limits(&self) {
        self.with_limits(|board| {
            if board.may_have_changed() {
                board.look(self.read_limits());
            }
        });
    }

    fn read_limits(&self) -> Vec<Reading> {
        let process = &self.process;
        let (bounded_by, connections) = &self.connection_limit;
        let mut found = vec![
            Reading {
                limit: *bounded_by,
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
                held: self.clusters.iter().any(|cluster| withholds(cluster)),
                ..Reading::of(Limit::DynamicPorts, &process.dynamic_ports)
            },
        ];
        found.extend(self.clusters.iter().map(|cluster| Reading {
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
