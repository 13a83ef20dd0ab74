//! Failures of filters: what counts as one, and what the client is answered.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::{
    ChainedFilter, ClientSession, FilterOutcome, FilterStep, LeaveCause, Note, OnRequest, OnResponse,
    Request, Response,
};
use crate::wire::api::{ApiKey, api};
use crate::wire::error_code::ErrorCode;

/// Why a filter could not decide about a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFailure {
    /// The reason, without secrets.
    pub what: Cow<'static, str>,
    /// The filter panicked. What it keeps of the session may be wrong, so that the session has to end.
    pub panicked: bool,
}

impl FilterFailure {
    /// A failure that leaves the session usable.
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            panicked: false,
        }
    }

    /// A panic of the filter.
    pub fn panic() -> Self {
        Self {
            what: "it panicked".into(),
            panicked: true,
        }
    }
}

/// Polls what a filter waits for. A panic in it is one of the filter.
pub fn poll_wait(
    wait: Pin<&mut (dyn Future<Output = ()> + Send)>,
    context: &mut Context<'_>,
) -> Poll<Result<(), FilterFailure>> {
    match catch_unwind(AssertUnwindSafe(|| wait.poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(_) => Poll::Ready(Err(FilterFailure::panic())),
    }
}

/// The error that a client is answered where a filter cannot decide: one after which clients try again, where the API has one.
pub fn failure_code(api_key: i16) -> i16 {
    match api_key {
        ApiKey::PRODUCE | ApiKey::FETCH | ApiKey::SHARE_FETCH | ApiKey::SHARE_ACKNOWLEDGE => {
            ErrorCode::KAFKA_STORAGE_ERROR
        }
        ApiKey::LIST_GROUPS | ApiKey::LIST_TRANSACTIONS => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        _ if api(api_key).is_some_and(|api| api.names.is_some()) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

impl ChainedFilter {
    /// Asks the filter about a request.
    ///
    /// # Errors
    /// It cannot decide, or is quarantined.
    #[inline]
    pub fn request(
        &self,
        session: &mut ClientSession,
        request: &mut Request<'_>,
    ) -> Result<FilterStep<OnRequest>, FilterFailure> {
        match self.guarded(|| self.filter.request(session, request))? {
            FilterStep::Now(OnRequest::Leave(leave)) if leave.cause == LeaveCause::Failed => {
                Err(FilterFailure::new(leave.detail))
            }
            step => Ok(step),
        }
    }

    /// Shows the filter an answer, as [`Self::request`].
    ///
    /// # Errors
    /// It cannot decide, or is quarantined.
    pub fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> Result<FilterStep<OnResponse>, FilterFailure> {
        match self.guarded(|| self.filter.response(session, response, note))? {
            FilterStep::Now(OnResponse::Leave(leave)) if leave.cause == LeaveCause::Failed => {
                Err(FilterFailure::new(leave.detail))
            }
            step => Ok(step),
        }
    }

    /// Whether the filter lets a request pass at once. One that is quarantined does not.
    ///
    /// # Errors
    /// It panicked.
    #[inline]
    pub fn passes(&self, session: &mut ClientSession, request: &Request<'_>) -> Result<bool, FilterFailure> {
        if self.health.is_quarantined() {
            return Ok(false);
        }
        self.guarded(|| self.filter.passes(session, request))
    }

    /// Tells the filter that the request which it let pass has gone on.
    ///
    /// # Errors
    /// It panicked.
    #[inline]
    pub fn passed(&self, session: &mut ClientSession) -> Result<(), FilterFailure> {
        self.tell(|| self.filter.passed(session))
    }

    /// Has the filter count what has gone on.
    ///
    /// # Errors
    /// It panicked.
    pub fn count_passed(&self, session: &mut ClientSession) -> Result<(), FilterFailure> {
        self.tell(|| self.filter.count_passed(session))
    }

    /// Has the filter prepare a session.
    ///
    /// # Errors
    /// It panicked.
    pub fn opened(&self, session: &mut ClientSession) -> Result<(), FilterFailure> {
        self.tell(|| self.filter.opened(session))
    }

    /// Tells the filter that it is in force, with so many requests unanswered that went on before.
    ///
    /// # Errors
    /// It panicked.
    pub fn adopted(&self, session: &ClientSession, unanswered: usize) -> Result<Option<Note>, FilterFailure> {
        match self.health.is_quarantined() {
            true => Ok(None),
            false => self.guarded(|| self.filter.adopted(session, unanswered)),
        }
    }

    /// Has the filter take in who the client is.
    ///
    /// # Errors
    /// It panicked.
    pub fn authenticated(&self, session: &mut ClientSession) -> Result<(), FilterFailure> {
        self.tell(|| self.filter.authenticated(session))
    }

    /// Tells the filter something, unless it is quarantined.
    fn tell(&self, tell: impl FnOnce()) -> Result<(), FilterFailure> {
        match self.health.is_quarantined() {
            true => Ok(()),
            false => self.guarded(tell),
        }
    }

    #[inline]
    fn guarded<T>(&self, ask: impl FnOnce() -> T) -> Result<T, FilterFailure> {
        if self.health.is_quarantined() {
            return Err(FilterFailure::new("it is quarantined"));
        }
        // After a panic the session ends: at once, or when what is in flight is answered.
        catch_unwind(AssertUnwindSafe(ask)).map_err(|_| FilterFailure::panic())
    }

    /// Counts a failure, and logs it where that is due.
    pub fn note_failure(&self, session: &ClientSession, failure: &FilterFailure) {
        let now = Instant::now();
        let (filter, cluster) = (self.filter.name(), &*session.facts().cluster);
        let reason = &*failure.what;
        self.counters.count(FilterOutcome::Failed);
        if failure.panicked && self.health.note_panic(now) {
            let on_error = self.on_error.name();
            tracing::error!(
                target: "kproxy::filter",
                filter,
                cluster,
                on_error,
                "a filter has panicked three times within a minute; it is not used any more until a reload changes it"
            );
        } else if !self.health.is_quarantined() && self.health.tells(now) {
            tracing::warn!(target: "kproxy::filter", filter, cluster, reason, "a filter has failed");
        }
    }
}

#[cfg(test)]
mod tests;
