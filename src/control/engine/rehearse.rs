//! Rehearsals of reloads on the control thread: what a reload does, without its commit.

use std::sync::Arc;
use std::time::Instant;

use super::Engine;
use crate::control::rehearsal::{self, Rehearsal, RehearsalStep};
use crate::control::reload::candidate::ConfigLocation;
use crate::control::reload::report::ReloadPhases;
use crate::reload::Plan;

impl Engine {
    /// Takes one step and answers. An asker that has gone away is not missed.
    pub(super) async fn rehearse(&mut self, step: RehearsalStep) {
        match step {
            RehearsalStep::Read { change, reply } => {
                let place = self.place_to_rehearse(change);
                tokio::task::spawn_blocking(move || {
                    let took = place.as_ref().map(rehearsal::read);
                    reply.send(took.unwrap_or_default()).unwrap_or_default();
                });
            }
            RehearsalStep::Prepare { change, reply } => drop(reply.send(self.rehearse_prepare(change).await)),
        }
    }

    /// Where a reload reads; `None` without a file.
    fn place_to_rehearse(&self, change: bool) -> Option<ConfigLocation> {
        let (path, loader) = (self.path.clone()?, Arc::clone(&self.loader));
        Some(match change {
            true => ConfigLocation::Copy(path, loader),
            false => ConfigLocation::File(path, self.file.last_read().cloned(), loader),
        })
    }

    async fn rehearse_prepare(&mut self, change: bool) -> Result<Rehearsal, String> {
        let current = Arc::clone(self.reloader.current());
        let (next, changed) = match change {
            true => {
                let altered = rehearsal::with_another_target(&current);
                let (next, name) = altered.ok_or("there is no virtual cluster to change")?;
                (Arc::new(next), Some(name))
            }
            false => (Arc::clone(&current), None),
        };
        let mut phases = ReloadPhases::default();
        let planning = Instant::now();
        let plan = Plan::between(&current, &next);
        phases.plan = planning.elapsed();
        if change {
            let preparing = Instant::now();
            let prepared = self.reloader.prepare(plan, next).await;
            phases.prepare = preparing.elapsed();
            let prepared =
                prepared.map_err(|errors| errors.first().map_or_else(String::new, ToString::to_string))?;
            // Dropping it is the way back; nobody waits for it.
            drop(tokio::task::spawn_blocking(move || drop(prepared)));
        }
        Ok(Rehearsal {
            generation: self.generation(),
            clusters: current.clusters.len(),
            changed,
            phases,
        })
    }
}
