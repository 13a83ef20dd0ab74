//! From an accepted connection to one with a broker behind it, step by step:
//!
//! ```text
//! PROXY protocol header ─▶ TLS hello ─▶ route ─▶ TLS handshake ─▶ first request ─▶ broker ─▶ TLS handshake
//! ```
//!
//! Each step hands on only what the next needs. Whoever speaks no Kafka, or wants what is not on offer, is turned away
//! before a broker hears of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustls::pki_types::UnixTime;
use rustls::server::UnbufferedServerConnection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Ready;
use super::cause::{CloseCause, Fault};
use super::context::{EndpointBinding, NodeRole, ProcessContext};
use super::inspect::{self, Learning};
use super::permits::Permit;
use super::proxied::{self, read_some};
use super::pump::{Ended, LAST_WORDS};
use super::report::{Report, tell_unrouted};
use super::routes::HostRouter;
use super::timer::UNTOLD;
use super::transport::{Connection, Stream, Transport as _, handshake};
use super::upstream::{self, ConnectError, Greeting, NodeUpstream, Upstream};
use crate::config::quoted;
use crate::drain::{DrainOrder, ProxiedFacts, SessionGuard, SessionHandle, SessionState, TlsFacts};
use crate::model::ProxyProtocolMode;
use crate::tls::{Agreed, ClientHello, DownstreamContext, Hello, Peer, UNRECOGNIZED_NAME};
use crate::wire::frame::{self, BadSize, MIN_REQUEST, REQUEST_HEAD_LEN, SIZE_LEN};
use crate::wire::proxy_protocol::{self, Extras, ProxyHeader, TlsExtras};

/// How long a new connection may take to say something before it counts as idle. Clients speak as soon as they are
/// connected; one that is sent away before its first answer may not come back by itself (franz-go, ErrFirstReadEOF).
const FIRST_WORDS: Duration = Duration::from_secs(1);

/// From the beginning of a connection to the end of its TLS hello.
const HELLO: Duration = Duration::from_secs(10);

/// A handshake in which the client takes longer to answer gives its place to another, or a few that stall would keep
/// everybody waiting.
const STALLED: Duration = Duration::from_millis(250);

/// A client connection from which nothing more is needed than what it will say next.
struct Greeted {
    client: Stream,
    /// What was read of it already.
    early: Vec<u8>,
    facts: Facts,
}

/// What the steps before have found out about a client, for whoever comes after.
#[derive(Default)]
struct Facts {
    header: Option<ProxyHeader>,
    /// What it connected to.
    local: Option<SocketAddr>,
    server_name: Option<String>,
    agreed: Option<Arc<Agreed>>,
}

/// A connection that is turned away.
struct Refused {
    /// To be closed with care; `None` where there is no time for it.
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

    /// At a drain's hard deadline.
    fn overdue() -> Self {
        Self {
            client: None,
            fault: Fault::new(CloseCause::DrainTimeout, "hard deadline"),
        }
    }

    async fn leave(self, handle: Option<&SessionHandle>) -> Ended {
        if let Some(handle) = handle {
            handle.enter(SessionState::Leaving);
        }
        if let Some(client) = self.client {
            leave_early(client, handle).await;
        }
        ended_early(self.fault)
    }
}

/// Opens a connection whose listener says which endpoint it is for.
pub(super) async fn endpoint(
    stream: std::net::TcpStream,
    binding: EndpointBinding,
    guard: SessionGuard,
) -> Option<Ready> {
    let handle = Arc::clone(guard.handle());
    let report = Report::new(&handle, binding.clone());
    let socket = match adopt(stream) {
        Ok(socket) => socket,
        Err(fault) => {
            report.end(ended_early(fault));
            return None;
        }
    };
    match greet(socket, &binding, &handle).await {
        Ok(greeted) => establish(greeted, guard, report, None).await,
        Err(refused) => {
            report.end(refused.leave(Some(&handle)).await);
            None
        }
    }
}

