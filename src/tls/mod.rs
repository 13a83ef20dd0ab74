//! TLS settings as connections use them, towards clients and towards brokers, and what a handshake that failed says.
//! No stream is read or written here.

mod cache;
mod downstream;
mod failure;
mod hello;
mod negotiated;
mod resumption;
mod session_tickets;
mod upstream;

pub use downstream::DownstreamContext;
pub use failure::{Failure, FailureKind, Peer};
pub use hello::{ClientHello, Hello, UNRECOGNIZED_NAME};
pub use negotiated::NegotiatedTls;
pub use upstream::UpstreamContext;

/// Settings that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// For as long as they are as they are.
    #[error("{0}")]
    Settings(String),
    /// For as long as the platform is as it is.
    #[error("{0}")]
    Platform(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Settings(error.to_string())
    }
}
