//! The way of a request through the filters.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Instant;

use super::collecting::{FrameWay, Unheld};
use super::failing::{self, FailedFrame};
use super::waiting::{OpenQuestion, WaitOutcome};
use super::{FilterTrack, FrameProgress, bit, reads};
use crate::filter::{
    Chain, ChainedFilter, FilterFailure, FilterOutcome, FilterStep, Level, OnRequest, Question, Request,
    error_answer,
};
use crate::session::cause::Fault;
use crate::session::inspect::DrainMode;
use crate::session::inspect::in_flight::Expects;
use crate::session::inspect::kafka::requests::{OWN_CORRELATION_ID, entry};
use crate::session::inspect::kafka::{KafkaInspector, client_identity, offer};
use crate::session::inspect::seam::{Frame, FrameAction};
use crate::session::output::Output;
use crate::wire::Malformed;
use crate::wire::api::{self, Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::frame::{REQUEST_HEAD_LEN, SIZE_LEN};
use crate::wire::header::{self, RequestHead};

/// What the filters have decided about a request together.
pub(super) enum Decided {
    /// All of them let it pass; the content, if one of them changed it.
    Forward(Option<Vec<u8>>),
    /// More of the frame is needed, or the frame waits.
    Wait(FrameAction),
    /// kproxy answers with this body.
    Answer(Vec<u8>),
    /// Nobody answers.
    Silence,
}

impl KafkaInspector {
    /// Decides about a request that filters read.
    pub(in super::super) fn filtered_request(
        &mut self,
        api: &'static Api,
        head: RequestHead,
        frame: Frame<'_>,
        now_us: u64,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let content = frame.content();
        if self.passes_filters(api, head, content, frame.is_complete()) {
            return self.forward_passed(api, head, frame, now_us);
        }
        if self.filters.as_ref().is_some_and(|track| track.leaving.is_some()) {
            return Ok(FrameAction::Pause);
        }
        let Some(body_at) =
            header::request_body(content, api, head.api_version).map_err(Fault::malformed_request)?
        else {
            return match frame.is_complete() {
                true => Err(Fault::malformed_request(ENDS_WITHIN_HEADER)),
                false => Ok(FrameAction::Hold),
            };
        };
        if !self.identified {
            self.identified = client_identity::note(self.context.handle(), api, head.api_version, content);
        }
        let Some(track) = &mut self.filters else {
            return self.forward_request(api, head, frame, now_us, Expects::Broker);
        };
        let Some(chain) = track.chain().cloned() else {
            return self.forward_request(api, head, frame, now_us, Expects::Broker);
        };
        let allowed = chain.allows(head.api_key, head.api_version);
        if !allowed && !frame.is_complete() {
            let collected = track.collect(FrameWay::Requests, frame, &self.context);
            return collected.map_err(Unheld::into_fault);
        }
        let mut decided = track.decide_held_request(&chain, api, head, (frame, body_at), &self.context)?;
        if !allowed && matches!(decided, Decided::Forward(_)) {
            track.request = None;
            decided = not_offered(api, head, &content[body_at..])?;
        }
        if !matches!(decided, Decided::Wait(_)) {
            track.collected(FrameWay::Requests);
        }
        self.carry_out(decided, api, head, frame, now_us, out)
    }

    /// Forwards a request that all filters let pass at once.
    fn forward_passed(
        &mut self,
        api: &'static Api,
        head: RequestHead,
        frame: Frame<'_>,
        now_us: u64,
    ) -> Result<FrameAction, Fault> {
        let action = self.forward_request(api, head, frame, now_us, Expects::Broker)?;
        if let Some(track) = &mut self.filters
            && !matches!(action, FrameAction::Hold | FrameAction::Pause)
        {
            track.note_passed(head);
        }
        self.count_passed();
        Ok(action)
    }

    fn carry_out(
        &mut self,
        decided: Decided,
        api: &'static Api,
        head: RequestHead,
        frame: Frame<'_>,
        now_us: u64,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let taken = REQUEST_HEAD_LEN;
        match decided {
            Decided::Wait(action) => {
                if let Some(question) = self.filters.as_mut().and_then(|track| track.question.take()) {
                    self.ask(&question, now_us, out);
                }
                Ok(action)
            }
            Decided::Answer(body) => {
                self.note_request(api, head, frame);
                self.requests.begin(true);
                if self.drain == DrainMode::Acks0Only {
                    return Ok(FrameAction::Discard { taken });
                }
                Ok(FrameAction::Answer {
                    taken,
                    request: entry(head, now_us, Expects::Own),
                    response: own_answer(api, head, &body),
                })
            }
            Decided::Silence => {
                self.note_request(api, head, frame);
                self.requests.begin(false);
                Ok(FrameAction::Discard { taken })
            }
            Decided::Forward(changed) => self.forward_filtered(changed, api, head, frame, now_us, out),
        }
    }

    /// Forwards a request that all filters let pass.
    fn forward_filtered(
        &mut self,
        changed: Option<Vec<u8>>,
        api: &'static Api,
        head: RequestHead,
        frame: Frame<'_>,
        now_us: u64,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let waiting = self.in_flight.len();
        let progress = self.filters.as_ref().and_then(|track| track.request.as_ref());
        let expects = match progress.is_some_and(|progress| progress.readers != 0) {
            true => Expects::Filtered,
            false => Expects::Broker,
        };
        let action = match changed {
            None => self.forward_request(api, head, frame, now_us, expects)?,
            Some(content) => {
                let mut bytes = Vec::with_capacity(SIZE_LEN + content.len());
                let arrived = frame.content().len();
                let size = (frame.size() - arrived + content.len()) as u32;
                bytes.extend_from_slice(&size.to_be_bytes());
                bytes.extend_from_slice(&content);
                let action = self.forward_request(api, head, Frame::new(&bytes, size), now_us, expects)?;
                replace_with(action, bytes, SIZE_LEN + arrived, out)
            }
        };
        // A request that is held or dropped, or has no answer, expects none.
        if matches!(action, FrameAction::Hold | FrameAction::Pause) {
            return Ok(action);
        }
        if let Some(track) = &mut self.filters
            && let Some(progress) = track.request.take()
            && self.in_flight.len() > waiting
            && progress.readers != 0
        {
            track.chains.expect(progress.readers, progress.notes);
        }
        Ok(action)
    }

    /// Puts a filter's question to the broker.
    fn ask(&mut self, question: &Question, now_us: u64, out: &mut Output) {
        let Some(api) = api::api(question.api_key) else {
            return;
        };
        let head = RequestHead {
            api_key: question.api_key,
            api_version: question.api_version,
            correlation_id: OWN_CORRELATION_ID,
        };
        out.emit(|bytes| write_question(api, head, &question.body, bytes));
        self.in_flight.push(entry(head, now_us, Expects::Question));
    }
}

/// The next step of a request on its way.
enum NextStep {
    /// To the next filter.
    Pass,
    /// Nowhere: the filters have decided, or it waits.
    End(Decided),
}

impl FilterTrack {
    /// Asks the filters about a request, from the first that has not decided.
    pub(super) fn decide_request(
        &mut self,
        chain: &Chain,
        api: &'static Api,
        head: RequestHead,
        (frame, body_at): (Frame<'_>, usize),
    ) -> Result<Decided, Fault> {
        let mut progress = self.request.take().unwrap_or_default();
        let mut failure = progress.take_failure();
        if self.asking.as_ref().is_some_and(OpenQuestion::is_late) {
            self.asking = None;
            self.abandoned += 1;
        }
        let content = progress.content(frame);
        let changed_before = matches!(content, Cow::Owned(_));
        let mut request =
            Request::new(api, head, content, body_at, frame.is_complete()).already_changed(changed_before);
        while let Some(chained) = chain.filters().get(progress.decided) {
            let interest = chained.interest.of(head.api_key);
            let answers = interest.response(head.api_version);
            if failure.is_none() && interest.request(head.api_version) == Level::None {
                progress.let_pass(reads(answers));
                continue;
            }
            if progress.passed_by & bit(progress.decided) != 0 {
                progress.let_pass(false);
                continue;
            }
            let next = match failure.take() {
                Some((failure, noted)) => self.fall_back(chained, failure, noted, &request, &mut progress)?,
                None => match self.ask_filter(chained, &mut request, answers, &mut progress) {
                    Ok(next) => next,
                    Err(failure) => self.fall_back(chained, failure, false, &request, &mut progress)?,
                },
            };
            match next {
                NextStep::Pass => {}
                NextStep::End(Decided::Answer(body)) if request.is_changed() => {
                    let about = (api, head.api_version);
                    let body = self.complete_own_answer(chain, about, body, &mut progress)?;
                    return Ok(Decided::Answer(body));
                }
                NextStep::End(decided) => {
                    if matches!(decided, Decided::Wait(_)) {
                        progress.complete = frame.is_complete();
                        progress.changed = changed(request);
                        self.request = Some(progress);
                    }
                    return Ok(decided);
                }
            }
        }
        self.request = Some(progress);
        Ok(Decided::Forward(changed(request)))
    }

    /// Asks one filter about a request.
    fn ask_filter(
        &mut self,
        chained: &ChainedFilter,
        request: &mut Request<'_>,
        answers: Level,
        progress: &mut FrameProgress,
    ) -> Result<NextStep, FilterFailure> {
        let began = Instant::now();
        let step = chained.request(&mut self.session, request);
        chained.counters.seconds.observe(began.elapsed());
        let action = match step? {
            FilterStep::Now(decision) => return Ok(self.decided(chained, decision, answers, progress)),
            FilterStep::More if request.is_complete() => {
                return Err(FilterFailure::new("it wants more of a complete request"));
            }
            FilterStep::More => FrameAction::Hold,
            FilterStep::Again(wait) => {
                progress.ask_again()?;
                let outcome = WaitOutcome::default();
                self.wait = Some(outcome.watch(wait));
                progress.waiting = Some(outcome);
                FrameAction::Pause
            }
            FilterStep::Ask(question) => {
                progress.ask_again()?;
                let (asking, wait, outcome) = OpenQuestion::new();
                (self.asking, self.question) = (Some(asking), Some(question));
                self.wait = Some(wait);
                progress.waiting = Some(outcome);
                FrameAction::Pause
            }
        };
        Ok(NextStep::End(Decided::Wait(action)))
    }

    /// Does with a request what is configured for a filter that cannot decide about it.
    fn fall_back(
        &mut self,
        chained: &ChainedFilter,
        failure: FilterFailure,
        noted: bool,
        request: &Request<'_>,
        progress: &mut FrameProgress,
    ) -> Result<NextStep, Fault> {
        self.session.take_denied();
        self.session.take_answer();
        Ok(
            match failing::of_request(chained, &failure, &self.session, request, noted)? {
                FailedFrame::Pass => {
                    progress.let_pass(false);
                    NextStep::Pass
                }
                FailedFrame::Error(body) => NextStep::End(Decided::Answer(body)),
                FailedFrame::Collect => {
                    progress.failure = Some(failure);
                    NextStep::End(Decided::Wait(FrameAction::Hold))
                }
            },
        )
    }

    /// Takes in what a filter has decided about a request.
    fn decided(
        &mut self,
        chained: &ChainedFilter,
        decision: OnRequest,
        answers: Level,
        progress: &mut FrameProgress,
    ) -> NextStep {
        let (outcome, next) = match decision {
            OnRequest::Forward => {
                progress.let_pass(reads(answers));
                (FilterOutcome::Forwarded, NextStep::Pass)
            }
            OnRequest::ForwardBlind => {
                progress.let_pass(false);
                (FilterOutcome::Forwarded, NextStep::Pass)
            }
            OnRequest::ForwardNoting(note) => {
                progress.notes.push((progress.decided as u8, note));
                progress.let_pass(true);
                (FilterOutcome::Forwarded, NextStep::Pass)
            }
            OnRequest::Answer(body) => (FilterOutcome::Answered, NextStep::End(Decided::Answer(body))),
            OnRequest::AnswerAndLeave(body, leave) => {
                self.leave(leave);
                (FilterOutcome::Answered, NextStep::End(Decided::Answer(body)))
            }
            OnRequest::Silence => (FilterOutcome::Answered, NextStep::End(Decided::Silence)),
            OnRequest::Leave(leave) => {
                self.leave(leave);
                (
                    FilterOutcome::Answered,
                    NextStep::End(Decided::Wait(FrameAction::Pause)),
                )
            }
        };
        let denied = self.session.take_denied();
        chained.counters.count(denied.unwrap_or(outcome));
        next
    }
}

impl FrameProgress {
    /// The content of `frame`, with what filters have changed of it.
    fn content<'a>(&mut self, frame: Frame<'a>) -> Cow<'a, [u8]> {
        match self.changed.take() {
            None => Cow::Borrowed(frame.content()),
            Some(mut changed) => {
                // What was changed in place while less had arrived is followed by what has come since.
                if !self.complete
                    && let Some(more) = frame.content().get(changed.len()..)
                {
                    changed.extend_from_slice(more);
                }
                Cow::Owned(changed)
            }
        }
    }
}

