//! The beginning of a broker connection, before the client's bytes pass.

use std::sync::Arc;

use super::login::{ClientIdentity, LoginAs};

/// What a broker connection begins with, before the client's bytes pass.
#[derive(Debug, Clone, Default)]
pub struct ProxyPreamble {
    /// PROXY header with the client's address, before TLS; empty if none is sent.
    pub session: Vec<u8>,
    /// PROXY header for connections of kproxy's own (LOCAL); empty if none is sent.
    pub own: Vec<u8>,
    /// The client, for the credentials that its sessions have.
    pub client: Arc<ClientIdentity>,
    /// A whole ApiVersions request that is sent before the login; empty if none is sent.
    pub first_request: Vec<u8>,
}

impl ProxyPreamble {
    /// The beginning of a session's connection.
    pub(super) fn of_session(&self) -> Greeting<'_> {
        Greeting {
            header: &self.session,
            first_request: &self.first_request,
            login: LoginAs::Client(&self.client),
        }
    }
}

/// What one connection begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Greeting<'g> {
    pub(super) header: &'g [u8],
    pub(super) first_request: &'g [u8],
    pub(super) login: LoginAs<'g>,
}

impl<'g> Greeting<'g> {
    /// The beginning of a connection of kproxy's own.
    pub(super) fn own(header: &'g [u8], login: LoginAs<'g>) -> Self {
        Self {
            header,
            first_request: &[],
            login,
        }
    }
}
