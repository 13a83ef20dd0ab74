//! A bench for tests of filters: bytes in, bytes out, through the inspector that sessions have.
//!
//! [`Bench`] is a session in memory. Its filters are the ones of a test, its broker does what the test says, its clock stands
//! still until the test moves it. There is no socket, and no runtime unless a filter needs one. This is
//! `examples/filter_bench.rs`:
//!
//! ```no_run
#![doc = include_str!("../../examples/filter_bench.rs")]
//! ```
//!
//! [`at_every_split`] repeats a scenario with a read that ends at each byte of either side in turn, because a filter has to
//! decide the same however bytes arrive. [`SessionDriver`] is the session without client and broker, for raw bytes.

mod bench;
mod bench_events;
mod builder;
mod driver;
mod lane;
mod scripted_broker;
mod site;
mod splits;
#[cfg(test)]
mod tests;

pub use bench::{Bench, ClientAnswer};
pub use bench_events::BenchEvent;
pub use builder::BenchBuilder;
pub use driver::SessionDriver;
pub use lane::BenchLane;
pub use scripted_broker::{BrokerCall, ScriptedAnswer, usual_answer};
pub use site::{ADVERTISED_HOST, ADVERTISED_NODES, BenchSite, FIRST_PORT, broker_address};
pub use splits::{BenchSide, ReadCut, at_every_split};

use std::sync::Arc;

use crate::filter::{Chain, Filter};
use crate::wire::frame::SIZE_LEN;

/// A chain of these filters, client-most first, without counters of its own to look at.
pub fn chain_of(filters: impl IntoIterator<Item = Arc<dyn Filter>>) -> Option<Arc<Chain>> {
    Chain::new(
        filters
            .into_iter()
            .map(|filter| (filter, Arc::default()))
            .collect(),
    )
}

/// A frame with this content.
pub fn framed(content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u32).to_be_bytes();
    [&size, content].concat()
}

/// Size prefix and content of each frame; the last may be incomplete.
pub fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.first_chunk::<SIZE_LEN>().map_or(bytes.len(), |size| {
            let size = usize::try_from(i32::from_be_bytes(*size));
            size.map_or(bytes.len(), |size| SIZE_LEN + size)
        });
        let (frame, rest) = bytes.split_at(length.min(bytes.len()));
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// Whether all of a frame that [`frames`] has found is there.
pub fn is_complete(frame: &[u8]) -> bool {
    frame
        .first_chunk::<SIZE_LEN>()
        .is_some_and(|size| frame.len() as i64 == SIZE_LEN as i64 + i64::from(i32::from_be_bytes(*size)))
}
