//! Interface of the rest of the process to the control thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::events::{EventReader, WatchingEvent};
use super::log_level::{LogLevelRequest, LogLevelStatus};
use super::metrics::MetricsSnapshot;
use super::observe::Observe;
use super::rehearsal::{Rehearsal, RehearsalStep};
use super::reload::preview::report::PlanReport;
use super::reload::report::ReloadReport;
use super::reload::staged::StagedReport;
use super::requester::Requester;
use super::runtime::connections::{ConnectionFilter, ConnectionInfo};
use super::status::ProxyStatus;
use super::steering::{SteeringReport, SteeringRequest};
use crate::model::ProxyModel;
use crate::reload::Trigger;

/// Commands that may wait for the control thread; a sender that finds the queue full waits.
const COMMAND_CAPACITY: usize = 64;

/// Asks the control thread for changes, and reads what it has published. Cheap to clone. Outlives the proxy: after its end
/// every question is answered with [`Gone`].
#[derive(Debug, Clone)]
pub struct ControlHandle {
    commands: mpsc::Sender<ControlCommand>,
    observed: watch::Receiver<Option<Arc<dyn Observe>>>,
    progress: watch::Receiver<Progress>,
    ready: Arc<AtomicBool>,
}

/// The proxy has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kproxy has ended")]
pub struct Gone;

/// State that callers may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Generation of the running configuration.
    pub generation: u64,
    /// Drains that have sessions left.
    pub drains: usize,
}

/// Request for a reload.
#[derive(Debug)]
pub struct ReloadRequest {
    /// What asks for it.
    pub trigger: Trigger,
    /// Who asks for it.
    pub by: Requester,
    /// Apply it although it removes more than `reload.maxRemovedPercent`, or everything.
    pub force: bool,
    /// Where the next configuration comes from.
    pub source: ReloadSource,
}

/// Where the next configuration comes from.
#[derive(Debug)]
pub enum ReloadSource {
    /// The file the process was started with.
    Configured,
    /// Another file, this once.
    File(PathBuf),
    /// The running text, with what the files that it references hold now.
    Running,
    /// The configuration that ran as this generation.
    Generation(u64),
    /// The last other configuration that ran before this one.
    Previous,
    /// A model made by the caller; for proxies without a file.
    Model(Box<ProxyModel>),
}

/// WatchQuestion what a reload would do.
#[derive(Debug)]
pub struct PlanRequest {
    /// Whether the reload would be forced.
    pub force: bool,
    /// Where the configuration would come from.
    pub source: ReloadSource,
}

/// Request to apply what waits for approval.
#[derive(Debug)]
pub struct ApprovalRequest {
    /// Id of what is approved.
    pub id: String,
    /// What asks for it.
    pub trigger: Trigger,
    /// Who approves.
    pub by: Requester,
}

/// What was confirmed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfirmReport {
    /// The generation that runs and stays.
    pub generation: u64,
    /// Who confirmed it.
    pub by: Requester,
}

/// Request to the control thread.
#[derive(Debug)]
pub enum ControlCommand {
    /// Reload, and report the outcome.
    Reload(ReloadRequest, oneshot::Sender<ReloadReport>),
    /// Tell a new reader of all events from now on, beginning with what runs.
    Watch(oneshot::Sender<(WatchingEvent, EventReader)>),
    /// Reload, and go back by itself unless it is confirmed in this time.
    ReloadUnconfirmed(ReloadRequest, Duration, oneshot::Sender<ReloadReport>),
    /// Keep what runs, and tell which generation that is, or why it is not confirmed.
    Confirm(Requester, oneshot::Sender<Result<ConfirmReport, String>>),
    /// Read a configuration and keep it until it is approved, so long at most; `None` is an hour.
    Stage(ReloadRequest, Option<Duration>, oneshot::Sender<ReloadReport>),
    /// Apply what waits for approval.
    Approve(ApprovalRequest, oneshot::Sender<ReloadReport>),
    /// Tell what waits for approval, with what it would do now.
    Staged(oneshot::Sender<Vec<StagedReport>>),
    /// Tell what a reload would do; changes nothing.
    Plan(PlanRequest, oneshot::Sender<PlanReport>),
    /// Carry out a steering command, and tell what came of it, or that there is no such virtual cluster.
    Steer(SteeringRequest, oneshot::Sender<Result<SteeringReport, String>>),
    /// Change the log level, and tell what it is then, or why it is not changed.
    Log(LogLevelRequest, oneshot::Sender<Result<LogLevelStatus, String>>),
    /// Take a step of a rehearsal.
    Rehearse(RehearsalStep),
    /// Drain all sessions and end.
    Shutdown,
}

/// The control thread's end of a [`ControlHandle`]. Dropping it answers every question with [`Gone`].
#[derive(Debug)]
pub struct ControlInbox {
    /// Requests in order of arrival.
    pub commands: mpsc::Receiver<ControlCommand>,
    /// State that callers may wait for.
    pub progress: watch::Sender<Progress>,
    observed: watch::Sender<Option<Arc<dyn Observe>>>,
    ready: Arc<AtomicBool>,
}

