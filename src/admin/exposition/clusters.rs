//! What is measured per virtual cluster. A cluster that is not in the snapshot has no series.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use super::text::{Kind, Labels, Text};
use crate::cluster::ReportedState;
use crate::control::metrics::ClusterMetrics;
use crate::session::cause::{CloseCause, Side};
use crate::session::counters::{CloseCounters, HistogramCounts, LatencyBounds, NodeCounters, NodeTraffic};

const CLUSTER: &str = "virtual_cluster";

/// The `node_id` of clients that ask for a node nobody knows.
const UNKNOWN: &str = "unknown";

/// One cluster, looked at once: the formats want a family's samples together, the counters lie by cluster.
struct Seen<'a> {
    metrics: &'a ClusterMetrics,
    labels: Labels,
    nodes: Vec<SeenNode>,
    requests: BTreeMap<(&'static str, i16), u64>,
    upstream_response: HistogramCounts<LatencyBounds>,
    added_latency: HistogramCounts<LatencyBounds>,
}

struct SeenNode {
    labels: Labels,
    /// Errors are there from the start, with 0; of every node they would be too many.
    bootstrap: bool,
    counters: Arc<NodeCounters>,
    traffic: NodeTraffic,
}

impl<'a> Seen<'a> {
    fn look(metrics: &'a ClusterMetrics) -> Self {
        let labels = Labels::of(CLUSTER, &metrics.name);
        let node = |name: &str, counters: Arc<NodeCounters>| SeenNode {
            labels: labels.and("node_id", name),
            bootstrap: name == "bootstrap",
            traffic: counters.traffic(),
            counters,
        };
        let mut nodes: Vec<SeenNode> = Vec::new();
        for (role, counters) in metrics.counters.nodes() {
            nodes.push(node(&role.to_string(), counters));
        }
        nodes.push(node(UNKNOWN, Arc::clone(metrics.counters.unknown())));
        let mut seen = Self {
            nodes,
            labels,
            metrics,
            requests: BTreeMap::new(),
            upstream_response: HistogramCounts::default(),
            added_latency: HistogramCounts::default(),
        };
        for tally in metrics.counters.tallies() {
            for (api, version, count) in tally.requests() {
                *seen.requests.entry((api.name, version)).or_default() += count;
            }
            seen.upstream_response.add(&tally.upstream_response.counts());
            seen.added_latency.add(&tally.added_latency.counts());
        }
        seen
    }
}

pub(super) fn write(clusters: &[ClusterMetrics], text: &mut Text) {
    let seen: Vec<Seen<'_>> = clusters.iter().map(Seen::look).collect();
    connections(&seen, text);
    requests(&seen, text);
    latencies(&seen, text);
    brokers(&seen, text);
    life(&seen, text);
}

