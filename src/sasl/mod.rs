//! SASL mechanisms as values: what a server and a client of each say, and how credentials are kept. Pure: time and random
//! numbers are given, and a wait is a value that somebody else awaits.

pub mod client;
mod credentials;
pub mod jwt;
mod keystore;
pub mod ldap;
mod scram_hash;
pub mod server;
mod token;
mod verifier;

pub use credentials::{CredentialError, CredentialSet, MAX_NAME, check_name};
pub use scram_hash::ScramHash;
pub use token::{TokenFacts, TokenJudge, TokenVerdict};
pub use verifier::{MAX_ITERATIONS, MIN_ITERATIONS, ScramVerifier};