/// Opens a connection to an address that several gateways share.
pub(super) async fn routed(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    router: &HostRouter,
    process: &Arc<ProcessContext>,
    id: u64,
) -> Option<Ready> {
    let mut facts = Facts {
        local: stream.local_addr().ok(),
        ..Facts::default()
    };
    let refuse = |client: SocketAddr, local: Option<SocketAddr>, ended: Ended| {
        process.count_unrouted(ended.cause);
        tell_unrouted(id, client, local, &ended);
    };
    let socket = match adopt(stream) {
        Ok(socket) => socket,
        Err(fault) => {
            refuse(peer, facts.local, ended_early(fault));
            return None;
        }
    };
    let found = tokio::time::timeout(HELLO, find(&socket, peer, router, &mut facts)).await;
    let client = facts.client(peer);
    let (binding, early) = match found.unwrap_or_else(|_| Err(late_hello())) {
        Ok(found) => found,
        Err(fault) => {
            refuse(
                client,
                facts.local,
                Refused::plain(socket, fault).leave(None).await,
            );
            return None;
        }
    };
    let permit = binding.cluster.limit.acquire().await;
    let (binding, guard) = join(binding, router, facts.server_name.as_deref(), id, peer);
    let handle = Arc::clone(guard.handle());
    note_header(&handle, facts.header.as_ref());
    handle.enter(SessionState::Handshaking);
    let report = Report::new(&handle, binding.clone());
    match secure(socket, &binding, early, facts, &handle).await {
        Ok(greeted) => establish(greeted, guard, report, Some(permit)).await,
        Err(refused) => {
            report.end(refused.leave(Some(&handle)).await);
            None
        }
    }
}

/// What the name in the hello means, and what was read so far.
async fn find(
    socket: &TcpStream,
    peer: SocketAddr,
    router: &HostRouter,
    facts: &mut Facts,
) -> Result<(EndpointBinding, Vec<u8>), Fault> {
    let settings = router.proxy_protocol();
    let (header, early) = proxied::read_header(socket, peer, &settings).await?;
    facts.header = header;
    let (server_name, early) = hello(socket, early).await?;
    facts.server_name = server_name;
    let Some(name) = facts.server_name.as_deref() else {
        alert(socket, &UNRECOGNIZED_NAME);
        let why = "the TLS hello names no host; clients send the name only if they connect to one, not to an IP address";
        return Err(Fault::new(CloseCause::MissingServerName, why));
    };
    match router.lookup(name) {
        Some(binding) => Ok((binding, early)),
        None => {
            alert(socket, &UNRECOGNIZED_NAME);
            let near = router.nearest(name);
            let near = near.map_or_else(String::new, |near| {
                format!(", the nearest known is {}", quoted(&near))
            });
            let why = format!("no gateway has the host {}{near}", quoted(name));
            Err(Fault::new(CloseCause::UnknownServerName, why))
        }
    }
}

/// Joins the tracker of what the name means. Registers first and looks again second: between the two a reload may have
/// given the name another meaning, and begun to drain the old one.
fn join(
    mut binding: EndpointBinding,
    router: &HostRouter,
    name: Option<&str>,
    id: u64,
    peer: SocketAddr,
) -> (EndpointBinding, SessionGuard) {
    loop {
        let generation = binding.cluster.process.generation();
        let guard = binding.tracker.register(id, peer, generation, binding.node.id());
        match name.and_then(|name| router.lookup(name)) {
            Some(now) if !Arc::ptr_eq(&now.tracker, &binding.tracker) => binding = now,
            _ => return (binding, guard),
        }
    }
}

