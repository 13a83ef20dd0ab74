//! SASL mechanisms as values: what a server and a client of each say, and how credentials are kept. Pure: time and random
//! numbers are given, and a wait is a value that somebody else awaits.

mod scram_hash;
mod token;

pub use scram_hash::ScramHash;
pub use token::{TokenFacts, TokenJudge, TokenVerdict};
