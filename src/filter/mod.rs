//! Filters: what kproxy does with requests and answers beyond forwarding them.
//!
//! A [`Filter`] is one configured rule set of a virtual cluster. It is immutable, shared by all sessions of the cluster,
//! and replaced as a whole when its configuration changes. What has to survive such a change lives in the
//! [`ClientSession`]. A [`Chain`] holds the filters of a cluster in the order of the configuration: a request passes them
//! from the first to the last, an answer from the last to the first. Addresses are rewritten next to the broker, so that
//! filters see the addresses that clients see.
//!
//! ```text
//! client ─► filter 1 ─► filter 2 ─► rewriting ─► broker
//! client ◄─ filter 1 ◄─ filter 2 ◄─ rewriting ◄─ broker
//! ```
//!
//! A filter says with an [`Interest`] which requests and answers it reads. Everything else is forwarded without being
//! held, as in a cluster without filters.
//!
//! A request is handled by the chain that is in force when its header arrives, and so is its answer, however late. A
//! reload therefore changes the filters of live sessions between two requests.

mod api_filter;
mod audit;
mod authorization;
mod build;
mod chain;
mod client_session;
mod clock;
mod conditional;
mod connection_expiration;
mod counters;
mod custom;
mod decisions;
mod error_answer;
mod failure;
mod fence;
mod frame;
mod health;
mod interest;
pub mod jwks;
pub mod oauth_bearer_validation;
mod protocol_logger;
mod recorder;
pub mod sasl_inspection;
pub mod sasl_termination;
mod session_drain;
mod subject;
pub mod testing;
mod topic_name_reader;
mod topic_names;

pub use api_filter::ApiFilter;
pub use audit::ClientAudit;
pub use authorization::Authorization;
pub use build::{FilterChain, FilterEnv, FilterError, build};
pub use chain::{Chain, ChainedFilter};
pub use client_session::{ClientSession, SessionFacts};
pub use clock::SessionClock;
pub use connection_expiration::{AgeLimits, ConnectionExpiration};
pub use counters::{FilterCounters, FilterOutcome};
pub use custom::{BuildingFilter, CustomDefinition, FilterFactory, register};
pub use decisions::{AclDecisions, DecisionTotal, DeniedSamples, MOST_SAMPLES, RuleDecisions};
pub use error_answer::{error_answer, error_answer_by_element, error_in_place_of};
pub use failure::{FilterFailure, failure_code, poll_wait};
pub use fence::{FenceFacts, FencedOutcome, FencedTally, TopicFence};
pub use frame::{FilteredFrame, FromBroker, FromClient, Request, Response};
pub use health::FilterHealth;
pub use interest::{ApiInterest, Interest, Level};
pub use protocol_logger::ProtocolLogger;
pub use recorder::{Denial, Recorder, SessionEvent};
pub use session_drain::{DrainPolicySource, SessionDrain};
pub use subject::{Principal, Subject};
pub use topic_names::{TopicNameMap, TopicUuid};

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use crate::wire::api::Api;

/// One configured filter of a virtual cluster.
///
/// No method may block or wait. A filter that needs something that is not there returns [`FilterStep::Again`] with a
/// future that gets it, and is asked again about the same frame.
pub trait Filter: Any + fmt::Debug + Send + Sync {
    /// Returns the name of its definition (`filterDefinitions[].name`).
    fn name(&self) -> &str;

    /// Adds what it reads to `interest`. Called once, when a chain is built.
    fn interest(&self, interest: &mut Interest);

    /// Returns the versions of `api` that clients may use. `None` hides the API. ApiVersions answers are narrowed to it,
    /// and a request beyond is answered with error 35 (`UNSUPPORTED_VERSION`).
    fn offers(&self, api: &Api) -> Option<RangeInclusive<i16>> {
        Some(api.min..=api.max)
    }

    /// Returns what its rules decided, if it has rules of access.
    fn decisions(&self) -> Option<&AclDecisions> {
        None
    }

    /// Whether it hides names in answers of the broker. An error in place of an answer about which such a filter cannot
    /// decide would show them: the session ends instead, whatever `onError` says.
    fn hides_names(&self) -> bool {
        false
    }

    /// Returns where it finds names of topics by their ids, if it needs them. Answers of brokers that tell names are then
    /// read and entered there before this filter sees them.
    fn topic_names(&self) -> Option<&Arc<TopicNameMap>> {
        None
    }

    /// Prepares `session`. Called when a session opens, and when a reload brings the filter to a live session.
    fn opened(&self, _session: &mut ClientSession) {}

    /// Takes in that it is in force for `session`, and that so many requests are unanswered that went on before. What it returns
    /// is dropped when the last of them is answered.
    fn adopted(&self, _session: &ClientSession, _unanswered: usize) -> Option<Note> {
        None
    }

    /// Returns figures of the tokens that the filter checks; `None` if it checks none.
    fn token_figures(&self) -> Option<jwks::TokenFigures> {
        None
    }

