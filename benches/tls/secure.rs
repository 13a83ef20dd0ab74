//! An end of the load that may speak TLS, as cheaply as it can be done: one large read feeds many records, one write
//! carries many, and nothing is read that was not consumed at once.

use std::future::poll_fn;
use std::io::{self, BufRead as _, IoSlice, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, HandshakeKind, ServerConfig, ServerConnection};
use tokio::io::AsyncWrite as _;
use tokio::net::TcpStream;

use crate::common::frames;
use crate::common::load::within;
use crate::common::wire::{Wire, poll_read_once};
use crate::material::PROXY_NAME;

/// Plaintext that is encrypted before it is written: eight records.
const BATCH: usize = 128 * 1024;

/// Either end of a connection, with TLS or without.
pub(crate) enum End {
    Plain(TcpStream),
    Secure(Box<Secure>),
}

impl End {
    /// Connects, with TLS where there is a configuration for it.
    ///
    /// # Errors
    /// When the connection or the handshake fails.
    pub(crate) async fn connect(address: &str, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let Some(config) = tls else {
            return Ok(Self::Plain(stream));
        };
        let name = ServerName::try_from(PROXY_NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Secure::handshake(stream, connection.into()).await
    }

    /// The broker's side of a connection.
    ///
    /// # Errors
    /// When the handshake fails.
    pub(crate) async fn accept(stream: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Secure::handshake(stream, connection.into()).await
    }

    /// Connects and has ApiVersions answered.
    ///
    /// # Errors
    /// When either fails or takes too long.
    pub(crate) async fn greeted(address: &str, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let mut end = within(Self::connect(address, tls)).await?;
        end.ask(&frames::api_versions_request()?).await?;
        Ok(end)
    }

    /// One request and its answer, where nothing else is in flight.
    ///
    /// # Errors
    /// When the connection ends or no answer comes.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        within(async {
            let mut written = 0;
            while written < request.len() {
                let rest = [IoSlice::new(&request[written..])];
                written += poll_fn(|cx| self.poll_write(cx, &rest)).await?;
            }
            poll_fn(|cx| self.poll_drained(cx)).await?;
            let mut answer = Vec::new();
            while !is_whole(&answer) {
                if poll_fn(|cx| self.poll_chunk(cx, |bytes| answer.extend_from_slice(bytes))).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok(answer)
        })
        .await
    }

    /// Says goodbye as a client does that means it.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        if let Self::Secure(secure) = &mut self {
            secure.tls.send_close_notify();
        }
        poll_fn(|cx| self.poll_drained(cx)).await
    }

    /// Whether a session was resumed; `false` without TLS.
    pub(crate) fn was_resumed(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Secure(secure) => secure.tls.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let size = answer.first_chunk().map(|size| u32::from_be_bytes(*size));
    size.is_some_and(|size| answer.len() >= 4 + size as usize)
}

impl Wire for End {
    fn poll_chunk(&mut self, cx: &mut Context<'_>, consume: impl FnMut(&[u8])) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_chunk(cx, consume),
            Self::Secure(secure) => secure.poll_chunk(cx, consume),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write(cx, slices),
            Self::Secure(secure) => secure.poll_write(cx, slices),
        }
    }

    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_drained(cx),
            Self::Secure(secure) => secure.poll_drained(cx),
        }
    }
}

/// A connection with TLS.
pub(crate) struct Secure {
    stream: TcpStream,
    tls: Connection,
    /// What came in one read with the end of the handshake.
    early: Vec<u8>,
}

impl Secure {
    async fn handshake(stream: TcpStream, mut tls: Connection) -> io::Result<End> {
        tls.set_buffer_limit(Some(BATCH));
        let mut secure = Box::new(Self {
            stream,
            tls,
            early: Vec::new(),
        });
        poll_fn(|cx| {
            loop {
                ready!(secure.poll_drained(cx))?;
                if !secure.tls.is_handshaking() {
                    return Poll::Ready(Ok(()));
                }
                let mut early = std::mem::take(&mut secure.early);
                let read = secure.poll_read(cx, &mut |bytes| early.extend_from_slice(bytes));
                secure.early = early;
                if ready!(read)? == 0 {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
            }
        })
        .await?;
        Ok(End::Secure(secure))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, consume: &mut dyn FnMut(&[u8])) -> Poll<io::Result<usize>> {
        let Self { stream, tls, .. } = self;
        poll_read_once(stream, cx, |mut records| {
            let read = records.len();
            while !records.is_empty() {
                tls.read_tls(&mut records)?;
                let state = tls
                    .process_new_packets()
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                if state.plaintext_bytes_to_read() > 0 {
                    drain(tls, consume)?;
                }
                if state.peer_has_closed() {
                    return Ok(0);
                }
            }
            Ok(read)
        })
    }
}

/// Shows all plaintext there is to `consume`.
pub(crate) fn drain(tls: &mut Connection, consume: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut reader = tls.reader();
    loop {
        let len = match reader.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(plaintext) => {
                consume(plaintext);
                plaintext.len()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        reader.consume(len);
    }
}

impl Wire for Secure {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        mut consume: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            consume(&early);
            return Poll::Ready(Ok(early.len()));
        }
        self.poll_read(cx, &mut consume)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.poll_drained(cx))?;
        let written = self.tls.writer().write_vectored(slices)?;
        // What the kernel does not take now, it is offered again before anything else is encrypted.
        if let Poll::Ready(Err(error)) = self.poll_drained(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, tls, .. } = self;
        while tls.wants_write() {
            match tls.write_tls(&mut Socket { stream, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The socket as the library writes to it.
struct Socket<'a, 'b, 'c> {
    stream: &'a mut TcpStream,
    cx: &'b mut Context<'c>,
}

impl Socket<'_, '_, '_> {
    fn or_would_block(written: Poll<io::Result<usize>>) -> io::Result<usize> {
        match written {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Socket<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::or_would_block(Pin::new(&mut *self.stream).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::or_would_block(Pin::new(&mut *self.stream).poll_write_vectored(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
