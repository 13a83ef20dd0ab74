//! Live sessions as data.

use super::Snapshot;
use crate::control::runtime::connections::{ClientDetails, ConnectionFilter, ConnectionInfo};
use crate::drain::{ConnectionTracker, SessionHandle};

impl Snapshot {
    /// The live sessions that pass `filter`, those that drain included, by id.
    pub(super) fn sessions_passing(&self, filter: &ConnectionFilter) -> Vec<ConnectionInfo> {
        let mut found = Vec::new();
        let wanted = |name: &str| filter.cluster.as_deref().is_none_or(|cluster| cluster == name);
        for cluster in self.clusters.iter().filter(|cluster| wanted(&cluster.model.name)) {
            for tracker in cluster.trackers() {
                list(
                    tracker,
                    (&cluster.model.name, cluster.generation),
                    filter,
                    &mut found,
                );
            }
        }
        for drain in self.drains.iter().filter(|drain| wanted(&drain.cluster)) {
            for tracker in drain.trackers() {
                list(tracker, (&drain.cluster, drain.generation), filter, &mut found);
            }
        }
        found.sort_unstable_by_key(|session| session.id);
        found
    }
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
            && filter.has_generation(session.generation(), generation);
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
        generation: session.generation(),
        in_flight: progress.in_flight,
        age_seconds: session.since.elapsed().as_secs_f64(),
        client_bytes: progress.client_bytes,
        broker_bytes: progress.broker_bytes,
        requests: progress.requests,
        known: ClientDetails::of(&session.facts),
        state: session.state().name().into(),
    }
}