    /// Returns counters of the authentications of clients, if clients authenticate at the filter.
    fn client_logins(&self) -> Option<&sasl_termination::ClientLoginTally> {
        None
    }

    /// Takes in that the broker may have accepted who the client of `session` says it is. The subject of the session is
    /// the plain one of its SASL exchange, which the filter may replace.
    fn authenticated(&self, _session: &mut ClientSession) {}

    /// Whether a request goes on as with [`OnRequest::ForwardBlind`], and nothing has to be told of it but that it did: what
    /// nearly every request of a busy client is. Asked for requests that [`Self::interest`] reads, before
    /// [`Self::request`], with as much as has arrived; false says only that [`Self::request`] decides.
    ///
    /// It has to be cheap. It changes nothing that a client sees, and counts nothing: another filter may want to decide.
    fn passes(&self, _session: &mut ClientSession, _request: &Request<'_>) -> bool {
        false
    }

    /// Takes in that the request for which [`Self::passes`] was true last has gone on.
    fn passed(&self, _session: &mut ClientSession) {}

    /// Counts what [`Self::passed`] has taken in. Called once for the requests of a read.
    fn count_passed(&self, _session: &mut ClientSession) {}

    /// Decides about a request of the client.
    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest>;

    /// Decides about the answer to a request. An answer that is not complete cannot be changed: a filter that may have to
    /// returns [`FilterStep::More`]. `note` is what [`OnRequest::ForwardNoting`] kept.
    fn response(
        &self,
        _session: &mut ClientSession,
        _response: &mut Response<'_>,
        _note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        FilterStep::Now(OnResponse::Forward)
    }
}

/// What a filter keeps of a request for its answer. It is dropped with the request.
pub type Note = Box<dyn Any + Send>;

/// The result of asking a filter about a frame.
pub enum FilterStep<T> {
    /// The decision.
    Now(T),
    /// More of the frame is needed. Of a complete frame it is an error of the filter.
    More,
    /// The filter is asked again about the same frame when the future is ready: at most [`MOST_REPETITIONS`] times. A future
    /// that is not ready within 10 s is a failure of the filter. Meanwhile nothing more is read in this direction.
    Again(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// kproxy puts this question to the broker, over the connection of the session, behind everything that is in
    /// flight. The filter is asked again about the same frame when [`ClientSession::take_answer`] has the answer. Only for
    /// requests.
    Ask(Question),
}

/// Times that a filter may be asked again about one frame.
pub const MOST_REPETITIONS: u8 = 4;

impl<T: fmt::Debug> fmt::Debug for FilterStep<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(decision) => out.debug_tuple("Now").field(decision).finish(),
            Self::More => out.write_str("More"),
            Self::Again(_) => out.write_str("Again"),
            Self::Ask(question) => out.debug_tuple("Ask").field(question).finish(),
        }
    }
}

/// A request of kproxy's own to the broker of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Number of its API.
    pub api_key: i16,
    /// Version, one that the broker has offered.
    pub api_version: i16,
    /// Its body, without a header.
    pub body: Vec<u8>,
}

/// A decision about a request.
#[derive(Debug)]
pub enum OnRequest {
    /// It goes on to the next filter. Its answer is shown to this filter if it subscribed to the answers of the API at
    /// [`Level::Whole`] or [`Level::Part`].
    Forward,
    /// It goes on to the next filter, and its answer is shown to this filter together with the note, whatever it
    /// subscribed to: a large answer first in part, and as a whole when the filter returns [`FilterStep::More`].
    ForwardNoting(Note),
    /// It goes on to the next filter, and its answer passes this filter unread.
    ForwardBlind,
    /// kproxy answers it with this body, in the version of the request and at its place in the order of requests.
    Answer(Vec<u8>),
    /// kproxy answers it as with [`Self::Answer`], and the session ends behind the answer.
    AnswerAndLeave(Vec<u8>, Leave),
    /// It goes no further, and nobody answers. Only for a request without an answer (Produce with `acks=0`).
    Silence,
    /// The session ends before it.
    Leave(Leave),
}

/// A decision about an answer.
#[derive(Debug)]
pub enum OnResponse {
    /// It goes on to the filter before this one.
    Forward,
    /// The session ends in place of it.
    Leave(Leave),
}

/// Why a filter ends a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// The kind of reason.
    pub cause: LeaveCause,
    /// What an operator should know of it. Holds no secret and no contents of records.
    pub detail: Cow<'static, str>,
}

/// Kinds of reasons why a filter ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveCause {
    /// The client asked for something that it may not do, and no answer can say so.
    Denied,
    /// The client did not authenticate.
    AuthenticationFailed,
    /// The credentials of the client have expired (KIP-368).
    AuthenticationExpired,
    /// The session has reached its age limit.
    Expired,
    /// The filter cannot do its work. Whether the session ends is up to `onError` of the filter.
    Failed,
}

impl Leave {
    /// A reason with its detail.
    pub fn new(cause: LeaveCause, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            detail: detail.into(),
        }
    }
}
