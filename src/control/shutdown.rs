//! Shutdown of the process: a reload to the empty model, with the deadline of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::Interval;

use super::engine::{Engine, StopCause, check_interval};
use super::events::{Event, ShutdownEvent};
use super::handle::ControlCommand;
use super::shutdown_times::ShutdownPhase;
use super::signals::{Signal, TimedSignals};
use crate::reload::Plan;
use crate::time::whole_millis;

/// Time after the first signal from which a second one ends the process at once. GNU `timeout`, `tini -g` and some
/// supervisors deliver one request to stop twice: to the process and to its group.
const SECOND_SIGNAL_DELAY: Duration = Duration::from_secs(1);

/// Part of the time limit that is kept free for the last closes and the exit.
const EXIT_MARGIN: Duration = Duration::from_millis(500);

/// How long a second signal waits for the last lines of the audit.
const FORCED_FLUSH: Duration = Duration::from_millis(100);

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

/// Serves until a signal or the handle ends the process, then shuts down.
pub async fn run(mut engine: Engine) -> Exit {
    let cause = engine.serve().await;
    let signals = TimedSignals::watch(engine.signals.take());
    tracing::info!(signal = %cause, "shutting down");
    engine.inbox.set_ready(false);
    engine.reject_all();
    let delay = match cause {
        StopCause::Signal(_) => engine.reloader.current().network.shutdown_delay,
        // Who ends the proxy by the handle knows where its clients go.
        StopCause::Handle => Duration::ZERO,
    };
    ShutdownCoordinator::new(engine, cause, signals).run(delay).await
}

/// Takes an engine through the phases of a shutdown.
struct ShutdownCoordinator {
    engine: Engine,
    cause: StopCause,
    signals: TimedSignals,
    /// Time of the first signal.
    began: Instant,
    checks: Interval,
}

/// How a wait of the shutdown ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// All drains have ended.
    Drained,
    /// The time is over.
    Overdue,
    /// A second signal came.
    Interrupted,
}

impl ShutdownCoordinator {
    fn new(engine: Engine, cause: StopCause, signals: TimedSignals) -> Self {
        Self {
            engine,
            cause,
            signals,
            began: Instant::now(),
            checks: check_interval(),
        }
    }

    async fn run(mut self, delay: Duration) -> Exit {
        if !delay.is_zero() && self.delay(delay).await == Waited::Interrupted {
            return self.forced();
        }
        let timeout = self.engine.reloader.current().network.shutdown_timeout;
        let deadline = Instant::now() + timeout.saturating_sub(EXIT_MARGIN);
        let saving = Some(self.engine.save_all());
        let sessions = self.engine.snapshot().sessions();
        self.enter(ShutdownPhase::StopAccepting);
        self.stop_accepting(deadline).await;
        self.enter(ShutdownPhase::Drain);
        // Sessions keep the deadline themselves; this one is for a session that does not get to run.
        let last_moment = deadline + EXIT_MARGIN * 4 / 5;
        match self.wait(Some(ShutdownPhase::Drain), last_moment).await {
            Waited::Drained => {}
            Waited::Interrupted => return self.forced(),
            Waited::Overdue => {
                self.enter(ShutdownPhase::Close);
                let sessions = self.engine.snapshot().sessions();
                tracing::warn!(sessions, "sessions are left at the deadline");
            }
        }
        wait_for_saving(saving, last_moment).await;
        let outcome = self.finish(sessions);
        self.engine.audit.finish(last_moment);
        Exit::Drained(outcome)
    }

    /// Ends at once, but for the last lines of the audit.
    fn forced(&self) -> Exit {
        self.engine.audit.finish(Instant::now() + FORCED_FLUSH);
        Exit::Forced
    }

    /// Serves as before, so that load balancers find out that they are to send no more clients.
    async fn delay(&mut self, delay: Duration) -> Waited {
        self.enter(ShutdownPhase::Delay);
        tracing::info!("not ready any more; clients are accepted for another {delay:?}");
        self.wait(None, self.began + delay).await
    }

    fn finish(&mut self, sessions: usize) -> ShutdownOutcome {
        let outcome = ShutdownOutcome {
            sessions,
            forced: self.engine.drains.forced(),
        };
        let (times, now) = (self.engine.shutdown_times, Instant::now());
        tracing::info!(
            sessions,
            forced = outcome.forced,
            duration_ms = whole_millis(now.saturating_duration_since(self.began)),
            delay_ms = whole_millis(times.spent(ShutdownPhase::Delay, now)),
            drain_ms = whole_millis(times.spent(ShutdownPhase::Drain, now)),
            "shut down"
        );
        self.engine.tick_events();
        self.publish("end", 0, outcome.forced);
        outcome
    }

