//! One direction of a session of a test: everything that came in, everything that went out.

use crate::session::Output;
use crate::session::inspect::InspectResult;

/// One direction.
#[derive(Debug, Default)]
pub struct BenchLane {
    /// Everything that came in.
    pub input: Vec<u8>,
    /// Everything that went out.
    pub output: Vec<u8>,
    /// Number of bytes at the end of the input that have not been dealt with.
    pub held: usize,
    /// Fewer of them decide nothing.
    wanted: usize,
    /// They wait for something other than more bytes.
    pub paused: bool,
    /// Something has arrived since they were last presented.
    fresh: bool,
}

impl BenchLane {
    /// The part of the input that has been dealt with.
    pub fn dealt(&self) -> &[u8] {
        &self.input[..self.input.len() - self.held]
    }

    /// The part of the input that has not been dealt with.
    pub fn waiting(&self) -> &[u8] {
        &self.input[self.input.len() - self.held..]
    }

    /// Has bytes arrive.
    pub fn arrive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.held += bytes.len();
        self.fresh |= !bytes.is_empty();
    }

    /// Has what is held be presented although less has arrived than was wanted: how much that is depends on the pieces.
    pub(super) fn look_once_more(&mut self) {
        self.wanted = 0;
        self.fresh = self.held > 0;
    }

    /// Whether what is held is presented now.
    pub(super) fn is_due(&self) -> bool {
        self.paused || (self.fresh && self.held >= self.wanted)
    }

    /// Takes in what was decided about the bytes that were presented.
    ///
    /// # Panics
    /// The decision breaks what [`InspectResult`] promises.
    pub(super) fn decided(&mut self, result: &InspectResult, out: &Output) {
        let presented = self.held;
        self.output.extend(out.to_vec(self.waiting()));
        let (from, wanted) = result.rest().unwrap_or((presented, 0));
        assert!(from <= presented, "more was dealt with than was presented");
        self.held -= from;
        let waits = matches!(result, InspectResult::Hold { .. });
        assert!(
            !waits || wanted > self.held,
            "{wanted} bytes are wanted where {} were not enough",
            self.held
        );
        self.wanted = wanted;
        self.fresh = false;
        self.paused = matches!(result, InspectResult::Pause { .. });
    }

    /// Takes in that the session ended. Where in the input the reason lies is not told, so all of it counts as dealt with.
    pub(super) fn end(&mut self) {
        self.held = 0;
        self.paused = false;
    }

    /// Adds to what went out bytes that nothing came in for.
    pub(super) fn add(&mut self, out: &Output) {
        self.output.extend(out.to_vec(&[]));
    }

    /// Adds to what went out what was put out before a fault.
    pub(super) fn add_before_fault(&mut self, out: &Output) {
        self.output.extend(out.to_vec(self.waiting()));
    }
}
