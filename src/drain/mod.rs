//! Drains: orders that ask sessions to leave, and the table that shows when they have left.
//!
//! A [`ConnectionTracker`] holds the sessions of one endpoint while the endpoint's target stays the same; a drain
//! works on a set of trackers. A connection registers before it reads anything else and learns in the same step
//! whether a drain has begun. So no connection falls between the start of a drain and its list of sessions. Dropping
//! the [`SessionGuard`] removes the session on every path, a panic included.
//!
//! A session gets its order through its own [`SessionHandle`]: one flag to read per poll, and one waker. A channel
//! shared by all sessions would take a lock per wake-up.

mod activity;
mod client_info;
mod order;
mod state;
mod strategy;
mod tie;
mod tracker;

pub use activity::{Activity, SessionProgress};
pub use client_info::{ClientInfo, ProxiedFacts, SaslFacts, TlsFacts};
pub use order::DrainOrder;
pub use state::SessionState;
pub use strategy::{DrainDeadlines, drain_sessions, drain_trackers};
pub use tie::BrokerTie;
pub use tracker::{ConnectionTracker, SessionGuard, SessionHandle};
