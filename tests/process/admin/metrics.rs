//! The exposition, read by a strict reader of both formats.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kproxy::admin::SocketPath;
use kproxy::drain::{ConnectionTracker, SessionProgress};
use kproxy::session::cause::CloseCause;
use kproxy::session::context::NodeRole;
use kproxy::session::counters::ClusterCounters;

use super::fake::{Fake, HOSTILE};
use super::http::{get, request};

type Labels = BTreeMap<String, String>;

/// What a reader understands.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// Declared families with their types.
    families: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Exposition {
    /// Takes nothing that the formats do not allow: every sample belongs to the family declared last, no family comes
    /// twice, no series comes twice.
    #[track_caller]
    pub(crate) fn read(text: &str, open_metrics: bool) -> Self {
        let mut found = Self::default();
        let mut current: Option<(String, String)> = None;
        let mut helped = None;
        let mut lines = text.lines().peekable();
        assert!(text.ends_with('\n') && !text.contains('\r'));
        while let Some(line) = lines.next() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(!help.is_empty() && !help.contains('\\'), "{line}");
                helped = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(helped.as_deref(), Some(name), "{line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(found.families.insert(name.into(), kind.into()), None, "{line}");
                current = Some((name.into(), kind.into()));
            } else if line == "# EOF" {
                assert!(open_metrics && lines.peek().is_none(), "text behind the end");
                return found;
            } else {
                let (name, labels, value) = sample(line);
                let (family, kind) = current.as_ref().unwrap();
                let suffixes: &[&str] = match (kind.as_str(), open_metrics) {
                    ("counter", true) => &["_total"],
                    ("histogram", _) => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                let belongs = suffixes.iter().any(|suffix| name == format!("{family}{suffix}"));
                assert!(belongs, "{line} under {family}");
                assert!(kind != "counter" || (family.ends_with("_total") != open_metrics && value >= 0.0));
                assert_eq!(found.samples.insert((name, labels), value), None, "{line}");
            }
        }
        assert!(!open_metrics, "no end");
        found
    }

    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Labels = labels.iter().map(|&(k, v)| (k.into(), v.into())).collect();
        let key = (name.to_owned(), labels);
        match self.samples.get(&key) {
            Some(&value) => value,
            None => panic!("no {key:?}"),
        }
    }

    fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|(name, _)| name.as_str()).collect()
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `name{label="value",…} number`
#[track_caller]
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let mut value = String::new();
            let mut characters = after.char_indices();
            let close = loop {
                match characters.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match characters.next().unwrap().1 {
                        'n' => '\n',
                        escaped @ ('\\' | '"') => escaped,
                        other => panic!("\\{other} in {line}"),
                    }),
                    (_, character) => value.push(character),
                }
            };
            assert_eq!(labels.insert(label.into(), value), None, "{line}");
            rest = &after[close + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    let value = rest.strip_prefix(' ').unwrap();
    assert!(!value.contains(' '), "{line}");
    (name.into(), labels, value.parse().unwrap())
}

const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// One session that lives, one that ended, one whose broker was not there.
fn sessions(counters: &Arc<ClusterCounters>) -> impl Sized + use<> {
    let tracker = Arc::new(ConnectionTracker::default());
    let node = counters.node(NodeRole::Node(1));
    let (one, two, three) = (
        tracker.register(1, CLIENT, 1, None),
        tracker.register(2, CLIENT, 1, None),
        tracker.register(3, CLIENT, 1, None),
    );
    let moved = |client_bytes, in_flight| SessionProgress {
        in_flight,
        client_bytes,
        broker_bytes: 2 * client_bytes,
        client_written: 3 * client_bytes,
        broker_written: 4 * client_bytes,
        requests: 5,
    };
    let mut live = node.join(one.handle());
    live.connected();
    one.handle().activity.note(moved(100, 2));
    let mut ended = node.join(two.handle());
    ended.connected();
    two.handle().activity.note(moved(1, 7));
    ended.count_close(CloseCause::UpstreamClosedEarly);
    drop(ended);
    let unreachable = counters.node(NodeRole::Bootstrap).join(three.handle());
    unreachable.count_close(CloseCause::UpstreamUnreachable);
    let tally = counters.tally();
    tally.count(3, 12, 6);
    tally.upstream_response.observe_us(1000);
    tally.added_latency.observe_us(10);
    counters.connect_upstream.observe_us(500);
    (one, live)
}

