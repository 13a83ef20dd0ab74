//! Promise 10: what has no answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use kproxy::drain::{ConnectionTracker, DrainOrder, SessionState};
use kproxy::session::cause::CloseCause;
use kproxy::session::inspect::Inspect as _;
use kproxy::session::pump::{Ended, Limits, Pump};
use kproxy::session::transport::Transport;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::exchanges::exchange;
use super::faults::connection;
use super::{KNOWN_BROKERS, give};
use crate::fuzz_targets::frame::session::{Session, Settings, Side};
use crate::walkers::entropy::Entropy;

fn session() -> Session {
    Session::new(Settings::from_bits(KNOWN_BROKERS))
}

/// A Produce with `acks=0`.
fn silent(correlation_id: i32) -> Vec<u8> {
    let asked = exchange(7, correlation_id, &mut Entropy::new(&[5; 50]));
    assert!(asked.answer.is_none());
    asked.request
}

/// A client that only ever sent `acks=0` waits for no first answer: it was kept until the hard deadline of a drain.
#[test]
fn a_client_that_only_sends_acks_0_is_settled() {
    let versions = exchange(12, 1, &mut Entropy::new(&[4; 50]));
    for piece in [1, 30, usize::MAX] {
        let mut session = session();
        give(&mut session, Side::Client, &versions.request, piece);
        give(
            &mut session,
            Side::Broker,
            versions.answer.as_ref().unwrap(),
            piece,
        );
        assert!(!session.inspector.is_settled());
        give(&mut session, Side::Client, &silent(2), piece);
        assert!(session.inspector.is_settled());
    }
}

/// Half a request that has an answer is not made whole by a session that leaves; half a request that has none is.
#[test]
fn only_what_has_no_answer_is_completed_on_the_way_out() {
    let fetch = exchange(8, 1, &mut Entropy::new(&[9; 50])).request;
    for (request, saved) in [(fetch, false), (silent(2), true)] {
        let mut session = session();
        give(
            &mut session,
            Side::Client,
            &request[..request.len() - 1],
            usize::MAX,
        );
        assert!(!session.inspector.at_request_boundary());
        assert_eq!(session.inspector.can_forward_acks0(), saved);
        give(
            &mut session,
            Side::Client,
            &request[request.len() - 1..],
            usize::MAX,
        );
        assert!(session.inspector.can_forward_acks0());
    }
}

/// A socket whose first read comes a moment before there is anything to read, and which looks empty then.
struct Late {
    socket: TcpStream,
    asked: bool,
}

impl AsyncRead for Late {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.asked, true) {
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl AsyncWrite for Late {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl Transport for Late {
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_writable(context)
    }

    fn has_unread(&self) -> bool {
        false
    }
}

/// A session that finds nothing to read, decides to leave, and only then finds `sent`. How it ended, and what the broker
/// got.
async fn leaves_before_it_reads(sent: &[u8], limits: Limits, order: Option<DrainOrder>) -> (Ended, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at: SocketAddr = listener.local_addr().unwrap();
    let (mut client, from_client) = connection(&listener).await;
    let (to_broker, mut broker) = connection(&listener).await;
    client.write_all(sent).await.unwrap();
    client.shutdown().await.unwrap();
    let guard = Arc::new(ConnectionTracker::default()).register(1, at, 1, None);
    for state in [
        SessionState::AwaitingFirstRequest,
        SessionState::Connecting,
        SessionState::Open,
    ] {
        guard.handle().enter(state);
    }
    if let Some(order) = order {
        guard.handle().give_order(order);
    }
    let from_client = Late {
        socket: from_client,
        asked: false,
    };
    let handle = Arc::clone(guard.handle());
    let pump = Pump::new(
        from_client,
        to_broker,
        session().into_inspector(),
        Vec::new(),
        handle,
        limits,
    );
    let broker_side = async {
        let mut got = Vec::new();
        broker.read_to_end(&mut got).await.unwrap();
        drop(broker);
        got
    };
    let all = async { tokio::join!(pump, broker_side) };
    let (stopped, got) = tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    (super::faults::ended(stopped), got)
}

const NO_LIMITS: Limits = Limits {
    unauthenticated_idle: None,
    authenticated_idle: None,
};

/// One record in a storm of reloads was lost like that: it arrived at the instant of the hard deadline.
#[tokio::test]
async fn what_arrives_at_the_hard_deadline_is_not_lost() {
    let sent = [silent(1), silent(2)].concat();
    let now = Instant::now();
    let order = DrainOrder {
        soft: now,
        hard: now,
        process_ends: false,
        may_move: false,
    };
    let (ended, got) = leaves_before_it_reads(&sent, NO_LIMITS, Some(order)).await;
    assert_eq!(ended.cause, CloseCause::Drained);
    assert_eq!(got, sent);
}

#[tokio::test]
async fn what_arrives_as_a_session_has_been_silent_for_too_long_is_not_lost() {
    let sent = [silent(1), silent(2)].concat();
    let limits = Limits {
        unauthenticated_idle: Some(Duration::ZERO),
        ..NO_LIMITS
    };
    let (ended, got) = leaves_before_it_reads(&sent, limits, None).await;
    assert_eq!(ended.cause, CloseCause::IdleTimeout);
    assert_eq!(got, sent);
}