/// The answer to a request of a version that the filters do not offer, and that none of them has answered.
fn not_offered(api: &Api, head: RequestHead, body: &[u8]) -> Result<Decided, Fault> {
    let is_answered = head.api_key != ApiKey::API_VERSIONS;
    let answer = is_answered
        .then(|| error_answer(api, head.api_version, body, ErrorCode::UNSUPPORTED_VERSION))
        .flatten();
    answer
        .map(Decided::Answer)
        .ok_or_else(|| offer::unsupported(head))
}

/// The content of a request, if a filter has changed it.
fn changed(request: Request<'_>) -> Option<Vec<u8>> {
    request.is_changed().then(|| request.into_content().into_owned())
}

/// Has `bytes` take the place of a frame of which `arrived` bytes were shown. `action` is the decision about `bytes`.
fn replace_with(action: FrameAction, mut bytes: Vec<u8>, arrived: usize, out: &mut Output) -> FrameAction {
    match action {
        FrameAction::Forward { .. } => {}
        FrameAction::Patch { at, field } => bytes[at..at + field.len()].copy_from_slice(&field),
        FrameAction::Discard { .. } => return FrameAction::Discard { taken: arrived },
        other => return other,
    }
    let staged = out.stage(|into| {
        into.extend_from_slice(&bytes);
        Ok::<_, Infallible>(())
    });
    match staged {
        Ok(with) => FrameAction::Replace { taken: arrived, with },
        Err(never) => match never {},
    }
}

