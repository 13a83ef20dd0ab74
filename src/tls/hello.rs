//! The first message of a client, read before anything is decided: the name it asks for says which gateway it means
//! (RFC 6066 §3).

use std::fmt;

use rustls::server::Acceptor;

use super::failure::{Failure, FailureKind};

/// Longest hello that is waited for. A real one has a few hundred bytes, with post-quantum keys less than 2 KiB.
const LONGEST: usize = 16 * 1024;

/// Fatal alert `unrecognized_name` (RFC 6066 §3) in a record of its own.
pub const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Fatal alert `protocol_version` (RFC 8446 §6.2), also where the library would complain of what a version is known by.
const PROTOCOL_VERSION: [u8; 7] = [21, 3, 3, 0, 2, 2, 70];

/// Takes in the bytes of a client until the hello is whole. They are kept: the handshake begins with them.
#[derive(Default)]
pub struct ClientHello {
    /// Once there is something to accept.
    acceptor: Option<Box<Acceptor>>,
    bytes: Vec<u8>,
    /// How many of them the acceptor has had.
    accepted: usize,
}

/// What is known so far.
#[derive(Debug)]
pub enum Hello {
    Incomplete,
    /// It is whole.
    Complete {
        /// In lower case; `None` if it names none.
        server_name: Option<String>,
        /// All that was read.
        bytes: Vec<u8>,
    },
    /// It is none, and what to answer.
    Broken {
        failure: Failure,
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
    /// What came first, before anything is read into it.
    pub fn first_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether no more can be said before the first record is whole. Until then nothing is held but its bytes: whoever
    /// stalls here costs hardly more than what it has sent.
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

    /// Takes in what was read next.
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
                        // A vector takes everything.
                        _ => alert.write_all(&mut bytes).unwrap_or_default(),
                    }
                    return Hello::Broken {
                        failure,
                        alert: bytes,
                    };
                }
            }
            // Of a slice, so that it cannot fail; the acceptor takes a few kilobytes at a time.
            if acceptor.read_tls(&mut bytes).is_err() {
                return Hello::Broken {
                    failure: Failure::oversized_hello(),
                    alert: Vec::new(),
                };
            }
        }
    }
}
