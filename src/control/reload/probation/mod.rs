//! Probation: changed virtual clusters are compared with themselves before a reload, for a while after it (`rollback.auto`).
//!
//! [`sample`] says what is known of a cluster at one moment, [`collect`] reads that from the counters that the sessions keep
//! anyway, [`judge`] decides from numbers alone, [`running`] asks it for each cluster, and [`watch`] knows what there is to go back to. What follows from a decision is the engine's.

mod baseline;
mod collect;
mod figures;
mod judge;
mod running;
mod sample;
mod watch;

pub use judge::{DegradationReason, ProbationVerdict};
pub(in crate::control) use running::EndedProbation;
pub(in crate::control) use watch::{
    ChangedCluster, CommittedReload, ProbationStep, ProbationWatch, RollbackCall,
};
