//! The PROXY protocol header at the beginning of a connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::buffer;
use super::cause::{CloseCause, Fault};
use crate::model::{ProxyProtocol, ProxyProtocolMode, is_trusted};
use crate::wire::proxy_protocol::{self, Parsed, ProxyHeader};

/// Time limit for a complete header, from its first byte, or from the accept where a header is required. A load
/// balancer sends it in its first packet.
const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the header of a connection, if it has one, and returns it with the bytes read behind it.
///
/// # Errors
/// [`Fault`] if a required header is missing, untrusted, late or invalid.
pub(super) async fn read_header(
    socket: &TcpStream,
    peer: SocketAddr,
    settings: &ProxyProtocol,
) -> Result<(Option<ProxyHeader>, Vec<u8>), Fault> {
    let required = match settings.mode {
        ProxyProtocolMode::Disabled => return Ok((None, Vec::new())),
        ProxyProtocolMode::Allowed => false,
        ProxyProtocolMode::Required => true,
    };
    if !is_trusted(peer.ip(), &settings.trusted_peers) {
        let why = format!("{} is not among `trustedPeers`", peer.ip());
        return match required {
            true => Err(Fault::new(CloseCause::ProxyHeaderUntrusted, why)),
            // The bytes of an untrusted peer are taken as the client's own.
            false => Ok((None, Vec::new())),
        };
    }
    let reading = read(socket, required);
    let late = || {
        Fault::new(
            CloseCause::ProxyHeaderTimeout,
            "no complete PROXY protocol header",
        )
    };
    tokio::time::timeout(PROXY_HEADER_TIMEOUT, reading)
        .await
        .map_err(|_| late())?
}

async fn read(socket: &TcpStream, required: bool) -> Result<(Option<ProxyHeader>, Vec<u8>), Fault> {
    let mut bytes = Vec::new();
    loop {
        match proxy_protocol::parse(&bytes) {
            Ok(Parsed::Header { len, header }) => {
                bytes.drain(..len);
                bytes.shrink_to_fit();
                return Ok((Some(header), bytes));
            }
            Ok(Parsed::NotAHeader) if required => {
                let why = "the connection does not begin with a PROXY protocol header";
                return Err(Fault::new(CloseCause::ProxyHeaderMissing, why));
            }
            Ok(Parsed::NotAHeader) => return Ok((None, bytes)),
            Ok(Parsed::Incomplete { .. }) => {}
            Err(error) => return Err(Fault::new(CloseCause::ProxyHeaderInvalid, error.to_string())),
        }
        read_some(socket, &mut bytes, 1024).await?;
    }
}

/// Reads at most `most` bytes and appends them to `bytes`.
///
/// # Errors
/// [`Fault`] if the client has closed or the connection broke.
pub(super) async fn read_some(socket: &TcpStream, bytes: &mut Vec<u8>, most: usize) -> Result<(), Fault> {
    let reset = |error: std::io::Error| Fault::new(CloseCause::ClientReset, error.to_string());
    loop {
        socket.readable().await.map_err(reset)?;
        // Borrowed, so that a silent connection owns no buffer.
        let mut chunk = buffer::borrow_scratch();
        let read = socket.try_read(&mut chunk[..most]);
        match read {
            Ok(0) => return Err(Fault::new(CloseCause::ClientClosed, "")),
            Ok(read) => {
                bytes.extend_from_slice(&chunk[..read]);
                return Ok(());
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(reset(error)),
        }
    }
}
