//! From an accepted connection to one with a broker connection, step by step:
//!
//! ```text
//! PROXY protocol header ─▶ TLS hello ─▶ route ─▶ TLS handshake ─▶ first request ─▶ authentication ─▶ broker ─▶ TLS handshake
//! ```
//!
//! Each step passes on only what the next one needs. A client that does not speak Kafka, or asks for something
//! unavailable, is closed before a broker connection is made. A client that stalls in one step holds only the memory
//! of that step: the later ones are boxed.

mod admission;
pub(super) mod broker;
mod client;
pub(super) mod first_request;
mod guarded;
mod hello;
pub(super) mod replay;
mod route;
mod secure;
mod to_broker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::broker_moves;
use super::cause::{CloseCause, Fault};
use super::context::{EndpointBinding, ProcessContext};
use super::inspect::SessionLogin;
use super::opened_session::{OpenedSession, SessionParts};
use super::permits::ConnectionPermits;
use super::proxied;
use super::pump::{Ended, FIN_GRACE};
use super::report::{Report, tell_unrouted};
use super::routes::HostRouter;
use super::transport::Stream;
use super::upstream;
use crate::drain::{ProxiedFacts, SessionGuard, SessionHandle, SessionState};
use crate::model::ProxyProtocolMode;
use crate::tls::NegotiatedTls;
use crate::wire::proxy_protocol::ProxyHeader;
use admission::{acquire_cluster_permit, check_intake};
use first_request::{drain_patience_ends, hard_deadline, read_first_request, wait_for_first_byte};
use hello::{hello, late_hello};
use route::{find, join};
use secure::secure;
use to_broker::{ConnectedClient, connect_client};

/// Time limit from the accept to a complete TLS ClientHello.
const CLIENT_HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limits when the process stops: for everything before the first request, and for the broker connection. No
/// broker has seen the client yet, so it can connect elsewhere without harm.
const HANDSHAKE_LIMIT_AT_EXIT: Duration = Duration::from_secs(2);
const CONNECT_LIMIT_AT_EXIT: Duration = Duration::from_secs(3);

/// A client that is ready to send its first request.
struct AcceptedClient {
    client: Stream,
    /// Bytes already read from it.
    prefetched: Vec<u8>,
    facts: HandshakeInfo,
}

/// Facts about a client, collected by the steps so far.
#[derive(Default)]
struct HandshakeInfo {
    header: Option<ProxyHeader>,
    /// The local address of the connection.
    local: Option<SocketAddr>,
    server_name: Option<String>,
    negotiated: Option<Arc<NegotiatedTls>>,
}

/// A connection that is closed before its session is open.
struct Refused {
    /// The client to close with care; `None` if there is no time for that.
    client: Option<Stream>,
    fault: Fault,
}

impl Refused {
    fn plain(socket: TcpStream, fault: Fault) -> Self {
        Self {
            client: Some(Stream::Plain(socket)),
            fault,
        }
    }

    /// The end of a connection that was not open at the deadline of a drain.
    fn overdue() -> Self {
        Self {
            client: None,
            fault: Fault::new(
                CloseCause::DrainTimeout,
                "no first request before the deadline of the drain",
            ),
        }
    }

    async fn leave(self, handle: Option<&SessionHandle>) -> Ended {
        if let Some(handle) = handle {
            handle.enter(SessionState::Leaving);
        }
        if let Some(client) = self.client {
            close_before_open(client, handle).await;
        }
        ended_before_open(self.fault)
    }
}

/// Opens a connection whose listener belongs to one endpoint.
pub(super) async fn endpoint(
    stream: std::net::TcpStream,
    binding: EndpointBinding,
    guard: SessionGuard,
    mut permits: ConnectionPermits,
) -> Option<OpenedSession> {
    let handle = Arc::clone(guard.handle());
    let report = Report::new(&handle, binding.clone());
    let socket = match adopt(stream) {
        Ok(socket) => socket,
        Err(fault) => {
            report.end(ended_before_open(fault));
            return None;
        }
    };
    match accept_client(socket, &binding, &handle, &mut permits).await {
        Ok(accepted) => Box::pin(establish(accepted, guard, report, permits)).await,
        Err(refused) => {
            report.end(refused.leave(Some(&handle)).await);
            None
        }
    }
}

/// A connection to a listener that several gateways share.
pub(super) struct UnroutedConnection<'n> {
    pub(super) peer: SocketAddr,
    pub(super) router: &'n HostRouter,
    pub(super) process: &'n ProcessContext,
    pub(super) id: u64,
    pub(super) arrived: Instant,
}

