//! Failures of TLS handshakes and connections: a few kinds for counters, words for logs.

use std::fmt;
use std::io;

use rustls::{AlertDescription as Alert, CertificateError, Error, PeerIncompatible};

/// Peer of a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The client of a session.
    Client,
    /// The broker of a session.
    Broker,
    /// A server that `kproxy doctor` connects to, in the way of a client.
    Server,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the client",
            Self::Broker => "the broker",
            Self::Server => "the server",
        })
    }
}

/// Kind of a TLS failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The peers have no protocol version in common.
    NoCommonVersion,
    /// The peers have no cipher suite, group or signature scheme in common.
    NoCommonCipher,
    /// The peer did not send a required certificate.
    CertificateMissing,
    /// The peer's certificate was rejected.
    CertificateRejected,
    /// The peer's certificate is valid but for another name.
    NameMismatch,
    /// The peer rejected kproxy's certificate, or requires one.
    OwnCertificateRejected,
    /// The peer's bytes are not TLS.
    NotTls,
    /// The peer closed the connection before the handshake was complete.
    Closed,
    /// The peer was silent for too long.
    TimedOut,
    /// The peer broke the protocol in another way.
    Protocol,
}

/// A TLS failure with its peer, kind and details.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// Peer of the connection.
    pub peer: Peer,
    /// Kind of the failure.
    pub kind: FailureKind,
    /// Details for the log.
    pub detail: String,
}

impl Failure {
    /// A failure with these details.
    pub fn new(peer: Peer, kind: FailureKind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { peer, kind, detail }
    }

    /// The failure for an error of rustls on a connection to a client.
    pub fn of_client(error: &Error) -> Self {
        Self::of(Peer::Client, error)
    }

    /// The failure for an error of rustls on a connection to a broker.
    pub fn of_broker(error: &Error) -> Self {
        Self::of(Peer::Broker, error)
    }

    /// The failure for an error of rustls on a connection to `peer`.
    pub fn of(peer: Peer, error: &Error) -> Self {
        let (kind, detail) = match error {
            Error::AlertReceived(alert) => of_alert(peer, *alert),
            Error::NoCertificatesPresented => (
                FailureKind::CertificateMissing,
                format!("{peer} shows no certificate, and one is required"),
            ),
            Error::InvalidCertificate(error) => of_certificate(peer, error),
            Error::PeerIncompatible(why) => of_incompatible(peer, why),
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
                (FailureKind::NotTls, format!("what {peer} sends is not TLS"))
            }
            error => (FailureKind::Protocol, format!("{peer}: {error}")),
        };
        Self { peer, kind, detail }
    }

    pub(super) fn oversized_hello() -> Self {
        Self::new(
            Peer::Client,
            FailureKind::Protocol,
            "the TLS ClientHello is too long",
        )
    }

    /// The TLS failure inside `error`, if there is one.
    pub fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::new(io::ErrorKind::InvalidData, failure)
    }
}

fn of_alert(peer: Peer, alert: Alert) -> (FailureKind, String) {
    let kind = match alert {
        Alert::ProtocolVersion | Alert::InsufficientSecurity => FailureKind::NoCommonVersion,
        Alert::HandshakeFailure => FailureKind::NoCommonCipher,
        Alert::NoCertificate
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::CertificateRequired
        | Alert::UnknownCA
        | Alert::AccessDenied => FailureKind::OwnCertificateRejected,
        _ => FailureKind::Protocol,
    };
    let what = match kind {
        FailureKind::NoCommonVersion => format!("{peer} accepts none of our protocol versions"),
        FailureKind::NoCommonCipher => format!("{peer} accepts none of our cipher suites"),
        FailureKind::OwnCertificateRejected if alert == Alert::CertificateRequired => {
            format!("{peer} wants a certificate of kproxy")
        }
        FailureKind::OwnCertificateRejected => format!("{peer} does not accept kproxy's certificate"),
        _ => format!("{peer} broke off"),
    };
    let name = alert.as_str().unwrap_or("unknown");
    (kind, format!("{what} (alert {name})"))
}

fn of_certificate(peer: Peer, error: &CertificateError) -> (FailureKind, String) {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            FailureKind::NameMismatch,
            format!("{peer} shows a certificate for another name: {error}"),
        ),
        CertificateError::UnknownIssuer => (
            FailureKind::CertificateRejected,
            format!("the certificate of {peer} is from an issuer that is not trusted"),
        ),
        CertificateError::Revoked => (
            FailureKind::CertificateRejected,
            format!("the certificate of {peer} is revoked"),
        ),
        error => (
            FailureKind::CertificateRejected,
            format!("the certificate of {peer} is not accepted: {error}"),
        ),
    }
}

fn of_incompatible(peer: Peer, why: &PeerIncompatible) -> (FailureKind, String) {
    let kind = match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        // TLS 1.2 introduced it; rustls looks for it before it looks at the version.
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => FailureKind::NoCommonVersion,
        _ => FailureKind::NoCommonCipher,
    };
    let what = match kind {
        FailureKind::NoCommonVersion => "protocol version",
        _ => "cipher suite, group or signature scheme",
    };
    (kind, format!("no {what} in common with {peer}: {why:?}"))
}
