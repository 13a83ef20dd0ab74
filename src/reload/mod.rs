//! What a change of configuration does, decided before anything is done. Pure.
//!
//! Starting is a change from the empty model, shutting down is a change to it; both take the same path as any
//! other.

mod outcome;
mod plan;

pub use outcome::{Outcome, Trigger};
pub use plan::{Plan, Step};
