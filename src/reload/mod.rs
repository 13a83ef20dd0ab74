//! What a change of configuration does, decided before anything is done. Pure.
//!
//! [`detect`] compares two models by meaning and says which clusters are added, removed and modified, which keys are to
//! blame, and which [`Effect`] each change has. A [`Plan`] folds the effects into what happens to every target, gateway
//! and session. Nothing else decides: building and committing do what the plan says, the reload class of a key follows
//! from its effects, and so does the reference in docs/configuration.md.
//! Starting is a change from the empty model, shutting down is a change to it; both take the same path as any other.

mod address_conflict;
mod change;
mod cluster_plan;
mod detect;
mod effect;
mod key_effects;
mod outcome;
mod plan;
mod succession;

pub use address_conflict::{AddressConflict, overlap};
pub use change::{ChangeResult, ChangedKey, ClusterChange, Modification};
pub use cluster_plan::{
    ClusterPlan, Departure, FiltersAction, GatewayAction, GatewayPlan, KeptGateway, PlannedEndpoint,
    RunningEndpoint, TargetAction,
};
pub use detect::filters::pair_filters;
pub use detect::{ChangeDetector, ConfigurationChangeContext, detect};
pub use effect::{DrainReason, Effect, ReloadClass};
pub use key_effects::{effects_of, key_effects};
pub use outcome::{Outcome, Trigger};
pub use plan::{Plan, ProcessChange, Removal, Step};
