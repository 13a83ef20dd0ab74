//! The way of an answer through the filters, from the one next to the broker to the one next to the client.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Instant;

use super::collecting::FrameWay;
use super::{FilterTrack, Progress, bit, failed, fault_of};
use crate::filter::{Chain, ChainedFilter, FilterOutcome, FilterStep, Level, OnResponse, Response};
use crate::session::cause::Fault;
use crate::session::inspect::Wait;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::kafka::responses::{BrokerAnswer, malformed};
use crate::session::inspect::seam::{FrameAction, Lift};
use crate::session::output::{Output, Staged};
use crate::wire::api::{self, Api};
use crate::wire::frame::SIZE_LEN;
use crate::wire::{Malformed, header};

/// Bytes of an answer within which a filter that reads its beginning has seen enough, or reads all of it.
const BEGINNING: usize = 1024;

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
        let Some(track) = &mut self.filters else {
            return self.handle_answer(lift, answer, out);
        };
        if !answer.frame.is_complete() {
            if track.reads_whole(answer) {
                return track.collect(FrameWay::Answers, answer.frame, &self.context);
            }
            return match track.show_beginning(answer)? {
                // It is read as a whole from here on.
                Passed::Waits(FrameAction::Hold) if answer.frame.content().len() > BEGINNING => {
                    track.response.get_or_insert_default().wants_whole = true;
                    track.collect(FrameWay::Answers, answer.frame, &self.context)
                }
                Passed::Waits(action) => Ok(action),
                Passed::AsShown | Passed::Changed(_) => self.handle_answer(lift, answer, out),
            };
        }
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
            track.session.set_answer(body.to_vec());
            track.asking = false;
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
        let Some(expected) = self.expected.front() else {
            return wants_whole;
        };
        let Some(chain) = self.chain_by_number(expected.chain) else {
            return wants_whole || expected.rechecked_by.is_some();
        };
        let asked = answer.asked;
        let interest =
            |chained: &ChainedFilter| chained.interest.of(asked.api_key).response(asked.api_version);
        wants_whole
            || expected.rechecked_by.is_some()
            || readers(chain, expected.readers).any(|(_, chained)| interest(chained) == Level::Whole)
    }

    /// Shows the beginning of an answer, which has not been rewritten, to filters that may not need all of it. They cannot
    /// change it.
    fn show_beginning(&mut self, answer: &BrokerAnswer<'_>) -> Result<Passed, Fault> {
        let Some((head, _)) = answer.split_at_body()? else {
            return Ok(Passed::Waits(FrameAction::Hold));
        };
        let Some(chain) = self.expected.front().map(|expected| expected.chain) else {
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
        let Some(chain) = self.chain_by_number(chain).cloned() else {
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
        let first = self.expected.front().map(|expected| (expected.chain, false));
        let again = self.expected.front().and_then(|expected| expected.rechecked_by);
        let again = again.map(|(number, _)| (number, true));
        for (number, rechecks) in first.into_iter().chain(again) {
            let Some(chain) = self.chain_by_number(number).cloned() else {
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
        let mut expected = self.expected.pop_front();
        let bits = expected.as_ref().map_or(0, |expected| match rechecks {
            true => expected.rechecked_by.map_or(0, |(_, readers)| readers),
            false => expected.readers,
        });
        let mut result = Ok(None);
        for (position, chained) in readers(chain, bits).rev() {
            let done = bit(position);
            if progress.has_read(rechecks, done) {
                continue;
            }
            let notes = expected
                .as_mut()
                .filter(|_| !rechecks)
                .map(|expected| &mut expected.notes);
            let (mut note, notes) = match notes {
                None => (None, None),
                Some(notes) => {
                    let found = notes
                        .iter()
                        .position(|(reader, _)| usize::from(*reader) == position);
                    (found.map(|found| notes.swap_remove(found).1), Some(notes))
                }
            };
            let name = chained.filter.name();
            let began = Instant::now();
            let step = chained.filter.response(&mut self.session, response, &mut note);
            chained.counters.seconds.observe(began.elapsed());
            result = match step {
                FilterStep::Now(OnResponse::Forward) => {
                    if let Some(denied) = self.session.take_denied() {
                        chained.counters.count(denied);
                    }
                    progress.note_read(rechecks, done);
                    continue;
                }
                FilterStep::Now(OnResponse::Leave(leave)) => Err(fault_of(leave)),
                FilterStep::More if !response.is_complete() => Ok(Some(FrameAction::Hold)),
                FilterStep::Again(wait) => progress.ask_again(name).map(|()| {
                    self.wait = Some(Wait(wait));
                    Some(FrameAction::Pause)
                }),
                FilterStep::More => Err(failed(name, "it wants more of a complete answer")),
                FilterStep::Ask(_) => Err(failed(name, "it asks the broker about an answer")),
            };
            if result.is_err() {
                chained.counters.count(FilterOutcome::Failed);
            }
            if let (Some(note), Some(notes)) = (note, notes) {
                notes.push((position as u8, note));
            }
            break;
        }
        if let Some(expected) = expected {
            self.expected.push_front(expected);
        }
        self.response = Some(progress);
        result
    }
}

impl Progress {
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

/// The filters of `chain` whose bits are set, with their positions.
fn readers(chain: &Chain, bits: u64) -> impl DoubleEndedIterator<Item = (usize, &ChainedFilter)> {
    let filters = chain.filters().iter().enumerate();
    filters.filter(move |(position, _)| bits & bit(*position) != 0)
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
