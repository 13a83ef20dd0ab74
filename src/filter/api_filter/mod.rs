//! `ApiFilter`: switches APIs off, for all clients or for some.
//!
//! What is off for everybody is not offered in ApiVersions. A client that asks all the same gets the error with which a
//! broker would deny the request, or the end of its connection.

mod denial;

use std::ops::RangeInclusive;

use super::{
    ClientSession, Denial, Filter, FilterStep, Interest, Leave, LeaveCause, Level, OnRequest, Request,
    SessionEvent,
};
use crate::model::{ApiFilterModel, DenialResponse, NamePattern};
use crate::wire::api::{Api, apis};

/// The name of a client that has proved none, as Kafka has it.
const ANONYMOUS: &str = "ANONYMOUS";

/// The filter.
#[derive(Debug)]
pub struct ApiFilter {
    name: Box<str>,
    settings: ApiFilterModel,
    /// Denials are only counted.
    is_shadow: bool,
}

impl ApiFilter {
    /// The filter of this definition.
    pub fn new(name: &str, settings: &ApiFilterModel, is_shadow: bool) -> Self {
        Self {
            name: name.into(),
            settings: settings.clone(),
            is_shadow,
        }
    }

    /// Whether the filter is about this client.
    fn concerns(&self, session: &ClientSession, request: &Request<'_>) -> bool {
        let (principals, client_ids) = (&self.settings.principals, &self.settings.client_ids);
        (principals.is_empty() || is_one_of(principals, session))
            && (client_ids.is_empty() || {
                let client_id = request.client_id().unwrap_or_default();
                client_ids.iter().any(|pattern| pattern.matches(client_id))
            })
    }

    fn is_for_everybody(&self) -> bool {
        self.settings.principals.is_empty() && self.settings.client_ids.is_empty()
    }

    fn deny(&self, session: &mut ClientSession, request: &Request<'_>) -> FilterStep<OnRequest> {
        let (api, version) = (request.api(), request.version());
        if self.is_shadow {
            self.tell(session, request);
            return FilterStep::Now(OnRequest::ForwardBlind);
        }
        if self.settings.on_denied == DenialResponse::Error {
            if !request.is_complete() {
                return FilterStep::More;
            }
            if let Some(body) = denial::answer(api, version, request.body()) {
                self.tell(session, request);
                return FilterStep::Now(OnRequest::Answer(body));
            }
        }
        self.tell(session, request);
        let detail = format!("{} version {version} is denied by filter {}", api.name, self.name);
        FilterStep::Now(OnRequest::Leave(Leave::new(LeaveCause::Denied, detail)))
    }

    fn tell(&self, session: &mut ClientSession, request: &Request<'_>) {
        let rule = format!("{}@{}", request.api().name, request.version());
        session.record(&SessionEvent::Denied(Denial {
            filter: &self.name,
            api: request.api(),
            version: request.version(),
            resource: "",
            rule: &rule,
            is_shadow: self.is_shadow,
        }));
    }
}

impl Filter for ApiFilter {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        for api in apis() {
            let denied = |version: &i16| !self.settings.allows(api.key, *version);
            let versions = api.min..=api.max;
            if let (Some(first), Some(last)) = (versions.clone().find(denied), versions.rev().find(denied)) {
                interest.requests(api.key, first..=last, Level::Part);
            }
        }
    }

    fn offers(&self, api: &Api) -> Option<RangeInclusive<i16>> {
        let all = api.min..=api.max;
        if self.is_shadow || !self.is_for_everybody() {
            return Some(all);
        }
        highest_range(all, |version| self.settings.allows(api.key, version))
    }

    fn passes(&self, _session: &mut ClientSession, request: &Request<'_>) -> bool {
        self.settings.allows(request.api_key(), request.version())
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        if self.settings.allows(request.api_key(), request.version()) || !self.concerns(session, request) {
            return FilterStep::Now(OnRequest::ForwardBlind);
        }
        self.deny(session, request)
    }
}

/// The highest versions that are allowed, without a gap: an offer is one range.
fn highest_range(
    versions: RangeInclusive<i16>,
    allowed: impl Fn(i16) -> bool,
) -> Option<RangeInclusive<i16>> {
    let last = versions.clone().rev().find(|version| allowed(*version))?;
    let first = (*versions.start()..=last)
        .rev()
        .take_while(|version| allowed(*version))
        .last()?;
    Some(first..=last)
}

/// Whether one of the client's names matches: `alice`, or `User:alice` with its kind.
fn is_one_of(patterns: &[NamePattern], session: &ClientSession) -> bool {
    let principals = &session.subject().principals;
    let matches = |kind: &str, name: &str| {
        let qualified = format!("{kind}:{name}");
        patterns
            .iter()
            .any(|pattern| pattern.matches(name) || pattern.matches(&qualified))
    };
    if principals.is_empty() {
        return matches("User", ANONYMOUS);
    }
    principals
        .iter()
        .any(|principal| matches(&principal.kind, &principal.name))
}

#[cfg(test)]
mod tests;
