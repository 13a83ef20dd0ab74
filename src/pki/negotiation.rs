//! Protocol versions and cipher suites for handshakes.

use std::sync::LazyLock;

use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion};

use super::{PkiError, provider};

/// Offered protocol versions and cipher suites, the preferred first.
#[derive(Debug, Clone, PartialEq)]
pub struct Negotiation {
    /// Protocol versions.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// Cipher suites.
    pub suites: Vec<SupportedCipherSuite>,
}

impl Eq for Negotiation {}

impl Default for Negotiation {
    /// Every supported version and suite: TLS 1.3 and TLS 1.2.
    fn default() -> Self {
        Self {
            versions: vec![&TLS13, &TLS12],
            suites: provider().cipher_suites.clone(),
        }
    }
}

impl Negotiation {
    /// Selects the suites for `versions`, in order of preference. Suites of other versions are left out.
    ///
    /// # Errors
    /// [`PkiError`] if no suite is left, or a version has none.
    pub fn new(
        mut versions: Vec<&'static SupportedProtocolVersion>,
        suites: &[SupportedCipherSuite],
    ) -> Result<Self, PkiError> {
        if versions.is_empty() {
            return Err(PkiError::NoVersion);
        }
        for version in &versions {
            if !suites
                .iter()
                .any(|suite| suite.version().version == version.version)
            {
                return Err(PkiError::NoSuite {
                    version: version_name(version.version),
                });
            }
        }
        let offered = |suite: &SupportedCipherSuite| {
            versions
                .iter()
                .any(|version| version.version == suite.version().version)
        };
        let suites = suites.iter().copied().filter(offered).collect();
        // The newest version that both sides support is chosen, whatever the order here.
        versions.sort_by_key(|version| version.version != ProtocolVersion::TLSv1_3);
        versions.dedup();
        Ok(Self { versions, suites })
    }
}

/// Meaning of a name in a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NameLookup<T> {
    /// The name is supported.
    Supported(T),
    /// The name exists but is not supported, because it is insecure or rare.
    Unsupported,
    /// No such name exists.
    Unknown,
}

/// Protocol versions by the names of the JDK, the supported ones first.
pub const VERSIONS: [&str; 6] = ["TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3", "SSLv2Hello"];

/// The protocol version with this JDK name.
pub fn version(name: &str) -> NameLookup<&'static SupportedProtocolVersion> {
    match name {
        "TLSv1.3" => NameLookup::Supported(&TLS13),
        "TLSv1.2" => NameLookup::Supported(&TLS12),
        name if VERSIONS.contains(&name) => NameLookup::Unsupported,
        _ => NameLookup::Unknown,
    }
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    }
}

/// Supported cipher suites by their IANA and JDK names, the preferred first.
pub static SUITES: LazyLock<Vec<(String, SupportedCipherSuite)>> = LazyLock::new(|| {
    let named = |suite: &SupportedCipherSuite| {
        let name = format!("{:?}", suite.suite());
        (name.replacen("TLS13_", "TLS_", 1), *suite)
    };
    provider().cipher_suites.iter().map(named).collect()
});

/// The cipher suite with this name.
pub fn suite(name: &str) -> NameLookup<SupportedCipherSuite> {
    if let Some((_, suite)) = SUITES.iter().find(|(known, _)| known == name) {
        return NameLookup::Supported(*suite);
    }
    // There are some 350 others, all of this form (RFC 8446 §B.4, RFC 5246 §A.5 and their successors).
    let body = name.strip_prefix("TLS_").or_else(|| name.strip_prefix("SSL_"));
    let is_other = body.is_some_and(|body| {
        let (exchange, rest) = body.split_once("_WITH_").unwrap_or(("", body));
        is_exchange(exchange) && is_cipher(rest)
    });
    if is_other || name == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV" {
        NameLookup::Unsupported
    } else {
        NameLookup::Unknown
    }
}

fn is_exchange(name: &str) -> bool {
    const PARTS: [&str; 14] = [
        "RSA", "DSS", "DH", "DHE", "ECDH", "ECDHE", "ECDSA", "PSK", "SRP", "SHA", "KRB5", "NULL", "anon",
        "EXPORT",
    ];
    name.is_empty() || name.split('_').all(|part| PARTS.contains(&part))
}

fn is_cipher(name: &str) -> bool {
    const CIPHERS: [&str; 10] = [
        "AES_128",
        "AES_256",
        "CAMELLIA_128",
        "CAMELLIA_256",
        "ARIA_128",
        "ARIA_256",
        "3DES_EDE",
        "RC4_128",
        "NULL",
        "DES",
    ];
    const HASHES: [&str; 9] = [
        "CBC_SHA",
        "CBC_SHA256",
        "CBC_SHA384",
        "GCM_SHA256",
        "GCM_SHA384",
        "CCM",
        "CCM_8",
        "SHA",
        "MD5",
    ];
    if name == "CHACHA20_POLY1305_SHA256" {
        return true;
    }
    CIPHERS.iter().any(|cipher| {
        let rest = name.strip_prefix(cipher).and_then(|rest| rest.strip_prefix('_'));
        rest.is_some_and(|hash| {
            HASHES.contains(&hash) || hash == "SHA256" || hash == "CCM_SHA256" || hash == "CCM_8_SHA256"
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_by_the_names_the_jdk_gives_them() {
        for name in [
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ] {
            assert!(matches!(suite(name), NameLookup::Supported(_)), "{name}");
        }
        for name in [
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
            "SSL_RSA_WITH_3DES_EDE_CBC_SHA",
            "SSL_RSA_WITH_RC4_128_MD5",
            "TLS_AES_128_CCM_SHA256",
            "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
        ] {
            assert_eq!(suite(name), NameLookup::Unsupported, "{name}");
        }
        for name in [
            "TLS_AES_128_GCM_SHA257",
            "AES128-SHA",
            "",
            "TLS_",
            "tls_aes_128_gcm_sha256",
        ] {
            assert_eq!(suite(name), NameLookup::Unknown, "{name}");
        }
    }

    #[test]
    fn a_version_needs_a_suite() {
        let suites = &provider().cipher_suites;
        let (new, old): (Vec<_>, Vec<_>) = suites.iter().partition(|suite| suite.tls13().is_some());
        assert!(Negotiation::new(vec![], suites).is_err());
        let why = Negotiation::new(vec![&TLS13, &TLS12], &new).unwrap_err();
        assert!(why.to_string().contains("TLSv1.2"), "{why}");
        assert!(Negotiation::new(vec![&TLS13], &old).is_err());
        let only = Negotiation::new(vec![&TLS13], suites).unwrap();
        assert_eq!(only.suites, new);
        assert_eq!(
            Negotiation::new(vec![&TLS13, &TLS12], suites),
            Ok(Negotiation::default())
        );
    }
}
