//! One reload after the other: which wait, what was read, whether it may run, and what came of it.

pub(in crate::control) mod candidate;
pub(in crate::control) mod checks;
pub(in crate::control) mod earlier_start;
pub(in crate::control) mod file_sync;
pub(in crate::control) mod generations;
pub(in crate::control) mod history;
pub(in crate::control) mod journal;
pub(in crate::control) mod preview;
pub(in crate::control) mod probation;
pub(in crate::control) mod proposal;
pub(in crate::control) mod queue;
pub(in crate::control) mod rejection;
pub(in crate::control) mod report;
pub(in crate::control) mod restore;
pub(in crate::control) mod retry;
pub(in crate::control) mod safeguards;
pub(in crate::control) mod staged;
pub(in crate::control) mod summary;
pub(in crate::control) mod trial;
