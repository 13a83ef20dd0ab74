//! The ClientHello of a TLS client, read from the socket.

use tokio::net::TcpStream;

use crate::session::cause::{CloseCause, Fault};
use crate::session::proxied::read_some;
use crate::tls::{ClientHello, Hello};
use crate::wire::frame::{self, BadSize, MIN_REQUEST, SIZE_LEN};

/// Reads a ClientHello. Returns its host name in lower case, and all bytes read.
pub(super) async fn hello(
    socket: &TcpStream,
    prefetched: Vec<u8>,
) -> Result<(Option<String>, Vec<u8>), Fault> {
    let mut reading = ClientHello::default();
    let mut next = prefetched;
    loop {
        if next.is_empty() {
            read_some(socket, &mut next, 4096).await?;
        }
        if reading.first_bytes().is_empty()
            && let Some(fault) = no_tls(&next)
        {
            return Err(fault);
        }
        match reading.read(&next) {
            // No buffer is held while waiting.
            Hello::Incomplete => next = Vec::new(),
            Hello::Complete { server_name, bytes } => return Ok((server_name, bytes)),
            Hello::Broken {
                failure,
                alert: bytes,
            } => {
                alert(socket, &bytes);
                return Err(Fault::tls(&failure));
            }
        }
    }
}

/// The close cause for first bytes that are not TLS.
fn no_tls(bytes: &[u8]) -> Option<Fault> {
    const HANDSHAKE: u8 = 22;
    if bytes.first() == Some(&HANDSHAKE) {
        return None;
    }
    // With a limit this low, other protocols are recognised by their first bytes; Kafka's first request is always
    // small.
    let size = bytes
        .first_chunk::<SIZE_LEN>()
        .map(|prefix| frame::size(*prefix, MIN_REQUEST, 1 << 20));
    Some(match size {
        Some(Err(BadSize::Http)) => Fault::new(
            CloseCause::HttpOnKafkaPort,
            "the client speaks HTTP on a TLS port",
        ),
        Some(Err(bad @ BadSize::ProxyHeader)) => Fault::request_size(bad),
        Some(Ok(_)) => Fault::new(
            CloseCause::PlaintextOnTlsPort,
            "the client speaks plaintext Kafka on a TLS port; its security.protocol is not SSL or SASL_SSL",
        ),
        _ => Fault::new(
            CloseCause::PlaintextOnTlsPort,
            "the client does not speak TLS on a TLS port",
        ),
    })
}

pub(super) fn late_hello() -> Fault {
    Fault::new(CloseCause::TlsHandshakeTimeout, "no complete TLS hello in time")
}

/// Sends an alert if the socket takes it at once, as a new one does.
pub(super) fn alert(socket: &TcpStream, bytes: &[u8]) {
    socket.try_write(bytes).map(drop).unwrap_or_default();
}