impl UnroutedConnection<'_> {
    /// Reports the end of the connection before its cluster was known.
    fn refuse(&self, facts: &HandshakeInfo, ended: &Ended) {
        self.process.count_unrouted(ended.cause);
        tell_unrouted(self.process, self.id, facts.client(self.peer), facts.local, ended);
    }
}

/// Opens a connection whose host name selects the gateway.
pub(super) async fn routed(
    stream: std::net::TcpStream,
    connection: UnroutedConnection<'_>,
    mut permits: ConnectionPermits,
) -> Option<OpenedSession> {
    let mut facts = HandshakeInfo {
        local: stream.local_addr().ok(),
        ..HandshakeInfo::default()
    };
    let socket = match adopt(stream) {
        Ok(socket) => socket,
        Err(fault) => {
            connection.refuse(&facts, &ended_before_open(fault));
            return None;
        }
    };
    if client::is_itself(connection.peer, &connection.router.proxy_protocol())
        && let Err(fault) = client::enter_process(connection.process, connection.peer.ip(), &mut permits)
    {
        let ended = Refused::plain(socket, fault).leave(None).await;
        connection.refuse(&facts, &ended);
        return None;
    }
    let found = find(&socket, &connection, &mut facts);
    let found = tokio::time::timeout(CLIENT_HELLO_TIMEOUT, found).await;
    let (binding, prefetched) = match found.unwrap_or_else(|_| Err(late_hello())) {
        Ok(found) => found,
        Err(fault) => {
            let ended = Refused::plain(socket, fault).leave(None).await;
            connection.refuse(&facts, &ended);
            return None;
        }
    };
    let (binding, guard) = join(binding, &connection, facts.server_name.as_deref());
    let handle = Arc::clone(guard.handle());
    note_header(&handle, facts.header.as_ref());
    handle.enter(SessionState::Handshaking);
    let report = Report::new(&handle, binding.clone());
    let client = facts.client(connection.peer).ip();
    let entered =
        check_intake(&binding).and_then(|()| client::enter_cluster(&binding.cluster, client, &mut permits));
    let placed = match entered {
        Ok(()) => acquire_cluster_permit(&socket, &binding, &handle, &mut permits).await,
        Err(fault) => Err(fault),
    };
    let accepted = match placed {
        Ok(()) => Box::pin(secure(socket, &binding, prefetched, facts, &handle)).await,
        Err(fault) => Err(Refused::plain(socket, fault)),
    };
    match accepted {
        Ok(accepted) => Box::pin(establish(accepted, guard, report, permits)).await,
        Err(refused) => {
            report.end(refused.leave(Some(&handle)).await);
            None
        }
    }
}

/// Performs every step before the first request, for a listener that belongs to one endpoint.
async fn accept_client(
    socket: TcpStream,
    binding: &EndpointBinding,
    handle: &Arc<SessionHandle>,
    permits: &mut ConnectionPermits,
) -> Result<AcceptedClient, Refused> {
    let gateway = &binding.gateway;
    let plain = gateway.tls.is_none();
    let settings = &gateway.proxy_protocol;
    if let Err(fault) = check_intake(binding) {
        return Err(Refused::plain(socket, fault));
    }
    if client::is_itself(handle.peer, settings)
        && let Err(fault) = client::enter_cluster(&binding.cluster, handle.peer.ip(), permits)
    {
        return Err(Refused::plain(socket, fault));
    }
    let mut facts = HandshakeInfo::default();
    if settings.upstream.is_some() || !plain {
        facts.local = socket.local_addr().ok();
    }
    if plain && settings.mode == ProxyProtocolMode::Disabled {
        return Ok(AcceptedClient::plain(socket, Vec::new(), facts));
    }
    handle.enter(SessionState::Handshaking);
    let began = async {
        wait_for_first_byte(&socket, binding, handle).await?;
        let (header, prefetched) = proxied::read_header(&socket, handle.peer, settings).await?;
        let addresses = header.as_ref().and_then(|header| header.addresses.as_ref());
        let client = addresses.map_or(handle.peer, |addresses| addresses.source);
        client::enter_cluster(&binding.cluster, client.ip(), permits)?;
        if plain {
            return Ok((header, None, prefetched));
        }
        let hello = tokio::time::timeout(CLIENT_HELLO_TIMEOUT, hello(&socket, prefetched)).await;
        let (name, prefetched) = hello.unwrap_or_else(|_| Err(late_hello()))?;
        Ok((header, name, prefetched))
    };
    let began = tokio::select! {
        began = began => began,
        () = drain_patience_ends(handle, HANDSHAKE_LIMIT_AT_EXIT) => return Err(Refused::overdue()),
    };
    let prefetched = match began {
        Ok((header, name, prefetched)) => {
            facts.header = header;
            facts.server_name = name;
            prefetched
        }
        Err(fault) => return Err(Refused::plain(socket, fault)),
    };
    note_header(handle, facts.header.as_ref());
    if plain {
        return Ok(AcceptedClient::plain(socket, prefetched, facts));
    }
    Box::pin(secure(socket, binding, prefetched, facts, handle)).await
}

