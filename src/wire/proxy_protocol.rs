//! The PROXY protocol, versions 1 and 2 (HAProxy, `proxy-protocol.txt`): what a load balancer says in front of
//! everything else about the client it connects for.
//!
//! The layout is `proxy-header`'s; sizes, checksums and the strict reading of numbers are kproxy's own.

mod checksum;
mod encode;
mod parse;

pub use encode::{Extras, TlsExtras, encode, encode_local};
pub use parse::parse;

use std::net::SocketAddr;

/// The longest header of version 1, its line end included (§2.1).
pub const MAX_V1: usize = 107;

/// The longest header of version 2 that is taken. It may announce 64 KiB; load balancers send a few hundred bytes.
pub const MAX_V2: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// One line of text.
    V1,
    /// Binary, with more than addresses.
    V2,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing wrong so far; nothing can be said before so many bytes are there, counted from the first.
    Incomplete { at_least: usize },
    /// No header begins so.
    NotAHeader,
    /// The first `len` bytes are this header; what follows is the client's.
    Header { len: usize, header: ProxyHeader },
}

/// What a header says. Owns what it keeps, which is bounded by [`MAX_V2`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyHeader {
    pub version: Version,
    /// `None`: those of the socket hold. The sender speaks for itself (LOCAL), does not know (UNKNOWN, UNSPEC), or was
    /// connected to by something that is not TCP.
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
    /// What it connected to.
    pub destination: SocketAddr,
}

/// The TLS that the sender terminated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxiedTls {
    /// As the sender writes it, `TLSv1.3` for one.
    pub version: Option<String>,
    /// Of the client's certificate.
    pub common_name: Option<String>,
    /// The client showed a certificate and the sender found it good.
    pub verified: bool,
}

/// Bytes that began like a header and are none. The connection they came from is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// In words for a log line.
    #[error("invalid PROXY protocol header: {0}")]
    InvalidHeader(&'static str),
    #[error("the PROXY protocol header is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("the checksum of the PROXY protocol header is wrong")]
    BadChecksum,
}

/// How version 2 begins (§2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Where its addresses begin: behind signature, command, family and length.
const V2_HEAD: usize = SIGNATURE.len() + 4;

/// PP2_TYPE_CRC32C.
const TYPE_CRC32C: u8 = 0x03;

/// What precedes the value of a TLV: its type and its length.
const TLV_HEAD: usize = 3;
