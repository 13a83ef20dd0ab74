//! What ties a session to its broker connection, and the way to another one.
//!
//! A broker knows a connection by what it has heard on it: ApiVersions, and who the client is. kproxy can say both again
//! where it has said them itself. What a client has authenticated with on its own, it alone can repeat. Share sessions
//! (KIP-932) end with their connection; Fetch sessions, producers, transactions and members of groups do not.

use std::sync::Arc;

use super::KafkaInspector;
use super::own_login::SessionLogin;
use super::renewal::Renewal;
use crate::drain::BrokerTie;
use crate::session::context::EndpointBinding;
use crate::session::inspect::{DrainMode, Inspect as _};
use crate::session::pump::Limits;
use crate::session::upstream::Promise;
use crate::wire::api::{self, ApiKey};

use super::context::{SessionContext, session_facts};

impl KafkaInspector {
    /// Notes a request that takes the long way: whether it ties the session to its broker connection.
    #[inline]
    pub(super) fn note_tie(&mut self, api_key: i16) {
        match api_key {
            ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE if self.login.is_none() => {
                self.context.handle().tie(BrokerTie::ClientLogin);
            }
            ApiKey::SHARE_FETCH | ApiKey::SHARE_ACKNOWLEDGE => {
                self.context.handle().tie(BrokerTie::ShareSession);
            }
            _ => {}
        }
    }

    /// The newest answer to ApiVersions.
    pub fn promise(&self) -> Option<&Arc<Promise>> {
        self.promise.as_ref()
    }

    /// Sets what the client was answered before there was a broker.
    #[must_use]
    pub fn with_promise(mut self, promise: Option<Arc<Promise>>) -> Self {
        self.promise = promise;
        self
    }

    /// Whether a request without an answer has been forwarded, which the broker may not have read yet.
    pub fn has_sent_unanswered(&self) -> bool {
        self.requests.forwarded_unanswered()
    }

    /// See [`Inspect::may_move`](super::Inspect::may_move).
    pub(super) fn can_change_broker(&self) -> bool {
        self.context.handle().tied_by().is_none()
            && !matches!(self.renewal, Renewal::Failed(_))
            && self.drain < DrainMode::Throttling
    }

    /// Whether a request that begins now has to wait for the session to move.
    #[inline]
    pub(super) fn holds_requests(&self) -> bool {
        self.drain == DrainMode::Holding && self.at_request_boundary()
    }

    /// See [`Inspect::hold_requests`](super::Inspect::hold_requests).
    pub(super) fn hold(&mut self, asked_us: u64) -> bool {
        self.drain = self.drain.max(DrainMode::Shortening);
        let is_at_rest = self.learning.is_none() && matches!(self.renewal, Renewal::Idle);
        if self.drain == DrainMode::Shortening && is_at_rest && !self.waits_for_long(asked_us) {
            self.drain = DrainMode::Holding;
        }
        self.drain == DrainMode::Holding
    }

    /// Whether a broker may hold back an answer for longer than a client waits that does not expect it. Waits of requests that
    /// came behind `asked_us` have been shortened.
    fn waits_for_long(&self, asked_us: u64) -> bool {
        self.in_flight.iter().any(|asked| {
            let api = api::api(asked.api_key).filter(|api| api.is_parked);
            api.is_some_and(|api| api.max_wait.is_none() || asked.at_us <= asked_us)
        })
    }

    /// Goes on over a connection to the broker of `binding`. Between two requests only. Returns the time limits there.
    pub fn change_broker(&mut self, binding: EndpointBinding, login: Option<SessionLogin>) -> Limits {
        let facts = session_facts(&binding);
        let mut context = SessionContext::new(self.context.shared_handle(), binding);
        let limits = context.refresh();
        self.context = context;
        self.login = login.map(Box::new);
        self.schedule_renewal();
        if let Some(session) = self.filter_session() {
            session.set_facts(facts);
        }
        self.refresh_filters();
        self.refresh_pause();
        limits
    }
}
