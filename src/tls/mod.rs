//! TLS settings for connections to clients and to brokers, and failures of handshakes. No stream is read or written
//! here.

mod cache;
mod downstream;
mod failure;
mod hello;
mod negotiated;
mod resumption;
mod session_tickets;
mod upstream;

pub use downstream::{DownstreamContext, offering};
pub use failure::{Failure, FailureKind, Peer};
pub use hello::{ClientHello, Hello, UNRECOGNIZED_NAME};
pub use negotiated::NegotiatedTls;
pub use upstream::{UpstreamContext, server_verifier};

/// TLS settings that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// The settings do not fit together; another configuration is needed.
    #[error("{0}")]
    Settings(String),
    /// The platform's trust store cannot be used; this may change without a new configuration.
    #[error("{0}")]
    Platform(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Settings(error.to_string())
    }
}
