//! Histograms of durations: one that many threads add to cheaply, and its counts as data.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Most buckets that any [`Bounds`] has.
const MAX_BUCKETS: usize = 19;

/// Bounds of the buckets of a histogram.
pub trait Bounds {
    /// Returns the bucket of an observation: the first whose bound it does not exceed, or the one above all bounds.
    fn bucket(us: u64) -> usize;

    /// Returns the upper bounds in seconds of all buckets but the last.
    fn upper() -> impl Iterator<Item = f64>;
}

/// Bounds of latencies: powers of two from 64 µs to 8.4 s. The bucket is found by counting leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatencyBounds {}

/// Bounds of reloads and drains: 1 ms to 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanBounds {}

/// The first bound of a latency is 2^6 µs.
const FIRST: u32 = 6;

const SPANS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 60.0,
];

impl Bounds for LatencyBounds {
    #[inline]
    fn bucket(us: u64) -> usize {
        // The smallest k with us <= 2^k.
        let exponent = u64::BITS - us.saturating_sub(1).leading_zeros();
        (exponent.saturating_sub(FIRST) as usize).min(MAX_BUCKETS - 1)
    }

    fn upper() -> impl Iterator<Item = f64> {
        (FIRST..FIRST + MAX_BUCKETS as u32 - 1).map(|exponent| (1_u64 << exponent) as f64 / 1e6)
    }
}

impl Bounds for SpanBounds {
    fn bucket(us: u64) -> usize {
        SPANS.partition_point(|&bound| bound * 1e6 < us as f64)
    }

    fn upper() -> impl Iterator<Item = f64> {
        SPANS.into_iter()
    }
}

/// Histogram of latencies. Any thread may add to it.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; MAX_BUCKETS],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts an observation in microseconds.
    #[inline]
    pub fn observe_us(&self, us: u64) {
        self.buckets[LatencyBounds::bucket(us)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Counts an observation.
    pub fn observe(&self, duration: Duration) {
        self.observe_us(micros(duration));
    }

    /// Counts `times` observations that took `together`, as so many of their mean.
    pub fn observe_many(&self, together: Duration, times: u64) {
        let us = micros(together);
        let mean = us / times.max(1);
        self.buckets[LatencyBounds::bucket(mean)].fetch_add(times, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Returns what it holds at this moment.
    pub fn counts(&self) -> HistogramCounts<LatencyBounds> {
        HistogramCounts {
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
            bounds: PhantomData,
        }
    }
}

/// Counts of a histogram, as data; several can be added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramCounts<B> {
    /// Observations in each bucket, not cumulative; those that `B` does not have are empty.
    pub buckets: [u64; MAX_BUCKETS],
    /// Sum of all observations.
    pub sum_us: u64,
    bounds: PhantomData<B>,
}

impl<B> Default for HistogramCounts<B> {
    fn default() -> Self {
        Self {
            buckets: [0; MAX_BUCKETS],
            sum_us: 0,
            bounds: PhantomData,
        }
    }
}

impl<B: Bounds> HistogramCounts<B> {
    /// Counts an observation.
    pub fn observe(&mut self, duration: Duration) {
        let us = micros(duration);
        self.buckets[B::bucket(us)] += 1;
        self.sum_us += us;
    }

    /// Adds the observations of another one.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += count;
        }
        self.sum_us += other.sum_us;
    }

    /// Returns the observations that came since it was `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            buckets: std::array::from_fn(|bucket| {
                self.buckets[bucket].saturating_sub(before.buckets[bucket])
            }),
            sum_us: self.sum_us.saturating_sub(before.sum_us),
            bounds: PhantomData,
        }
    }

    /// Returns the number of observations.
    pub fn total(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_falls_into_the_first_bucket_whose_bound_it_does_not_exceed() {
        let bounds: Vec<f64> = LatencyBounds::upper().collect();
        assert_eq!((bounds[0], bounds[17]), (0.000_064, 8.388_608));
        for us in [
            0,
            1,
            63,
            64,
            65,
            128,
            129,
            1_000_000,
            8_388_608,
            8_388_609,
            u64::MAX,
        ] {
            let histogram = Histogram::default();
            histogram.observe_us(us);
            let counts = histogram.counts();
            let expected = bounds.partition_point(|&bound| bound * 1e6 < us as f64);
            assert_eq!(
                counts.buckets.iter().position(|&count| count == 1),
                Some(expected),
                "{us}"
            );
            assert_eq!((counts.total(), counts.sum_us), (1, us));
        }
    }
}
