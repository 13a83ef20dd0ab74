//! One client connection with its one broker connection, from accept to close.

pub mod buffer;
pub mod cause;
pub mod context;
pub mod counters;
pub mod inspect;
mod lane;
pub mod nodes;
mod output;
pub mod permits;
mod probe;
pub mod pump;
mod report;
mod role;
mod timer;
pub mod topology;
pub mod transport;
pub mod upstream;

pub use output::Output;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::drain::{DrainOrder, SessionGuard, SessionHandle, SessionState};
use crate::wire::frame::{self, MIN_REQUEST, REQUEST_HEAD_LEN, SIZE_LEN};
use cause::{CloseCause, Fault};
use context::{EndpointBinding, NodeRole};
use inspect::{KafkaInspector, Learning};
use pump::{Ended, LAST_WORDS, Limits, Pump};
use report::Report;
use timer::UNTOLD;
use transport::Transport as _;
use upstream::{ConnectError, NodeUpstream, Upstream};

/// How long a new connection may take to say something before it counts as idle. Clients speak as soon as they are
/// connected; one that is sent away before its first answer may not come back by itself (franz-go, ErrFirstReadEOF).
const FIRST_WORDS: Duration = Duration::from_secs(1);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A connection that has joined its endpoint's tracker and waits to be run.
#[derive(Debug)]
pub struct Admitted {
    stream: std::net::TcpStream,
    binding: EndpointBinding,
    guard: SessionGuard,
}

/// Joins an accepted connection to its endpoint's tracker before anything else is asked, and before it waits for a
/// worker: no drain misses it on the way.
pub fn admit(stream: std::net::TcpStream, client: SocketAddr, binding: EndpointBinding) -> Admitted {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let generation = binding.cluster.process.generation();
    let guard = binding
        .tracker
        .register(id, client, generation, binding.node.id());
    Admitted {
        stream,
        binding,
        guard,
    }
}

/// Runs an accepted connection to its end.
pub async fn run(admitted: Admitted) {
    let Admitted {
        stream,
        binding,
        guard,
    } = admitted;
    let mut report = Report::new(guard.handle(), binding);
    // Boxed: what it takes to get a session going is large, and gone for the rest of the session's life.
    let ended = match Box::pin(open(stream, guard.handle(), &mut report)).await {
        Ok(pump) => pump.await,
        Err(ended) => ended,
    };
    report.end(ended);
}

type PlainPump = Pump<TcpStream, TcpStream, KafkaInspector>;

/// Gets a session going: from an accepted connection to one with a broker behind it.
async fn open(
    stream: std::net::TcpStream,
    handle: &Arc<SessionHandle>,
    report: &mut Report,
) -> Result<Box<PlainPump>, Ended> {
    let client = TcpStream::from_std(stream).and_then(|client| upstream::prepare(&client).map(|()| client));
    let client = client.map_err(|error| ended_early(Fault::new(CloseCause::Local, error.to_string())))?;
    let binding = report.binding().clone();
    handle.enter(SessionState::Introducing);
    let first = match first_bytes(&client, handle, &binding).await {
        Ok(first) => first,
        Err(fault) => return Err(leave_early(client, handle, fault).await),
    };
    handle.enter(SessionState::Connecting);
    report.connecting();
    let connected = tokio::select! {
        connected = connect(&binding) => connected,
        () = hard_deadline(handle) => Err(Fault::new(CloseCause::DrainTimeout, "no broker before the hard deadline")),
    };
    let (upstream, learning) = match connected {
        Ok(connected) => connected,
        Err(fault) => return Err(leave_early(client, handle, fault).await),
    };
    handle.enter(SessionState::Open);
    report.connected(&upstream);
    let limits = Limits::of(&binding.cluster.process.network());
    let directory = Arc::clone(&binding.gateway.directory);
    let inspector = KafkaInspector::new(handle, binding, learning).introducing(Arc::clone(handle));
    let pump = Pump::new(
        client,
        upstream.stream,
        inspector,
        first.to_vec(),
        Arc::clone(handle),
        limits,
    );
    Ok(Box::new(pump.with_directory(directory)))
}

