//! Private keys.

use std::fmt;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Conversion, NotRead, PkiError, encrypted, pem};

/// PEM label of an encrypted key.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A decrypted private key. Its `Debug` output shows nothing of it.
pub struct PrivateKey {
    pub(super) der: PrivateKeyDer<'static>,
    was_encrypted: bool,
}

impl PrivateKey {
    /// The first key of a PEM file: PKCS#1, SEC1 or PKCS#8, which may be encrypted.
    ///
    /// # Errors
    /// [`PkiError`] if there is none, or `password` does not decrypt it.
    pub fn from_pem(content: &[u8], password: Option<&[u8]>) -> Result<Self, PkiError> {
        pem::check_marks(content)?;
        let label = pem::labels(content).find(|label| label.ends_with("PRIVATE KEY"));
        let label = label.ok_or_else(|| pem::lacking("private key", content))?;
        if label == ENCRYPTED {
            return Self::encrypted(content, password);
        }
        if content.windows(20).any(|piece| piece == b"Proc-Type: 4,ENCRYPT") {
            let legacy = content
                .windows(17)
                .any(|piece| piece == b"DEK-Info: DES-CBC" || piece == b"DEK-Info: RC2-CBC");
            return Err(PkiError::Convertible {
                what: NotRead::OutdatedKey,
                conversion: Conversion::Key { legacy },
            });
        }
        let der = PrivateKeyDer::from_pem_slice(content).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => PkiError::KeyKind,
            error => pem::broken(&error),
        })?;
        Ok(Self {
            der,
            was_encrypted: false,
        })
    }

    fn encrypted(content: &[u8], password: Option<&[u8]>) -> Result<Self, PkiError> {
        let password = password.ok_or(PkiError::PasswordNeeded)?;
        // The decoder knows only the other labels.
        let renamed = rename(content);
        let info = PrivatePkcs8KeyDer::from_pem_slice(&renamed).map_err(|error| pem::broken(&error))?;
        let key = encrypted::open(info.secret_pkcs8_der(), password)?;
        Ok(Self {
            der: PrivateKeyDer::Pkcs8(key.into()),
            was_encrypted: true,
        })
    }

    /// Whether the key was encrypted.
    pub fn was_encrypted(&self) -> bool {
        self.was_encrypted
    }
}

/// The file with the labels of its encrypted keys changed to those of plain keys.
fn rename(content: &[u8]) -> Vec<u8> {
    let mut renamed = Vec::with_capacity(content.len());
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        renamed.extend_from_slice(match line.trim_ascii_end() {
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----" => b"-----BEGIN PRIVATE KEY-----\n",
            b"-----END ENCRYPTED PRIVATE KEY-----" => b"-----END PRIVATE KEY-----\n",
            _ => line,
        });
    }
    renamed
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}
