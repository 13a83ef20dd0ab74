//! Certificates that are believed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{PkiError, digest};

/// Trust anchors. Equal to others of the same content from the same file.
#[derive(Clone)]
pub struct TrustStore {
    file: PathBuf,
    roots: Arc<RootCertStore>,
    digest: [u8; 32],
}

impl TrustStore {
    /// From PEM.
    ///
    /// # Errors
    /// What is wrong with it. An empty one is.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PkiError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| PkiError(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| PkiError(error.to_string()))?;
        }
        Ok(Self {
            file: PathBuf::new(),
            roots: Arc::new(roots),
            digest: digest([pem]),
        })
    }

    /// Notes the file it comes from, for messages and metrics.
    #[must_use]
    pub fn from_file(mut self, file: PathBuf) -> Self {
        self.file = file;
        self
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
