//! Phases of a shutdown, and how long each takes.

use std::time::{Duration, Instant};

use crate::names::names;

names! {
    /// Phase of a shutdown, in order. `/readyz` says no before the first one.
    pub enum ShutdownPhase {
        /// Clients are still accepted, while load balancers learn that the process is not ready.
        Delay = "delay",
        /// Listeners close; clients that wait there are accepted first.
        StopAccepting = "stop-accepting",
        /// Every session is asked to leave; running drains get the deadline of the process.
        Drain = "drain",
        /// Sessions that are left at the deadline are closed.
        Close = "close",
    }
}

/// When each phase of a shutdown began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShutdownTimes {
    began: [Option<Instant>; ShutdownPhase::ALL.len()],
}

impl ShutdownTimes {
    pub(super) fn enter(&mut self, phase: ShutdownPhase, now: Instant) {
        self.began[phase as usize] = Some(now);
    }

    /// Time spent in a phase until `now`; it ends when a later one begins.
    pub(super) fn spent(&self, phase: ShutdownPhase, now: Instant) -> Duration {
        let later = &self.began[phase as usize + 1..];
        let end = later.iter().flatten().next().copied().unwrap_or(now);
        self.began[phase as usize].map_or(Duration::ZERO, |began| end.saturating_duration_since(began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_ends_when_the_next_one_begins() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut times = ShutdownTimes::default();
        times.enter(ShutdownPhase::Delay, at(0));
        times.enter(ShutdownPhase::Drain, at(5));
        let spent = |phase| times.spent(phase, at(7)).as_secs();
        assert_eq!(ShutdownPhase::ALL.map(spent), [5, 0, 2, 0]);
    }
}
