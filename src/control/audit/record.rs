//! What one line of the audit says. Webhooks get the same JSON.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::TARGET;
use crate::cluster::ReportedState;
use crate::control::events::{Event, TimedEvent};
use crate::control::reload::report::ReloadReport;
use crate::control::requester::Requester;
use crate::control::status::Word;
use crate::model::WebhookEvent;
use crate::reload::{Outcome, Trigger};
use crate::time::{as_rfc3339, rfc3339};

/// Names of virtual clusters, and reasons, that a line has at most.
const MAX_LISTED: usize = 20;

/// Characters of one reason.
const MAX_REASON: usize = 500;

/// One change or command: who, what, on what, from which generation to which, and what came of it. In JSON, fields of other
/// versions are ignored and missing ones empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditRecord {
    /// When it happened.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
    /// Number of the line since the process began; one that is missing was lost.
    pub sequence: u64,
    /// Host name of the machine.
    pub host: String,
    /// Process id of kproxy.
    pub pid: u32,
    /// What was done: `start`, `reload`, `drain`, `stop` and so on.
    pub action: Word,
    /// Who did it.
    pub by: Requester,
    /// Name of that user, where the machine knows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What asked for it, if it was a reload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// What it is about: a virtual cluster, a session, a file; absent for the whole configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Generation that ran before.
    pub from_generation: u64,
    /// Generation that runs after it.
    pub to_generation: u64,
    /// What came of it.
    pub outcome: Word,
    /// Number of virtual clusters that were added, modified and removed.
    #[serde(skip_serializing_if = "AuditedChanges::is_empty")]
    pub changes: AuditedChanges,
    /// Why it was not done, or not all of it; at most twenty reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// More about it in words; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// All of it in one sentence, for people.
    pub text: String,
}

/// Virtual clusters that a reload changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditedChanges {
    /// Number of those that were added.
    pub added: usize,
    /// Number of those that were modified.
    pub modified: usize,
    /// Number of those that were removed.
    pub removed: usize,
    /// Names of the first twenty of them.
    pub names: Vec<String>,
}