/// The head of the first request. A peer that does not speak Kafka, or wants what is not on offer, is turned away
/// before a broker hears of it, and one that says nothing costs the broker nothing.
async fn first_bytes(
    client: &TcpStream,
    handle: &SessionHandle,
    binding: &EndpointBinding,
) -> Result<[u8; REQUEST_HEAD_LEN], Fault> {
    let network = Arc::clone(&binding.cluster.process.network());
    let read = async {
        let mut head = [0; REQUEST_HEAD_LEN];
        let mut len = 0;
        while len < head.len() {
            let reset = |error: std::io::Error| Fault::new(CloseCause::ClientReset, error.to_string());
            client.readable().await.map_err(reset)?;
            match client.try_read(&mut head[len..]) {
                Ok(0) => return Err(Fault::new(CloseCause::ClientClosed, "")),
                Ok(read) => len += read,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(reset(error)),
            }
            if let Some(prefix) = head[..len].first_chunk::<SIZE_LEN>() {
                frame::size(*prefix, MIN_REQUEST, network.max_frame_size).map_err(Fault::request_size)?;
            }
        }
        inspect::judge_head(&head).map(|()| head)
    };
    let until = network
        .unauthenticated_idle_timeout
        .map(|limit| handle.since + limit);
    let told_to_leave = deadline(handle, |order| {
        let silent = handle.since + FIRST_WORDS;
        // The runtime may not know yet what the kernel does: that is not silence.
        let until = if client.has_unread() {
            order.soft.max(silent)
        } else {
            silent
        };
        until.min(order.hard)
    });
    let idle = async {
        match until {
            Some(until) => tokio::time::sleep_until(until.into()).await,
            None => return std::future::pending().await,
        }
        if client.has_unread() {
            tokio::time::sleep(UNTOLD).await;
        }
    };
    tokio::select! {
        biased;
        head = read => head,
        // Nothing has been asked, so nothing is owed.
        () = told_to_leave => Err(Fault::new(CloseCause::Drained, "")),
        () = idle => {
            Err(Fault::new(CloseCause::IdleTimeout, "no complete request within unauthenticatedIdleTimeout"))
        }
    }
}

/// The broker this endpoint leads to.
async fn connect(binding: &EndpointBinding) -> Result<(Upstream, Option<Learning>), Fault> {
    let timeout = binding.cluster.process.network().connect_timeout;
    let target = &binding.cluster.target;
    let connected = match binding.node {
        NodeRole::Bootstrap => target
            .connect_bootstrap(timeout)
            .await
            .map(|upstream| (upstream, None)),
        NodeRole::Node(node) => target
            .connect_node(node, timeout)
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
async fn leave_early(mut client: TcpStream, handle: &SessionHandle, fault: Fault) -> Ended {
    use tokio::io::AsyncWriteExt;
    const LINGER: Duration = Duration::from_secs(1);
    let mut discarded = [0; 4096];
    handle.enter(SessionState::Leaving);
    if client.shutdown().await.is_ok() {
        let overdue = async {
            hard_deadline(handle).await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        // The linger is a courtesy; when it is over it is over.
        tokio::select! {
            () = async { while matches!(client.read(&mut discarded).await, Ok(1..)) {} } => {}
            () = tokio::time::sleep(LINGER) => {}
            () = overdue => {}
        }
    }
    ended_early(fault)
}

fn ended_early(fault: Fault) -> Ended {
    Ended {
        cause: fault.cause,
        detail: fault.detail.into_owned(),
        unanswered: 0,
        client_bytes: 0,
        broker_bytes: 0,
        requests: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a session costs while it lives, without what its sockets and buffers cost. Grows only on purpose.
    #[test]
    fn a_session_stays_small() {
        fn future_size<A, F: Future>(_run: impl Fn(A) -> F) -> usize {
            size_of::<F>()
        }
        assert!(future_size(run) <= 512, "{}", future_size(run));
        assert!(size_of::<PlainPump>() <= 928, "{}", size_of::<PlainPump>());
    }
}
