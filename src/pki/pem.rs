//! What a file holds that should be PEM (RFC 7468).

use super::PkiError;
use super::der::Reader;

/// Java's two own formats.
const JKS: [&[u8]; 2] = [&[0xfe, 0xed, 0xfe, 0xed], &[0xce, 0xce, 0xce, 0xce]];

/// How a PKCS#12 store becomes PEM, and a Java one PKCS#12.
pub const PKCS12_TO_PEM: &str = "`openssl pkcs12 -in STORE -nodes -out PEM`";
pub const JKS_TO_PKCS12: &str =
    "`keytool -importkeystore -srckeystore STORE -destkeystore STORE.p12 -deststoretype PKCS12`";

/// The labels of all sections, in order: `CERTIFICATE` of `-----BEGIN CERTIFICATE-----`.
pub(super) fn labels(pem: &[u8]) -> impl Iterator<Item = &str> {
    pem.split(|&byte| byte == b'\n').filter_map(|line| {
        let label = line.trim_ascii().strip_prefix(b"-----BEGIN ")?;
        std::str::from_utf8(label.strip_suffix(b"-----")?).ok()
    })
}

/// Why there is no `wanted` in a file.
pub(super) fn lacking(wanted: &str, content: &[u8]) -> PkiError {
    if content.trim_ascii().is_empty() {
        return PkiError("the file is empty".to_owned());
    }
    let found: Vec<&str> = labels(content).collect();
    let why = if !found.is_empty() {
        let kinds = found.iter().take(4).map(|label| of_kind(label));
        let mut kinds: Vec<&str> = kinds.collect();
        kinds.dedup();
        format!("no {wanted} in the file, it holds {}", kinds.join(" and "))
    } else if JKS.iter().any(|magic| content.starts_with(magic)) {
        format!("a Java key store, not PEM: {JKS_TO_PKCS12} and {PKCS12_TO_PEM} convert it")
    } else if Reader(content).sequence().and_then(|mut pfx| pfx.number()) == Some(3) {
        format!("a PKCS12 store, not PEM: {PKCS12_TO_PEM} converts it")
    } else if Reader(content).sequence().is_some() {
        "DER, not PEM: `openssl x509 -inform DER -in FILE` or `openssl pkey -inform DER -in FILE` converts it"
            .to_owned()
    } else {
        format!("no {wanted} in the file, expected PEM with `-----BEGIN …-----`")
    };
    PkiError(why)
}

/// Nothing of an unknown label is repeated: what stands there may not be a label at all.
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

/// What the decoder stumbled over, without a byte of it.
pub(super) fn broken(error: &rustls::pki_types::pem::Error) -> PkiError {
    use rustls::pki_types::pem::Error;
    PkiError(
        match error {
            Error::MissingSectionEnd { .. } => "broken PEM: a section has no `-----END …-----`",
            Error::IllegalSectionStart { .. } => "broken PEM: a malformed `-----BEGIN …-----`",
            Error::Base64Decode(_) => "broken PEM: invalid base64",
            _ => "broken PEM",
        }
        .to_owned(),
    )
}
