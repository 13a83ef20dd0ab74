//! A time limit for the other side of a socket to read what is written.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connection_table::ConnectionHandle;

/// Fails a write once the other side has read nothing for `limit`, and notes in the connection table that it reads nothing.
#[derive(Debug)]
pub(super) struct WriteTimeout<S> {
    socket: S,
    connection: ConnectionHandle,
    limit: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeout<S> {
    pub(super) fn new(socket: S, connection: ConnectionHandle, limit: Duration) -> Self {
        Self {
            socket,
            connection,
            limit,
            stalled: None,
        }
    }

    fn check(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            if self.stalled.take().is_some() {
                self.connection.note_stalled(false);
            }
            return wrote;
        }
        let limit = self.limit;
        let connection = &self.connection;
        let stalled = self.stalled.get_or_insert_with(|| {
            connection.note_stalled(true);
            Box::pin(tokio::time::sleep(limit))
        });
        stalled.as_mut().poll(context).map(|()| {
            let why = "the client has read nothing of its answer for too long";
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.check(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.check(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::connection_table::{ANSWERED, ConnectionTable};
    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let connections = ConnectionTable::new(ANSWERED);
        let place = connections.enter();
        let (ours, mut theirs) = tokio::io::duplex(8);
        let mut ours = WriteTimeout::new(ours, place.connection().clone(), Duration::from_millis(30));
        ours.write_all(b"12345678").await.unwrap();
        let error = ours.write_all(b"9").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // What it took before is its own.
        let mut taken = [0; 8];
        theirs.read_exact(&mut taken).await.unwrap();
        assert_eq!(&taken, b"12345678");
    }
}
