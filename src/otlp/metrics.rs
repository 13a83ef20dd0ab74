//! Families of metrics as OTLP metrics: counters as cumulative sums, gauges, histograms with explicit bounds.

use std::time::SystemTime;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::encode::{nanos, scope, text};
use super::families::{FamilyKind, MetricFamily, SeriesLabels};

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// Time of the first and of this count, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Interval {
    start: u64,
    end: u64,
}

/// Encodes all families. Counts run from `began`.
pub(super) fn encode(
    resource: &Resource,
    families: &[MetricFamily],
    began: SystemTime,
    now: SystemTime,
) -> ResourceMetrics {
    let interval = Interval {
        start: nanos(began),
        end: nanos(now),
    };
    ResourceMetrics {
        resource: Some(resource.clone()),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(scope()),
            metrics: families.iter().map(|family| metric(family, interval)).collect(),
            ..ScopeMetrics::default()
        }],
        ..ResourceMetrics::default()
    }
}

fn metric(family: &MetricFamily, interval: Interval) -> Metric {
    let points = || {
        family
            .samples
            .iter()
            .map(|(_, labels, value)| point(labels, *value, interval))
            .collect()
    };
    Metric {
        name: family.name.clone(),
        description: family.help.clone(),
        unit: unit(&family.name).into(),
        data: Some(match family.kind {
            FamilyKind::Counter => Data::Sum(Sum {
                data_points: points(),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
            FamilyKind::Gauge => Data::Gauge(Gauge {
                data_points: points(),
            }),
            FamilyKind::Histogram => Data::Histogram(Histogram {
                data_points: histograms(family, interval),
                aggregation_temporality: CUMULATIVE,
            }),
        }),
        ..Metric::default()
    }
}

/// Unit by the ending of the name, as UCUM writes it.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    if name.ends_with("_seconds") {
        "s"
    } else if name.ends_with("_bytes") {
        "By"
    } else {
        "1"
    }
}

fn point(labels: &SeriesLabels, value: f64, interval: Interval) -> NumberDataPoint {
    NumberDataPoint {
        attributes: labels.iter().map(|(key, value)| text(key, value)).collect(),
        start_time_unix_nano: interval.start,
        time_unix_nano: interval.end,
        value: Some(Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

/// The series of a histogram. Its buckets stand before its sum and its count.
fn histograms(family: &MetricFamily, interval: Interval) -> Vec<HistogramDataPoint> {
    let mut points = Vec::new();
    let mut next = HistogramDataPoint::default();
    let mut below = 0;
    for (name, labels, value) in &family.samples {
        let ending = name.strip_prefix(&*family.name).unwrap_or_default();
        match ending {
            "_bucket" => {
                let count = whole(*value);
                next.bucket_counts.push(count.saturating_sub(below));
                below = count;
                let bound = labels
                    .iter()
                    .find(|(key, _)| key == "le")
                    .and_then(|(_, le)| le.parse().ok());
                next.explicit_bounds
                    .extend(bound.filter(|bound: &f64| bound.is_finite()));
            }
            "_sum" => next.sum = Some(*value),
            "_count" => {
                let mut done = std::mem::take(&mut next);
                done.attributes = labels.iter().map(|(key, value)| text(key, value)).collect();
                (done.start_time_unix_nano, done.time_unix_nano) = (interval.start, interval.end);
                done.count = whole(*value);
                points.push(done);
                below = 0;
            }
            _ => {}
        }
    }
    points
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and counts are whole numbers from zero"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::families;
    use super::*;

    const TEXT: &str = "# HELP kproxy_x_seconds Time.\n# TYPE kproxy_x_seconds histogram\n\
        kproxy_x_seconds_bucket{c=\"a\",le=\"0.5\"} 2\nkproxy_x_seconds_bucket{c=\"a\",le=\"+Inf\"} 5\n\
        kproxy_x_seconds_sum{c=\"a\"} 7.5\nkproxy_x_seconds_count{c=\"a\"} 5\n\
        # HELP kproxy_y_bytes_total Bytes.\n# TYPE kproxy_y_bytes_total counter\nkproxy_y_bytes_total 9\n";

    #[test]
    fn histograms_and_counters_keep_what_they_say() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let encoded = encode(&Resource::default(), &families::read(TEXT), at(1), at(2));
        let metrics = &encoded.scope_metrics[0].metrics;
        let Some(Data::Histogram(histogram)) = &metrics[0].data else {
            panic!("{metrics:?}")
        };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum), (5, Some(7.5)));
        assert_eq!(
            (&*point.bucket_counts, &*point.explicit_bounds),
            (&[2, 3][..], &[0.5][..])
        );
        assert_eq!(
            (point.start_time_unix_nano, point.time_unix_nano),
            (1_000_000_000, 2_000_000_000)
        );
        assert_eq!((&*metrics[0].unit, &*metrics[1].unit), ("s", "By"));
        let Some(Data::Sum(sum)) = &metrics[1].data else {
            panic!("{metrics:?}")
        };
        assert!(sum.is_monotonic);
        assert_eq!(sum.data_points[0].value, Some(Value::AsDouble(9.0)));
    }
}
