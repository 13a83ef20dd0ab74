//! The border between moving bytes and knowing Kafka.
//!
//! The pump reads, writes, half-closes and keeps what a blocked peer did not take; an [`Inspect`] reads the bytes of
//! each read and says which of them pass, what stands in their place, and which must wait for more. Nothing here touches
//! a socket, so all of it runs under a fuzzer.

mod blind;
mod in_flight;
mod kafka;
mod seam;

pub use blind::Blind;
pub use in_flight::{Expects, InFlight, InFlightTracker};
pub use kafka::{
    KafkaInspector, Learning, SessionLogin, fault_of_leave, judge_head, note_client, own_answer,
    session_facts,
};
pub use seam::{InstalledChain, Lift};

use std::pin::Pin;
use std::time::Duration;

use super::cause::Fault;
use super::output::Output;
use super::pump::Limits;
use crate::wire::frame::SIZE_LEN;

/// Outcome of one read: which bytes are left over, and when they are presented again. Positions count from the first byte
/// presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectResult {
    /// Nothing is left over.
    Done,
    /// The bytes from `from` on are the beginning of something: they are presented again, with what follows, once there
    /// are `wanted` of them. `wanted` never exceeds the rest of the frame.
    Hold {
        /// Position of the first byte that is left over.
        from: usize,
        /// Number of bytes, from there, below which nothing is decided.
        wanted: usize,
    },
    /// The bytes from `from` on are presented again as soon as [`Inspect::accepts_requests`] is true. Of answers: as soon as
    /// the future of [`Inspect::take_wait`] is ready.
    Pause {
        /// Position of the first byte that is left over.
        from: usize,
    },
    /// The bytes from `from` on are presented again once endpoints for `nodes` have been requested.
    NeedEndpoints {
        /// Position of the first byte that is left over.
        from: usize,
        /// Ids of nodes that have no endpoint yet and could be given one.
        nodes: Vec<i32>,
    },
}

/// What a paused direction waits for.
pub struct Wait(pub Pin<Box<dyn Future<Output = ()> + Send>>);

impl std::fmt::Debug for Wait {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Wait")
    }
}

/// How a session treats its client while it is drained. A session only ever moves down this list, but for the way back from
/// the modes of a session that moves, see [`Inspect::release_requests`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrainMode {
    /// The session is not drained.
    #[default]
    Off,
    /// The session is to move to another broker connection: everything is forwarded, and requests that a broker may hold
    /// back for long are held back only briefly.
    Shortening,
    /// The session is about to move: no request is forwarded.
    Holding,
    /// Everything is forwarded. Answers ask the client to pause, and requests that a broker may hold back for long are
    /// held back only briefly, so that the session falls quiet.
    Throttling,
    /// Requests that expect an answer are dropped. Requests without one (Produce with `acks=0`) are forwarded, because
    /// no client sends them twice.
    Acks0Only,
}

impl InspectResult {
    /// Where the bytes begin that are presented again, and how many of them there must be before they are.
    pub fn rest(&self) -> Option<(usize, usize)> {
        match *self {
            Self::Done => None,
            Self::Hold { from, wanted } => Some((from, wanted)),
            Self::Pause { from } | Self::NeedEndpoints { from, .. } => Some((from, 0)),
        }
    }
}

/// Bytes at the beginning of a frame that are judged one by one as they arrive: what is refused is in them.
const HEAD: usize = 64;

/// Bytes of a frame of `frame` bytes to wait for where `received` were not enough. Behind its head they are a fraction
/// more each time, so that judging again and again costs no more than a few times the last judgement.
fn wanted(frame: usize, received: usize) -> usize {
    let more = if received < HEAD { 1 } else { received / 4 };
    frame.min(received + more)
}

/// Bytes to wait for, see [`wanted`], of a frame whose beginning, size prefix included, is `rest`.
fn wanted_of_frame(rest: &[u8]) -> usize {
    match rest.first_chunk::<SIZE_LEN>() {
        None => SIZE_LEN,
        Some(prefix) => {
            let size = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(0);
            wanted(SIZE_LEN + size, rest.len())
        }
    }
}

