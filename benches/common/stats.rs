//! Medians, spreads and a latency histogram.

/// Lowest, middle and highest of a handful of samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// `None` when there is nothing to summarise. Samples that are not finite do not count.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().filter(|sample| sample.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median, low, high })
    }
}

/// Buckets per power of two: a bucket is at most 1.6 % wide.
const STEPS: u64 = 64;

/// Counts durations in buckets of equal relative width.
pub(crate) struct Histogram {
    buckets: Vec<u32>,
    count: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; Self::bucket(u64::MAX) + 1],
            count: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
    }

    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.buckets[Self::bucket(nanoseconds)] += 1;
        self.count += 1;
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The duration in nanoseconds below which `quantile` (0..=1) of the samples lie; 0 without samples.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let wanted = (self.count as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += u64::from(count);
            if count > 0 && seen >= wanted {
                return Self::middle(bucket as u64);
            }
        }
        0.0
    }

    const fn bucket(nanoseconds: u64) -> usize {
        if nanoseconds < STEPS {
            return nanoseconds as usize;
        }
        let shift = nanoseconds.ilog2() - STEPS.ilog2();
        (STEPS * (shift as u64) + (nanoseconds >> shift)) as usize
    }

    fn middle(bucket: u64) -> f64 {
        if bucket < 2 * STEPS {
            return bucket as f64;
        }
        let shift = bucket / STEPS - 1;
        let low = (bucket - STEPS * shift) << shift;
        low as f64 + (1_u64 << shift) as f64 / 2.0
    }
}
