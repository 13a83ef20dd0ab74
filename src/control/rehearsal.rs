//! Rehearsals of reloads: everything up to the moment before the commit, for its duration. Nothing that runs is touched, and
//! no reload is counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::reload::candidate::ConfigLocation;
use super::reload::report::ReloadPhases;
use crate::model::ProxyModel;

/// A step of a rehearsal, for the control thread.
#[derive(Debug)]
pub enum RehearsalStep {
    /// Read the running configuration from its file again, away from the control thread.
    Read {
        /// Whether a change of the file is rehearsed, so that it is decoded and not only compared.
        change: bool,
        /// The time that it took.
        reply: oneshot::Sender<Duration>,
    },
    /// Plan and prepare, and drop what was prepared.
    Prepare {
        /// Whether one virtual cluster gets another target.
        change: bool,
        /// What it took, or why it cannot be prepared.
        reply: oneshot::Sender<Result<Rehearsal, String>>,
    },
}

/// What a reload would have taken, in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rehearsal {
    /// Generation that runs.
    pub generation: u64,
    /// Number of virtual clusters that run.
    pub clusters: usize,
    /// Virtual cluster that would have got another target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// Durations; `commit`, `checks` and `queued` are zero.
    pub phases: ReloadPhases,
}

/// Reads what is at `place` as a reload does, and returns how long it takes. Blocks.
pub(super) fn read(place: &ConfigLocation) -> Duration {
    let began = Instant::now();
    let loaded = place.load();
    let took = began.elapsed();
    drop(loaded);
    took
}

/// Returns `running` with another target of its first virtual cluster, and the name of that one. `None`: there is none.
pub(super) fn with_another_target(running: &ProxyModel) -> Option<(ProxyModel, String)> {
    let (name, cluster) = running.clusters.iter().next()?;
    let mut changed = (**cluster).clone();
    let server = changed.target.bootstrap_servers.first()?.clone();
    changed.target.bootstrap_servers.push(server);
    let mut next = running.clone();
    next.clusters.insert(name.clone(), Arc::new(changed));
    Some((next, name.clone()))
}
