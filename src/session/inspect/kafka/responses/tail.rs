//! Answers that name brokers at their end: Produce, Fetch, ShareFetch, ShareAcknowledge (KIP-951).
//!
//! An answer that has arrived whole is rewritten with its size. An answer that streams has a size that was sent before
//! its end is seen, so its end is made to fit: a rewritten end that is shorter is padded with an unknown tagged field,
//! and where an endpoint of kproxy's may be longer than a broker's, the size is enlarged in advance.

use super::MAX_HELD;
use super::answer::{BrokerAnswer, malformed};
use crate::session::cause::Fault;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::seam::{FrameAction, Place, StreamStep, stage_frame};
use crate::session::output::Output;
use crate::wire::Malformed;
use crate::wire::frame::SIZE_LEN;
use crate::wire::rewrite::{self, RewriteCounts, TailFinder};

/// The answer that is streaming.
#[derive(Debug)]
pub(super) struct StreamedTail {
    finder: TailFinder,
    api_key: i16,
    api_version: i16,
    /// Bytes by which the size was enlarged.
    growth_reserve: usize,
    /// Nothing but the end is left.
    found: bool,
}

impl KafkaInspector {
    /// An answer begins that may name brokers at its end.
    #[inline]
    pub(super) fn begin_tail(
        &mut self,
        answer: &BrokerAnswer<'_>,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        match answer.split_at_body()? {
            None => Ok(FrameAction::Hold),
            Some((head, body)) if answer.frame.is_complete() => self.rewrite_tail(answer, head, body, out),
            Some((head, _)) => self.begin_streaming(answer, head, out),
        }
    }

    /// The answer is here from beginning to end.
    #[inline]
    fn rewrite_tail(
        &mut self,
        answer: &BrokerAnswer<'_>,
        head: &[u8],
        body: &[u8],
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let (key, version) = (answer.asked.api_key, answer.asked.api_version);
        let taken = answer.frame.len();
        let mut finder = finder(key, version, body.len())?;
        let advance = finder.advance(body).map_err(malformed)?;
        if !advance.done {
            return Err(malformed(ENDS_TOO_EARLY));
        }
        let (before, tail) = body.split_at(advance.consumed);
        if rewrite::tail_is_empty(key, version, tail) {
            return Ok(FrameAction::Forward { taken });
        }
        if let Some(nodes) = self.learn_brokers(key, version, tail)? {
            return Ok(FrameAction::NeedEndpoints { nodes });
        }
        let endpoints = self.context.endpoints();
        let mut counts = RewriteCounts::default();
        let with = stage_frame(out, head, 0, |bytes| {
            bytes.extend_from_slice(before);
            counts = rewrite::rewrite(key, version, tail, &*endpoints, bytes)?;
            Ok(())
        })
        .map_err(malformed)?;
        self.count_rewritten(counts, &endpoints, key, version, tail);
        Ok(FrameAction::Replace { taken, with })
    }

    /// The answer has only begun: its size goes out now.
    fn begin_streaming(
        &mut self,
        answer: &BrokerAnswer<'_>,
        head: &[u8],
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let (api_key, api_version) = (answer.asked.api_key, answer.asked.api_version);
        let size = answer.frame.size();
        let growth_reserve = self.growth_reserve().min(i32::MAX as usize - size);
        self.responses.tail = Some(StreamedTail {
            finder: finder(api_key, api_version, size - head.len())?,
            api_key,
            api_version,
            growth_reserve,
            found: false,
        });
        let taken = SIZE_LEN + head.len();
        if growth_reserve == 0 {
            return Ok(FrameAction::Forward { taken });
        }
        let following = size - head.len() + growth_reserve;
        let with = stage_frame(out, head, following, |_| Ok(())).map_err(malformed)?;
        Ok(FrameAction::Replace { taken, with })
    }

    /// Bytes to enlarge an answer by whose end is not known yet: for endpoints that are longer than the addresses they
    /// replace. 0 where no endpoint is longer, so that the answer stays as long as it was.
    fn growth_reserve(&self) -> usize {
        let table = self.context.endpoints();
        let brokers = self.context.binding().cluster.target.topology.snapshot();
        let ours = |id| {
            table
                .get(id)
                .map_or_else(|| table.longest_host(), |endpoint| endpoint.host.len())
        };
        let hosts = || brokers.iter().map(|(&id, broker)| (broker.host.len(), ours(id)));
        if hosts().all(|(theirs, ours)| ours <= theirs) {
            0
        } else {
            rewrite::growth_reserve(hosts())
        }
    }

    /// More of the answer that streams has arrived: `rest`, at position `at` of the read.
    pub(super) fn continue_tail(
        &mut self,
        rest: &[u8],
        at: usize,
        out: &mut Output,
    ) -> Result<StreamStep, Fault> {
        let frame_left = self.responses.stream.left();
        let action = match &mut self.responses.tail {
            Some(streamed) if !streamed.found => streamed.walk(rest, frame_left)?,
            Some(_) if frame_left > MAX_HELD => {
                return Err(malformed(Malformed::new("answer: its end is too large")));
            }
            Some(streamed) => match rest.get(..frame_left) {
                None => FrameAction::Hold,
                Some(tail) => {
                    let streamed = (streamed.api_key, streamed.api_version, streamed.growth_reserve);
                    self.end_tail(streamed, tail, out)?
                }
            },
            None => FrameAction::Hold,
        };
        let place = Place {
            at,
            available: rest.len(),
            frame_left,
        };
        let step = self
            .responses
            .stream
            .apply(action, place, &mut self.in_flight, out);
        if self.responses.stream.is_at_boundary() {
            self.responses.tail = None;
        }
        Ok(step)
    }

    /// The end of the answer that streams is here.
    fn end_tail(
        &mut self,
        (key, version, growth_reserve): (i16, i16, usize),
        tail: &[u8],
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let taken = tail.len();
        if growth_reserve == 0 && rewrite::tail_is_empty(key, version, tail) {
            return Ok(FrameAction::Forward { taken });
        }
        if let Some(nodes) = self.learn_brokers(key, version, tail)? {
            return Ok(FrameAction::NeedEndpoints { nodes });
        }
        let endpoints = self.context.endpoints();
        let mut counts = RewriteCounts::default();
        let with = out
            .stage(|bytes| {
                let fit = rewrite::fit_tail(key, version, tail, &*endpoints, taken + growth_reserve, bytes)?;
                counts = fit.counts;
                Ok(())
            })
            .map_err(malformed)?;
        self.count_rewritten(counts, &endpoints, key, version, tail);
        Ok(FrameAction::Replace { taken, with })
    }
}

impl StreamedTail {
    /// Lets the bytes before the end pass.
    fn walk(&mut self, rest: &[u8], frame_left: usize) -> Result<FrameAction, Fault> {
        let advance = self.finder.advance(rest).map_err(malformed)?;
        self.found = advance.done;
        if advance.done && advance.consumed == frame_left {
            return Err(malformed(ENDS_TOO_EARLY));
        }
        if advance.consumed == 0 && !advance.done {
            return Ok(FrameAction::Hold);
        }
        Ok(FrameAction::Forward {
            taken: advance.consumed,
        })
    }
}

const ENDS_TOO_EARLY: Malformed = Malformed {
    what: "answer: it ends too early",
};

fn finder(key: i16, version: i16, body_len: usize) -> Result<TailFinder, Fault> {
    TailFinder::new(key, version, body_len)
        .ok_or_else(|| malformed(Malformed::new("answer: no known layout")))
}
