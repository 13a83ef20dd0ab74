//! Steering: drains and resumes of virtual clusters, and closes of sessions that somebody has chosen.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::Engine;
use crate::cluster::{ManagedCluster, ReportedState};
use crate::control::events::{Event, LogLevelEvent, StateChanges, SteeringEvent};
use crate::control::log_level::{LogLevelRequest, LogLevelStatus};
use crate::control::requester::Requester;
use crate::control::runtime::fences;
use crate::control::runtime::reloader::Leaving;
use crate::control::status::PausedStatus;
use crate::control::steering::{
    ChosenSessions, SteeringCommand, SteeringReport, SteeringRequest, unknown_cluster,
};
use crate::drain::{ConnectionTracker, SessionHandle};
use crate::session::intake::IntakeStop;

/// Target of the log lines.
const STEERING: &str = "kproxy::steer";

impl Engine {
    /// Carries out a command. `Err`: there is no such virtual cluster; nothing has changed.
    pub(super) async fn steer(&mut self, request: SteeringRequest) -> Result<SteeringReport, String> {
        let SteeringRequest { by, command } = request;
        let (object, outcome) = match command {
            SteeringCommand::Drain(cluster) => {
                let outcome = self.drain_cluster(&cluster, by).await;
                (cluster, ("drain", outcome))
            }
            SteeringCommand::Resume(cluster) => {
                let outcome = self.resume_cluster(&cluster).await;
                (cluster, ("resume", outcome))
            }
            SteeringCommand::Fence {
                cluster,
                fence,
                lasting,
            } => {
                let outcome = self.fence_cluster(&cluster, fence, lasting, by).await;
                (cluster, ("fence", outcome))
            }
            SteeringCommand::Pause {
                cluster,
                lasting,
                passes_heartbeats,
            } => {
                let outcome = self.pause_cluster(&cluster, lasting, passes_heartbeats, by).await;
                (cluster, ("pause", outcome))
            }
            SteeringCommand::Unfence(cluster) => {
                let outcome = self.unfence_cluster(&cluster).await;
                (cluster, ("unfence", outcome))
            }
            SteeringCommand::Close { object, sessions } => {
                let report = self.close_sessions(sessions).await;
                (object, ("close", Ok(report)))
            }
        };
        self.publish();
        let (name, outcome) = outcome;
        self.tell_steering(name, object, by, &outcome);
        outcome
    }

    /// Changes the log level. `Err`: why it is not changed.
    pub(super) fn change_log(&mut self, request: LogLevelRequest) -> Result<LogLevelStatus, String> {
        let by = request.by;
        let event = self.log.request(request);
        self.publish();
        match event {
            Ok(event) => {
                tracing::info!(target: STEERING, level = event.level, seconds = event.seconds.map(f64::round), %by, "the log level is changed");
                self.events
                    .publish(Event::LogLevel(LogLevelEvent { by, ..event }));
                Ok(self.log.status())
            }
            Err(detail) => {
                tracing::info!(target: STEERING, detail, %by, "the log level is not changed");
                Err(detail)
            }
        }
    }

    /// Takes the log level of a configuration that has come to run.
    pub(super) fn configure_log(&mut self, level: &str) {
        if self.log.configure(level) {
            self.tell_log_level("a reload has changed logging.level");
        }
    }

    /// Returns to the log level of the configuration.
    pub(super) fn end_log_change(&mut self, why: &'static str) {
        self.log.fall_back();
        self.publish();
        self.tell_log_level(why);
    }

    fn tell_log_level(&self, why: &'static str) {
        let level = self.log.status().level;
        tracing::info!(target: STEERING, level, why, "the log level is that of the configuration again");
        let event = LogLevelEvent {
            level,
            ..LogLevelEvent::default()
        };
        self.events.publish(Event::LogLevel(event));
    }

    async fn drain_cluster(&mut self, name: &str, by: Requester) -> Result<SteeringReport, String> {
        let cluster = self.running_cluster(name)?;
        let before = cluster.reported_state(false);
        // First: a session that joins a tracker after it was emptied finds the stop.
        let stopped = cluster.context.intake.stop(IntakeStop {
            since: SystemTime::now(),
            by: by.to_string(),
        });
        let mut leaving = leaving(cluster, "its virtual cluster is drained by a command", |_| true);
        leaving
            .trackers
            .extend(parted(&self.moving_trackers(name), |_| true));
        let sessions = self.ask_to_leave(leaving).await;
        if stopped {
            self.tell_state(name, before, ReportedState::Draining.name());
        }
        Ok(self.report_of("drain", name, stopped || sessions > 0, sessions))
    }

    async fn resume_cluster(&mut self, name: &str) -> Result<SteeringReport, String> {
        let was_paused = self.end_pause(name).await?;
        let cluster = self.running_cluster(name)?;
        let before = cluster.reported_state(false);
        let resumed = cluster.context.intake.resume();
        if resumed {
            self.tell_state(name, before, cluster.reported_state(false));
        }
        let mut report = self.report_of("resume", name, resumed || was_paused, 0);
        report.detail = was_paused.then(|| "it was paused".into());
        Ok(report)
    }

