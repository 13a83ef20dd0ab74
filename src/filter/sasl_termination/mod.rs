//! `SaslTermination`: clients authenticate at kproxy, and the broker never sees their credentials.
//!
//! Until a client has authenticated there is no broker connection: the session asks this filter alone
//! and goes on to connect when it is [`SaslTermination::admits`]. Later the same filter, in its
//! chain, lets the client authenticate again (KIP-368) and ends the session of one that does not.

mod build;
mod directory;
mod exchange;
mod login;
mod password_threads;
mod tally;

pub use build::sasl_termination;
pub use directory::{DirectoryService, DirectoryTls};
pub use login::{LoginPhase, TerminatedLogin};
pub use password_threads::PasswordThreads;
pub use tally::{ClientLoginOutcome, ClientLoginTally};

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::jwks::{IssuerJudge, TokenFigures};
use super::{
    ClientSession, Filter, FilterStep, Interest, Leave, LeaveCause, Level, OnRequest, Request, Subject,
    error_answer,
};
use crate::model::SaslTerminationModel;
use crate::sasl::server::{PasswordCheck, PasswordSource, SaslIdentity, SaslRealm, ServerMechanism};
use crate::wire::api::{Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use login::CheckOutcome;
use password_threads::CheckWait;

/// Least time between two authentications of one session.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// APIs that mean nothing where kproxy authenticates the clients: delegation tokens and the broker's SCRAM credentials.
const MEANINGLESS: [i16; 6] = [38, 39, 40, 41, 50, 51];

/// The filter.
#[derive(Debug)]
pub struct SaslTermination {
    name: String,
    model: Arc<SaslTerminationModel>,
    realm: Arc<SaslRealm>,
    /// Whether PLAIN is offered without TLS.
    plain_without_tls: bool,
    passwords: PasswordCheckers,
    /// The judge of tokens, with OAUTHBEARER.
    issuer: Option<Arc<IssuerJudge>>,
    tally: Arc<ClientLoginTally>,
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
    /// Marks a session whose client has to authenticate before there is a broker.
    pub fn begin(session: &mut ClientSession) {
        session.state::<TerminatedLogin>().phase = LoginPhase::Unauthenticated;
    }

    /// Who the client is, if it has authenticated here.
    pub fn admits(session: &mut ClientSession) -> Option<Arc<SaslIdentity>> {
        let proof = session.state::<TerminatedLogin>().proof();
        proof.map(|proof| Arc::clone(proof.identity()))
    }

    /// Checks the authentication of the client by the settings of this filter.
    ///
    /// # Errors
    /// Why the client would not be let in by them.
    pub fn check_again(&self, session: &mut ClientSession) -> Result<(), &'static str> {
        let proof = session.state::<TerminatedLogin>().proof();
        proof.map_or(Ok(()), |proof| proof.check(&self.model))
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
        let usable =
            all.filter(|mechanism| *mechanism != ServerMechanism::Plain || has_tls || self.plain_without_tls);
        usable.map(ServerMechanism::name).collect()
    }

    /// Makes the subject of the session of a client that has authenticated here.
    fn publish(&self, session: &mut ClientSession, identity: &SaslIdentity) {
        let principals = self.model.subject_builder.principals(&identity.name);
        session.state::<TerminatedLogin>().made.clone_from(&principals);
        session.set_subject(Arc::new(Subject {
            principals,
            mechanism: Some(identity.mechanism.name().into()),
            scopes: identity
                .scopes
                .iter()
                .map(|scope| scope.as_str().into())
                .collect(),
            expires: identity.expires.map(|at| UNIX_EPOCH + Duration::from_secs(at)),
        }));
    }

    /// A request that has nothing to do with SASL.
    fn other(&self, session: &mut ClientSession, request: &Request<'_>) -> FilterStep<OnRequest> {
        let login: &mut TerminatedLogin = session.state();
        match login.phase {
            LoginPhase::Unguarded => FilterStep::Now(OnRequest::Forward),
            LoginPhase::Authenticated if login.is_expired(Instant::now()) => {
                self.tally.count(ClientLoginOutcome::Expired);
                // A broker closes without an answer (KIP-368). An error would reach the application, and the client only has to connect again.
                let cause = LeaveCause::AuthenticationExpired;
                let leave = Leave::new(cause, "the client did not authenticate again in time");
                FilterStep::Now(OnRequest::Leave(leave))
            }
            LoginPhase::Authenticated => FilterStep::Now(OnRequest::Forward),
            LoginPhase::Unauthenticated => too_early(request),
        }
    }

    fn has_lifetimes(&self) -> bool {
        let tokens = self.realm.mechanisms().contains(&ServerMechanism::OauthBearer);
        tokens || self.model.max_time_before_reauth.is_some()
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

    /// An authentication that has begun goes on by the rules of this filter. One that has succeeded is not checked here: a reload
    /// checks the sessions that there are, and drains at the pace of its strategy.
    fn opened(&self, session: &mut ClientSession) {
        let login: &mut TerminatedLogin = session.state();
        if let Some(exchange) = &mut login.exchange {
            exchange.move_to(&self.realm);
        }
        let Some(proof) = login.proof() else { return };
        let made = login.made.clone();
        // A filter behind this one may have made others of them.
        if made == session.subject().principals {
            self.publish(session, proof.identity());
        }
    }

    fn token_figures(&self) -> Option<TokenFigures> {
        self.issuer.as_ref().map(|issuer| issuer.figures())
    }

    fn client_logins(&self) -> Option<&ClientLoginTally> {
        Some(&self.tally)
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

/// Answers a request of a client that has not authenticated with 58 (`SASL_AUTHENTICATION_FAILED`) in the layout of its API, and
/// ends the session.
fn too_early(request: &Request<'_>) -> FilterStep<OnRequest> {
    let why = format!("{} before the client has authenticated", request.api().name);
    let leave = Leave::new(LeaveCause::AuthenticationFailed, why);
    let answer = request.is_complete().then(|| {
        let code = ErrorCode::SASL_AUTHENTICATION_FAILED;
        error_answer(request.api(), request.version(), request.body(), code)
    });
    FilterStep::Now(match answer.flatten() {
        Some(answer) => OnRequest::AnswerAndLeave(answer, leave),
        None => OnRequest::Leave(leave),
    })
}
