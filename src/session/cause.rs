//! Why a session ended, in the words of logs and metric labels.

use std::borrow::Cow;

use crate::names::names;
use crate::tls::{Failure, FailureKind, Peer};
use crate::wire::Malformed;
use crate::wire::frame::BadSize;

/// Declares the causes: name, side, severity, and `tls` for an error of TLS.
macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $side:ident, $severity:ident $(, $tls:ident)?;)*) => {
        names! {
            /// Why a session ended. The names are stable: dashboards and alerts are built on them.
            #[repr(u8)]
            pub enum CloseCause { $($(#[$doc])* $variant = $name,)* }
        }

        impl CloseCause {
            /// Returns which connection the cause speaks of.
            pub fn side(self) -> Side {
                match self { $(Self::$variant => Side::$side,)* }
            }

            /// Returns how the end of the session is logged.
            pub fn severity(self) -> CauseSeverity {
                match self { $(Self::$variant => CauseSeverity::$severity,)* }
            }

            /// Returns whether it is an error of TLS, on either side: of the handshake, or of what was meant to be one.
            pub fn is_tls(self) -> bool {
                match self { $(Self::$variant => !([$(stringify!($tls),)?] as [&str; _]).is_empty(),)* }
            }
        }
    };
}

/// Which of a session's two connections a cause speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client's, or the session as a whole.
    Client,
    /// The broker's.
    Broker,
}

/// How loudly the end of a session is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CauseSeverity {
    /// Everyday life: logged at debug, at info where the cluster sets `logNetwork`.
    Quiet,
    /// Somebody may want to look: logged at warn.
    Warn,
    /// A defect of kproxy: logged at error.
    Error,
}

