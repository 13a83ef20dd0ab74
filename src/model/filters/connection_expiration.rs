//! `ConnectionExpiration`: how old a session may become.

use std::time::Duration;

use super::super::scope::Scope;
use crate::config::schema::ConnectionExpirationConfig;

/// Settings of a filter that ends old sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionExpirationModel {
    /// Age at which a session is asked to leave; more than zero.
    pub max_age: Duration,
    /// Longest difference from it, in both directions; at most `max_age`.
    pub jitter: Duration,
}

pub(super) fn resolve(
    config: &ConnectionExpirationConfig,
    scope: &mut Scope<'_>,
) -> Option<ConnectionExpirationModel> {
    let max_age = &config.max_age;
    if max_age.value.is_zero() {
        scope.errors.push(max_age.at, "`maxAge` must not be zero");
        return None;
    }
    let jitter = config.jitter.as_ref();
    if let Some(jitter) = jitter.filter(|jitter| jitter.value > max_age.value) {
        scope.errors.push(jitter.at, "`jitter` must be at most `maxAge`");
        return None;
    }
    Some(ConnectionExpirationModel {
        max_age: max_age.value,
        jitter: jitter.map_or(Duration::ZERO, |jitter| jitter.value),
    })
}
