//! The way of an answer through the filters, from the one next to the broker to the one next to the client.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use super::chains::ExpectedAnswer;
use super::collecting::{FrameWay, Unheld};
use super::failing::{self, FailedFrame};
use super::waiting::WaitOutcome;
use super::{FilterTrack, FrameProgress, bit, fault_of, filters_of};
use crate::filter::{
    Chain, ChainedFilter, FilterFailure, FilterOutcome, FilterStep, Leave, Level, Note, OnResponse, Response,
};
use crate::session::cause::Fault;
use crate::session::inspect::in_flight::InFlight;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::kafka::responses::{BrokerAnswer, malformed};
use crate::session::inspect::seam::{FrameAction, Lift};
use crate::session::output::{Output, Staged};
use crate::wire::api::{self, Api};
use crate::wire::frame::SIZE_LEN;
use crate::wire::{Malformed, header};

/// Bytes of an answer within which a filter that reads its beginning has seen enough, or reads all of it.
const BEGINNING: usize = 1024;

/// What one filter has decided about an answer.
enum Shown {
    /// It goes on.
    Passes,
    /// It waits.
    Waits(FrameAction),
    /// The session ends.
    Leaves(Leave),
}

/// What stands of an answer when the filters have decided.
enum Passed {
    /// The content that they were shown.
    AsShown,
    /// Other content.
    Changed(Vec<u8>),
    /// It waits.
    Waits(FrameAction),
}

impl KafkaInspector {
    /// Decides about an answer that filters read, after kproxy itself has rewritten what it lifts out of it.
    pub(in super::super) fn filtered_answer(
        &mut self,
        lift: Lift,
        answer: &BrokerAnswer<'_>,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        if !answer.frame.is_complete() {
            return self.filtered_beginning(lift, answer, out);
        }
        let Some(track) = &mut self.filters else {
            return self.handle_answer(lift, answer, out);
        };
        let rewritten = track
            .response
            .as_mut()
            .and_then(|progress| progress.changed.take());
        let shown = match rewritten {
            Some(content) => Cow::Owned(content),
            None => match self.handle_answer(lift, answer, out)? {
                FrameAction::Forward { .. } => Cow::Borrowed(answer.frame.content()),
                FrameAction::Replace { taken, with } => {
                    let rest = &answer.frame.content()[taken - SIZE_LEN..];
                    Cow::Owned([&out.staged(&with)[SIZE_LEN..], rest].concat())
                }
                other => return Ok(other),
            },
        };
        let Some(track) = &mut self.filters else {
            return Ok(FrameAction::Hold);
        };
        let taken = answer.frame.len();
        match track.decide_answer(answer, shown)? {
            Passed::Waits(action) => Ok(action),
            Passed::AsShown => Ok(FrameAction::Forward { taken }),
            Passed::Changed(content) => Ok(FrameAction::Replace {
                taken,
                with: staged(&content, out)?,
            }),
        }
    }

    /// Decides about the beginning of an answer that filters read.
    fn filtered_beginning(
        &mut self,
        lift: Lift,
        answer: &BrokerAnswer<'_>,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        while let Some(track) = &mut self.filters {
            if !track.reads_whole(answer) {
                match track.show_beginning(answer)? {
                    // It is read as a whole from here on.
                    Passed::Waits(FrameAction::Hold) if answer.frame.content().len() > BEGINNING => {
                        track.response.get_or_insert_default().wants_whole = true;
                    }
                    Passed::Waits(action) => return Ok(action),
                    Passed::AsShown | Passed::Changed(_) => break,
                }
            }
            match track.collect(FrameWay::Answers, answer.frame, &self.context) {
                Ok(action) => return Ok(action),
                Err(unheld) => track.pass_answer_by(answer, unheld)?,
            }
        }
        self.handle_answer(lift, answer, out)
    }

    /// Takes in the answer to a question of a filter.
    pub(in super::super) fn question_answered(
        &mut self,
        answer: &BrokerAnswer<'_>,
    ) -> Result<FrameAction, Fault> {
        if !answer.frame.is_complete() {
            return answer.hold_whole();
        }
        let Some((_, body)) = answer.split_at_body()? else {
            return Ok(FrameAction::Hold);
        };
        if let Some(track) = &mut self.filters {
            match track.abandoned.checked_sub(1) {
                Some(left) => track.abandoned = left,
                None => {
                    track.session.set_answer(body.to_vec());
                    if let Some(asking) = track.asking.take() {
                        asking.answered();
                    }
                }
            }
        }
        Ok(FrameAction::Discard {
            taken: answer.frame.len(),
        })
    }
}

impl FilterTrack {
    /// Whether one of its readers reads all of an answer, and not only its beginning.
    fn reads_whole(&self, answer: &BrokerAnswer<'_>) -> bool {
        let wants_whole = self
            .response
            .as_ref()
            .is_some_and(|progress| progress.wants_whole);
        let rechecks = |expected: &ExpectedAnswer| expected.rechecked_by.is_some();
        wants_whole
            || self.chains.expected.front().is_some_and(rechecks)
            || self.unread_of_whole(answer.asked) != 0
    }

