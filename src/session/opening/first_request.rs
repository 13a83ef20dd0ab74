//! The first request of a client, and the time limits for it.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::CLIENT_HELLO_TIMEOUT;
use super::hello::late_hello;
use crate::drain::{DrainOrder, SessionHandle};
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::EndpointBinding;
use crate::session::inspect;
use crate::session::timer::EPOLL_LAG_GRACE;
use crate::session::transport::{Stream, Transport as _};
use crate::wire::frame::{self, MIN_REQUEST, REQUEST_HEAD_LEN, SIZE_LEN};

/// Time limit for the first byte of a new connection before it counts as idle during a drain. Clients send as soon as
/// they are connected; a client that is closed before its first answer may not come back by itself (franz-go,
/// `ErrFirstReadEOF`).
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits for the first byte of the client. Until then the connection may be closed without harm.
pub(super) async fn wait_for_first_byte(
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
            () = tokio::time::sleep(CLIENT_HELLO_TIMEOUT), if binding.gateway.tls.is_some() => late_hello(),
        };
        if unread || !socket.has_unread() {
            return Err(fault);
        }
        unread = true;
    }
}

/// Reads the head of the first request, and returns all bytes read.
pub(super) async fn read_first_request(
    client: &mut Stream,
    prefetched: Vec<u8>,
    handle: &SessionHandle,
    binding: &EndpointBinding,
) -> Result<Vec<u8>, Fault> {
    let max_frame = binding.cluster.process.network().max_frame_size;
    let since = match client {
        Stream::Plain(_) => handle.since,
        // A TLS client could not send a request before now.
        Stream::Tls(_) => Instant::now(),
    };
    let (mut first, mut unread) = (prefetched, false);
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

/// Resolves with the reason when a client that has sent no request is silent for too long, or must leave. `unread`
/// says that the kernel has bytes that the runtime does not know of yet, which is not silence.
pub(super) async fn silence(
    binding: &EndpointBinding,
    handle: &SessionHandle,
    since: Instant,
    unread: bool,
) -> Fault {
    let told_to_leave = deadline(handle, |order| {
        let silent = since + FIRST_BYTE_TIMEOUT;
        let until = if unread { order.soft.max(silent) } else { silent };
        until.min(order.hard)
    });
    let limit = binding.cluster.process.network().unauthenticated_idle_timeout;
    let idle = async {
        match limit {
            Some(limit) => {
                // Counted from now: a process that was stopped wakes up long after the limit.
                let grace = if unread { EPOLL_LAG_GRACE } else { Duration::ZERO };
                let until = (handle.since + limit).max(Instant::now() + grace);
                tokio::time::sleep_until(until.into()).await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        // Without a request there is no answer to wait for.
        () = told_to_leave => Fault::new(CloseCause::Drained, ""),
        () = idle => {
            Fault::new(CloseCause::IdleTimeout, "no complete request within unauthenticatedIdleTimeout")
        }
    }
}

/// Resolves at the hard deadline of a drain, once there is one.
pub(super) async fn hard_deadline(handle: &SessionHandle) {
    deadline(handle, |order| order.hard).await;
}

/// Resolves at the hard deadline of a drain; when the process stops, `patience` after this task learned of it, if
/// that is earlier.
pub(in crate::session) async fn drain_patience_ends(handle: &SessionHandle, patience: Duration) {
    let mut heard = None;
    deadline(handle, |order| {
        if !order.process_ends {
            return order.hard;
        }
        let heard = *heard.get_or_insert_with(Instant::now);
        order.hard.min(heard + patience)
    })
    .await;
}

/// Resolves at the moment that `of` chooses from the drain order, once there is one. A stricter order moves it
/// nearer.
async fn deadline(handle: &SessionHandle, mut of: impl FnMut(DrainOrder) -> Instant) {
    let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
    std::future::poll_fn(|context| {
        let order = std::task::ready!(handle.poll_ordered(context));
        timer.as_mut().reset(of(order).into());
        timer.as_mut().poll(context)
    })
    .await;
}