    fn enter(&mut self, phase: ShutdownPhase) {
        self.engine.shutdown_times.enter(phase, Instant::now());
        self.tell_service(phase);
        self.engine.publish();
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

    fn tell_service(&mut self, phase: ShutdownPhase) {
        let sessions = self.engine.snapshot().sessions();
        self.engine.service.stopping(phase.name(), sessions);
    }

    async fn stop_accepting(&mut self, deadline: Instant) {
        let engine = &mut self.engine;
        // No endpoint is bound any more; sessions that ask for one withhold the node from their clients.
        engine.endpoint_requests.close();
        while engine.endpoint_requests.try_recv().is_ok() {}
        engine.drains.tighten(deadline);
        engine.drains.reset_forced();
        engine.reloader.registry.leave_kept_sockets();
        let empty = Arc::new(engine.reloader.current().without_clusters());
        let plan = Plan::between(engine.reloader.current(), &empty);
        match engine.reloader.prepare(plan, empty).await {
            Ok(prepared) => {
                let retired = engine.reloader.commit(prepared);
                // The rules for clients stay as they are on the way to the empty model: there is nothing to recheck.
                engine.retire(retired, Some(deadline)).await;
                engine.publish();
            }
            // The empty model binds nothing, so nothing can fail.
            Err(errors) => tracing::error!(?errors, "the shutdown could not be prepared"),
        }
    }

    /// Waits until `end`, or until no drain is left in phase `drain`.
    async fn wait(&mut self, drain: Option<ShutdownPhase>, end: Instant) -> Waited {
        let over = tokio::time::sleep_until(end.into());
        tokio::pin!(over);
        let mut open = true;
        while drain.is_none() || !self.engine.drains.is_empty() {
            self.engine.publish();
            let engine = &mut self.engine;
            tokio::select! {
                ended = engine.drains.ended() => engine.on_drains_ended(&ended),
                () = &mut over => return Waited::Overdue,
                (signal, at) = self.signals.next() => if self.is_second(signal, at) {
                    return Waited::Interrupted;
                },
                Some(request) = engine.endpoint_requests.recv() => engine.bind_endpoints(request).await,
                _ = self.checks.tick() => {
                    match drain {
                        None => engine.check(),
                        Some(_) => engine.check_threads(),
                    }
                    self.tell_service(drain.unwrap_or(ShutdownPhase::Delay));
                }
                command = engine.inbox.commands.recv(), if open => match command {
                    Some(ControlCommand::Reload(request, reply)) => engine.reject_late(request, reply),
                    Some(ControlCommand::Watch(reply)) => drop(reply.send(engine.watch())),
                    // Dropping the reply tells that kproxy has ended.
                    Some(
                        ControlCommand::Plan(..)
                        | ControlCommand::ReloadUnconfirmed(..)
                        | ControlCommand::Confirm(..)
                        | ControlCommand::Stage(..)
                        | ControlCommand::Approve(..)
                        | ControlCommand::Staged(_)
                        | ControlCommand::Steer(..)
                        | ControlCommand::Log(..)
                        | ControlCommand::Rehearse(..)
                        | ControlCommand::Shutdown,
                    ) => {}
                    None => open = false,
                },
            }
        }
        self.engine.publish();
        Waited::Drained
    }

    /// Logs a signal. Returns whether it ends the process at once.
    fn is_second(&self, signal: Signal, at: Instant) -> bool {
        match signal {
            Signal::Hangup => tracing::warn!("SIGHUP: kproxy is shutting down, nothing is reloaded"),
            signal if at.saturating_duration_since(self.began) < SECOND_SIGNAL_DELAY => {
                tracing::info!(%signal, "another signal within a second of the first: the same request to stop");
            }
            signal => {
                tracing::warn!(%signal, "second signal: exiting at once");
                return true;
            }
        }
        false
    }
}

async fn wait_for_saving(saving: Option<JoinHandle<()>>, end: Instant) {
    if let Some(saving) = saving
        && tokio::time::timeout_at(end.into(), saving).await.is_err()
    {
        tracing::warn!("the learned topology could not be saved before the deadline");
    }
}
