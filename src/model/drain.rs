//! Drain settings: the cluster's own keys, then the process-wide ones, then the defaults.

use std::time::Duration;

use crate::config::schema::{self, Drain};
use crate::config::{Errors, Spanned};
use crate::names::names;

const TIMEOUT: Duration = Duration::from_secs(30);
const HARD_TIMEOUT: Duration = Duration::from_secs(60);
const RATE: u32 = 50;

/// Settings for draining the sessions of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainPolicy {
    /// Pace at which sessions get the order to leave.
    pub strategy: DrainStrategy,
    /// Time until the soft deadline, after which no request is read.
    pub timeout: Duration,
    /// Time until the hard deadline, at which sessions are closed.
    pub hard_timeout: Duration,
    /// Sessions per second with `progressive`.
    pub rate: u32,
}

names! {
    /// How the sessions of a drain are asked to leave; see [`schema::DrainStrategy`](crate::config::schema::DrainStrategy).
    pub enum DrainStrategy {
        /// All at once.
        Graceful = "graceful",
        /// So many a second.
        Progressive = "progressive",
        /// All at once, without reading further requests.
        Immediate = "immediate",
    }
}

impl Default for DrainPolicy {
    fn default() -> Self {
        Self {
            strategy: DrainStrategy::Graceful,
            timeout: TIMEOUT,
            hard_timeout: HARD_TIMEOUT,
            rate: RATE,
        }
    }
}

/// Resolves the settings. `alias` is `drainTimeout`, Kroxylicious' name for a cluster's `drain.timeout`.
pub(super) fn resolve(
    own: Option<&Drain>,
    alias: Option<&Spanned<Duration>>,
    default: Option<&Drain>,
    errors: &mut Errors,
) -> DrainPolicy {
    let own_timeout = own.and_then(|drain| drain.timeout.as_ref());
    if let (Some(alias), Some(timeout)) = (alias, own_timeout) {
        let line = timeout.key.line;
        errors.push(
            alias.key,
            format!("`drainTimeout` is `drain.timeout`, which is given on line {line}"),
        );
    }
    let levels = [own, default];
    let timeout = own_timeout
        .or(alias)
        .or_else(|| default.and_then(|drain| drain.timeout.as_ref()));
    let hard = levels
        .into_iter()
        .flatten()
        .find_map(|drain| drain.hard_timeout.as_ref());
    let strategy = levels
        .into_iter()
        .flatten()
        .find_map(|drain| drain.strategy.as_ref());
    let rate = levels.into_iter().flatten().find_map(|drain| drain.rate.as_ref());
    let (timeout, hard_timeout) = deadlines(timeout, hard, errors);
    DrainPolicy {
        strategy: match strategy.map(|strategy| strategy.value) {
            None | Some(schema::DrainStrategy::Graceful) => DrainStrategy::Graceful,
            Some(schema::DrainStrategy::Progressive) => DrainStrategy::Progressive,
            Some(schema::DrainStrategy::Immediate) => DrainStrategy::Immediate,
        },
        timeout,
        hard_timeout,
        rate: rate.map_or(RATE, |rate| rate.value.get()),
    }
}

/// Resolves both deadlines. A default deadline adapts to a configured one; only two configured ones can contradict
/// each other.
fn deadlines(
    soft: Option<&Spanned<Duration>>,
    hard: Option<&Spanned<Duration>>,
    errors: &mut Errors,
) -> (Duration, Duration) {
    for (name, written) in [("timeout", soft), ("hardTimeout", hard)] {
        if let Some(zero) = written.filter(|written| written.value.is_zero()) {
            errors.push(zero.at, format!("drain `{name}` must not be zero"));
        }
    }
    match (soft, hard) {
        (None, None) => (TIMEOUT, HARD_TIMEOUT),
        (Some(soft), None) => (soft.value, HARD_TIMEOUT.max(soft.value)),
        (None, Some(hard)) => (TIMEOUT.min(hard.value), hard.value),
        (Some(soft), Some(hard)) => {
            if hard.value < soft.value {
                let later = if hard.at > soft.at { hard } else { soft };
                errors.push(later.at, "drain `hardTimeout` must not be shorter than `timeout`");
            }
            (soft.value, hard.value)
        }
    }
}
