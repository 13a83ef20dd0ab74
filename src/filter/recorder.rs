//! What filters tell about a session: who the client proved to be, and what it was denied.
//!
//! The filter that decides calls [`ClientSession::record`](super::ClientSession::record). Every [`Recorder`] of the session is
//! told: the filters of type `Audit` in its chain. Without one, a call compares a length with zero.

use std::fmt;
use std::sync::{Arc, Weak};

use super::ClientSession;
use crate::wire::api::Api;

/// Takes note of what happens in sessions.
pub trait Recorder: fmt::Debug + Send + Sync {
    /// Takes note of one event. Must neither block nor wait.
    fn record(&self, session: &ClientSession, event: &SessionEvent<'_>);
}

/// Something that happened in a session.
#[derive(Debug, Clone, Copy)]
pub enum SessionEvent<'a> {
    /// The session has begun.
    Began,
    /// The session has ended.
    Ended,
    /// The client has proved who it is: [`ClientSession::subject`](super::ClientSession::subject) says who.
    Authenticated,
    /// The client has failed to prove who it is.
    AuthenticationFailed {
        /// The SASL mechanism; empty if there was none.
        mechanism: &'a str,
        /// The name that the client claimed, if it is known.
        claimed: Option<&'a str>,
        /// Why, in words. Holds no secret.
        why: &'a str,
    },
    /// A filter denied something to the client.
    Denied(Denial<'a>),
}

/// A refusal of a filter.
#[derive(Debug, Clone, Copy)]
pub struct Denial<'a> {
    /// Name of the filter.
    pub filter: &'a str,
    /// The API of the request.
    pub api: &'static Api,
    /// Version of the request.
    pub version: i16,
    /// What it was about, such as `Topic:orders`; empty for the API as a whole.
    pub resource: &'a str,
    /// The rule that denied it; empty if there is none to name.
    pub rule: &'a str,
    /// The filter is in shadow mode: nothing was refused.
    pub is_shadow: bool,
}

/// The recorders of a session. They belong to filters, and leave with them.
#[derive(Debug, Default)]
pub(super) struct Recorders(Vec<Weak<dyn Recorder>>);

impl Recorders {
    /// Adds one, unless it is there.
    pub(super) fn add(&mut self, recorder: &Arc<dyn Recorder>) {
        self.0.retain(|known| known.strong_count() > 0);
        let recorder = Arc::downgrade(recorder);
        if !self.0.iter().any(|known| known.ptr_eq(&recorder)) {
            self.0.push(recorder);
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all of them.
    pub(super) fn tell(&self, session: &ClientSession, event: &SessionEvent<'_>) {
        for recorder in self.0.iter().filter_map(Weak::upgrade) {
            recorder.record(session, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::filter::testing::session;

    #[derive(Debug, Default)]
    struct Names(Mutex<Vec<&'static str>>);

    impl Recorder for Names {
        fn record(&self, _session: &ClientSession, event: &SessionEvent<'_>) {
            let name = match event {
                SessionEvent::Began => "began",
                SessionEvent::Ended => "ended",
                SessionEvent::Authenticated => "authenticated",
                SessionEvent::AuthenticationFailed { .. } => "failed",
                SessionEvent::Denied(_) => "denied",
            };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        }
    }

    #[test]
    fn a_recorder_is_told_once_for_each_event_and_no_more_when_its_filter_is_gone() {
        let (mine, other) = (Arc::<Names>::default(), Arc::<Names>::default());
        let mut session = session();
        for recorder in [&mine, &other, &mine] {
            let recorder: Arc<dyn Recorder> = recorder.clone();
            session.add_recorder(&recorder);
        }
        session.record(&SessionEvent::Authenticated);
        drop(other);
        drop(session);
        assert_eq!(*mine.0.lock().unwrap(), ["authenticated", "ended"]);
    }
}
