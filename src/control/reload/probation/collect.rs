//! Reads what is known of virtual clusters from the counters that sessions keep. Runs away from the control thread.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::sample::{BrokersSample, ClusterFacts, ClusterSample, FailedSessions};
use crate::cluster::{ClusterSnapshot, ManagedCluster};
use crate::session::cause::CloseCause;
use crate::session::counters::ClusterCounters;

/// Attempts in a row that fail before a broker counts as unreachable: one may be chance.
const FAILURES: u64 = 2;

/// Time that a session waits for its first answer before it counts as unanswered.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// Counters of all clusters, by name.
pub(super) fn all(clusters: &ClusterSnapshot) -> HashMap<String, (ClusterSample, usize)> {
    let one = |cluster: &ManagedCluster| {
        let unreachable = brokers(cluster).unreachable;
        (
            cluster.model.name.clone(),
            (counted(&cluster.context.counters), unreachable),
        )
    };
    clusters.iter().map(|cluster| one(cluster)).collect()
}

/// What is known of these clusters, by name. Those that do not run are left out.
pub(super) fn some(clusters: &ClusterSnapshot, names: &[String]) -> BTreeMap<String, ClusterFacts> {
    let find = |name: &String| {
        let place = clusters.binary_search_by(|cluster| cluster.model.name.cmp(name));
        Some((name.clone(), facts(&clusters[place.ok()?])))
    };
    names.iter().filter_map(find).collect()
}

fn facts(cluster: &ManagedCluster) -> ClusterFacts {
    let mut counted = counted(&cluster.context.counters);
    if cluster.context.intake.is_stopped() {
        // `kproxy drain`: sessions that left are not expected to come back.
        counted.drained = 0;
    }
    ClusterFacts {
        counted,
        brokers: brokers(cluster),
        waiting: waiting(cluster),
    }
}

fn counted(counters: &ClusterCounters) -> ClusterSample {
    let mut sample = ClusterSample {
        begun: load(&counters.accepted),
        failed: FailedSessions {
            authentication: load(&counters.refused_credentials),
            unanswered: load(&counters.given_up) + load(&counters.error_answers),
            ..FailedSessions::default()
        },
        ..ClusterSample::default()
    };
    for (cause, count) in counters.all_closes() {
        match kind(cause) {
            Some(CloseKind::Drained) => sample.drained += count,
            Some(CloseKind::Unconnected) => sample.failed.unconnected += count,
            Some(CloseKind::Tls) => sample.failed.tls += count,
            Some(CloseKind::Error) => sample.failed.errors += count,
            None => {}
        }
    }
    for tally in counters.tallies() {
        sample.latency.add(&tally.upstream_response.counts());
    }
    sample
}

/// What the end of a session means for its virtual cluster.
#[derive(Debug, PartialEq, Eq)]
enum CloseKind {
    Drained,
    Unconnected,
    Tls,
    Error,
}

/// `None`: an end that says nothing about a configuration, because it is no error or because only the client is to blame.
fn kind(cause: CloseCause) -> Option<CloseKind> {
    match cause {
        CloseCause::Drained | CloseCause::DrainTimeout => Some(CloseKind::Drained),
        CloseCause::UpstreamUnreachable
        | CloseCause::UpstreamIsProxy
        | CloseCause::BrokerNotAllowed
        | CloseCause::NodeUnknown => Some(CloseKind::Unconnected),
        CloseCause::InvalidFrameSize
        | CloseCause::HttpOnKafkaPort
        | CloseCause::MalformedRequest
        | CloseCause::ClientTooSlow => None,
        cause if !cause.is_error() => None,
        cause if cause.is_tls() => Some(CloseKind::Tls),
        _ => Some(CloseKind::Error),
    }
}

fn brokers(cluster: &ManagedCluster) -> BrokersSample {
    let target = &cluster.context.target;
    let known = target.known();
    let mut sample = BrokersSample {
        known: known.len(),
        ..BrokersSample::default()
    };
    if !target.is_any_failing() {
        return sample;
    }
    for (address, record) in target.records(|address| known.contains(address)) {
        let Some(failing) = record.failing else { continue };
        sample.failing += 1;
        sample.unreachable += usize::from(failing.failures >= FAILURES);
        sample
            .example
            .get_or_insert_with(|| format!("{address}: {}", failing.detail));
    }
    sample
}

/// Live sessions, begun with the generation that last changed the cluster, whose requests have not had a single answer.
fn waiting(cluster: &ManagedCluster) -> u64 {
    let now = Instant::now();
    let sessions = cluster.trackers().flat_map(|tracker| tracker.sessions());
    let waits = sessions.filter(|session| {
        let progress = session.activity.progress();
        session.generation() >= cluster.generation
            && progress.in_flight > 0
            && progress.broker_bytes == 0
            && now.saturating_duration_since(session.since) >= LONG_WAIT
    });
    waits.count() as u64
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_client_is_to_blame_for_says_nothing_about_a_configuration() {
        for cause in [
            CloseCause::ClientClosed,
            CloseCause::UpstreamClosed,
            CloseCause::MalformedRequest,
            CloseCause::IdleTimeout,
        ] {
            assert_eq!(kind(cause), None, "{}", cause.name());
        }
        assert_eq!(kind(CloseCause::UpstreamNameMismatch), Some(CloseKind::Tls));
        assert_eq!(kind(CloseCause::ServerCertificateRejected), Some(CloseKind::Tls));
        assert_eq!(kind(CloseCause::UpstreamClosedEarly), Some(CloseKind::Error));
        assert_eq!(kind(CloseCause::DrainTimeout), Some(CloseKind::Drained));
    }
}
