//! How sessions are asked to leave, and how one knows that they have.
//!
//! A [`ConnectionTracker`] belongs to one endpoint for as long as that means the same: what is drained is a set of
//! them. A connection registers before it
//! looks at anything else and learns in the same step whether a drain has begun, so none falls between a
//! drain's start and its census. Leaving is dropping the [`SessionGuard`]: no path, a panic included, forgets it.
//!
//! An order reaches a session through its own [`SessionHandle`]: one flag to read per poll and one waker. A
//! channel shared by all sessions would lock per wake-up.

mod activity;
mod client_info;
mod order;
mod state;
mod strategy;
mod tracker;

pub use activity::{Activity, SessionProgress};
pub use client_info::{ClientInfo, ProxiedFacts, SaslFacts, TlsFacts};
pub use order::DrainOrder;
pub use state::SessionState;
pub use strategy::{DrainDeadlines, ask, run};
pub use tracker::{ConnectionTracker, SessionGuard, SessionHandle};
