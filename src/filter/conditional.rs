//! A filter with a condition (`when`): requests for which it is false pass the filter by.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::jwks::TokenFigures;
use super::{
    AclDecisions, ClientSession, Filter, FilterStep, Interest, Note, OnRequest, OnResponse, Request,
    Response, TopicNameMap,
};
use crate::model::{FilterCondition, RequestFacts};
use crate::wire::api::Api;

/// A filter with its condition.
#[derive(Debug)]
pub(super) struct ConditionalFilter {
    filter: Arc<dyn Filter>,
    condition: FilterCondition,
    failed: AtomicBool,
}

impl ConditionalFilter {
    pub(super) fn new(filter: Arc<dyn Filter>, condition: FilterCondition) -> Self {
        Self {
            filter,
            condition,
            failed: AtomicBool::new(false),
        }
    }

    /// Whether the filter is asked. A condition that cannot be evaluated counts as true: a filter that decides goes on to
    /// decide.
    fn applies(&self, session: &ClientSession, client_id: Option<&str>, api: &Api, version: i16) -> bool {
        let facts = session.facts();
        let subject = session.subject();
        let principals: Vec<String> = subject.principals.iter().map(ToString::to_string).collect();
        let address = session.client().ip().to_canonical().to_string();
        let asked = RequestFacts {
            client_id: client_id.unwrap_or_default(),
            client_address: &address,
            principals: &principals,
            user: subject.user_name().unwrap_or_default(),
            mechanism: subject.mechanism.as_deref().unwrap_or_default(),
            cluster: &facts.cluster,
            gateway: &facts.gateway,
            api_name: api.name,
            api_key: api.key,
            api_version: version,
        };
        self.condition.holds(&asked).unwrap_or_else(|reason| {
            if !self.failed.swap(true, Ordering::Relaxed) {
                let filter = self.filter.name();
                let cluster = &*facts.cluster;
                tracing::warn!(target: "kproxy::filter", filter, cluster, reason, "a condition cannot be evaluated; it counts as true");
            }
            true
        })
    }
}

impl Filter for ConditionalFilter {
    fn name(&self) -> &str {
        self.filter.name()
    }

    fn interest(&self, interest: &mut Interest) {
        self.filter.interest(interest);
    }

    /// Every version: what is offered is the same for all clients, and others than those that are meant may use it.
    fn offers(&self, api: &Api) -> Option<RangeInclusive<i16>> {
        Some(api.min..=api.max)
    }

    fn decisions(&self) -> Option<&AclDecisions> {
        self.filter.decisions()
    }

    fn hides_names(&self) -> bool {
        self.filter.hides_names()
    }

    fn topic_names(&self) -> Option<&Arc<TopicNameMap>> {
        self.filter.topic_names()
    }

    fn token_figures(&self) -> Option<TokenFigures> {
        self.filter.token_figures()
    }

    fn opened(&self, session: &mut ClientSession) {
        self.filter.opened(session);
    }

    fn adopted(&self, session: &ClientSession, unanswered: usize) -> Option<Note> {
        self.filter.adopted(session, unanswered)
    }

    fn authenticated(&self, session: &mut ClientSession) {
        self.filter.authenticated(session);
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        match self.applies(session, request.client_id(), request.api(), request.version()) {
            true => self.filter.request(session, request),
            false => FilterStep::Now(OnRequest::ForwardBlind),
        }
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        self.filter.response(session, response, note)
    }
}
