//! The state of one TLS connection without its socket: opens what was read, seals what is to be written.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::{CommonState, Error, HandshakeKind, ProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::handshake::HANDSHAKE_TIMEOUT;
use super::unbuffered::{Connection, RecordProgress, RecordStep, Unsent, Write, read_step, write_traffic};
use crate::tls::{Failure, Peer};

/// The state of a TLS connection without its socket.
pub struct Records {
    pub(super) peer: Peer,
    pub(super) connection: Box<Connection>,
    /// Ciphertext of an incomplete record.
    pub(super) partial: Vec<u8>,
    /// Plaintext that did not fit into the reader's buffer.
    pub(super) plain: Vec<u8>,
    /// Ciphertext that the socket has not taken.
    pub(super) unsent: Unsent,
    /// Number of plaintext bytes within `unsent` that no write has returned yet.
    pub(super) unreported: usize,
    /// The peer sends nothing more.
    pub(super) ended: bool,
    /// Why nothing more can be read.
    pub(super) broken: Option<Failure>,
    /// close_notify is queued or sent: nothing more is written.
    pub(super) close_notify_queued: bool,
    /// The peer is known to have completed the handshake.
    pub(super) peer_ready: bool,
    /// Set while the end of the stream waits for `peer_ready`; when it fires, the wait is over.
    pub(super) ready_deadline: Option<Pin<Box<Sleep>>>,
}

impl Records {
    pub(super) fn new(peer: Peer, connection: Connection) -> Self {
        Self {
            peer,
            connection: Box::new(connection),
            partial: Vec::new(),
            plain: Vec::new(),
            unsent: Unsent::default(),
            unreported: 0,
            ended: false,
            broken: None,
            close_notify_queued: false,
            peer_ready: false,
            ready_deadline: None,
        }
    }

    /// Notes that the handshake is complete on this side, and whether that means that it is on the other side too: the end
    /// that speaks last cannot know.
    pub(super) fn finish_handshake(&mut self) {
        let common = self.connection.common();
        self.peer_ready = match &*self.connection {
            Connection::Server(_) => true,
            // RFC 5246 §7.3: the server's Finished is the last message of a full handshake, and the client's of a
            // resumed one, as it is of every handshake of TLS 1.3.
            Connection::Client(_) => {
                common.protocol_version() == Some(ProtocolVersion::TLSv1_2)
                    && common.handshake_kind() != Some(HandshakeKind::Resumed)
            }
        };
    }

    /// Ready once the peer is known to have completed the handshake, or has had [`HANDSHAKE_TIMEOUT`] to do so.
    ///
    /// A broker that reads the end of the stream during the handshake takes the handshake for failed, and drops the
    /// requests that came before that end.
    pub(super) fn poll_peer_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.peer_ready || self.ended || self.broken.is_some() {
            self.ready_deadline = None;
            return Poll::Ready(());
        }
        let ready_deadline = self
            .ready_deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(HANDSHAKE_TIMEOUT)));
        ready!(ready_deadline.as_mut().poll(context));
        self.peer_ready = true;
        self.ready_deadline = None;
        Poll::Ready(())
    }

    /// Notes that the peer has sent something after the handshake: a ticket (RFC 8446 §4.6.1) or a response.
    pub(super) fn note_peer_ready(&mut self, context: &Context<'_>) {
        self.peer_ready = true;
        if self.ready_deadline.take().is_some() {
            // The end of the stream can be sent now: wake the task that waits for that.
            context.waker().wake_by_ref();
        }
    }

    pub(super) fn common(&self) -> &CommonState {
        self.connection.common()
    }

    pub(super) fn failure(&self, error: &Error) -> Failure {
        Failure::of(self.peer, error)
    }

    /// Opens the whole records in `bytes`, which begin with the bytes that were left before; plaintext goes to `into`.
    /// Returns how many bytes are consumed; the others have to be presented again.
    ///
    /// # Errors
    /// Why the connection is broken. The alert for the peer is in `unsent` then.
    pub(super) fn open(
        &mut self,
        bytes: &mut [u8],
        into: &mut dyn FnMut(&[u8]),
    ) -> Result<(usize, RecordProgress), Error> {
        let mut done = 0;
        loop {
            let (discard, step) = match &mut *self.connection {
                Connection::Server(server) => read_step(
                    server.process_tls_records(&mut bytes[done..]),
                    &mut self.unsent,
                    into,
                ),
                Connection::Client(client) => read_step(
                    client.process_tls_records(&mut bytes[done..]),
                    &mut self.unsent,
                    into,
                ),
            };
            done += discard;
            match step {
                RecordStep::Again => {}
                RecordStep::Ended => self.ended = true,
                RecordStep::Progress(progress) => return Ok((done, progress)),
                RecordStep::Broken(error) => {
                    self.collect_alert();
                    return Err(error);
                }
            }
        }
    }

    /// Opens records during the handshake, when no plaintext is expected. Plaintext that comes is kept.
    pub(super) fn open_early(&mut self, bytes: &mut [u8]) -> Result<(usize, RecordProgress), Error> {
        let mut plain = std::mem::take(&mut self.plain);
        let opened = self.open(bytes, &mut |bytes| plain.extend_from_slice(bytes));
        self.plain = plain;
        opened
    }

    /// Keeps `partial`, which was read and not opened.
    pub(super) fn keep(&mut self, mut partial: Vec<u8>) {
        partial.shrink_to_fit();
        self.partial = partial;
    }

    /// Writes the unsent ciphertext. Ready when there is none.
    pub(super) fn poll_unsent(
        &mut self,
        socket: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.unsent.poll_flush(socket, context)
    }

    /// Puts the alert of a broken connection behind the unsent ciphertext.
    fn collect_alert(&mut self) {
        let (unsent, ignore) = (&mut self.unsent, &mut |_: &[u8]| {});
        let (_, _step) = match &mut *self.connection {
            Connection::Server(server) => read_step(server.process_tls_records(&mut []), unsent, ignore),
            Connection::Client(client) => read_step(client.process_tls_records(&mut []), unsent, ignore),
        };
    }

    /// Calls `write` once the connection takes plaintext; returns the length of the ciphertext.
    fn while_open(&mut self, write: &mut Write<'_>) -> Result<usize, Error> {
        loop {
            let written = match &mut *self.connection {
                Connection::Server(server) => {
                    write_traffic(server.process_tls_records(&mut []), &mut self.unsent, write)
                }
                Connection::Client(client) => {
                    write_traffic(client.process_tls_records(&mut []), &mut self.unsent, write)
                }
            };
            if let Some(written) = written? {
                return Ok(written);
            }
        }
    }

    /// Seals `plaintext` into `room`, which is large enough. Returns the length of the ciphertext.
    pub(super) fn seal(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, Error> {
        self.while_open(&mut |traffic| traffic.seal(plaintext, room))
    }

    /// Puts close_notify behind the unsent ciphertext.
    pub(super) fn queue_close_notify(&mut self) -> Result<(), Error> {
        let mut room = [0; 256];
        let len = self.while_open(&mut |traffic| traffic.close_notify(&mut room))?;
        self.unsent.bytes.extend_from_slice(&room[..len]);
        Ok(())
    }
}
