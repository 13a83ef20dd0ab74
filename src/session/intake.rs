//! Whether a virtual cluster takes new sessions. It does, until somebody drains it.

use std::time::SystemTime;

use arc_swap::ArcSwapOption;

/// Switch for new sessions of a virtual cluster. All contexts of the cluster share it, so it outlives reloads. It is read
/// once for each connection.
#[derive(Debug, Default)]
pub struct Intake(ArcSwapOption<IntakeStop>);

/// Since when a virtual cluster takes no new sessions, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeStop {
    /// When somebody drained it.
    pub since: SystemTime,
    /// Who drained it, for people.
    pub by: String,
}

impl Intake {
    /// Returns since when no new sessions are taken; `None`: they are taken.
    pub fn stopped(&self) -> Option<IntakeStop> {
        self.0.load().as_deref().cloned()
    }

    /// Whether new sessions are refused.
    pub fn is_stopped(&self) -> bool {
        self.0.load().is_some()
    }

    /// Refuses new sessions from now on. Returns whether they were taken until now; an earlier stop stays as it is.
    pub fn stop(&self, stop: IntakeStop) -> bool {
        let first = !self.is_stopped();
        if first {
            self.0.store(Some(stop.into()));
        }
        first
    }

    /// Takes new sessions again. Returns whether they were refused.
    pub fn resume(&self) -> bool {
        self.0.swap(None).is_some()
    }
}
