//! From an accepted connection to one with a broker behind it, step by step:
//!
//! ```text
//! PROXY protocol header ─▶ TLS hello ─▶ route ─▶ TLS handshake ─▶ first request ─▶ broker ─▶ TLS handshake
//! ```
//!
//! Each step hands on only what the next needs. Whoever speaks no Kafka, or wants what is not on offer, is turned away
//! before a broker hears of it. Whoever stalls in one step costs no more than that step takes: the later ones are boxed.

mod broker;
mod client;
mod hello;
mod introduction;
mod place;
mod route;
mod secure;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::cause::{CloseCause, Fault};
use super::context::{EndpointBinding, ProcessContext};
use super::moved;
use super::permits::Places;
use super::proxied;
use super::pump::{Ended, LAST_WORDS};
use super::ready::{Ready, Rest};
use super::report::{Report, tell_unrouted};
use super::routes::HostRouter;
use super::transport::Stream;
use super::upstream;
use crate::drain::{ProxiedFacts, SessionGuard, SessionHandle, SessionState};
use crate::model::ProxyProtocolMode;
use crate::tls::Agreed;
use crate::wire::proxy_protocol::ProxyHeader;
use broker::connect;
use hello::{hello, late_hello};
use introduction::{first_bytes, first_word, hard_deadline, patience_ends};
use place::take_place;
use route::{find, join};
use secure::secure;

/// From the beginning of a connection to the end of its TLS hello.
const HELLO: Duration = Duration::from_secs(10);

/// When the process ends: for what precedes the first request, and for the way to a broker. No broker has heard of the
/// client yet, so it can ask elsewhere without harm.
const LAST_HANDSHAKE: Duration = Duration::from_secs(2);
const LAST_CONNECT: Duration = Duration::from_secs(3);

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

    /// At the end of the patience that a drain leaves.
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
    mut places: Places,
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
    match greet(socket, &binding, &handle, &mut places).await {
        Ok(greeted) => Box::pin(establish(greeted, guard, report, places)).await,
        Err(refused) => {
            report.end(refused.leave(Some(&handle)).await);
            None
        }
    }
}

/// A connection to an address that several gateways share.
pub(super) struct Newcomer<'n> {
    pub(super) peer: SocketAddr,
    pub(super) router: &'n HostRouter,
    pub(super) process: &'n ProcessContext,
    pub(super) id: u64,
    pub(super) arrived: Instant,
}

impl Newcomer<'_> {
    /// Tells of its end before it was known whose it is.
    fn refuse(&self, facts: &Facts, ended: &Ended) {
        self.process.count_unrouted(ended.cause);
        tell_unrouted(self.process, self.id, facts.client(self.peer), facts.local, ended);
    }
}

/// Opens a connection that has to say for whom it is.
pub(super) async fn routed(
    stream: std::net::TcpStream,
    newcomer: Newcomer<'_>,
    mut places: Places,
) -> Option<Ready> {
    let mut facts = Facts {
        local: stream.local_addr().ok(),
        ..Facts::default()
    };
    let socket = match adopt(stream) {
        Ok(socket) => socket,
        Err(fault) => {
            newcomer.refuse(&facts, &ended_early(fault));
            return None;
        }
    };
    if client::is_itself(newcomer.peer, &newcomer.router.proxy_protocol())
        && let Err(fault) = client::enter_process(newcomer.process, newcomer.peer.ip(), &mut places)
    {
        let ended = Refused::plain(socket, fault).leave(None).await;
        newcomer.refuse(&facts, &ended);
        return None;
    }
    let found = find(&socket, &newcomer, &mut facts);
    let found = tokio::time::timeout(HELLO, found).await;
    let (binding, early) = match found.unwrap_or_else(|_| Err(late_hello())) {
        Ok(found) => found,
        Err(fault) => {
            let ended = Refused::plain(socket, fault).leave(None).await;
            newcomer.refuse(&facts, &ended);
            return None;
        }
    };
    let (binding, guard) = join(binding, &newcomer, facts.server_name.as_deref());
    let handle = Arc::clone(guard.handle());
    note_header(&handle, facts.header.as_ref());
    handle.enter(SessionState::Handshaking);
    let report = Report::new(&handle, binding.clone());
    let entered = client::enter_cluster(&binding.cluster, facts.client(newcomer.peer).ip(), &mut places);
    let placed = match entered {
        Ok(()) => take_place(&socket, &binding, &handle, &mut places).await,
        Err(fault) => Err(fault),
    };
    let greeted = match placed {
        Ok(()) => Box::pin(secure(socket, &binding, early, facts, &handle)).await,
        Err(fault) => Err(Refused::plain(socket, fault)),
    };
    match greeted {
        Ok(greeted) => Box::pin(establish(greeted, guard, report, places)).await,
        Err(refused) => {
            report.end(refused.leave(Some(&handle)).await);
            None
        }
    }
}

/// Everything before the first request, for an endpoint of its own.
async fn greet(
    socket: TcpStream,
    binding: &EndpointBinding,
    handle: &Arc<SessionHandle>,
    places: &mut Places,
) -> Result<Greeted, Refused> {
    let gateway = &binding.gateway;
    let plain = gateway.tls.is_none();
    let settings = &gateway.proxy_protocol;
    if client::is_itself(handle.peer, settings)
        && let Err(fault) = client::enter_cluster(&binding.cluster, handle.peer.ip(), places)
    {
        return Err(Refused::plain(socket, fault));
    }
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
        let addresses = header.as_ref().and_then(|header| header.addresses.as_ref());
        let client = addresses.map_or(handle.peer, |addresses| addresses.source);
        client::enter_cluster(&binding.cluster, client.ip(), places)?;
        if plain {
            return Ok((header, None, early));
        }
        let hello = tokio::time::timeout(HELLO, hello(&socket, early)).await;
        let (name, early) = hello.unwrap_or_else(|_| Err(late_hello()))?;
        Ok((header, name, early))
    };
    let began = tokio::select! {
        began = began => began,
        () = patience_ends(handle, LAST_HANDSHAKE) => return Err(Refused::overdue()),
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
    Box::pin(secure(socket, binding, early, facts, handle)).await
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
    places: Places,
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
                connected = Box::pin(connect(&binding, &greeting)) => connected.map(|connected| (first, connected)),
                () = patience_ends(&handle, LAST_CONNECT) => {
                    Err(Fault::new(CloseCause::DrainTimeout, "no broker before the deadline of the drain"))
                }
            }
        }
    };
    match connected {
        Ok((first, (upstream, learning))) => {
            report.connected(&upstream, learning.is_none());
            moved::follow(&binding.cluster);
            if learning.is_none() {
                moved::check(&binding.cluster, &handle, &upstream.address);
            }
            handle.enter(SessionState::Open);
            Some(Ready {
                client,
                broker: upstream.stream,
                rest: Rest {
                    first,
                    learning,
                    guard,
                    report,
                    places,
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

/// Notes for whom the peer connects.
fn note_header(handle: &SessionHandle, header: Option<&ProxyHeader>) {
    if let Some(header) = header {
        handle.facts.note_proxied(ProxiedFacts::of(handle.peer, header));
    }
}

/// Closes a connection that never reached a broker: FIN first, so that no reset overtakes anything.
async fn leave_early(mut client: Stream, handle: Option<&SessionHandle>) {
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
        tokio::time::sleep(LAST_WORDS).await;
    };
    // The linger is a courtesy; when it is over it is over.
    tokio::select! {
        () = said => {}
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
