//! What a change of configuration does, decided before anything is done. Pure.
//!
//! [`detect`] compares two models by meaning and says which clusters are added, removed and modified, and which keys
//! are to blame; [`Plan`] turns that into steps; whoever applies them does nothing that is not in the plan.
//! Starting is a change from the empty model, shutting down is a change to it; both take the same path as any other.

mod change;
mod classes;
mod detect;
mod handover;
mod outcome;
mod plan;
mod rollback;

pub use change::{ChangeResult, ChangedKey, ClusterChange};
pub use classes::{RELOAD_CLASSES, ReloadClass};
pub use detect::{ChangeDetector, ConfigurationChangeContext, detect};
pub use handover::{Handover, overlap};
pub use outcome::{Outcome, Trigger};
pub use plan::{Plan, ProcessChange, Step};
pub use rollback::{RollbackTracker, Undo};