/// The inspector of one session: reads both directions and decides what passes.
///
/// It belongs to one pump and is called by it alone. The pump is either *open*, with both directions moving, or
/// *leaving*, when only requests without an answer are still forwarded.
///
/// | called | when | what the pump does with it |
/// |---|---|---|
/// | [`refresh`](Self::refresh) | first in a poll, if the settings have changed | applies the returned limits |
/// | [`accepts_requests`](Self::accepts_requests) | before each read from the client | reads only if true; asks again after each read from the broker |
/// | [`requests`](Self::requests) | open: after each read from the client, and for paused bytes once requests are accepted; leaving: after each read from the client in [`DrainMode::Acks0Only`] | writes the output to the broker, then follows the result |
/// | [`owes_answer`](Self::owes_answer), [`write_own_answers`](Self::write_own_answers) | before each read from the broker | writes answers of kproxy's own, once the client has taken everything before them |
/// | [`responses`](Self::responses) | open: after each read from the broker, and again when requested endpoints are known | writes the output to the client, then follows the result |
/// | [`take_wait`](Self::take_wait) | after a result of [`InspectResult::Pause`] | presents that direction's bytes again once the future is ready |
/// | [`request_bytes_left`](Self::request_bytes_left), [`response_bytes_left`](Self::response_bytes_left) | after each read of that direction | decides how much the next read takes |
/// | [`wants_to_leave`](Self::wants_to_leave), [`is_settled`](Self::is_settled), [`is_repeatable`](Self::is_repeatable) | open, when neither direction moves | decides whether the session leaves |
/// | [`set_drain_mode`](Self::set_drain_mode) | open: while a drain is ordered; once when leaving begins | nothing |
/// | [`may_move`](Self::may_move), [`hold_requests`](Self::hold_requests), [`release_requests`](Self::release_requests) | open, when neither direction moves, while an order to leave allows to move | moves once all requests are answered |
/// | [`in_flight`](Self::in_flight), [`held`](Self::held), [`requests_completed`](Self::requests_completed) | last in a poll | reports the session's progress and memory |
///
/// Legal transitions: after an [`Err`] from `requests` or `responses` that direction is not presented again (except for
/// requests while leaving). Bytes that a result did not cover are presented again first, followed by new ones, never
/// fewer. After [`InspectResult::Pause`] nothing is presented until `accepts_requests` is true.
pub trait Inspect {
    /// Judges the bytes of one read from the client, behind those held before. `now_us` is the time of the read in
    /// microseconds since the session began.
    ///
    /// # Errors
    /// A [`Fault`] ends the session; what was put out before it is still delivered.
    fn requests(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<InspectResult, Fault>;

    /// Judges the bytes of one read from the broker, behind those held before. `now_us` as in [`Self::requests`].
    ///
    /// # Errors
    /// A [`Fault`] ends the session; what was put out before it is still delivered.
    fn responses(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<InspectResult, Fault>;

    /// Whether the oldest unanswered request is to be answered by kproxy, and the answer may be written now.
    fn owes_answer(&self) -> bool {
        false
    }

    /// Puts out the answers of kproxy's own that are next in line.
    fn write_own_answers(&mut self, _out: &mut Output) {}

    /// Whether requests may be read now.
    fn accepts_requests(&self) -> bool {
        true
    }

    /// Removes what a paused direction waits for, if that is not an answer or room for more requests. The paused bytes are
    /// presented again when it is ready.
    fn take_wait(&mut self) -> Option<Wait> {
        None
    }

    /// Number of requests that are forwarded, or to be answered by kproxy, and not yet answered.
    fn in_flight(&self) -> usize {
        0
    }

    /// Bytes of memory kept for unanswered requests; 0 where it is too little to count.
    fn held(&self) -> usize {
        0
    }

    /// Whether both directions stand between two frames.
    fn at_boundary(&self) -> bool {
        true
    }

    /// Whether the request direction stands between two frames.
    fn at_request_boundary(&self) -> bool {
        true
    }

    /// Number of bytes of the request in progress that are still to be read; 0 between two frames.
    fn request_bytes_left(&self) -> usize {
        0
    }

    /// Number of bytes of the response in progress that are still to be read; 0 between two frames.
    fn response_bytes_left(&self) -> usize {
        0
    }

    /// Whether requests without an answer can be told from others from here on: no request that has an answer is
    /// half-way through.
    fn can_forward_acks0(&self) -> bool {
        self.at_request_boundary()
    }

    /// Whether closing now surprises no client: it has had a real answer, has sent a request that has none, or has not
    /// begun to speak; and no authentication is under way.
    fn is_settled(&self) -> bool {
        true
    }

    /// Number of requests that have arrived whole.
    fn requests_completed(&self) -> u64;

    /// Whether no client loses anything if all requests in flight stay unanswered, because it may repeat each of them.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// Records for how long kproxy kept the bytes of one read.
    fn record_added_latency(&self, _kept: Duration) {}

    /// Sets how requests and answers are treated from now on. A mode above the current one is ignored.
    fn set_drain_mode(&mut self, _mode: DrainMode) {}

    /// Whether the session could go on over another broker connection, as far as is known now.
    fn may_move(&self) -> bool {
        false
    }

    /// Whether what [`Self::take_wait`] has returned last is the end of a pause.
    fn waits_for_pause(&self) -> bool {
        false
    }

    /// Whether requests wait because somebody has paused the virtual cluster.
    fn is_paused(&self) -> bool {
        false
    }

    /// Has requests wait from the next one on, so that all before are answered. Returns whether they wait; false while
    /// an answer may take long. `asked_us` is the time of the first call, as in [`Self::requests`].
    fn hold_requests(&mut self, _asked_us: u64) -> bool {
        false
    }

    /// Ends what [`Self::hold_requests`] began.
    fn release_requests(&mut self) {}

    /// Reads the settings again after a reload; returns the time limits that are in force now.
    fn refresh(&mut self) -> Option<Limits> {
        None
    }

    /// Why the session should end, if it has done what it was opened for.
    fn wants_to_leave(&self) -> Option<Fault> {
        None
    }
}
