//! The way of the requests: judge the header, track what will be answered, let the bytes pass.

mod token;

use token::MAX_TOKEN;

use super::pausing::HeldRequests;
use super::request_body::{MaxWait, SHORT_WAIT_MS, expects_answer, read_max_wait};
use super::{KafkaInspector, client_identity, offer};
use crate::session::cause::Fault;
use crate::session::counters::Run;
use crate::session::inspect::in_flight::{Expects, InFlight, InFlightTracker, MAX_IN_FLIGHT};
use crate::session::inspect::seam::{Frame, FrameAction, FrameStream, Lift, Place, StreamStep};
use crate::session::inspect::{DrainMode, InspectResult};
use crate::session::output::Output;
use crate::wire::api::{self, Api, ApiKey};
use crate::wire::frame::{self, MIN_REQUEST, REQUEST_HEAD_LEN, SIZE_LEN};
use crate::wire::header::{self, RequestHead};
use crate::wire::{api_versions, probe};

/// The correlation id of kproxy's own question, which no client uses: they count from 0 upwards.
pub(super) const OWN_CORRELATION_ID: i32 = i32::MIN;

/// Where the request direction stands.
#[derive(Debug, Default)]
pub(super) struct RequestTrack {
    stream: FrameStream,
    /// Requests wait because too many before them are unanswered.
    full: bool,
    /// The current request, or the last one, has no answer.
    unanswered: bool,
    /// A request without an answer has been forwarded.
    forwarded_unanswered: bool,
    /// Requests that have begun to arrive.
    begun: u64,
}

impl RequestTrack {
    /// Whether so few requests are unanswered that more may be read. Once it was full, that is half of the most.
    pub(super) fn has_room(&self, in_flight: &InFlightTracker) -> bool {
        match self.full {
            true => in_flight.has_room_again(),
            false => !in_flight.is_full(),
        }
    }

    /// Whether no request that is forwarded is half-way through.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.stream.is_at_boundary() || self.stream.is_discarding()
    }

    /// Number of bytes of the current request that are still to be read.
    #[inline]
    pub(super) fn bytes_left(&self) -> usize {
        self.stream.left()
    }

    /// Whether no request that has an answer is half-way through.
    pub(super) fn can_forward_acks0(&self) -> bool {
        self.is_at_boundary() || self.unanswered
    }

    /// Whether a request without an answer has been forwarded.
    pub(super) fn forwarded_unanswered(&self) -> bool {
        self.forwarded_unanswered
    }

    /// Requests that have begun to arrive.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Requests that have arrived whole.
    pub(super) fn completed(&self) -> u64 {
        self.begun - u64::from(!self.stream.is_at_boundary())
    }

    /// A request begins whose header has been judged.
    pub(super) fn begin(&mut self, expects_answer: bool) {
        self.begun += 1;
        self.unanswered = !expects_answer;
        self.forwarded_unanswered |= !expects_answer;
    }

    /// `count` requests passed whole; `unanswered`: some of them have no answer.
    #[inline]
    fn passed(&mut self, count: u64, unanswered: bool) {
        self.stream.passed_whole_frames();
        self.begun += count;
        self.forwarded_unanswered |= unanswered;
    }
}

