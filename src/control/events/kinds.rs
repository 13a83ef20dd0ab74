//! What an event says: the JSON of `kproxy watch --json`, of the audit and of webhooks.
//!
//! Fields and names never change. A command may be of another version than the process: fields that it does not know are
//! ignored, missing ones are empty, and a kind that it does not know is [`Event::Unknown`].

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::control::reload::report::ReloadReport;
use crate::control::requester::Requester;
use crate::control::status::Word;
use crate::time::{as_millis, as_rfc3339};

/// An event with its time. In JSON one object: `at`, `event` (the kind), and the fields of the kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedEvent {
    /// When it happened.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened. A new kind needs a variant here and a row in `docs/operating/audit-and-notifications.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A reader reads from now on: the first event of each stream.
    Watching(WatchingEvent),
    /// The reader was too slow and has lost events.
    Lost {
        /// Number of lost events.
        #[serde(default)]
        count: u64,
    },
    /// A reload has ended, whatever came of it.
    Reload {
        /// Its report.
        #[serde(default)]
        report: Box<ReloadReport>,
    },
    /// A reload took longer than `reload.target`.
    SlowReload(SlowReloadEvent),
    /// Sessions are asked to leave.
    DrainBegan(DrainEvent),
    /// Sessions have left; at most once a second for each drain.
    DrainProgress(DrainEvent),
    /// Sessions were closed at the hard deadline with requests unanswered.
    DrainForced(DrainEvent),
    /// No session is left.
    DrainEnded(DrainEvent),
    /// Sessions were closed; summed up once a second.
    SessionsClosed(ClosedSessions),
    /// A virtual cluster has another state.
    ClusterState(ClusterStateEvent),
    /// Somebody gave a command that steers what runs: `drain`, `resume`, `close`.
    Steering(SteeringEvent),
    /// An earlier configuration was brought back, or not.
    Rollback(RollbackEvent),
    /// A reload was prepared and waits for approval.
    Staged(StagedEvent),
    /// A staged reload was approved.
    Approved(StagedEvent),
    /// A staged reload was dropped: too late, replaced, or no longer possible.
    StageExpired(StagedEvent),
    /// A reload was applied and reverts by itself unless it is confirmed.
    ConfirmPending(ConfirmEvent),
    /// A reload was confirmed.
    Confirmed(ConfirmEvent),
    /// A reload was not confirmed in time and is reverted.
    Reverted(ConfirmEvent),
    /// The comparison of changed virtual clusters with themselves before the reload has a result.
    Probation(ProbationEvent),
    /// A certificate in use expires soon, or has expired.
    CertificateExpiry(CertificateEvent),
    /// A limit is reached.
    LimitReached(LimitEvent),
    /// A limit is no longer reached.
    LimitOver(LimitEvent),
    /// The log level was changed at run time, or has fallen back.
    LogLevel(LogLevelEvent),
    /// The process ends; one event for each phase.
    Shutdown(ShutdownEvent),
    /// A kind that only another version knows.
    #[serde(other)]
    Unknown,
}

/// The process at the beginning of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchingEvent {
    /// Version of kproxy.
    pub version: Word,
    /// Process id.
    pub pid: u32,
    /// Generation that runs.
    pub generation: u64,
    /// Number of virtual clusters.
    pub clusters: usize,
    /// Drains that have sessions left.
    pub drains: usize,
}

/// A reload that took longer than `reload.target`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowReloadEvent {
    /// Generation that runs after it.
    pub generation: u64,
    /// Duration of the reload; `duration_ms` in JSON.
    #[serde(rename = "duration_ms", with = "as_millis")]
    pub duration: Duration,
    /// `reload.target`; `target_ms` in JSON.
    #[serde(rename = "target_ms", with = "as_millis")]
    pub target: Duration,
    /// The phase that took longest.
    pub phase: Word,
    /// How long that took; `phase_ms` in JSON.
    #[serde(rename = "phase_ms", with = "as_millis")]
    pub phase_duration: Duration,
}

