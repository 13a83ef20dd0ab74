//! What TLS is configured with: certificates and keys, trust, revocation lists, versions and cipher suites. Made from
//! bytes, checked once, compared by content; nothing here opens a file or a connection.

mod conversion;
mod der;
mod encrypted;
mod facts;
mod identity;
mod key;
mod negotiation;
mod pem;
mod revocation;
mod trust;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

pub use conversion::Conversion;
pub use facts::CertificateFacts;
pub(crate) use facts::distinguished_name;
pub use identity::{Chain, Identity};
pub use key::PrivateKey;
pub use negotiation::{Known, Negotiation, SUITES, VERSIONS, suite, version};
pub use revocation::{RevocationListFacts, RevocationLists};
pub use trust::TrustStore;

/// Why bytes are not what they should be. Never repeats anything of a key or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkiError {
    why: String,
    /// What turns it into what it should be.
    conversion: Option<Conversion>,
}

impl PkiError {
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            conversion: None,
        }
    }

    /// With commands that help.
    pub(crate) fn with(self, conversion: Conversion) -> Self {
        Self {
            conversion: Some(conversion),
            ..self
        }
    }

    /// The reason, for the file at `path`; without the path, except in commands that help.
    pub fn of_file(&self, path: &Path) -> String {
        match self.conversion {
            Some(conversion) => format!("{}: {}", self.why, conversion.commands(path)),
            None => self.why.clone(),
        }
    }
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of_file(Path::new("FILE")))
    }
}

impl std::error::Error for PkiError {}

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