impl KafkaInspector {
    /// See [`Inspect::requests`](super::Inspect::requests).
    pub(super) fn inspect_requests(
        &mut self,
        bytes: &[u8],
        now_us: u64,
        out: &mut Output,
    ) -> Result<InspectResult, Fault> {
        let mut at = 0;
        self.requests.full = false;
        while at < bytes.len() {
            if self.holds_requests() {
                return Ok(InspectResult::Pause { from: at });
            }
            if self.may_be_paused() && self.requests.stream.is_at_boundary() {
                match self.pause_holds(&bytes[at..]) {
                    Some(false) => {}
                    Some(true) => return Ok(InspectResult::Pause { from: at }),
                    None => {
                        let wanted = REQUEST_HEAD_LEN;
                        return Ok(InspectResult::Hold { from: at, wanted });
                    }
                }
            }
            if now_us >= self.renew_at_us && self.requests.stream.is_at_boundary() && self.renew(now_us, out)
            {
                return Ok(InspectResult::Pause { from: at });
            }
            let plain = self.pass_plain_requests(&bytes[at..], now_us);
            out.pass(at, at + plain);
            at += plain;
            if at == bytes.len() {
                break;
            }
            if !self.requests.stream.is_at_boundary() {
                at += self.requests.stream.carry_on(at, bytes.len(), out);
                continue;
            }
            if self.drain != DrainMode::Acks0Only && self.in_flight.is_full() {
                self.requests.full = true;
                return Ok(InspectResult::Pause { from: at });
            }
            let rest = &bytes[at..];
            let Some(&prefix) = rest.first_chunk() else {
                let wanted = SIZE_LEN;
                return Ok(InspectResult::Hold { from: at, wanted });
            };
            let (action, frame_left) = self.next_frame(rest, prefix, now_us, out)?;
            let place = Place {
                at,
                available: rest.len(),
                frame_left,
            };
            match self
                .requests
                .stream
                .apply(action, place, &mut self.in_flight, out)
            {
                StreamStep::Taken(taken) => at += taken,
                StreamStep::Wait(result) => return Ok(result),
            }
        }
        Ok(InspectResult::Done)
    }

    /// Tracks the requests at the beginning of `bytes` that have arrived whole and are not lifted out: nearly all of
    /// them, in a few nanoseconds each. Returns how many bytes they are. What is out of the ordinary, or wrong, is left
    /// to [`Self::request`], which knows the same things and more.
    #[inline]
    fn pass_plain_requests(&mut self, bytes: &[u8], now_us: u64) -> usize {
        let ordinary = self.requests.stream.is_at_boundary()
            && self.identified
            && self.learning.is_none()
            && self.drain == DrainMode::Off
            && self.paused == HeldRequests::None
            && !self.context.logs_frames()
            && !self.sasl.speaks_tokens();
        let mut run = Run::default();
        let (mut at, mut count, mut unanswered) = (0, 0, false);
        while ordinary
            && self.in_flight.len() < MAX_IN_FLIGHT
            && let Some((prefix, rest)) = bytes[at..].split_first_chunk::<SIZE_LEN>()
        {
            let Ok(size) = frame::size(*prefix, MIN_REQUEST, self.context.max_frame()) else {
                break;
            };
            let Some(content) = rest.get(..size as usize) else {
                break;
            };
            let Some(head) = header::request_head(content) else {
                break;
            };
            let Some(api) = api::api(head.api_key) else { break };
            if !api.supports(head.api_version) {
                break;
            }
            let subscription = self.subscriptions.of(api);
            let acks = match subscription.request() {
                Lift::None => None,
                Lift::Prefix if head.api_key == ApiKey::PRODUCE => {
                    match header::produce_acks_fast(content, head.api_version) {
                        None => break,
                        acks => acks,
                    }
                }
                Lift::Whole if subscription.is_filtered() => match self.pass_filtered(api, head, content) {
                    None => break,
                    Some(acks) => acks,
                },
                Lift::Prefix | Lift::Tail | Lift::Whole => break,
            };
            if acks == Some(0) {
                unanswered = true;
            } else {
                let lift = subscription.response(head.api_version);
                self.in_flight.push(entry(head, now_us, Expects::Broker(lift)));
            }
            count += 1;
            run.add(head, self.context.counters());
            at += SIZE_LEN + size as usize;
        }
        run.close(self.context.counters());
        if count > 0 {
            self.count_passed();
            self.sasl.end_exchange();
            self.requests.passed(count, unanswered);
        }
        at
    }

