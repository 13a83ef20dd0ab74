//! The HTTP server behind both entrances: few connections, small requests, short time limits.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::connection_table::{ANSWERED, ConnectionPlace, ConnectionTable};
use super::site::Site;
use super::write_timeout::WriteTimeout;
use crate::control::{Requester, users};

/// Connections to the control socket, those that wait for something included. More wait in the kernel.
const COMMANDS: usize = 64;

/// Time limit for the head of a request, from the first byte or the end of the request before.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Size that the kernel may keep of an answer for one client.
const SEND_BUFFER: usize = 256 * 1024;

/// Size of the head of a request, and of what is handed to the socket at once.
const MAX_BUFFER: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// Pause after an accept that failed: descriptors are scarce, and sessions need them more.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Time limits of one connection.
#[derive(Debug, Clone, Copy)]
struct HttpLimits {
    /// For the client to take anything of what is written. One that takes nothing is closed after it; sooner, where
    /// others need its place.
    write: Duration,
    /// For everything on one connection, and then for the answer in progress.
    life: Option<(Duration, Duration)>,
}

const TCP: HttpLimits = HttpLimits {
    write: Duration::from_secs(5),
    life: Some((Duration::from_secs(60), Duration::from_secs(30))),
};

/// A command may wait for as long as it likes.
const SOCKET: HttpLimits = HttpLimits {
    write: Duration::from_secs(30),
    life: None,
};

/// Serves the management address until the task is dropped.
pub(super) async fn serve_tcp(listener: TcpListener, site: Site) {
    let connections = ConnectionTable::new(ANSWERED);
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // A size that the kernel does not take is a size that it chooses.
                drop(SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER));
                let address = Some(address);
                let (site, slot) = (site.for_peer(Requester::Token { address }), connections.enter());
                tokio::spawn(async move { converse(stream, &site, slot, TCP).await });
                // It is answered before others are accepted who might take its place.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept a management connection");
                connections.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves the control socket until the task is dropped.
pub(super) async fn serve_socket(listener: UnixListener, site: Site) {
    let connections = ConnectionTable::new(COMMANDS);
    let places = Arc::new(Semaphore::new(COMMANDS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (site, slot) = (site.for_peer(user(&stream)), connections.enter());
                tokio::spawn(async move {
                    let _place = place;
                    converse(stream, &site, slot, SOCKET).await;
                });
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection to the control socket");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Returns the user at the other end of the control socket.
fn user(stream: &UnixStream) -> Requester {
    match stream.peer_cred() {
        Ok(credentials) => {
            users::look_up(credentials.uid());
            Requester::User {
                uid: credentials.uid(),
                pid: credentials.pid(),
            }
        }
        Err(error) => {
            tracing::debug!(%error, "the user of a command is not known");
            Requester::default()
        }
    }
}

/// Serves one connection, from accept to close. An answer that nobody waits for any more is not worked on.
async fn converse<S>(stream: S, site: &Site, slot: ConnectionPlace, limits: HttpLimits)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handle = slot.connection();
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(site.answer(&request, handle).await)
    });
    let socket = WriteTimeout::new(stream, handle.clone(), limits.write);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = slot.dismissed() => {
            tracing::debug!("a management connection is closed to make room for another");
            return;
        }
        last = end_of_life(limits) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = slot.dismissed() => Ok(()),
                () = tokio::time::sleep(last) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "management connection ended early");
    }
}

/// Waits until a connection has lasted long enough, and returns what its last answer may take.
async fn end_of_life(limits: HttpLimits) -> Duration {
    let Some((life, last)) = limits.life else {
        return std::future::pending().await;
    };
    tokio::time::sleep(life).await;
    last
}
