//! What filters tell about the session of a test.

use std::sync::{Mutex, PoisonError};

use crate::filter::{ClientSession, Recorder, SessionEvent};

/// What a filter has told, see [`SessionEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BenchEvent {
    /// The session has begun.
    Began,
    /// The session has ended.
    Ended,
    /// The client has proved who it is.
    Authenticated {
        /// Its names, such as `User:alice`.
        principals: Vec<String>,
    },
    /// The client has failed to prove who it is.
    AuthenticationFailed {
        /// The SASL mechanism; empty if there was none.
        mechanism: String,
        /// Why, in words.
        why: String,
    },
    /// Something was denied to the client.
    Denied {
        /// Name of the filter.
        filter: String,
        /// Name of the API.
        api: &'static str,
        /// What it was about; empty for the API as a whole.
        resource: String,
        /// The rule that denied it; may be empty.
        rule: String,
        /// The filter is in shadow mode: nothing was refused.
        is_shadow: bool,
    },
}

/// Keeps what is told.
#[derive(Debug, Default)]
pub(super) struct EventLog(Mutex<Vec<BenchEvent>>);

impl EventLog {
    pub(super) fn take(&self) -> Vec<BenchEvent> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorder for EventLog {
    fn record(&self, session: &ClientSession, event: &SessionEvent<'_>) {
        let event = match *event {
            SessionEvent::Began => BenchEvent::Began,
            SessionEvent::Ended => BenchEvent::Ended,
            SessionEvent::Authenticated => BenchEvent::Authenticated {
                principals: names(session),
            },
            SessionEvent::AuthenticationFailed { mechanism, why, .. } => BenchEvent::AuthenticationFailed {
                mechanism: mechanism.to_owned(),
                why: why.to_owned(),
            },
            SessionEvent::Denied(denial) => BenchEvent::Denied {
                filter: denial.filter.to_owned(),
                api: denial.api.name,
                resource: denial.resource.to_owned(),
                rule: denial.rule.to_owned(),
                is_shadow: denial.is_shadow,
            },
        };
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event);
    }
}

fn names(session: &ClientSession) -> Vec<String> {
    let principals = session.subject().principals.iter();
    principals
        .map(|principal| format!("{}:{}", principal.kind, principal.name))
        .collect()
}
