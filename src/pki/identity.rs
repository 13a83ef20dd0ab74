//! Certificate chains with their private keys.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::{CertificateFacts, PkiError, PrivateKey, digest, pem, provider};

/// A certificate chain, the subject's own certificate first.
#[derive(Debug, Clone)]
pub struct CertificateChain {
    certificates: Vec<CertificateDer<'static>>,
    facts: Vec<CertificateFacts>,
    has_key: bool,
}

impl CertificateChain {
    /// Reads the certificates from PEM. Other sections are skipped: a key may be in the same file.
    ///
    /// # Errors
    /// [`PkiError`] if there is no certificate, or one does not parse.
    pub fn from_pem(content: &[u8]) -> Result<Self, PkiError> {
        pem::check_marks(content)?;
        let certificates = CertificateDer::pem_slice_iter(content)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| pem::broken(&error))?;
        if certificates.is_empty() {
            return Err(pem::lacking("certificate", content));
        }
        let facts = certificates
            .iter()
            .map(CertificateFacts::of)
            .collect::<Result<_, _>>()?;
        let has_key = pem::labels(content).any(|label| label.ends_with("PRIVATE KEY"));
        Ok(Self {
            certificates,
            facts,
            has_key,
        })
    }

    /// Whether the file also holds a private key.
    pub fn has_key(&self) -> bool {
        self.has_key
    }
}

/// A certificate chain with its private key. Equal to another with the same content from the same file.
#[derive(Clone)]
pub struct Identity {
    file: PathBuf,
    certified: Arc<CertifiedKey>,
    facts: Arc<[CertificateFacts]>,
    /// SHA-256 of chain and key.
    digest: [u8; 32],
}

impl Identity {
    /// Reads chain and key from PEM. `password` decrypts the key.
    ///
    /// # Errors
    /// [`PkiError`] if one of them is not usable, or they do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8], password: Option<&[u8]>) -> Result<Self, PkiError> {
        Self::new(
            CertificateChain::from_pem(certificates)?,
            PrivateKey::from_pem(key, password)?,
        )
    }

    /// Joins a chain and its key.
    ///
    /// # Errors
    /// [`PkiError`] if TLS does not support the key, or the key is not that of the first certificate.
    pub fn new(chain: CertificateChain, key: PrivateKey) -> Result<Self, PkiError> {
        let CertificateChain {
            certificates,
            facts,
            has_key: _,
        } = chain;
        let pieces = certificates.iter().map(|certificate| certificate.as_ref());
        let digest = digest(pieces.chain([key.der.secret_der()]));
        let key = provider()
            .key_provider
            .load_private_key(key.der)
            .map_err(|_| PkiError::UnusableKey)?;
        let certified = CertifiedKey::new(certificates, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => return Err(mismatch(&certified)),
            Err(_) => return Err(PkiError::UnusableCertificate),
        }
        Ok(Self {
            file: PathBuf::new(),
            certified: Arc::new(certified),
            facts: facts.into(),
            digest,
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

    /// Chain and key in the form that rustls takes.
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// Facts about every certificate of the chain, the subject's own first; never empty.
    pub fn facts(&self) -> &[CertificateFacts] {
        &self.facts
    }

    /// The position, counted from 1, of the first certificate whose issuer is not the next one. Some clients reject
    /// such a chain.
    pub fn broken_link(&self) -> Option<usize> {
        let links = self.facts.windows(2);
        let broken = links.map(|pair| matches!(pair, [one, next] if one.issuer != next.subject));
        broken
            .zip(1..)
            .find_map(|(broken, index)| broken.then_some(index))
    }

    /// Whether handshakes would have the same result, whatever file it was read from.
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// The earliest expiry of its certificates, in seconds since 1970-01-01 UTC.
    pub fn not_after(&self) -> Option<i64> {
        self.facts.iter().map(|facts| facts.not_after).min()
    }
}

fn mismatch(certified: &CertifiedKey) -> PkiError {
    let belongs = |certificate: &CertificateDer<'static>| {
        let alone = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&certified.key));
        alone.keys_match().is_ok()
    };
    let later = certified.cert.iter().skip(1).position(belongs);
    match later {
        Some(index) => PkiError::ChainOrder { index: index + 2 },
        None => PkiError::KeyMismatch,
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
