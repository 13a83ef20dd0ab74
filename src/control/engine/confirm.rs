//! Reloads that are taken back unless they are confirmed in time.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Engine;
use crate::config::Sources;
use crate::control::events::{ConfirmEvent, Event};
use crate::control::handle::ConfirmReport;
use crate::control::reload::journal::{ConfirmedConfiguration, KeptConfiguration};
use crate::control::reload::proposal::Proposal;
use crate::control::reload::queue::{QueuedReload, ReloadIntent};
use crate::control::reload::rejection::Rejection;
use crate::control::reload::summary::TARGET;
use crate::control::requester::Requester;
use crate::control::status::ConfirmStatus;

/// Longest time that writing of what is to come back may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Delay before another attempt to go back.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// What runs until somebody confirms it.
#[derive(Debug, Clone)]
pub(in crate::control) struct Unconfirmed {
    /// What comes back.
    confirmed: ConfirmedConfiguration,
    /// Its text, with everything that it held.
    sources: Option<Arc<Sources>>,
    /// When it comes back; `None` while it does.
    deadline: Option<Instant>,
    /// Number of the wait: each `--confirm-within` begins another one.
    number: u64,
    until: SystemTime,
    by: Requester,
    /// State directory in which it is remembered.
    state: Option<PathBuf>,
}

impl Unconfirmed {
    /// When to go back.
    pub(in crate::control) fn due(&self) -> Option<Instant> {
        self.deadline
    }

    /// The generation that comes back, with its text.
    pub(in crate::control) fn base(&self) -> Option<(u64, Arc<Sources>)> {
        Some((self.confirmed.generation, Arc::clone(self.sources.as_ref()?)))
    }

    /// Begins to wait for so long.
    fn begin(&mut self, within: Duration, by: Requester) {
        self.deadline = Some(Instant::now() + within);
        self.number += 1;
        self.until = SystemTime::now() + within;
        self.by = by;
    }

    pub(in crate::control) fn status(&self) -> ConfirmStatus {
        let left = self
            .deadline
            .map(|at| at.saturating_duration_since(Instant::now()));
        ConfirmStatus {
            previous_generation: self.confirmed.generation,
            seconds_left: left.unwrap_or_default().as_secs_f64(),
            until: self.until,
            by: self.by,
            survives_restart: self.state.is_some(),
        }
    }
}

impl Engine {
    /// Remembers what is to come back, before a configuration runs that nobody has confirmed. `None`: it needs no
    /// confirmation.
    pub(super) async fn begin_unconfirmed(
        &mut self,
        reload: &QueuedReload,
        proposal: &Proposal,
    ) -> Result<Option<Unconfirmed>, Rejection> {
        let within = match reload.intent {
            ReloadIntent::Confirm(within) => Some(within),
            _ => None,
        };
        let mut waiting = match (self.unconfirmed.clone(), within) {
            (None, None) => return Ok(None),
            (Some(waiting), None) if ends_wait(reload, &waiting) => return Ok(Some(waiting)),
            (Some(waiting), _) => waiting,
            (None, Some(_)) => self.unconfirmed_from_here().await,
        };
        if let Some(within) = within {
            waiting.begin(within, reload.by);
        }
        if let Some((sources, _)) = &proposal.read {
            let digest = sources.text_digest().to_string();
            if !waiting.confirmed.unconfirmed.contains(&digest) {
                waiting.confirmed.unconfirmed.push(digest);
            }
        }
        match (self.remember(&waiting).await, within) {
            (Ok(()), _) => {}
            (Err(error), Some(_)) => return Err(Rejection::NotRemembered(error.to_string())),
            (Err(error), None) => {
                tracing::warn!(target: TARGET, %error, "a restart would run what nobody has confirmed: it cannot be remembered");
            }
        }
        Ok(Some(waiting))
    }

    /// What runs now, as what comes back.
    async fn unconfirmed_from_here(&self) -> Unconfirmed {
        let sources = self.file.running_text().cloned();
        let kept = sources.clone();
        let state = self.state.as_ref().map(|state| state.path().to_owned());
        // What was not confirmed before the start still is not.
        let earlier = state.clone().filter(|_| self.earlier_wait);
        let read = tokio::task::spawn_blocking(move || {
            let earlier = ConfirmedConfiguration::read(&earlier?).ok().flatten();
            Some(earlier?.unconfirmed)
        });
        let configuration = tokio::task::spawn_blocking(move || KeptConfiguration::of(&*kept?)).await;
        let configuration = configuration.ok().flatten();
        Unconfirmed {
            state: state.filter(|_| configuration.is_some()),
            confirmed: ConfirmedConfiguration {
                generation: self.generation(),
                unconfirmed: read.await.ok().flatten().unwrap_or_default(),
                configuration: configuration.unwrap_or_default(),
            },
            sources,
            deadline: None,
            number: 0,
            until: SystemTime::now(),
            by: Requester::Process,
        }
    }

    /// What the report of a reload says of the wait for a confirmation.
    pub(super) fn confirm_status(&self) -> Option<Box<ConfirmStatus>> {
        let waiting = self.unconfirmed.as_ref()?;
        Some(Box::new(waiting.status()))
    }

    /// Whether a reload was to end a wait that is over, or has begun anew.
    pub(super) fn is_over(&self, reload: &QueuedReload) -> bool {
        let is_current = |number| {
            let waiting = self.unconfirmed.as_ref();
            waiting.is_some_and(|waiting| waiting.number == number && waiting.deadline.is_none())
        };
        reload.ends_wait.is_some_and(|number| !is_current(number))
    }

