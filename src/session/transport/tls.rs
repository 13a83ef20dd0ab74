//! A TLS connection with borrowed buffers: an idle connection owns none.
//!
//! Records are read and written by the hundred kilobytes through the buffers of the worker thread; rustls' own stream
//! reads four kilobytes at a time into a buffer that it keeps. Between two polls only an incomplete record is kept, and
//! ciphertext that the peer did not take.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::CommonState;
#[cfg(test)]
use rustls::unbuffered::ConnectionState;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Transport;
use super::records::Records;
#[cfg(test)]
use super::unbuffered::Connection;
use super::unbuffered::Unsent;
use crate::session::buffer::{self, CHUNK};

/// Most plaintext bytes sealed for one write: as many as one read brings. Sealed, they fit into one buffer.
const SEALED_AT_ONCE: usize = buffer::READ;

/// Most bytes of one record: TLS 1.2 with all its overhead (RFC 5246 §6.2.3); those of TLS 1.3 are smaller.
const MAX_RECORD: usize = 5 + 16 * 1024 + 2048;

/// One side of a session that speaks TLS; the result of a handshake.
pub struct TlsTransport {
    socket: TcpStream,
    records: Records,
}

impl TlsTransport {
    pub(super) fn new(socket: TcpStream, records: Records) -> Self {
        Self { socket, records }
    }

    /// What was negotiated, and with whom.
    pub fn common(&self) -> &CommonState {
        self.records.common()
    }

    /// Changes the keys for what is sent from now on, and demands the same of the peer (RFC 8446 §4.6.3).
    #[cfg(test)]
    pub(super) fn refresh_keys(&mut self) {
        let refresh = match &mut *self.records.connection {
            Connection::Client(client) => match client.process_tls_records(&mut []).state {
                Ok(ConnectionState::WriteTraffic(traffic)) => traffic.refresh_traffic_keys(),
                other => panic!("{other:?}"),
            },
            Connection::Server(_) => panic!("not needed"),
        };
        refresh.unwrap();
    }

    /// Deregisters the socket from the runtime of the current thread.
    ///
    /// # Errors
    /// Any I/O error of the deregistration.
    pub fn detach(self) -> io::Result<(std::net::TcpStream, Records)> {
        Ok((self.socket.into_std()?, self.records))
    }

    /// Registers the socket with the runtime of the current thread.
    ///
    /// # Errors
    /// Any I/O error of the registration.
    pub fn attach(socket: std::net::TcpStream, records: Records) -> io::Result<Self> {
        let socket = TcpStream::from_std(socket)?;
        Ok(Self { socket, records })
    }

    /// Reads once and opens the records that are whole; plaintext goes to `into`, and what does not fit is kept. False at
    /// the end of the stream.
    fn poll_records(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let records = &mut self.records;
        let mut chunk = buffer::borrow_scratch();
        let kept = records.partial.len();
        // Plaintext is shorter than its ciphertext, so there is room for all of it; but a record has to fit.
        let most = kept.max(into.remaining()).max(MAX_RECORD + kept).min(CHUNK);
        let mut read = ReadBuf::new(&mut chunk[kept..most]);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        let filled = kept + read.filled().len();
        if filled == kept {
            // The rest of an incomplete record will not come.
            records.ended = true;
            records.partial = Vec::new();
            return Poll::Ready(Ok(false));
        }
        chunk[..kept].copy_from_slice(&records.partial);
        let mut spill = std::mem::take(&mut records.plain);
        let opened = records.open(&mut chunk[..filled], &mut |plain| {
            let fits = plain.len().min(into.remaining());
            into.put_slice(&plain[..fits]);
            spill.extend_from_slice(&plain[fits..]);
        });
        records.plain = spill;
        let (done, _) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // Sends the alert. A peer whose socket does not take it at once is not reading.
                drop(records.unsent.poll_flush(&mut self.socket, context));
                // Records that came whole before it count.
                records.broken = Some(records.failure(&error));
                records.partial = Vec::new();
                return Poll::Ready(Ok(true));
            }
        };
        if done > 0 && !records.peer_ready {
            records.note_peer_ready(context);
        }
        if done == filled {
            records.partial = Vec::new();
        } else {
            records.partial.clear();
            records.partial.extend_from_slice(&chunk[done..filled]);
        }
        Poll::Ready(Ok(true))
    }

    /// Seals as much of `plaintext` as one write takes, and writes it. Returns how much that was once the socket has all of
    /// its ciphertext.
    fn poll_sealed(&mut self, context: &mut Context<'_>, plaintext: &[u8]) -> Poll<io::Result<usize>> {
        let records = &mut self.records;
        let plaintext = &plaintext[..plaintext.len().min(SEALED_AT_ONCE)];
        let mut chunk = buffer::borrow_scratch();
        let sealed = records
            .seal(plaintext, &mut chunk)
            .map_err(|error| io::Error::from(records.failure(&error)))?;
        let mut written = 0;
        if records.unsent.is_empty() {
            match Pin::new(&mut self.socket).poll_write(context, &chunk[..sealed]) {
                Poll::Pending => {}
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(taken) => written = taken?,
            }
        }
        if written == sealed {
            return Poll::Ready(Ok(plaintext.len()));
        }
        records.unsent.bytes.extend_from_slice(&chunk[written..sealed]);
        records.unreported = plaintext.len();
        drop(chunk);
        ready!(records.unsent.poll_flush(&mut self.socket, context))?;
        Poll::Ready(Ok(std::mem::take(&mut records.unreported)))
    }
}