/// A drain of one virtual cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainEvent {
    /// Name of the virtual cluster.
    pub cluster: String,
    /// Generation that ended the sessions.
    pub generation: u64,
    /// Generation that the sessions belong to.
    pub sessions_generation: u64,
    /// Name of the [`DrainStrategy`](crate::model::DrainStrategy).
    pub strategy: Word,
    /// Why the sessions have to leave; absent where each has its own reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Word>,
    /// Sessions when it began.
    pub sessions: usize,
    /// Sessions that have not left.
    pub remaining: usize,
    /// Sessions that have gone on over another broker connection.
    pub moved: u64,
    /// Sessions closed at the hard deadline with requests unanswered.
    pub forced: u64,
    /// Time since it began; `duration_ms` in JSON.
    #[serde(rename = "duration_ms", with = "as_millis")]
    pub duration: Duration,
}

/// Sessions that were closed within about a second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClosedSessions {
    /// Name of the virtual cluster. Absent for connections whose virtual cluster was not known yet, and for several virtual
    /// clusters together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Number of virtual clusters that are summed up here; 0: the virtual cluster was not known yet.
    pub clusters: usize,
    /// Number of sessions by name of the [`CloseCause`](crate::session::cause::CloseCause).
    pub causes: BTreeMap<Word, u64>,
}

/// Another state of a virtual cluster, or of many at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterStateEvent {
    /// Name of the virtual cluster; absent where many are summed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Number of virtual clusters that are summed up here.
    pub clusters: usize,
    /// Name of the [`ReportedState`](crate::cluster::ReportedState) before; absent for a new virtual cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Word>,
    /// Name of the state now.
    pub to: Word,
    /// Why it is `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A command that steers what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SteeringEvent {
    /// Who did it.
    pub by: Requester,
    /// The command: `drain`, `resume`, `close`, `fence`, `unfence`.
    pub command: Word,
    /// What it is about: a virtual cluster, a session, a client id, a principal.
    pub object: String,
    /// What came of it: `done` or `refused`.
    pub outcome: Word,
    /// More about the outcome in words; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Sessions that it concerns.
    pub sessions: usize,
}

/// A return to an earlier configuration. The reload that does it is an event of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RollbackEvent {
    /// Who did it.
    pub by: Requester,
    /// Generation that ran before.
    pub from_generation: u64,
    /// Generation whose configuration was to be brought back.
    pub to_generation: u64,
    /// Whether kproxy did it by itself.
    pub automatic: bool,
    /// Why, in a sentence; empty where somebody asked for it without a reason.
    pub reason: String,
    /// Outcome of the reload.
    pub outcome: crate::reload::Outcome,
}

/// A reload that waits for approval, or has waited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StagedEvent {
    /// Who staged it; of an approval, who approved it.
    pub by: Requester,
    /// Id for `kproxy approve`.
    pub id: String,
    /// What asked for the reload.
    pub trigger: crate::reload::Trigger,
    /// Generation that runs.
    pub generation: u64,
    /// Who staged what is approved, or why it was dropped; empty for one that is staged.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A reload that has to be confirmed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfirmEvent {
    /// Who did it.
    pub by: Requester,
    /// Generation that has to be confirmed.
    pub generation: u64,
    /// Generation that comes back without confirmation.
    pub previous_generation: u64,
    /// Time that is left; zero once it is decided.
    pub seconds_left: f64,
}

/// A result of probation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbationEvent {
    /// Generation on probation.
    pub generation: u64,
    /// Result: `healthy`, `degraded`, or `too_little_traffic`.
    pub verdict: Word,
    /// Names of the virtual clusters that it is about.
    pub clusters: Vec<String>,
    /// The figures, in a sentence.
    pub detail: String,
}

/// A certificate whose end is near, or has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificateEvent {
    /// File of the certificate.
    pub file: String,
    /// When it expires.
    #[serde(with = "as_rfc3339")]
    pub expires_at: SystemTime,
    /// Whether it has expired.
    pub expired: bool,
}

/// A limit of a virtual cluster or of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitEvent {
    /// Name of the [`Limit`](crate::session::limits::Limit).
    pub limit: Word,
    /// Virtual cluster that the limit belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What it means that it is reached.
    pub meaning: Word,
    /// How many were affected; 0 when it has just been reached.
    pub affected: u64,
}

/// A log level that was set at run time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLevelEvent {
    /// Who did it.
    pub by: Requester,
    /// The level or directives that hold now.
    pub level: String,
    /// Time after which the level of the configuration comes back; absent: not by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// A phase of the end of the process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShutdownEvent {
    /// Name of the phase; `end` is the last event of a stream.
    pub phase: Word,
    /// What ended the process: the name of a signal, or `none`.
    pub signal: Word,
    /// Sessions that are left.
    pub sessions: usize,
    /// Sessions closed at the deadline with requests unanswered.
    pub forced: u64,
}

