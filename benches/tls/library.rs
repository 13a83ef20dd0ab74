//! What one end of a TLS connection needs of the library alone: both ends are brought together in memory, one is kept.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use crate::common::process::resident;
use crate::material::{self, BROKER_NAME, Version};
use crate::secure;

/// What can be kept.
pub(crate) const KEPT: [&str; 4] = [
    "server-buffered",
    "server-unbuffered",
    "client-buffered",
    "client-unbuffered",
];

/// Pairs that come and go first, so that caches and the allocator's arenas are not counted.
const WARM: usize = 300;
/// A handshake that takes more turns than this never ends.
const TURNS: usize = 20;
/// More than any record.
const RECORD: usize = 20 * 1024;

/// Keeps `count` of them; how many bytes each takes after `burst` bytes each way.
///
/// # Errors
/// When `kept` is none of [`KEPT`], or a handshake fails.
pub(crate) fn hold(directory: &Path, kept: &str, count: usize, burst: usize) -> io::Result<f64> {
    let client = material::client(Version::Tls13, true)?;
    let server = material::server(directory, "broker", Version::Tls13, true)?;
    let burst = vec![0; burst];
    match kept {
        "server-buffered" => of(count, || Ok(buffered(&client, &server, &burst)?.1)),
        "client-buffered" => of(count, || Ok(buffered(&client, &server, &burst)?.0)),
        "server-unbuffered" => of(count, || Ok(unbuffered(&client, &server, &burst)?.1)),
        "client-unbuffered" => of(count, || Ok(unbuffered(&client, &server, &burst)?.0)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn of<T>(count: usize, make: impl Fn() -> io::Result<T>) -> io::Result<f64> {
    for _ in 0..WARM {
        drop(make()?);
    }
    let start = resident(std::process::id())?;
    let kept: Vec<T> = (0..count).map(|_| make()).collect::<io::Result<_>>()?;
    let grown = resident(std::process::id())?.saturating_sub(start);
    drop(kept);
    Ok(grown as f64 / count as f64)
}

fn name() -> io::Result<ServerName<'static>> {
    ServerName::try_from(BROKER_NAME).map_err(io::Error::other)
}

fn buffered(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    burst: &[u8],
) -> io::Result<(Box<Connection>, Box<Connection>)> {
    let mut client: Box<Connection> = Box::new(
        ClientConnection::new(Arc::clone(client), name()?)
            .map_err(io::Error::other)?
            .into(),
    );
    let mut server: Box<Connection> = Box::new(
        ServerConnection::new(Arc::clone(server))
            .map_err(io::Error::other)?
            .into(),
    );
    for _ in 0..TURNS {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    if client.is_handshaking() || server.is_handshaking() {
        return Err(io::Error::other("a handshake without end"));
    }
    for piece in burst.chunks(RECORD) {
        use io::Write as _;
        client.writer().write_all(piece)?;
        carry(&mut client, &mut server)?;
        server.writer().write_all(piece)?;
        carry(&mut server, &mut client)?;
    }
    Ok((client, server))
}

/// Moves what `from` has to say, in pieces as a socket would.
fn carry(from: &mut Connection, to: &mut Connection) -> io::Result<()> {
    let mut records = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut records)?;
    }
    let mut left = records.as_slice();
    while !left.is_empty() {
        to.read_tls(&mut left)?;
        to.process_new_packets().map_err(io::Error::other)?;
        secure::drain(to, &mut |_| {})?;
    }
    Ok(())
}

type Unbuffered = (Box<UnbufferedClientConnection>, Box<UnbufferedServerConnection>);

fn unbuffered(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    burst: &[u8],
) -> io::Result<Unbuffered> {
    let mut client =
        Box::new(UnbufferedClientConnection::new(Arc::clone(client), name()?).map_err(io::Error::other)?);
    let mut server = Box::new(UnbufferedServerConnection::new(Arc::clone(server)).map_err(io::Error::other)?);
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        turn(&mut *client, &mut to_client, &mut to_server, None)?;
        turn(&mut *server, &mut to_server, &mut to_client, None)?;
    }
    for piece in burst.chunks(RECORD) {
        let client_sent = turn(&mut *client, &mut to_client, &mut to_server, Some(piece))?;
        let server_sent = turn(&mut *server, &mut to_server, &mut to_client, Some(piece))?;
        if !client_sent || !server_sent {
            return Err(io::Error::other("a handshake without end"));
        }
    }
    turn(&mut *client, &mut to_client, &mut to_server, None)?;
    Ok((client, server))
}

/// Takes what came, says what there is to say and `payload`; whether that could be sent.
fn turn(
    end: &mut impl Step,
    incoming: &mut Vec<u8>,
    outgoing: &mut Vec<u8>,
    mut payload: Option<&[u8]>,
) -> io::Result<bool> {
    loop {
        let (discard, goes_on) = end.step(incoming, outgoing, &mut payload)?;
        incoming.drain(..discard);
        if !goes_on {
            return Ok(payload.is_none());
        }
    }
}

/// Either end without buffers of its own.
trait Step {
    /// Bytes that are done with, and whether there is more to do.
    fn step(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut Vec<u8>,
        payload: &mut Option<&[u8]>,
    ) -> io::Result<(usize, bool)>;
}

impl Step for UnbufferedClientConnection {
    fn step(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut Vec<u8>,
        payload: &mut Option<&[u8]>,
    ) -> io::Result<(usize, bool)> {
        take(self.process_tls_records(incoming), outgoing, payload)
    }
}

impl Step for UnbufferedServerConnection {
    fn step(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut Vec<u8>,
        payload: &mut Option<&[u8]>,
    ) -> io::Result<(usize, bool)> {
        take(self.process_tls_records(incoming), outgoing, payload)
    }
}

fn take<D>(
    status: UnbufferedStatus<'_, '_, D>,
    outgoing: &mut Vec<u8>,
    payload: &mut Option<&[u8]>,
) -> io::Result<(usize, bool)> {
    let UnbufferedStatus {
        mut discard, state, ..
    } = status;
    let goes_on = match state.map_err(io::Error::other)? {
        ConnectionState::EncodeTlsData(mut data) => {
            append(outgoing, |space| data.encode(space).map_err(io::Error::other))?;
            true
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            true
        }
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                discard += record.map_err(io::Error::other)?.discard;
            }
            true
        }
        ConnectionState::WriteTraffic(mut traffic) => match payload.take() {
            Some(payload) => {
                append(outgoing, |space| {
                    traffic.encrypt(payload, space).map_err(io::Error::other)
                })?;
                true
            }
            None => false,
        },
        ConnectionState::BlockedHandshake => false,
        _ => return Err(io::Error::other("an unexpected end")),
    };
    Ok((discard, goes_on))
}

fn append(outgoing: &mut Vec<u8>, fill: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
    let start = outgoing.len();
    outgoing.resize(start + 2 * RECORD, 0);
    let written = fill(&mut outgoing[start..])?;
    outgoing.truncate(start + written);
    Ok(())
}
