//! One connection to one broker: name look-up, TCP, PROXY header, TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::UnbufferedClientConnection;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::super::cause::CloseCause;
use super::health::Success;
use super::login::{self, LoginContext, LoginError};
use super::race::{DialAttempt, Race};
use super::{ConnectError, Greeting, Upstream, UpstreamTarget};
use crate::model::{HostPort, NotAllowed};
use crate::resolver;
use crate::session::probe::ProbeError;
use crate::session::transport::{Connection, Stream, handshake};
use crate::tls::{Failure, FailureKind, Peer, UpstreamContext};

/// Idle time before a keepalive probe, and time between two probes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Time after which unacknowledged data means that the peer is gone. It also ends a peer that takes no data for this
/// long, so it is well above `max.poll.interval.ms` (5 min): a paused consumer is not dead.
const USER_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// First correlation id of a login on a new connection.
const FIRST_ID: i32 = 1;

/// Result of connecting to one server: a TCP connection, or the error.
pub(super) struct ConnectedServer<'t> {
    pub(super) server: &'t HostPort,
    socket: Result<TcpStream, ConnectError>,
}

impl UpstreamTarget {
    /// Connects to `server` and to no other.
    pub(super) async fn dial(
        &self,
        server: &HostPort,
        timeout: Duration,
        greeting: Greeting<'_>,
    ) -> Result<Upstream, ConnectError> {
        let reached = self.reach(server, timeout).await;
        self.finish(reached, timeout, greeting).await
    }

    /// Connects to `server` with TCP only, to learn whether it answers.
    pub(super) async fn reach<'t>(&self, server: &'t HostPort, timeout: Duration) -> ConnectedServer<'t> {
        // Only bootstrap servers can be chosen among.
        let is_bootstrap = self.bootstrap_servers.contains(server);
        let asked = is_bootstrap.then(|| self.silent_servers.ask(server.clone()));
        let began = Instant::now();
        let socket = self.reach_any(server, timeout).await;
        if socket.is_ok() {
            self.connect_time.took(began.elapsed());
        }
        match (asked, &socket) {
            (None, _) => {}
            // It may still be silent at the next step.
            (Some(asked), Ok(_)) => asked.connected(),
            (Some(asked), Err(ConnectError::Unreachable { .. })) => asked.failed(),
            (Some(asked), Err(_)) => asked.said_nothing(),
        }
        ConnectedServer { server, socket }
    }

    /// Completes a connection: PROXY header, TLS, login. Every attempt that ends, ends here.
    pub(super) async fn finish(
        &self,
        reached: ConnectedServer<'_>,
        timeout: Duration,
        greeting: Greeting<'_>,
    ) -> Result<Upstream, ConnectError> {
        let ConnectedServer { server, socket } = reached;
        let connected = match socket {
            Ok(socket) => self.introduce(server, socket, timeout, greeting).await,
            Err(error) => Err(error),
        };
        self.ended(server, connected.as_ref().err());
        connected
    }

    /// Records how an attempt to connect to `address` has ended: with a connection, TLS included, or with `error`.
    /// Every attempt that ends is recorded once; an attempt that was cancelled is not.
    fn ended(&self, address: &HostPort, error: Option<&ConnectError>) {
        if error.is_some_and(ConnectError::is_silence) && self.bootstrap_servers.contains(address) {
            self.silent_servers.note(address.clone());
        }
        match error {
            None => {
                self.silent_servers.forget(address);
                self.health
                    .succeeded(address, Success::Connected, || self.known());
            }
            // A local error says nothing about the broker.
            Some(ConnectError::Local(_)) => {}
            Some(error) => {
                let reason = error.reason();
                self.health
                    .failed(address, (error.cause(), &reason), false, || self.known());
            }
        }
    }

    async fn introduce(
        &self,
        address: &HostPort,
        mut socket: TcpStream,
        timeout: Duration,
        greeting: Greeting<'_>,
    ) -> Result<Upstream, ConnectError> {
        if !greeting.header.is_empty() {
            let greeted = socket.write_all(greeting.header).await;
            greeted.map_err(|source| ConnectError::Unreachable {
                address: address.clone(),
                source,
            })?;
        }
        let stream = match &self.tls {
            None => Stream::Plain(socket),
            // Boxed, so that plaintext sessions do not pay for it.
            Some(tls) => Box::pin(secure(socket, tls.load_full(), address, timeout)).await?,
        };
        let upstream = Upstream {
            stream,
            address: address.clone(),
            logged_in: None,
            first_answer: Vec::new(),
        };
        match self.login() {
            None if greeting.first_request.is_empty() => Ok(upstream),
            // Boxed for the same reason.
            login => Box::pin(log_in(upstream, login.as_deref(), greeting, timeout)).await,
        }
    }

    async fn reach_any(&self, server: &HostPort, timeout: Duration) -> Result<TcpStream, ConnectError> {
        match &self.via {
            None => self.reach_directly(server, timeout).await,
            // Boxed, so that connections without a forward proxy do not pay for it.
            Some(via) => Box::pin(self.reach_through(&via.load_full(), server, timeout)).await,
        }
    }

    /// Connects to the first address of a server that answers. `timeout` holds for each address and for the name
    /// look-up.
    async fn reach_directly(&self, server: &HostPort, timeout: Duration) -> Result<TcpStream, ConnectError> {
        let addresses = look_up(server, timeout)
            .await
            .map_err(|source| ConnectError::Unreachable {
                address: server.clone(),
                source,
            })?;
        let addresses = self.permitted(server, interleaved(&addresses, server.port))?;
        let reached = self.reach_first(server, addresses, timeout).await;
        if let Err(ConnectError::Unreachable { .. }) = &reached {
            // The broker may have moved to another address.
            resolver::system().doubt(&server.host);
        }
        reached
    }

    /// Connects to the first of the addresses of `server` that answers.
    pub(super) async fn reach_first(
        &self,
        server: &HostPort,
        mut addresses: Vec<SocketAddr>,
        timeout: Duration,
    ) -> Result<TcpStream, ConnectError> {
        self.silent_addresses.last(&mut addresses);
        let attempt = |address| Box::pin(self.connect_address(address, timeout)) as DialAttempt<'_, _>;
        let race = Race::of(addresses.into_iter().map(attempt).collect());
        let mut race = race.with_head_start(self.connect_time.head_start());
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
        while let Some(ended) = race.next().await {
            match ended {
                Ok(socket) => return Ok(socket),
                Err(error) => failed = error,
            }
        }
        if is_local(&failed) {
            return Err(ConnectError::Local(failed));
        }
        Err(ConnectError::Unreachable {
            address: server.clone(),
            source: failed,
        })
    }

    /// The addresses among `addresses` that are allowed. The address decides, whatever the name led to before.
    fn permitted(
        &self,
        server: &HostPort,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let is_configured = self.bootstrap_servers.contains(server);
        let allowed = self.allowed.load();
        let mut refused = None;
        let mut permitted = addresses;
        permitted.retain(|&address| {
            let why = if self.own.is_own(address) {
                Some((CloseCause::UpstreamIsProxy, "kproxy itself listens there".into()))
            } else {
                let checked = allowed.check(server, is_configured, address.ip());
                let not_allowed = |why: NotAllowed| (CloseCause::BrokerNotAllowed, why.to_string().into());
                checked.err().map(not_allowed)
            };
            let permitted = why.is_none();
            if let Some(why) = why {
                refused = Some((address, why));
            }
            permitted
        });
        match refused {
            Some((dialled, (cause, why))) if permitted.is_empty() => Err(ConnectError::Refused {
                address: server.clone(),
                dialled,
                cause,
                why,
            }),
            _ => Ok(permitted),
        }
    }

    async fn connect_address(&self, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        let asked = self.silent_addresses.ask(address);
        let connected = tokio::time::timeout(timeout, TcpStream::connect(address)).await;
        let late = |_| {
            let why = format!("no answer from {address} within {timeout:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        };
        let stream = match connected.unwrap_or_else(late) {
            Ok(stream) => stream,
            Err(error) => {
                match is_local(&error) {
                    true => asked.said_nothing(),
                    false => asked.failed(),
                }
                return Err(error);
            }
        };
        asked.answered();
        if stream.local_addr()? == address {
            // Nothing listens there: TCP connected the socket to itself (RFC 9293 §3.5, simultaneous open).
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        prepare(&stream)?;
        Ok(stream)
    }
}

pub(super) async fn look_up(server: &HostPort, timeout: Duration) -> io::Result<resolver::ResolvedAddresses> {
    let found = tokio::time::timeout(timeout, resolver::system().lookup(&server.host)).await;
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "name resolution timed out");
    Ok(found.map_err(late)??)
}

/// Addresses with the families alternating, beginning with the family of the first (RFC 8305 §4).
pub(super) fn interleaved(addresses: &[SocketAddr], port: u16) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = addresses
        .iter()
        .map(|address| {
            let mut address = *address;
            address.set_port(port);
            address
        })
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut all = Vec::with_capacity(addresses.len());
    while one.len() + other.len() > 0 {
        all.extend(one.next());
        all.extend(other.next());
    }
    all
}

