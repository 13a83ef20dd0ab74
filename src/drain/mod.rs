//! How sessions are asked to leave, and how one knows that they have.
//!
//! A [`ConnectionTracker`] belongs to one generation of one virtual cluster. A connection registers before it
//! looks at anything else and learns in the same step whether a drain has begun, so none falls between a
//! drain's start and its census. Leaving is dropping the [`SessionGuard`]: no path, a panic included, forgets it.
//!
//! An order reaches a session through its own [`SessionHandle`]: one flag to read per poll and one waker. A
//! channel shared by all sessions would lock per wake-up.

mod activity;
mod strategy;
mod tracker;

pub use activity::{Activity, Progress};
pub use strategy::{DrainDeadlines, run};
pub use tracker::{ConnectionTracker, SessionGuard, SessionHandle};

use std::time::Instant;

/// What a session is told when it shall leave. The first order counts; a later one joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainOrder {
    /// Until here requests are still read and forwarded, and the session leaves when it is quiet. From here on
    /// none is read; the session leaves when what is in flight has been answered.
    pub soft: Instant,
    /// Here the session is closed whatever is unanswered, and counted as forced.
    pub hard: Instant,
}
