//! For whom a load balancer connects: the PROXY protocol header in front of everything else.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::buffer;
use super::cause::{CloseCause, Fault};
use crate::model::{ProxyProtocol, ProxyProtocolMode, is_trusted};
use crate::wire::proxy_protocol::{self, Parsed, ProxyHeader};

/// How long a header may take from its first byte to its last, or from the connection's beginning where one is
/// required. Whoever sends one sends it with its first packet.
const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The header of a connection, if it has one, and what was read behind it.
///
/// # Errors
/// When there should be one, or should not, or it is broken.
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
            // Whatever it sends is taken for its own.
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

/// Puts what the socket has, at most `most` bytes, behind `bytes`.
///
/// # Errors
/// When the client has closed, or the connection broke.
pub(super) async fn read_some(socket: &TcpStream, bytes: &mut Vec<u8>, most: usize) -> Result<(), Fault> {
    let reset = |error: std::io::Error| Fault::new(CloseCause::ClientReset, error.to_string());
    loop {
        socket.readable().await.map_err(reset)?;
        // Borrowed: whoever says no more owns none.
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