impl AsyncRead for TlsTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.records.plain.is_empty() {
                let plain = &mut this.records.plain;
                let fits = plain.len().min(into.remaining());
                into.put_slice(&plain[..fits]);
                plain.drain(..fits);
                if plain.is_empty() {
                    *plain = Vec::new();
                }
                return Poll::Ready(Ok(()));
            }
            if let Some(failure) = &this.records.broken {
                return Poll::Ready(Err(failure.clone().into()));
            }
            if this.records.ended {
                return Poll::Ready(Ok(()));
            }
            let before = into.filled().len();
            let more = ready!(this.poll_records(context, into))?;
            if into.filled().len() > before || !more {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// A write is complete when the socket has all of its ciphertext. Until then it is pending and has to be repeated with the
/// same bytes in front, so that the caller still holds, and counts, all that the peer has not taken.
impl AsyncWrite for TlsTransport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.records.unsent.poll_flush(&mut this.socket, context))?;
        if this.records.unreported > 0 {
            return Poll::Ready(Ok(std::mem::take(&mut this.records.unreported).min(bytes.len())));
        }
        this.poll_sealed(context, bytes)
    }

    /// Writes small slices in shared records: responses with rewritten addresses consist of many.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [] => Poll::Ready(Ok(0)),
            [one] => self.poll_write(context, one),
            [first, ..] if first.len() >= SEALED_AT_ONCE => self.poll_write(context, first),
            many => {
                let mut chunk = buffer::borrow_scratch();
                let mut len = 0;
                for slice in many {
                    let fits = slice.len().min(SEALED_AT_ONCE - len);
                    chunk[len..len + fits].copy_from_slice(&slice[..fits]);
                    len += fits;
                }
                self.poll_write(context, &chunk[..len])
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.records.unsent.poll_flush(&mut this.socket, context)
    }

    /// Sends close_notify, so that the peer knows that nothing was cut off, and then closes this direction. Waits until the
    /// broker has completed the handshake; reading tells when it has.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.records.close_notify_queued {
            ready!(this.records.unsent.poll_flush(&mut this.socket, context))?;
            ready!(this.records.poll_peer_ready(context));
            this.records.close_notify_queued = true;
            // A broken connection has sent an alert instead.
            this.records.queue_close_notify().unwrap_or_default();
        }
        ready!(this.records.unsent.poll_flush(&mut this.socket, context))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}

impl Transport for TlsTransport {
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(context)
    }

    /// Counts what was read and not handed on, and an incomplete record too: its rest is on its way.
    fn has_unread(&self) -> bool {
        let records = &self.records;
        !records.plain.is_empty()
            || (!records.ended
                && records.broken.is_none()
                && (!records.partial.is_empty() || self.socket.has_unread()))
    }

    fn fault(&self) -> Option<io::Error> {
        self.socket.fault()
    }

    fn has_ended(&self) -> bool {
        self.records.ended || self.records.broken.is_some() || self.socket.has_ended()
    }

    #[inline]
    fn held(&self) -> usize {
        let records = &self.records;
        records.unsent.bytes.capacity() + records.partial.capacity() + records.plain.capacity()
    }

    fn abandon(&mut self) {
        self.records.unsent = Unsent::default();
        self.records.unreported = 0;
        self.records.close_notify_queued = true;
    }
}
