//! Configurations that are read to be told what a reload would do.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;

use super::{PlanReport, Running};
use crate::control::observe::Snapshot;
use crate::control::reload::candidate::{self, Candidate, ConfigLocation, Confirmation, ReadOutcome};
use crate::control::reload::queue::Origin;
use crate::control::reload::staged::{StagedReload, StagedReport};

/// Plans that are made at once; others wait. Each may take a core for a third of a second.
const AT_ONCE: usize = 2;

/// Plans that are being made, away from the control thread. Dropping it gives them up.
#[derive(Debug)]
pub(in crate::control) struct PlanReadings {
    tasks: JoinSet<Option<ReadForPlan>>,
    turns: Arc<Semaphore>,
}

/// A configuration that has been read, for an asker who waits to hear what a reload of it would do.
#[derive(Debug)]
pub(in crate::control) struct ReadForPlan {
    candidate: Candidate,
    asked: Asked,
    _turn: OwnedSemaphorePermit,
}

/// A question, without its source.
#[derive(Debug)]
struct Asked {
    origin: Origin,
    force: bool,
    reply: oneshot::Sender<PlanReport>,
}

impl Default for PlanReadings {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl PlanReadings {
    /// Begins to read at `place` for a plan, with its origin and whether it is forced. Given up when the asker goes away.
    pub(in crate::control) fn begin(
        &mut self,
        (origin, force): (Origin, bool),
        place: Result<Option<ConfigLocation>, Candidate>,
        reply: oneshot::Sender<PlanReport>,
    ) {
        let turns = Arc::clone(&self.turns);
        let mut asked = Asked { origin, force, reply };
        self.tasks.spawn(async move {
            let reading = async {
                let turn = turns.acquire_owned().await.ok()?;
                Some((read(place).await, turn))
            };
            let (candidate, turn) = tokio::select! {
                read = reading => read?,
                () = asked.reply.closed() => return None,
            };
            Some(ReadForPlan {
                candidate,
                asked,
                _turn: turn,
            })
        });
    }

    /// Waits until one of them has been read; for ever while none is. Cancel safe.
    pub(in crate::control) async fn read(&mut self) -> ReadForPlan {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Some(read))) => return read,
                // Given up, answered, or ended by a panic that has been logged.
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Answers what waits for approval, with what it would do beside what runs at the moment of `snapshot`.
    pub(in crate::control) fn tell_staged(
        &mut self,
        staged: Option<Arc<StagedReload>>,
        snapshot: Snapshot,
        reply: oneshot::Sender<Vec<StagedReport>>,
    ) {
        self.tasks.spawn_blocking(move || {
            let report = |staged: Arc<StagedReload>| StagedReport {
                staged: staged.status(),
                plan: PlanReport::of_candidate(
                    Candidate::Staged(Arc::clone(&staged)),
                    staged.origin,
                    staged.force,
                    running(&snapshot),
                ),
            };
            // An error means that the asker has gone away.
            drop(reply.send(staged.map(report).into_iter().collect()));
            None
        });
    }

    /// Makes the plan beside what runs at the moment of `snapshot`, and answers.
    pub(in crate::control) fn answer(&mut self, read: ReadForPlan, snapshot: Snapshot) {
        self.tasks.spawn_blocking(move || {
            let ReadForPlan {
                candidate,
                asked,
                _turn,
            } = read;
            let report = PlanReport::of_candidate(candidate, asked.origin, asked.force, running(&snapshot));
            // An error means that the asker has gone away.
            drop(asked.reply.send(report));
            None
        });
    }
}

fn running(snapshot: &Snapshot) -> Running<'_> {
    Running {
        clusters: &snapshot.clusters,
        listeners: &snapshot.listeners,
        model: &snapshot.model,
        generation: snapshot.generation,
    }
}

/// Reads a configuration as a reload that is asked for does; nothing tells whether it is being written.
async fn read(place: Result<Option<ConfigLocation>, Candidate>) -> Candidate {
    let confirmation = Confirmation {
        watcher: None,
        debounce: std::time::Duration::ZERO,
        is_hinted: false,
        was_quiet: false,
        waited: candidate::WaitedTime::default(),
    };
    let place = match place {
        Err(candidate) => return candidate,
        Ok(None) => return Candidate::Missing,
        Ok(Some(place)) => place,
    };
    match candidate::read(place, confirmation).await {
        ReadOutcome::Read(candidate) => candidate,
        // No hint was the reason to read.
        ReadOutcome::Superseded => Candidate::Broken("the files change while they are being read".to_owned()),
    }
}
