//! The result of a TLS handshake with a client.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pki::distinguished_name;

/// Parameters that both sides agreed on. Small, because it is kept for the life of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedTls {
    /// Protocol version.
    pub version: ProtocolVersion,
    /// Cipher suite.
    pub suite: CipherSuite,
    /// Whether an earlier TLS session was resumed; its certificate was sent then and is verified again.
    pub resumed: bool,
    /// Certificates that the client sent, its own first.
    pub client_chain: Option<Arc<[CertificateDer<'static>]>>,
}

impl NegotiatedTls {
    /// The parameters of `connection`; `None` before the handshake is complete.
    pub fn of(connection: &CommonState) -> Option<Self> {
        Some(Self {
            version: connection.protocol_version()?,
            suite: connection.negotiated_cipher_suite()?.suite(),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            client_chain: connection.peer_certificates().map(|chain| {
                chain
                    .iter()
                    .map(|certificate| certificate.clone().into_owned())
                    .collect()
            }),
        })
    }

    /// Everything that rules about clients depend on; equal values are judged alike.
    pub fn credentials(&self) -> (u16, u16, Option<Arc<[CertificateDer<'static>]>>) {
        (self.version.into(), self.suite.into(), self.client_chain.clone())
    }

    /// Subject of the client's certificate on one line (RFC 4514).
    pub fn subject(&self) -> Option<String> {
        let own = self.client_chain.as_deref()?.first()?;
        let (_, certificate) = X509Certificate::from_der(own).ok()?;
        Some(distinguished_name(certificate.subject()))
    }

    /// First common name of that subject, unescaped.
    pub fn common_name(&self) -> Option<String> {
        let own = self.client_chain.as_deref()?.first()?;
        let (_, certificate) = X509Certificate::from_der(own).ok()?;
        let name = certificate.subject().iter_common_name().next()?;
        name.as_str().ok().map(str::to_owned)
    }

    /// End of validity of the client's certificate, in seconds since 1970-01-01 UTC.
    pub fn expires(&self) -> Option<i64> {
        let own = self.client_chain.as_deref()?.first()?;
        let (_, certificate) = X509Certificate::from_der(own).ok()?;
        Some(certificate.validity().not_after.timestamp())
    }

    /// Name of the protocol version, such as `TLSv1.3`.
    pub fn version_name(&self) -> &'static str {
        match self.version {
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            ProtocolVersion::TLSv1_2 => "TLSv1.2",
            _ => "unknown",
        }
    }

    /// Name of the cipher suite as in RFC 8446 §B.4 and RFC 5246.
    pub fn suite_name(&self) -> &'static str {
        self.suite.as_str().map_or("unknown", |name| match name {
            "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
            "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
            "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
            name => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;
    use crate::pki::CertificateFacts;

    #[test]
    fn a_subject_is_one_line_and_the_same_everywhere() {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = &mut params.distinguished_name;
        name.push(DnType::OrganizationName, "a, b");
        name.push(DnType::CommonName, "bill\n\u{1b}[2Jing");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let certificate = certificate.der().clone();
        let facts = CertificateFacts::of(&certificate).unwrap();
        let negotiated = NegotiatedTls {
            version: ProtocolVersion::TLSv1_3,
            suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
            resumed: false,
            client_chain: Some([certificate].into()),
        };
        assert_eq!(negotiated.subject().unwrap(), "CN=bill\\0A\\1B[2Jing,O=a\\, b");
        assert_eq!(negotiated.subject(), Some(facts.subject));
        assert_eq!(negotiated.common_name().unwrap(), "bill\n\u{1b}[2Jing");
    }
}
