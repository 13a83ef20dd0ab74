//! Shutdown of the process: a reload to the empty model, with the deadline of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::engine::{CHECK_INTERVAL, Engine, StopCause};
use super::events::{Event, ShutdownEvent};
use super::handle::ControlCommand;
use super::signals::{Signal, TimedSignals};
use crate::reload::Plan;
use crate::time::whole_millis;

/// Time after the first signal from which a second one ends the process at once. GNU `timeout`, `tini -g` and some
/// supervisors deliver one request to stop twice: to the process and to its group.
const SECOND_SIGNAL_DELAY: Duration = Duration::from_secs(1);

/// Part of the time limit that is kept free for the last closes and the exit.
const EXIT_MARGIN: Duration = Duration::from_millis(500);

/// Result of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownOutcome {
    /// Sessions when it began.
    pub sessions: usize,
    /// Sessions closed at the deadline with requests unanswered.
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

/// Phases of a shutdown, in order. `/readyz` says no before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShutdownPhase {
    /// Listeners close; clients that wait there are accepted first.
    StopAccepting,
    /// Every session is asked to leave; running drains get the deadline of the process.
    Drain,
    /// Sessions that are left at the deadline are closed.
    Close,
}

impl ShutdownPhase {
    fn name(self) -> &'static str {
        match self {
            Self::StopAccepting => "stop-accepting",
            Self::Drain => "drain",
            Self::Close => "close",
        }
    }
}

/// Serves until a signal or the handle ends the process, then shuts down.
pub async fn run(mut engine: Engine) -> Exit {
    let cause = engine.serve().await;
    let signals = TimedSignals::watch(engine.signals.take());
    tracing::info!(signal = %cause, "shutting down");
    engine.inbox.set_ready(false);
    engine.reject_all();
    let saving = engine.save_topology();
    ShutdownCoordinator::new(engine, cause, saving, signals)
        .run()
        .await
}

/// Takes an engine through the phases of a shutdown.
struct ShutdownCoordinator {
    engine: Engine,
    cause: StopCause,
    /// Task that writes the learned topology.
    saving: Option<JoinHandle<()>>,
    signals: TimedSignals,
    began: Instant,
    deadline: Instant,
}

impl ShutdownCoordinator {
    fn new(engine: Engine, cause: StopCause, saving: Option<JoinHandle<()>>, signals: TimedSignals) -> Self {
        let began = Instant::now();
        let timeout = engine.reloader.current().network.shutdown_timeout;
        Self {
            engine,
            cause,
            saving,
            signals,
            began,
            deadline: began + timeout.saturating_sub(EXIT_MARGIN),
        }
    }

    async fn run(mut self) -> Exit {
        let sessions = self.engine.snapshot().sessions();
        self.enter(ShutdownPhase::StopAccepting);
        self.stop_accepting().await;
        self.enter(ShutdownPhase::Drain);
        let Some(drained) = self.drain().await else {
            return Exit::Forced;
        };
        if !drained {
            self.enter(ShutdownPhase::Close);
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
        self.engine.tick_events();
        self.publish("end", 0, outcome.forced);
        Exit::Drained(outcome)
    }

    async fn wait_for_saving(&mut self) {
        if let Some(saving) = self.saving.take() {
            let end = self.deadline + EXIT_MARGIN * 4 / 5;
            if tokio::time::timeout_at(end.into(), saving).await.is_err() {
                tracing::warn!("the learned topology could not be saved before the deadline");
            }
        }
    }

    fn enter(&mut self, phase: ShutdownPhase) {
        tracing::debug!(
            phase = phase.name(),
            duration_ms = whole_millis(self.began.elapsed()),
            "shutdown"
        );
        let sessions = self.engine.snapshot().sessions();
        self.publish(phase.name(), sessions, self.engine.drains.forced());
    }

    fn publish(&self, phase: &'static str, sessions: usize, forced: u64) {
        self.engine.events.publish(Event::Shutdown(ShutdownEvent {
            phase: phase.into(),
            signal: self.cause.to_string().into(),
            sessions,
            forced,
        }));
    }

    async fn stop_accepting(&mut self) {
        let engine = &mut self.engine;
        // No endpoint is bound any more; sessions that ask for one withhold the node from their clients.
        engine.endpoint_requests.close();
        while engine.endpoint_requests.try_recv().is_ok() {}
        engine.drains.tighten(self.deadline);
        engine.drains.reset_forced();
        let empty = Arc::new(engine.reloader.current().without_clusters());
        let plan = Plan::between(engine.reloader.current(), &empty);
        match engine.reloader.prepare(plan, empty).await {
            Ok(prepared) => {
                let retired = engine.reloader.commit(prepared);
                // The rules for clients stay as they are on the way to the empty model: there is nothing to recheck.
                engine.retire(retired, Some(self.deadline)).await;
                engine.publish();
            }
            // The empty model binds nothing, so nothing can fail.
            Err(errors) => tracing::error!(?errors, "the shutdown could not be prepared"),
        }
    }

    /// Waits for all sessions. Returns true when they have left, false at the deadline, `None` at a second signal.
    async fn drain(&mut self) -> Option<bool> {
        // Sessions keep the deadline themselves; this one is for a session that does not get to run.
        let overdue = tokio::time::sleep_until((self.deadline + EXIT_MARGIN * 4 / 5).into());
        tokio::pin!(overdue);
        let (engine, signals) = (&mut self.engine, &mut self.signals);
        let mut ticks = tokio::time::interval(CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        while !engine.drains.is_empty() {
            engine.publish();
            tokio::select! {
                ended = engine.drains.ended() => engine.on_drains_ended(&ended),
                () = &mut overdue => return Some(false),
                _ = ticks.tick() => engine.tick_events(),
                (signal, at) = signals.next() => match signal {
                    Signal::Hangup => tracing::warn!("SIGHUP: kproxy is shutting down, nothing is reloaded"),
                    signal if at.saturating_duration_since(self.began) < SECOND_SIGNAL_DELAY => {
                        tracing::info!(%signal, "another signal within a second of the first: the same request to stop");
                    }
                    signal => {
                        tracing::warn!(%signal, "second signal: exiting at once");
                        return None;
                    }
                },
                command = engine.inbox.commands.recv(), if open => match command {
                    Some(ControlCommand::Reload(request, reply)) => engine.reject_late(request, reply),
                    Some(ControlCommand::Watch(reply)) => drop(reply.send(engine.watch())),
                    // Dropping the reply tells that kproxy has ended.
                    Some(ControlCommand::Plan(..) | ControlCommand::Shutdown) => {}
                    None => open = false,
                },
            }
        }
        engine.publish();
        Some(true)
    }
}
