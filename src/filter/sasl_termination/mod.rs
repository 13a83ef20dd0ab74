//! `SaslTermination`: clients authenticate at kproxy, and the broker never sees their credentials.
//!
//! Until a client has authenticated there is no broker connection: the session asks this filter alone
//! and goes on to connect when it is [`SaslTermination::admits`]. Later the same filter, in its
//! chain, lets the client authenticate again (KIP-368) and ends the session of one that does not.

mod build;
mod directory;
mod login;
mod password_threads;

pub use build::sasl_termination;
pub use directory::{DirectoryService, DirectoryTls};
pub use login::{LoginPhase, TerminatedLogin};
pub use password_threads::PasswordThreads;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;

use super::{
    ClientSession, Filter, FilterStep, Interest, Leave, LeaveCause, Level, OnRequest, Principal, Request,
    SessionEvent, Subject, error_answer,
};
use crate::drain::SaslFacts;
use crate::sasl::server::{
    PasswordCheck, PasswordSource, SaslIdentity, SaslRealm, ServerExchange, ServerMechanism, ServerStep,
};
use crate::wire::api::{Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::header;
use crate::wire::sasl::authenticate_token;
use crate::wire::sasl_answers::{AuthenticateAnswerFields, authenticate_answer, handshake_answer};
use login::{CheckOutcome, PendingLogin};
use password_threads::CheckWait;

/// Least time between two authentications of one session.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// APIs that mean nothing where kproxy authenticates the clients: delegation tokens and the broker's SCRAM credentials.
const MEANINGLESS: [i16; 6] = [38, 39, 40, 41, 50, 51];

/// Settings of the filter beside its mechanisms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationSettings {
    /// Longest time until a client has to authenticate again; `None`: as long as its token is good.
    pub max_time_before_reauth: Option<Duration>,
    /// Time for which the answer to a failed authentication is held back.
    pub failed_delay: Duration,
    /// Whether PLAIN is offered without TLS.
    pub plain_without_tls: bool,
}

/// The filter.
#[derive(Debug)]
pub struct SaslTermination {
    name: String,
    realm: Arc<SaslRealm>,
    settings: TerminationSettings,
    passwords: PasswordCheckers,
}

/// The services that check passwords, which takes longer than a thread that serves sessions has time for.
#[derive(Debug, Clone)]
pub struct PasswordCheckers {
    /// Threads that derive keys.
    pub threads: Arc<PasswordThreads>,
    /// The directory service that is asked.
    pub directory: Option<Arc<DirectoryService>>,
}

impl PasswordCheckers {
    /// Checks a password. The outcome is in its place when the future is ready.
    fn check(&self, check: PasswordCheck) -> (CheckOutcome, CheckWait) {
        let directory = match (&check.against, &self.directory) {
            (PasswordSource::Directory, Some(directory)) => Arc::clone(directory),
            _ => return self.threads.check(check),
        };
        let outcome = CheckOutcome::default();
        let place = outcome.clone();
        let wait = Box::pin(async move {
            place.set(directory.check(&check.name, &check.password).await);
        });
        (outcome, wait)
    }
}

impl SaslTermination {
    /// The filter of this name.
    pub fn new(
        name: String,
        realm: Arc<SaslRealm>,
        settings: TerminationSettings,
        passwords: PasswordCheckers,
    ) -> Self {
        Self {
            name,
            realm,
            settings,
            passwords,
        }
    }

    /// Marks a session whose client has to authenticate before there is a broker.
    pub fn begin(session: &mut ClientSession) {
        let login: &mut TerminatedLogin = session.state();
        login.phase = LoginPhase::Unauthenticated;
    }

    /// Who the client is, if it has authenticated here.
    pub fn admits(session: &mut ClientSession) -> Option<Arc<SaslIdentity>> {
        session.state::<TerminatedLogin>().identity()
    }

    /// Whether the client has begun to authenticate and is not done.
    pub fn is_exchanging(session: &mut ClientSession) -> bool {
        session.state::<TerminatedLogin>().exchange.is_some()
    }

    /// Number of bytes of the largest SASL token of any mechanism.
    pub fn max_token(&self) -> usize {
        let all = self.realm.mechanisms().iter();
        all.map(|mechanism| self.realm.max_message(*mechanism))
            .max()
            .unwrap_or_default()
    }