    async fn close_sessions(&mut self, chosen: ChosenSessions) -> SteeringReport {
        let mut report = SteeringReport {
            command: "close".into(),
            outcome: "done".into(),
            already_leaving: chosen.already_leaving,
            ..SteeringReport::default()
        };
        for (name, ids) in chosen.by_cluster {
            // The virtual cluster may have been removed meanwhile; then its sessions leave already.
            let Ok(cluster) = self.running_cluster(&name) else {
                continue;
            };
            let is_chosen = |session: &SessionHandle| ids.contains(&session.id);
            let mut leaving = leaving(cluster, "it is closed by a command", is_chosen);
            leaving
                .trackers
                .extend(parted(&self.moving_trackers(&name), is_chosen));
            let sessions = self.ask_to_leave(leaving).await;
            if sessions > 0 {
                report.sessions += sessions;
                report.clusters.insert(name, sessions);
            }
        }
        if report.sessions == 0 {
            report.outcome = "unchanged".into();
        }
        report
    }

    pub(super) fn running_cluster(&self, name: &str) -> Result<&ManagedCluster, String> {
        let clusters = &self.reloader.clusters;
        let known = || clusters.iter().map(|cluster| cluster.model.name.as_str());
        clusters
            .get(name)
            .ok_or_else(|| unknown_cluster(name, &known().collect::<Vec<_>>()))
    }

    /// Begins to drain these sessions. Returns how many there are.
    async fn ask_to_leave(&mut self, leaving: Leaving) -> usize {
        let sessions = leaving.trackers.iter().map(|tracker| tracker.len()).sum();
        if sessions > 0 {
            self.drains.begin(leaving, self.generation(), None).await;
        }
        sessions
    }

    pub(super) fn report_of(
        &self,
        command: &'static str,
        name: &str,
        changed: bool,
        sessions: usize,
    ) -> SteeringReport {
        let state = self.reloader.clusters.get(name);
        SteeringReport {
            command: command.into(),
            outcome: if changed { "done" } else { "unchanged" }.into(),
            cluster: Some(name.to_owned()),
            state: state.map(|cluster| cluster.reported_state(false).into()),
            sessions,
            clusters: (sessions > 0)
                .then(|| (name.to_owned(), sessions))
                .into_iter()
                .collect(),
            already_leaving: 0,
            paused: state.and_then(|cluster| cluster.context.pause.current().as_ref().map(PausedStatus::of)),
            fence: state.and_then(|cluster| fences::status(cluster, std::iter::empty())),
            detail: None,
        }
    }

    fn tell_state(&self, name: &str, before: &'static str, now: &'static str) {
        let mut changes = StateChanges::default();
        changes.add(name, Some(before), now, None);
        for event in changes.events() {
            self.events.publish(event);
        }
    }

    /// Tells the log and the readers of events what came of a command.
    pub(super) fn tell_steering(
        &self,
        command: &'static str,
        object: String,
        by: Requester,
        outcome: &Result<SteeringReport, String>,
    ) {
        let sessions = outcome.as_ref().map_or(0, |report| report.sessions);
        let (word, detail) = match outcome {
            Ok(report) => (report.outcome.clone(), report.detail.as_deref()),
            Err(why) => ("refused".into(), Some(why.as_str())),
        };
        tracing::info!(target: STEERING, %command, %object, %by, outcome = %word, sessions, detail, "steering command");
        self.events.publish(Event::Steering(SteeringEvent {
            by,
            command: command.into(),
            object,
            outcome: word,
            detail: detail.unwrap_or_default().to_owned(),
            sessions,
        }));
    }
}

/// The sessions of a cluster that are chosen, moved away from those that stay.
fn leaving(
    cluster: &ManagedCluster,
    reason: &'static str,
    chosen: impl Fn(&SessionHandle) -> bool,
) -> Leaving {
    Leaving {
        cluster: cluster.model.name.clone(),
        generation: cluster.generation,
        policy: cluster.model.drain.clone(),
        reason: Some(reason),
        trackers: parted(cluster.trackers(), chosen),
        counters: Arc::clone(&cluster.context.counters),
        removed: None,
        may_move: false,
    }
}

/// The chosen sessions of these trackers, in trackers of their own.
fn parted<'t>(
    trackers: impl IntoIterator<Item = &'t Arc<ConnectionTracker>>,
    chosen: impl Fn(&SessionHandle) -> bool,
) -> Vec<Arc<ConnectionTracker>> {
    let mut seen = HashSet::new();
    let own = trackers.into_iter().filter_map(|tracker| {
        // The endpoints of a gateway may share one.
        seen.insert(Arc::as_ptr(tracker))
            .then(|| tracker.part(&chosen))
            .filter(|parted| !parted.is_empty())
    });
    own.collect()
}