causes! {
    /// The client closed; everything it was owed had been delivered.
    ClientClosed = "client_closed", Client, Quiet;
    /// The client's connection was reset.
    ClientReset = "client_reset", Client, Quiet;
    /// The broker closed with nothing in flight.
    UpstreamClosed = "upstream_closed", Broker, Quiet;
    /// The broker closed although answers were due, or in the middle of one.
    UpstreamClosedEarly = "upstream_closed_early", Broker, Warn;
    /// The broker's connection was reset.
    UpstreamReset = "upstream_reset", Broker, Warn;
    /// No broker address could be connected to.
    UpstreamUnreachable = "upstream_unreachable", Broker, Warn;
    /// The address of the broker is one of kproxy's own.
    UpstreamIsProxy = "upstream_is_proxy", Broker, Warn;
    /// The target does not allow the address of the broker.
    BrokerNotAllowed = "broker_not_allowed", Broker, Warn;
    /// The client came to the port of a node that the target cluster does not have.
    NodeUnknown = "node_unknown", Broker, Warn;
    /// The topology was learned over this connection; the client comes back to the right broker.
    TopologyLearned = "topology_learned", Client, Quiet;
    /// No complete request within `unauthenticatedIdleTimeout`, or silence for `authenticatedIdleTimeout`.
    IdleTimeout = "idle_timeout", Client, Quiet;
    /// The client did not take its answers, or the rest of what it began, where the limit of held bytes was reached; or it
    /// took none after it had ended its stream.
    ClientTooSlow = "client_too_slow", Client, Warn;
    /// The broker took no bytes although some waited for it, or was the cause of held bytes where their limit was reached.
    BrokerTooSlow = "broker_too_slow", Broker, Warn;
    /// Left at a request boundary because its cluster drained.
    Drained = "drained", Client, Quiet;
    /// Connected to a virtual cluster that somebody has drained.
    ClusterDrained = "cluster_drained", Client, Quiet;
    /// Still had requests in flight at the drain's hard deadline.
    DrainTimeout = "drain_timeout", Client, Warn;
    /// A frame size that cannot be: negative or too small.
    InvalidFrameSize = "invalid_frame_size", Client, Warn;
    /// A frame above `maxFrameSize`.
    FrameTooLarge = "frame_too_large", Client, Warn;
    /// A TLS hello on a plaintext port.
    TlsOnPlaintextPort = "tls_on_plaintext_port", Client, Warn, tls;
    /// HTTP on a Kafka port.
    HttpOnKafkaPort = "http_on_kafka_port", Client, Warn;
    /// A PROXY protocol header where none is expected.
    UnexpectedProxyHeader = "unexpected_proxy_header", Client, Warn;
    /// No PROXY protocol header where one is required.
    ProxyHeaderMissing = "proxy_header_missing", Client, Warn;
    /// A PROXY protocol header that does not parse, or whose checksum is wrong.
    ProxyHeaderInvalid = "proxy_header_invalid", Client, Warn;
    /// A PROXY protocol header is required, and the peer is not among `trustedPeers`, so that none of its would count.
    ProxyHeaderUntrusted = "proxy_header_untrusted", Client, Warn;
    /// No complete PROXY protocol header in time.
    ProxyHeaderTimeout = "proxy_header_timeout", Client, Warn;
    /// Kafka's own protocol, or anything that is no TLS, on a TLS port.
    PlaintextOnTlsPort = "plaintext_on_tls_port", Client, Warn, tls;
    /// The TLS hello asks for a name that no gateway has.
    UnknownServerName = "unknown_server_name", Client, Warn, tls;
    /// The TLS hello asks for no name where the name says which gateway is meant.
    MissingServerName = "missing_server_name", Client, Warn, tls;
    /// The client and we have no TLS version in common.
    TlsNoCommonVersion = "tls_no_common_version", Client, Warn, tls;
    /// The client and we have no TLS cipher suite in common.
    TlsNoCommonCipher = "tls_no_common_cipher", Client, Warn, tls;
    /// The client shows no certificate where one is required.
    ClientCertificateMissing = "client_certificate_missing", Client, Warn, tls;
    /// We do not believe the client's certificate.
    ClientCertificateRejected = "client_certificate_rejected", Client, Warn, tls;
    /// The client does not believe our certificate.
    ServerCertificateRejected = "server_certificate_rejected", Client, Warn, tls;
    /// The cluster has `maxConnections` connections, and enough wait for a place.
    ConnectionLimit = "connection_limit", Client, Warn;
    /// The client's address has as many connections as `maxConnectionsPerClient` allows.
    ClientConnectionLimit = "client_connection_limit", Client, Warn;
    /// The client stalls in the TLS handshake.
    TlsHandshakeTimeout = "tls_handshake_timeout", Client, Warn, tls;
    /// The client has closed in the TLS handshake.
    TlsHandshakeAborted = "tls_handshake_aborted", Client, Quiet, tls;
    /// The client does in TLS what no sound client does.
    TlsProtocolError = "tls_protocol_error", Client, Warn, tls;
    /// An API or version that kproxy did not offer.
    UnsupportedApi = "unsupported_api", Client, Warn;
    /// A request whose header does not parse.
    MalformedRequest = "malformed_request", Client, Warn;
    /// Tokens and requests cannot be told apart after SaslHandshake v0.
    SaslExchangeUnclear = "sasl_exchange_unclear", Client, Warn;
    /// A filter of the virtual cluster does not let the client do what it asked for, and no answer can say so.
    FilterDenied = "filter_denied", Client, Warn;
    /// A filter of the virtual cluster cannot do its work.
    FilterFailed = "filter_failed", Client, Warn;
    /// The client did not authenticate to kproxy.
    AuthenticationFailed = "authentication_failed", Client, Warn;
    /// The client did not authenticate again before its credentials expired (KIP-368).
    AuthenticationExpired = "authentication_expired", Client, Quiet;
    /// The session has reached the age limit that a filter sets.
    ConnectionExpired = "connection_expired", Client, Quiet;
    /// The broker offers fewer versions than clients were told before it was connected to.
    ApiVersionsNarrowed = "api_versions_narrowed", Broker, Warn;
    /// The broker's frame size cannot be.
    UpstreamInvalidFrame = "upstream_invalid_frame", Broker, Warn;
    /// The broker speaks TLS where plaintext is configured.
    UpstreamSpeaksTls = "upstream_speaks_tls", Broker, Warn, tls;
    /// The broker speaks plaintext where TLS is configured.
    UpstreamSpeaksPlaintext = "upstream_speaks_plaintext", Broker, Warn, tls;
    /// The broker and we have no TLS version in common.
    UpstreamTlsNoCommonVersion = "upstream_tls_no_common_version", Broker, Warn, tls;
    /// The broker and we have no TLS cipher suite in common.
    UpstreamTlsNoCommonCipher = "upstream_tls_no_common_cipher", Broker, Warn, tls;
    /// We do not believe the broker's certificate.
    UpstreamCertificateRejected = "upstream_certificate_rejected", Broker, Warn, tls;
    /// The broker's certificate is for another name.
    UpstreamNameMismatch = "upstream_name_mismatch", Broker, Warn, tls;
    /// The broker does not believe our certificate, or misses one.
    UpstreamRejectedCertificate = "upstream_rejected_certificate", Broker, Warn, tls;
    /// The broker stalls in the TLS handshake.
    UpstreamTlsTimeout = "upstream_tls_timeout", Broker, Warn, tls;
    /// The broker breaks the TLS handshake off, or does in TLS what no sound broker does.
    UpstreamTlsFailed = "upstream_tls_failed", Broker, Warn, tls;
    /// The broker refuses the credentials that kproxy has for it, or cannot show that it knows the password.
    UpstreamLoginRefused = "upstream_login_refused", Broker, Warn;
    /// The broker breaks off while kproxy authenticates, or does not answer in time.
    UpstreamLoginFailed = "upstream_login_failed", Broker, Warn;
    /// kproxy has no credentials for the client at the broker, or gets none from where they come from.
    UpstreamCredentialsMissing = "upstream_credentials_missing", Broker, Warn;
    /// The broker speaks something else than Kafka.
    UpstreamNotKafka = "upstream_not_kafka", Broker, Warn;
    /// The broker's answer carries another correlation id than the oldest request in flight.
    CorrelationMismatch = "correlation_mismatch", Broker, Warn;
    /// The broker sent a response that nobody asked for.
    UnsolicitedResponse = "unsolicited_response", Broker, Warn;
    /// An answer that names brokers does not parse; passing it on could leak an address.
    MalformedResponse = "malformed_response", Broker, Warn;
    /// The session panicked; only it ended.
    Panic = "panic", Client, Error;
    /// The process could not set the session up, for want of descriptors for example.
    Local = "local_error", Client, Warn;
}