impl AcceptedClient {
    fn plain(socket: TcpStream, prefetched: Vec<u8>, facts: HandshakeInfo) -> Self {
        Self {
            client: Stream::Plain(socket),
            prefetched,
            facts,
        }
    }
}

/// Performs the steps from the first request to the broker connection.
async fn establish(
    accepted: AcceptedClient,
    guard: SessionGuard,
    mut report: Report,
    permits: ConnectionPermits,
) -> Option<OpenedSession> {
    let AcceptedClient {
        mut client,
        prefetched,
        facts,
    } = accepted;
    let handle = Arc::clone(guard.handle());
    let binding = report.binding().clone();
    let mut preamble = facts.preamble(&binding, handle.client());
    drop(facts);
    handle.enter(SessionState::AwaitingFirstRequest);
    let introduced = read_first_request(&mut client, prefetched, &handle, &binding).await;
    let connected = match introduced {
        Err(fault) => Err(fault),
        Ok(first) => {
            Box::pin(connect_client(
                &mut client,
                first,
                &handle,
                &mut preamble,
                &mut report,
            ))
            .await
        }
    };
    match connected {
        Ok(ConnectedClient {
            first,
            upstream,
            learning,
            filtered,
            promise,
        }) => {
            report.connected(&upstream, learning.is_none());
            broker_moves::drain_moved_sessions(&binding.cluster);
            if learning.is_none() {
                broker_moves::drain_if_moved(&binding.cluster, &handle, &upstream.address);
            }
            handle.enter(SessionState::Open);
            let login = SessionLogin::of(&upstream, &preamble);
            preamble.first_request = Vec::new();
            Some(OpenedSession {
                client,
                broker: upstream.stream,
                parts: SessionParts {
                    first,
                    learning,
                    login,
                    filtered,
                    promise,
                    preamble,
                    guard,
                    report,
                    permits,
                },
            })
        }
        Err(fault) => {
            let client = Some(client);
            report.end(Refused { client, fault }.leave(Some(&handle)).await);
            None
        }
    }
}

fn adopt(stream: std::net::TcpStream) -> Result<TcpStream, Fault> {
    TcpStream::from_std(stream)
        .and_then(|socket| upstream::prepare(&socket).map(|()| socket))
        .map_err(|error| Fault::new(CloseCause::Local, error.to_string()))
}

/// Stores the contents of the PROXY header.
fn note_header(handle: &SessionHandle, header: Option<&ProxyHeader>) {
    if let Some(header) = header {
        handle.facts.note_proxied(ProxiedFacts::of(handle.peer, header));
    }
}

/// Closes a connection that has no broker: FIN first, so that no reset overtakes an alert or an answer.
async fn close_before_open(mut client: Stream, handle: Option<&SessionHandle>) {
    const LINGER: Duration = Duration::from_secs(1);
    let mut discarded = [0; 256];
    let said = async {
        if client.shutdown().await.is_ok() {
            while matches!(client.read(&mut discarded).await, Ok(1..)) {}
        }
    };
    let overdue = async {
        match handle {
            Some(handle) => hard_deadline(handle).await,
            None => std::future::pending().await,
        }
        tokio::time::sleep(FIN_GRACE).await;
    };
    // The linger only helps the client; it ends without an error.
    tokio::select! {
        () = said => {}
        () = tokio::time::sleep(LINGER) => {}
        () = overdue => {}
    }
}

pub(super) fn ended_before_open(fault: Fault) -> Ended {
    Ended {
        cause: fault.cause,
        detail: fault.detail.into_owned(),
        unanswered: 0,
        waited: Duration::ZERO,
        client_bytes: 0,
        broker_bytes: 0,
        requests: 0,
    }
}
