//! The seam between moving bytes and knowing Kafka.
//!
//! The pump reads, writes, half-closes and keeps what a blocked peer did not take; an [`Inspect`] looks at the
//! bytes of each read and says which of them pass, what stands in their place, and which must wait for more.
//! Nothing here touches a socket, so the whole of it runs under a fuzzer.

mod blind;
mod in_flight;
mod introduction;
mod kafka;
mod principal;
mod request;
mod response;
mod sasl;

pub use blind::Blind;
pub use in_flight::{InFlight, InFlightQueue};
pub use kafka::{KafkaInspector, Learning};
pub use request::judge_head;

use std::time::Duration;

use super::cause::Fault;
use super::output::Output;
use super::pump::Limits;
use crate::wire::frame::SIZE_LEN;

/// What becomes of the bytes of one read once the output has been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of them are dealt with.
    Done,
    /// Those from `from` on are the beginning of something, to be presented again with what follows. They decide nothing
    /// before there are `wanted` of them, which is never more than the rest of the frame.
    Hold { from: usize, wanted: usize },
    /// Those from `from` on are presented again as soon as the inspector allows this direction again.
    Pause { from: usize },
    /// Those from `from` on are presented again once endpoints for `nodes` have been asked for.
    NeedEndpoints { from: usize, nodes: Vec<i32> },
}

impl Verdict {
    /// Where the bytes begin that are presented again, and how many of them there must be.
    pub fn rest(&self) -> Option<(usize, usize)> {
        match *self {
            Self::Done => None,
            Self::Hold { from, wanted } => Some((from, wanted)),
            Self::Pause { from } | Self::NeedEndpoints { from, .. } => Some((from, 0)),
        }
    }
}

/// Bytes of a frame that are looked at one by one: in them stands what is refused.
const HEAD: usize = 64;

/// How much of a frame of `frame` bytes is needed to look again where `here` bytes were not enough. Behind its head it is
/// a fraction more each time, so that all looks together cost no more than a few times the last one.
fn wanted(frame: usize, here: usize) -> usize {
    let more = if here < HEAD { 1 } else { here / 4 };
    frame.min(here + more)
}

/// The same for a frame that begins with its size.
fn wanted_of_frame(rest: &[u8]) -> usize {
    match rest.first_chunk::<SIZE_LEN>() {
        None => SIZE_LEN,
        Some(prefix) => {
            let size = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(0);
            wanted(SIZE_LEN + size, rest.len())
        }
    }
}

/// Looks at both directions of one session.
pub trait Inspect {
    /// The bytes of one read from the client, behind those held before. `now_us` is a time in microseconds
    /// since the session began.
    ///
    /// # Errors
    /// A [`Fault`] ends the session; what was put out before it is still delivered.
    fn requests(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<Verdict, Fault>;

    /// The same for a read from the broker.
    ///
    /// # Errors
    /// As above.
    fn responses(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<Verdict, Fault>;

    /// Whether an answer of kproxy's own is next in line.
    fn owes_answer(&self) -> bool {
        false
    }

    /// Puts out answers of kproxy's own that are next in line.
    fn local_answers(&mut self, out: &mut Output);

    /// Whether requests may be read just now.
    fn accepts_requests(&self) -> bool;

    /// Requests forwarded and not yet answered.
    fn in_flight(&self) -> usize;

    /// Memory that is kept for requests that wait for their answers, where it is more than a little.
    fn held(&self) -> usize {
        0
    }

    /// Nothing is half-way through in either direction.
    fn at_boundary(&self) -> bool;

    /// The request direction stands between two frames.
    fn at_request_boundary(&self) -> bool;

    /// Whether what the client still sends may be looked through for requests that have no answer: nothing that has
    /// one is half-way through.
    fn may_salvage(&self) -> bool {
        self.at_request_boundary()
    }

    /// Closing here surprises no client: it has had a real answer, or has asked for something that has none, or has not
    /// begun to speak, and no authentication is under way.
    fn is_settled(&self) -> bool;

    /// Requests that arrived whole.
    fn requests_completed(&self) -> u64;

    /// The session is to leave as soon as it is quiet: from now on answers ask the client to pause, and requests that
    /// a broker may keep for long are kept for a moment only.
    fn ask_to_leave(&mut self) {}

    /// Whether everything in flight may go unanswered: a client that asks again elsewhere gets the same.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// Takes in how long kproxy kept the bytes of one read.
    fn note_latency(&self, _kept: Duration) {}

    /// From now on requests are not forwarded any more, except those that no client sends twice (`acks=0`).
    fn salvage_only(&mut self);

    /// Looks at the settings anew, because they have changed; returns the time limits that hold now.
    fn refresh(&mut self) -> Option<Limits> {
        None
    }

    /// The session has done its duty and should leave.
    fn wants_to_leave(&self) -> Option<Fault> {
        None
    }
}
