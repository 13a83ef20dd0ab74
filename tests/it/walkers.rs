//! What the wire layer promises, held against kafka-protocol as the oracle and, for the versions that crate lacks,
//! against bytes made by hand.
//!
//! 1. Rewriting the part of a response that carries addresses gives what decoding, changing and encoding the whole
//!    message gives, byte for byte, in every version; tagged fields nobody knows survive.
//! 2. A node without an address of ours is never named with one.
//! 3. Of a Metadata answer only the prefix up to the brokers is looked at.
//! 4. A tail is found at the same place however the bytes arrive.
//! 5. A tail can be made to fit every length from its own upwards, stays valid, and leaks no address.
//! 6. Header fields and `acks` are read from every version; what kproxy itself asks is what a broker understands.
//! 7. ApiVersions answers are narrowed and otherwise unchanged.
//! 8. Hostile bytes never panic and never make the output grow beyond a small multiple of the input.

mod against_oracle;
pub(crate) mod entropy;
mod hostile;
mod layouts;
pub(crate) mod messages;
mod requests;
mod seeds;
mod support;
mod tails;
mod versions;
