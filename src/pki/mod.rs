//! What TLS is configured with: certificates and keys, trust, revocation lists, versions and cipher suites. Made from
//! bytes, checked once, compared by content; nothing here opens a file or a connection.

mod der;
mod encrypted;
mod facts;
mod identity;
mod key;
mod negotiation;
mod pem;
mod revocation;
mod trust;

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

pub use facts::CertificateFacts;
pub(crate) use facts::distinguished_name;
pub use identity::{Chain, Identity};
pub use key::PrivateKey;
pub use negotiation::{Known, Negotiation, SUITES, VERSIONS, suite, version};
pub use pem::{JKS_TO_PKCS12, PKCS12_TO_PEM};
pub use revocation::{RevocationListFacts, RevocationLists};
pub use trust::TrustStore;

/// Why bytes are not what they should be. Never repeats anything of a key or a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PkiError(pub String);

/// The one source of cryptography. Handed to every builder: the process-wide default is never set, so that a
/// dependency that sets another does no harm.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// SHA-256 of several pieces, each with its length.
pub(crate) fn digest<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for piece in pieces {
        context.update(&(piece.len() as u64).to_le_bytes());
        context.update(piece);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
