//! The exchange of a client's authentication: what each of its messages is answered, and what its end means for the session.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;

use super::super::{ClientSession, FilterStep, Leave, LeaveCause, OnRequest, Request, SessionEvent};
use super::login::{LoginPhase, PendingLogin, TerminatedLogin};
use super::{ClientLoginOutcome, SaslTermination};
use crate::drain::SaslFacts;
use crate::model::TerminatedProof;
use crate::sasl::server::{SaslIdentity, ServerExchange, ServerMechanism, ServerStep};
use crate::wire::error_code::ErrorCode;
use crate::wire::header;
use crate::wire::sasl::authenticate_token;
use crate::wire::sasl_answers::{AuthenticateAnswerFields, authenticate_answer, handshake_answer};

/// Shortest lifetime of a session: a client authenticates again before its end, and at most once a second.
const LEAST_LIFETIME: Duration = Duration::from_secs(2);

impl SaslTermination {
    pub(super) fn handshake(
        &self,
        session: &mut ClientSession,
        request: &Request<'_>,
    ) -> FilterStep<OnRequest> {
        if !request.is_complete() {
            return FilterStep::More;
        }
        let offered = self.offered(session);
        let answer = |error| handshake_answer(error, offered.iter().copied());
        if request.version() == 0 {
            let why = "SaslHandshake version 0 has no authentication that kproxy can answer";
            return leave(answer(ErrorCode::UNSUPPORTED_VERSION), why);
        }
        let mechanism = match header::sasl_handshake_mechanism(request.body()) {
            Ok(Some(mechanism)) => String::from_utf8_lossy(mechanism).into_owned(),
            _ => {
                return leave(
                    answer(ErrorCode::INVALID_REQUEST),
                    "a SaslHandshake that does not parse",
                );
            }
        };
        let login: &mut TerminatedLogin = session.state();
        if login.exchange.is_some() || login.is_too_soon() {
            let why = "a SaslHandshake where none is due";
            return leave(answer(ErrorCode::ILLEGAL_SASL_STATE), why);
        }
        let known = ServerMechanism::from_name(&mechanism).filter(|known| offered.contains(&known.name()));
        let Some(mechanism) = known else {
            return FilterStep::Now(OnRequest::Answer(answer(ErrorCode::UNSUPPORTED_SASL_MECHANISM)));
        };
        login.exchange = Some(ServerExchange::new(Arc::clone(&self.realm), mechanism));
        FilterStep::Now(OnRequest::Answer(answer(ErrorCode::NONE)))
    }

    pub(super) fn authenticate(
        &self,
        session: &mut ClientSession,
        request: &Request<'_>,
    ) -> FilterStep<OnRequest> {
        if !request.is_complete() {
            return FilterStep::More;
        }
        let version = request.version();
        let login: &mut TerminatedLogin = session.state();
        let Some(mut exchange) = login.exchange.take() else {
            return self.authenticated_out_of_turn(login, version);
        };
        let step = match std::mem::take(&mut login.pending) {
            PendingLogin::Nothing => match (token(request), nonce()) {
                (Some(_), _) if !login.may_use(exchange.mechanism()) => ServerStep::Refused(
                    "the client authenticates again by another mechanism than before".into(),
                ),
                (Some(token), Some(nonce)) => exchange.receive(token, unix_seconds(), &nonce),
                (Some(_), None) => ServerStep::Refused("this machine has no random numbers".into()),
                (None, _) => ServerStep::Refused("a SaslAuthenticate that does not parse".into()),
            },
            PendingLogin::Password(outcome) => match outcome.take() {
                Some(outcome) => exchange.password_checked(outcome),
                None => exchange.password_checked(Err("the check was given up".into())),
            },
            PendingLogin::Token => exchange.token_awaited(unix_seconds()),
            PendingLogin::Refused { why } => {
                self.tally.count(ClientLoginOutcome::Refused);
                return refuse_now(session, exchange.mechanism(), version, &why);
            }
        };
        self.follow(session, version, exchange, step)
    }

    /// Does what an exchange asks for.
    fn follow(
        &self,
        session: &mut ClientSession,
        version: i16,
        exchange: ServerExchange,
        step: ServerStep,
    ) -> FilterStep<OnRequest> {
        let login: &mut TerminatedLogin = session.state();
        match step {
            ServerStep::Challenge(token) => {
                login.exchange = Some(exchange);
                let fields = AuthenticateAnswerFields {
                    token: &token,
                    ..AuthenticateAnswerFields::default()
                };
                FilterStep::Now(OnRequest::Answer(authenticate_answer(version, &fields)))
            }
            ServerStep::Check(check) => {
                let (outcome, wait) = self.passwords.check(check);
                login.exchange = Some(exchange);
                login.pending = PendingLogin::Password(outcome);
                FilterStep::Again(wait)
            }
            ServerStep::Wait(wait) => {
                login.exchange = Some(exchange);
                login.pending = PendingLogin::Token;
                FilterStep::Again(wait)
            }
            ServerStep::Accepted { identity, message } => match login.name_differs(&identity) {
                true => {
                    let why = "the client authenticates again under another name than before".to_owned();
                    self.refuse(login, exchange, why)
                }
                false => self.accept(session, version, identity, &message),
            },
            ServerStep::Refused(why) => self.refuse(login, exchange, why),
        }
    }

