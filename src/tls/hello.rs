//! The ClientHello of a TLS client, read before the handshake starts: its host name selects the gateway (RFC 6066
//! §3).

use std::fmt;

use rustls::server::Acceptor;

use super::failure::{Failure, FailureKind};

/// Longest accepted ClientHello, in bytes. Real ones have a few hundred bytes, less than 2 KiB with post-quantum
/// keys.
const LONGEST: usize = 16 * 1024;

/// Fatal alert `unrecognized_name` (RFC 6066 §3), with its record header.
pub const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Fatal alert `protocol_version` (RFC 8446 §6.2), with its record header. Also sent where rustls would report a
/// missing extension of a client that is too old.
const PROTOCOL_VERSION: [u8; 7] = [21, 3, 3, 0, 2, 2, 70];

/// Collects the bytes of a client until the ClientHello is complete. The bytes are kept: the handshake begins with
/// them.
#[derive(Default)]
pub struct ClientHello {
    /// The parser, created when the first record is complete.
    acceptor: Option<Box<Acceptor>>,
    bytes: Vec<u8>,
    /// Number of bytes that the parser has consumed.
    accepted: usize,
}

/// Result of reading so far.
#[derive(Debug)]
pub enum Hello {
    /// More bytes are needed.
    Incomplete,
    /// The ClientHello is complete.
    Complete {
        /// Host name in lower case; `None` if the client sent none.
        server_name: Option<String>,
        /// All bytes read from the client.
        bytes: Vec<u8>,
    },
    /// The bytes are not a valid ClientHello.
    Broken {
        /// The reason, for the log and the counters.
        failure: Failure,
        /// The alert to send, with its record header.
        alert: Vec<u8>,
    },
}

impl fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHello")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl ClientHello {
    /// The bytes read so far; empty before the first read.
    pub fn first_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the first record is incomplete. Until it is complete only its bytes are held, so a client that stalls
    /// here costs little more than what it has sent.
    fn is_partial(&self) -> bool {
        const HANDSHAKE: u8 = 22;
        const MAJOR_VERSION: u8 = 3;
        match &self.bytes[..] {
            [HANDSHAKE, MAJOR_VERSION, _, high, low, content @ ..] => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                len <= LONGEST && content.len() < len
            }
            [] | [HANDSHAKE] | [HANDSHAKE, MAJOR_VERSION, ..] => true,
            _ => false,
        }
    }

    /// Adds the bytes that were read next.
    pub fn read(&mut self, bytes: &[u8]) -> Hello {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > LONGEST {
            return Hello::Broken {
                failure: Failure::oversized_hello(),
                alert: Vec::new(),
            };
        }
        if self.acceptor.is_none() && self.is_partial() {
            return Hello::Incomplete;
        }
        let mut bytes = &self.bytes[self.accepted..];
        self.accepted = self.bytes.len();
        let acceptor = self.acceptor.get_or_insert_default();
        loop {
            match acceptor.accept() {
                Ok(Some(accepted)) => {
                    let server_name = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
                    let bytes = std::mem::take(&mut self.bytes);
                    return Hello::Complete { server_name, bytes };
                }
                Ok(None) if bytes.is_empty() => return Hello::Incomplete,
                Ok(None) => {}
                Err((error, mut alert)) => {
                    let failure = Failure::of_client(&error);
                    let mut bytes = Vec::new();
                    match failure.kind {
                        FailureKind::NoCommonVersion => bytes.extend_from_slice(&PROTOCOL_VERSION),
                        // Writing to a vector cannot fail.
                        _ => alert.write_all(&mut bytes).unwrap_or_default(),
                    }
                    return Hello::Broken {
                        failure,
                        alert: bytes,
                    };
                }
            }
            // Reading from a slice cannot fail; the acceptor takes a few kilobytes at a time.
            if acceptor.read_tls(&mut bytes).is_err() {
                return Hello::Broken {
                    failure: Failure::oversized_hello(),
                    alert: Vec::new(),
                };
            }
        }
    }
}
