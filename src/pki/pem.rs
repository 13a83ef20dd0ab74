//! Contents of PEM files (RFC 7468), and reasons why a file is not one.

use super::der::DerReader;
use super::{Conversion, NotRead, PkiError};

/// First bytes of Java's own formats, JKS and JCEKS.
const JKS: [&[u8]; 2] = [&[0xfe, 0xed, 0xfe, 0xed], &[0xce, 0xce, 0xce, 0xce]];

/// Labels of all sections in order: `CERTIFICATE` of `-----BEGIN CERTIFICATE-----`.
pub(super) fn labels(pem: &[u8]) -> impl Iterator<Item = &str> {
    pem.split(|&byte| byte == b'\n').filter_map(|line| {
        let label = line.trim_ascii().strip_prefix(b"-----BEGIN ")?;
        std::str::from_utf8(label.strip_suffix(b"-----")?).ok()
    })
}

/// Rejects a byte-order mark in front of a section, because the section would be skipped. It appears when files from
/// Windows are joined.
pub(super) fn check_marks(pem: &[u8]) -> Result<(), PkiError> {
    let marked =
        |line: &[u8]| line.starts_with(b"\xef\xbb\xbf") && line[3..].trim_ascii_start().starts_with(b"-----");
    match pem.split(|&byte| byte == b'\n').position(marked) {
        None => Ok(()),
        Some(index) => Err(PkiError::ByteOrderMark { line: index + 1 }),
    }
}

/// The error for a file without `wanted`.
pub(super) fn lacking(wanted: &'static str, content: &[u8]) -> PkiError {
    if content.trim_ascii().is_empty() {
        return PkiError::Empty;
    }
    let found: Vec<&str> = labels(content).collect();
    if !found.is_empty() {
        let kinds = found.iter().take(4).map(|label| of_kind(label));
        let mut found: Vec<&'static str> = kinds.collect();
        found.dedup();
        return PkiError::Missing { wanted, found };
    }
    let convertible = |what, conversion| PkiError::Convertible { what, conversion };
    if JKS.iter().any(|magic| content.starts_with(magic)) {
        return convertible(NotRead::Jks, Conversion::Jks);
    }
    if DerReader(content).sequence().and_then(|mut pfx| pfx.number()) == Some(3) {
        return convertible(NotRead::Pkcs12, Conversion::of_pkcs12(content));
    }
    if DerReader(content).sequence().is_some() {
        let command = match wanted {
            "private key" => "pkey",
            "revocation list" => "crl",
            _ => "x509",
        };
        return convertible(NotRead::Der, Conversion::Der(command));
    }
    PkiError::NotPem { wanted }
}

/// Kind of section for messages. An unknown label is not repeated, because it may not be a label at all.
fn of_kind(label: &str) -> &'static str {
    match label {
        "CERTIFICATE" | "TRUSTED CERTIFICATE" => "a certificate",
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a certificate request",
        "X509 CRL" => "a revocation list",
        "PUBLIC KEY" => "a public key",
        label if label.ends_with("PRIVATE KEY") => "a private key",
        _ => "something else",
    }
}

/// The decoder's error, without any byte of the file.
pub(super) fn broken(error: &rustls::pki_types::pem::Error) -> PkiError {
    use rustls::pki_types::pem::Error;
    PkiError::BrokenPem(match error {
        Error::MissingSectionEnd { .. } => "broken PEM: a section has no `-----END …-----`",
        Error::IllegalSectionStart { .. } => "broken PEM: a malformed `-----BEGIN …-----`",
        Error::Base64Decode(_) => "broken PEM: invalid base64",
        _ => "broken PEM",
    })
}
