//! Plain and TLS connections under one type. The branch that tells them apart always goes the same way.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Records, TlsTransport, Transport};

/// One side of a session.
pub enum Stream {
    /// A plaintext connection.
    Plain(TcpStream),
    /// A TLS connection.
    Tls(Box<TlsTransport>),
}

/// A [`Stream`] that is registered with no thread's runtime.
pub enum Detached {
    /// A plaintext connection.
    Plain(std::net::TcpStream),
    /// A TLS connection with its state.
    Tls(std::net::TcpStream, Box<Records>),
}

impl Stream {
    /// Deregisters the socket from the runtime of the current thread.
    ///
    /// # Errors
    /// Any I/O error of the deregistration.
    pub fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Plain(socket) => Detached::Plain(socket.into_std()?),
            Self::Tls(tls) => {
                let (socket, records) = tls.detach()?;
                Detached::Tls(socket, Box::new(records))
            }
        })
    }
}

impl Detached {
    /// Registers the socket with the runtime of the current thread.
    ///
    /// # Errors
    /// Any I/O error of the registration.
    pub fn attach(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Plain(socket) => Stream::Plain(TcpStream::from_std(socket)?),
            Self::Tls(socket, records) => Stream::Tls(Box::new(TlsTransport::attach(socket, *records)?)),
        })
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(context),
        }
    }
}

impl Transport for Stream {
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_writable(context),
            Self::Tls(stream) => stream.poll_writable(context),
        }
    }

    fn has_unread(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.has_unread(),
            Self::Tls(stream) => stream.has_unread(),
        }
    }

    fn fault(&self) -> Option<io::Error> {
        match self {
            Self::Plain(stream) => stream.fault(),
            Self::Tls(stream) => stream.fault(),
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.has_ended(),
            Self::Tls(stream) => stream.has_ended(),
        }
    }

    #[inline]
    fn held(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Tls(stream) => stream.held(),
        }
    }

    fn abandon(&mut self) {
        match self {
            Self::Plain(_) => {}
            Self::Tls(stream) => stream.abandon(),
        }
    }
}
