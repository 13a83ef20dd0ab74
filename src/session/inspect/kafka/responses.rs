//! The way of the answers: match each with the oldest request, rewrite what names brokers, let the rest pass.
//!
//! Three shapes of rewriting keep big answers out of memory (the layouts are in `wire::rewrite`):
//! *whole* answers are small and are taken as one; of Metadata only the broker list at its beginning is held,
//! the topics stream through; Produce and Fetch name brokers at their end, behind the records, which stream
//! through too. There the size prefix is gone by the time the end is seen, so the end is rewritten to a length
//! that was settled in advance.

mod addresses;
mod answer;
mod preamble;
mod tail;

pub(super) use answer::{BrokerAnswer, malformed};
use tail::StreamedTail;

use super::KafkaInspector;
use super::throttle::{FoundThrottle, find_throttle};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::in_flight::{Expects, InFlight};
use crate::session::inspect::seam::{Frame, FrameAction, FrameStream, Lift, Place, StreamStep};
use crate::session::inspect::{DrainMode, Inspect as _, InspectResult, wanted_of_frame};
use crate::session::output::Output;
use crate::wire::api::{self, ApiKey};
use crate::wire::frame::{self as wire_frame, MIN_RESPONSE, RESPONSE_HEAD_LEN, SIZE_LEN};
use crate::wire::header;
use crate::wire::rewrite;

/// Bytes of one answer that are held at most in order to rewrite it. Metadata of a cluster with 10 000 brokers takes a
/// tenth of it before its topics begin.
const MAX_HELD: usize = 16 << 20;

/// Where the response direction stands.
#[derive(Debug, Default)]
pub(super) struct ResponseTrack {
    stream: FrameStream,
    /// The current answer streams, and its end is to be rewritten.
    tail: Option<StreamedTail>,
    /// An answer beyond the preamble has been passed on.
    served: bool,
}

impl ResponseTrack {
    /// Whether the next byte begins an answer.
    #[inline]
    pub(super) fn is_at_boundary(&self) -> bool {
        self.stream.is_at_boundary()
    }

    /// Number of bytes of the current answer that are still to be read.
    #[inline]
    pub(super) fn bytes_left(&self) -> usize {
        self.stream.left()
    }

    /// Whether an answer beyond the preamble has been passed on.
    pub(super) fn has_served(&self) -> bool {
        self.served
    }
}

impl KafkaInspector {
    /// See [`Inspect::responses`](super::Inspect::responses).
    pub(super) fn inspect_responses(
        &mut self,
        bytes: &[u8],
        out: &mut Output,
    ) -> Result<InspectResult, Fault> {
        let mut at = 0;
        let mut raise = None;
        while at < bytes.len() {
            let step = if self.responses.is_at_boundary() {
                let plain = self.pass_plain_answers(&bytes[at..]);
                out.pass(at, at + plain);
                at += plain;
                if self.owes_answer() {
                    self.write_own_answers(out);
                }
                if at == bytes.len() {
                    break;
                }
                match self.find_throttle(&bytes[at..]) {
                    FoundThrottle::Incomplete => return Ok(hold(&bytes[at..], at)),
                    FoundThrottle::None => {}
                    FoundThrottle::Raise(rewrite) => raise = Some((rewrite, out.mark(), at)),
                }
                self.begin_answer(&bytes[at..], at, out)?
            } else if self.responses.tail.is_some() {
                self.continue_tail(&bytes[at..], at, out)?
            } else {
                StreamStep::Taken(self.responses.stream.carry_on(at, bytes.len(), out))
            };
            match step {
                StreamStep::Taken(taken) => {
                    at += taken;
                    if let Some((rewrite, mark, start)) = raise
                        && rewrite.is_within(at - start)
                    {
                        rewrite.apply(mark, out);
                        raise = None;
                    }
                }
                StreamStep::Wait(InspectResult::Hold { .. }) if bytes.len() - at > MAX_HELD => {
                    return Err(Fault::new(
                        CloseCause::MalformedResponse,
                        "an answer too large to rewrite",
                    ));
                }
                StreamStep::Wait(result) => return Ok(result),
            }
        }
        Ok(InspectResult::Done)
    }

    /// Tracks the answers at the beginning of `bytes` that have arrived whole and visibly have no addresses. Returns how many
    /// bytes they are. What is out of the ordinary, or wrong, is left to [`Self::begin_answer`].
    #[inline]
    fn pass_plain_answers(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while self.drain == DrainMode::Off
            && let Some((prefix, rest)) = bytes[at..].split_first_chunk::<SIZE_LEN>()
        {
            let Ok(size) = wire_frame::size(*prefix, MIN_RESPONSE, self.context.max_frame()) else {
                break;
            };
            let (Some(asked), Some(content)) = (self.in_flight.oldest(), rest.get(..size as usize)) else {
                break;
            };
            let plain = match asked.expects {
                Expects::Broker(Lift::None) => true,
                Expects::Broker(Lift::Tail) => {
                    rewrite::has_no_endpoints_fast(asked.api_key, asked.api_version, content)
                }
                Expects::Broker(Lift::Prefix | Lift::Whole)
                | Expects::Filtered(_)
                | Expects::Token
                | Expects::Own
                | Expects::Internal
                | Expects::Question => false,
            };
            if !plain || header::response_correlation_id(content) != Some(asked.correlation_id) {
                break;
            }
            self.in_flight.pop();
            self.responses.served = true;
            at += SIZE_LEN + size as usize;
        }
        at
    }

