//! What becomes of a frame about which a filter cannot decide: its `onError`.

use super::collecting::Unheld;
use super::failed;
use crate::filter::{
    ChainedFilter, ClientSession, FilterFailure, Request, Response, error_answer, error_in_place_of,
    failure_code,
};
use crate::model::FailurePolicy;
use crate::session::cause::Fault;

/// What becomes of a request.
pub(super) enum FailedRequest {
    /// It passes the filter by.
    Pass,
    /// kproxy answers it with this body.
    Answer(Vec<u8>),
    /// It is collected first, so that the answer can name what it names.
    Collect,
}

/// What becomes of an answer.
pub(super) enum FailedResponse {
    /// It passes the filter by, as it is or as an error.
    Pass,
    /// It is collected first, and then replaced.
    Collect,
}

/// Decides about a request about which `chained` could not. `noted`: the failure has been counted.
///
/// # Errors
/// The session has to end.
pub(super) fn of_request(
    chained: &ChainedFilter,
    failure: &FilterFailure,
    session: &ClientSession,
    request: &Request<'_>,
    noted: bool,
) -> Result<FailedRequest, Fault> {
    if !noted {
        chained.note_failure(session, failure);
    }
    let fault = || failed(chained.filter.name(), &failure.what);
    match chained.on_error {
        _ if failure.panicked => Err(fault()),
        FailurePolicy::Fail => Err(fault()),
        FailurePolicy::Pass => Ok(FailedRequest::Pass),
        FailurePolicy::Answer if !request.is_complete() => Ok(FailedRequest::Collect),
        FailurePolicy::Answer => {
            let (api, code) = (request.api(), failure_code(request.api_key()));
            let answer = error_answer(api, request.version(), request.body(), code);
            answer.map(FailedRequest::Answer).ok_or_else(fault)
        }
    }
}

/// Decides about an answer about which `chained` could not, and changes it where clients get an error. `noted` as for requests.
///
/// # Errors
/// The session has to end.
pub(super) fn of_response(
    chained: &ChainedFilter,
    failure: &FilterFailure,
    session: &ClientSession,
    response: &mut Response<'_>,
    noted: bool,
) -> Result<FailedResponse, Fault> {
    if !noted {
        chained.note_failure(session, failure);
    }
    let fault = || failed(chained.filter.name(), &failure.what);
    match chained.on_error {
        _ if failure.panicked => Err(fault()),
        FailurePolicy::Fail => Err(fault()),
        FailurePolicy::Pass => Ok(FailedResponse::Pass),
        // The error would name what the broker has answered, and rules of access may hide some of it.
        FailurePolicy::Answer if chained.filter.decisions().is_some() => Err(fault()),
        FailurePolicy::Answer if !response.is_complete() => Ok(FailedResponse::Collect),
        FailurePolicy::Answer => {
            let (api, code) = (response.api(), failure_code(response.api_key()));
            let answer = error_in_place_of(api, response.version(), response.body(), code);
            match answer.is_some_and(|body| response.replace_body(&body)) {
                true => Ok(FailedResponse::Pass),
                false => Err(fault()),
            }
        }
    }
}

/// Counts that filters cannot read a frame because it cannot be held.
///
/// # Errors
/// One of them does not let it pass. Nothing can be answered in place of a frame that is not held, so the session has to end.
pub(super) fn of_unheld<'a>(
    readers: impl Iterator<Item = &'a ChainedFilter>,
    session: &ClientSession,
    unheld: Unheld,
) -> Result<(), Fault> {
    let failure = FilterFailure::new(unheld.what.clone());
    let mut all_pass = true;
    for chained in readers {
        chained.note_failure(session, &failure);
        all_pass &= chained.on_error == FailurePolicy::Pass;
    }
    match all_pass {
        true => Ok(()),
        false => Err(unheld.into_fault()),
    }
}
