//! Live sessions, as data.

use std::net::SocketAddr;

use serde::Serialize;

/// Which sessions are asked for; `None` asks for any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionFilter {
    pub cluster: Option<String>,
    pub client_id: Option<String>,
    pub generation: Option<u64>,
}

/// One live session.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionInfo {
    pub id: u64,
    pub cluster: String,
    pub gateway: String,
    /// `bootstrap` or a node id.
    pub node: String,
    pub client: SocketAddr,
    /// Of the first request; absent until there was one, and for clients that send none.
    pub client_id: Option<String>,
    /// Name and version, from ApiVersions v3 and later (KIP-511).
    pub software: Option<String>,
    /// The generation the session began with.
    pub generation: u64,
    pub in_flight: u64,
    pub age_seconds: f64,
    /// Read from the client, and from the broker.
    pub client_bytes: u64,
    pub broker_bytes: u64,
    pub requests: u64,
    /// The name of a [`SessionState`](crate::drain::SessionState): `open`, `draining`, …
    pub state: &'static str,
}
