//! What becomes of a frame about which a filter cannot decide: its `onError`.

use super::collecting::Unheld;
use super::failed;
use crate::filter::{
    ChainedFilter, ClientSession, FilterFailure, FilteredFrame, Request, Response, error_answer,
    error_in_place_of, failure_code,
};
use crate::model::FailurePolicy;
use crate::session::cause::Fault;
use crate::wire::api::Api;

/// What becomes of a frame about which a filter could not decide.
pub(super) enum FailedFrame {
    /// It passes the filter by.
    Pass,
    /// The client gets an error with this body.
    Error(Vec<u8>),
    /// It is collected first, so that the error can name what it names.
    Collect,
}

/// Makes the body of an error out of an API, a version, the body of a frame and a code.
type MakeError = fn(&Api, i16, &[u8], i16) -> Option<Vec<u8>>;

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
) -> Result<FailedFrame, Fault> {
    of_frame(chained, failure, session, request, noted, Some(error_answer))
}

/// Decides about an answer about which `chained` could not, and changes it where the client gets an error. `noted` as for
/// requests.
///
/// # Errors
/// The session has to end.
pub(super) fn of_response(
    chained: &ChainedFilter,
    failure: &FilterFailure,
    session: &ClientSession,
    response: &mut Response<'_>,
    noted: bool,
) -> Result<FailedFrame, Fault> {
    let make_error: MakeError = error_in_place_of;
    // It would name what the broker has answered.
    let make_error = (!chained.filter.hides_names()).then_some(make_error);
    let failed_frame = of_frame(chained, failure, session, response, noted, make_error)?;
    match &failed_frame {
        FailedFrame::Error(body) if !response.replace_body(body) => {
            Err(failed(chained.filter.name(), &failure.what))
        }
        _ => Ok(failed_frame),
    }
}

/// Decides by the failure, the `onError` of the filter, and how much of the frame has arrived. Without `make_error` no error
/// can be made.
fn of_frame<Sender>(
    chained: &ChainedFilter,
    failure: &FilterFailure,
    session: &ClientSession,
    frame: &FilteredFrame<'_, Sender>,
    noted: bool,
    make_error: Option<MakeError>,
) -> Result<FailedFrame, Fault> {
    if !noted {
        chained.note_failure(session, failure);
    }
    let fault = || failed(chained.filter.name(), &failure.what);
    match (chained.on_error, make_error) {
        _ if failure.panicked => Err(fault()),
        (FailurePolicy::Fail, _) | (FailurePolicy::Answer, None) => Err(fault()),
        (FailurePolicy::Pass, _) => Ok(FailedFrame::Pass),
        (FailurePolicy::Answer, Some(_)) if !frame.is_complete() => Ok(FailedFrame::Collect),
        (FailurePolicy::Answer, Some(make_error)) => {
            let code = failure_code(frame.api_key());
            let error = make_error(frame.api(), frame.version(), frame.body(), code);
            error.map(FailedFrame::Error).ok_or_else(fault)
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
