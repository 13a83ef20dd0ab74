//! One connection to one broker: name, address, greeting, TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::UnbufferedClientConnection;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{ConnectError, Target, Upstream};
use crate::model::HostPort;
use crate::session::transport::{Connection, Stream, handshake};
use crate::tls::{Failure, FailureKind, Peer, UpstreamContext};

/// A connection that says nothing for this long is asked whether it still exists.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unacknowledged data for this long means that the peer is gone. It also ends a peer that takes nothing for
/// that long, so it stands well above `max.poll.interval.ms` (5 min): a paused consumer is not a dead one.
const USER_TIMEOUT: Duration = Duration::from_secs(15 * 60);

impl Target {
    /// Connects to `address` and notes how that ended. Every connection to a broker is made here.
    pub(super) async fn dial(
        &self,
        address: &HostPort,
        timeout: Duration,
        greeting: &[u8],
    ) -> Result<Upstream, ConnectError> {
        let connected = self.connect(address, timeout, greeting).await;
        self.ended(address, connected.as_ref().err());
        connected
    }

    /// Takes note of how an attempt to connect to `address` has ended: with a connection, TLS included, or with
    /// `error`. Every attempt that comes to an end is reported here once; one that was given up is not.
    fn ended(&self, address: &HostPort, error: Option<&ConnectError>) {
        match error {
            None => tracing::trace!(broker = %address, "connected"),
            Some(error) => tracing::trace!(broker = %address, %error, "not connected"),
        }
    }

    /// Connects to the first address a name resolves to that answers, `timeout` for each, and as long again for TLS.
    async fn connect(
        &self,
        address: &HostPort,
        timeout: Duration,
        greeting: &[u8],
    ) -> Result<Upstream, ConnectError> {
        let mut socket = connect_any(address, timeout).await?;
        if !greeting.is_empty() {
            let greeted = socket.write_all(greeting).await;
            greeted.map_err(|source| ConnectError::Unreachable {
                address: address.clone(),
                source,
            })?;
        }
        let stream = match &self.tls {
            None => Stream::Plain(socket),
            // Boxed: plaintext sessions should not pay for it.
            Some(tls) => Box::pin(secure(socket, tls.load_full(), address, timeout)).await?,
        };
        Ok(Upstream {
            stream,
            address: address.clone(),
        })
    }
}

/// Speaks TLS over a connection to `address`.
async fn secure(
    socket: TcpStream,
    tls: Arc<UpstreamContext>,
    address: &HostPort,
    timeout: Duration,
) -> Result<Stream, ConnectError> {
    let failed = |failure| ConnectError::Tls {
        address: address.clone(),
        failure,
    };
    let broken = |why: String| failed(Failure::new(Peer::Broker, FailureKind::Protocol, why));
    let (config, name) = tls.towards(address).map_err(|error| broken(error.to_string()))?;
    let client = UnbufferedClientConnection::new(config, name).map_err(|error| broken(error.to_string()))?;
    let handshake = handshake(socket, Peer::Broker, Connection::Client(client), Vec::new());
    match tokio::time::timeout(timeout, handshake).await {
        Ok(Ok(secured)) => Ok(Stream::Tls(Box::new(secured))),
        Ok(Err((_, failure))) => Err(failed(failure)),
        Err(_) => {
            let why = format!("no TLS handshake within {timeout:?}");
            Err(failed(Failure::new(Peer::Broker, FailureKind::TimedOut, why)))
        }
    }
}

async fn connect_any(address: &HostPort, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let unreachable = |source| ConnectError::Unreachable {
        address: address.clone(),
        source,
    };
    let resolve = tokio::net::lookup_host((address.host.as_str(), address.port));
    let resolved = tokio::time::timeout(timeout, resolve)
        .await
        .map_err(|_| {
            unreachable(io::Error::new(
                io::ErrorKind::TimedOut,
                "name resolution timed out",
            ))
        })?
        .map_err(unreachable)?;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
    for candidate in resolved {
        match connect_address(candidate, timeout).await {
            Ok(socket) => return Ok(socket),
            Err(error) if is_local(&error) => return Err(ConnectError::Local(error)),
            Err(error) => failed = error,
        }
    }
    Err(unreachable(failed))
}

async fn connect_address(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(address))
        .await
        .map_err(|_| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer from {address} within {timeout:?}"),
            )
        })??;
    prepare(&stream)?;
    Ok(stream)
}

/// Errors that say something about this process, not about the broker: descriptors, buffers, ports.
fn is_local(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let local = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::ADDRNOTAVAIL,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| local.iter().any(|errno| errno.raw_os_error() == code))
}

/// Socket options of both sides of a session.
///
/// # Errors
/// When the socket is already gone.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}