    /// Notes a complete request that all filters let pass at once; `None`: it takes [`Self::request`]. Returns its `acks` if it
    /// is a Produce request.
    fn pass_filtered(&mut self, api: &'static Api, head: RequestHead, content: &[u8]) -> Option<Option<i16>> {
        let acks = match head.api_key {
            ApiKey::PRODUCE => Some(header::produce_acks_fast(content, head.api_version)?),
            _ => None,
        };
        if !self.passes_filters(api, head, content, true) {
            return None;
        }
        self.filters.as_mut()?.note_passed(head);
        Some(acks)
    }

    /// Decides about the frame at the beginning of `rest`: a raw token while tokens are spoken, else a request. Returns
    /// the frame's length too.
    #[inline]
    fn next_frame(
        &mut self,
        rest: &[u8],
        prefix: [u8; SIZE_LEN],
        now_us: u64,
        out: &mut Output,
    ) -> Result<(FrameAction, usize), Fault> {
        let max_frame = self.context.max_frame();
        if self.sasl.speaks_tokens() {
            // Where tokens may end, it is judged as a request is; a token is smaller.
            let max = if self.sasl.may_end_tokens() {
                max_frame
            } else {
                MAX_TOKEN
            };
            let size = frame::size(prefix, 0, max).map_err(Fault::request_size)?;
            let frame = Frame::new(rest, size);
            if let Some(action) = self.token(frame, prefix, now_us)? {
                return Ok((action, frame.len()));
            }
        }
        let size = frame::size(prefix, MIN_REQUEST, max_frame).map_err(Fault::request_size)?;
        let frame = Frame::new(rest, size);
        Ok((self.request(frame, now_us, out)?, frame.len()))
    }

    /// Decides about a request.
    #[inline]
    fn request(&mut self, frame: Frame<'_>, now_us: u64, out: &mut Output) -> Result<FrameAction, Fault> {
        let Some(head) = header::request_head(frame.content()) else {
            return Ok(FrameAction::Hold);
        };
        let Some(api) = api::api(head.api_key) else {
            return Err(offer::unsupported(head));
        };
        if self.learning.is_some() && !api.is_preamble {
            self.ask_for_brokers(now_us, out);
            return Ok(FrameAction::Pause);
        }
        if !api.supports(head.api_version) {
            return self.unknown_version(head, now_us);
        }
        if self.subscriptions.of(api).is_filtered() {
            return self.filtered_request(api, head, frame, now_us, out);
        }
        self.forward_request(api, head, frame, now_us, Expects::Broker)
    }

    /// Decides about a request that no filter reads, or that all filters let pass. `expects` says who reads the answer.
    #[inline]
    pub(super) fn forward_request(
        &mut self,
        api: &Api,
        head: RequestHead,
        frame: Frame<'_>,
        now_us: u64,
        expects: impl FnOnce(Lift) -> Expects,
    ) -> Result<FrameAction, Fault> {
        if self.refuses(head) {
            return Ok(self.refuse_sasl(head, now_us));
        }
        let Some(body) = self.read_body(api, head, frame)? else {
            return Ok(FrameAction::Hold);
        };
        self.note_request(api, head, frame);
        self.note_tie(head.api_key);
        self.requests.begin(body.expects_answer);
        let taken = REQUEST_HEAD_LEN;
        if body.expects_answer {
            if self.drain == DrainMode::Acks0Only {
                return Ok(FrameAction::Discard { taken });
            }
            let lift = self.subscriptions.of(api).response(head.api_version);
            self.in_flight.push(entry(head, now_us, expects(lift)));
        }
        Ok(match body.long_wait_at {
            Some(at) => FrameAction::Patch {
                at: SIZE_LEN + at,
                field: SHORT_WAIT_MS.to_be_bytes(),
            },
            None => FrameAction::Forward { taken },
        })
    }

