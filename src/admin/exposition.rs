//! [`MetricsSnapshot`] as text for Prometheus.
//!
//! There is no metrics library: everything is a snapshot, and a registry owns live metrics. A scraper that does not ask for
//! OpenMetrics gets the older text format, in which counters are declared differently.

mod clusters;
mod process;
mod text;

pub use process::ProcessMetrics;
pub use text::Format;

use crate::control::metrics::{MetricKind, MetricsSnapshot, SampleValue};
use text::{ExpositionText, Labels};

/// Renders everything that is measured as the body of an answer to a scrape.
pub fn render(snapshot: &MetricsSnapshot, process: &ProcessMetrics, format: Format) -> String {
    let mut text = ExpositionText::new(format);
    clusters::write(&snapshot.clusters, &mut text);
    text.family(
        "kproxy_reconfigure_duration_seconds",
        MetricKind::Histogram,
        "Time from the beginning of a reload to its end, drains not included.",
    );
    text.histogram(&Labels::default(), &snapshot.reloads.durations);
    for metric in snapshot.of_process() {
        text.family(metric.name, metric.kind, metric.help);
        for (labels, value) in metric.samples {
            let labels = labels
                .iter()
                .fold(Labels::default(), |labels, (name, value)| labels.and(name, value));
            match value {
                SampleValue::Count(count) => text.count(&labels, count),
                SampleValue::Number(number) => text.number(&labels, number),
            }
        }
    }
    process.write(&mut text);
    text.finish()
}
