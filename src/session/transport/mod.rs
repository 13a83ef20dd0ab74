//! The connections of a session, plain or TLS, and what the pump needs of them besides reading and writing.

mod handshake;
mod records;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod unbuffered;

use std::io;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub use handshake::handshake;
pub use records::Records;
pub use stream::{Detached, Stream};
pub use tls::TlsTransport;
pub use unbuffered::Connection;

/// One side of a session. Sessions are generic over it, so that the plain path costs no indirect call per read.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Ready when a write is likely to be taken, or when the transport cannot tell. Polled before a read when memory is
    /// short: bytes that the peer will not take stay in the kernel then.
    ///
    /// # Errors
    /// Any I/O error that the runtime reports for the socket.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the kernel has bytes that were not read, whether the runtime knows of them or not. Costs a system call, so
    /// it is meant for decisions that cannot be reversed.
    fn has_unread(&self) -> bool;

    /// The error of the socket since the last call, such as a reset that came while nothing was read. Costs a system call.
    fn fault(&self) -> Option<io::Error> {
        None
    }

    /// Whether the peer has ended its stream and everything before is read, or has broken the connection. Costs a system call.
    fn has_ended(&self) -> bool {
        false
    }

    /// Bytes of memory that it keeps for its peer.
    fn held(&self) -> usize {
        0
    }

    /// Discards what its peer has not taken; nothing more is sent.
    fn abandon(&mut self) {}
}

impl Transport for TcpStream {
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(context)
    }

    fn has_unread(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        matches!(SockRef::from(self).peek(&mut byte), Ok(1..))
    }

    fn fault(&self) -> Option<io::Error> {
        self.take_error().ok().flatten()
    }

    fn has_ended(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        match SockRef::from(self).peek(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

#[cfg(test)]
impl Transport for tokio::io::DuplexStream {
    fn poll_writable(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn has_unread(&self) -> bool {
        false
    }
}