    /// Reads the bodies that decide anything. `None`: what decides has not arrived.
    #[inline]
    fn read_body(
        &mut self,
        api: &Api,
        head: RequestHead,
        frame: Frame<'_>,
    ) -> Result<Option<RequestBody>, Fault> {
        let mut body = RequestBody {
            expects_answer: true,
            long_wait_at: None,
        };
        if matches!(self.drain, DrainMode::Shortening | DrainMode::Throttling) {
            match read_max_wait(frame, api, head.api_version) {
                MaxWait::Incomplete => return Ok(None),
                MaxWait::Short => {}
                MaxWait::Long { at } => body.long_wait_at = Some(at),
            }
        }
        let arrived = match head.api_key {
            ApiKey::PRODUCE => match expects_answer(frame, head.api_version)? {
                None => false,
                Some(expects_answer) => {
                    body.expects_answer = expects_answer;
                    true
                }
            },
            // What goes no further begins no exchange.
            _ if self.drain == DrainMode::Acks0Only => true,
            ApiKey::SASL_HANDSHAKE => {
                self.sasl
                    .handshake_requested(api, head.api_version, frame, &self.in_flight)?
            }
            ApiKey::SASL_AUTHENTICATE => {
                self.sasl
                    .authenticate_requested(api, head.api_version, frame, &self.in_flight)
            }
            _ => true,
        };
        Ok(arrived.then_some(body))
    }

    /// Notes a request that will be dealt with: who sent it, that it was sent, and that no exchange is under way.
    #[inline]
    pub(super) fn note_request(&mut self, api: &Api, head: RequestHead, frame: Frame<'_>) {
        if !api.is_preamble {
            // No client asks for anything while it authenticates; what it asked before may still be answered.
            self.sasl.end_exchange();
        }
        if !self.identified || api.key == ApiKey::API_VERSIONS {
            let handle = self.context.handle();
            self.identified |= client_identity::note(handle, api, head.api_version, frame.content());
        }
        self.context.counters().count(head.api_key, head.api_version, 1);
        if self.context.logs_frames() {
            self.context.log_request(api, head, frame.content(), frame.size());
        }
    }

    /// An ApiVersions request newer than kproxy knows is answered here, as a broker would (KIP-511): error 35 and
    /// the versions that are known, in the layout of version 0. Anything else was not on offer.
    fn unknown_version(&mut self, head: RequestHead, now_us: u64) -> Result<FrameAction, Fault> {
        if !offer::is_answered_by_kproxy(head) {
            return Err(offer::unsupported(head));
        }
        self.requests.begun += 1;
        let taken = REQUEST_HEAD_LEN;
        if self.drain == DrainMode::Acks0Only {
            return Ok(FrameAction::Discard { taken });
        }
        let mut response = Vec::new();
        api_versions::local_unsupported(head.correlation_id, &mut response);
        Ok(FrameAction::Answer {
            taken,
            request: entry(head, now_us, Expects::Own),
            response,
        })
    }

    /// The first request beyond the preamble waits while kproxy asks the broker who the others are.
    fn ask_for_brokers(&mut self, now_us: u64, out: &mut Output) {
        let Some(version) = self
            .learning
            .as_mut()
            .and_then(|learning| learning.take_question())
        else {
            return;
        };
        let head = RequestHead {
            api_key: ApiKey::METADATA,
            api_version: version,
            correlation_id: OWN_CORRELATION_ID,
        };
        out.emit(|bytes| probe::metadata_request(version, head.correlation_id, bytes));
        self.in_flight.push(entry(head, now_us, Expects::Internal));
    }
}

/// Decisions that the body of a request makes.
struct RequestBody {
    /// The broker will answer.
    expects_answer: bool,
    /// Where, behind the size prefix, it lets the broker hold the answer back for too long.
    long_wait_at: Option<usize>,
}

#[inline]
pub(super) fn entry(head: RequestHead, at_us: u64, expects: Expects) -> InFlight {
    InFlight {
        at_us,
        correlation_id: head.correlation_id,
        api_key: head.api_key,
        api_version: head.api_version,
        expects,
    }
}
