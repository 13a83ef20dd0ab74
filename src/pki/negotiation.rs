//! What a handshake may agree on.

use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::provider;

/// The protocol versions and cipher suites that are offered, the preferred first.
#[derive(Debug, Clone, PartialEq)]
pub struct Negotiation {
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub suites: Vec<SupportedCipherSuite>,
}

impl Eq for Negotiation {}

impl Default for Negotiation {
    /// Everything that is safe: TLS 1.3 and 1.2.
    fn default() -> Self {
        Self {
            versions: vec![&TLS13, &TLS12],
            suites: provider().cipher_suites.clone(),
        }
    }
}
