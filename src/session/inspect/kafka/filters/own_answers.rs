//! Answers of a filter to a request from which filters before it have taken something out: those complete it, as they would
//! complete the one of a broker.

use std::borrow::Cow;

use super::{FilterTrack, FrameProgress, failed, fault_of};
use crate::filter::{Chain, FilterStep, OnResponse, Response};
use crate::session::cause::Fault;
use crate::wire::api::Api;

impl FilterTrack {
    /// Has the filters that have noted something of a request complete an answer to what they have left of it.
    pub(super) fn complete_own_answer(
        &mut self,
        chain: &Chain,
        (api, version): (&'static Api, i16),
        body: Vec<u8>,
        progress: &mut FrameProgress,
    ) -> Result<Vec<u8>, Fault> {
        let mut notes = std::mem::take(&mut progress.notes);
        notes.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
        let mut answer = Response::new(api, version, Cow::Owned(body), 0, true);
        for (position, note) in notes {
            let Some(chained) = chain.filters().get(usize::from(position)) else {
                continue;
            };
            match chained.response(&mut self.session, &mut answer, &mut Some(note)) {
                Ok(FilterStep::Now(OnResponse::Forward)) => {}
                Ok(FilterStep::Now(OnResponse::Leave(leave))) => return Err(fault_of(leave)),
                Ok(_) => return Err(failed(chained.filter.name(), "it waits at an answer of kproxy")),
                Err(failure) => {
                    chained.note_failure(&self.session, &failure);
                    return Err(failed(chained.filter.name(), &failure.what));
                }
            }
        }
        Ok(answer.into_content().into_owned())
    }
}
