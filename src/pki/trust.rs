//! Trust stores.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{CertificateFacts, PkiError, digest, pem};

/// Trust anchors. Equal to others with the same content from the same file.
#[derive(Clone)]
pub struct TrustStore {
    file: PathBuf,
    roots: Arc<RootCertStore>,
    facts: Arc<[CertificateFacts]>,
    digest: [u8; 32],
}

impl TrustStore {
    /// Reads the certificates from PEM.
    ///
    /// # Errors
    /// [`PkiError`] if a certificate does not parse, or there is none.
    pub fn from_pem(content: &[u8]) -> Result<Self, PkiError> {
        pem::check_marks(content)?;
        let mut roots = RootCertStore::empty();
        let mut facts = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(content) {
            let certificate = certificate.map_err(|error| pem::broken(&error))?;
            facts.push(CertificateFacts::of(&certificate)?);
            roots
                .add(certificate)
                .map_err(|_| PkiError::Unparsable("a certificate in the file does not parse"))?;
        }
        if roots.is_empty() {
            return Err(pem::lacking("certificate", content));
        }
        Ok(Self {
            file: PathBuf::new(),
            roots: Arc::new(roots),
            facts: facts.into(),
            digest: digest([content]),
        })
    }

    /// Sets the file of the certificates, for messages and metrics.
    #[must_use]
    pub fn from_file(mut self, file: PathBuf) -> Self {
        self.file = file;
        self
    }

    /// The file of the certificates; empty if it is unknown.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Facts about every certificate; never empty.
    pub fn facts(&self) -> &[CertificateFacts] {
        &self.facts
    }

    /// SHA-256 of the certificates.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether both trust the same certificates, whatever file they were read from.
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// The earliest expiry of its certificates, in seconds since 1970-01-01 UTC.
    pub fn not_after(&self) -> Option<i64> {
        self.facts.iter().map(|facts| facts.not_after).min()
    }

    /// The trust anchors in the form that rustls takes.
    pub fn roots(&self) -> &Arc<RootCertStore> {
        &self.roots
    }
}

impl PartialEq for TrustStore {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.digest == other.digest
    }
}

impl Eq for TrustStore {}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustStore")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
