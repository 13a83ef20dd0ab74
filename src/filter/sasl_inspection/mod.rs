//! `SaslInspection`: who a client is, learned while it authenticates to the broker, and by which mechanisms it may.
//!
//! kproxy follows every exchange of SASL by itself, in step with the broker's answers. This filter decides about mechanisms,
//! and lets nobody through who has not authenticated, if it is told so.

use std::sync::Arc;

use super::{
    ClientSession, Filter, FilterStep, Interest, Leave, LeaveCause, Level, Note, OnRequest, OnResponse,
    Principal, Request, Response, Subject, error_answer,
};
use crate::model::SaslInspectionModel;
use crate::wire::api::ApiKey;
use crate::wire::error_code::ErrorCode;
use crate::wire::sasl_answers::handshake_answer;
use crate::wire::{header, sasl};

/// Largest request of a client that has not authenticated to be answered, in bytes. Larger ones are not waited for.
const MAX_ANSWERED: usize = 64 * 1024;

/// The filter.
#[derive(Debug)]
pub struct SaslInspection {
    name: String,
    model: SaslInspectionModel,
}

/// What the filter keeps of a session.
#[derive(Debug, Default)]
struct InspectedSession {
    /// The broker has accepted a client with a name.
    is_authenticated: bool,
    /// The principals that were made of it.
    made: Vec<Principal>,
}

impl SaslInspection {
    /// The filter of this name.
    pub fn new(name: String, model: SaslInspectionModel) -> Self {
        Self { name, model }
    }

    /// Makes the subject of the session of the name that its client has authenticated as.
    fn publish(&self, session: &mut ClientSession, name: &str) {
        let principals = self.model.subject_builder.principals(name);
        session.state::<InspectedSession>().made.clone_from(&principals);
        let subject = Subject {
            principals,
            ..(**session.subject()).clone()
        };
        session.set_subject(Arc::new(subject));
    }

    fn is_enabled(&self, mechanism: &[u8]) -> bool {
        self.model
            .mechanisms
            .iter()
            .any(|enabled| enabled.as_bytes() == mechanism)
    }

    fn handshake(&self, request: &Request<'_>) -> OnRequest {
        let mechanism = header::sasl_handshake_mechanism(request.body()).ok().flatten();
        match mechanism {
            Some(mechanism) if self.is_enabled(mechanism) => OnRequest::Forward,
            _ => {
                let enabled = self.model.mechanisms.iter().copied();
                OnRequest::Answer(handshake_answer(ErrorCode::UNSUPPORTED_SASL_MECHANISM, enabled))
            }
        }
    }

    /// Answers a client that has not authenticated, and ends its session.
    fn unauthenticated(request: &Request<'_>) -> FilterStep<OnRequest> {
        let api = request.api();
        let detail = format!("{} before the client has authenticated", api.name);
        let leave = Leave::new(LeaveCause::AuthenticationFailed, detail);
        if request.body().len() > MAX_ANSWERED {
            return FilterStep::Now(OnRequest::Leave(leave));
        }
        if !request.is_complete() {
            return FilterStep::More;
        }
        let code = ErrorCode::SASL_AUTHENTICATION_FAILED;
        let answer = error_answer(api, request.version(), request.body(), code);
        FilterStep::Now(match answer {
            Some(answer) => OnRequest::AnswerAndLeave(answer, leave),
            None => OnRequest::Leave(leave),
        })
    }
}

/// The name that the client has authenticated as.
fn name_of(session: &ClientSession) -> Option<Box<str>> {
    let accepted = session.handle().facts.sasl();
    accepted.and_then(|sasl| sasl.principal.clone())
}

impl Filter for SaslInspection {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(ApiKey::SASL_HANDSHAKE, 0..=i16::MAX, Level::Whole);
        interest.responses(ApiKey::SASL_HANDSHAKE, 0..=i16::MAX, Level::Whole);
        if self.model.require_authentication {
            interest.every_request(Level::Part);
        }
    }

    /// Makes the names anew, also where the filter arrives under a live session; but not those that a filter behind it has
    /// made of the same authentication.
    fn opened(&self, session: &mut ClientSession) {
        let Some(name) = name_of(session) else { return };
        let before = session.subject().principals.clone();
        let own = &session.state::<InspectedSession>().made;
        if before == *own || before == Subject::user(&name).principals {
            self.publish(session, &name);
        }
        session.state::<InspectedSession>().is_authenticated = true;
    }

    fn authenticated(&self, session: &mut ClientSession) {
        let name = name_of(session);
        session.state::<InspectedSession>().is_authenticated = name.is_some();
        if let Some(name) = name {
            self.publish(session, &name);
        }
    }

    fn passes(&self, session: &mut ClientSession, request: &Request<'_>) -> bool {
        let (state, _) = session.existing_state::<InspectedSession>();
        !request.api().is_preamble && state.is_some_and(|state| state.is_authenticated)
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        match request.api_key() {
            ApiKey::SASL_HANDSHAKE if !request.is_complete() => FilterStep::More,
            ApiKey::SASL_HANDSHAKE => FilterStep::Now(self.handshake(request)),
            _ if request.api().is_preamble || !self.model.require_authentication => {
                FilterStep::Now(OnRequest::ForwardBlind)
            }
            _ if session.state::<InspectedSession>().is_authenticated => {
                FilterStep::Now(OnRequest::ForwardBlind)
            }
            _ => Self::unauthenticated(request),
        }
    }

    /// Leaves out of the broker's list what clients may not use.
    fn response(
        &self,
        _: &mut ClientSession,
        response: &mut Response<'_>,
        _: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        if response.api_key() == ApiKey::SASL_HANDSHAKE
            && let Some((error, offered)) = sasl::handshake_outcome(response.body())
            && error != 0
        {
            let common: Vec<&str> = self
                .model
                .mechanisms
                .iter()
                .copied()
                .filter(|enabled| offered.contains(&enabled.as_bytes()))
                .collect();
            let answer = handshake_answer(error, common.into_iter());
            // A complete answer can be replaced.
            let _replaced = response.replace_body(&answer);
        }
        FilterStep::Now(OnResponse::Forward)
    }
}

#[cfg(test)]
mod tests;
