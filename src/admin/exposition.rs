//! [`MetricsSnapshot`] as text for Prometheus.
//!
//! Written by hand: everything is a snapshot, so a registry that owns live metrics would only be in the way, and a
//! scraper that does not ask for OpenMetrics gets the older text format, in which some names are declared differently.

mod clusters;
mod process;
mod text;
mod tls;

pub use process::ProcessMetrics;
pub use text::Format;

use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use crate::control::metrics::{LOG_LINES_DROPPED, MetricsSnapshot};
use text::{Kind, Labels, Text};

/// Everything there is to measure, as the body of an answer to a scrape.
pub fn render(snapshot: &MetricsSnapshot, process: &ProcessMetrics, format: Format) -> String {
    let mut text = Text::new(format);
    clusters::write(&snapshot.clusters, &mut text);
    reloads(snapshot, &mut text);
    tls::write(snapshot, &mut text);
    whole_process(snapshot, &mut text);
    process.write(&mut text);
    text.finish()
}

fn reloads(snapshot: &MetricsSnapshot, text: &mut Text) {
    text.family(
        "kproxy_reconfigure",
        Kind::Counter,
        "Reloads by what came of them.",
    );
    for (outcome, trigger, count) in snapshot.reloads.iter() {
        let labels = Labels::of("outcome", outcome.name()).and("trigger", trigger.name());
        text.count(&labels, count);
    }
    text.family(
        "kproxy_reconfigure_duration_seconds",
        Kind::Histogram,
        "From the beginning of a reload to its end, drains not included.",
    );
    text.histogram(&Labels::default(), &snapshot.reloads.durations);
    let gauges = [
        (
            "kproxy_config_last_reload_successful",
            "Whether the last reload was applied or changed nothing.",
            f64::from(u8::from(snapshot.last_reload_successful)),
        ),
        (
            "kproxy_config_last_reload_success_timestamp_seconds",
            "When a reload last succeeded.",
            snapshot
                .last_success
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64(),
        ),
        (
            "kproxy_config_generation",
            "The running configuration's number.",
            snapshot.generation as f64,
        ),
        (
            "kproxy_config_in_sync",
            "Whether the files mean what runs.",
            f64::from(u8::from(snapshot.in_sync)),
        ),
    ];
    for (name, help, value) in gauges {
        text.family(name, Kind::Gauge, help);
        text.number(&Labels::default(), value);
    }
    text.family(
        "kproxy_config_info",
        Kind::Gauge,
        "The running configuration, by its hash.",
    );
    text.count(&Labels::of("hash", &snapshot.config_hash), 1);
}

fn whole_process(snapshot: &MetricsSnapshot, text: &mut Text) {
    text.family(
        "kproxy_drains_running",
        Kind::Gauge,
        "Drains that have sessions left.",
    );
    text.count(&Labels::default(), snapshot.drains_running as u64);
    text.family(
        "kproxy_accept_errors",
        Kind::Counter,
        "Connections that could not be accepted.",
    );
    for &(errno, count) in &snapshot.accept_errors {
        text.count(&Labels::of("errno", errno), count);
    }
    text.family(
        "kproxy_warnings",
        Kind::Gauge,
        "Warnings in force; `kproxy status` shows them.",
    );
    text.count(&Labels::default(), snapshot.warnings);
    text.family(
        "kproxy_limit_reached",
        Kind::Gauge,
        "1 for a limit that is reached: somebody waits, is turned away, or loses something because of it.",
    );
    for &(limit, reached) in &snapshot.limits {
        text.count(&Labels::of("limit", limit), u64::from(reached));
    }
    text.family(
        "kproxy_buffers_in_use_bytes",
        Kind::Gauge,
        "Memory that holds what a slow peer has not taken.",
    );
    text.count(&Labels::default(), snapshot.buffers_in_use_bytes);
    text.family(
        "kproxy_log_lines_dropped",
        Kind::Counter,
        "Log lines that nobody read in time.",
    );
    text.count(&Labels::default(), LOG_LINES_DROPPED.load(Ordering::Relaxed));
    text.family("kproxy_build_info", Kind::Gauge, "What runs.");
    let build = Labels::of("version", env!("CARGO_PKG_VERSION")).and("commit", env!("KPROXY_COMMIT"));
    text.count(&build, 1);
}