impl Default for CertificateEvent {
    fn default() -> Self {
        Self {
            file: String::new(),
            expires_at: SystemTime::UNIX_EPOCH,
            expired: false,
        }
    }
}

impl Event {
    /// Returns the name of the kind, as `event` in JSON has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Watching(_) => "watching",
            Self::Lost { .. } => "lost",
            Self::Reload { .. } => "reload",
            Self::SlowReload(_) => "slow_reload",
            Self::DrainBegan(_) => "drain_began",
            Self::DrainProgress(_) => "drain_progress",
            Self::DrainForced(_) => "drain_forced",
            Self::DrainEnded(_) => "drain_ended",
            Self::SessionsClosed(_) => "sessions_closed",
            Self::ClusterState(_) => "cluster_state",
            Self::Steering(_) => "steering",
            Self::Rollback(_) => "rollback",
            Self::Staged(_) => "staged",
            Self::Approved(_) => "approved",
            Self::StageExpired(_) => "stage_expired",
            Self::ConfirmPending(_) => "confirm_pending",
            Self::Confirmed(_) => "confirmed",
            Self::Reverted(_) => "reverted",
            Self::Probation(_) => "probation",
            Self::CertificateExpiry(_) => "certificate_expiry",
            Self::LimitReached(_) => "limit_reached",
            Self::LimitOver(_) => "limit_over",
            Self::LogLevel(_) => "log_level",
            Self::Shutdown(_) => "shutdown",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether it concerns a virtual cluster: it is about that one, about several, or about the whole process.
    pub fn concerns(&self, name: &str) -> bool {
        let about = |cluster: Option<&str>| cluster.is_none_or(|cluster| cluster == name);
        match self {
            Self::DrainBegan(drain)
            | Self::DrainProgress(drain)
            | Self::DrainForced(drain)
            | Self::DrainEnded(drain) => drain.cluster == name,
            Self::SessionsClosed(closed) => closed.cluster.as_deref() == Some(name),
            Self::ClusterState(state) => about(state.cluster.as_deref()),
            Self::LimitReached(limit) | Self::LimitOver(limit) => about(limit.cluster.as_deref()),
            Self::Probation(verdict) => verdict.clusters.iter().any(|cluster| cluster == name),
            Self::Reload { report } if report.outcome == crate::reload::Outcome::Applied => {
                let names = [&report.added, &report.modified, &report.removed];
                names.into_iter().flatten().any(|changed| changed == name)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object_that_other_versions_can_read() {
        let at = SystemTime::UNIX_EPOCH;
        let drain = DrainEvent {
            cluster: "orders".into(),
            sessions: 3,
            ..DrainEvent::default()
        };
        for event in [
            Event::DrainBegan(drain),
            Event::Reload {
                report: Box::default(),
            },
            Event::Lost { count: 3 },
            Event::CertificateExpiry(CertificateEvent::default()),
        ] {
            let kind = event.kind();
            let event = TimedEvent { at, event };
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(
                (&json["at"], &json["event"]),
                (&"1970-01-01T00:00:00.000Z".into(), &kind.into())
            );
            assert_eq!(serde_json::from_value::<TimedEvent>(json).unwrap(), event);
        }
        let read = |text| serde_json::from_str::<TimedEvent>(text).unwrap().event;
        let other = r#"{"at":"1970-01-01T00:00:00.000Z","event":"later","cluster":"x"}"#;
        assert_eq!(read(other), Event::Unknown);
        let less = r#"{"at":"1970-01-01T00:00:00.000Z","event":"drain_ended","news":{"a":1}}"#;
        assert_eq!(read(less), Event::DrainEnded(DrainEvent::default()));
    }

    #[test]
    fn a_reload_concerns_the_virtual_clusters_that_it_changes_and_a_rejected_one_concerns_all() {
        let reload = |outcome| Event::Reload {
            report: Box::new(ReloadReport {
                outcome,
                modified: vec!["orders".into()],
                ..ReloadReport::default()
            }),
        };
        let applied = reload(crate::reload::Outcome::Applied);
        assert!(applied.concerns("orders") && !applied.concerns("payments"));
        assert!(reload(crate::reload::Outcome::Rejected).concerns("payments"));
    }
}
