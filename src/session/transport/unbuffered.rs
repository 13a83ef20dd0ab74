//! The two ends of rustls' unbuffered API behind one type, and what each of its states asks for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{CommonState, Error};
use tokio::io::AsyncWrite as _;
use tokio::net::TcpStream;

/// One end of a TLS connection.
pub enum Connection {
    /// The end towards a client.
    Server(UnbufferedServerConnection),
    /// The end towards a broker.
    Client(UnbufferedClientConnection),
}

/// How far a connection has come with the records that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordProgress {
    /// It needs more records; it is in the handshake.
    Blocked,
    /// It needs more records, and takes plaintext.
    Open,
}

impl Connection {
    /// The state that both kinds of end have.
    pub fn common(&self) -> &CommonState {
        match self {
            Self::Server(connection) => connection,
            Self::Client(connection) => connection,
        }
    }
}

/// Ciphertext that the socket has not taken.
#[derive(Default)]
pub(super) struct Unsent {
    pub(super) bytes: Vec<u8>,
    start: usize,
}

/// A function that writes while a connection takes plaintext; returns the length of the ciphertext.
pub(super) type Write<'w> = dyn FnMut(&mut dyn SealTraffic) -> Result<usize, EncryptError> + 'w;

/// What follows from one state of a connection that reads.
pub(super) enum RecordStep {
    /// The next state is to be looked at.
    Again,
    /// The peer sends nothing more.
    Ended,
    /// No whole record is left.
    Progress(RecordProgress),
    /// The connection is broken.
    Broken(Error),
}

/// Handles one state of a connection that reads: plaintext goes to `into`, what the connection itself has to send to
/// `unsent`. Returns how many bytes are consumed.
pub(super) fn read_step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    unsent: &mut Unsent,
    into: &mut dyn FnMut(&[u8]),
) -> (usize, RecordStep) {
    let UnbufferedStatus { mut discard, state } = status;
    let step = match state {
        Err(error) => RecordStep::Broken(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut step = RecordStep::Again;
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        into(record.payload);
                    }
                    Err(error) => step = RecordStep::Broken(error),
                }
            }
            step
        }
        Ok(ConnectionState::EncodeTlsData(data)) => match unsent.encode(data) {
            Ok(()) => RecordStep::Again,
            Err(error) => RecordStep::Broken(error),
        },
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // It goes out before anything that is sealed later.
            data.done();
            RecordStep::Again
        }
        Ok(ConnectionState::PeerClosed) => RecordStep::Ended,
        Ok(ConnectionState::WriteTraffic(_) | ConnectionState::Closed) => {
            RecordStep::Progress(RecordProgress::Open)
        }
        Ok(ConnectionState::BlockedHandshake) => RecordStep::Progress(RecordProgress::Blocked),
        Ok(_) => RecordStep::Broken(Error::General("early data was not offered".into())),
    };
    (discard, step)
}

/// Handles one state of a connection that writes; calls `write` if the connection takes plaintext, and returns its result.
pub(super) fn write_traffic<Data>(
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
        // Reported once only; the reading side has noted it or will read the end of the stream.
        ConnectionState::PeerClosed => {}
        _ => return Err(Error::HandshakeNotComplete),
    }
    Ok(None)
}

/// The state in which a connection takes plaintext, whichever end it is.
pub(super) trait SealTraffic {
    fn seal(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, EncryptError>;
    fn close_notify(&mut self, room: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<Data> SealTraffic for WriteTraffic<'_, Data> {
    fn seal(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, EncryptError> {
        self.encrypt(plaintext, room)
    }

    fn close_notify(&mut self, room: &mut [u8]) -> Result<usize, EncryptError> {
        self.queue_close_notify(room)
    }
}

impl Unsent {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Appends what the connection itself has to send.
    fn encode<Data>(&mut self, mut data: EncodeTlsData<'_, Data>) -> Result<(), Error> {
        let before = self.bytes.len();
        // Called without room, it returns how much it needs.
        let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) =
            data.encode(&mut [])
        else {
            return Ok(());
        };
        self.bytes.resize(before + required_size, 0);
        let encoded = data.encode(&mut self.bytes[before..]);
        encoded.map(drop).map_err(|_| Error::EncryptError)
    }

    /// Writes until it is empty, and then frees its memory.
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
