//! Connections to brokers through a forward proxy (`via`). What it answers is read to the last byte of its answer and no
//! further, so that whatever comes after that belongs to the broker.

mod http_connect;
mod socks5;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::http::StatusCode;
use tokio::net::TcpStream;

use super::dial::{interleaved, look_up};
use super::{CloseCause, ConnectError, UpstreamTarget};
use crate::model::{ForwardProxy, ForwardProxyProtocol, HostPort};
use crate::resolver;

/// Reason why a forward proxy gives no connection to a broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelError {
    /// It cannot be connected to, or the connection breaks.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It closes the connection.
    #[error("it closes the connection without a whole answer")]
    Closed,
    /// It speaks another protocol.
    #[error("it does not answer as a {0} proxy")]
    OtherProtocol(&'static str),
    /// It wants credentials, or other ones.
    #[error("{}", credentials_wanted(*.given))]
    Credentials {
        /// Whether it has got some.
        given: bool,
    },
    /// A reply code of SOCKS (RFC 1928 §6).
    #[error("it does not connect to the broker: {}", reply(*.0))]
    Reply(u8),
    /// A status of HTTP.
    #[error("it does not connect to the broker: it answers CONNECT with HTTP status {}", status(*.0))]
    Status(u16),
    /// Its answer is longer than any that is accepted.
    #[error("its answer to CONNECT has more than {0} bytes")]
    TooLong(usize),
    /// SOCKS has room for 255 bytes.
    #[error("the name of the broker is too long for it")]
    LongName,
}

fn credentials_wanted(given: bool) -> &'static str {
    match given {
        true => "it refuses the credentials in `viaCredentialsFile`",
        false => "it wants credentials, and `viaCredentialsFile` is not set",
    }
}

fn reply(code: u8) -> String {
    format!("{} (SOCKS reply {code})", socks5::meaning(code))
}

fn status(code: u16) -> String {
    let known = StatusCode::from_u16(code).ok();
    match known.and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("{code} ({reason})"),
        None => code.to_string(),
    }
}

impl UpstreamTarget {
    /// Connects to `server` through the forward proxy. `timeout` holds for all of it.
    pub(super) async fn reach_through(
        &self,
        via: &ForwardProxy,
        server: &HostPort,
        timeout: Duration,
    ) -> Result<TcpStream, ConnectError> {
        self.permit_unresolved(server)?;
        let failed = |error: TunnelError| ConnectError::Unreachable {
            address: server.clone(),
            source: io::Error::other(format!("forward proxy {via}: {error}")),
        };
        let is_connected = AtomicBool::new(false);
        let tunnel = async {
            let mut socket = match self.reach_forward_proxy(via, timeout).await {
                Ok(socket) => socket,
                Err(ConnectError::Unreachable { source, .. }) => return Err(failed(source.into())),
                Err(error) => return Err(error),
            };
            is_connected.store(true, Ordering::Relaxed);
            open(&mut socket, via, server).await.map_err(failed)?;
            Ok(socket)
        };
        tokio::time::timeout(timeout, tunnel).await.unwrap_or_else(|_| {
            let why = match is_connected.load(Ordering::Relaxed) {
                true => format!("no connection to the broker within {timeout:?}"),
                false => format!("no answer within {timeout:?}"),
            };
            Err(failed(io::Error::new(io::ErrorKind::TimedOut, why).into()))
        })
    }

    /// Whether a broker that this host does not look up may be connected to: by its name, or by the address that it is.
    fn permit_unresolved(&self, server: &HostPort) -> Result<(), ConnectError> {
        let is_configured = self.bootstrap_servers.contains(server);
        let checked = self.allowed.load().check_unresolved(server, is_configured);
        checked.map_err(|why| ConnectError::NotAllowed {
            address: server.clone(),
            why,
        })
    }

    async fn reach_forward_proxy(
        &self,
        via: &ForwardProxy,
        timeout: Duration,
    ) -> Result<TcpStream, ConnectError> {
        let server = &via.address;
        let unreachable = |source| ConnectError::Unreachable {
            address: server.clone(),
            source,
        };
        let addresses = look_up(server, timeout).await.map_err(unreachable)?;
        let mut addresses = interleaved(&addresses, server.port);
        if let Some(&dialled) = addresses.iter().find(|&&address| self.own.is_own(address)) {
            addresses.retain(|&address: &SocketAddr| !self.own.is_own(address));
            if addresses.is_empty() {
                return Err(ConnectError::Refused {
                    address: server.clone(),
                    dialled,
                    cause: CloseCause::UpstreamIsProxy,
                    why: "kproxy itself listens there".into(),
                });
            }
        }
        let reached = self.reach_first(server, addresses, timeout).await;
        if let Err(ConnectError::Unreachable { .. }) = &reached {
            resolver::system().doubt(&server.host);
        }
        reached
    }
}

/// Asks the forward proxy at the other end for a connection to `broker`.
///
/// # Errors
/// The reason, without the names of either.
pub async fn open_tunnel(
    socket: &mut TcpStream,
    via: &ForwardProxy,
    broker: &HostPort,
) -> Result<(), String> {
    open(socket, via, broker).await.map_err(|error| error.to_string())
}

/// Asks the forward proxy at the other end for a connection to `broker`.
async fn open(socket: &mut TcpStream, via: &ForwardProxy, broker: &HostPort) -> Result<(), TunnelError> {
    let credentials = via.credentials.as_ref();
    let opened = match via.protocol {
        ForwardProxyProtocol::Socks5 => socks5::open(socket, credentials, broker).await,
        ForwardProxyProtocol::Http => http_connect::open(socket, credentials, broker).await,
    };
    opened.map_err(|error| match error {
        TunnelError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => TunnelError::Closed,
        error => error,
    })
}