/// Everything before the first request, for an endpoint of its own.
async fn greet(
    socket: TcpStream,
    binding: &EndpointBinding,
    handle: &Arc<SessionHandle>,
) -> Result<Greeted, Refused> {
    let gateway = &binding.gateway;
    let plain = gateway.tls.is_none();
    let settings = &gateway.proxy_protocol;
    let mut facts = Facts::default();
    if settings.upstream.is_some() || !plain {
        facts.local = socket.local_addr().ok();
    }
    if plain && settings.mode == ProxyProtocolMode::Disabled {
        return Ok(Greeted::plain(socket, Vec::new(), facts));
    }
    handle.enter(SessionState::Handshaking);
    let began = async {
        first_word(&socket, binding, handle).await?;
        let (header, early) = proxied::read_header(&socket, handle.peer, settings).await?;
        if plain {
            return Ok((header, None, early));
        }
        let hello = tokio::time::timeout(HELLO, hello(&socket, early)).await;
        let (name, early) = hello.unwrap_or_else(|_| Err(late_hello()))?;
        Ok((header, name, early))
    };
    let began = tokio::select! {
        began = began => began,
        () = hard_deadline(handle) => return Err(Refused::overdue()),
    };
    let early = match began {
        Ok((header, name, early)) => {
            facts.header = header;
            facts.server_name = name;
            early
        }
        Err(fault) => return Err(Refused::plain(socket, fault)),
    };
    note_header(handle, facts.header.as_ref());
    if plain {
        return Ok(Greeted::plain(socket, early, facts));
    }
    secure(socket, binding, early, facts, handle).await
}

/// The TLS handshake that begins with `early`.
async fn secure(
    socket: TcpStream,
    binding: &EndpointBinding,
    early: Vec<u8>,
    mut facts: Facts,
    handle: &SessionHandle,
) -> Result<Greeted, Refused> {
    let Some(tls) = &binding.gateway.tls else {
        return Ok(Greeted::plain(socket, early, facts));
    };
    let context = tls.load_full();
    let server = match UnbufferedServerConnection::new(Arc::clone(context.config())) {
        Ok(server) => server,
        Err(error) => {
            let fault = Fault::new(CloseCause::Local, error.to_string());
            return Err(Refused::plain(socket, fault));
        }
    };
    let shaken = in_turn(&binding.cluster.process, async {
        handshake(socket, Peer::Client, Connection::Server(server), early).await
    });
    let shaken = tokio::select! {
        shaken = shaken => shaken,
        () = hard_deadline(handle) => return Err(Refused::overdue()),
    };
    let client = match shaken {
        Ok(client) => client,
        Err((socket, failure)) => return Err(Refused::plain(socket, Fault::tls(&failure))),
    };
    let agreed = Agreed::of(client.common()).map(Arc::new);
    let client = Stream::Tls(Box::new(client));
    if let Some(fault) = agreed
        .as_deref()
        .and_then(|agreed| overtaken(tls, &context, agreed))
    {
        let client = Some(client);
        return Err(Refused { client, fault });
    }
    if let Some(agreed) = &agreed {
        note_tls(handle, agreed, facts.server_name.as_deref());
    }
    facts.agreed = agreed;
    Ok(Greeted {
        client,
        early: Vec::new(),
        facts,
    })
}

/// Whoever agreed on something by rules that have changed meanwhile is judged by the new ones: those who look for
/// sessions that these do not let in may not have seen this one.
fn overtaken(
    tls: &ArcSwap<DownstreamContext>,
    used: &Arc<DownstreamContext>,
    agreed: &Agreed,
) -> Option<Fault> {
    let now = tls.load();
    if Arc::ptr_eq(&now, used) {
        return None;
    }
    let refused = now.admits(agreed, UnixTime::now()).err()?;
    Some(Fault::new(CloseCause::ClientCertificateRejected, refused))
}

/// Runs a handshake when it is its turn.
async fn in_turn<T>(process: &ProcessContext, handshake: impl Future<Output = T>) -> T {
    let mut handshake = std::pin::pin!(handshake);
    // Never closed.
    let turn = process.handshakes.acquire().await;
    let soon = tokio::time::timeout(STALLED, handshake.as_mut()).await;
    drop(turn);
    match soon {
        Ok(done) => done,
        Err(_stalled) => handshake.await,
    }
}

