//! [`MetricsSnapshot`] as text for Prometheus.
//!
//! There is no metrics library: everything is a snapshot, and a registry owns live metrics. A scraper that does not ask for
//! OpenMetrics gets the older text format, in which counters are declared differently.

mod clusters;
mod process;
mod text;

pub use process::ProcessMetrics;
pub use text::Format;

use std::vec;

use crate::control::metrics::{ClusterMetrics, MetricKind, MetricsSnapshot, SampleValue};
use clusters::{ClusterView, FAMILIES};
use text::{ExpositionText, Labels};

/// Size of a part of the text, in bytes: ten thousand clusters have eighty megabytes, and nobody needs them at once.
const PART: usize = 64 * 1024;

/// The text for one scrape, made part by part.
#[derive(Debug)]
pub struct Exposition {
    snapshot: MetricsSnapshot,
    process: ProcessMetrics,
    /// Clusters whose counters have been read.
    views: Vec<ClusterView>,
    /// The other ones; they are read when the first family comes to them.
    unread: vec::IntoIter<ClusterMetrics>,
    text: ExpositionText,
    /// The family of [`FAMILIES`] and the cluster that come next.
    next: (usize, usize),
    is_complete: bool,
}

/// Renders everything that is measured as one text.
pub fn render(snapshot: &MetricsSnapshot, process: &ProcessMetrics, format: Format) -> String {
    let parts = Exposition::new(snapshot.clone(), process.clone(), format);
    String::from_utf8(parts.flatten().collect()).unwrap_or_default()
}

impl Exposition {
    /// Begins the text. Counters are read when it comes to them.
    pub fn new(mut snapshot: MetricsSnapshot, process: ProcessMetrics, format: Format) -> Self {
        let unread = std::mem::take(&mut snapshot.clusters).into_iter();
        Self {
            snapshot,
            process,
            views: Vec::with_capacity(unread.len()),
            unread,
            text: ExpositionText::new(format, PART),
            next: (0, 0),
            is_complete: false,
        }
    }

    /// Returns how much memory it takes until it is complete, roughly.
    pub fn size(&self) -> usize {
        const OF_A_CLUSTER: usize = 1024;
        PART + OF_A_CLUSTER * (self.views.len() + self.unread.len())
    }

    /// Writes the metrics of clusters until there is a part of text. Returns whether they are complete.
    fn write_clusters(&mut self) -> bool {
        let (mut family, mut cluster) = self.next;
        while let Some(wanted) = FAMILIES.get(family) {
            if cluster == 0 {
                self.text.family(wanted.name, wanted.kind, wanted.help);
            }
            loop {
                if self.text.len() >= PART {
                    self.next = (family, cluster);
                    return false;
                }
                if cluster == self.views.len() {
                    self.views.extend(self.unread.next().map(ClusterView::read));
                }
                let Some(view) = self.views.get(cluster) else {
                    break;
                };
                (wanted.write)(view, &mut self.text);
                cluster += 1;
            }
            (family, cluster) = (family + 1, 0);
        }
        self.next = (family, cluster);
        true
    }

    fn write_process(&mut self) {
        let text = &mut self.text;
        text.family(
            "kproxy_reconfigure_duration_seconds",
            MetricKind::Histogram,
            "Time from the beginning of a reload to its end, drains not included.",
        );
        text.histogram(&Labels::default(), &self.snapshot.reloads.durations);
        for metric in self.snapshot.of_process() {
            text.family(metric.name, metric.kind, metric.help);
            for (labels, value) in metric.samples {
                let labels = labels
                    .iter()
                    .fold(Labels::default(), |labels, (name, value)| labels.and(name, value));
                match value {
                    SampleValue::Count(count) => text.count(&labels, &[], count),
                    SampleValue::Number(number) => text.number(&labels, &[], number),
                }
            }
        }
        self.process.write(text);
        text.end();
    }
}

impl Iterator for Exposition {
    type Item = Vec<u8>;

    /// The next part of the text; all parts but the last have about the same size.
    fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_complete {
            return None;
        }
        if self.write_clusters() {
            self.write_process();
            self.is_complete = true;
        }
        Some(self.text.take())
    }
}
