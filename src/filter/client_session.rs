//! A session as filters see it.

use std::any::Any;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use super::recorder::Recorders;
use super::{DrainPolicySource, FilterOutcome, Recorder, SessionClock, SessionDrain, SessionEvent, Subject};
use crate::drain::SessionHandle;

/// Where a session belongs.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// Name of its virtual cluster.
    pub cluster: Arc<str>,
    /// Name of its gateway.
    pub gateway: Arc<str>,
    /// Node id of the endpoint that the client connected to; `None` for bootstrap.
    pub node: Option<i32>,
    /// Where the drain policy of the cluster is read.
    pub drain_policy: DrainPolicySource,
}

/// One session: what filters may know of it, and what they keep in it.
///
/// It lives as long as the session. Filters come and go; what they keep in [`Self::state`] stays.
#[derive(Debug)]
pub struct ClientSession {
    handle: Arc<SessionHandle>,
    facts: SessionFacts,
    subject: Arc<Subject>,
    states: Vec<Box<dyn Any + Send>>,
    answer: Option<Vec<u8>>,
    recorders: Recorders,
    clock: SessionClock,
    /// Whether the filter that is being asked has denied something; true in shadow mode.
    denied_in_shadow: Cell<Option<bool>>,
}

impl ClientSession {
    /// The session of `handle`.
    pub fn new(handle: Arc<SessionHandle>, facts: SessionFacts) -> Self {
        let mut session = Self {
            handle,
            facts,
            subject: Arc::default(),
            states: Vec::new(),
            answer: None,
            recorders: Recorders::default(),
            clock: SessionClock::default(),
            denied_in_shadow: Cell::new(None),
        };
        session.refresh_subject();
        session
    }

    /// Has filters take the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: SessionClock) -> Self {
        self.clock = clock;
        self
    }

    /// The clock that filters take the time from.
    pub fn clock(&self) -> &SessionClock {
        &self.clock
    }

    /// Number of the session, unique within the process.
    pub fn id(&self) -> u64 {
        self.handle.id
    }

    /// Where it belongs.
    pub fn facts(&self) -> &SessionFacts {
        &self.facts
    }

    /// Sets where the session belongs, after it has moved.
    pub(crate) fn set_facts(&mut self, facts: SessionFacts) {
        self.facts = facts;
    }

    /// Address of the client: from the PROXY header where there is one, else of the socket's peer.
    pub fn client(&self) -> SocketAddr {
        self.handle.client()
    }

    /// The shared side of the session: TLS and SASL facts, client id and software, orders to leave.
    pub fn handle(&self) -> &Arc<SessionHandle> {
        &self.handle
    }

    /// Who the client is.
    pub fn subject(&self) -> &Arc<Subject> {
        &self.subject
    }

    /// Sets who the client is.
    pub fn set_subject(&mut self, subject: Arc<Subject>) {
        self.subject = subject;
    }

    /// Reads who the client is from what TLS and SASL have shown of it. Called when the session opens, and after each
    /// authentication that the broker accepted.
    pub fn refresh_subject(&mut self) {
        let Some(sasl) = self.handle.facts.sasl() else {
            if let Some(tls) = self.handle.facts.tls().filter(|tls| !tls.principals.is_empty()) {
                self.subject = Arc::new(Subject {
                    principals: tls.principals.to_vec(),
                    ..Subject::default()
                });
            }
            return;
        };
        let named = sasl.principal.as_deref().map(Subject::user);
        self.subject = Arc::new(Subject {
            mechanism: Some((*sasl.mechanism).into()),
            ..named.unwrap_or_default()
        });
    }

    /// The state of type `T`, which begins with its default. One type belongs to one kind of filter; filters of the
    /// same kind share it, and it survives a change of filters.
    pub fn state<T: Any + Default + Send>(&mut self) -> &mut T {
        let found = self.states.iter().position(|state| state.is::<T>());
        let at = found.unwrap_or_else(|| {
            self.states.push(Box::new(T::default()));
            self.states.len() - 1
        });
        match self.states[at].downcast_mut() {
            Some(state) => state,
            None => unreachable!("the position was found by its type"),
        }
    }

    /// The state of type `T`, if there is one, and who the client is.
    pub fn existing_state<T: Any + Send>(&mut self) -> (Option<&mut T>, &Subject) {
        let state = self.states.iter_mut().find_map(|state| state.downcast_mut());
        (state, &self.subject)
    }

    /// Removes the body of the broker's answer to the last [`Question`](super::Question).
    pub fn take_answer(&mut self) -> Option<Vec<u8>> {
        self.answer.take()
    }

    /// Stores the body of the broker's answer to a question.
    pub fn set_answer(&mut self, body: Vec<u8>) {
        self.answer = Some(body);
    }

    /// The means to ask the session to leave.
    pub fn drain(&self) -> SessionDrain {
        SessionDrain::new(&self.handle, self.facts.drain_policy.clone())
    }

    /// Tells `recorder` from now on what happens in the session, as long as it exists.
    pub fn add_recorder(&mut self, recorder: &Arc<dyn Recorder>) {
        self.recorders.add(recorder);
    }

    /// Tells the recorders of the session what has happened.
    #[inline]
    pub fn record(&self, event: &SessionEvent<'_>) {
        if let SessionEvent::Denied(denial) = event {
            let in_shadow = denial.is_shadow && self.denied_in_shadow.get() != Some(false);
            self.denied_in_shadow.set(Some(in_shadow));
        }
        if !self.recorders.is_empty() {
            self.recorders.tell(self, event);
        }
    }

    /// The outcome of a request that a filter has denied, in whole or in part, since the last call.
    pub fn take_denied(&mut self) -> Option<FilterOutcome> {
        let in_shadow = self.denied_in_shadow.take()?;
        Some(match in_shadow {
            true => FilterOutcome::ShadowDenied,
            false => FilterOutcome::Denied,
        })
    }
}

impl Drop for ClientSession {
    fn drop(&mut self) {
        self.record(&SessionEvent::Ended);
    }
}
