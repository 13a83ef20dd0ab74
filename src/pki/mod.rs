//! Material for TLS: certificates and keys, trust stores, revocation lists, protocol versions and cipher suites. It
//! is built from bytes, checked once and compared by content; no file or connection is opened here.

mod client_names;
mod conversion;
mod der;
mod encrypted;
mod error;
mod facts;
mod identity;
mod key;
mod negotiation;
mod pem;
mod revocation;
mod trust;

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

pub use client_names::ClientNames;
pub use conversion::Conversion;
pub use error::{NotRead, PkiError};
pub use facts::CertificateFacts;
pub(crate) use facts::distinguished_name;
pub use identity::{CertificateChain, Identity};
pub use key::PrivateKey;
pub use negotiation::{NameLookup, Negotiation, SUITES, VERSIONS, suite, version};
pub use revocation::{RevocationListFacts, RevocationLists};
pub use trust::TrustStore;

/// The crypto provider. It is passed to every builder, and the process-wide default is never set, so that a
/// dependency that sets another one does no harm.
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
