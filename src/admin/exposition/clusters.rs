//! Metrics of virtual clusters. A cluster that is not in the snapshot has no series.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::text::{ExpositionText, Labels};
use crate::cluster::ReportedState;
use crate::control::metrics::{ClusterMetrics, MetricKind};
use crate::session::cause::{CloseCause, Side};
use crate::session::counters::{CloseCounters, HistogramCounts, LatencyBounds, NodeCounters, NodeTraffic};
use crate::time::unix_seconds_f64;

const CLUSTER: &str = "virtual_cluster";

/// Value of `node_id` for clients that ask for an unknown node.
const UNKNOWN: &str = "unknown";

/// One virtual cluster, read once: the formats want the samples of a family together, but counters lie by cluster.
struct ClusterView<'a> {
    metrics: &'a ClusterMetrics,
    labels: Labels,
    nodes: Vec<NodeView>,
    requests: BTreeMap<(&'static str, i16), u64>,
    upstream_response: HistogramCounts<LatencyBounds>,
    added_latency: HistogramCounts<LatencyBounds>,
}

struct NodeView {
    labels: Labels,
    /// Whether errors are there from the start, with 0; for every node they would be too many.
    bootstrap: bool,
    counters: Arc<NodeCounters>,
    traffic: NodeTraffic,
}

impl<'a> ClusterView<'a> {
    fn read(metrics: &'a ClusterMetrics) -> Self {
        let labels = Labels::of(CLUSTER, &metrics.name);
        let node = |name: &str, counters: Arc<NodeCounters>| NodeView {
            labels: labels.and("node_id", name),
            bootstrap: name == "bootstrap",
            traffic: counters.traffic(),
            counters,
        };
        let mut nodes: Vec<NodeView> = Vec::new();
        for (role, counters) in metrics.counters.nodes() {
            nodes.push(node(&role.to_string(), counters));
        }
        nodes.push(node(UNKNOWN, Arc::clone(metrics.counters.unknown())));
        let mut view = Self {
            nodes,
            labels,
            metrics,
            requests: BTreeMap::new(),
            upstream_response: HistogramCounts::default(),
            added_latency: HistogramCounts::default(),
        };
        for tally in metrics.counters.tallies() {
            for (api, version, count) in tally.requests() {
                *view.requests.entry((api.name, version)).or_default() += count;
            }
            view.upstream_response.add(&tally.upstream_response.counts());
            view.added_latency.add(&tally.added_latency.counts());
        }
        view
    }
}

pub(super) fn write(clusters: &[ClusterMetrics], text: &mut ExpositionText) {
    let views: Vec<ClusterView<'_>> = clusters.iter().map(ClusterView::read).collect();
    connections(&views, text);
    requests(&views, text);
    latencies(&views, text);
    brokers(&views, text);
    lifecycle(&views, text);
}

