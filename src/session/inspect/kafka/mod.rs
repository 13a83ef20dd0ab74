//! The inspector of a Kafka session: frame positions, requests in flight, and what must be rewritten.
//!
//! [`KafkaInspector`] is put together of parts that each own one concern: [`RequestTrack`] and [`ResponseTrack`] the two
//! directions, [`SaslWatch`] authentication, [`Learning`] the search for the right broker, [`InFlightTracker`] what joins
//! the directions. Frames reach them through the [seam](super::seam).

mod client_identity;
mod context;
mod filters;
mod learning;
mod moving;
mod offer;
mod own_login;
mod pausing;
mod renewal;
mod request_body;
mod requests;
mod responses;
mod sasl;
mod throttle;

pub use client_identity::note as note_client;
pub use context::session_facts;
pub use filters::{fault_of as fault_of_leave, own_answer};
pub use learning::Learning;
pub use offer::judge_head;
pub use own_login::SessionLogin;

use std::sync::Arc;
use std::time::Duration;

use context::SessionContext;
use filters::FilterTrack;
use pausing::HeldRequests;
use renewal::Renewal;
use requests::RequestTrack;
use responses::ResponseTrack;
use sasl::SaslWatch;

use super::in_flight::{Expects, InFlight, InFlightTracker};
use super::seam::Subscriptions;
use super::{DrainMode, Inspect, InspectResult, Wait};
use crate::drain::SessionHandle;
use crate::filter::ClientSession as FilterSession;
use crate::session::cause::Fault;
use crate::session::context::EndpointBinding;
use crate::session::output::Output;
use crate::session::pump::Limits;
use crate::session::upstream::Promise;
use crate::wire::api;

/// The inspector of one Kafka session.
#[derive(Debug)]
pub struct KafkaInspector {
    context: SessionContext,
    /// The parts of frames that are lifted out.
    subscriptions: Arc<Subscriptions>,
    /// Boxed because a session without filters has none.
    filters: Option<Box<FilterTrack>>,
    in_flight: InFlightTracker,
    requests: RequestTrack,
    responses: ResponseTrack,
    sasl: SaslWatch,
    /// While it is not off, no frame takes the fast path.
    drain: DrainMode,
    /// Boxed because few sessions learn.
    learning: Option<Box<Learning>>,
    /// The login of kproxy at the broker; boxed because most sessions have none.
    login: Option<Box<SessionLogin>>,
    /// When the login is repeated, in microseconds since the session began.
    renew_at_us: u64,
    renewal: Renewal,
    /// The client has said who it is.
    identified: bool,
    paused: HeldRequests,
    /// The requests wait for the end of a pause and nothing else.
    waits_for_pause: bool,
    /// The newest answer to ApiVersions.
    promise: Option<Arc<Promise>>,
}

impl KafkaInspector {
    /// The inspector of the session `handle`, whose client came in at `binding`. `learning` is set if the broker behind
    /// `binding` is to be found over this connection.
    pub fn new(handle: Arc<SessionHandle>, binding: EndpointBinding, learning: Option<Learning>) -> Self {
        Self::with_filtered(handle, binding, learning, None)
    }

    /// The inspector of a session of which filters keep something already.
    pub fn with_filtered(
        handle: Arc<SessionHandle>,
        binding: EndpointBinding,
        learning: Option<Learning>,
        filtered: Option<Box<FilterSession>>,
    ) -> Self {
        let mut inspector = Self {
            context: SessionContext::new(handle, binding),
            subscriptions: Subscriptions::built_in(),
            filters: None,
            in_flight: InFlightTracker::default(),
            requests: RequestTrack::default(),
            responses: ResponseTrack::default(),
            sasl: SaslWatch::default(),
            drain: DrainMode::Off,
            learning: learning.map(Box::new),
            login: None,
            renew_at_us: renewal::NEVER,
            renewal: Renewal::default(),
            identified: false,
            paused: HeldRequests::None,
            waits_for_pause: false,
            promise: None,
        };
        inspector.open_filters(filtered);
        inspector.refresh_pause();
        inspector
    }

    /// The session as filters see it; `None` if it never had a filter.
    pub fn filter_session(&mut self) -> Option<&mut FilterSession> {
        Some(&mut self.filters.as_mut()?.session)
    }

    /// Has kproxy be the one that has authenticated to the broker.
    #[must_use]
    pub fn with_login(mut self, login: Option<SessionLogin>) -> Self {
        self.login = login.map(Box::new);
        self.schedule_renewal();
        self
    }
}

