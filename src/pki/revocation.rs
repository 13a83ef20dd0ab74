//! Certificates that are believed no more.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::facts::distinguished_name;
use super::{PkiError, TrustStore, digest, pem, provider};

/// What a revocation list says. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationListFacts {
    /// Who revokes, as in RFC 4514.
    pub issuer: String,
    /// When a newer one should have come; `None`: it does not say.
    pub next_update: Option<i64>,
}

fn facts(list: &CertificateRevocationListDer<'_>) -> Result<RevocationListFacts, PkiError> {
    let (_, parsed) = CertificateRevocationList::from_der(list)
        .map_err(|_| PkiError::new("a revocation list in the file does not parse"))?;
    Ok(RevocationListFacts {
        issuer: distinguished_name(parsed.issuer()),
        next_update: parsed.next_update().map(|time| time.timestamp()),
    })
}

/// Certificate revocation lists (RFC 5280 §5). Equal to others of the same content from the same file.
#[derive(Clone)]
pub struct RevocationLists {
    file: PathBuf,
    lists: Arc<[CertificateRevocationListDer<'static>]>,
    facts: Arc<[RevocationListFacts]>,
    digest: [u8; 32],
}

impl RevocationLists {
    /// From PEM.
    ///
    /// # Errors
    /// What is wrong with it. An empty one is.
    pub fn from_pem(content: &[u8]) -> Result<Self, PkiError> {
        pem::check_marks(content)?;
        let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(content)
            .collect::<Result<_, _>>()
            .map_err(|error| pem::broken(&error))?;
        if lists.is_empty() {
            return Err(pem::lacking("revocation list", content));
        }
        let facts = lists.iter().map(facts).collect::<Result<_, _>>()?;
        Ok(Self {
            file: PathBuf::new(),
            lists: lists.into(),
            facts,
            digest: digest([content]),
        })
    }

    /// Checks that they can be used beside `trust`.
    ///
    /// # Errors
    /// One uses something that is not supported, such as a delta list.
    pub fn check_with(&self, trust: &TrustStore) -> Result<(), PkiError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(trust.roots()), provider());
        match verifier.with_crls(self.lists.iter().cloned()).build() {
            Ok(_) => Ok(()),
            Err(error) => Err(PkiError::new(format!(
                "a revocation list cannot be used: {error}; it has to be of version 2 (RFC 5280 §5.1.2.1), which \
                 `openssl ca -gencrl` makes where `crlnumber` is set, and whole, not a delta"
            ))),
        }
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

    /// Of every list; never empty.
    pub fn facts(&self) -> &[RevocationListFacts] {
        &self.facts
    }

    /// SHA-256 of what was read.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether they revoke the same, wherever they were read from.
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.digest == other.digest
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
