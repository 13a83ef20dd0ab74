//! Reasons why there is no connection to a broker.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;

use super::login::LoginError;
use crate::model::{HostPort, NotAllowed};
use crate::session::cause::{CloseCause, Fault};
use crate::session::probe::ProbeError;
use crate::tls::{Failure, FailureKind};

/// Reason why a broker connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The broker does not accept a TCP connection.
    #[error("{address}: {source}")]
    Unreachable {
        /// Address of the broker.
        address: HostPort,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The TLS handshake with the broker failed.
    #[error("{address}: {failure}")]
    Tls {
        /// Address of the broker.
        address: HostPort,
        /// The TLS failure.
        failure: Failure,
    },
    /// The address is never connected to.
    #[error("{address} leads to {dialled}: {why}")]
    Refused {
        /// Address of the broker.
        address: HostPort,
        /// IP address that it leads to.
        dialled: SocketAddr,
        /// Close cause of the session.
        cause: CloseCause,
        /// Reason for the log.
        why: Cow<'static, str>,
    },
    /// The name of the broker, which kproxy does not look up, is never connected to.
    #[error("{address}: {why}")]
    NotAllowed {
        /// Address of the broker.
        address: HostPort,
        /// The rule.
        why: NotAllowed,
    },
    /// The target cluster does not have the node.
    #[error("no broker has node id {node}; the target cluster has {known:?}")]
    UnknownNode {
        /// Node id that the client asked for.
        node: i32,
        /// Node ids of the target cluster.
        known: Vec<i32>,
    },
    /// The brokers of the target cluster could not be learned.
    #[error("the topology could not be learned: {0}")]
    Topology(#[from] ProbeError),
    /// kproxy could not authenticate.
    #[error("{address}: {error}")]
    Login {
        /// Address of the broker.
        address: HostPort,
        /// The failure.
        error: LoginError,
    },
    /// The connection failed for a reason of this process, such as missing descriptors.
    #[error("kproxy cannot set the session up: {0}")]
    Local(io::Error),
}

impl ConnectError {
    /// The reason without the address.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unreachable { source, .. } => source.to_string(),
            Self::Tls { failure, .. } => failure.to_string(),
            Self::Login { error, .. } => error.to_string(),
            Self::NotAllowed { why, .. } => why.to_string(),
            Self::Refused { dialled, why, .. } => format!("it leads to {dialled}: {why}"),
            Self::Topology(_) | Self::UnknownNode { .. } | Self::Local(_) => self.to_string(),
        }
    }

    /// Whether the server can be connected to, and then says nothing.
    pub(super) fn is_silence(&self) -> bool {
        match self {
            Self::Tls { failure, .. } => failure.kind == FailureKind::TimedOut,
            Self::Login { error, .. } => matches!(error, LoginError::Broken(ProbeError::TimedOut)),
            _ => false,
        }
    }

    /// Whether the credentials are the reason, and not the broker that was tried.
    pub(super) fn is_about_credentials(&self) -> bool {
        let Self::Login { error, .. } = self else {
            return false;
        };
        matches!(error, LoginError::Refused(_) | LoginError::NoCredentials(_))
    }

    /// Close cause of a session that needed the connection.
    pub fn cause(&self) -> CloseCause {
        match self {
            Self::Topology(ProbeError::Named { cause, .. }) | Self::Refused { cause, .. } => *cause,
            Self::NotAllowed { .. } => CloseCause::BrokerNotAllowed,
            Self::Unreachable { .. } | Self::Topology(_) => CloseCause::UpstreamUnreachable,
            Self::Tls { failure, .. } => Fault::tls(failure).cause,
            Self::Login { error, .. } => error.cause(),
            Self::UnknownNode { .. } => CloseCause::NodeUnknown,
            Self::Local(_) => CloseCause::Local,
        }
    }
}
