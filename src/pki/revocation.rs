//! Certificate revocation lists.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::facts::distinguished_name;
use super::{PkiError, TrustStore, digest, pem, provider};

/// Facts from a revocation list. Times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationListFacts {
    /// Distinguished name of the issuer (RFC 4514).
    pub issuer: String,
    /// Time by which a newer list is due; `None` if the list does not say.
    pub next_update: Option<i64>,
}

fn facts(list: &CertificateRevocationListDer<'_>) -> Result<RevocationListFacts, PkiError> {
    let (_, parsed) = CertificateRevocationList::from_der(list)
        .map_err(|_| PkiError::Unparsable("a revocation list in the file does not parse"))?;
    Ok(RevocationListFacts {
        issuer: distinguished_name(parsed.issuer()),
        next_update: parsed.next_update().map(|time| time.timestamp()),
    })
}

/// Certificate revocation lists (RFC 5280 §5). Equal to others with the same content from the same file.
#[derive(Clone)]
pub struct RevocationLists {
    file: PathBuf,
    lists: Arc<[CertificateRevocationListDer<'static>]>,
    facts: Arc<[RevocationListFacts]>,
    digest: [u8; 32],
}

impl RevocationLists {
    /// Reads the lists from PEM.
    ///
    /// # Errors
    /// [`PkiError`] if a list does not parse, or there is none.
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

    /// Checks that the lists can be used with `trust`.
    ///
    /// # Errors
    /// [`PkiError`] if a list uses an unsupported feature, such as a delta list.
    pub fn check_with(&self, trust: &TrustStore) -> Result<(), PkiError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(trust.roots()), provider());
        match verifier.with_crls(self.lists.iter().cloned()).build() {
            Ok(_) => Ok(()),
            Err(error) => Err(PkiError::UnusableRevocationList(error.to_string())),
        }
    }

    /// Sets the file of the lists, for messages and metrics.
    #[must_use]
    pub fn from_file(mut self, file: PathBuf) -> Self {
        self.file = file;
        self
    }

    /// The file of the lists; empty if it is unknown.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Facts about every list; never empty.
    pub fn facts(&self) -> &[RevocationListFacts] {
        &self.facts
    }

    /// SHA-256 of the lists.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether both revoke the same certificates, whatever file they were read from.
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// The lists in the form that rustls takes.
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
