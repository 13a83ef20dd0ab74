//! A relay that knows nothing: the yardstick of the benchmarks.

use super::{Inspect, Verdict};
use crate::session::cause::Fault;
use crate::session::output::Output;

/// Lets everything pass.
#[derive(Debug, Default)]
pub struct Blind {
    reads: u64,
}

impl Inspect for Blind {
    fn requests(&mut self, bytes: &[u8], _now_us: u64, out: &mut Output) -> Result<Verdict, Fault> {
        self.reads += 1;
        out.pass(0, bytes.len());
        Ok(Verdict::Done)
    }

    fn responses(&mut self, bytes: &[u8], _now_us: u64, out: &mut Output) -> Result<Verdict, Fault> {
        out.pass(0, bytes.len());
        Ok(Verdict::Done)
    }

    fn local_answers(&mut self, _out: &mut Output) {}

    fn accepts_requests(&self) -> bool {
        true
    }

    fn in_flight(&self) -> usize {
        0
    }

    fn at_boundary(&self) -> bool {
        true
    }

    fn at_request_boundary(&self) -> bool {
        true
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn requests_completed(&self) -> u64 {
        self.reads
    }

    fn salvage_only(&mut self) {}
}
