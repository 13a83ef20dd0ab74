//! From a connected socket to a TLS connection.

use std::future::poll_fn;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::tls::{Connection, Progress, Records, TlsTransport};
use crate::tls::{Failure, FailureKind, Peer};

/// How long a peer may take to answer what it was told. It has what it needs, and nobody types.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a handshake read at once: certificates come in chains.
const READ: usize = 8 * 1024;

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
    match converse(&mut socket, peer, &mut records, early).await {
        Ok(()) => Ok(TlsTransport::new(socket, records)),
        Err(failure) => {
            // The alert; it fits into the socket's buffer or nobody is there to read it.
            let tell = poll_fn(|context| records.poll_unsent(&mut socket, context));
            tokio::time::timeout(PATIENCE, tell)
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
    loop {
        let opened = records.open_early(&mut bytes);
        let (done, progress) = opened.map_err(|error| records.failure(&error))?;
        bytes.drain(..done);
        let flush = poll_fn(|context| records.poll_unsent(socket, context));
        let silent = || {
            Failure::new(
                peer,
                FailureKind::TimedOut,
                format!("{peer} is silent in the handshake"),
            )
        };
        let flushed = tokio::time::timeout(PATIENCE, flush)
            .await
            .map_err(|_| silent())?;
        flushed.map_err(|error| closed(peer, heard, &error.to_string()))?;
        if progress == Progress::Open && !records.common().is_handshaking() {
            records.keep(bytes);
            return Ok(());
        }
        if bytes.len() > LONGEST {
            return Err(Failure::new(
                peer,
                FailureKind::Protocol,
                format!("{peer} sends too long a message"),
            ));
        }
        let mut next = [0; READ];
        let read = tokio::time::timeout(PATIENCE, socket.read(&mut next))
            .await
            .map_err(|_| silent())?;
        match read {
            Ok(0) => return Err(closed(peer, heard, "end of stream")),
            Ok(read) => bytes.extend_from_slice(&next[..read]),
            Err(error) => return Err(closed(peer, heard, &error.to_string())),
        }
        heard = true;
    }
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