/// The host name of a hello, in lower case, and all that was read.
async fn hello(socket: &TcpStream, early: Vec<u8>) -> Result<(Option<String>, Vec<u8>), Fault> {
    let mut reading = ClientHello::default();
    let mut next = early;
    loop {
        if next.is_empty() {
            read_some(socket, &mut next, 4096).await?;
        }
        if reading.first_bytes().is_empty()
            && let Some(fault) = no_tls(&next)
        {
            return Err(fault);
        }
        match reading.read(&next) {
            Hello::Incomplete => next.clear(),
            Hello::Complete { server_name, bytes } => return Ok((server_name, bytes)),
            Hello::Broken {
                failure,
                alert: bytes,
            } => {
                alert(socket, &bytes);
                return Err(Fault::tls(&failure));
            }
        }
    }
}

/// What else it is, if the first bytes are no TLS.
fn no_tls(bytes: &[u8]) -> Option<Fault> {
    const HANDSHAKE: u8 = 22;
    if bytes.first() == Some(&HANDSHAKE) {
        return None;
    }
    // Below any frame's limit nothing foreign is recognised; Kafka's first request is always small.
    let size = bytes
        .first_chunk::<SIZE_LEN>()
        .map(|prefix| frame::size(*prefix, MIN_REQUEST, 1 << 20));
    Some(match size {
        Some(Err(BadSize::Http)) => Fault::new(
            CloseCause::HttpOnKafkaPort,
            "the client speaks HTTP on a TLS port",
        ),
        Some(Err(bad @ BadSize::ProxyHeader)) => Fault::request_size(bad),
        Some(Ok(_)) => Fault::new(
            CloseCause::PlaintextOnTlsPort,
            "the client speaks plaintext Kafka on a TLS port; its security.protocol is not SSL or SASL_SSL",
        ),
        _ => Fault::new(
            CloseCause::PlaintextOnTlsPort,
            "what the client sends on a TLS port is not TLS",
        ),
    })
}

fn late_hello() -> Fault {
    Fault::new(CloseCause::TlsHandshakeTimeout, "no complete TLS hello in time")
}

/// Sends an alert if the socket takes it at once, as a fresh one does.
fn alert(socket: &TcpStream, bytes: &[u8]) {
    socket.try_write(bytes).map(drop).unwrap_or_default();
}

impl Facts {
    /// The client's address: the socket's, unless a load balancer knows better.
    fn client(&self, peer: SocketAddr) -> SocketAddr {
        let addresses = self.header.as_ref().and_then(|header| header.addresses.as_ref());
        addresses.map_or(peer, |addresses| addresses.source)
    }

    /// What brokers are told of the client.
    fn greeting(&self, binding: &EndpointBinding, client: SocketAddr) -> Greeting {
        let Some(version) = binding.gateway.proxy_protocol.upstream else {
            return Greeting::default();
        };
        let header = self.header.as_ref();
        let told = header.and_then(|header| header.addresses.as_ref());
        let local = told
            .map(|addresses| addresses.destination)
            .or(self.local)
            .unwrap_or(client);
        let subject = self.agreed.as_deref().and_then(Agreed::common_name);
        let authority = header.and_then(|header| header.authority.as_deref());
        let extras = Extras {
            authority: self.server_name.as_deref().or(authority),
            tls: self.agreed.as_deref().map(|agreed| TlsExtras {
                version: agreed.version_name(),
                cipher: agreed.suite_name(),
                common_name: subject.as_deref(),
                verified: agreed.client_chain.is_some(),
            }),
        };
        Greeting {
            session: proxy_protocol::encode(version, client, local, Some(&extras)),
            own: proxy_protocol::encode_local(version),
        }
    }
}

impl Greeted {
    fn plain(socket: TcpStream, early: Vec<u8>, facts: Facts) -> Self {
        Self {
            client: Stream::Plain(socket),
            early,
            facts,
        }
    }
}