impl Inspect for KafkaInspector {
    #[inline]
    fn requests(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<InspectResult, Fault> {
        self.inspect_requests(bytes, now_us, out)
    }

    #[inline]
    fn responses(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<InspectResult, Fault> {
        let asked = self.in_flight.oldest().copied();
        let waiting = self.in_flight.len();
        let result = self.inspect_responses(bytes, out);
        if let Some(asked) = asked
            && self.in_flight.len() < waiting
            && is_timed(&asked)
        {
            self.context
                .record_response_time(now_us.saturating_sub(asked.at_us));
        }
        result
    }

    #[inline]
    fn owes_answer(&self) -> bool {
        self.in_flight.is_own_answer_next() && self.responses.is_at_boundary()
    }

    fn write_own_answers(&mut self, out: &mut Output) {
        while let Some(answer) = self.in_flight.pop_own_answer() {
            out.emit(|bytes| bytes.extend_from_slice(&answer));
        }
    }

    fn accepts_requests(&self) -> bool {
        self.requests.has_room(&self.in_flight)
            && !self.holds_requests()
            && !self.renewal_holds_requests()
            && !self
                .learning
                .as_ref()
                .is_some_and(|learning| learning.holds_requests())
            && self
                .filters
                .as_ref()
                .is_none_or(|filters| filters.accepts_requests())
    }

    fn take_wait(&mut self) -> Option<Wait> {
        let of_filters = self.filters.as_mut().and_then(|filters| filters.take_wait());
        let others = of_filters.or_else(|| self.renewal_wait());
        self.waits_for_pause = others.is_none() && self.paused != HeldRequests::None;
        others.or_else(|| self.pause_wait())
    }

    fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn held(&self) -> usize {
        self.in_flight.held()
    }

    fn at_boundary(&self) -> bool {
        self.at_request_boundary() && self.responses.is_at_boundary()
    }

    fn at_request_boundary(&self) -> bool {
        self.requests.is_at_boundary()
    }

    #[inline]
    fn request_bytes_left(&self) -> usize {
        self.requests.bytes_left()
    }

    #[inline]
    fn response_bytes_left(&self) -> usize {
        self.responses.bytes_left()
    }

    fn can_forward_acks0(&self) -> bool {
        self.requests.can_forward_acks0()
    }

    fn is_settled(&self) -> bool {
        let served = self.requests.forwarded_unanswered() || self.responses.has_served();
        self.requests.begun() == 0 || (served && self.sasl.is_idle())
    }

    fn requests_completed(&self) -> u64 {
        self.requests.completed()
    }

    fn is_repeatable(&self) -> bool {
        self.in_flight
            .iter()
            .all(|asked| api::api(asked.api_key).is_some_and(|api| api.is_safe_to_repeat(asked.api_version)))
    }

    fn record_added_latency(&self, kept: Duration) {
        self.context.record_added_latency(kept);
    }

    fn set_drain_mode(&mut self, mode: DrainMode) {
        self.drain = self.drain.max(mode);
    }

    fn may_move(&self) -> bool {
        self.can_change_broker()
    }

    fn waits_for_pause(&self) -> bool {
        self.waits_for_pause
    }

    fn is_paused(&self) -> bool {
        self.paused != HeldRequests::None && self.pause_is_in_force()
    }

    fn hold_requests(&mut self, asked_us: u64) -> bool {
        self.hold(asked_us)
    }

    fn release_requests(&mut self) {
        if self.drain < DrainMode::Throttling {
            self.drain = DrainMode::Off;
        }
    }

    fn refresh(&mut self) -> Option<Limits> {
        self.refresh_filters();
        self.refresh_pause();
        Some(self.context.refresh())
    }

    fn wants_to_leave(&self) -> Option<Fault> {
        // An answer is in flight no more once it has begun, but the client waits for its end.
        if !self.responses.is_at_boundary() {
            return None;
        }
        if let Some(fault) = self.renewal_fault() {
            return Some(fault);
        }
        if let Some(filters) = &self.filters
            && let Some(fault) = filters.leaving(&self.in_flight)
        {
            return Some(fault);
        }
        self.learning.as_ref()?.fault(self.context.binding().node)
    }
}

/// Whether the time to the answer says something about the broker: it holds some answers back until there is something
/// to say, and others are kproxy's own.
#[inline]
fn is_timed(asked: &InFlight) -> bool {
    asked.expects != Expects::Own && !api::api(asked.api_key).is_some_and(|api| api.is_parked)
}