impl CloseCause {
    /// Whether it says of the broker that it is none, or not one that can be spoken to as configured. No client can
    /// bring it about.
    pub fn blames_broker(self) -> bool {
        self.side() == Side::Broker
            && (self.is_tls() || matches!(self, Self::UpstreamNotKafka | Self::UpstreamInvalidFrame))
    }

    /// The close cause for a TLS failure.
    fn of_tls(failure: &Failure) -> Self {
        let (client, broker) = match failure.kind {
            FailureKind::NoCommonVersion => (Self::TlsNoCommonVersion, Self::UpstreamTlsNoCommonVersion),
            FailureKind::NoCommonCipher => (Self::TlsNoCommonCipher, Self::UpstreamTlsNoCommonCipher),
            FailureKind::CertificateMissing => (Self::ClientCertificateMissing, Self::UpstreamTlsFailed),
            FailureKind::CertificateRejected => {
                (Self::ClientCertificateRejected, Self::UpstreamCertificateRejected)
            }
            FailureKind::NameMismatch => (Self::ClientCertificateRejected, Self::UpstreamNameMismatch),
            FailureKind::OwnCertificateRejected => {
                (Self::ServerCertificateRejected, Self::UpstreamRejectedCertificate)
            }
            FailureKind::NotTls => (Self::PlaintextOnTlsPort, Self::UpstreamSpeaksPlaintext),
            FailureKind::Closed => (Self::TlsHandshakeAborted, Self::UpstreamTlsFailed),
            FailureKind::TimedOut => (Self::TlsHandshakeTimeout, Self::UpstreamTlsTimeout),
            FailureKind::Protocol => (Self::TlsProtocolError, Self::UpstreamTlsFailed),
        };
        match failure.peer {
            Peer::Client => client,
            Peer::Broker | Peer::Server => broker,
        }
    }

    /// Whether somebody may want to look.
    pub fn is_error(self) -> bool {
        self.severity() != CauseSeverity::Quiet
    }
}

/// Reason for which a session has to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The stable name.
    pub cause: CloseCause,
    /// The reason in a sentence, for the log.
    pub detail: Cow<'static, str>,
}

impl Fault {
    /// A fault with a reason of its own.
    pub fn new(cause: CloseCause, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            detail: detail.into(),
        }
    }

    /// A failure of TLS.
    pub fn tls(failure: &Failure) -> Self {
        Self::new(CloseCause::of_tls(failure), failure.to_string())
    }

    /// A connection that broke: for `cause`, unless TLS has more to say about it.
    pub fn broken(cause: CloseCause, error: &std::io::Error) -> Self {
        match Failure::within(error) {
            Some(failure) => Self::tls(failure),
            None => Self::new(cause, error.to_string()),
        }
    }

    /// A size prefix sent by the client.
    pub fn request_size(bad: BadSize) -> Self {
        let cause = match bad {
            BadSize::Negative(_) | BadSize::TooSmall { .. } => CloseCause::InvalidFrameSize,
            BadSize::TooLarge { .. } => CloseCause::FrameTooLarge,
            BadSize::Tls => CloseCause::TlsOnPlaintextPort,
            BadSize::Http => CloseCause::HttpOnKafkaPort,
            BadSize::ProxyHeader => CloseCause::UnexpectedProxyHeader,
        };
        Self::new(cause, bad.to_string())
    }

    /// A size prefix sent by the broker.
    pub fn response_size(bad: BadSize) -> Self {
        let cause = match bad {
            BadSize::Negative(_) | BadSize::TooSmall { .. } | BadSize::TooLarge { .. } => {
                CloseCause::UpstreamInvalidFrame
            }
            BadSize::Tls => CloseCause::UpstreamSpeaksTls,
            BadSize::Http | BadSize::ProxyHeader => CloseCause::UpstreamNotKafka,
        };
        Self::new(cause, bad.to_string())
    }

    /// A request that does not parse.
    pub fn malformed_request(bad: Malformed) -> Self {
        Self::new(CloseCause::MalformedRequest, bad.to_string())
    }

    /// A response that does not parse.
    pub fn malformed_response(bad: Malformed) -> Self {
        Self::new(CloseCause::MalformedResponse, bad.to_string())
    }
}
