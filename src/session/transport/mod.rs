//! What the pump needs of a stream besides reading and writing.

mod handshake;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::io;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub use handshake::handshake;
pub use stream::{Detached, Stream};
pub use tls::{Connection, Records, TlsTransport};

/// One side of a session. Sessions are generic over it, so that the plain path costs no indirect call per read.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether a write is likely to be taken. Asked before reading for it when memory is short: what the peer will
    /// not take is better left in the kernel then. A transport that cannot tell says yes.
    ///
    /// # Errors
    /// Those of the runtime.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the kernel has bytes that were not read, whether the runtime knows of them or not. Costs a system
    /// call: for decisions that cannot be taken back.
    fn has_unread(&self) -> bool;

    /// Why the connection does not exist any more, if the kernel has learned so since it was last asked: a reset is
    /// noticed although nothing is read. Costs a system call.
    fn fault(&self) -> Option<io::Error> {
        None
    }

    /// Memory that it keeps for its peer.
    fn held(&self) -> usize {
        0
    }

    /// Forgets what its peer has not taken: nothing more is sent.
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
