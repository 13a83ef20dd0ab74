//! Requests that await their answer, oldest first.

use std::collections::VecDeque;

use super::seam::Lift;

/// One request that expects an answer. Produce with `acks=0` never becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// When the read that brought it returned, in microseconds since the session began.
    pub at_us: u64,
    /// The number its answer carries; 0 for a raw SASL token, which has none.
    pub correlation_id: i32,
    /// Number of its API.
    pub api_key: i16,
    /// Version of the request and of its answer; −1 for a raw SASL token.
    pub api_version: i16,
    /// Who answers it, and what becomes of the answer.
    pub expects: Expects,
}

/// Source and destination of the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expects {
    /// The broker answers the client; so much of the answer is lifted out.
    Broker(Lift),
    /// The broker answers the client, and filters read the answer once what kproxy itself lifts out of it is rewritten.
    Filtered(Lift),
    /// The broker answers the client with a raw SASL token, which has no header (SaslHandshake v0, KIP-43).
    Token,
    /// kproxy answers the client, once everything asked before is answered.
    Own,
    /// The broker answers kproxy, which had a question of its own.
    Internal,
    /// The broker answers a filter, which had a question of its own.
    Question,
}

/// The unanswered requests of one session. Brokers answer in the order of requests, so the oldest is answered next.
#[derive(Debug, Default)]
pub struct InFlightTracker {
    entries: VecDeque<InFlight>,
    /// Boxed while there are any: they are rare.
    own: Option<Box<OwnAnswers>>,
}

/// The answers to those requests that are [`Expects::Own`], in their order.
#[derive(Debug, Default)]
struct OwnAnswers {
    frames: VecDeque<Vec<u8>>,
    /// Bytes of memory in all of them.
    bytes: usize,
}

/// Entries for which an idle session keeps memory.
const IDLE_CAPACITY: usize = 64;

/// Entries whose memory is too little to count.
const UNCOUNTED_CAPACITY: usize = 512;

/// Bytes of kproxy's own answers that are too few to count.
const UNCOUNTED_BYTES: usize = 16 * 1024;

/// Requests that may wait for their answers before no more are read. The broker answers one at a time per connection, so
/// a deeper queue gains nothing; TCP holds the rest.
pub(super) const MAX_IN_FLIGHT: usize = 8 * 1024;

/// Answers of kproxy's own that may wait for their turn, or for the client to take them.
const MAX_OWN_ANSWERS: usize = 64;

impl InFlightTracker {
    /// Appends a request that the broker answers.
    #[inline]
    pub fn push(&mut self, entry: InFlight) {
        self.entries.push_back(entry);
    }

    /// Appends a request that `answer`, a whole frame, answers when its turn comes. It does not wait for questions of kproxy's
    /// own that nothing follows.
    pub fn push_own_answer(&mut self, request: InFlight, answer: Vec<u8>) {
        let questions = self.entries.iter().rev();
        let questions = questions.take_while(|asked| asked.expects == Expects::Question);
        let at = self.entries.len() - questions.count();
        let own = InFlight {
            expects: Expects::Own,
            ..request
        };
        self.entries.insert(at, own);
        let own = self.own.get_or_insert_default();
        own.bytes += answer.capacity();
        own.frames.push_back(answer);
    }

    /// The request that is answered next.
    #[inline]
    pub fn oldest(&self) -> Option<&InFlight> {
        self.entries.front()
    }

    /// The request that was asked last.
    pub fn newest(&self) -> Option<&InFlight> {
        self.entries.back()
    }

    /// Removes the request that was asked last because nothing will answer it. kproxy's own answers cannot be removed.
    pub fn remove_newest(&mut self) {
        debug_assert!(self.newest().is_none_or(|newest| newest.expects != Expects::Own));
        self.entries.pop_back();
    }

    /// The request, behind the oldest, that the broker answers next.
    pub fn next_of_broker(&self) -> Option<&InFlight> {
        self.entries
            .iter()
            .skip(1)
            .find(|asked| asked.expects != Expects::Own)
    }

    /// Removes the oldest request: it is answered.
    #[inline]
    pub fn pop(&mut self) {
        self.entries.pop_front();
        if self.entries.is_empty() && self.entries.capacity() > IDLE_CAPACITY {
            self.entries.shrink_to(IDLE_CAPACITY);
        }
    }

    /// Whether the next answer in line is kproxy's own.
    #[inline]
    pub fn is_own_answer_next(&self) -> bool {
        self.own.is_some() && self.oldest().is_some_and(|oldest| oldest.expects == Expects::Own)
    }

    /// Removes the oldest request if kproxy answers it, and returns the answer.
    pub fn pop_own_answer(&mut self) -> Option<Vec<u8>> {
        if !self.is_own_answer_next() {
            return None;
        }
        self.pop();
        let own = self.own.as_mut()?;
        let answer = own.frames.pop_front()?;
        own.bytes -= answer.capacity();
        if own.frames.is_empty() {
            self.own = None;
        }
        Some(answer)
    }

    /// Whether no more requests are to be taken in.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MAX_IN_FLIGHT
            || self
                .own
                .as_ref()
                .is_some_and(|own| own.frames.len() >= MAX_OWN_ANSWERS)
    }

    /// Whether a tracker that was full has room for more than a few.
    pub fn has_room_again(&self) -> bool {
        self.entries.len() <= MAX_IN_FLIGHT / 2 && self.own.is_none()
    }

    /// Bytes of memory it takes; 0 where that is too little to count.
    #[inline]
    pub fn held(&self) -> usize {
        let entries = match self.entries.capacity() {
            0..=UNCOUNTED_CAPACITY => 0,
            capacity => capacity * size_of::<InFlight>(),
        };
        match &self.own {
            Some(own) if own.bytes > UNCOUNTED_BYTES => entries + own.bytes,
            _ => entries,
        }
    }

    /// The unanswered requests, from the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &InFlight> {
        self.entries.iter()
    }

    /// The unanswered requests, as [`Self::iter`], to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut InFlight> {
        self.entries.iter_mut()
    }

    /// Number of unanswered requests.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether every request is answered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
