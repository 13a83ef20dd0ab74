//! Counters of tokens.

use std::sync::atomic::{AtomicU64, Ordering};

use super::KeySourceFigures;
use crate::sasl::jwt::TokenOutcome;

/// Tokens by what became of them. They survive a change of the filter.
#[derive(Debug, Default)]
pub struct TokenTally([AtomicU64; TokenOutcome::ALL.len()]);

impl TokenTally {
    /// Counts one token.
    pub fn count(&self, outcome: TokenOutcome) {
        self.0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self, outcome: TokenOutcome) -> u64 {
        self.0[outcome as usize].load(Ordering::Relaxed)
    }
}

/// Figures of a filter that checks tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFigures {
    /// The keys of the issuer.
    pub keys: KeySourceFigures,
    /// Tokens by what became of them.
    pub tokens: Vec<(TokenOutcome, u64)>,
}

impl TokenFigures {
    /// The figures of keys and tokens.
    pub fn new(keys: KeySourceFigures, tally: &TokenTally) -> Self {
        let tokens = TokenOutcome::ALL.map(|outcome| (outcome, tally.get(outcome)));
        Self {
            keys,
            tokens: tokens.into(),
        }
    }
}
