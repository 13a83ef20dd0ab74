//! Kafka's wire format, as far as a proxy has to know it.
//!
//! Everything here is pure: bytes in, bytes out, no clock and no sockets. Nothing panics on hostile bytes and
//! nothing is allocated because a length on the wire claims so: a length is compared with the bytes that have arrived
//! before it is used.
//!
//! * [`api`]: the table of APIs a client may use, and what a proxy has to know of each
//! * [`cursor`]: bounds-checked reading, appending writing
//! * [`error_code`]: the numbers, names and texts of errors
//! * [`frame`]: the size prefix, and what stands there when the peer does not speak Kafka
//! * [`header`]: request and response headers, and the few body fields that decide how a frame is treated
//! * [`throttle`], [`max_wait`]: the fields by which a client is asked to pause and a broker to answer soon
//! * [`login`]: the frames by which kproxy itself authenticates
//! * [`sasl`]: the principal of an authentication that passes through
//! * [`schema`]: every message by the schemas of Kafka: checked, searched, edited and built
//! * [`skip`]: walks a body that arrives in pieces without keeping any of it
//! * [`rewrite`]: replaces broker addresses in the responses that carry them
//! * [`api_versions`]: narrows a broker's version ranges to what kproxy understands
//! * [`probe`]: the requests kproxy sends on its own behalf
//! * [`proxy_protocol`]: the header in which a load balancer names the client

pub mod api;
pub mod api_versions;
pub mod cursor;
pub mod error_code;
pub mod frame;
pub mod header;
pub mod login;
pub mod max_wait;
pub mod probe;
pub mod proxy_protocol;
pub mod rewrite;
pub mod sasl;
pub mod sasl_answers;
pub mod schema;
pub mod skip;
pub mod throttle;

/// Bytes that are not what the protocol says they should be. The connection they came from may be out of step and has
/// to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}")]
pub struct Malformed {
    /// The element that was wrong, in words for a log line.
    pub what: &'static str,
}

impl Malformed {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what }
    }
}
