//! Replays the seeds of every fuzz target, and mutations of them, without a fuzzer.
//!
//! 1. Every target has seeds, and its properties hold for all of them.
//! 2. They hold for two thousand reproducible mutations of those seeds as well.

use std::path::Path;

use crate::fuzz_targets as targets;

const MUTATIONS: usize = 2000;

/// A small reproducible generator (xorshift); which numbers it gives does not matter.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn mutate(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.below(256) as u8),
                2 => bytes
                    .splice(at.., other[self.below(other.len())..].iter().copied())
                    .for_each(drop),
                3 => bytes
                    .splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f])
                    .for_each(drop),
                _ => {
                    let value = [0, 1, 2, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(7)];
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
            }
        }
        bytes
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap_or_else(|error| panic!("{error}")).path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap_or_else(|error| panic!("{error}")))
        .collect()
}

#[test]
fn every_target_holds_for_its_seeds_and_their_mutations() {
    assert!(!targets::TARGETS.is_empty());
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
        seeds.iter().for_each(|seed| target(seed));
        let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
        for _ in 0..MUTATIONS {
            let (seed, other) = (rng.below(seeds.len()), rng.below(seeds.len()));
            target(&rng.mutate(&seeds[seed], &seeds[other]));
        }
    }
}