fn per_node(
    views: &[ClusterView<'_>],
    text: &mut ExpositionText,
    (name, kind, help): (&'static str, MetricKind, &'static str),
    value: impl Fn(&NodeView) -> u64,
) {
    text.family(name, kind, help);
    for node in views.iter().flat_map(|cluster| &cluster.nodes) {
        text.count(&node.labels, value(node));
    }
}

fn connections(views: &[ClusterView<'_>], text: &mut ExpositionText) {
    let name = "kproxy_client_to_proxy_connections";
    per_node(
        views,
        text,
        (name, MetricKind::Counter, "Client connections accepted."),
        |node| load(&node.counters.accepted),
    );
    let name = "kproxy_client_to_proxy_active_connections";
    per_node(
        views,
        text,
        (name, MetricKind::Gauge, "Client connections that exist."),
        |node| node.traffic.live as u64,
    );
    disconnects(views, text, Side::Client);
    let name = "kproxy_proxy_to_server_connections";
    per_node(
        views,
        text,
        (name, MetricKind::Counter, "Broker connections established."),
        |node| load(&node.counters.connected),
    );
    let name = "kproxy_proxy_to_server_active_connections";
    per_node(
        views,
        text,
        (name, MetricKind::Gauge, "Broker connections that exist."),
        |node| {
            // An end is counted after its beginning; read in the other order, none is missed.
            let ended = node.counters.broker_closes.total();
            load(&node.counters.connected).saturating_sub(ended)
        },
    );
    disconnects(views, text, Side::Broker);
}

/// Writes the connections that ended by cause, and those among them that are errors.
fn disconnects(views: &[ClusterView<'_>], text: &mut ExpositionText, side: Side) {
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
    text.family(
        disconnects,
        MetricKind::Counter,
        "Connections that ended, by cause.",
    );
    for node in views.iter().flat_map(|cluster| &cluster.nodes) {
        for (cause, count) in ends(&node.counters).iter() {
            text.count(&node.labels.and("cause", cause.name()), count);
        }
    }
    text.family(
        errors,
        MetricKind::Counter,
        "Sessions that ended in an error of this side, by cause.",
    );
    for node in views.iter().flat_map(|cluster| &cluster.nodes) {
        // A broker that could not be connected to ended the session without a connection of its own.
        for cause in CloseCause::ALL {
            let count = node.counters.closes.of(cause);
            if cause.is_error() && cause.side() == side && (count > 0 || node.bootstrap) {
                text.count(&node.labels.and("cause", cause.name()), count);
            }
        }
    }
}

fn requests(views: &[ClusterView<'_>], text: &mut ExpositionText) {
    text.family(
        "kproxy_client_to_proxy_request",
        MetricKind::Counter,
        "Requests by API and version.",
    );
    for cluster in views {
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
        views,
        text,
        (name, MetricKind::Counter, "Bytes read from clients."),
        |node| node.traffic.moved.client_bytes,
    );
    let name = "kproxy_proxy_to_server_bytes";
    per_node(
        views,
        text,
        (name, MetricKind::Counter, "Bytes written to brokers."),
        |node| node.traffic.moved.broker_written,
    );
    let name = "kproxy_server_to_proxy_bytes";
    per_node(
        views,
        text,
        (name, MetricKind::Counter, "Bytes read from brokers."),
        |node| node.traffic.moved.broker_bytes,
    );
    let name = "kproxy_proxy_to_client_bytes";
    per_node(
        views,
        text,
        (name, MetricKind::Counter, "Bytes written to clients."),
        |node| node.traffic.moved.client_written,
    );
    let name = "kproxy_in_flight_requests";
    per_node(
        views,
        text,
        (name, MetricKind::Gauge, "Requests that await their response."),
        |node| node.traffic.moved.in_flight,
    );
}

fn latencies(views: &[ClusterView<'_>], text: &mut ExpositionText) {
    type Counts = fn(&ClusterView<'_>) -> HistogramCounts<LatencyBounds>;
    let families: [(_, _, Counts); 3] = [
        (
            "kproxy_upstream_response_seconds",
            "Time from a request to its response, without requests that a broker holds back on purpose.",
            |cluster| cluster.upstream_response.clone(),
        ),
        (
            "kproxy_added_latency_seconds",
            "Time from a read to the end of the write of its bytes; one read in 64.",
            |cluster| cluster.added_latency.clone(),
        ),
        (
            "kproxy_connect_upstream_seconds",
            "Time to find and connect to a broker.",
            |cluster| cluster.metrics.counters.connect_upstream.counts(),
        ),
    ];
    for (name, help, counts) in families {
        text.family(name, MetricKind::Histogram, help);
        for cluster in views {
            let counts = counts(cluster);
            if counts.total() > 0 {
                text.histogram(&cluster.labels, &counts);
            }
        }
    }
}

fn brokers(views: &[ClusterView<'_>], text: &mut ExpositionText) {
    let each = || {
        views
            .iter()
            .flat_map(|cluster| cluster.metrics.upstream.iter().map(move |node| (cluster, node)))
    };
    text.family(
        "kproxy_upstream_up",
        MetricKind::Gauge,
        "1 if the newest attempt to reach a broker succeeded; absent if nobody has tried for 15 minutes.",
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
        MetricKind::Gauge,
        "Time when an attempt to reach a broker last succeeded.",
    );
    for (cluster, node) in each() {
        if let Some(at) = node.last_success {
            let labels = cluster.labels.and("node_id", &node.node.to_string());
            text.number(&labels, unix_seconds_f64(at));
        }
    }
}

fn lifecycle(views: &[ClusterView<'_>], text: &mut ExpositionText) {
    text.family(
        "kproxy_virtual_cluster_state",
        MetricKind::Gauge,
        "1 for the state of the virtual cluster.",
    );
    for cluster in views {
        for state in ReportedState::ALL.map(ReportedState::name) {
            let labels = cluster.labels.and("state", state);
            text.count(&labels, u64::from(state == cluster.metrics.state));
        }
    }
    text.family(
        "kproxy_drain_duration_seconds",
        MetricKind::Histogram,
        "Duration of drains that have ended.",
    );
    for cluster in views {
        if cluster.metrics.drains.durations.total() > 0 {
            text.histogram(&cluster.labels, &cluster.metrics.drains.durations);
        }
    }
    type Count = fn(&ClusterMetrics) -> u64;
    let counters: [(_, _, Count); 6] = [
        (
            "kproxy_drain_forced",
            "Sessions closed at the hard deadline with requests unanswered.",
            |metrics| metrics.drains.forced,
        ),
        (
            "kproxy_rewritten_addresses",
            "Broker addresses rewritten in responses.",
            |metrics| load(&metrics.counters.rewritten_addresses),
        ),
        (
            "kproxy_withheld_nodes",
            "Brokers left out of responses because they have no endpoint.",
            |metrics| load(&metrics.counters.withheld_nodes),
        ),
        (
            "kproxy_authentication_failures",
            "Clients that a broker refused to authenticate.",
            |metrics| load(&metrics.counters.refused_credentials),
        ),
        (
            "kproxy_error_answers",
            "Answers to ApiVersions with an error, apart from UNSUPPORTED_VERSION.",
            |metrics| load(&metrics.counters.error_answers),
        ),
        (
            "kproxy_given_up_sessions",
            "Sessions whose client left after 10 s without an answer.",
            |metrics| load(&metrics.counters.given_up),
        ),
    ];
    for (name, help, value) in counters {
        text.family(name, MetricKind::Counter, help);
        for cluster in views {
            text.count(&cluster.labels, value(cluster.metrics));
        }
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
