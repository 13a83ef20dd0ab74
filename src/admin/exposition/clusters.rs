//! Metrics of virtual clusters. A cluster that is not in the snapshot has no series.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

mod families;

pub(super) use families::FAMILIES;

use super::text::{ExpositionText, Labels};
use crate::control::metrics::{ClusterMetrics, MetricKind};
use crate::session::cause::{CloseCause, Side};
use crate::session::context::NodeRole;
use crate::session::counters::{CloseCounters, HistogramCounts, LatencyBounds, NodeCounters, NodeTraffic};

const CLUSTER: &str = "virtual_cluster";

/// Value of `node_id` for clients that ask for an unknown node.
const UNKNOWN: &str = "unknown";

const BOOTSTRAP: &str = "bootstrap";

/// One virtual cluster, read once: the formats want the samples of a family together, but counters lie by cluster.
#[derive(Debug)]
pub(super) struct ClusterView {
    metrics: ClusterMetrics,
    labels: Labels,
    nodes: Vec<NodeView>,
    /// Absent where no request was counted.
    requests: Option<Box<RequestView>>,
}

/// Requests of one virtual cluster, over all workers.
#[derive(Debug, Default)]
struct RequestView {
    counts: BTreeMap<(&'static str, i16), u64>,
    upstream_response: HistogramCounts<LatencyBounds>,
    added_latency: HistogramCounts<LatencyBounds>,
}

#[derive(Debug)]
struct NodeView {
    name: Cow<'static, str>,
    counters: Arc<NodeCounters>,
    traffic: NodeTraffic,
}

impl NodeView {
    fn read(name: Cow<'static, str>, counters: Arc<NodeCounters>) -> Self {
        Self {
            name,
            traffic: counters.traffic(),
            counters,
        }
    }

    /// Whether errors are there from the start, with 0; for every node they would be too many.
    fn is_bootstrap(&self) -> bool {
        self.name == BOOTSTRAP
    }
}

impl ClusterView {
    pub(super) fn read(metrics: ClusterMetrics) -> Self {
        let known = metrics.counters.nodes();
        let mut nodes = Vec::with_capacity(known.len() + 1);
        for (role, counters) in known {
            let name = match role {
                NodeRole::Bootstrap => BOOTSTRAP.into(),
                NodeRole::Node(id) => id.to_string().into(),
            };
            nodes.push(NodeView::read(name, counters));
        }
        nodes.push(NodeView::read(
            UNKNOWN.into(),
            Arc::clone(metrics.counters.unknown()),
        ));
        let mut requests = None;
        for tally in metrics.counters.tallies() {
            let view: &mut RequestView = requests.get_or_insert_with(Box::default);
            for (api, version, count) in tally.requests() {
                *view.counts.entry((api.name, version)).or_default() += count;
            }
            view.upstream_response.add(&tally.upstream_response.counts());
            view.added_latency.add(&tally.added_latency.counts());
        }
        Self {
            labels: Labels::of(CLUSTER, &metrics.name),
            metrics,
            nodes,
            requests,
        }
    }

    /// Writes one sample for each node.
    fn per_node(&self, text: &mut ExpositionText, value: impl Fn(&NodeView) -> u64) {
        for node in &self.nodes {
            text.count(&self.labels, &[("node_id", &node.name)], value(node));
        }
    }

    /// Writes the connections that ended, by cause.
    fn ends(&self, text: &mut ExpositionText, ends: fn(&NodeCounters) -> &CloseCounters) {
        for node in &self.nodes {
            for (cause, count) in ends(&node.counters).iter() {
                text.count(
                    &self.labels,
                    &[("node_id", &node.name), ("cause", cause.name())],
                    count,
                );
            }
        }
    }

    /// Writes the sessions that ended in an error of this side, by cause.
    fn errors(&self, text: &mut ExpositionText, side: Side) {
        for node in &self.nodes {
            // A broker that could not be connected to ended the session without a connection of its own.
            for cause in CloseCause::ALL {
                let count = node.counters.closes.of(cause);
                if (count > 0 || node.is_bootstrap()) && cause.is_error() && cause.side() == side {
                    text.count(
                        &self.labels,
                        &[("node_id", &node.name), ("cause", cause.name())],
                        count,
                    );
                }
            }
        }
    }

    /// Writes a histogram that something was counted in.
    fn latency(&self, text: &mut ExpositionText, counts: &HistogramCounts<LatencyBounds>) {
        if counts.total() > 0 {
            text.histogram(&self.labels, counts);
        }
    }
}

/// A metric of virtual clusters.
pub(super) struct ClusterFamily {
    pub(super) name: &'static str,
    pub(super) kind: MetricKind,
    pub(super) help: &'static str,
    /// Writes the samples of one cluster.
    pub(super) write: fn(&ClusterView, &mut ExpositionText),
}
