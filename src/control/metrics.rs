//! Metrics as data, taken anew at each scrape, so that a removed cluster leaves no series behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::shutdown_times::ShutdownPhase;
use crate::audit_file::AUDIT_LINES_LOST;
use crate::filter::FilterChain;
use crate::names::names;
use crate::reload::{Outcome, Trigger};
use crate::session::context::NodeRole;
use crate::session::counters::{ClusterCounters, HistogramCounts, SpanBounds};
use crate::time::unix_seconds_f64;

/// Log lines dropped since the process began because the queue of the log writer was full.
pub static LOG_LINES_DROPPED: AtomicU64 = AtomicU64::new(0);

names! {
    /// What came of a notification for a webhook.
    pub enum NotificationOutcome {
        /// The server has taken it.
        Delivered = "delivered",
        /// It was given up: refused, tried too often, or too old.
        Failed = "failed",
        /// Too many waited for that webhook.
        Dropped = "dropped",
    }
}

/// Notifications since the process began, by outcome.
static NOTIFICATIONS: [AtomicU64; NotificationOutcome::ALL.len()] =
    [const { AtomicU64::new(0) }; NotificationOutcome::ALL.len()];

impl NotificationOutcome {
    /// Counts one notification.
    pub fn count(self) {
        NOTIFICATIONS[self as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of notifications so far.
    pub fn total(self) -> u64 {
        NOTIFICATIONS[self as usize].load(Ordering::Relaxed)
    }
}

/// Everything `/metrics` shows, apart from the resources of the process.
#[derive(Debug, Clone)]
pub struct MetricsSnapshot {
    /// Generation of the running configuration.
    pub generation: u64,
    /// Hash of the running configuration in hex.
    pub config_hash: String,
    /// Whether the configuration file, as read last, is what runs.
    pub in_sync: bool,
    /// Whether the last reload was applied or found nothing to change.
    pub last_reload_successful: bool,
    /// Time of the last such reload.
    pub last_success: SystemTime,
    /// Counts and durations of reloads.
    pub reloads: ReloadCounters,
    /// Rollbacks that were applied, by reason.
    pub rollbacks: Vec<(&'static str, u64)>,
    /// Virtual clusters by name, removed ones included while they drain.
    pub clusters: Vec<ClusterMetrics>,
    /// Drains that have sessions left.
    pub drains_running: usize,
    /// Errors of accept(2) by the name of their errno.
    pub accept_errors: Vec<(&'static str, u64)>,
    /// Warnings in force.
    pub warnings: u64,
    /// Names of all limits, and whether each is reached.
    pub limits: Vec<(&'static str, bool)>,
    /// Bytes held in buffers of sessions.
    pub buffers_in_use_bytes: u64,
    /// Bytes of frames that are held for filters.
    pub filter_bytes_held: u64,
    /// Files of certificates in use, with the earliest expiry of each in seconds since 1970.
    pub certificates: Vec<(String, i64)>,
    /// Sessions ended for reasons of TLS since the process began, by cause.
    pub tls_errors: Vec<(&'static str, u64)>,
    /// Connections that ended before their virtual cluster was known, by cause.
    pub unrouted: Vec<(&'static str, u64)>,
    /// Time spent in each phase of the shutdown so far, by name.
    pub shutdown_phases: [(&'static str, Duration); ShutdownPhase::ALL.len()],
}

/// Metrics of one virtual cluster.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    /// Name of the virtual cluster.
    pub name: String,
    /// Name of its [`ClusterState`](crate::cluster::ClusterState), or `degraded`.
    pub state: &'static str,
    /// Counters of its sessions.
    pub counters: Arc<ClusterCounters>,
    /// Drains that have ended.
    pub drains: DrainCounters,
    /// Its filters.
    pub filters: FilterChain,
    /// Brokers by node; bootstrap servers together.
    pub upstream: Vec<UpstreamMetrics>,
    /// Number of bootstrap servers that are tried last, because they did not answer lately.
    pub tried_last: usize,
}

/// Reachability of the broker of one node.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    /// The node, or the bootstrap servers.
    pub node: NodeRole,
    /// Whether the newest attempt succeeded; `None` if the newest one was long ago.
    pub up: Option<bool>,
    /// Time of the last successful attempt.
    pub last_success: Option<SystemTime>,
}

/// Reloads since the process began, by outcome and trigger.
#[derive(Debug, Clone, Default)]
pub struct ReloadCounters {
    counts: [[u64; Trigger::ALL.len()]; Outcome::ALL.len()],
    /// Time from the beginning of a reload to its end, drains not included.
    pub durations: HistogramCounts<SpanBounds>,
}

/// Drains of one virtual cluster that have ended.
#[derive(Debug, Clone, Default)]
pub struct DrainCounters {
    /// Time from the beginning of a drain to the end of its last session.
    pub durations: HistogramCounts<SpanBounds>,
    /// Sessions closed at the hard deadline with requests unanswered.
    pub forced: u64,
}

impl ReloadCounters {
    /// Counts one reload.
    pub fn count(&mut self, outcome: Outcome, trigger: Trigger, duration: Duration) {
        self.counts[outcome as usize][trigger as usize] += 1;
        self.durations.observe(duration);
    }

    /// Every pair of outcome and trigger, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, Trigger, u64)> + '_ {
        let pairs = Outcome::ALL
            .into_iter()
            .flat_map(|outcome| Trigger::ALL.map(|trigger| (outcome, trigger)));
        pairs.map(|(outcome, trigger)| (outcome, trigger, self.counts[outcome as usize][trigger as usize]))
    }
}

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows; its samples are called `NAME_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket, with sum and number.
    Histogram,
}

/// A metric of the whole process with its samples.
#[derive(Debug)]
pub struct Metric<'s> {
    /// Name, for counters without `_total`.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// What it counts, in a sentence.
    pub help: &'static str,
    /// Samples, each with its labels.
    pub samples: Vec<(Vec<(&'static str, &'s str)>, SampleValue)>,
}

/// Value of a sample, which decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleValue {
    /// `7`
    Count(u64),
    /// `7.0`
    Number(f64),
}

impl From<u64> for SampleValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for SampleValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<'s> Metric<'s> {
    fn gauge(name: &'static str, help: &'static str, value: impl Into<SampleValue>) -> Self {
        Self {
            name,
            kind: MetricKind::Gauge,
            help,
            samples: vec![(Vec::new(), value.into())],
        }
    }

    fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self {
            kind: MetricKind::Counter,
            ..Self::gauge(name, help, value)
        }
    }

    /// One sample for each value of `label`.
    fn by(
        self,
        label: &'static str,
        samples: impl IntoIterator<Item = (&'s str, impl Into<SampleValue>)>,
    ) -> Self {
        let sample = |(name, value): (&'s str, _)| (vec![(label, name)], Into::into(value));
        Self {
            samples: samples.into_iter().map(sample).collect(),
            ..self
        }
    }
}

impl MetricsSnapshot {
    /// Returns the metrics of the whole process, in the order of the exposition. A new one needs a row here, and a field
    /// above unless its counter is a static.
    pub fn of_process(&self) -> Vec<Metric<'_>> {
        let reloads = self.reloads.iter().map(|(outcome, trigger, count)| {
            let labels = vec![("outcome", outcome.name()), ("trigger", trigger.name())];
            (labels, count.into())
        });
        vec![
            Metric {
                samples: reloads.collect(),
                ..Metric::counter("kproxy_reconfigure", "Reloads by outcome and trigger.", 0)
            },
            Metric::counter("kproxy_rollbacks", "Rollbacks that were applied, by reason.", 0)
                .by("reason", self.rollbacks.iter().copied()),
            Metric::gauge(
                "kproxy_config_last_reload_successful",
                "1 if the last reload was applied or changed nothing.",
                f64::from(u8::from(self.last_reload_successful)),
            ),
            Metric::gauge(
                "kproxy_config_last_reload_success_timestamp_seconds",
                "Time of the last reload that was applied or changed nothing.",
                unix_seconds_f64(self.last_success),
            ),
            Metric::gauge(
                "kproxy_config_generation",
                "Number of the running configuration.",
                self.generation as f64,
            ),
            Metric::gauge(
                "kproxy_config_in_sync",
                "1 if the files mean what runs.",
                f64::from(u8::from(self.in_sync)),
            ),
            Metric::gauge("kproxy_config_info", "Hash of the running configuration.", 1_u64)
                .by("hash", [(self.config_hash.as_str(), 1_u64)]),
            Metric::gauge(
                "kproxy_tls_certificate_expiry_timestamp_seconds",
                "Time when the first certificate of a file in use expires.",
                0.0,
            )
            .by(
                "file",
                self.certificates
                    .iter()
                    .map(|(file, at)| (file.as_str(), *at as f64)),
            ),
            Metric::counter(
                "kproxy_tls_handshake_errors",
                "Connections of clients and to brokers on which TLS failed.",
                0,
            )
            .by("cause", self.tls_errors.iter().copied()),
            Metric::counter(
                "kproxy_unrouted_disconnects",
                "Client connections that ended before their virtual cluster was known.",
                0,
            )
            .by("cause", self.unrouted.iter().copied()),
            Metric::gauge(
                "kproxy_drains_running",
                "Drains that have sessions left.",
                self.drains_running as u64,
            ),
            Metric::counter(
                "kproxy_accept_errors",
                "Connections that could not be accepted.",
                0,
            )
            .by("errno", self.accept_errors.iter().copied()),
            Metric::gauge(
                "kproxy_warnings",
                "Warnings in force; `kproxy status` shows them.",
                self.warnings,
            ),
            Metric::gauge(
                "kproxy_limit_reached",
                "1 for a limit that is reached: clients wait, are refused, or lose something because of it.",
                0_u64,
            )
            .by(
                "limit",
                self.limits
                    .iter()
                    .map(|&(limit, reached)| (limit, u64::from(reached))),
            ),
            Metric::gauge(
                "kproxy_buffers_in_use_bytes",
                "Bytes held for peers that read slowly.",
                self.buffers_in_use_bytes,
            ),
            Metric::gauge(
                "kproxy_filter_bytes_held",
                "Bytes of requests and answers that are held for filters.",
                self.filter_bytes_held,
            ),
            Metric::gauge(
                "kproxy_shutdown_phase_seconds",
                "Time spent in each phase of the shutdown; 0 before it begins.",
                0.0,
            )
            .by(
                "phase",
                self.shutdown_phases
                    .iter()
                    .map(|(phase, spent)| (*phase, spent.as_secs_f64())),
            ),
            Metric::counter(
                "kproxy_log_lines_dropped",
                "Log lines that nobody read in time.",
                LOG_LINES_DROPPED.load(Ordering::Relaxed),
            ),
            Metric::counter(
                "kproxy_audit_lines_lost",
                "Audit lines that could not be written to their file.",
                AUDIT_LINES_LOST.load(Ordering::Relaxed),
            ),
            Metric::counter(
                "kproxy_notifications",
                "Notifications for webhooks by outcome.",
                0,
            )
            .by(
                "outcome",
                NotificationOutcome::ALL.map(|outcome| (outcome.name(), outcome.total())),
            ),
            Metric {
                samples: vec![(
                    vec![
                        ("version", env!("CARGO_PKG_VERSION")),
                        ("commit", env!("KPROXY_COMMIT")),
                    ],
                    SampleValue::Count(1),
                )],
                ..Metric::gauge("kproxy_build_info", "Version of the running kproxy.", 1_u64)
            },
        ]
    }
}
