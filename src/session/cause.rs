//! Why a session ended, in the words of logs and metric labels.

use std::borrow::Cow;

use crate::wire::Malformed;
use crate::wire::frame::BadSize;

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $severity:ident;)*) => {
        /// Why a session ended. The names are stable: dashboards and alerts are built on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum CloseCause { $($(#[$doc])* $variant,)* }

        impl CloseCause {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The metric label and log field.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
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
pub enum Severity {
    /// Everyday life: logged at debug, at info where the cluster sets `logNetwork`.
    Quiet,
    /// Somebody may want to look: logged at warn.
    Warn,
    /// A defect of kproxy: logged at error.
    Error,
}

causes! {
    /// The client closed; everything it was owed had been delivered.
    ClientClosed => "client_closed", Quiet;
    /// The client's connection was reset.
    ClientReset => "client_reset", Quiet;
    /// The broker closed with nothing in flight.
    UpstreamClosed => "upstream_closed", Quiet;
    /// The broker closed although answers were due, or in the middle of one.
    UpstreamClosedEarly => "upstream_closed_early", Warn;
    /// The broker's connection was reset.
    UpstreamReset => "upstream_reset", Warn;
    /// No broker address could be connected to.
    UpstreamUnreachable => "upstream_unreachable", Warn;
    /// The client came to the port of a node that the target cluster does not have.
    NodeUnknown => "node_unknown", Warn;
    /// The topology was learned over this connection; the client comes back to the right broker.
    TopologyLearned => "topology_learned", Quiet;
    /// No complete request within `unauthenticatedIdleTimeout`, or silence for `authenticatedIdleTimeout`.
    IdleTimeout => "idle_timeout", Quiet;
    /// Left at a request boundary because its cluster drained.
    Drained => "drained", Quiet;
    /// Still had requests in flight at the drain's hard deadline.
    DrainTimeout => "drain_timeout", Warn;
    /// A frame size that cannot be: negative or too small.
    InvalidFrameSize => "invalid_frame_size", Warn;
    /// A frame above `maxFrameSize`.
    FrameTooLarge => "frame_too_large", Warn;
    /// A TLS hello on a plaintext port.
    TlsOnPlaintextPort => "tls_on_plaintext_port", Warn;
    /// HTTP on a Kafka port.
    HttpOnKafkaPort => "http_on_kafka_port", Warn;
    /// A PROXY protocol header where none is expected.
    UnexpectedProxyHeader => "unexpected_proxy_header", Warn;
    /// An API or version that kproxy did not offer.
    UnsupportedApi => "unsupported_api", Warn;
    /// A request whose header does not parse.
    MalformedRequest => "malformed_request", Warn;
    /// The broker's frame size cannot be.
    UpstreamInvalidFrame => "upstream_invalid_frame", Warn;
    /// The broker speaks TLS where plaintext is configured.
    UpstreamSpeaksTls => "upstream_speaks_tls", Warn;
    /// The broker speaks something else than Kafka.
    UpstreamNotKafka => "upstream_not_kafka", Warn;
    /// The broker's answer carries another correlation id than the oldest request in flight.
    CorrelationMismatch => "correlation_mismatch", Warn;
    /// The broker sent a response that nobody asked for.
    UnsolicitedResponse => "unsolicited_response", Warn;
    /// An answer that names brokers does not parse; passing it on could leak an address.
    MalformedResponse => "malformed_response", Warn;
    /// The session panicked; only it ended.
    Panic => "panic", Error;
    /// The process could not set the session up, for want of descriptors for example.
    Local => "local_error", Warn;
}

impl CloseCause {
    pub fn side(self) -> Side {
        match self {
            Self::UpstreamClosed
            | Self::UpstreamClosedEarly
            | Self::UpstreamReset
            | Self::UpstreamUnreachable
            | Self::NodeUnknown
            | Self::UpstreamInvalidFrame
            | Self::UpstreamSpeaksTls
            | Self::UpstreamNotKafka
            | Self::CorrelationMismatch
            | Self::UnsolicitedResponse
            | Self::MalformedResponse => Side::Broker,
            Self::ClientClosed
            | Self::ClientReset
            | Self::TopologyLearned
            | Self::IdleTimeout
            | Self::Drained
            | Self::DrainTimeout
            | Self::InvalidFrameSize
            | Self::FrameTooLarge
            | Self::TlsOnPlaintextPort
            | Self::HttpOnKafkaPort
            | Self::UnexpectedProxyHeader
            | Self::UnsupportedApi
            | Self::MalformedRequest
            | Self::Panic
            | Self::Local => Side::Client,
        }
    }

    /// Whether somebody may want to look.
    pub fn is_error(self) -> bool {
        self.severity() != Severity::Quiet
    }
}

/// What a session's inspector found: the end of the session, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub cause: CloseCause,
    pub detail: Cow<'static, str>,
}

impl Fault {
    pub fn new(cause: CloseCause, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cause,
            detail: detail.into(),
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

    pub fn malformed_request(bad: Malformed) -> Self {
        Self::new(CloseCause::MalformedRequest, bad.to_string())
    }

    pub fn malformed_response(bad: Malformed) -> Self {
        Self::new(CloseCause::MalformedResponse, bad.to_string())
    }
}
