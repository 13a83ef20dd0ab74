//! Requests that await their answer, oldest first.

use std::collections::VecDeque;

/// One request that expects an answer. `acks=0` produce never becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// When the read that brought it returned, in microseconds since the session began.
    pub at_us: u64,
    pub correlation_id: i32,
    pub api_key: i16,
    pub api_version: i16,
    pub expects: Expects,
}

/// Where the answer comes from and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expects {
    /// The broker's, to the client.
    Answer,
    /// The same, and nothing in it is looked at.
    Opaque,
    /// The same, and it may name brokers at its end.
    Tailed,
    /// A raw token without header (SaslHandshake v0), to the client.
    Token,
    /// kproxy's own, written when it is its turn.
    Local,
    /// The broker's, to kproxy, which had a question of its own.
    Internal,
}

/// The queue of one session.
#[derive(Debug, Default)]
pub struct InFlightQueue {
    entries: VecDeque<InFlight>,
    /// How many of them are [`Expects::Local`].
    local: usize,
}

/// Capacity an idle session may keep.
const KEPT: usize = 64;

/// Capacity that is not worth counting.
const LITTLE: usize = 512;

/// Requests that may wait for their answers before no more are read. The broker answers one at a time per connection, so
/// a deeper queue gains nothing; TCP holds the rest.
pub(super) const MOST: usize = 8 * 1024;

/// Answers of kproxy's own that may wait for their turn, or for the client to take them.
const MOST_LOCAL: usize = 64;

impl InFlightQueue {
    #[inline]
    pub fn push(&mut self, entry: InFlight) {
        self.entries.push_back(entry);
    }

    /// Queues an answer of kproxy's own behind everything that was asked before.
    pub fn push_local(&mut self, entry: InFlight) {
        self.entries.push_back(InFlight {
            expects: Expects::Local,
            ..entry
        });
        self.local += 1;
    }

    #[inline]
    pub fn oldest(&self) -> Option<&InFlight> {
        self.entries.front()
    }

    /// The one asked last.
    pub fn newest(&self) -> Option<&InFlight> {
        self.entries.back()
    }

    /// Takes back the one asked last: nothing answers it. It is not one of kproxy's own answers.
    pub fn take_back(&mut self) {
        debug_assert!(
            self.newest()
                .is_none_or(|newest| newest.expects != Expects::Local)
        );
        self.entries.pop_back();
    }

    /// What the broker answers behind the oldest.
    pub fn next_of_broker(&self) -> Option<&InFlight> {
        self.entries
            .iter()
            .skip(1)
            .find(|asked| asked.expects != Expects::Local)
    }

    #[inline]
    pub fn pop(&mut self) {
        self.entries.pop_front();
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            self.entries.shrink_to(KEPT);
        }
    }

    /// Whether the next answer in line is kproxy's own.
    #[inline]
    pub fn is_local_next(&self) -> bool {
        self.local > 0
            && self
                .oldest()
                .is_some_and(|oldest| oldest.expects == Expects::Local)
    }

    /// What the next answer in line answers, if it is kproxy's own.
    pub fn pop_local(&mut self) -> Option<InFlight> {
        let oldest = *self.oldest()?;
        if oldest.expects != Expects::Local {
            return None;
        }
        self.pop();
        self.local -= 1;
        Some(oldest)
    }

    /// Whether no more requests are to be taken in.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MOST || self.local >= MOST_LOCAL
    }

    /// Whether a queue that was full has room for more than a few.
    pub fn has_room_again(&self) -> bool {
        self.entries.len() <= MOST / 2 && self.local == 0
    }

    /// Memory it takes, where that is more than a little.
    #[inline]
    pub fn held(&self) -> usize {
        match self.entries.capacity() {
            0..=LITTLE => 0,
            capacity => capacity * size_of::<InFlight>(),
        }
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &InFlight> {
        self.entries.iter()
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
