//! The HTTP server: few connections, small requests, no patience.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::guests::{Answering, Guests, Stay};
use super::patient::Patient;
use super::site::Site;

/// For the head of a request, from the first byte or the end of the one before.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// For the client to take anything of what is written. One that takes nothing is closed after it; sooner, where others
/// need its place.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the kernel may keep of an answer for one client.
const SEND_BUFFER: usize = 256 * 1024;

/// For everything on one connection. After it the answer in progress is finished, if it takes no longer than [`LAST`].
const LIFE: Duration = Duration::from_secs(60);
const LAST: Duration = Duration::from_secs(30);

/// Head of a request, and what is handed to the socket at once.
const MAX_BUFFER: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// After an accept that failed: descriptors are scarce, and sessions need them more.
const PAUSE: Duration = Duration::from_millis(200);

/// A body in pieces, so that its share of memory is accounted for until the client has taken nearly all of it.
#[derive(Debug)]
pub(super) struct Chunks {
    rest: Bytes,
    /// Absent for what takes no room worth mentioning.
    _answering: Option<Answering>,
}

const CHUNK: usize = 64 * 1024;

impl Chunks {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            rest: bytes,
            _answering: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// The answer ends with this body.
    pub(super) fn end_with_it(&mut self, answering: Answering) {
        self._answering = Some(answering);
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let next = self.rest.len().min(CHUNK);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(next)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// Serves until the task is dropped.
pub(super) async fn serve(listener: TcpListener, site: Site) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the management address cannot be watched; HTTP is not served");
            return;
        }
    };
    let guests = Guests::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (site, stay) = (site.clone(), guests.enter());
                tokio::spawn(async move { converse(stream, &site, stay).await });
                // It says what it has to say before others are accepted who might take its place.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                tracing::debug!(%error, "a management connection was not accepted");
                guests.make_room();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One connection, from accept to close.
async fn converse(stream: TcpStream, site: &Site, stay: Stay) {
    // A size that the kernel does not take is a size that it chooses.
    drop(SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER));
    let guest = stay.guest();
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(site.answer(&request, guest).await)
    });
    let socket = Patient::new(stream, guest.clone(), WRITE_TIMEOUT);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stay.dismissed() => {
            tracing::debug!("a management connection gives way to another");
            return;
        }
        () = tokio::time::sleep(LIFE) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = stay.dismissed() => Ok(()),
                () = tokio::time::sleep(LAST) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "management connection ended");
    }
}