    /// Begins the time anew, where what was asked for runs already and waits.
    pub(super) fn renew_unconfirmed(&mut self, reload: &QueuedReload) {
        let (ReloadIntent::Confirm(within), Some(mut waiting)) = (&reload.intent, self.unconfirmed.clone())
        else {
            return;
        };
        waiting.begin(*within, reload.by);
        self.settle_unconfirmed(reload, Some(waiting));
    }

    /// Takes in that a reload was applied, or means what runs.
    pub(super) fn settle_unconfirmed(&mut self, reload: &QueuedReload, waiting: Option<Unconfirmed>) {
        let Some(waiting) = waiting else { return };
        if ends_wait(reload, &waiting) {
            self.unconfirmed = None;
            drop(self.forget());
            if reload.is_automatic_rollback() {
                tracing::info!(target: TARGET,
                    generation = self.generation(),
                    "nothing waits for a confirmation any more: the last healthy configuration runs"
                );
            }
            return;
        }
        self.earlier_wait = false;
        if matches!(reload.intent, ReloadIntent::Confirm(_)) {
            tracing::warn!(target: TARGET,
                generation = self.generation(),
                previous_generation = waiting.confirmed.generation,
                "the configuration of the previous generation comes back by itself unless `kproxy confirm` follows in time"
            );
            let left = waiting.status().seconds_left;
            self.events.publish(Event::ConfirmPending(
                self.confirm_event(&waiting, reload.by, left),
            ));
        }
        self.unconfirmed = Some(waiting);
    }

    /// Takes in that a reload was rejected: one that was to go back is tried again.
    pub(super) fn unconfirmed_rejected(&mut self, reload: &QueuedReload) {
        match &mut self.unconfirmed {
            Some(waiting) if reload.restores == Some(waiting.confirmed.generation) => {
                waiting.deadline = Some(Instant::now() + RETRY_DELAY);
            }
            // What is on the disk from before the start stays there, with one text more.
            None if matches!(reload.intent, ReloadIntent::Confirm(_)) && !self.earlier_wait => {
                drop(self.forget());
            }
            _ => {}
        }
    }

    /// Goes back, since nobody has confirmed what runs.
    pub(super) fn revert_unconfirmed(&mut self) {
        let Some(waiting) = &mut self.unconfirmed else {
            return;
        };
        waiting.deadline = None;
        let waiting = waiting.clone();
        let number = waiting.number;
        let previous_generation = waiting.confirmed.generation;
        tracing::warn!(target: TARGET,
            generation = self.generation(),
            previous_generation,
            "not confirmed in time: the configuration of the previous generation comes back"
        );
        self.events.publish(Event::Reverted(self.confirm_event(
            &waiting,
            Requester::Process,
            0.0,
        )));
        self.queue.push(QueuedReload::revert(number, previous_generation));
    }

    /// Keeps what runs, and answers once a restart would keep it, too.
    pub(super) fn confirm(&mut self, by: Requester, reply: oneshot::Sender<Result<ConfirmReport, String>>) {
        let refused = match &self.unconfirmed {
            None => Some("nothing waits for a confirmation".to_owned()),
            Some(waiting) if waiting.deadline.is_none() => Some(format!(
                "too late: the configuration of generation {} is coming back",
                waiting.confirmed.generation
            )),
            Some(_) => None,
        };
        // An error means that the asker has gone away; so for all that follow.
        if let Some(refused) = refused {
            return drop(reply.send(Err(refused)));
        }
        let Some(waiting) = self.unconfirmed.take() else {
            return;
        };
        let generation = self.generation();
        tracing::info!(target: TARGET, generation, by = %by, "the configuration is confirmed");
        self.events
            .publish(Event::Confirmed(self.confirm_event(&waiting, by, 0.0)));
        self.publish();
        let forgotten = self.forget();
        tokio::spawn(async move {
            let answer = match forgotten.await {
                Ok(Ok(())) => Ok(ConfirmReport { generation, by }),
                Ok(Err(error)) => Err(format!("confirmed, but a restart would not know it: {error}")),
                Err(_) => Err("confirmed, but a restart may not know it".to_owned()),
            };
            drop(reply.send(answer));
        });
    }

    /// Removes what a wait before the start of the process has left on the disk: something else runs by now.
    pub(super) fn forget_earlier_wait(&mut self) {
        if std::mem::take(&mut self.earlier_wait) {
            drop(self.forget());
        }
    }

    /// Writes what is to come back, if there is a place for it.
    async fn remember(&mut self, waiting: &Unconfirmed) -> io::Result<()> {
        if waiting.state.is_none() {
            return Ok(());
        }
        let written = self.confirmed_store.write(waiting.confirmed.clone());
        match tokio::time::timeout(WRITE_TIMEOUT, written).await {
            Ok(written) => written.unwrap_or_else(|panic| Err(io::Error::other(panic))),
            Err(_) => Err(io::Error::other("the disk of `stateDirectory` is too slow")),
        }
    }

    /// Removes what was to come back, in a task.
    pub(super) fn forget(&mut self) -> JoinHandle<io::Result<()>> {
        self.confirmed_store.remove()
    }

    fn confirm_event(&self, waiting: &Unconfirmed, by: Requester, seconds_left: f64) -> ConfirmEvent {
        ConfirmEvent {
            by,
            generation: self.generation(),
            previous_generation: waiting.confirmed.generation,
            seconds_left,
        }
    }
}

/// Whether a reload, once it is applied, ends the wait: what is to come back runs, or what was healthy before.
fn ends_wait(reload: &QueuedReload, waiting: &Unconfirmed) -> bool {
    reload.restores == Some(waiting.confirmed.generation) || reload.is_automatic_rollback()
}