/// Performs the TLS handshake on a connection to `address`.
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

/// Sends the first request of the greeting, and authenticates.
async fn log_in(
    mut upstream: Upstream,
    login: Option<&LoginContext>,
    greeting: Greeting<'_>,
    timeout: Duration,
) -> Result<Upstream, ConnectError> {
    let exchange = async {
        if !greeting.first_request.is_empty() {
            let asked = login::ask_first(&mut upstream.stream, greeting.first_request, login);
            upstream.first_answer = asked.await?;
        }
        let host = &upstream.address.host;
        match login {
            Some(login) => {
                login
                    .log_in(&mut upstream.stream, greeting.login, host, FIRST_ID)
                    .await
            }
            None => Ok(None),
        }
    };
    let done = tokio::time::timeout(timeout, exchange).await;
    match done.unwrap_or(Err(LoginError::Broken(ProbeError::TimedOut))) {
        Ok(logged_in) => Ok(Upstream {
            logged_in,
            ..upstream
        }),
        Err(error) => Err(ConnectError::Login {
            address: upstream.address,
            error,
        }),
    }
}

/// Whether an error concerns this process and not the broker: descriptors, buffers, ports.
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

/// Sets the socket options of both sides of a session.
///
/// # Errors
/// The error of the operating system if the socket is already closed.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let of = |ips: &[&str]| -> Vec<SocketAddr> {
            ips.iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
                .collect()
        };
        let ordered = |ips: &[&str]| -> Vec<String> {
            let all = interleaved(&of(ips), 9092);
            assert!(all.iter().all(|address| address.port() == 9092));
            all.iter().map(|address| address.ip().to_string()).collect()
        };
        assert_eq!(
            ordered(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]),
            ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]
        );
        assert_eq!(ordered(&["10.0.0.1", "10.0.0.2"]), ["10.0.0.1", "10.0.0.2"]);
    }
}
