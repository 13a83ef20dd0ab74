//! Reproducible randomness: the same seed, the same storm.

use std::{env, fmt::Display, str::FromStr, time::Duration};

/// A number from the environment.
pub fn setting<N: FromStr<Err: Display>>(name: &str, default: N) -> N {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}")),
        Err(_) => default,
    }
}

/// SplitMix64: small, and good enough to choose edits with.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound` - 1.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize fits");
        usize::try_from(self.roll() % bound).expect("less than a usize")
    }

    pub fn coin(&mut self) -> bool {
        self.roll().is_multiple_of(2)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn millis_below(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.roll() % bound)
    }
}
