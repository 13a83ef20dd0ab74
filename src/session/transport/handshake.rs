//! From a connected socket to a TLS connection.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::records::Records;
use super::tls::TlsTransport;
use super::unbuffered::{Connection, RecordProgress};
use crate::session::buffer;
use crate::session::ledger::Counted;
use crate::tls::{Failure, FailureKind, Peer};

/// Time limit for a whole handshake, from its hello on.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for flushing the TLS alert after a failed handshake.
const ALERT_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Most bytes that wait for the rest of a message. rustls accepts handshake messages of at most 64 KiB.
const MAX_MESSAGE_BUFFER: usize = 128 * 1024;

/// Completes the handshake that `connection` begins. `early` holds the bytes that were read from the peer before.
///
/// # Errors
/// The socket, after the alert was sent, and the reason for the failure.
pub async fn handshake(
    mut socket: TcpStream,
    peer: Peer,
    connection: Connection,
    early: Vec<u8>,
) -> Result<TlsTransport, (TcpStream, Failure)> {
    let mut records = Records::new(peer, connection);
    let conversation = converse(&mut socket, peer, &mut records, early);
    let silent = || {
        let why = format!("{peer} did not complete the handshake in {HANDSHAKE_TIMEOUT:?}");
        Err(Failure::new(peer, FailureKind::TimedOut, why))
    };
    let outcome = tokio::time::timeout(HANDSHAKE_TIMEOUT, conversation).await;
    match outcome.unwrap_or_else(|_| silent()) {
        Ok(()) => Ok(TlsTransport::new(socket, records)),
        Err(failure) => {
            // The alert; it fits into the socket's buffer or nobody is there to read it.
            let tell = poll_fn(|context| records.poll_unsent(&mut socket, context));
            tokio::time::timeout(ALERT_FLUSH_TIMEOUT, tell)
                .await
                .map(drop)
                .unwrap_or_default();
            Err((socket, failure))
        }
    }
}

async fn converse(
    socket: &mut TcpStream,
    peer: Peer,
    records: &mut Records,
    early: Vec<u8>,
) -> Result<(), Failure> {
    let mut bytes = early;
    let mut heard = !bytes.is_empty();
    let mut counted = Counted::default();
    loop {
        let opened = records.open_early(&mut bytes);
        let (done, progress) = opened.map_err(|error| records.failure(&error))?;
        bytes.drain(..done);
        let flush = poll_fn(|context| records.poll_unsent(socket, context));
        flush
            .await
            .map_err(|error| closed(peer, heard, &error.to_string()))?;
        if progress == RecordProgress::Open && !records.common().is_handshaking() {
            records.keep(bytes);
            records.finish_handshake();
            return Ok(());
        }
        if bytes.len() > MAX_MESSAGE_BUFFER {
            return Err(Failure::new(
                peer,
                FailureKind::Protocol,
                format!("{peer} sends too long a message"),
            ));
        }
        match poll_fn(|context| poll_more(socket, &mut bytes, context)).await {
            Ok(0) => return Err(closed(peer, heard, "end of stream")),
            Ok(_) => {}
            Err(error) => return Err(closed(peer, heard, &error.to_string())),
        }
        heard = true;
        counted.set(bytes.capacity());
    }
}

/// Reads and appends to `bytes`, through a buffer of the thread: a buffer of its own would be part of every session that
/// is being opened.
fn poll_more(
    socket: &mut TcpStream,
    bytes: &mut Vec<u8>,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut chunk = buffer::borrow_scratch();
    let mut read = ReadBuf::new(&mut chunk[..buffer::SMALL_READ]);
    ready!(Pin::new(socket).poll_read(context, &mut read))?;
    bytes.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

/// The failure of a peer that closed. A broker that closes without having sent a byte has most likely taken the hello for
/// a request of absurd size.
fn closed(peer: Peer, heard: bool, why: &str) -> Failure {
    match (peer, heard) {
        (Peer::Broker | Peer::Server, false) => Failure::new(
            peer,
            FailureKind::NotTls,
            format!("{peer} closed at the TLS hello; is its port a plaintext one? ({why})"),
        ),
        _ => Failure::new(
            peer,
            FailureKind::Closed,
            format!("{peer} closed in the handshake ({why})"),
        ),
    }
}