    fn accept(
        &self,
        session: &mut ClientSession,
        version: i16,
        identity: SaslIdentity,
        message: &[u8],
    ) -> FilterStep<OnRequest> {
        let now = unix_seconds();
        let lifetime = self.lifetime(&identity, now);
        let at = Duration::from_secs(now);
        let proof = TerminatedProof::new(Arc::new(identity), &self.model, at);
        let login: &mut TerminatedLogin = session.state();
        self.tally.count(match login.phase {
            LoginPhase::Authenticated => ClientLoginOutcome::Again,
            LoginPhase::Unguarded | LoginPhase::Unauthenticated => ClientLoginOutcome::First,
        });
        let proof = login.authenticated(proof, lifetime);
        session.handle().facts.note_sasl(SaslFacts {
            mechanism: proof.identity().mechanism.name().into(),
            principal: Some(proof.identity().name.as_str().into()),
        });
        session.handle().facts.note_login(Arc::clone(&proof));
        self.publish(session, proof.identity());
        session.record(&SessionEvent::Authenticated);
        let fields = AuthenticateAnswerFields {
            token: message,
            lifetime_ms: lifetime.map_or(0, crate::time::whole_millis),
            ..AuthenticateAnswerFields::default()
        };
        FilterStep::Now(OnRequest::Answer(authenticate_answer(version, &fields)))
    }

    /// Holds the answer to a failed authentication back: guessing takes time, and takes as long for every reason.
    fn refuse(
        &self,
        login: &mut TerminatedLogin,
        exchange: ServerExchange,
        why: String,
    ) -> FilterStep<OnRequest> {
        login.exchange = Some(exchange);
        login.pending = PendingLogin::Refused { why };
        FilterStep::Again(Box::pin(tokio::time::sleep(self.model.failed_delay)))
    }

    fn authenticated_out_of_turn(&self, login: &mut TerminatedLogin, version: i16) -> FilterStep<OnRequest> {
        login.pending = PendingLogin::Nothing;
        let fields = AuthenticateAnswerFields {
            error: ErrorCode::ILLEGAL_SASL_STATE,
            message: "SaslAuthenticate without SaslHandshake",
            ..AuthenticateAnswerFields::default()
        };
        leave(
            authenticate_answer(version, &fields),
            "a SaslAuthenticate without a SaslHandshake",
        )
    }

    /// Time until a client has to authenticate again. `None`: it need not. A token may be accepted a moment after its end, because
    /// clocks differ.
    fn lifetime(&self, identity: &SaslIdentity, now: u64) -> Option<Duration> {
        let of_token = identity.expires.map(|expires| {
            let left = Duration::from_secs(expires.saturating_sub(now));
            left.max(LEAST_LIFETIME)
        });
        match (self.model.max_time_before_reauth, of_token) {
            (Some(most), Some(of_token)) => Some(most.min(of_token)),
            (most, of_token) => most.or(of_token),
        }
    }
}

/// Answers a failed authentication, whose delay is over.
fn refuse_now(
    session: &ClientSession,
    mechanism: ServerMechanism,
    version: i16,
    why: &str,
) -> FilterStep<OnRequest> {
    let mechanism = mechanism.name();
    session.record(&SessionEvent::AuthenticationFailed {
        mechanism,
        claimed: None,
        why,
    });
    let message = format!(
        "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
    );
    let fields = AuthenticateAnswerFields {
        error: ErrorCode::SASL_AUTHENTICATION_FAILED,
        message: &message,
        ..AuthenticateAnswerFields::default()
    };
    leave(
        authenticate_answer(version, &fields),
        format!("{mechanism}: {why}"),
    )
}

fn leave(answer: Vec<u8>, why: impl Into<Cow<'static, str>>) -> FilterStep<OnRequest> {
    let leave = Leave::new(LeaveCause::AuthenticationFailed, why);
    FilterStep::Now(OnRequest::AnswerAndLeave(answer, leave))
}

fn token<'a>(request: &'a Request<'_>) -> Option<&'a [u8]> {
    authenticate_token(request.body(), request.version())
        .ok()
        .flatten()
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Random text that nobody can guess: a server's part of the nonce of SCRAM.
fn nonce() -> Option<String> {
    let mut bytes = [0; 18];
    rand::fill(&mut bytes).ok()?;
    Some(BASE64URL_NOPAD.encode(&bytes))
}
