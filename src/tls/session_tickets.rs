//! Tickets of TLS sessions with one broker, so that the next connection needs no full handshake.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Number of tickets kept. Each is used once and each connection brings at least one, so this many clients can
/// reconnect at once without full handshakes. One takes about a kilobyte.
const MAX_TICKETS: usize = 1024;

/// Tickets of one broker under one name.
#[derive(Debug, Default)]
pub(super) struct SessionTickets {
    state: Mutex<TicketState>,
}

#[derive(Debug, Default)]
struct TicketState {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl SessionTickets {
    fn lock(&self) -> MutexGuard<'_, TicketState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for SessionTickets {
    fn set_kx_hint(&self, _server_name: ServerName<'static>, group: NamedGroup) {
        self.lock().group = Some(group);
    }

    fn kx_hint(&self, _server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.lock().group
    }

    fn set_tls12_session(&self, _server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.lock().tls12 = Some(value);
    }

    fn tls12_session(&self, _server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.lock().tls12.clone()
    }

    fn remove_tls12_session(&self, _server_name: &ServerName<'static>) {
        self.lock().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut state = self.lock();
        while state.tls13.len() >= MAX_TICKETS {
            state.tls13.pop_front();
        }
        state.tls13.push_back(value);
    }

    /// Takes the newest ticket: a broker may have forgotten the keys of older ones.
    fn take_tls13_ticket(&self, _server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.lock().tls13.pop_back()
    }
}
