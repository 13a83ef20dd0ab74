//! Requests that all filters let pass at once: nearly all of a busy client. Nothing is kept of them. They are counted together,
//! read by read, and their time is shared out evenly among the filters that were asked.

use std::borrow::Cow;
use std::time::Instant;

use super::collecting::FrameWay;
use super::{FilterTrack, broken_off, reads};
use crate::filter::{Chain, ChainedFilter, FilterOutcome, Level, Request};
use crate::session::inspect::kafka::KafkaInspector;
use crate::wire::api::Api;
use crate::wire::header::{self, RequestHead};

/// Requests of one API and version that passed one after the other.
#[derive(Debug, Default)]
pub(super) struct PassedRun {
    api_key: i16,
    api_version: i16,
    count: u64,
    /// When the filters were asked about the first of them.
    began: Option<Instant>,
}

impl KafkaInspector {
    /// Whether the filters let a request pass at once, whose content is `content` as far as it has arrived. The caller has it
    /// forwarded, and its answer unread; then it notes that with [`FilterTrack::note_passed`].
    #[inline(never)]
    pub(in super::super) fn passes_filters(
        &mut self,
        api: &'static Api,
        head: RequestHead,
        content: &[u8],
        complete: bool,
    ) -> bool {
        let Some(track) = &mut self.filters else {
            return false;
        };
        match header::request_body(content, api, head.api_version) {
            Ok(Some(body_at)) if !api.is_preamble => track.passes(api, head, (content, body_at, complete)),
            _ => false,
        }
    }

    /// Counts the requests that passed at once since the last call.
    #[inline]
    pub(in super::super) fn count_passed(&mut self) {
        if let Some(track) = &mut self.filters {
            track.count_passed();
        }
    }
}

impl FilterTrack {
    fn passes(
        &mut self,
        api: &'static Api,
        head: RequestHead,
        (content, body_at, complete): (&[u8], usize, bool),
    ) -> bool {
        let (key, version) = (head.api_key, head.api_version);
        if self.request.is_some() || !self.accepts_requests() {
            return false;
        }
        if (self.passed.api_key, self.passed.api_version) != (key, version) {
            self.count_passed();
        }
        let Some(chain) = self.chains.in_force() else {
            return false;
        };
        if !chain.allows(key, version) {
            return false;
        }
        if self.passed.count == 0 {
            self.passed.began = Some(Instant::now());
        }
        let request = Request::new(api, head, Cow::Borrowed(content), body_at, complete);
        for chained in chain.filters() {
            let interest = chained.interest.of(key);
            if reads(interest.response(version)) {
                return false;
            }
            if interest.request(version) == Level::None {
                continue;
            }
            match chained.passes(&mut self.session, &request) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(failure) => {
                    self.leaving = Some(broken_off(chained, &self.session, &failure));
                    return false;
                }
            }
        }
        true
    }

    /// Notes that a request has gone on which [`KafkaInspector::passes_filters`] let pass.
    pub(in super::super) fn note_passed(&mut self, head: RequestHead) {
        (self.passed.api_key, self.passed.api_version) = (head.api_key, head.api_version);
        self.passed.count += 1;
        self.collected(FrameWay::Requests);
        let chain = self.chains.in_force().map(|chain| &**chain);
        for chained in asked(chain, head.api_key, head.api_version) {
            if let Err(failure) = chained.passed(&mut self.session) {
                self.leaving = Some(broken_off(chained, &self.session, &failure));
            }
        }
    }

    /// See [`KafkaInspector::count_passed`].
    fn count_passed(&mut self) {
        let run = std::mem::take(&mut self.passed);
        let Some(began) = run.began.filter(|_| run.count > 0) else {
            return;
        };
        let took = began.elapsed();
        let chain = self.chains.in_force().map(|chain| &**chain);
        let number = asked(chain, run.api_key, run.api_version).count();
        let took = took / (number as u32).max(1);
        for chained in asked(chain, run.api_key, run.api_version) {
            if let Err(failure) = chained.count_passed(&mut self.session) {
                self.leaving = Some(broken_off(chained, &self.session, &failure));
            }
            chained.counters.count_many(FilterOutcome::Forwarded, run.count);
            chained.counters.seconds.observe_many(took, run.count);
        }
    }
}

/// The filters that read requests of this API and version.
fn asked(chain: Option<&Chain>, api_key: i16, version: i16) -> impl Iterator<Item = &ChainedFilter> {
    let filters = chain.map_or_else(Default::default, Chain::filters).iter();
    filters.filter(move |chained| chained.interest.of(api_key).request(version) != Level::None)
}
