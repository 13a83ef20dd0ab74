//! Certificates that are believed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{CertificateFacts, PkiError, digest, pem};

/// Trust anchors. Equal to others of the same content from the same file.
#[derive(Clone)]
pub struct TrustStore {
    file: PathBuf,
    roots: Arc<RootCertStore>,
    facts: Arc<[CertificateFacts]>,
    digest: [u8; 32],
}

impl TrustStore {
    /// From PEM.
    ///
    /// # Errors
    /// What is wrong with it. An empty one is.
    pub fn from_pem(content: &[u8]) -> Result<Self, PkiError> {
        pem::check_marks(content)?;
        let mut roots = RootCertStore::empty();
        let mut facts = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(content) {
            let certificate = certificate.map_err(|error| pem::broken(&error))?;
            facts.push(CertificateFacts::of(&certificate)?);
            roots
                .add(certificate)
                .map_err(|_| PkiError::new("a certificate in the file does not parse"))?;
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

    /// Notes the file it comes from, for messages and metrics.
    #[must_use]
    pub fn from_file(mut self, file: PathBuf) -> Self {
        self.file = file;
        self
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Of every certificate; never empty.
    pub fn facts(&self) -> &[CertificateFacts] {
        &self.facts
    }

    /// SHA-256 of what was read.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether it believes the same, wherever it was read from.
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// When the first of its certificates expires, in seconds since 1970.
    pub fn not_after(&self) -> Option<i64> {
        self.facts.iter().map(|facts| facts.not_after).min()
    }

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