    /// Bits of the filters of the chain that saw the request that read all of the answer, and have not.
    fn unread_of_whole(&self, asked: InFlight) -> u64 {
        let level = |chained: &ChainedFilter| chained.interest.of(asked.api_key).response(asked.api_version);
        let (chain, unread) = self.unread();
        chain.map_or(0, |chain| {
            filters_of(chain, unread)
                .filter(|(_, chained)| level(chained) == Level::Whole)
                .fold(0, |readers, (position, _)| readers | bit(position))
        })
    }

    /// The chain that saw the request of the oldest answer, and the bits of its filters that are still to read the answer.
    fn unread(&self) -> (Option<&Arc<Chain>>, u64) {
        let read = self.response.as_ref().map_or(0, |progress| progress.readers);
        match self.chains.expected.front() {
            None => (None, 0),
            Some(expected) => (self.chains.by_number(expected.chain), expected.readers & !read),
        }
    }

    /// Has an answer that cannot be held pass by the filters that read all of it, where they allow that.
    fn pass_answer_by(&mut self, answer: &BrokerAnswer<'_>, unheld: Unheld) -> Result<(), Fault> {
        let rechecked = self
            .chains
            .expected
            .front()
            .is_some_and(|expected| expected.rechecked_by.is_some());
        let mut bits = self.unread_of_whole(answer.asked);
        let (chain, unread) = self.unread();
        if bits == 0 && unread != 0 {
            // The one next to the broker has seen the beginning and wants the rest.
            bits = 1 << unread.ilog2();
        }
        match chain {
            Some(chain) if bits != 0 && !rechecked => {
                let readers = filters_of(chain, bits).map(|(_, chained)| chained);
                failing::of_unheld(readers, &self.session, unheld)?;
            }
            _ => return Err(unheld.into_fault()),
        }
        let progress = self.response.get_or_insert_default();
        progress.readers |= bits;
        progress.wants_whole = false;
        Ok(())
    }

    /// Shows the beginning of an answer, which has not been rewritten, to filters that may not need all of it. They cannot
    /// change it.
    fn show_beginning(&mut self, answer: &BrokerAnswer<'_>) -> Result<Passed, Fault> {
        let Some((head, _)) = answer.split_at_body()? else {
            return Ok(Passed::Waits(FrameAction::Hold));
        };
        let Some(chain) = self.chains.expected.front().map(|expected| expected.chain) else {
            return Ok(Passed::AsShown);
        };
        let (body_at, content) = (head.len(), Cow::Borrowed(answer.frame.content()));
        let complete = answer.frame.is_complete();
        let mut response = Response::new(
            api_of(answer)?,
            answer.asked.api_version,
            content,
            body_at,
            complete,
        );
        let Some(chain) = self.chains.by_number(chain).cloned() else {
            return Ok(Passed::AsShown);
        };
        let waits = self.run(&chain, &mut response, false)?;
        Ok(waits.map_or(Passed::AsShown, Passed::Waits))
    }

    /// Shows a complete answer, whose content is `shown`, to the filters of the chain that saw the request, and then to
    /// those of the chain in force that read it again.
    fn decide_answer(&mut self, answer: &BrokerAnswer<'_>, shown: Cow<'_, [u8]>) -> Result<Passed, Fault> {
        let api = api_of(answer)?;
        let version = answer.asked.api_version;
        let body_at = header::response_body(&shown, api, version)
            .map_err(malformed)?
            .ok_or_else(|| malformed(ENDS_WITHIN_HEADER))?;
        let rewritten = matches!(shown, Cow::Owned(_));
        let mut response = Response::new(api, version, shown, body_at, true).already_changed(rewritten);
        let first = self
            .chains
            .expected
            .front()
            .map(|expected| (expected.chain, false));
        let again = self
            .chains
            .expected
            .front()
            .and_then(|expected| expected.rechecked_by);
        let again = again.map(|(number, _)| (number, true));
        for (number, rechecks) in first.into_iter().chain(again) {
            let Some(chain) = self.chains.by_number(number).cloned() else {
                continue;
            };
            if let Some(action) = self.run(&chain, &mut response, rechecks)? {
                let progress = self.response.get_or_insert_default();
                progress.changed = Some(response.into_content().into_owned());
                return Ok(Passed::Waits(action));
            }
        }
        match response.is_changed() {
            true => Ok(Passed::Changed(response.into_content().into_owned())),
            false => Ok(Passed::AsShown),
        }
    }