/// Promise 3: both formats, every name, the right numbers.
#[test]
fn every_name_is_there_and_right() {
    let fake = Fake::start();
    let counters = fake.with(|facts| Arc::clone(&facts.clusters[0].1));
    let _live = sessions(&counters);
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let plain = get(at, "/metrics");
    assert_eq!(
        plain.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5";
    let open = request(at, &format!("GET /metrics HTTP/1.1\n{accept}"));
    assert!(open.headers["content-type"].starts_with("application/openmetrics-text; version=1.0.0"));
    let plain = Exposition::read(&plain.body, false);
    let open = Exposition::read(&open.body, true);
    assert_eq!(plain.names(), open.names());
    let cluster = ("virtual_cluster", HOSTILE);
    let node = [cluster, ("node_id", "1")];
    let bootstrap = [cluster, ("node_id", "bootstrap")];
    let with_cause = |cause| [cluster, ("node_id", "1"), ("cause", cause)];
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let expected: &[(&str, Pairs<'_>, f64)] = &[
        ("client_to_proxy_connections_total", &node, 2.0),
        ("client_to_proxy_connections_total", &bootstrap, 1.0),
        ("client_to_proxy_active_connections", &node, 1.0),
        ("client_to_proxy_active_connections", &bootstrap, 0.0),
        (
            "client_to_proxy_disconnects_total",
            &with_cause("upstream_closed_early"),
            1.0,
        ),
        ("proxy_to_server_connections_total", &node, 2.0),
        ("proxy_to_server_connections_total", &bootstrap, 0.0),
        ("proxy_to_server_active_connections", &node, 1.0),
        (
            "proxy_to_server_disconnects_total",
            &with_cause("upstream_closed_early"),
            1.0,
        ),
        (
            "proxy_to_server_errors_total",
            &with_cause("upstream_closed_early"),
            1.0,
        ),
        (
            "proxy_to_server_errors_total",
            &[bootstrap[0], bootstrap[1], ("cause", "upstream_unreachable")],
            1.0,
        ),
        (
            "client_to_proxy_request_total",
            &[cluster, ("api_key", "Metadata"), ("api_version", "12")],
            6.0,
        ),
        ("client_to_proxy_bytes_total", &node, 101.0),
        ("server_to_proxy_bytes_total", &node, 202.0),
        ("proxy_to_client_bytes_total", &node, 303.0),
        ("proxy_to_server_bytes_total", &node, 404.0),
        ("in_flight_requests", &node, 2.0),
        ("upstream_response_seconds_count", &[cluster], 1.0),
        ("upstream_response_seconds_sum", &[cluster], 0.001),
        (
            "upstream_response_seconds_bucket",
            &[cluster, ("le", "0.000512")],
            0.0,
        ),
        (
            "upstream_response_seconds_bucket",
            &[cluster, ("le", "0.001024")],
            1.0,
        ),
        ("added_latency_seconds_count", &[cluster], 1.0),
        ("connect_upstream_seconds_count", &[cluster], 1.0),
        (
            "reconfigure_total",
            &[("outcome", "rejected"), ("trigger", "watch")],
            1.0,
        ),
        ("reconfigure_duration_seconds_count", &[], 2.0),
        ("config_last_reload_successful", &[], 0.0),
        ("config_last_reload_success_timestamp_seconds", &[], 1500.5),
        ("config_generation", &[], 3.0),
        ("config_info", &[("hash", "ab12")], 1.0),
        ("config_in_sync", &[], 1.0),
        ("virtual_cluster_state", &[cluster, ("state", "serving")], 1.0),
        ("virtual_cluster_state", &[cluster, ("state", "failed")], 0.0),
        ("drains_running", &[], 1.0),
        ("drain_duration_seconds_count", &[cluster], 1.0),
        ("drain_forced_total", &[cluster], 0.0),
        ("accept_errors_total", &[("errno", "EMFILE")], 4.0),
        ("upstream_up", &bootstrap, 0.0),
        ("upstream_up", &node, 1.0),
        ("upstream_last_success_timestamp_seconds", &node, 2.5),
        ("virtual_cluster_state", &[cluster, ("state", "degraded")], 0.0),
        ("warnings", &[], 5.0),
        ("limit_reached", &[("limit", "connections")], 1.0),
        ("limit_reached", &[("limit", "buffers")], 0.0),
        ("buffers_in_use_bytes", &[], 77.0),
        ("rewritten_addresses_total", &[cluster], 0.0),
        ("withheld_nodes_total", &[cluster], 0.0),
        ("authentication_failures_total", &[cluster], 0.0),
        ("error_answers_total", &[cluster], 0.0),
        ("given_up_sessions_total", &[cluster], 0.0),
        ("rollbacks_total", &[("reason", "latency")], 2.0),
    ];
    for (name, labels, value) in expected {
        assert_eq!(plain.value(&format!("kproxy_{name}"), labels), *value, "{name}");
        assert_eq!(open.value(&format!("kproxy_{name}"), labels), *value, "{name}");
    }
    for name in [
        "kproxy_build_info",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
        "process_threads",
    ] {
        assert!(plain.names().contains(name), "{name}");
    }
    assert!(
        !plain
            .samples
            .iter()
            .any(|((name, _), &count)| name == "kproxy_client_to_proxy_errors_total" && count > 0.0),
        "what brokers do is not the clients' error"
    );
}

/// Promise 4.
#[test]
fn a_cluster_that_is_gone_leaves_no_series() {
    let fake = Fake::start();
    fake.with(|facts| facts.clusters.push(("gone".into(), Arc::default())));
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    assert!(get(at, "/metrics").body.contains("gone"));
    fake.with(|facts| facts.clusters.truncate(1));
    assert!(!get(at, "/metrics").body.contains("gone"));
}

/// A total that a scrape has seen never goes back when a session ends.
#[test]
fn totals_do_not_go_back_when_a_session_ends() {
    let counters = Arc::<ClusterCounters>::default();
    let node = counters.node(NodeRole::Bootstrap);
    let tracker = Arc::new(ConnectionTracker::default());
    std::thread::scope(|scope| {
        let sessions = scope.spawn(|| {
            for id in 0..20_000 {
                let guard = tracker.register(id, CLIENT, 1, None);
                let membership = node.join(guard.handle());
                let client_bytes = 10;
                guard.handle().activity.note(SessionProgress {
                    client_bytes,
                    ..SessionProgress::default()
                });
                drop(membership);
            }
        });
        let mut last = 0;
        while !sessions.is_finished() {
            let now = node.traffic().moved.client_bytes;
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
    });
    assert_eq!(node.traffic().moved.client_bytes, 200_000);
}

/// Promise 4. An unoptimised build takes many times as long as a released one, which takes a tenth of a second.
#[test]
fn ten_thousand_clusters_are_told_in_good_time() {
    let fake = Fake::start();
    let cluster = |number| {
        let counters = Arc::<ClusterCounters>::default();
        let tracker = Arc::new(ConnectionTracker::default());
        let guard = tracker.register(1, CLIENT, 1, None);
        for role in [NodeRole::Bootstrap, NodeRole::Node(1)] {
            counters
                .node(role)
                .join(guard.handle())
                .count_close(CloseCause::ClientClosed);
        }
        counters.tally().count(3, 12, 6);
        (format!("cluster-{number}"), counters)
    };
    fake.with(|facts| facts.clusters = (0..10_000).map(cluster).collect());
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let began = Instant::now();
    let reply = get(admin.http().unwrap(), "/metrics");
    let took = began.elapsed();
    assert_eq!(reply.status, 200);
    assert!(reply.body.lines().count() > 250_000);
    let limit = if cfg!(debug_assertions) { 10_000 } else { 400 };
    assert!(took < Duration::from_millis(limit), "{took:?}");
    println!("{took:?} for {} bytes", reply.body.len());
}
