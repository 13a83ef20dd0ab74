//! A TLS connection whose buffers are borrowed: an idle one owns none.
//!
//! Records are read and written by the hundred kilobytes through the buffers of the worker thread, where the library's
//! own stream reads four kilobytes at a time and keeps what it read. What stays between two polls is a record that has
//! not arrived whole, and ciphertext that the peer did not take.

use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{CommonState, Error, HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::Transport;
use super::handshake::PATIENCE;
use crate::session::buffer::{self, CHUNK};
use crate::tls::{Failure, Peer};

/// Plaintext sealed for one write: as much as fits into a buffer with what TLS puts around it. Less cost a tenth more
/// processor time, because the kernel is called more often.
const SEALED_AT_ONCE: usize = 224 * 1024;

/// A record of TLS 1.2 with all its overhead, RFC 5246 §6.2.3; those of TLS 1.3 are smaller.
const LARGEST_RECORD: usize = 5 + 16 * 1024 + 2048;

/// One side of a session that speaks TLS. Made by a handshake.
pub struct TlsTransport {
    socket: TcpStream,
    records: Records,
}

/// What is left of a [`TlsTransport`] without its socket.
pub struct Records {
    peer: Peer,
    connection: Box<Connection>,
    /// Ciphertext that is no whole record yet.
    partial: Vec<u8>,
    /// Plaintext for which there was no room.
    plain: Vec<u8>,
    /// Ciphertext that the socket has not taken.
    unsent: Unsent,
    /// Plaintext bytes within `unsent` that nobody has been told of.
    promised: usize,
    /// The peer sends nothing more.
    ended: bool,
    /// Nothing can be read any more, because of this.
    broken: Option<Failure>,
    /// We have said that we send nothing more.
    said_goodbye: bool,
    /// The peer has shown that it is through with the handshake.
    proven: bool,
    /// The end waits for that, until then at the latest.
    held_back: Option<Pin<Box<Sleep>>>,
}

#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    start: usize,
}

/// The two ends of the protocol.
pub enum Connection {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What one look at the records came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More has to be read.
    Blocked,
    /// As before, and something may be written.
    Open,
}

impl Connection {
    /// What both ends have in common.
    pub fn common(&self) -> &CommonState {
        match self {
            Self::Server(connection) => connection,
            Self::Client(connection) => connection,
        }
    }
}

impl Records {
    pub(super) fn new(peer: Peer, connection: Connection) -> Self {
        Self {
            peer,
            connection: Box::new(connection),
            partial: Vec::new(),
            plain: Vec::new(),
            unsent: Unsent::default(),
            promised: 0,
            ended: false,
            broken: None,
            said_goodbye: false,
            proven: false,
            held_back: None,
        }
    }

    /// The handshake is over on our side. Says whether it is over on the other: a client that speaks last does not know.
    pub(super) fn shaken(&mut self) {
        let common = self.connection.common();
        self.proven = match &*self.connection {
            Connection::Server(_) => true,
            // RFC 5246 §7.3: the server's Finished is the last message of a full handshake, and the client's of a
            // resumed one, as it is of every handshake of TLS 1.3.
            Connection::Client(_) => {
                common.protocol_version() == Some(ProtocolVersion::TLSv1_2)
                    && common.handshake_kind() != Some(HandshakeKind::Resumed)
            }
        };
    }

    /// Waits until the peer is known to be through with the handshake, or has had the time to be.
    ///
    /// A broker that finds the end of the stream while it is in the handshake takes the handshake for failed, and drops
    /// the requests that came in front of that end.
    fn poll_through(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.proven || self.ended || self.broken.is_some() {
            self.held_back = None;
            return Poll::Ready(());
        }
        let held_back = self
            .held_back
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        ready!(held_back.as_mut().poll(context));
        self.proven = true;
        self.held_back = None;
        Poll::Ready(())
    }

    /// The peer has sent something behind the handshake: a ticket (RFC 8446 §4.6.1) or an answer.
    fn prove(&mut self, context: &Context<'_>) {
        self.proven = true;
        if self.held_back.take().is_some() {
            // The end can go out now, and a task that waits for it is woken.
            context.waker().wake_by_ref();
        }
    }

    pub(super) fn common(&self) -> &CommonState {
        self.connection.common()
    }

    pub(super) fn failure(&self, error: &Error) -> Failure {
        Failure::of(self.peer, error)
    }

    /// Opens the records in `bytes`, which begin with those that were left before. Returns how many bytes are done
    /// with; the rest has to come again. Plaintext goes to `into`.
    ///
    /// # Errors
    /// When the connection is broken. What has to be told to the peer is among what is unsent.
    pub(super) fn open(
        &mut self,
        bytes: &mut [u8],
        into: &mut dyn FnMut(&[u8]),
    ) -> Result<(usize, Progress), Error> {
        let mut done = 0;
        loop {
            let (discard, step) = match &mut *self.connection {
                Connection::Server(server) => step(
                    server.process_tls_records(&mut bytes[done..]),
                    &mut self.unsent,
                    into,
                ),
                Connection::Client(client) => step(
                    client.process_tls_records(&mut bytes[done..]),
                    &mut self.unsent,
                    into,
                ),
            };
            done += discard;
            match step {
                Step::Again => {}
                Step::Ended => self.ended = true,
                Step::Progress(progress) => return Ok((done, progress)),
                Step::Broken(error) => {
                    self.collect_alert();
                    return Err(error);
                }
            }
        }
    }

