//! The PROXY protocol, versions 1 and 2 (HAProxy, `proxy-protocol.txt`): a header with which a load balancer begins a
//! connection, and which describes the client that it connects for. Section numbers refer to that document.
//!
//! The crate `proxy-header` knows the layout; sizes, checksums and the strict reading of numbers are kproxy's own.

mod checksum;
mod encode;
mod parse;

pub use encode::{Extras, TlsExtras, encode, encode_local};
pub use parse::parse;

pub(crate) use checksum::crc32c;

use std::net::SocketAddr;

/// The longest header of version 1, in bytes, its line end included (§2.1).
pub const MAX_V1: usize = 107;

/// The longest header of version 2 that is accepted, in bytes. It may announce 64 KiB; load balancers send a few hundred
/// bytes.
pub const MAX_V2: usize = 4096;

/// Version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// One line of text.
    V1,
    /// Binary, with more than addresses.
    V2,
}

/// Outcome of reading the first bytes of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// More bytes decide.
    Incomplete {
        /// Number of bytes, from the first, below which nothing is decided.
        at_least: usize,
    },
    /// The bytes do not begin a header.
    NotAHeader,
    /// The connection begins with a header; the client's bytes follow.
    Header {
        /// Length of the header in bytes.
        len: usize,
        /// Its content.
        header: ProxyHeader,
    },
}

/// Content of a header. It owns its texts, whose length [`MAX_V2`] bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Version in which it was written.
    pub version: Version,
    /// Addresses of the client's connection. `None`: the socket's are valid, because the sender speaks for itself
    /// (LOCAL), does not know them (UNKNOWN, UNSPEC), or was not connected to over TCP.
    pub addresses: Option<Addresses>,
    /// The host name the client asked for, usually in its TLS hello (PP2_TYPE_AUTHORITY).
    pub authority: Option<String>,
    /// Set if the client spoke TLS to the sender (PP2_TYPE_SSL).
    pub tls: Option<ProxiedTls>,
    /// Opaque, at most 128 bytes (PP2_TYPE_UNIQUE_ID).
    pub unique_id: Option<Box<[u8]>>,
}

/// Both ends of the connection that the sender accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// The address that the client connected to.
    pub destination: SocketAddr,
}

/// The TLS that the sender terminated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxiedTls {
    /// TLS version as the sender writes it, for example `TLSv1.3`.
    pub version: Option<String>,
    /// Common name in the client's certificate.
    pub common_name: Option<String>,
    /// The client presented a certificate and the sender verified it.
    pub verified: bool,
}

/// Why bytes that began like a header are none. The connection they came from has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// The header breaks a rule; which one, in words for a log line.
    #[error("invalid PROXY protocol header: {0}")]
    InvalidHeader(&'static str),
    /// The header is longer than kproxy accepts.
    #[error("the PROXY protocol header is longer than {max} bytes")]
    TooLong {
        /// The longest accepted, in bytes.
        max: usize,
    },
    /// PP2_TYPE_CRC32C does not match the header.
    #[error("the checksum of the PROXY protocol header is wrong")]
    BadChecksum,
}

/// The first bytes of version 2 (§2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes before the addresses of version 2: signature, command, family and length.
const V2_HEAD: usize = SIGNATURE.len() + 4;

/// PP2_TYPE_CRC32C.
const TYPE_CRC32C: u8 = 0x03;

/// Bytes before the value of a TLV: its type and its length.
const TLV_HEAD: usize = 3;
