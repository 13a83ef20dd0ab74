//! Sessions whose broker connection kproxy has authenticated itself.

use std::sync::Arc;

use super::KafkaInspector;
use super::requests::entry;
use crate::session::inspect::DrainMode;
use crate::session::inspect::in_flight::Expects;
use crate::session::inspect::seam::FrameAction;
use crate::session::upstream::login::{ClientIdentity, LoggedIn};
use crate::session::upstream::{ProxyPreamble, Upstream};
use crate::wire::api::ApiKey;
use crate::wire::frame::REQUEST_HEAD_LEN;
use crate::wire::header::RequestHead;
use crate::wire::login;

/// The login of kproxy on the broker connection of a session.
#[derive(Debug, Clone)]
pub struct SessionLogin {
    /// The newest login.
    pub logged_in: LoggedIn,
    /// The client, for the credentials that its sessions have.
    pub client: Arc<ClientIdentity>,
    /// Name of the broker, as it advertises itself.
    pub host: String,
}

impl SessionLogin {
    /// The login of a connection that began with `preamble`; `None` without one.
    pub fn of(upstream: &Upstream, preamble: &ProxyPreamble) -> Option<Self> {
        upstream.logged_in.map(|logged_in| Self {
            logged_in,
            client: Arc::clone(&preamble.client),
            host: upstream.address.host.clone(),
        })
    }
}

impl KafkaInspector {
    /// Whether the request is one of SASL that must not reach the broker: it would authenticate the connection anew.
    #[inline]
    pub(super) fn refuses(&self, head: RequestHead) -> bool {
        self.login.is_some() && matches!(head.api_key, ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE)
    }

    /// Answers a request of SASL as a broker does on a listener without it.
    pub(super) fn refuse_sasl(&mut self, head: RequestHead, now_us: u64) -> FrameAction {
        self.requests.begin(true);
        let taken = REQUEST_HEAD_LEN;
        if self.drain == DrainMode::Acks0Only {
            return FrameAction::Discard { taken };
        }
        let mut response = Vec::new();
        login::refuse(head.api_key, head.api_version, head.correlation_id, &mut response);
        FrameAction::Answer {
            taken,
            request: entry(head, now_us, Expects::Own),
            response,
        }
    }
}