    /// As [`Records::open`] while no plaintext is expected. What comes all the same is kept.
    pub(super) fn open_early(&mut self, bytes: &mut [u8]) -> Result<(usize, Progress), Error> {
        let mut plain = std::mem::take(&mut self.plain);
        let opened = self.open(bytes, &mut |bytes| plain.extend_from_slice(bytes));
        self.plain = plain;
        opened
    }

    /// Keeps what was read and not opened.
    pub(super) fn keep(&mut self, mut partial: Vec<u8>) {
        partial.shrink_to_fit();
        self.partial = partial;
    }

    /// Writes what is unsent.
    pub(super) fn poll_unsent(
        &mut self,
        socket: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.unsent.poll_flush(socket, context)
    }

    /// A broken connection still has to say why.
    fn collect_alert(&mut self) {
        let (unsent, ignore) = (&mut self.unsent, &mut |_: &[u8]| {});
        let (_, _step) = match &mut *self.connection {
            Connection::Server(server) => step(server.process_tls_records(&mut []), unsent, ignore),
            Connection::Client(client) => step(client.process_tls_records(&mut []), unsent, ignore),
        };
    }

    /// Has `write` write where the connection takes plaintext.
    fn with_traffic(&mut self, write: &mut Write<'_>) -> Result<usize, Error> {
        loop {
            let written = match &mut *self.connection {
                Connection::Server(server) => {
                    traffic(server.process_tls_records(&mut []), &mut self.unsent, write)
                }
                Connection::Client(client) => {
                    traffic(client.process_tls_records(&mut []), &mut self.unsent, write)
                }
            };
            if let Some(written) = written? {
                return Ok(written);
            }
        }
    }

    /// Seals `plaintext` into `room`, which is large enough. Returns the length.
    fn seal(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, Error> {
        self.with_traffic(&mut |traffic| traffic.seal(plaintext, room))
    }

    /// Puts the notice that nothing more is sent behind what is unsent.
    fn say_goodbye(&mut self) -> Result<(), Error> {
        let mut room = [0; 256];
        let len = self.with_traffic(&mut |traffic| traffic.goodbye(&mut room))?;
        self.unsent.bytes.extend_from_slice(&room[..len]);
        Ok(())
    }
}

/// Writes while a connection takes plaintext; returns the length.
type Write<'w> = dyn FnMut(&mut dyn Traffic) -> Result<usize, EncryptError> + 'w;

/// What one state of the connection asks for.
enum Step {
    Again,
    /// The peer sends nothing more.
    Ended,
    Progress(Progress),
    Broken(Error),
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    unsent: &mut Unsent,
    into: &mut dyn FnMut(&[u8]),
) -> (usize, Step) {
    let UnbufferedStatus { mut discard, state } = status;
    let step = match state {
        Err(error) => Step::Broken(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut step = Step::Again;
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        into(record.payload);
                    }
                    Err(error) => step = Step::Broken(error),
                }
            }
            step
        }
        Ok(ConnectionState::EncodeTlsData(data)) => match unsent.encode(data) {
            Ok(()) => Step::Again,
            Err(error) => Step::Broken(error),
        },
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // It goes out before anything that is sealed later.
            data.done();
            Step::Again
        }
        Ok(ConnectionState::PeerClosed) => Step::Ended,
        Ok(ConnectionState::WriteTraffic(_) | ConnectionState::Closed) => Step::Progress(Progress::Open),
        Ok(ConnectionState::BlockedHandshake) => Step::Progress(Progress::Blocked),
        Ok(_) => Step::Broken(Error::General("early data was not offered".into())),
    };
    (discard, step)
}

/// `None`: something else had to be done first.
fn traffic<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    unsent: &mut Unsent,
    write: &mut Write<'_>,
) -> Result<Option<usize>, Error> {
    match status.state? {
        ConnectionState::WriteTraffic(mut traffic) => {
            let written = write(&mut traffic).map_err(|_| Error::EncryptError)?;
            return Ok(Some(written));
        }
        ConnectionState::EncodeTlsData(data) => unsent.encode(data)?,
        ConnectionState::TransmitTlsData(data) => data.done(),
        // Told once; the reading side has noted it or will find the end of the stream.
        ConnectionState::PeerClosed => {}
        _ => return Err(Error::HandshakeNotComplete),
    }
    Ok(None)
}

