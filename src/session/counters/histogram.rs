//! A histogram that is cheap to add to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets double in width, from 64 µs to 8.4 s, and one above them.
const BUCKETS: usize = 19;

/// The first bound is 2^6 µs.
const FIRST: u32 = 6;

/// Durations by powers of two: the bucket is found by counting leading zeros.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// What a [`Histogram`] held at one moment; several can be added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramCounts {
    /// Not cumulative; the last has no upper bound.
    pub buckets: [u64; BUCKETS],
    pub sum_us: u64,
}

impl Histogram {
    #[inline]
    pub fn observe_us(&self, us: u64) {
        // The smallest k with us <= 2^k.
        let exponent = u64::BITS - us.saturating_sub(1).leading_zeros();
        let bucket = (exponent.saturating_sub(FIRST) as usize).min(BUCKETS - 1);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub fn observe(&self, duration: Duration) {
        self.observe_us(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn counts(&self) -> HistogramCounts {
        HistogramCounts {
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

impl HistogramCounts {
    /// Upper bounds in seconds of all buckets but the last.
    pub fn bounds() -> impl Iterator<Item = f64> {
        (FIRST..FIRST + BUCKETS as u32 - 1).map(|exponent| (1_u64 << exponent) as f64 / 1e6)
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += count;
        }
        self.sum_us += other.sum_us;
    }

    pub fn total(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_falls_into_the_first_bucket_whose_bound_it_does_not_exceed() {
        let bounds: Vec<f64> = HistogramCounts::bounds().collect();
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