    /// The mechanisms that this client may use.
    fn offered(&self, session: &ClientSession) -> Vec<&'static str> {
        let has_tls = session.handle().facts.tls().is_some();
        let all = self.realm.mechanisms().iter().copied();
        let usable = all.filter(|mechanism| {
            *mechanism != ServerMechanism::Plain || has_tls || self.settings.plain_without_tls
        });
        usable.map(ServerMechanism::name).collect()
    }

    fn handshake(&self, session: &mut ClientSession, request: &Request<'_>) -> FilterStep<OnRequest> {
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

    fn authenticate(&self, session: &mut ClientSession, request: &Request<'_>) -> FilterStep<OnRequest> {
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
            PendingLogin::Refused { why } => return refuse_now(session, exchange.mechanism(), version, &why),
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
        let lifetime = self.lifetime(&identity, unix_seconds());
        session.set_subject(Arc::new(subject(&identity)));
        session.handle().facts.note_sasl(SaslFacts {
            mechanism: identity.mechanism.name().into(),
            principal: Some(identity.name.as_str().into()),
        });
        session.record(&SessionEvent::Authenticated);
        let login: &mut TerminatedLogin = session.state();
        login.authenticated(Arc::new(identity), Arc::clone(&self.realm), lifetime);
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
        FilterStep::Again(Box::pin(tokio::time::sleep(self.settings.failed_delay)))
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

    /// Time until a client has to authenticate again. `None`: it need not.
    fn lifetime(&self, identity: &SaslIdentity, now: u64) -> Option<Duration> {
        let of_token = identity
            .expires
            .map(|expires| Duration::from_secs(expires.saturating_sub(now)));
        match (self.settings.max_time_before_reauth, of_token) {
            (Some(most), Some(of_token)) => Some(most.min(of_token)),
            (most, of_token) => most.or(of_token),
        }
    }

    /// A request that has nothing to do with SASL.
    fn other(&self, session: &mut ClientSession, request: &Request<'_>) -> FilterStep<OnRequest> {
        let login: &mut TerminatedLogin = session.state();
        let leave = match login.phase {
            LoginPhase::Unguarded => return FilterStep::Now(OnRequest::Forward),
            LoginPhase::Unauthenticated => Leave::new(
                LeaveCause::AuthenticationFailed,
                format!("{} before the client has authenticated", request.api().name),
            ),
            LoginPhase::Authenticated if login.is_expired(Instant::now()) => {
                // As a broker does (KIP-368): an answer would reach the application of a client that only has to connect again.
                let cause = LeaveCause::AuthenticationExpired;
                let leave = Leave::new(cause, "the client did not authenticate again in time");
                return FilterStep::Now(OnRequest::Leave(leave));
            }
            LoginPhase::Authenticated => return FilterStep::Now(OnRequest::Forward),
        };
        let answer = request.is_complete().then(|| {
            let code = ErrorCode::SASL_AUTHENTICATION_FAILED;
            error_answer(request.api(), request.version(), request.body(), code)
        });
        FilterStep::Now(match answer.flatten() {
            Some(answer) => OnRequest::AnswerAndLeave(answer, leave),
            None => OnRequest::Leave(leave),
        })
    }

    fn has_lifetimes(&self) -> bool {
        let tokens = self.realm.mechanisms().contains(&ServerMechanism::OauthBearer);
        tokens || self.settings.max_time_before_reauth.is_some()
    }
}

impl Filter for SaslTermination {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        if self.has_lifetimes() {
            interest.every_request(Level::Head);
        }
        interest.requests(ApiKey::SASL_HANDSHAKE, 0..=i16::MAX, Level::Whole);
        interest.requests(ApiKey::SASL_AUTHENTICATE, 0..=i16::MAX, Level::Whole);
    }

    fn offers(&self, api: &Api) -> Option<RangeInclusive<i16>> {
        (!MEANINGLESS.contains(&api.key)).then_some(api.min..=api.max)
    }

    /// A client that would not be let in any more is asked to leave: its user was removed or has another password, or its
    /// mechanism is gone.
    fn opened(&self, session: &mut ClientSession) {
        if !session.state::<TerminatedLogin>().is_known_in(&self.realm) {
            session.drain().begin();
        }
    }

    fn passes(&self, session: &mut ClientSession, request: &Request<'_>) -> bool {
        let (login, _) = session.existing_state::<TerminatedLogin>();
        let is_good = |login: &mut TerminatedLogin| match login.phase {
            LoginPhase::Unguarded => true,
            LoginPhase::Unauthenticated => false,
            LoginPhase::Authenticated => !login.is_expired(Instant::now()),
        };
        !request.api().is_preamble && login.is_some_and(is_good)
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        if session.state::<TerminatedLogin>().phase == LoginPhase::Unguarded {
            return FilterStep::Now(OnRequest::Forward);
        }
        match request.api_key() {
            ApiKey::SASL_HANDSHAKE => self.handshake(session, request),
            ApiKey::SASL_AUTHENTICATE => self.authenticate(session, request),
            ApiKey::API_VERSIONS => FilterStep::Now(OnRequest::Forward),
            _ => self.other(session, request),
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

fn leave(answer: Vec<u8>, why: impl Into<std::borrow::Cow<'static, str>>) -> FilterStep<OnRequest> {
    let leave = Leave::new(LeaveCause::AuthenticationFailed, why);
    FilterStep::Now(OnRequest::AnswerAndLeave(answer, leave))
}

fn token<'a>(request: &'a Request<'_>) -> Option<&'a [u8]> {
    authenticate_token(request.body(), request.version())
        .ok()
        .flatten()
}

/// The names of a client that has authenticated here.
fn subject(identity: &SaslIdentity) -> Subject {
    Subject {
        principals: vec![Principal {
            kind: "User".into(),
            name: identity.name.as_str().into(),
        }],
        mechanism: Some(identity.mechanism.name().into()),
        scopes: identity
            .scopes
            .iter()
            .map(|scope| scope.as_str().into())
            .collect(),
        expires: identity.expires.map(|at| UNIX_EPOCH + Duration::from_secs(at)),
    }
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
