//! Certificates that are believed no more.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use super::{PkiError, digest};

/// Certificate revocation lists (RFC 5280 §5). Equal to others of the same content from the same file.
#[derive(Clone)]
pub struct RevocationLists {
    file: PathBuf,
    lists: Arc<[CertificateRevocationListDer<'static>]>,
    digest: [u8; 32],
}

impl RevocationLists {
    /// From PEM.
    ///
    /// # Errors
    /// What is wrong with it. An empty one is.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PkiError> {
        let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| PkiError(error.to_string()))?;
        Ok(Self {
            file: PathBuf::new(),
            lists: lists.into(),
            digest: digest([pem]),
        })
    }

    /// Notes the file it comes from, for messages and metrics.
    #[must_use]
    pub fn from_file(mut self, file: PathBuf) -> Self {
        self.file = file;
        self
    }

    pub fn lists(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.lists
    }
}

impl PartialEq for RevocationLists {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.digest == other.digest
    }
}

impl Eq for RevocationLists {}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationLists")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
