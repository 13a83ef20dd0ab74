//! The way to the brokers of one target cluster.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::client::UnbufferedClientConnection;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::probe::{self, Discovery, ProbeError};
use super::topology::{Nodes, Topology};
use super::transport::{Connection, Stream, handshake};
use crate::model::{BootstrapSelection, HostPort, TargetCluster};
use crate::tls::{Failure, FailureKind, Peer, TlsError, UpstreamContext};

/// A connection that says nothing for this long is asked whether it still exists.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Unacknowledged data for this long means that the peer is gone. It also ends a peer that takes nothing for
/// that long, so it stands well above `max.poll.interval.ms` (5 min): a paused consumer is not a dead one.
const USER_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How long it is believed that brokers are where an answer that passed by said they are.
const BELIEVED: Duration = Duration::from_secs(10);

/// One target cluster: where to begin, and what has been learned of it.
#[derive(Debug)]
pub struct Target {
    bootstrap_servers: Vec<HostPort>,
    tls: Option<UpstreamContext>,
    /// As in the model, until it is changed.
    random: AtomicBool,
    pub topology: Arc<Topology>,
    discovery: Discovery,
    /// Where the next connection begins in the list of bootstrap servers.
    next: AtomicUsize,
    hasher: RandomState,
}

/// A connected broker.
pub struct Upstream {
    pub stream: Stream,
    /// As configured or as the broker said of itself.
    pub address: HostPort,
}

/// Why there is no connection to the broker that a client wants.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{address}: {source}")]
    Unreachable { address: HostPort, source: io::Error },
    #[error("{address}: {failure}")]
    Tls { address: HostPort, failure: Failure },
    #[error("no broker has node id {node}; the target cluster has {known:?}")]
    UnknownNode { node: i32, known: Vec<i32> },
    #[error("the topology could not be learned: {0}")]
    Topology(#[from] ProbeError),
    #[error("the session cannot be set up here: {0}")]
    Local(io::Error),
}

/// What a connection to a broker begins with, before TLS.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// For whom kproxy connects, as a PROXY protocol header; empty: nothing.
    pub session: Vec<u8>,
    /// The same for connections of kproxy's own.
    pub own: Vec<u8>,
}

/// The broker for a client that came to the port of a node.
pub enum NodeUpstream {
    /// The broker itself.
    Broker(Upstream),
    /// A bootstrap server: the cluster demands authentication before it tells where the node is, so the client's
    /// own authenticated connection has to ask.
    LearnFrom(Upstream),
}

impl Target {
    /// `remembered` is what an earlier run learned; `changed` is told when more is learned.
    ///
    /// # Errors
    /// When the model's TLS settings cannot be used.
    pub fn new(model: TargetCluster, remembered: Nodes, changed: Arc<Notify>) -> Result<Self, TlsError> {
        Ok(Self {
            tls: model.tls.as_ref().map(UpstreamContext::new).transpose()?,
            random: AtomicBool::new(model.selection == BootstrapSelection::Random),
            bootstrap_servers: model.bootstrap_servers,
            topology: Arc::new(Topology::new(remembered, changed)),
            discovery: Discovery::default(),
            next: AtomicUsize::new(0),
            hasher: RandomState::new(),
        })
    }

    /// Whether its brokers speak TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The servers it begins with.
    pub fn bootstrap_servers(&self) -> &[HostPort] {
        &self.bootstrap_servers
    }

    /// How the next bootstrap servers are picked.
    pub fn select(&self, selection: BootstrapSelection) {
        let random = selection == BootstrapSelection::Random;
        self.random.store(random, Ordering::Relaxed);
    }

    /// The bootstrap servers, beginning with the one whose turn it is.
    fn servers(&self) -> impl Iterator<Item = &HostPort> {
        let servers = &self.bootstrap_servers;
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let first = if self.random.load(Ordering::Relaxed) {
            usize::try_from(self.hasher.hash_one(turn) >> 1).unwrap_or(turn)
        } else {
            turn
        } % servers.len().max(1);
        servers[first..].iter().chain(&servers[..first])
    }

    /// Connects to a bootstrap server: the first that answers, in the configured order.
    ///
    /// # Errors
    /// That of the last server, when none answers.
    pub async fn connect_bootstrap(
        &self,
        timeout: Duration,
        greeting: &Greeting,
    ) -> Result<Upstream, ConnectError> {
        let mut failed = ConnectError::Local(io::Error::other("no bootstrap servers"));
        for address in self.servers() {
            match self.connect(address, timeout, &greeting.session).await {
                Ok(upstream) => return Ok(upstream),
                Err(error @ ConnectError::Local(_)) => return Err(error),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Connects to node `node` and no other.
    ///
    /// An address that is not known, or at which nobody listens any more, is asked for once. All of it together
    /// takes no longer than `timeout` for each address that is tried.
    ///
    /// # Errors
    /// When the node does not exist, or cannot be reached.
    pub async fn connect_node(
        &self,
        node: i32,
        timeout: Duration,
        greeting: &Greeting,
    ) -> Result<NodeUpstream, ConnectError> {
        let known = self.topology.address(node);
        let mut failed = None;
        if let Some(address) = &known {
            match self.connect(address, timeout, &greeting.session).await {
                Ok(upstream) => return Ok(NodeUpstream::Broker(upstream)),
                Err(error @ ConnectError::Local(_)) => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        match self.discover(timeout, failed.is_none(), &greeting.own).await {
            Ok(()) => {}
            // Its own connection has to ask, unless the cluster has just said that the broker is where it is not
            // reached: then there is nothing to learn, and the client should not authenticate for it.
            Err(ProbeError::AuthenticationRequired)
                if known.is_none() || !self.topology.confirmed_within(BELIEVED) =>
            {
                return Ok(NodeUpstream::LearnFrom(
                    self.connect_bootstrap(timeout, greeting).await?,
                ));
            }
            // The broker was known and is down: that is the news, not that nobody could be asked.
            Err(error) => return Err(failed.unwrap_or(ConnectError::Topology(error))),
        }
        match self.topology.address(node) {
            None => {
                let mut known: Vec<i32> = self.topology.snapshot().keys().copied().collect();
                known.sort_unstable();
                Err(ConnectError::UnknownNode { node, known })
            }
            // It is where it was, and there it could not be reached a moment ago.
            address if address == known => {
                Err(failed.unwrap_or(ConnectError::UnknownNode { node, known: vec![] }))
            }
            Some(address) => self
                .connect(&address, timeout, &greeting.session)
                .await
                .map(NodeUpstream::Broker),
        }
    }

    /// Learns the topology over a connection of kproxy's own. Callers at the same time share one attempt.
    async fn discover(
        &self,
        timeout: Duration,
        recent_will_do: bool,
        greeting: &[u8],
    ) -> Result<(), ProbeError> {
        self.discovery
            .run(recent_will_do, || async {
                let mut failed = ProbeError::NoServers;
                for server in self.servers() {
                    let asked = async {
                        let upstream = self.connect(server, timeout, greeting).await.map_err(Box::new)?;
                        probe::brokers(upstream.stream).await
                    };
                    match tokio::time::timeout(timeout, asked)
                        .await
                        .unwrap_or(Err(ProbeError::TimedOut))
                    {
                        Ok(brokers) => {
                            self.topology.learn(&brokers);
                            self.topology.confirm();
                            return Ok(());
                        }
                        Err(error @ ProbeError::AuthenticationRequired) => return Err(error),
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            })
            .await
    }
}

impl Target {
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
            Some(tls) => secure(socket, tls, address, timeout).await?,
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
    tls: &UpstreamContext,
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