    fn find_throttle(&self, rest: &[u8]) -> FoundThrottle {
        if self.drain < DrainMode::Throttling {
            return FoundThrottle::None;
        }
        find_throttle(self.in_flight.oldest(), rest, self.context.max_frame())
    }

    /// Deals with the beginning of an answer, at position `at` of the read: finds its request and does what that asks
    /// for. The request is answered as soon as any byte of the answer goes out.
    #[inline]
    fn begin_answer(&mut self, rest: &[u8], at: usize, out: &mut Output) -> Result<StreamStep, Fault> {
        let Some(prefix) = rest.first_chunk::<SIZE_LEN>() else {
            return Ok(StreamStep::Wait(hold(rest, at)));
        };
        let oldest = self.in_flight.oldest().copied();
        let is_token = oldest.is_some_and(|asked| asked.expects == Expects::Token);
        let least = if is_token { 0 } else { MIN_RESPONSE };
        let size =
            wire_frame::size(*prefix, least, self.context.max_frame()).map_err(Fault::response_size)?;
        let frame = Frame::new(rest, size);
        let Some(asked) = oldest else {
            return Err(unsolicited(frame));
        };
        let action = match asked.expects {
            Expects::Token => match self.is_answer_to_next_request(frame) {
                None => FrameAction::Hold,
                Some(true) => {
                    self.in_flight.pop();
                    return Ok(StreamStep::Taken(0));
                }
                Some(false) => {
                    let is_empty = frame.size() == 0;
                    self.sasl.token_answered(is_empty, self.context.handle());
                    self.refresh_subject();
                    FrameAction::Forward { taken: SIZE_LEN }
                }
            },
            _ if rest.len() < RESPONSE_HEAD_LEN => FrameAction::Hold,
            Expects::Own => return Err(unsolicited(frame)),
            Expects::Internal if asked.api_key != ApiKey::METADATA => {
                self.renewal_answered(&BrokerAnswer::of(asked, frame)?)?
            }
            Expects::Internal => self.brokers_answered(&BrokerAnswer::of(asked, frame)?)?,
            Expects::Question => self.question_answered(&BrokerAnswer::of(asked, frame)?)?,
            Expects::Broker(lift) => self.handle_answer(lift, &BrokerAnswer::of(asked, frame)?, out)?,
            Expects::Filtered(lift) => self.filtered_answer(lift, &BrokerAnswer::of(asked, frame)?, out)?,
        };
        let place = Place {
            at,
            available: rest.len(),
            frame_left: frame.len(),
        };
        let step = self
            .responses
            .stream
            .apply(action, place, &mut self.in_flight, out);
        if matches!(step, StreamStep::Taken(_)) {
            self.in_flight.pop();
            self.responses.served |= is_beyond_preamble(&asked);
            if let Expects::Filtered(_) = asked.expects {
                self.filtered_answer_passed();
            }
        }
        Ok(step)
    }

    /// Decides about an answer of which so much is lifted out.
    #[inline]
    pub(super) fn handle_answer(
        &mut self,
        lift: Lift,
        answer: &BrokerAnswer<'_>,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        match (lift, answer.asked.api_key) {
            (Lift::None, _) => Ok(FrameAction::Forward {
                taken: RESPONSE_HEAD_LEN,
            }),
            (Lift::Tail, _) => self.begin_tail(answer, out),
            (Lift::Whole, _) if !answer.frame.is_complete() => answer.hold_whole(),
            (_, ApiKey::API_VERSIONS) => self.api_versions_answered(answer, out),
            (_, ApiKey::SASL_HANDSHAKE) => self.handshake_answered(answer),
            (_, ApiKey::SASL_AUTHENTICATE) => self.authenticate_answered(answer),
            (Lift::Prefix, _) => self.rewrite_prefix(answer, out),
            (Lift::Whole, _) => self.rewrite_whole(answer, out),
        }
    }

    /// Whether what should answer a token answers the request behind it, which no broker that follows the mechanism
    /// does: it must not pass unread. `None`: its first bytes have not arrived.
    fn is_answer_to_next_request(&self, frame: Frame<'_>) -> Option<bool> {
        let Some(next) = self.in_flight.next_of_broker() else {
            return Some(false);
        };
        if frame.size() < MIN_RESPONSE as usize || next.expects == Expects::Token {
            return Some(false);
        }
        header::response_correlation_id(frame.content()).map(|id| id == next.correlation_id)
    }
}

/// The bytes of `rest`, at position `at` of the read, wait for more of the frame they begin.
fn hold(rest: &[u8], at: usize) -> InspectResult {
    InspectResult::Hold {
        from: at,
        wanted: wanted_of_frame(rest),
    }
}

#[cold]
fn unsolicited(frame: Frame<'_>) -> Fault {
    Fault::new(
        CloseCause::UnsolicitedResponse,
        format!("a response of {} bytes", frame.size()),
    )
}

/// Whether the answer to this request is a client's first sign that the broker serves it.
fn is_beyond_preamble(asked: &InFlight) -> bool {
    matches!(asked.expects, Expects::Broker(_) | Expects::Filtered(_))
        && !api::api(asked.api_key).is_some_and(|api| api.is_preamble)
}
