//! What a session keeps of its authentication at kproxy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::LEAST_INTERVAL;
use crate::sasl::server::{SaslIdentity, SaslRealm, ServerExchange, ServerMechanism};

/// How far a client has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoginPhase {
    /// The session was open before the filter came: the broker authenticates its client.
    #[default]
    Unguarded,
    /// The client has to authenticate here.
    Unauthenticated,
    /// The client has authenticated here.
    Authenticated,
}

/// The authentication of one session.
#[derive(Debug, Default)]
pub struct TerminatedLogin {
    /// How far the client has come.
    pub phase: LoginPhase,
    /// An exchange under way.
    pub(super) exchange: Option<ServerExchange>,
    /// What the exchange waits for.
    pub(super) pending: PendingLogin,
    proven: Option<ProvenLogin>,
}

/// An authentication that succeeded.
#[derive(Debug)]
struct ProvenLogin {
    identity: Arc<SaslIdentity>,
    /// The mechanisms and users of that time.
    realm: Arc<SaslRealm>,
    at: Instant,
    until: Option<Instant>,
}

/// What an exchange waits for.
#[derive(Debug, Default)]
pub(super) enum PendingLogin {
    /// The next message of the client.
    #[default]
    Nothing,
    /// The check of a password.
    Password(CheckOutcome),
    /// Keys to judge a token with.
    Token,
    /// The end of the delay behind a failure.
    Refused { why: String },
}

/// The place for the outcome of a check on another thread.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckOutcome(Arc<Mutex<Option<Result<bool, String>>>>);

impl CheckOutcome {
    pub(super) fn set(&self, outcome: Result<bool, String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    pub(super) fn take(&self) -> Option<Result<bool, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl TerminatedLogin {
    pub(super) fn authenticated(
        &mut self,
        identity: Arc<SaslIdentity>,
        realm: Arc<SaslRealm>,
        lifetime: Option<Duration>,
    ) {
        let at = Instant::now();
        self.phase = LoginPhase::Authenticated;
        self.exchange = None;
        self.proven = Some(ProvenLogin {
            identity,
            realm,
            at,
            until: lifetime.map(|lifetime| at + lifetime),
        });
    }

    /// Who the client is.
    pub fn identity(&self) -> Option<Arc<SaslIdentity>> {
        self.proven.as_ref().map(|proven| Arc::clone(&proven.identity))
    }

    /// Whether the client was authenticated so short a time ago that it may not do so again.
    pub(super) fn is_too_soon(&self) -> bool {
        self.proven
            .as_ref()
            .is_some_and(|proven| proven.at.elapsed() < LEAST_INTERVAL)
    }

    /// Whether the client may use this mechanism: again only the same.
    pub(super) fn may_use(&self, mechanism: ServerMechanism) -> bool {
        self.proven
            .as_ref()
            .is_none_or(|proven| proven.identity.mechanism == mechanism)
    }

    /// Whether the client was another before.
    pub(super) fn name_differs(&self, identity: &SaslIdentity) -> bool {
        self.proven
            .as_ref()
            .is_some_and(|proven| proven.identity.name != identity.name)
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        let until = self.proven.as_ref().and_then(|proven| proven.until);
        until.is_some_and(|until| until <= now)
    }

    /// Whether the client would be authenticated in `realm` as it was in that of its time.
    pub(super) fn is_known_in(&self, realm: &SaslRealm) -> bool {
        self.proven.as_ref().is_none_or(|proven| {
            let identity = &proven.identity;
            realm.still_knows(&proven.realm, identity.mechanism, &identity.name)
        })
    }
}
