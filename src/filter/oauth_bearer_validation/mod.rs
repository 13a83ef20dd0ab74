//! `OauthBearerValidation`: the token of every client that authenticates with OAUTHBEARER is checked before the broker sees
//! it, at every authentication of a session. The broker gets the tokens that are valid, unchanged.

mod rejected;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;

use self::rejected::{RejectedTokens, TokenDigest};
use super::jwks::{IssuerJudge, KeySource, TokenFigures};
use super::{
    ClientSession, Filter, FilterStep, Interest, Leave, LeaveCause, Level, OnRequest, Request, Subject,
};
use crate::drain::SaslFacts;
use crate::model::OauthBearerValidationModel;
use crate::sasl::jwt::{TokenFault, TokenOutcome, ValidToken};
use crate::sasl::server::read_bearer;
use crate::wire::api::ApiKey;
use crate::wire::error_code::ErrorCode;
use crate::wire::sasl_answers::{AuthenticateAnswerFields, authenticate_answer, handshake_answer};
use crate::wire::{header, sasl};

const OAUTHBEARER: &str = "OAUTHBEARER";

/// The filter.
#[derive(Debug)]
pub struct OauthBearerValidation {
    name: String,
    judge: IssuerJudge,
    rejected: Arc<RejectedTokens>,
}

/// What the filter keeps of a session.
#[derive(Debug, Default)]
struct BearerSession {
    /// A handshake asked for OAUTHBEARER, and the broker has accepted nobody since.
    expects_token: bool,
    /// The answer to the token at hand has been held back.
    paused: bool,
    /// What the newest valid token says.
    valid: Option<ValidToken>,
}

impl OauthBearerValidation {
    /// Builds the filter, which takes over the keys and the memory of `previous` where they are to be the same. Waits for the
    /// keys of a new issuer at most five seconds.
    ///
    /// # Errors
    /// Why the keys have not come, if the filter has to have some.
    pub async fn build(
        name: String,
        model: &OauthBearerValidationModel,
        previous: Option<&Self>,
    ) -> Result<Self, String> {
        let keys = KeySource::open(&model.keys, previous.map(|previous| previous.judge.keys())).await?;
        let (kept_for, most) = (model.remembered_for, model.remembered);
        let rejected = previous
            .map(|previous| &previous.rejected)
            .filter(|rejected| rejected.is_like(kept_for, most));
        let rejected = match rejected {
            Some(rejected) => Arc::clone(rejected),
            None => Arc::new(RejectedTokens::new(kept_for, most)),
        };
        let tally = previous.map(|previous| Arc::clone(previous.judge.tally()));
        let tally = tally.unwrap_or_default();
        Ok(Self {
            name,
            judge: IssuerJudge::new(keys, model.rules.clone(), tally),
            rejected,
        })
    }

    /// Notes which mechanism the client asks for. Tokens behind version 0 have no frame that could be checked (KIP-43).
    fn handshake(session: &mut ClientSession, request: &Request<'_>) -> FilterStep<OnRequest> {
        let mechanism = header::sasl_handshake_mechanism(request.body());
        if mechanism.ok().flatten() != Some(OAUTHBEARER.as_bytes()) {
            return FilterStep::Now(OnRequest::Forward);
        }
        if request.version() == 0 {
            let answer = handshake_answer(ErrorCode::UNSUPPORTED_SASL_MECHANISM, std::iter::empty());
            let why = "SaslHandshake v0 with OAUTHBEARER: such a token cannot be checked";
            return leave(answer, why.to_owned());
        }
        session.state::<BearerSession>().expects_token = true;
        FilterStep::Now(OnRequest::Forward)
    }