/// A whole frame that answers `head` with `body`.
pub fn own_answer(api: &Api, head: RequestHead, body: &[u8]) -> Vec<u8> {
    let flexible = api.response_header_is_flexible(head.api_version);
    let size = size_of::<i32>() + usize::from(flexible) + body.len();
    let mut frame = Vec::with_capacity(SIZE_LEN + size);
    frame.extend_from_slice(&(size as u32).to_be_bytes());
    frame.extend_from_slice(&head.correlation_id.to_be_bytes());
    if flexible {
        frame.push(0);
    }
    frame.extend_from_slice(body);
    frame
}

/// Appends a request of kproxy's own, without a client id.
fn write_question(api: &Api, head: RequestHead, body: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; SIZE_LEN]);
    out.extend_from_slice(&head.api_key.to_be_bytes());
    out.extend_from_slice(&head.api_version.to_be_bytes());
    out.extend_from_slice(&head.correlation_id.to_be_bytes());
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    if api.request_is_flexible(head.api_version) {
        out.push(0);
    }
    out.extend_from_slice(body);
    let size = (out.len() - start - SIZE_LEN) as u32;
    out[start..start + SIZE_LEN].copy_from_slice(&size.to_be_bytes());
}

const ENDS_WITHIN_HEADER: Malformed = Malformed {
    what: "request: it ends within its header",
};
