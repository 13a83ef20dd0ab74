//! Reloads that were asked for, and the one whose configuration is being read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::candidate::{self, Candidate, Place};
use super::report::ReloadReport;
use crate::config::Sources;
use crate::control::handle::{ReloadRequest, ReloadSource};
use crate::reload::Trigger;

/// What is read, for those who no longer have it at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control) enum Origin {
    Configured,
    File,
    Running,
    Model,
}

/// A reload that was asked for.
pub(in crate::control) struct Waiting {
    pub(in crate::control) trigger: Trigger,
    pub(in crate::control) force: bool,
    pub(in crate::control) origin: Origin,
    /// One more attempt at what was rejected for a moment.
    pub(in crate::control) is_retry: bool,
    source: ReloadSource,
    pub(in crate::control) replies: Vec<oneshot::Sender<ReloadReport>>,
    /// Before reading.
    pub(in crate::control) pause: Duration,
    pub(in crate::control) at: SystemTime,
    pub(in crate::control) began: Instant,
}

/// A reload whose configuration is being read.
pub(in crate::control) struct Reading {
    pub(in crate::control) waiting: Waiting,
    pub(in crate::control) task: JoinHandle<Candidate>,
}

impl Waiting {
    pub(in crate::control) fn new(
        request: ReloadRequest,
        reply: Option<oneshot::Sender<ReloadReport>>,
    ) -> Self {
        Self {
            trigger: request.trigger,
            force: request.force,
            origin: match request.source {
                ReloadSource::Configured => Origin::Configured,
                ReloadSource::File(_) => Origin::File,
                ReloadSource::Running => Origin::Running,
                ReloadSource::Model(_) => Origin::Model,
            },
            is_retry: false,
            source: request.source,
            replies: reply.into_iter().collect(),
            pause: Duration::ZERO,
            at: SystemTime::now(),
            began: Instant::now(),
        }
    }

    pub(in crate::control) fn automatic(trigger: Trigger) -> Self {
        let request = ReloadRequest {
            trigger,
            force: false,
            source: ReloadSource::Configured,
        };
        Self::new(request, None)
    }

    /// One more attempt.
    pub(in crate::control) fn retry() -> Self {
        Self {
            is_retry: true,
            ..Self::automatic(Trigger::Poll)
        }
    }

    /// The text that runs, with what its files hold now. It has been accepted before.
    pub(in crate::control) fn renewal(trigger: Trigger) -> Self {
        let request = ReloadRequest {
            trigger,
            force: true,
            source: ReloadSource::Running,
        };
        Self::new(request, None)
    }

    /// Nobody waits to hear that nothing has changed.
    pub(in crate::control) fn is_automatic(&self) -> bool {
        matches!(self.trigger, Trigger::Watch | Trigger::Poll)
    }

    /// Whether the other one asks for nothing that this one does not do.
    pub(in crate::control) fn takes(&self, other: &Self) -> bool {
        let follows = matches!(self.origin, Origin::Configured | Origin::Running);
        follows && self.origin == other.origin && self.force == other.force
    }

    pub(in crate::control) fn join(&mut self, other: Self) {
        if self.is_automatic() {
            self.trigger = other.trigger;
        }
        self.is_retry &= other.is_retry;
        self.replies.extend(other.replies);
    }

    pub(in crate::control) fn answer(self, report: &ReloadReport) {
        for reply in self.replies {
            // Whoever asked may have gone away.
            reply.send(report.clone()).map_err(drop).unwrap_or_default();
        }
    }
}

impl Reading {
    /// `configured`: the file that the process was started with, and what is known of it already. `running`: the
    /// text that runs.
    pub(in crate::control) fn begin(
        mut waiting: Waiting,
        configured: Option<(PathBuf, Option<Arc<Sources>>)>,
        running: Option<Place>,
    ) -> Self {
        let place = match std::mem::replace(&mut waiting.source, ReloadSource::Configured) {
            ReloadSource::Model(model) => {
                let ready = Candidate::Made(Arc::from(model));
                let task = tokio::spawn(async move { ready });
                return Self { waiting, task };
            }
            ReloadSource::File(path) => Some(Place::File(path, None)),
            ReloadSource::Running => {
                waiting.source = ReloadSource::Running;
                running
            }
            ReloadSource::Configured => configured.map(|(path, last)| Place::File(path, last)),
        };
        let patient = waiting.is_automatic() || waiting.origin == Origin::Running;
        let pause = waiting.pause;
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            match place {
                Some(place) if patient => candidate::read_settled(place).await,
                Some(place) => candidate::read(place).await,
                None => Candidate::Missing,
            }
        });
        Self { waiting, task }
    }
}

/// Waits until a configuration has been read; for ever where none is. Cancel safe.
pub(in crate::control) async fn read(reading: &mut Option<Reading>) -> (Waiting, Candidate) {
    let Some(Reading { task, .. }) = reading else {
        return std::future::pending().await;
    };
    let outcome = task.await;
    let read = match outcome {
        Ok(read) => read,
        Err(error) => {
            let why = format!("reading the configuration failed: {error}");
            Candidate::Broken(why)
        }
    };
    match reading.take() {
        Some(reading) => (reading.waiting, read),
        None => std::future::pending().await,
    }
}