    fn authenticate(&self, session: &mut ClientSession, request: &Request<'_>) -> FilterStep<OnRequest> {
        let state: &mut BearerSession = session.state();
        if !state.expects_token {
            return FilterStep::Now(OnRequest::Forward);
        }
        let (version, now) = (request.version(), Instant::now());
        let message = sasl::authenticate_token(request.body(), version).ok().flatten();
        let Some(message) = message else {
            return self.refuse(version, &TokenFault::Message("it has no token"));
        };
        let digest = digest_of(message);
        if let Some(pause) = self.rejected.pause(&digest, now).filter(|_| !state.paused) {
            state.paused = true;
            return FilterStep::Again(Box::pin(tokio::time::sleep(pause)));
        }
        match self.validate(message) {
            Ok(valid) => {
                self.rejected.accepted(&digest);
                self.judge.tally().count(TokenOutcome::Accepted);
                (state.paused, state.valid) = (false, Some(valid));
                FilterStep::Now(OnRequest::Forward)
            }
            Err(fault) => {
                if let Some(wait) = self.judge.wait(&fault) {
                    return FilterStep::Again(wait);
                }
                state.paused = false;
                self.rejected.rejected(digest, now);
                self.refuse(version, &fault)
            }
        }
    }

    /// Answers a token that is not accepted. Like Kroxylicious this says so at once; the challenge of RFC 7628 §3.2.2 would be a
    /// round trip more, and says no more.
    fn refuse(&self, version: i16, fault: &TokenFault) -> FilterStep<OnRequest> {
        self.judge.tally().count(fault.outcome());
        let message = format!("invalid_token: {}", fault.for_client());
        let answer = authenticate_answer(
            version,
            &AuthenticateAnswerFields {
                error: ErrorCode::SASL_AUTHENTICATION_FAILED,
                message: &message,
                ..AuthenticateAnswerFields::default()
            },
        );
        leave(answer, fault.to_string())
    }

    fn validate(&self, message: &[u8]) -> Result<ValidToken, TokenFault> {
        let login = read_bearer(message).map_err(TokenFault::Message)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let valid = self.judge.validate(login.token, now)?;
        match login.authorization {
            Some(asked) if *asked != *valid.subject => Err(TokenFault::other_name(&asked, &valid.subject)),
            _ => Ok(valid),
        }
    }
}

impl Filter for OauthBearerValidation {
    fn name(&self) -> &str {
        &self.name
    }

    fn token_figures(&self) -> Option<TokenFigures> {
        Some(self.judge.figures())
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(ApiKey::SASL_HANDSHAKE, 0..=i16::MAX, Level::Whole);
        interest.requests(ApiKey::SASL_AUTHENTICATE, 0..=i16::MAX, Level::Whole);
    }

    fn authenticated(&self, session: &mut ClientSession) {
        let accepted = session.handle().facts.sasl();
        let state: &mut BearerSession = session.state();
        let by_token = accepted
            .as_ref()
            .is_some_and(|sasl| &*sasl.mechanism == OAUTHBEARER);
        let Some(valid) = state.valid.take().filter(|_| by_token) else {
            return;
        };
        state.expects_token = false;
        let subject = subject_of(&valid, accepted.as_deref(), session.subject());
        session.set_subject(Arc::new(subject));
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        match request.api_key() {
            ApiKey::SASL_HANDSHAKE => Self::handshake(session, request),
            ApiKey::SASL_AUTHENTICATE => self.authenticate(session, request),
            _ => FilterStep::Now(OnRequest::Forward),
        }
    }
}

fn digest_of(message: &[u8]) -> TokenDigest {
    let mut sum = TokenDigest::default();
    sum.copy_from_slice(digest::digest(&digest::SHA256, message).as_ref());
    sum
}

/// The subject of a valid token. A filter before this one may have made other principals of the name; these stay.
fn subject_of(valid: &ValidToken, accepted: Option<&SaslFacts>, before: &Subject) -> Subject {
    let plain = accepted
        .and_then(|sasl| sasl.principal.as_deref())
        .map(Subject::user);
    let named = match plain.is_none_or(|plain| plain.principals == before.principals) {
        true => Subject::user(&valid.subject),
        false => before.clone(),
    };
    Subject {
        mechanism: Some(OAUTHBEARER.into()),
        scopes: valid.scopes.iter().map(|scope| (**scope).into()).collect(),
        expires: Some(UNIX_EPOCH + valid.expires_at),
        ..named
    }
}

fn leave(answer: Vec<u8>, why: String) -> FilterStep<OnRequest> {
    let leave = Leave::new(LeaveCause::AuthenticationFailed, why);
    FilterStep::Now(OnRequest::AnswerAndLeave(answer, leave))
}

#[cfg(test)]
mod tests;