/// A handle and the end that serves it.
pub fn channel() -> (ControlHandle, ControlInbox) {
    let (sender, commands) = mpsc::channel(COMMAND_CAPACITY);
    let (progress, progress_seen) = watch::channel(Progress::default());
    let (observed, newest) = watch::channel(None);
    let ready = Arc::<AtomicBool>::default();
    let handle = ControlHandle {
        commands: sender,
        observed: newest,
        progress: progress_seen,
        ready: Arc::clone(&ready),
    };
    let inbox = ControlInbox {
        commands,
        progress,
        observed,
        ready,
    };
    (handle, inbox)
}

impl ControlInbox {
    /// Sets what `/readyz` says: yes from the first commit to the first moment of a shutdown, whatever reloads do.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Publishes what questions are answered from. Questions asked before the first time wait for it.
    pub fn publish(&self, observed: Arc<dyn Observe>) {
        self.observed.send_replace(Some(observed));
    }
}

impl Drop for ControlInbox {
    fn drop(&mut self) {
        // Handles may outlive the proxy; the clusters that it served shall not.
        self.observed.send_replace(None);
    }
}

impl ControlHandle {
    /// State of the process, its configuration, virtual clusters and drains.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn status(&self) -> Result<ProxyStatus, Gone> {
        Ok(self.observed().await?.status())
    }

    /// Everything `/metrics` shows, as data.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn metrics(&self) -> Result<MetricsSnapshot, Gone> {
        Ok(self.observed().await?.metrics())
    }

    /// Live sessions that pass `filter`, draining ones included, by id.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn connections(&self, filter: ConnectionFilter) -> Result<Vec<ConnectionInfo>, Gone> {
        Ok(self.observed().await?.connections(&filter))
    }

    /// Reloads, and returns once the outcome is known. Drains go on after it.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn reload(&self, request: ReloadRequest) -> Result<ReloadReport, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Reload(request, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Returns what runs, and a reader of all events from now on.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn watch(&self) -> Result<(WatchingEvent, EventReader), Gone> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(ControlCommand::Watch(reply))
            .await
            .map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Reads a configuration and keeps it until somebody else approves it, or for `within` (an hour by default).
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn stage(
        &self,
        request: ReloadRequest,
        within: Option<Duration>,
    ) -> Result<ReloadReport, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Stage(request, within, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Applies what waits for approval, and returns once the outcome is known.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn approve(&self, request: ApprovalRequest) -> Result<ReloadReport, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Approve(request, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// What waits for approval, with what it would do now.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn staged(&self) -> Result<Vec<StagedReport>, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Staged(reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// What a reload would do. Changes nothing, and delays no reload.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn plan(&self, request: PlanRequest) -> Result<PlanReport, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Plan(request, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Carries out a steering command. The inner error says that there is no such virtual cluster.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn steer(&self, request: SteeringRequest) -> Result<Result<SteeringReport, String>, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Steer(request, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Changes the log level. The inner error says why it is not changed.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn log_level(&self, request: LogLevelRequest) -> Result<Result<LogLevelStatus, String>, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Log(request, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Rehearses a reload without a change, or one of a virtual cluster, up to the moment before its commit. The inner error
    /// says why it cannot be prepared.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn rehearse(&self, change: bool) -> Result<Result<Rehearsal, String>, Gone> {
        let (reply, took) = oneshot::channel();
        self.step(RehearsalStep::Read { change, reply }).await?;
        let read = took.await.map_err(|_| Gone)?;
        let (reply, prepared) = oneshot::channel();
        self.step(RehearsalStep::Prepare { change, reply }).await?;
        let rehearsal = prepared.await.map_err(|_| Gone)?;
        Ok(rehearsal.map(|mut rehearsal| {
            rehearsal.phases.read = read;
            rehearsal
        }))
    }

    async fn step(&self, step: RehearsalStep) -> Result<(), Gone> {
        let command = ControlCommand::Rehearse(step);
        self.commands.send(command).await.map_err(|_| Gone)
    }

    /// Reloads, and goes back by itself unless that is confirmed within this time. Returns once the outcome is known.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn reload_unconfirmed(
        &self,
        request: ReloadRequest,
        within: Duration,
    ) -> Result<ReloadReport, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::ReloadUnconfirmed(request, within, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Keeps what runs and waits for confirmation; else the reason why nothing is confirmed.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn confirm(&self, by: Requester) -> Result<Result<ConfirmReport, String>, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = ControlCommand::Confirm(by, reply);
        self.commands.send(command).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Begins to drain and end. The proxy has ended when the control thread has.
    pub async fn shut_down(&self) {
        // An error means that it has ended already.
        drop(self.commands.send(ControlCommand::Shutdown).await);
    }

    /// Waits until `reached` holds, and returns the state for which it did.
    ///
    /// # Errors
    /// [`Gone`] when the proxy ends first.
    pub async fn wait_for(&self, reached: impl FnMut(&Progress) -> bool) -> Result<Progress, Gone> {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(reached).await.map_err(|_| Gone)?;
        Ok(*reached)
    }

    /// Generation that runs, and number of drains.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Whether new clients should be sent here.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Returns what the control thread published last, to ask it anything; waits for the first time.
    ///
    /// # Errors
    /// [`Gone`] when the proxy has ended.
    pub async fn observed(&self) -> Result<Arc<dyn Observe>, Gone> {
        if self.commands.is_closed() {
            return Err(Gone);
        }
        let mut observed = self.observed.clone();
        let newest = observed.wait_for(Option::is_some).await.map_err(|_| Gone)?;
        newest.clone().ok_or(Gone)
    }
}