impl AuditedChanges {
    fn of(report: &ReloadReport) -> Self {
        let names = report.removed.iter().chain(&report.modified).chain(&report.added);
        Self {
            added: report.added.len(),
            modified: report.modified.len(),
            removed: report.removed.len(),
            names: names.take(MAX_LISTED).cloned().collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl Default for AuditRecord {
    fn default() -> Self {
        Self {
            at: SystemTime::UNIX_EPOCH,
            sequence: 0,
            host: String::new(),
            pid: 0,
            action: Word::default(),
            by: Requester::default(),
            user: None,
            trigger: None,
            object: None,
            from_generation: 0,
            to_generation: 0,
            outcome: Word::default(),
            changes: AuditedChanges::default(),
            errors: Vec::new(),
            detail: String::new(),
            text: String::new(),
        }
    }
}

impl AuditRecord {
    /// Returns what the audit says of an event, with what the event itself tells; `None` for one that is no change and no
    /// command. `generation`: the one that runs.
    pub(super) fn of(event: &TimedEvent, generation: u64) -> Option<Self> {
        let mut record = match &event.event {
            Event::Reload { report } => Self::of_reload(report),
            other => Self {
                from_generation: generation,
                to_generation: generation,
                ..Self::of_command(other)?
            },
        };
        record.at = event.at;
        Some(record)
    }

    fn of_reload(report: &ReloadReport) -> Self {
        // Every configuration that is applied has the next number.
        let is_new = report.outcome == Outcome::Applied;
        let reason = |error: &String| error.chars().take(MAX_REASON).collect();
        Self {
            action: match report.trigger {
                Trigger::Start => "start".into(),
                Trigger::Rollback => "rollback".into(),
                _ => "reload".into(),
            },
            by: report.by,
            trigger: Some(report.trigger),
            object: report
                .restored_generation
                .map(|generation| format!("generation {generation}")),
            from_generation: report.generation.saturating_sub(u64::from(is_new)),
            to_generation: report.generation,
            outcome: report.outcome.name().into(),
            changes: AuditedChanges::of(report),
            errors: report.errors.iter().take(MAX_LISTED).map(reason).collect(),
            ..Self::default()
        }
    }

    fn of_command(event: &Event) -> Option<Self> {
        let record = |action: &'static str, by: Requester, outcome: Word| Self {
            action: action.into(),
            by,
            outcome,
            ..Self::default()
        };
        let detailed = |record: Self, object: &str, detail: &str| Self {
            object: Some(object.to_owned()).filter(|object| !object.is_empty()),
            detail: detail.to_owned(),
            ..record
        };
        Some(match event {
            Event::Steering(done) => Self {
                action: done.command.clone(),
                ..detailed(
                    record("", done.by, done.outcome.clone()),
                    &done.object,
                    &done.detail,
                )
            },
            Event::Staged(staged) => detailed(
                record("stage", staged.by, "staged".into()),
                &staged.id,
                &staged.detail,
            ),
            Event::Approved(staged) => detailed(
                record("approve", staged.by, "approved".into()),
                &staged.id,
                &staged.detail,
            ),
            Event::StageExpired(staged) => detailed(
                record("drop_staged", staged.by, "dropped".into()),
                &staged.id,
                &staged.detail,
            ),
            Event::ConfirmPending(confirm) => record("await_confirmation", confirm.by, "waiting".into()),
            Event::Confirmed(confirm) => record("confirm", confirm.by, "confirmed".into()),
            Event::Reverted(confirm) => record("revert", confirm.by, "not_confirmed".into()),
            Event::LogLevel(level) => {
                detailed(record("log_level", level.by, "done".into()), &level.level, "")
            }
            Event::Rollback(rollback) if rollback.automatic => Self {
                object: Some(format!("generation {}", rollback.to_generation)),
                ..detailed(
                    record("automatic_rollback", rollback.by, rollback.outcome.name().into()),
                    "",
                    &rollback.reason,
                )
            },
            Event::Shutdown(shutdown) if shutdown.phase == "stop-accepting" => detailed(
                record("stop", Requester::Process, "begun".into()),
                &shutdown.signal,
                "",
            ),
            Event::ClusterState(state) => Self {
                errors: state.cause.iter().cloned().collect(),
                ..detailed(
                    record("cluster_state", Requester::Process, state.to.clone()),
                    state.cluster.as_deref()?,
                    "",
                )
            },
            Event::CertificateExpiry(certificate) => {
                let outcome = if certificate.expired {
                    "expired"
                } else {
                    "expires_soon"
                };
                let end = rfc3339(certificate.expires_at);
                detailed(
                    record("certificate_expiry", Requester::Process, outcome.into()),
                    &certificate.file,
                    &format!("the certificate is valid until {end}"),
                )
            }
            _ => return None,
        })
    }

    /// Logs it.
    pub(super) fn log(&self) {
        tracing::info!(
            target: TARGET,
            sequence = self.sequence,
            action = &*self.action,
            by = %self.by,
            user = self.user,
            trigger = self.trigger.map(Trigger::name),
            object = self.object,
            from_generation = self.from_generation,
            to_generation = self.to_generation,
            outcome = &*self.outcome,
            added = self.changes.added,
            modified = self.changes.modified,
            removed = self.changes.removed,
            detail = Some(self.detail.as_str()).filter(|detail| !detail.is_empty()),
            "audit"
        );
    }

    /// Sums it up for people.
    pub(super) fn sentence(&self) -> String {
        let mut text = self.action.to_string();
        for part in [self.object.as_deref(), Some(&*self.outcome)]
            .into_iter()
            .flatten()
        {
            text = text + " " + part;
        }
        if let Some(trigger) = self.trigger {
            text = text + " (" + trigger.name() + ")";
        }
        match &self.user {
            Some(user) => text += &format!(" by {} ({user})", self.by),
            None => text += &format!(" by {}", self.by),
        }
        if self.from_generation == self.to_generation {
            text += &format!(": generation {} runs", self.to_generation);
        } else {
            text += &format!(": generation {} to {}", self.from_generation, self.to_generation);
        }
        let AuditedChanges {
            added,
            modified,
            removed,
            ..
        } = self.changes;
        if !self.changes.is_empty() {
            text += &format!("; virtual clusters: {added} added, {modified} modified, {removed} removed");
        }
        for more in self
            .errors
            .first()
            .into_iter()
            .chain([&self.detail])
            .filter(|more| !more.is_empty())
        {
            text = text + "; " + more;
        }
        text
    }
}

/// Whether an event is a change or a command, and so belongs into the audit.
pub(super) fn is_audited(event: &Event) -> bool {
    match event {
        Event::ClusterState(_) | Event::CertificateExpiry(_) => false,
        // It has an event of its own.
        Event::Reload { report } => report.outcome != Outcome::Staged,
        _ => true,
    }
}

/// What webhooks are told of an event as; `None`: nothing.
pub(super) fn webhook_event(event: &Event) -> Option<WebhookEvent> {
    match event {
        Event::Reload { report } => match report.outcome {
            Outcome::Rejected => Some(WebhookEvent::Rejected),
            Outcome::RolledBack => Some(WebhookEvent::RolledBack),
            Outcome::Failed => Some(WebhookEvent::Failed),
            Outcome::Applied if report.trigger == Trigger::Rollback => Some(WebhookEvent::RolledBack),
            Outcome::Applied | Outcome::Unchanged | Outcome::Staged => None,
        },
        Event::ClusterState(state) if state.to == ReportedState::Failed.name() => Some(WebhookEvent::Failed),
        Event::CertificateExpiry(_) => Some(WebhookEvent::CertificateExpiry),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::events::{ClusterStateEvent, SteeringEvent};

    fn reload(outcome: Outcome, trigger: Trigger) -> Event {
        Event::Reload {
            report: Box::new(ReloadReport {
                outcome,
                trigger,
                generation: 4,
                errors: vec!["x".repeat(2 * MAX_REASON); 2 * MAX_LISTED],
                added: (0..2 * MAX_LISTED).map(|number| format!("c{number}")).collect(),
                ..ReloadReport::default()
            }),
        }
    }

    fn record(event: Event) -> AuditRecord {
        let at = SystemTime::UNIX_EPOCH;
        AuditRecord::of(&TimedEvent { at, event }, 3).unwrap()
    }

    #[test]
    fn a_line_has_a_bounded_length_and_says_from_where_to_where() {
        let applied = record(reload(Outcome::Applied, Trigger::Watch));
        assert_eq!((applied.from_generation, applied.to_generation), (3, 4));
        assert_eq!(
            (applied.errors.len(), applied.errors[0].len()),
            (MAX_LISTED, MAX_REASON)
        );
        assert_eq!(
            (applied.changes.names.len(), applied.changes.added),
            (MAX_LISTED, 2 * MAX_LISTED)
        );
        let rejected = record(reload(Outcome::Rejected, Trigger::Watch));
        assert_eq!((rejected.from_generation, rejected.to_generation), (4, 4));
    }

    #[test]
    fn a_command_is_told_with_who_gave_it_and_what_it_was_about() {
        let drained = record(Event::Steering(SteeringEvent {
            by: Requester::Program,
            command: "drain".into(),
            object: "orders".into(),
            outcome: "done".into(),
            ..SteeringEvent::default()
        }));
        assert_eq!(
            drained.sentence(),
            "drain orders done by the program: generation 3 runs"
        );
        assert_eq!((drained.from_generation, drained.to_generation), (3, 3));
    }

    #[test]
    fn webhooks_are_told_of_what_needs_a_person_and_of_nothing_else() {
        let told = |outcome, trigger| webhook_event(&reload(outcome, trigger));
        assert_eq!(
            told(Outcome::Rejected, Trigger::Http),
            Some(WebhookEvent::Rejected)
        );
        assert_eq!(
            told(Outcome::RolledBack, Trigger::Watch),
            Some(WebhookEvent::RolledBack)
        );
        assert_eq!(
            told(Outcome::Applied, Trigger::Rollback),
            Some(WebhookEvent::RolledBack)
        );
        assert_eq!(told(Outcome::Failed, Trigger::Poll), Some(WebhookEvent::Failed));
        for fine in [Outcome::Applied, Outcome::Unchanged, Outcome::Staged] {
            assert_eq!(told(fine, Trigger::Control), None);
        }
        let state = |to: &'static str| {
            let event = Event::ClusterState(ClusterStateEvent {
                cluster: Some("orders".into()),
                to: to.into(),
                ..ClusterStateEvent::default()
            });
            (webhook_event(&event), is_audited(&event))
        };
        assert_eq!(state("failed"), (Some(WebhookEvent::Failed), false));
        assert_eq!(state("serving"), (None, false));
    }
}
