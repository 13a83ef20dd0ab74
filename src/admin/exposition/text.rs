//! The two text formats of Prometheus.

use std::fmt::Write as _;

use crate::control::metrics::MetricKind;
use crate::session::counters::{Bounds, HistogramCounts};

/// Text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`, the default.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Chooses the format by the value of an `Accept` header.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Returns the value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Labels, escaped once and used for many lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(String);

impl Labels {
    pub(super) fn of(name: &str, value: &str) -> Self {
        Self::default().and(name, value)
    }

    pub(super) fn and(&self, name: &str, value: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + name.len() + value.len() + 4);
        text.push_str(&self.0);
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        escape(value, &mut text);
        text.push('"');
        Self(text)
    }
}

/// Escapes backslash, quote and line feed in a label value.
fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// Text under construction. A family without samples is left out.
#[derive(Debug)]
pub(super) struct ExpositionText {
    out: String,
    /// Room for a part, so that it does not grow.
    capacity: usize,
    format: Format,
    family: Family,
}

#[derive(Debug, Clone, Copy)]
struct Family {
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
    declared: bool,
}

impl ExpositionText {
    /// Begins a text that is taken in parts of about `part` bytes.
    pub(super) fn new(format: Format, part: usize) -> Self {
        let capacity = part + part / 4;
        Self {
            out: String::with_capacity(capacity),
            capacity,
            format,
            family: Family {
                name: "",
                kind: MetricKind::Gauge,
                help: "",
                declared: true,
            },
        }
    }

    /// Begins a family; all samples that follow belong to it.
    pub(super) fn family(&mut self, name: &'static str, kind: MetricKind, help: &'static str) {
        self.family = Family {
            name,
            kind,
            help,
            declared: false,
        };
    }

    /// Writes a sample. The values of `more` have nothing to escape.
    pub(super) fn count(&mut self, labels: &Labels, more: &[(&str, &str)], value: u64) {
        self.series(self.family.kind.suffix(), labels, more);
        push_decimal(&mut self.out, value);
        self.out.push('\n');
    }

    /// Writes a sample. The values of `more` have nothing to escape.
    pub(super) fn number(&mut self, labels: &Labels, more: &[(&str, &str)], value: f64) {
        self.series(self.family.kind.suffix(), labels, more);
        writeln!(self.out, "{value:?}").unwrap_or_default();
    }

    pub(super) fn histogram<B: Bounds>(&mut self, labels: &Labels, counts: &HistogramCounts<B>) {
        let mut below = 0;
        let mut le = String::new();
        for (bound, count) in B::upper().map(Some).chain([None]).zip(counts.buckets) {
            below += count;
            le.clear();
            match bound {
                Some(bound) => drop(write!(le, "{bound:?}")),
                None => le.push_str("+Inf"),
            }
            self.series("_bucket", labels, &[("le", &le)]);
            writeln!(self.out, "{below}").unwrap_or_default();
        }
        let sum = counts.sum_us as f64 / 1e6;
        self.series("_sum", labels, &[]);
        writeln!(self.out, "{sum:?}").unwrap_or_default();
        self.series("_count", labels, &[]);
        writeln!(self.out, "{}", counts.total()).unwrap_or_default();
    }

    /// Writes the beginning of a line, up to the value.
    fn series(&mut self, suffix: &str, labels: &Labels, more: &[(&str, &str)]) {
        self.declare();
        let out = &mut self.out;
        out.push_str(self.family.name);
        out.push_str(suffix);
        if labels.0.is_empty() && more.is_empty() {
            out.push(' ');
            return;
        }
        out.push('{');
        out.push_str(&labels.0);
        for (place, (name, value)) in more.iter().enumerate() {
            if place > 0 || !labels.0.is_empty() {
                out.push(',');
            }
            out.push_str(name);
            out.push_str("=\"");
            out.push_str(value);
            out.push('"');
        }
        out.push_str("} ");
    }

    fn declare(&mut self) {
        if std::mem::replace(&mut self.family.declared, true) {
            return;
        }
        let Family { name, kind, help, .. } = self.family;
        // The older format declares a counter by the name of its samples.
        let suffix = match (self.format, kind) {
            (Format::Prometheus, MetricKind::Counter) => kind.suffix(),
            _ => "",
        };
        let kind = kind.name();
        writeln!(self.out, "# HELP {name}{suffix} {help}").unwrap_or_default();
        writeln!(self.out, "# TYPE {name}{suffix} {kind}").unwrap_or_default();
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Takes what has been written since the last time.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let next = String::with_capacity(self.capacity);
        std::mem::replace(&mut self.out, next).into_bytes()
    }

    /// Ends the text.
    pub(super) fn end(&mut self) {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
    }
}

/// Writes a number, of which an exposition has hundreds of thousands, most of them 0.
fn push_decimal(out: &mut String, number: u64) {
    match u8::try_from(number) {
        Ok(digit @ 0..10) => out.push(char::from(b'0' + digit)),
        // Writing to a string cannot fail.
        _ => write!(out, "{number}").unwrap_or_default(),
    }
}

impl MetricKind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Gauge | Self::Histogram => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::counters::SpanBounds;
    use std::time::Duration;

    #[test]
    fn label_values_are_escaped() {
        let labels = Labels::of("a", "back\\slash \"quote\" \n line é").and("b", "");
        assert_eq!(labels.0, r#"a="back\\slash \"quote\" \n line é",b="""#);
    }

    #[test]
    fn the_formats_declare_counters_differently() {
        let text = |format| {
            let mut text = ExpositionText::new(format, 1024);
            text.family("nothing", MetricKind::Gauge, "Without samples.");
            text.family("things", MetricKind::Counter, "Counted.");
            text.count(&Labels::default(), &[], 1);
            text.count(&Labels::of("x", "y"), &[("z", "0")], 12);
            text.end();
            String::from_utf8(text.take()).unwrap()
        };
        assert_eq!(
            text(Format::Prometheus),
            "# HELP things_total Counted.\n# TYPE things_total counter\nthings_total 1\nthings_total{x=\"y\",z=\"0\"} 12\n"
        );
        assert_eq!(
            text(Format::OpenMetrics),
            "# HELP things Counted.\n# TYPE things counter\nthings_total 1\nthings_total{x=\"y\",z=\"0\"} 12\n# EOF\n"
        );
    }

    #[test]
    fn buckets_are_cumulative_and_end_with_infinity() {
        let mut durations = HistogramCounts::<SpanBounds>::default();
        for millis in [1, 2, 300_000] {
            durations.observe(Duration::from_millis(millis));
        }
        let mut text = ExpositionText::new(Format::Prometheus, 1024);
        text.family("d", MetricKind::Histogram, "Durations.");
        text.histogram(&Labels::default(), &durations);
        let text = String::from_utf8(text.take()).unwrap();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            &lines[..2],
            [r#"d_bucket{le="0.001"} 1"#, r#"d_bucket{le="0.0025"} 2"#]
        );
        assert_eq!(
            &lines[11..],
            [
                r#"d_bucket{le="60.0"} 2"#,
                r#"d_bucket{le="+Inf"} 3"#,
                "d_sum 300.003",
                "d_count 3",
            ]
        );
    }
}
