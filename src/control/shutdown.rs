//! The end of the process: a reload to the empty model, with the process's own deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::engine::Engine;
use super::handle::Command;
use super::signals::{Signal, TimedSignals};
use crate::reload::Plan;
use crate::time::whole_millis;

/// The time between the first signal and one that ends the process at once. GNU `timeout`, `tini -g` and some supervisors
/// deliver one request to stop twice: to the process and to its group.
const SECOND_SIGNAL: Duration = Duration::from_secs(1);

/// Kept free at the end of the deadline, for the last closes and the exit itself.
const MARGIN: Duration = Duration::from_millis(500);

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownOutcome {
    /// Sessions alive when it began.
    pub sessions: usize,
    /// Of them, those that were closed at the deadline with requests unanswered.
    pub forced: u64,
}

/// How a proxy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every session was drained, or the deadline had passed.
    Drained(ShutdownOutcome),
    /// A second signal, at least a second after the first, ended it at once.
    Forced,
}

/// What a shutdown does, in this order. Its first moment, from which `/readyz` says no, lies before them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No listener is left; who was waiting there is served.
    StopAccepting,
    /// Every session is asked to leave; drains that were running join.
    Drain,
    /// Whoever is left at the deadline is closed.
    Close,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::StopAccepting => "stop-accepting",
            Self::Drain => "drain",
            Self::Close => "close",
        }
    }
}

/// Serves until something ends it, and then ends in order.
pub async fn run(mut engine: Engine) -> Exit {
    let cause = engine.serve().await;
    let signals = TimedSignals::watch(engine.signals.take());
    tracing::info!(signal = %cause, "shutting down");
    engine.inbox.set_ready(false);
    engine.reject_all();
    let saving = engine.save_topology();
    ShutdownCoordinator::new(engine, saving, signals).run().await
}

/// Takes an engine through its last phases.
struct ShutdownCoordinator {
    engine: Engine,
    /// What was learned is written meanwhile.
    saving: Option<JoinHandle<()>>,
    signals: TimedSignals,
    began: Instant,
    deadline: Instant,
}

impl ShutdownCoordinator {
    fn new(engine: Engine, saving: Option<JoinHandle<()>>, signals: TimedSignals) -> Self {
        let began = Instant::now();
        let timeout = engine.reloader.current().network.shutdown_timeout;
        Self {
            engine,
            saving,
            signals,
            began,
            deadline: began + timeout.saturating_sub(MARGIN),
        }
    }

    async fn run(mut self) -> Exit {
        let sessions = self.engine.snapshot().sessions();
        self.enter(Phase::StopAccepting);
        self.stop_accepting().await;
        self.enter(Phase::Drain);
        let Some(drained) = self.drain().await else {
            return Exit::Forced;
        };
        if !drained {
            self.enter(Phase::Close);
            tracing::warn!(
                sessions = self.engine.snapshot().sessions(),
                "sessions are left at the deadline"
            );
        }
        self.wait_for_saving().await;
        let outcome = ShutdownOutcome {
            sessions,
            forced: self.engine.drains.forced(),
        };
        tracing::info!(
            sessions,
            forced = outcome.forced,
            duration_ms = whole_millis(self.began.elapsed()),
            "shut down"
        );
        Exit::Drained(outcome)
    }

    async fn wait_for_saving(&mut self) {
        if let Some(saving) = self.saving.take() {
            let end = self.deadline + MARGIN * 4 / 5;
            if tokio::time::timeout_at(end.into(), saving).await.is_err() {
                tracing::warn!("the learned topology could not be saved in time");
            }
        }
    }

    fn enter(&self, phase: Phase) {
        tracing::debug!(
            phase = phase.name(),
            duration_ms = whole_millis(self.began.elapsed()),
            "shutdown"
        );
    }

    async fn stop_accepting(&mut self) {
        let engine = &mut self.engine;
        // Nobody binds endpoints any more; sessions that ask withhold the node.
        engine.endpoint_requests.close();
        while engine.endpoint_requests.try_recv().is_ok() {}
        engine.drains.tighten(self.deadline);
        engine.drains.reset_forced();
        let empty = Arc::new(engine.reloader.current().without_clusters());
        let plan = Plan::between(engine.reloader.current(), &empty);
        match engine.reloader.prepare(plan, empty).await {
            Ok(prepared) => {
                let retired = engine.reloader.commit(prepared);
                engine.retire(retired, Some(self.deadline)).await;
            }
            // Nothing is bound on the way to the empty model, so nothing can fail.
            Err(errors) => tracing::error!(?errors, "the shutdown could not be prepared"),
        }
    }

    /// True when every session has left, false at the deadline, `None` at a second signal.
    async fn drain(&mut self) -> Option<bool> {
        // Sessions keep the deadline themselves; this is for one that does not get to run.
        let overdue = tokio::time::sleep_until((self.deadline + MARGIN * 4 / 5).into());
        tokio::pin!(overdue);
        let (engine, signals) = (&mut self.engine, &mut self.signals);
        let mut open = true;
        while !engine.drains.is_empty() {
            engine.publish();
            tokio::select! {
                ended = engine.drains.ended() => engine.on_drain_ended(ended),
                () = &mut overdue => return Some(false),
                (signal, at) = signals.next() => match signal {
                    Signal::Hangup => tracing::warn!("SIGHUP: kproxy is shutting down, nothing is reloaded"),
                    signal if at.saturating_duration_since(self.began) < SECOND_SIGNAL => {
                        tracing::info!(%signal, "another signal within a second of the first: the same request to stop");
                    }
                    signal => {
                        tracing::warn!(%signal, "second signal: exiting at once");
                        return None;
                    }
                },
                command = engine.inbox.commands.recv(), if open => match command {
                    Some(Command::Reload(request, reply)) => engine.reject_late(request, reply),
                    Some(Command::Shutdown) => {}
                    None => open = false,
                },
            }
        }
        engine.publish();
        Some(true)
    }
}
