//! The audit: one line for each change and each command, in the log and in a file (`audit.file`); and what webhooks (`notify`)
//! are told. It takes note of events where they are published; everything that could wait is done on other threads.

mod record;
pub mod users;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use record::{AuditRecord, AuditedChanges};
use record::{is_audited, webhook_event};

use super::events::{Event, EventSink, TimedEvent};
use super::notify::Webhooks;
use super::requester::Requester;
use crate::audit_file::{AuditFile, UnwrittenLines};
use crate::model::ProxyModel;

/// Target of log lines of the audit.
const TARGET: &str = "kproxy::audit";

/// The audit of one proxy. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(in crate::control) struct AuditTrail(Arc<Mutex<AuditState>>);

#[derive(Debug, Default)]
struct AuditState {
    host: String,
    /// Lines so far.
    sequence: u64,
    /// The generation that runs.
    generation: u64,
    file: Option<AuditFile>,
    webhooks: Webhooks,
}

impl AuditTrail {
    /// Uses the file and the webhooks of `model` from now on.
    pub(in crate::control) fn set(&self, model: &ProxyModel) {
        let mut state = self.lock();
        if state.host.is_empty() {
            state.host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        }
        state.webhooks.set(&model.notify);
        if state.file.as_ref().map(AuditFile::path) == model.audit_file.as_deref() {
            return;
        }
        // What waits for the file before is still written to it.
        state.file = model.audit_file.clone().and_then(|path| match AuditFile::start(path, UnwrittenLines::InLog) {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::error!(target: TARGET, %error, "no thread for the audit file: audit lines are in the log only");
                None
            }
        });
    }

    /// What keeps audit lines out of their file, in a sentence.
    pub(in crate::control) fn trouble(&self) -> Option<String> {
        self.lock().file.as_ref()?.trouble()
    }

    /// Writes and delivers what waits, until `deadline` at most. Blocks; for the end of the process.
    pub(in crate::control) fn finish(&self, deadline: Instant) {
        AuditFile::flush_shared(deadline);
        let mut state = self.lock();
        let left = || deadline.saturating_duration_since(Instant::now());
        if let Some(file) = state.file.take() {
            file.finish(left());
        }
        state.webhooks.finish(left().min(WEBHOOK_END_TIMEOUT));
    }

    fn lock(&self) -> MutexGuard<'_, AuditState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the end of the process waits for webhooks.
const WEBHOOK_END_TIMEOUT: Duration = Duration::from_secs(1);

impl EventSink for AuditTrail {
    fn note(&self, event: &TimedEvent) {
        let mut state = self.lock();
        if let Event::Reload { report } = &event.event {
            state.generation = report.generation;
        }
        state.take(event);
    }
}

impl AuditState {
    fn take(&mut self, event: &TimedEvent) {
        let told = webhook_event(&event.event).filter(|told| self.webhooks.want(*told));
        let is_audited = is_audited(&event.event);
        if told.is_none() && !is_audited {
            return;
        }
        let Some(mut record) = AuditRecord::of(event, self.generation) else {
            return;
        };
        self.sequence += 1;
        record.sequence = self.sequence;
        record.host.clone_from(&self.host);
        record.pid = std::process::id();
        if let Requester::User { uid, .. } = record.by {
            record.user = users::name(uid);
        }
        record.text = record.sentence();
        // It derives its JSON, of keys that are text.
        let json = serde_json::to_string(&record).unwrap_or_default();
        if is_audited {
            record.log();
            if let Some(file) = &self.file {
                file.add(format!("{json}\n").into_bytes());
            }
        }
        if let Some(told) = told {
            self.webhooks.tell(told, &json.into());
        }
    }
}
