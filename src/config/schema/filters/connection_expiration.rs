//! `config` of `ConnectionExpiration`.

use std::time::Duration;

use super::super::super::Spanned;
use super::super::super::decode::record;
use super::NamedFiles;

record! {
    /// Settings of `ConnectionExpiration`, which asks sessions to leave that are older than a limit, so that clients spread
    /// over new instances.
    pub struct ConnectionExpirationConfig {
        /// Age at which a session is asked to leave.
        "maxAge" max_age: Spanned<Duration>,
        /// Longest time by which the age of a session may differ from `maxAge`, at random, in both directions. At most
        /// `maxAge`.
        "jitter" jitter: Option<Spanned<Duration>> = "0s",
    }
}

impl NamedFiles for ConnectionExpirationConfig {}
