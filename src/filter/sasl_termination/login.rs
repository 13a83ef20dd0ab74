//! What a session keeps of its authentication at kproxy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::LEAST_INTERVAL;
use crate::model::{Principal, TerminatedProof};
use crate::sasl::server::{SaslIdentity, ServerExchange, ServerMechanism};

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
    /// The principals that were made of the name of the client.
    pub(super) made: Vec<Principal>,
    proven: Option<ProvenLogin>,
}

/// An authentication that succeeded.
#[derive(Debug)]
struct ProvenLogin {
    proof: Arc<TerminatedProof>,
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
        proof: TerminatedProof,
        lifetime: Option<Duration>,
    ) -> Arc<TerminatedProof> {
        let (at, proof) = (Instant::now(), Arc::new(proof));
        self.phase = LoginPhase::Authenticated;
        self.exchange = None;
        self.proven = Some(ProvenLogin {
            proof: Arc::clone(&proof),
            at,
            until: lifetime.map(|lifetime| at + lifetime),
        });
        proof
    }

    /// The newest authentication of the client.
    pub fn proof(&self) -> Option<Arc<TerminatedProof>> {
        self.proven.as_ref().map(|proven| Arc::clone(&proven.proof))
    }

    fn identity(&self) -> Option<&SaslIdentity> {
        self.proven.as_ref().map(|proven| &**proven.proof.identity())
    }

    /// Whether the client was authenticated so short a time ago that it may not do so again.
    pub(super) fn is_too_soon(&self) -> bool {
        self.proven
            .as_ref()
            .is_some_and(|proven| proven.at.elapsed() < LEAST_INTERVAL)
    }

    /// Whether the client may use this mechanism: again only the same.
    pub(super) fn may_use(&self, mechanism: ServerMechanism) -> bool {
        self.identity()
            .is_none_or(|identity| identity.mechanism == mechanism)
    }

    /// Whether the client was another before.
    pub(super) fn name_differs(&self, identity: &SaslIdentity) -> bool {
        self.identity().is_some_and(|before| before.name != identity.name)
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        let until = self.proven.as_ref().and_then(|proven| proven.until);
        until.is_some_and(|until| until <= now)
    }
}
