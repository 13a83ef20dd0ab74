//! `ApiFilter`: which APIs are off.

use std::collections::BTreeMap;

use super::super::scope::Scope;
use super::NamePattern;
use crate::config::schema::{ApiFilterConfig, OnDenied};
use crate::config::{ApiRange, List, Pos, Spanned};
use crate::wire::api::{Api, ApiKey, api, apis};

/// Settings of a filter that switches APIs off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiFilterModel {
    /// Which APIs are off.
    pub rules: ApiRules,
    /// What a client gets that calls one all the same.
    pub on_denied: DenialResponse,
    /// Whether sessions are drained when APIs or versions go away.
    pub strict: bool,
    /// Principals that it concerns, in ascending order; empty is every client.
    pub principals: Vec<NamePattern>,
    /// Client ids that it concerns, in ascending order; empty is every client.
    pub client_ids: Vec<NamePattern>,
}

/// Which APIs clients may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiRules {
    /// All but these.
    Denied(ApiSet),
    /// Only these, and those with which a connection begins.
    Allowed(ApiSet),
}

/// What a client gets that calls a denied API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenialResponse {
    /// An error in the answer.
    Error,
    /// The end of its connection.
    Close,
}

/// APIs with versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiSet {
    /// Versions by the number of the API: ranges in ascending order that neither overlap nor touch.
    ranges: BTreeMap<i16, Vec<(i16, i16)>>,
}

impl ApiFilterModel {
    /// Whether clients that it concerns may use this version of an API.
    pub fn allows(&self, api_key: i16, version: i16) -> bool {
        match &self.rules {
            ApiRules::Denied(set) => !set.contains(api_key, version),
            ApiRules::Allowed(set) => begins_a_connection(api_key) || set.contains(api_key, version),
        }
    }

    /// Whether it allows a version of an API that `other` does not allow.
    pub fn offers_more_than(&self, other: &Self) -> bool {
        let taken =
            |api: &Api| (api.min..=api.max).any(|v| self.allows(api.key, v) && !other.allows(api.key, v));
        apis().any(taken)
    }
}

/// Whether a connection cannot begin without the API.
fn begins_a_connection(api_key: i16) -> bool {
    api(api_key).is_some_and(|api| api.is_preamble)
}

impl ApiSet {
    /// The set of all these ranges.
    pub fn of<'r>(ranges: impl IntoIterator<Item = &'r ApiRange>) -> Self {
        let mut set = Self::default();
        for range in ranges {
            let versions = set.ranges.entry(range.api_key).or_default();
            versions.push((*range.versions.start(), *range.versions.end()));
        }
        set.ranges.values_mut().for_each(merge);
        set
    }

    /// Whether the set has this version of an API.
    pub fn contains(&self, api_key: i16, version: i16) -> bool {
        let ranges = self.ranges.get(&api_key).map_or(&[][..], Vec::as_slice);
        ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&version))
    }

    /// The numbers of the APIs of which the set has a version.
    pub fn api_keys(&self) -> impl Iterator<Item = i16> {
        self.ranges.keys().copied()
    }
}

/// Puts ranges in ascending order, and makes one of those that overlap or touch.
fn merge(ranges: &mut Vec<(i16, i16)>) {
    ranges.sort_unstable();
    let mut merged: Vec<(i16, i16)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges.drain(..) {
        match merged.last_mut() {
            Some((_, before)) if first <= before.saturating_add(1) => *before = last.max(*before),
            _ => merged.push((first, last)),
        }
    }
    *ranges = merged;
}

pub(super) fn resolve(config: &ApiFilterConfig, at: Pos, scope: &mut Scope<'_>) -> Option<ApiFilterModel> {
    let set = |list: &List<ApiRange>| ApiSet::of(list.items.iter().map(|item| &item.value));
    let rules = match (&config.denied, &config.allowed) {
        (Some(denied), None) => {
            check_denied(&denied.value, scope);
            ApiRules::Denied(set(&denied.value))
        }
        (None, Some(allowed)) => ApiRules::Allowed(set(&allowed.value)),
        (Some(denied), Some(allowed)) => {
            let second = denied.key.max(allowed.key);
            let why = "`denied` and `allowed` exclude each other";
            scope.errors.push(second, why);
            return None;
        }
        (None, None) => {
            if config.shape.is_sound() {
                scope.errors.push(at, "expected `denied` or `allowed`");
            }
            return None;
        }
    };
    Some(ApiFilterModel {
        rules,
        on_denied: match config.on_denied.as_ref().map(|on_denied| on_denied.value) {
            None | Some(OnDenied::Error) => DenialResponse::Error,
            Some(OnDenied::Close) => DenialResponse::Close,
        },
        strict: config.strict.as_ref().is_some_and(|strict| strict.value),
        principals: patterns(config.principals.as_ref(), "principals", scope),
        client_ids: patterns(config.client_ids.as_ref(), "clientIds", scope),
    })
}

/// Without ApiVersions a client cannot know what else is off.
fn check_denied(list: &List<ApiRange>, scope: &mut Scope<'_>) {
    for item in &list.items {
        if item.value.api_key == ApiKey::API_VERSIONS {
            let why = "`ApiVersions` cannot be denied: every connection begins with it";
            scope.errors.push(item.at, why);
        }
    }
}

/// The patterns of a list. An empty list would concern nobody, or everybody: it is an error.
fn patterns(list: Option<&Spanned<List<String>>>, key: &str, scope: &mut Scope<'_>) -> Vec<NamePattern> {
    let Some(list) = list else { return Vec::new() };
    if list.value.items.is_empty() && list.value.complete {
        let why = format!("`{key}` is empty: leave it out to mean every client");
        scope.errors.push(list.at, why);
    }
    let items = list.value.items.iter();
    let mut patterns: Vec<NamePattern> = items.map(|item| NamePattern::parse(&item.value)).collect();
    patterns.sort_unstable();
    patterns.dedup();
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(api_key: i16, versions: std::ops::RangeInclusive<i16>) -> ApiRange {
        ApiRange { api_key, versions }
    }

    #[test]
    fn sets_that_mean_the_same_are_equal() {
        let one = ApiSet::of(&[range(1, 0..=3), range(1, 4..=9), range(1, 2..=5), range(0, 1..=1)]);
        let other = ApiSet::of(&[range(0, 1..=1), range(1, 0..=9)]);
        assert_eq!(one, other);
        assert!(one.contains(1, 9) && !one.contains(1, 10) && !one.contains(0, 0) && !one.contains(2, 0));
        let whole = ApiSet::of(&[range(3, 0..=i16::MAX), range(3, 7..=7)]);
        assert_eq!(whole, ApiSet::of(&[range(3, 0..=i16::MAX)]));
    }

    #[test]
    fn a_connection_can_always_begin() {
        let model = ApiFilterModel {
            rules: ApiRules::Allowed(ApiSet::of(&[range(ApiKey::METADATA, 0..=i16::MAX)])),
            on_denied: DenialResponse::Error,
            strict: false,
            principals: Vec::new(),
            client_ids: Vec::new(),
        };
        assert!(model.allows(ApiKey::API_VERSIONS, 4) && model.allows(ApiKey::METADATA, 12));
        assert!(!model.allows(ApiKey::PRODUCE, 9));
        let nothing = ApiFilterModel {
            rules: ApiRules::Denied(ApiSet::default()),
            ..model.clone()
        };
        assert!(nothing.offers_more_than(&model) && !model.offers_more_than(&nothing));
    }
}
