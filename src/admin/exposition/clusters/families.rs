//! The metrics of virtual clusters: name, help, and where each value is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ClusterFamily, ClusterView, ExpositionText};
use crate::cluster::ReportedState;
use crate::control::metrics::MetricKind;
use crate::filter::sasl_termination::ClientLoginOutcome;
use crate::filter::{FencedOutcome, FilterChain, FilterOutcome};
use crate::model::FilterMode;
use crate::session::cause::Side;
use crate::time::unix_seconds_f64;

const fn counter(
    name: &'static str,
    help: &'static str,
    write: fn(&ClusterView, &mut ExpositionText),
) -> ClusterFamily {
    let kind = MetricKind::Counter;
    ClusterFamily {
        name,
        kind,
        help,
        write,
    }
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    write: fn(&ClusterView, &mut ExpositionText),
) -> ClusterFamily {
    let kind = MetricKind::Gauge;
    ClusterFamily {
        name,
        kind,
        help,
        write,
    }
}

const fn histogram(
    name: &'static str,
    help: &'static str,
    write: fn(&ClusterView, &mut ExpositionText),
) -> ClusterFamily {
    let kind = MetricKind::Histogram;
    ClusterFamily {
        name,
        kind,
        help,
        write,
    }
}

/// Every metric of virtual clusters, in the order of the exposition. A new one needs a row here.
pub(in crate::admin::exposition) const FAMILIES: &[ClusterFamily] = &[
    counter(
        "kproxy_client_to_proxy_connections",
        "Client connections accepted.",
        |cluster, text| cluster.per_node(text, |node| load(&node.counters.accepted)),
    ),
    gauge(
        "kproxy_client_to_proxy_active_connections",
        "Client connections that exist.",
        |cluster, text| cluster.per_node(text, |node| node.traffic.live as u64),
    ),
    counter(
        "kproxy_client_to_proxy_disconnects",
        "Connections that ended, by cause.",
        |cluster, text| cluster.ends(text, |node| &node.closes),
    ),
    counter(
        "kproxy_client_to_proxy_errors",
        "Sessions that ended in an error of this side, by cause.",
        |cluster, text| cluster.errors(text, Side::Client),
    ),
    counter(
        "kproxy_proxy_to_server_connections",
        "Broker connections established.",
        |cluster, text| cluster.per_node(text, |node| load(&node.counters.connected)),
    ),
    gauge(
        "kproxy_proxy_to_server_active_connections",
        "Broker connections that exist.",
        |cluster, text| {
            cluster.per_node(text, |node| {
                // An end is counted after its beginning; read in the other order, none is missed.
                let ended = node.counters.broker_closes.total();
                load(&node.counters.connected).saturating_sub(ended)
            });
        },
    ),
    counter(
        "kproxy_proxy_to_server_disconnects",
        "Connections that ended, by cause.",
        |cluster, text| cluster.ends(text, |node| &node.broker_closes),
    ),
    counter(
        "kproxy_proxy_to_server_errors",
        "Sessions that ended in an error of this side, by cause.",
        |cluster, text| cluster.errors(text, Side::Broker),
    ),
    counter(
        "kproxy_client_to_proxy_request",
        "Requests by API and version.",
        |cluster, text| {
            let counts = cluster.requests.iter().flat_map(|requests| &requests.counts);
            for ((api, version), &count) in counts {
                let version = version.to_string();
                text.count(
                    &cluster.labels,
                    &[("api_key", api), ("api_version", &version)],
                    count,
                );
            }
        },
    ),
    counter(
        "kproxy_client_to_proxy_bytes",
        "Bytes read from clients.",
        |cluster, text| cluster.per_node(text, |node| node.traffic.moved.client_bytes),
    ),
    counter(
        "kproxy_proxy_to_server_bytes",
        "Bytes written to brokers.",
        |cluster, text| cluster.per_node(text, |node| node.traffic.moved.broker_written),
    ),
    counter(
        "kproxy_server_to_proxy_bytes",
        "Bytes read from brokers.",
        |cluster, text| cluster.per_node(text, |node| node.traffic.moved.broker_bytes),
    ),
    counter(
        "kproxy_proxy_to_client_bytes",
        "Bytes written to clients.",
        |cluster, text| cluster.per_node(text, |node| node.traffic.moved.client_written),
    ),
    gauge(
        "kproxy_in_flight_requests",
        "Requests that await their response.",
        |cluster, text| cluster.per_node(text, |node| node.traffic.moved.in_flight),
    ),
    histogram(
        "kproxy_upstream_response_seconds",
        "Time from a request to its response, without requests that a broker holds back on purpose.",
        |cluster, text| {
            if let Some(requests) = &cluster.requests {
                cluster.latency(text, &requests.upstream_response);
            }
        },
    ),
    histogram(
        "kproxy_added_latency_seconds",
        "Time from a read to the end of the write of its bytes; one read in 64.",
        |cluster, text| {
            if let Some(requests) = &cluster.requests {
                cluster.latency(text, &requests.added_latency);
            }
        },
    ),
    histogram(
        "kproxy_connect_upstream_seconds",
        "Time to find and connect to a broker.",
        |cluster, text| cluster.latency(text, &cluster.metrics.counters.connect_upstream.counts()),
    ),
    gauge(
        "kproxy_upstream_up",
        "1 if the newest attempt to reach a broker succeeded; absent if nobody has tried for 15 minutes.",
        |cluster, text| {
            for node in &cluster.metrics.upstream {
                if let Some(up) = node.up {
                    text.count(
                        &cluster.labels,
                        &[("node_id", &node.node.to_string())],
                        u64::from(up),
                    );
                }
            }
        },
    ),
    gauge(
        "kproxy_upstream_last_success_timestamp_seconds",
        "Time when an attempt to reach a broker last succeeded.",
        |cluster, text| {
            for node in &cluster.metrics.upstream {
                if let Some(at) = node.last_success {
                    let node = node.node.to_string();
                    text.number(&cluster.labels, &[("node_id", &node)], unix_seconds_f64(at));
                }
            }
        },
    ),
    gauge(
        "kproxy_bootstrap_servers_tried_last",
        "Bootstrap servers that are tried after the others, because they did not answer lately.",
        |cluster, text| text.count(&cluster.labels, &[], cluster.metrics.tried_last as u64),
    ),
    gauge(
        "kproxy_virtual_cluster_state",
        "1 for the state of the virtual cluster.",
        |cluster, text| {
            for state in ReportedState::ALL.map(ReportedState::name) {
                let is_in_it = u64::from(state == cluster.metrics.state);
                text.count(&cluster.labels, &[("state", state)], is_in_it);
            }
        },
    ),
    histogram(
        "kproxy_drain_duration_seconds",
        "Duration of drains that have ended.",
        |cluster, text| {
            if cluster.metrics.drains.durations.total() > 0 {
                text.histogram(&cluster.labels, &cluster.metrics.drains.durations);
            }
        },
    ),
    counter(
        "kproxy_drain_forced",
        "Sessions closed at the hard deadline with requests unanswered.",
        |cluster, text| text.count(&cluster.labels, &[], cluster.metrics.drains.forced),
    ),
    counter(
        "kproxy_sessions_moved",
        "Sessions that went on over another broker connection, without their clients noticing.",
        |cluster, text| text.count(&cluster.labels, &[], load(&cluster.metrics.counters.moved)),
    ),
    counter(
        "kproxy_rewritten_addresses",
        "Broker addresses rewritten in responses.",
        |cluster, text| {
            let rewritten = load(&cluster.metrics.counters.rewritten_addresses);
            text.count(&cluster.labels, &[], rewritten);
        },
    ),
    counter(
        "kproxy_withheld_nodes",
        "Brokers left out of responses because they have no endpoint.",
        |cluster, text| {
            let withheld = load(&cluster.metrics.counters.withheld_nodes);
            text.count(&cluster.labels, &[], withheld);
        },
    ),
    counter(
        "kproxy_authentication_failures",
        "Clients that a broker refused to authenticate.",
        |cluster, text| {
            let refused = load(&cluster.metrics.counters.refused_credentials);
            text.count(&cluster.labels, &[], refused);
        },
    ),
    counter(
        "kproxy_upstream_login_renewals",
        "Logins of kproxy at brokers that were repeated before their lifetime ended, by outcome.",
        |cluster, text| {
            let counters = &cluster.metrics.counters;
            for (outcome, count) in [
                ("renewed", &counters.renewed_logins),
                ("failed", &counters.failed_renewals),
            ] {
                text.count(&cluster.labels, &[("outcome", outcome)], load(count));
            }
        },
    ),
    counter(
        "kproxy_error_answers",
        "Answers to ApiVersions with an error, apart from UNSUPPORTED_VERSION.",
        |cluster, text| {
            let errors = load(&cluster.metrics.counters.error_answers);
            text.count(&cluster.labels, &[], errors);
        },
    ),
    counter(
        "kproxy_filter_requests",
        "Requests that a filter decided about, by outcome.",
        |cluster, text| {
            for (filter, counters) in cluster.metrics.filters.counters() {
                let labels = cluster.labels.and("filter", filter);
                for outcome in FilterOutcome::ALL {
                    text.count(&labels, &[("outcome", outcome.name())], counters.get(outcome));
                }
            }
        },
    ),
    histogram(
        "kproxy_filter_seconds",
        "Time that it took a filter to decide about a request or an answer, without what it waited for.",
        |cluster, text| {
            for (filter, counters) in cluster.metrics.filters.counters() {
                let counts = counters.seconds.counts();
                if counts.total() > 0 {
                    text.histogram(&cluster.labels.and("filter", filter), &counts);
                }
            }
        },
    ),
    counter(
        "kproxy_filter_panics",
        "Panics of a filter, each of which has ended a session.",
        |cluster, text| {
            for (filter, health) in cluster.metrics.filters.health() {
                let labels = cluster.labels.and("filter", filter);
                text.count(&labels, &[], health.panics());
            }
        },
    ),
    gauge(
        "kproxy_filter_quarantined",
        "Whether a filter is not asked any more, because it has panicked three times within a minute.",
        |cluster, text| {
            for (filter, health) in cluster.metrics.filters.health() {
                let labels = cluster.labels.and("filter", filter);
                text.count(&labels, &[], u64::from(health.is_quarantined()));
            }
        },
    ),
    counter(
        "kproxy_authorization",
        "Decisions of access rules by kind of resource, operation, decision and mode of the filter.",
        |cluster, text| {
            for ((resource, operation, decision, mode), count) in decisions(&cluster.metrics.filters) {
                let labels = [
                    ("resource", resource),
                    ("operation", operation),
                    ("decision", decision),
                    ("mode", mode),
                ];
                text.count(&cluster.labels, &labels, count);
            }
        },
    ),
    counter(
        "kproxy_fenced_requests",
        "Requests that a fence has stopped, by what became of them; one that was held and then answered counts as both.",
        |cluster, text| {
            for outcome in FencedOutcome::ALL {
                let count = cluster.metrics.counters.fenced.get(outcome);
                text.count(&cluster.labels, &[("answer", outcome.name())], count);
            }
        },
    ),
    gauge(
        "kproxy_filter_generations_live",
        "Versions of the filters that are in use: the newest, and those before it whose requests have no answer yet.",
        |cluster, text| {
            let live = cluster.metrics.filters.live_generations() as u64;
            if live > 0 {
                text.count(&cluster.labels, &[], live);
            }
        },
    ),
    counter(
        "kproxy_tokens",
        "Tokens of OAUTHBEARER that a filter has checked, by outcome.",
        |cluster, text| {
            for (filter, figures) in cluster.metrics.filters.token_figures() {
                let labels = cluster.labels.and("filter", filter);
                for (outcome, count) in figures.tokens {
                    text.count(&labels, &[("outcome", outcome.name())], count);
                }
            }
        },
    ),
    counter(
        "kproxy_issuer_fetches",
        "Attempts to fetch the keys of an issuer of tokens, by outcome.",
        |cluster, text| {
            for (filter, figures) in cluster.metrics.filters.token_figures() {
                let labels = cluster.labels.and("filter", filter);
                text.count(&labels, &[("outcome", "fetched")], figures.keys.fetched);
                text.count(&labels, &[("outcome", "failed")], figures.keys.failed);
            }
        },
    ),
    gauge(
        "kproxy_issuer_keys",
        "Keys of an issuer of tokens that are known.",
        |cluster, text| {
            for (filter, figures) in cluster.metrics.filters.token_figures() {
                text.count(&cluster.labels.and("filter", filter), &[], figures.keys.keys);
            }
        },
    ),
    gauge(
        "kproxy_issuer_unreachable",
        "1 while the keys of an issuer of tokens cannot be fetched, and those that are known stay in use.",
        |cluster, text| {
            for (filter, figures) in cluster.metrics.filters.token_figures() {
                let unreachable = figures.keys.unreachable.into();
                text.count(&cluster.labels.and("filter", filter), &[], unreachable);
            }
        },
    ),
    counter(
        "kproxy_client_logins",
        "Authentications of clients at kproxy, and connections of clients that did not authenticate again in time.",
        |cluster, text| {
            for (filter, logins) in cluster.metrics.filters.client_logins() {
                let labels = cluster.labels.and("filter", filter);
                for outcome in ClientLoginOutcome::ALL {
                    text.count(&labels, &[("outcome", outcome.name())], logins.get(outcome));
                }
            }
        },
    ),
    counter(
        "kproxy_given_up_sessions",
        "Sessions whose client left after 10 s without an answer.",
        |cluster, text| {
            let given_up = load(&cluster.metrics.counters.given_up);
            text.count(&cluster.labels, &[], given_up);
        },
    ),
];

/// Names of resource, operation, decision and mode.
type DecisionLabels = (&'static str, &'static str, &'static str, &'static str);

/// Decisions of all filters with access rules together.
fn decisions(filters: &FilterChain) -> BTreeMap<DecisionLabels, u64> {
    let mut counts = BTreeMap::new();
    for total in filters.decisions().flat_map(|(_, decisions)| decisions.totals()) {
        let decision = if total.allowed { "allow" } else { "deny" };
        let mode = if total.is_shadow {
            FilterMode::Shadow
        } else {
            FilterMode::Enforce
        };
        let labels = (
            total.resource.name(),
            total.operation.name(),
            decision,
            mode.name(),
        );
        *counts.entry(labels).or_default() += total.count;
    }
    counts
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