/// The state in which a connection takes plaintext; of either end.
trait Traffic {
    fn seal(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, EncryptError>;
    fn goodbye(&mut self, room: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<Data> Traffic for WriteTraffic<'_, Data> {
    fn seal(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, EncryptError> {
        self.encrypt(plaintext, room)
    }

    fn goodbye(&mut self, room: &mut [u8]) -> Result<usize, EncryptError> {
        self.queue_close_notify(room)
    }
}

impl Unsent {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Puts what the connection itself has to say behind the rest.
    fn encode<Data>(&mut self, mut data: EncodeTlsData<'_, Data>) -> Result<(), Error> {
        let before = self.bytes.len();
        // Asked without room, it says how much it takes.
        let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) =
            data.encode(&mut [])
        else {
            return Ok(());
        };
        self.bytes.resize(before + required_size, 0);
        let encoded = data.encode(&mut self.bytes[before..]);
        encoded.map(drop).map_err(|_| Error::EncryptError)
    }

    /// Writes until it is empty, which is when it owns nothing any more.
    pub(super) fn poll_flush(
        &mut self,
        socket: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            match Pin::new(&mut *socket).poll_write(context, &self.bytes[self.start..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => self.start += written?,
            }
        }
        if self.start > 0 {
            *self = Self::default();
        }
        Poll::Ready(Ok(()))
    }
}

impl TlsTransport {
    pub(super) fn new(socket: TcpStream, records: Records) -> Self {
        Self { socket, records }
    }

    /// What was negotiated, and with whom.
    pub fn common(&self) -> &CommonState {
        self.records.common()
    }

    /// New keys for what is sent from now on, and a demand for the same from the peer (RFC 8446 §4.6.3).
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

    /// Lets go of the thread it was made on.
    ///
    /// # Errors
    /// Those of the runtime.
    pub fn detach(self) -> io::Result<(std::net::TcpStream, Records)> {
        Ok((self.socket.into_std()?, self.records))
    }

    /// Takes hold of the thread it is called on.
    ///
    /// # Errors
    /// Those of the runtime.
    pub fn attach(socket: std::net::TcpStream, records: Records) -> io::Result<Self> {
        let socket = TcpStream::from_std(socket)?;
        Ok(Self { socket, records })
    }

    /// Reads what the kernel has and opens it. Returns whether anything was read.
    fn poll_records(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let records = &mut self.records;
        let mut chunk = buffer::borrow_scratch();
        let kept = records.partial.len();
        // Plaintext is shorter than its ciphertext, so there is room for all of it; but a record has to fit.
        let most = kept.max(into.remaining()).max(LARGEST_RECORD + kept).min(CHUNK);
        let mut read = ReadBuf::new(&mut chunk[kept..most]);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        let filled = kept + read.filled().len();
        if filled == kept {
            // The rest of a record that is not whole is not coming any more.
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
                // The alert that tells why. A peer whose socket does not take it at once is not reading.
                drop(records.unsent.poll_flush(&mut self.socket, context));
                // What came whole in front of it counts.
                records.broken = Some(records.failure(&error));
                records.partial = Vec::new();
                return Poll::Ready(Ok(true));
            }
        };
        if done > 0 && !records.proven {
            records.prove(context);
        }
        if done == filled {
            records.partial = Vec::new();
        } else {
            records.partial.clear();
            records.partial.extend_from_slice(&chunk[done..filled]);
        }
        Poll::Ready(Ok(true))
    }

    /// Seals as much of `plaintext` as goes into one write, and writes it.
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
        records.promised = plaintext.len();
        drop(chunk);
        ready!(records.unsent.poll_flush(&mut self.socket, context))?;
        Poll::Ready(Ok(std::mem::take(&mut records.promised)))
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

/// A write is complete when the socket has all of its ciphertext; until then it is pending, and has to be repeated with
/// the same bytes in front. So whoever holds bytes back for a peer that takes none holds all of them, and nothing waits
/// here unnoticed.
impl AsyncWrite for TlsTransport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.records.unsent.poll_flush(&mut this.socket, context))?;
        if this.records.promised > 0 {
            return Poll::Ready(Ok(std::mem::take(&mut this.records.promised).min(bytes.len())));
        }
        this.poll_sealed(context, bytes)
    }

    /// Small pieces share records: answers with rewritten addresses come in many.
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

    /// Says goodbye (close_notify), so that the peer knows that nothing was cut off, and then closes this direction. Waits
    /// for a broker that is not through with the handshake; reading tells when it is.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.records.said_goodbye {
            ready!(this.records.unsent.poll_flush(&mut this.socket, context))?;
            ready!(this.records.poll_through(context));
            this.records.said_goodbye = true;
            // A connection that is broken has said so instead.
            this.records.say_goodbye().unwrap_or_default();
        }
        ready!(this.records.unsent.poll_flush(&mut this.socket, context))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}

impl Transport for TlsTransport {
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(context)
    }

    /// What was read and not handed on counts, and so does half a record: the rest is on its way.
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

    #[inline]
    fn held(&self) -> usize {
        let records = &self.records;
        records.unsent.bytes.capacity() + records.partial.capacity() + records.plain.capacity()
    }

    fn abandon(&mut self) {
        self.records.unsent = Unsent::default();
        self.records.promised = 0;
        self.records.said_goodbye = true;
    }
}
