//! `Authorization`: who may do what with topics, groups and transactional ids.
//!
//! Every API has a function that is told of a request and finds which names it has, what has to be allowed, and what a
//! broker would answer where it is not. What is denied is taken out of the request and added to the answer; a request of
//! which nothing is left is answered here. The functions are pure: they see records, rights and names, no sockets.
//!
//! | group | APIs |
//! |---|---|
//! | [`transactions`] | Produce, transactions |
//! | [`fetch`], [`share`] | Fetch, share groups |
//! | [`metadata`] | Metadata, DescribeTopicPartitions |
//! | [`partitions`] | what asks for partitions of topics and is answered for each |
//! | [`offsets`], [`groups`], [`assignment`], [`describe_groups`], [`streams`] | groups |
//! | [`topics`], [`configs`] | administration |
//!
//! An API or version that is not in [`table`] is hidden, and answered with error 35.

mod access;
mod assignment;
mod batches;
mod completing;
mod configs;
mod deciding;
mod describe_groups;
mod fetch;
mod fetch_session;
mod fetch_walk;
mod groups;
mod metadata;
mod offsets;
mod partitions;
mod passing;
mod produce;
pub(in crate::filter) mod questions;
mod session_rights;
mod shadow;
mod share;
mod streams;
mod table;
mod topics;
mod transactions;
mod verdict;

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::sync::Arc;

use self::access::AccessDecision;
use self::session_rights::SessionRights;
use self::table::Rule;
use super::{
    AclDecisions, ClientSession, Denial, Filter, FilterStep, Interest, Leave, LeaveCause, Level, Note,
    OnRequest, OnResponse, Request, Response, SessionEvent, TopicNameMap,
};
use crate::model::acl::{AclRules, DecidedBy};
use crate::model::{AuthorizationModel, UnansweredDenial};
use crate::wire::Malformed;
use crate::wire::api::Api;

/// Filter of type `Authorization`: rules, and what is done with a request that they deny.
#[derive(Debug)]
pub struct Authorization {
    name: Arc<str>,
    rules: Arc<AclRules>,
    decisions: AclDecisions,
    topics: Arc<TopicNameMap>,
    unanswered: UnansweredDenial,
    shadow: bool,
}

impl Authorization {
    /// The filter of this name with these settings. `shadow`: decisions are counted and nothing is changed.
    pub fn new(name: impl Into<Arc<str>>, settings: &AuthorizationModel, shadow: bool) -> Self {
        Self {
            name: name.into(),
            rules: Arc::clone(&settings.rules),
            decisions: AclDecisions::new(Arc::clone(&settings.rules), None),
            topics: Arc::default(),
            unanswered: settings.unanswered,
            shadow,
        }
    }

    /// Takes the names of topics from `topics`, the map of the cluster.
    #[must_use]
    pub fn with_names(self, topics: Arc<TopicNameMap>) -> Self {
        Self { topics, ..self }
    }

    /// Takes over what `previous` has counted.
    #[must_use]
    pub fn after(self, previous: &Self) -> Self {
        Self {
            decisions: AclDecisions::new(Arc::clone(&self.rules), Some(&previous.decisions)),
            ..self
        }
    }

    fn count_allowed(&self, decided: &AccessDecision) {
        let about = (decided.resource, decided.operation);
        self.decisions
            .count_allowed(about, decided.decision, self.shadow, decided.times);
    }

    /// The statement that has decided; empty if none has.
    fn rule_text(&self, by: DecidedBy) -> &str {
        match by {
            DecidedBy::Rule(number) => self.rules.rule(number).map_or("", |rule| &*rule.place.text),
            DecidedBy::Otherwise | DecidedBy::NotGoverned => "",
        }
    }

    /// Counts decisions, and tells the session what was denied.
    fn tell(&self, session: &ClientSession, request: &Request<'_>, decided: &[AccessDecision]) {
        for denied in decided {
            if denied.decision.allowed {
                self.count_allowed(denied);
                continue;
            }
            let about = (denied.resource, denied.operation);
            self.decisions.count(session, about, denied.decision, self.shadow);
            session.record(&SessionEvent::Denied(Denial {
                filter: &self.name,
                api: request.api(),
                version: request.version(),
                resource: &format!("{}:{}", denied.resource.name(), denied.name),
                rule: self.rule_text(denied.decision.by),
                is_shadow: self.shadow,
            }));
        }
    }
}

fn failed(detail: &'static str) -> Leave {
    Leave::new(LeaveCause::Failed, detail)
}

fn not_understood(malformed: Malformed) -> Leave {
    Leave::new(LeaveCause::Failed, malformed.to_string())
}

impl Filter for Authorization {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        for row in table::TABLE {
            match row.rule {
                Rule::Pass => {}
                Rule::Produce => interest.requests(row.key, 0..=row.last, Level::Part),
                Rule::Fetch | Rule::ShareFetch | Rule::Ask(_) => {
                    interest.requests(row.key, 0..=row.last, Level::Whole)
                }
            }
            if !self.shadow && matches!(row.rule, Rule::Fetch | Rule::ShareFetch) {
                interest.recheck_responses(row.key);
            }
        }
    }

    fn decisions(&self) -> Option<&AclDecisions> {
        Some(&self.decisions)
    }

    fn hides_names(&self) -> bool {
        true
    }

    fn topic_names(&self) -> Option<&Arc<TopicNameMap>> {
        Some(&self.topics)
    }

    fn offers(&self, api: &Api) -> Option<RangeInclusive<i16>> {
        if self.shadow {
            return Some(api.min..=api.max);
        }
        let row = table::row(api.key)?;
        Some(api.min..=api.max.min(row.last))
    }

    fn passes(&self, session: &mut ClientSession, request: &Request<'_>) -> bool {
        self.lets_pass(session, request)
    }

    fn passed(&self, session: &mut ClientSession) {
        self.note_passed(session);
    }

    fn count_passed(&self, session: &mut ClientSession) {
        self.count_noted(session);
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let mut rights = SessionRights::take(session, &self.name);
        let step = self.step(session, &mut rights, request);
        rights.put(session, &self.name);
        match step {
            Ok(step) => step,
            Err(_) if self.shadow => FilterStep::Now(OnRequest::ForwardBlind),
            Err(malformed) => FilterStep::Now(OnRequest::Leave(not_understood(malformed))),
        }
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        let mut rights = SessionRights::take(session, &self.name);
        rights.renew(&self.rules, session.subject());
        let step = self.respond(session, &mut rights, response, note);
        rights.put(session, &self.name);
        match step {
            Ok(step) => step,
            Err(malformed) => FilterStep::Now(OnResponse::Leave(not_understood(malformed))),
        }
    }
}