/// From the first request to the broker's connection.
async fn establish(
    greeted: Greeted,
    guard: SessionGuard,
    mut report: Report,
    permit: Option<Permit>,
) -> Option<Ready> {
    let Greeted {
        mut client,
        early,
        facts,
    } = greeted;
    let handle = Arc::clone(guard.handle());
    let binding = report.binding().clone();
    let greeting = facts.greeting(&binding, handle.client());
    drop(facts);
    handle.enter(SessionState::Introducing);
    let introduced = first_bytes(&mut client, early, &handle, &binding).await;
    let connected = match introduced {
        Err(fault) => Err(fault),
        Ok(first) => {
            report.connecting();
            handle.enter(SessionState::Connecting);
            tokio::select! {
                connected = connect(&binding, &greeting) => connected.map(|connected| (first, connected)),
                () = hard_deadline(&handle) => {
                    Err(Fault::new(CloseCause::DrainTimeout, "no broker before the hard deadline"))
                }
            }
        }
    };
    match connected {
        Ok((first, (upstream, learning))) => {
            report.connected(&upstream);
            handle.enter(SessionState::Open);
            Some(Ready {
                client,
                broker: upstream.stream,
                first,
                learning,
                guard,
                report,
                permit,
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

/// Notes for whom the peer connects.
fn note_header(handle: &SessionHandle, header: Option<&ProxyHeader>) {
    if let Some(header) = header {
        handle.facts.note_proxied(ProxiedFacts::of(handle.peer, header));
    }
}

fn note_tls(handle: &SessionHandle, agreed: &Arc<Agreed>, server_name: Option<&str>) {
    handle.facts.note_tls(TlsFacts {
        sni: server_name.map(Arc::from),
        version: agreed.version_name(),
        cipher: agreed.suite_name(),
        resumed: agreed.resumed,
        client_subject: agreed.subject().map(Arc::from),
        agreed: Arc::clone(agreed),
    });
}

/// Waits until the client has said something, in a step in which it may still be sent away without harm.
async fn first_word(
    socket: &TcpStream,
    binding: &EndpointBinding,
    handle: &SessionHandle,
) -> Result<(), Fault> {
    let mut unread = false;
    loop {
        let fault = tokio::select! {
            biased;
            said = socket.readable() => {
                return said.map_err(|error| Fault::new(CloseCause::ClientReset, error.to_string()));
            }
            fault = silence(binding, handle, handle.since, unread) => fault,
            () = tokio::time::sleep(HELLO), if binding.gateway.tls.is_some() => late_hello(),
        };
        if unread || !socket.has_unread() {
            return Err(fault);
        }
        unread = true;
    }
}

/// The head of the first request, and what was read with it.
async fn first_bytes(
    client: &mut Stream,
    early: Vec<u8>,
    handle: &SessionHandle,
    binding: &EndpointBinding,
) -> Result<Vec<u8>, Fault> {
    let max_frame = binding.cluster.process.network().max_frame_size;
    let since = match client {
        Stream::Plain(_) => handle.since,
        // It has only now got to where it can ask for something.
        Stream::Tls(_) => Instant::now(),
    };
    let (mut first, mut unread) = (early, false);
    loop {
        if let Some(prefix) = first.first_chunk::<SIZE_LEN>() {
            frame::size(*prefix, MIN_REQUEST, max_frame).map_err(Fault::request_size)?;
        }
        if let Some(head) = first.first_chunk::<REQUEST_HEAD_LEN>() {
            return inspect::judge_head(head).map(|()| first);
        }
        let mut next = [0; REQUEST_HEAD_LEN];
        let room = &mut next[first.len()..];
        let read = tokio::select! {
            biased;
            read = client.read(room) => read,
            fault = silence(binding, handle, since, unread) => {
                if unread || !client.has_unread() {
                    return Err(fault);
                }
                unread = true;
                continue;
            }
        };
        match read {
            Ok(0) => return Err(Fault::new(CloseCause::ClientClosed, "")),
            Ok(read) => first.extend_from_slice(&next[first.len()..][..read]),
            Err(error) => return Err(Fault::broken(CloseCause::ClientReset, &error)),
        }
    }
}

/// Resolves when a client that has asked for nothing has been silent for too long, or is to leave. `unread`: the kernel
/// has something of it that the runtime does not know of yet, which is no silence.
async fn silence(binding: &EndpointBinding, handle: &SessionHandle, since: Instant, unread: bool) -> Fault {
    let told_to_leave = deadline(handle, |order| {
        let silent = since + FIRST_WORDS;
        let until = if unread { order.soft.max(silent) } else { silent };
        until.min(order.hard)
    });
    let limit = binding.cluster.process.network().unauthenticated_idle_timeout;
    let idle = async {
        match limit {
            Some(limit) => {
                let grace = if unread { UNTOLD } else { Duration::ZERO };
                tokio::time::sleep_until((handle.since + limit + grace).into()).await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        // Nothing has been asked, so nothing is owed.
        () = told_to_leave => Fault::new(CloseCause::Drained, ""),
        () = idle => {
            Fault::new(CloseCause::IdleTimeout, "no complete request within unauthenticatedIdleTimeout")
        }
    }
}

/// The broker this endpoint leads to.
async fn connect(
    binding: &EndpointBinding,
    greeting: &Greeting,
) -> Result<(Upstream, Option<Learning>), Fault> {
    let timeout = binding.cluster.process.network().connect_timeout;
    let target = &binding.cluster.target;
    let connected = match binding.node {
        NodeRole::Bootstrap => target
            .connect_bootstrap(timeout, greeting)
            .await
            .map(|upstream| (upstream, None)),
        NodeRole::Node(node) => target
            .connect_node(node, timeout, greeting)
            .await
            .map(|upstream| match upstream {
                NodeUpstream::Broker(upstream) => (upstream, None),
                NodeUpstream::LearnFrom(upstream) => {
                    let learning = Learning::over(upstream.address.clone());
                    (upstream, Some(learning))
                }
            }),
    };
    connected.map_err(|error| {
        let cause = match &error {
            ConnectError::Unreachable { .. } | ConnectError::Topology(_) => CloseCause::UpstreamUnreachable,
            ConnectError::Tls { failure, .. } => Fault::tls(failure).cause,
            ConnectError::UnknownNode { .. } => CloseCause::NodeUnknown,
            ConnectError::Local(_) => CloseCause::Local,
        };
        Fault::new(cause, error.to_string())
    })
}

/// A drain's hard deadline, once there is one.
async fn hard_deadline(handle: &SessionHandle) {
    deadline(handle, |order| order.hard).await;
}

/// A moment that a drain's order decides, once there is one. An order that is tightened brings it nearer.
async fn deadline(handle: &SessionHandle, of: impl Fn(DrainOrder) -> Instant) {
    let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
    std::future::poll_fn(|context| {
        let order = std::task::ready!(handle.poll_ordered(context));
        timer.as_mut().reset(of(order).into());
        timer.as_mut().poll(context)
    })
    .await;
}

/// Closes a connection that never reached a broker: FIN first, so that no reset overtakes anything.
async fn leave_early(mut client: Stream, handle: Option<&SessionHandle>) {
    const LINGER: Duration = Duration::from_secs(1);
    let mut discarded = [0; 4096];
    if client.shutdown().await.is_err() {
        return;
    }
    let overdue = async {
        match handle {
            Some(handle) => hard_deadline(handle).await,
            None => std::future::pending().await,
        }
        tokio::time::sleep(LAST_WORDS).await;
    };
    // The linger is a courtesy; when it is over it is over.
    tokio::select! {
        () = async { while matches!(client.read(&mut discarded).await, Ok(1..)) {} } => {}
        () = tokio::time::sleep(LINGER) => {}
        () = overdue => {}
    }
}

pub(super) fn ended_early(fault: Fault) -> Ended {
    Ended {
        cause: fault.cause,
        detail: fault.detail.into_owned(),
        unanswered: 0,
        client_bytes: 0,
        broker_bytes: 0,
        requests: 0,
    }
}
