//! Reloads that were asked for, and the one whose configuration is being read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::candidate::{self, Candidate};
use super::super::handle::{ReloadRequest, ReloadSource};
use super::super::report::ReloadReport;
use crate::config::Sources;
use crate::reload::Trigger;

/// A reload that was asked for.
pub(super) struct Waiting {
    pub(super) trigger: Trigger,
    pub(super) force: bool,
    pub(super) source: ReloadSource,
    pub(super) replies: Vec<oneshot::Sender<ReloadReport>>,
    /// Before reading.
    pub(super) pause: Duration,
    pub(super) at: SystemTime,
    pub(super) began: Instant,
}

/// A reload whose configuration is being read.
pub(super) struct Reading {
    pub(super) waiting: Waiting,
    pub(super) task: JoinHandle<Candidate>,
}

impl Waiting {
    pub(super) fn new(request: ReloadRequest, reply: Option<oneshot::Sender<ReloadReport>>) -> Self {
        Self {
            trigger: request.trigger,
            force: request.force,
            source: request.source,
            replies: reply.into_iter().collect(),
            pause: Duration::ZERO,
            at: SystemTime::now(),
            began: Instant::now(),
        }
    }

    pub(super) fn automatic(trigger: Trigger) -> Self {
        let request = ReloadRequest {
            trigger,
            force: false,
            source: ReloadSource::Configured,
        };
        Self::new(request, None)
    }

    /// Nobody waits to hear that nothing has changed.
    pub(super) fn is_automatic(&self) -> bool {
        matches!(self.trigger, Trigger::Watch | Trigger::Poll)
    }

    /// Whether the other one asks for nothing that this one does not do.
    pub(super) fn takes(&self, other: &Self) -> bool {
        let configured = |waiting: &Self| matches!(waiting.source, ReloadSource::Configured);
        configured(self) && configured(other) && self.force == other.force
    }

    pub(super) fn join(&mut self, other: Self) {
        if self.is_automatic() {
            self.trigger = other.trigger;
        }
        self.replies.extend(other.replies);
    }

    pub(super) fn answer(self, report: &ReloadReport) {
        for reply in self.replies {
            // Whoever asked may have gone away.
            reply.send(report.clone()).map_err(drop).unwrap_or_default();
        }
    }
}

impl Reading {
    pub(super) fn begin(
        mut waiting: Waiting,
        configured: Option<PathBuf>,
        last: Option<Arc<Sources>>,
    ) -> Self {
        let path = match std::mem::replace(&mut waiting.source, ReloadSource::Configured) {
            ReloadSource::Model(model) => {
                let ready = Candidate::Made(Arc::from(model));
                let task = tokio::spawn(async move { ready });
                return Self { waiting, task };
            }
            ReloadSource::File(path) => {
                waiting.source = ReloadSource::File(path.clone());
                Some(path)
            }
            ReloadSource::Configured => configured,
        };
        let (patient, pause) = (waiting.is_automatic(), waiting.pause);
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            match path {
                Some(path) if patient => candidate::read_settled(path, last).await,
                Some(path) => candidate::read(path, last).await,
                None => Candidate::Missing,
            }
        });
        Self { waiting, task }
    }
}

/// Waits until a configuration has been read; for ever where none is. Cancel safe.
pub(super) async fn read(reading: &mut Option<Reading>) -> (Waiting, Candidate) {
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
