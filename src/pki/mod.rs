//! Material for TLS: certificates and keys, trust stores, revocation lists, protocol versions and cipher suites. It
//! is built from bytes, checked once and compared by content; no file or connection is opened here.

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
pub use identity::{CertificateChain, Identity};
pub use key::PrivateKey;
pub use negotiation::{NameLookup, Negotiation, SUITES, VERSIONS, suite, version};
pub use revocation::{RevocationListFacts, RevocationLists};
pub use trust::TrustStore;

/// Reason why bytes are not usable. Never contains a part of a key or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkiError {
    why: String,
    /// Conversion to a supported form, if there is one.
    conversion: Option<Conversion>,
}

impl PkiError {
    /// An error with this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            conversion: None,
        }
    }

    /// Adds commands that convert the file.
    pub(crate) fn with(self, conversion: Conversion) -> Self {
        Self {
            conversion: Some(conversion),
            ..self
        }
    }

    /// The reason, for the file at `path`. The path itself appears only in the commands.
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