    /// Shows an answer to the filters of `chain` that have not decided about it. Returns the action if it waits.
    fn run(
        &mut self,
        chain: &Chain,
        response: &mut Response<'_>,
        rechecks: bool,
    ) -> Result<Option<FrameAction>, Fault> {
        let mut progress = self.response.take().unwrap_or_default();
        let mut expected = self.chains.expected.pop_front();
        let bits = expected.as_ref().map_or(0, |expected| match rechecks {
            true => expected.rechecked_by.map_or(0, |(_, readers)| readers),
            false => expected.readers,
        });
        let mut result = Ok(None);
        for (position, chained) in filters_of(chain, bits).rev() {
            let reader = bit(position);
            if progress.has_read(rechecks, reader) {
                continue;
            }
            let mut notes = expected
                .as_mut()
                .filter(|_| !rechecks)
                .map(|expected| &mut expected.notes);
            let mut note = notes.as_mut().and_then(|notes| take_note(notes, position));
            result = self.show_or_fall_back(chained, response, &mut note, &mut progress);
            if let Ok(None) = result {
                progress.note_read(rechecks, reader);
                continue;
            }
            if let (Some(note), Some(notes)) = (note, notes) {
                notes.push((position as u8, note));
            }
            break;
        }
        if let Some(expected) = expected {
            self.chains.expected.push_front(expected);
        }
        self.response = Some(progress);
        result
    }

    /// Shows an answer to one filter, and does what is configured if that cannot decide. Returns the action if it waits.
    fn show_or_fall_back(
        &mut self,
        chained: &ChainedFilter,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
        progress: &mut FrameProgress,
    ) -> Result<Option<FrameAction>, Fault> {
        let shown = match progress.take_failure() {
            Some((failure, noted)) => Err((failure, noted)),
            None => self
                .show(chained, response, note, progress)
                .map_err(|failure| (failure, false)),
        };
        match shown {
            Ok(Shown::Passes) => Ok(None),
            Ok(Shown::Waits(action)) => Ok(Some(action)),
            Ok(Shown::Leaves(leave)) => {
                chained.counters.count(FilterOutcome::Failed);
                Err(fault_of(leave))
            }
            Err((failure, noted)) => {
                self.session.take_denied();
                match failing::of_response(chained, &failure, &self.session, response, noted)? {
                    FailedFrame::Pass | FailedFrame::Error(_) => Ok(None),
                    FailedFrame::Collect => {
                        progress.failure = Some(failure);
                        progress.wants_whole = true;
                        Ok(Some(FrameAction::Hold))
                    }
                }
            }
        }
    }

    /// Shows an answer to one filter. Returns the action if it waits.
    fn show(
        &mut self,
        chained: &ChainedFilter,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
        progress: &mut FrameProgress,
    ) -> Result<Shown, FilterFailure> {
        let began = Instant::now();
        let step = chained.response(&mut self.session, response, note);
        chained.counters.seconds.observe(began.elapsed());
        match step? {
            FilterStep::Now(OnResponse::Forward) => {
                if let Some(denied) = self.session.take_denied() {
                    chained.counters.count(denied);
                }
                Ok(Shown::Passes)
            }
            FilterStep::Now(OnResponse::Leave(leave)) => Ok(Shown::Leaves(leave)),
            FilterStep::More if !response.is_complete() => Ok(Shown::Waits(FrameAction::Hold)),
            FilterStep::Again(wait) => {
                progress.ask_again()?;
                let outcome = WaitOutcome::default();
                self.wait = Some(outcome.watch(wait));
                progress.waiting = Some(outcome);
                Ok(Shown::Waits(FrameAction::Pause))
            }
            FilterStep::More => Err(FilterFailure::new("it wants more of a complete answer")),
            FilterStep::Ask(_) => Err(FilterFailure::new("it asks the broker about an answer")),
        }
    }
}

impl FrameProgress {
    /// Whether a filter has read the answer. The filters of the chain that saw the request are told from those that read
    /// it again.
    fn has_read(&self, rechecks: bool, reader: u64) -> bool {
        let read = if rechecks { self.reread } else { self.readers };
        read & reader != 0
    }

    fn note_read(&mut self, rechecks: bool, reader: u64) {
        self.repetitions = 0;
        match rechecks {
            true => self.reread |= reader,
            false => self.readers |= reader,
        }
    }
}

/// Removes the note of the filter at this position.
fn take_note(notes: &mut Vec<(u8, Note)>, position: usize) -> Option<Note> {
    let found = notes
        .iter()
        .position(|(reader, _)| usize::from(*reader) == position)?;
    Some(notes.swap_remove(found).1)
}

fn api_of(answer: &BrokerAnswer<'_>) -> Result<&'static Api, Fault> {
    api::api(answer.asked.api_key).ok_or_else(|| malformed(Malformed::new("answer: unknown API")))
}

/// Stages a frame with this content.
fn staged(content: &[u8], out: &mut Output) -> Result<Staged, Fault> {
    let size = i32::try_from(content.len())
        .map_err(|_| malformed(Malformed::new("answer: too large when a filter had changed it")))?;
    let staged = out.stage(|into| {
        into.extend_from_slice(&size.to_be_bytes());
        into.extend_from_slice(content);
        Ok::<_, Infallible>(())
    });
    staged.map_err(|never| match never {})
}

const ENDS_WITHIN_HEADER: Malformed = Malformed {
    what: "answer: it ends within its header",
};