fn per_node(
    seen: &[Seen<'_>],
    text: &mut Text,
    (name, kind, help): (&'static str, Kind, &'static str),
    value: impl Fn(&SeenNode) -> u64,
) {
    text.family(name, kind, help);
    for node in seen.iter().flat_map(|cluster| &cluster.nodes) {
        text.count(&node.labels, value(node));
    }
}

fn connections(seen: &[Seen<'_>], text: &mut Text) {
    let name = "kproxy_client_to_proxy_connections";
    per_node(
        seen,
        text,
        (name, Kind::Counter, "Client connections accepted."),
        |node| load(&node.counters.accepted),
    );
    let name = "kproxy_client_to_proxy_active_connections";
    per_node(
        seen,
        text,
        (name, Kind::Gauge, "Client connections that live."),
        |node| node.traffic.live as u64,
    );
    ends(seen, text, Side::Client);
    let name = "kproxy_proxy_to_server_connections";
    per_node(
        seen,
        text,
        (name, Kind::Counter, "Broker connections established."),
        |node| load(&node.counters.connected),
    );
    let name = "kproxy_proxy_to_server_active_connections";
    per_node(
        seen,
        text,
        (name, Kind::Gauge, "Broker connections that live."),
        |node| {
            // An end is counted behind its beginning; looked at in the other order, none is missed.
            let ended = node.counters.broker_closes.total();
            load(&node.counters.connected).saturating_sub(ended)
        },
    );
    ends(seen, text, Side::Broker);
}

/// Ends of connections by cause, and those among them that somebody may want to look at.
fn ends(seen: &[Seen<'_>], text: &mut Text, side: Side) {
    type Ends = fn(&NodeCounters) -> &CloseCounters;
    let (disconnects, errors, ends): (_, _, Ends) = match side {
        Side::Client => (
            "kproxy_client_to_proxy_disconnects",
            "kproxy_client_to_proxy_errors",
            |node| &node.closes,
        ),
        Side::Broker => (
            "kproxy_proxy_to_server_disconnects",
            "kproxy_proxy_to_server_errors",
            |node| &node.broker_closes,
        ),
    };
    text.family(disconnects, Kind::Counter, "Connections that ended, by cause.");
    for node in seen.iter().flat_map(|cluster| &cluster.nodes) {
        for (cause, count) in ends(&node.counters).iter() {
            text.count(&node.labels.and("cause", cause.name()), count);
        }
    }
    text.family(
        errors,
        Kind::Counter,
        "Sessions that this side ended in an error, by cause.",
    );
    for node in seen.iter().flat_map(|cluster| &cluster.nodes) {
        // A broker that could not be connected to ended the session without a connection of its own.
        for cause in CloseCause::ALL {
            let count = node.counters.closes.of(cause);
            if cause.is_error() && cause.side() == side && (count > 0 || node.bootstrap) {
                text.count(&node.labels.and("cause", cause.name()), count);
            }
        }
    }
}

fn requests(seen: &[Seen<'_>], text: &mut Text) {
    text.family(
        "kproxy_client_to_proxy_request",
        Kind::Counter,
        "Requests by API and version.",
    );
    for cluster in seen {
        for ((api, version), &count) in &cluster.requests {
            let labels = cluster
                .labels
                .and("api_key", api)
                .and("api_version", &version.to_string());
            text.count(&labels, count);
        }
    }
    let name = "kproxy_client_to_proxy_bytes";
    per_node(
        seen,
        text,
        (name, Kind::Counter, "Bytes read from clients."),
        |node| node.traffic.moved.client_bytes,
    );
    let name = "kproxy_proxy_to_server_bytes";
    per_node(
        seen,
        text,
        (name, Kind::Counter, "Bytes written to brokers."),
        |node| node.traffic.moved.broker_written,
    );
    let name = "kproxy_server_to_proxy_bytes";
    per_node(
        seen,
        text,
        (name, Kind::Counter, "Bytes read from brokers."),
        |node| node.traffic.moved.broker_bytes,
    );
    let name = "kproxy_proxy_to_client_bytes";
    per_node(
        seen,
        text,
        (name, Kind::Counter, "Bytes written to clients."),
        |node| node.traffic.moved.client_written,
    );
    let name = "kproxy_in_flight_requests";
    per_node(
        seen,
        text,
        (name, Kind::Gauge, "Requests that await their answer."),
        |node| node.traffic.moved.in_flight,
    );
}

fn latencies(seen: &[Seen<'_>], text: &mut Text) {
    type Counts = fn(&Seen<'_>) -> HistogramCounts<LatencyBounds>;
    let families: [(_, _, Counts); 3] = [
        (
            "kproxy_upstream_response_seconds",
            "From a request to its answer, without those that a broker holds back on purpose.",
            |cluster| cluster.upstream_response.clone(),
        ),
        (
            "kproxy_added_latency_seconds",
            "From a read to the end of the write of what it brought; one read in 64.",
            |cluster| cluster.added_latency.clone(),
        ),
        (
            "kproxy_connect_upstream_seconds",
            "How long it took to find and connect to a broker.",
            |cluster| cluster.metrics.counters.connect_upstream.counts(),
        ),
    ];
    for (name, help, counts) in families {
        text.family(name, Kind::Histogram, help);
        for cluster in seen {
            let counts = counts(cluster);
            if counts.total() > 0 {
                text.histogram(&cluster.labels, &counts);
            }
        }
    }
}

fn brokers(seen: &[Seen<'_>], text: &mut Text) {
    let each = || {
        seen.iter()
            .flat_map(|cluster| cluster.metrics.upstream.iter().map(move |node| (cluster, node)))
    };
    text.family(
        "kproxy_upstream_up",
        Kind::Gauge,
        "Whether the newest attempt to reach a broker succeeded; absent where nobody has tried for long.",
    );
    for (cluster, node) in each() {
        if let Some(up) = node.up {
            text.count(
                &cluster.labels.and("node_id", &node.node.to_string()),
                u64::from(up),
            );
        }
    }
    text.family(
        "kproxy_upstream_last_success_timestamp_seconds",
        Kind::Gauge,
        "When an attempt to reach a broker last succeeded.",
    );
    for (cluster, node) in each() {
        if let Some(at) = node.last_success {
            let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
            text.number(
                &cluster.labels.and("node_id", &node.node.to_string()),
                at.as_secs_f64(),
            );
        }
    }
}

fn life(seen: &[Seen<'_>], text: &mut Text) {
    text.family(
        "kproxy_virtual_cluster_state",
        Kind::Gauge,
        "1 for the state a cluster is in.",
    );
    for cluster in seen {
        for state in ReportedState::ALL.map(ReportedState::name) {
            let labels = cluster.labels.and("state", state);
            text.count(&labels, u64::from(state == cluster.metrics.state));
        }
    }
    text.family(
        "kproxy_drain_duration_seconds",
        Kind::Histogram,
        "Drains that have ended.",
    );
    for cluster in seen {
        if cluster.metrics.drains.durations.total() > 0 {
            text.histogram(&cluster.labels, &cluster.metrics.drains.durations);
        }
    }
    type Count = fn(&ClusterMetrics) -> u64;
    let counters: [(_, _, Count); 3] = [
        (
            "kproxy_drain_forced",
            "Sessions closed at the hard deadline with requests unanswered.",
            |metrics| metrics.drains.forced,
        ),
        (
            "kproxy_rewritten_addresses",
            "Broker addresses rewritten in answers.",
            |metrics| load(&metrics.counters.rewritten_addresses),
        ),
        (
            "kproxy_withheld_nodes",
            "Brokers left out of answers because they have no endpoint.",
            |metrics| load(&metrics.counters.withheld_nodes),
        ),
    ];
    for (name, help, value) in counters {
        text.family(name, Kind::Counter, help);
        for cluster in seen {
            text.count(&cluster.labels, value(cluster.metrics));
        }
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
