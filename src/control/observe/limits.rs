//! Readings of the limits of a running proxy.

use super::Snapshot;
use crate::cluster::ManagedCluster;
use crate::control::runtime::limits::LimitReading;
use crate::session::ledger;
use crate::session::limits::{BUFFERS, DESCRIPTORS, FILTER_MEMORY, LOG_QUEUE, Limit};
use crate::session::permits::ConnectionLimit;

impl Snapshot {
    /// Reads the limits, and logs which are newly reached and which are no longer.
    pub(in crate::control) fn refresh_limits(&self) {
        self.with_limits(|reached| {
            if reached.may_have_changed() {
                reached.update(self.read_limits());
            }
        });
    }

    fn read_limits(&self) -> Vec<LimitReading> {
        let process = &self.process;
        let (bounded_by, connections) = &self.connection_limit;
        let mut found = vec![
            LimitReading {
                limit: *bounded_by,
                ..of_connections(Limit::Connections, connections)
            },
            LimitReading::of(Limit::Descriptors, &DESCRIPTORS),
            LimitReading::of(Limit::ConnectionsPerClient, &process.per_client),
            LimitReading {
                usage: format!("{} bytes is_waited_for", ledger::bytes_in_use()),
                ..LimitReading::of(Limit::Buffers, &BUFFERS)
            },
            LimitReading::of(Limit::LogQueue, &LOG_QUEUE),
            LimitReading::of(Limit::FilterMemory, &FILTER_MEMORY),
            LimitReading {
                is_waited_for: self.clusters.iter().any(|cluster| withholds(cluster)),
                ..LimitReading::of(Limit::DynamicPorts, &process.dynamic_ports)
            },
        ];
        found.extend(self.clusters.iter().map(|cluster| LimitReading {
            cluster: Some(cluster.model.name.clone()),
            ..of_connections(Limit::ClusterConnections, &cluster.context.limit)
        }));
        found
    }
}

fn of_connections(limit: Limit, connections: &ConnectionLimit) -> LimitReading {
    let usage = |allowed| format!("{} of {allowed} connections in use", connections.used());
    LimitReading {
        usage: connections.allowed().map(usage).unwrap_or_default(),
        ..LimitReading::of(limit, connections.mark())
    }
}

/// Whether a broker is withheld from clients because there is no port for it.
fn withholds(cluster: &ManagedCluster) -> bool {
    let mut gateways = cluster.gateways.iter();
    gateways.any(|gateway| gateway.context.directory.table().withholds())
}
