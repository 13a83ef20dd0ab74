//! From a connected socket to a TLS connection.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::tls::{Connection, Progress, Records, TlsTransport};
use crate::session::buffer;
use crate::session::ledger::Counted;
use crate::tls::{Failure, FailureKind, Peer};

/// How long a handshake may take in all, from its hello on. A peer has what it needs, and nobody types.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a peer may take to take in why there is none.
const FAREWELL: Duration = Duration::from_secs(1);

/// Bytes that may wait for the rest of a message. rustls itself takes no longer handshake message than 64 KiB.
const LONGEST: usize = 128 * 1024;

/// Completes the handshake that `connection` begins. `early` is what was read of the peer before. A socket that fails is
/// given back, after the peer was told why.
///
/// # Errors
/// Why there is no connection.
pub async fn handshake(
    mut socket: TcpStream,
    peer: Peer,
    connection: Connection,
    early: Vec<u8>,
) -> Result<TlsTransport, (TcpStream, Failure)> {
    let mut records = Records::new(peer, connection);
    let conversation = converse(&mut socket, peer, &mut records, early);
    let silent = || {
        let why = format!("{peer} did not complete the handshake in {PATIENCE:?}");
        Err(Failure::new(peer, FailureKind::TimedOut, why))
    };
    let outcome = tokio::time::timeout(PATIENCE, conversation).await;
    match outcome.unwrap_or_else(|_| silent()) {
        Ok(()) => Ok(TlsTransport::new(socket, records)),
        Err(failure) => {
            // The alert; it fits into the socket's buffer or nobody is there to read it.
            let tell = poll_fn(|context| records.poll_unsent(&mut socket, context));
            tokio::time::timeout(FAREWELL, tell)
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
        if progress == Progress::Open && !records.common().is_handshaking() {
            records.keep(bytes);
            records.shaken();
            return Ok(());
        }
        if bytes.len() > LONGEST {
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

/// Reads behind `bytes`, through a buffer of the thread's: one of its own would be part of every session that is being
/// opened.
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

/// A broker that closes without a word has most likely taken the hello for a request of absurd size.
fn closed(peer: Peer, heard: bool, why: &str) -> Failure {
    match (peer, heard) {
        (Peer::Broker, false) => Failure::new(
            peer,
            FailureKind::NotTls,
            format!("the broker closed at the TLS hello; is its port a plaintext one? ({why})"),
        ),
        _ => Failure::new(
            peer,
            FailureKind::Closed,
            format!("{peer} closed in the handshake ({why})"),
        ),
    }
}
