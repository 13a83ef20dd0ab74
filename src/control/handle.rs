//! How the rest of the process talks to the thread that changes things.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::metrics::MetricsSnapshot;
use super::reload::report::ReloadReport;
use super::runtime::connections::{ConnectionFilter, ConnectionInfo};
use super::status::ProxyStatus;
use crate::model::ProxyModel;
use crate::reload::Trigger;

/// Commands that may wait for the control thread. Whoever finds it full waits.
const QUEUE: usize = 64;

/// Asks the control thread. Cheap to clone; outlives the proxy, whose end every question answers with [`Gone`].
#[derive(Debug, Clone)]
pub struct ControlHandle {
    commands: mpsc::Sender<Command>,
    progress: watch::Receiver<Progress>,
    ready: Arc<AtomicBool>,
}

/// The proxy has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kproxy has ended")]
pub struct Gone;

/// What somebody may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Of the running configuration.
    pub generation: u64,
    /// Drains that have sessions left.
    pub drains: usize,
}

/// Asks for a reload.
#[derive(Debug)]
pub struct ReloadRequest {
    pub trigger: Trigger,
    /// Apply it although it removes more than `reload.maxRemovedPercent`, or everything.
    pub force: bool,
    pub source: ReloadSource,
}

/// Where the next configuration comes from.
#[derive(Debug)]
pub enum ReloadSource {
    /// The file the process was started with.
    Configured,
    /// Another file, this once.
    File(PathBuf),
    /// The text of what runs, with what the files that it references hold now.
    Running,
    /// A model made by the caller; for proxies without a file.
    Model(Box<ProxyModel>),
}

/// A question to the control thread, with the place for its answer.
#[derive(Debug)]
pub enum Command {
    Status(oneshot::Sender<ProxyStatus>),
    Metrics(oneshot::Sender<MetricsSnapshot>),
    /// Every address that the process listens on.
    Listeners(oneshot::Sender<Vec<SocketAddr>>),
    Connections(ConnectionFilter, oneshot::Sender<Vec<ConnectionInfo>>),
    Reload(ReloadRequest, oneshot::Sender<ReloadReport>),
    Shutdown,
}

/// The control thread's end of a [`ControlHandle`].
#[derive(Debug)]
pub struct ControlInbox {
    pub commands: mpsc::Receiver<Command>,
    pub progress: watch::Sender<Progress>,
    ready: Arc<AtomicBool>,
}

/// A handle and the end that answers it.
pub fn channel() -> (ControlHandle, ControlInbox) {
    let (sender, commands) = mpsc::channel(QUEUE);
    let (progress, watched) = watch::channel(Progress::default());
    let ready = Arc::<AtomicBool>::default();
    let handle = ControlHandle {
        commands: sender,
        progress: watched,
        ready: Arc::clone(&ready),
    };
    let inbox = ControlInbox {
        commands,
        progress,
        ready,
    };
    (handle, inbox)
}

impl ControlInbox {
    /// Whether `/readyz` says yes: from the first commit to the first moment of a shutdown, whatever reloads do.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}

impl ControlHandle {
    /// # Errors
    /// When the proxy has ended; so for all questions.
    pub async fn status(&self) -> Result<ProxyStatus, Gone> {
        self.ask(Command::Status).await
    }

    /// What `/metrics` shows, as data.
    pub async fn metrics(&self) -> Result<MetricsSnapshot, Gone> {
        self.ask(Command::Metrics).await
    }

    /// Every address that the process listens on, that of HTTP included.
    ///
    /// # Errors
    /// As [`ControlHandle::status`].
    pub async fn listeners(&self) -> Result<Vec<SocketAddr>, Gone> {
        self.ask(Command::Listeners).await
    }

    /// The live sessions that pass `filter`.
    pub async fn connections(&self, filter: ConnectionFilter) -> Result<Vec<ConnectionInfo>, Gone> {
        self.ask(|reply| Command::Connections(filter, reply)).await
    }

    /// Reloads, and returns once it is known what came of it. Drains go on behind it.
    pub async fn reload(&self, request: ReloadRequest) -> Result<ReloadReport, Gone> {
        self.ask(|reply| Command::Reload(request, reply)).await
    }

    /// Begins to drain and end. The end is the end of the control thread.
    pub async fn shut_down(&self) {
        // A proxy that has ended already has what it was asked for.
        self.commands.send(Command::Shutdown).await.unwrap_or_default();
    }

    /// Waits until `reached` holds and returns what held.
    ///
    /// # Errors
    /// When the proxy ends first.
    pub async fn wait_for(&self, reached: impl FnMut(&Progress) -> bool) -> Result<Progress, Gone> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(reached).await.map_err(|_| Gone)?;
        Ok(*reached)
    }

    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Whether new clients should be sent here.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}
