//! Errors of files with certificates and keys.

use std::fmt;
use std::path::Path;

use super::Conversion;

/// Why the content of a file cannot be used. Displays without anything of a key or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PkiError {
    /// The file is empty.
    Empty,
    /// A section after a byte-order mark would be passed over.
    ByteOrderMark {
        /// Line of the mark, from 1.
        line: usize,
    },
    /// PEM that holds other things.
    Missing {
        /// What was looked for.
        wanted: &'static str,
        /// What is there, without repetitions.
        found: Vec<&'static str>,
    },
    /// Neither PEM nor a format that has a conversion.
    NotPem {
        /// What was looked for.
        wanted: &'static str,
    },
    /// A format or an encryption that is not read, but can be converted.
    Convertible {
        /// What the file is.
        what: NotRead,
        /// Commands that make PEM of it.
        conversion: Conversion,
    },
    /// PEM without an end, with a malformed beginning, or with invalid base64.
    BrokenPem(&'static str),
    /// Content that is no such thing.
    Unparsable(&'static str),
    /// A private key of a kind that TLS does not use.
    KeyKind,
    /// A private key that is broken or of a kind that TLS does not use.
    UnusableKey,
    /// An encrypted private key without a password.
    PasswordNeeded,
    /// A password that does not open the private key.
    WrongPassword,
    /// A password file whose first line is empty.
    NoPassword,
    /// A password file that is not UTF-8.
    PasswordEncoding,
    /// A certificate that TLS has no use for.
    UnusableCertificate,
    /// A private key of another certificate.
    KeyMismatch,
    /// A chain whose first certificate is not that of the key.
    ChainOrder {
        /// Place of the certificate of the key, from 1.
        index: usize,
    },
    /// A revocation list that cannot be used, with the reason.
    UnusableRevocationList(String),
    /// A list of protocol versions that leaves none.
    NoVersion,
    /// A list of cipher suites that leaves none for a version.
    NoSuite {
        /// The version.
        version: &'static str,
    },
}

/// A format or an encryption that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRead {
    /// A store in one of Java's own formats.
    Jks,
    /// A PKCS#12 store (RFC 7292).
    Pkcs12,
    /// DER.
    Der,
    /// A private key that is encrypted as OpenSSL did before version 1.0.
    OutdatedKey,
    /// A private key that is encrypted in another way.
    EncryptedKey(String),
}

impl PkiError {
    /// Returns the reason with commands that convert the file at `path`, where there are any.
    pub fn of_file(&self, path: &Path) -> String {
        match self {
            Self::Convertible { what, conversion } => format!("{what}: {}", conversion.commands(path)),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark { line } => {
                return write!(f, "a byte-order mark (BOM) at the beginning of line {line}, remove it");
            }
            Self::Missing { wanted, found } => {
                return write!(f, "no {wanted} in the file, it holds {}", found.join(" and "));
            }
            Self::NotPem { wanted } => {
                return write!(f, "no {wanted} in the file, expected PEM with `-----BEGIN …-----`");
            }
            Self::Convertible { .. } => return f.write_str(&self.of_file(Path::new("FILE"))),
            Self::BrokenPem(why) => why,
            Self::Unparsable(why) => why,
            Self::ChainOrder { index } => {
                return write!(
                    f,
                    "the chain is in the wrong order: the key belongs to certificate {index} of the file, which must come first"
                );
            }
            Self::UnusableRevocationList(error) => {
                return write!(
                    f,
                    "a revocation list cannot be used: {error}; it must be of version 2 (RFC 5280 §5.1.2.1; \
                     `openssl ca -gencrl` needs `crlnumber` for that), and complete, not a delta"
                );
            }
            Self::NoSuite { version } => {
                return write!(
                    f,
                    "no cipher suite is left for {version}; deny {version} or allow a suite of it"
                );
            }
            Self::Empty => "the file is empty",
            Self::KeyKind => "a kind of private key that TLS does not use, expected RSA, ECDSA or Ed25519",
            Self::UnusableKey => "the private key does not parse, or is of a kind TLS does not use",
            Self::PasswordNeeded => "the key is encrypted, `keyPassword` is needed",
            Self::WrongPassword => "the password does not open the key",
            Self::NoPassword => "there is no password in its first line",
            Self::PasswordEncoding => "the password is not UTF-8",
            Self::UnusableCertificate => "TLS cannot use a certificate of this kind",
            Self::KeyMismatch => "the private key does not belong to the certificate",
            Self::NoVersion => "no protocol version is left",
        })
    }
}

impl std::error::Error for PkiError {}

impl fmt::Display for NotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jks => "a Java key store, not PEM",
            Self::Pkcs12 => "a PKCS12 store, not PEM",
            Self::Der => "DER, not PEM",
            Self::OutdatedKey => "the key is encrypted in an outdated way (`Proc-Type: 4,ENCRYPTED`)",
            Self::EncryptedKey(how) => return write!(f, "the key is encrypted with {how}"),
        })
    }
}
