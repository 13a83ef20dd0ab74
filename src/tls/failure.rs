//! Why a handshake, or what follows it, went wrong: in few kinds for counters, in words for logs.

use std::fmt;
use std::io;

use rustls::{AlertDescription as Alert, CertificateError, Error, PeerIncompatible};

/// Whom kproxy speaks TLS with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Client,
    Broker,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the client",
            Self::Broker => "the broker",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No protocol version in common.
    NoCommonVersion,
    /// No cipher suite, group or signature scheme in common.
    NoCommonCipher,
    /// The peer had to show a certificate and has none.
    CertificateMissing,
    /// The peer's certificate is not believed.
    CertificateRejected,
    /// The peer's certificate is in order and another's.
    NameMismatch,
    /// The peer does not believe ours, or misses one.
    OwnCertificateRejected,
    /// What the peer sent is no TLS.
    NotTls,
    /// The peer has closed before anything was negotiated.
    Closed,
    /// The peer said nothing for too long.
    TimedOut,
    /// Anything else that no sound peer does.
    Protocol,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    pub peer: Peer,
    pub kind: FailureKind,
    pub detail: String,
}

impl Failure {
    pub fn new(peer: Peer, kind: FailureKind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { peer, kind, detail }
    }

    pub fn of_client(error: &Error) -> Self {
        Self::of(Peer::Client, error)
    }

    pub fn of_broker(error: &Error) -> Self {
        Self::of(Peer::Broker, error)
    }

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
            "the client's hello is longer than any real one",
        )
    }

    /// What went wrong, if `error` is of TLS.
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
        // TLS 1.2 has brought it, and whoever speaks that sends it; a hello is looked through for it before its version
        // is.
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => FailureKind::NoCommonVersion,
        _ => FailureKind::NoCommonCipher,
    };
    let what = match kind {
        FailureKind::NoCommonVersion => "protocol version",
        _ => "cipher suite, group or signature scheme",
    };
    (kind, format!("no {what} in common with {peer}: {why:?}"))
}
