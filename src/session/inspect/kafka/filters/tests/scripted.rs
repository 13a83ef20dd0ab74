//! Filters that do what a test says, and a session with them.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use super::*;

type OnRequestFn = Box<dyn FnMut(&mut ClientSession, &mut Request<'_>) -> FilterStep<OnRequest> + Send>;
type OnResponseFn =
    Box<dyn FnMut(&mut ClientSession, &mut Response<'_>, &mut Option<Note>) -> FilterStep<OnResponse> + Send>;

/// A filter that does what a test says.
pub(super) struct Scripted {
    pub(super) name: &'static str,
    pub(super) api_key: i16,
    pub(super) requests: Level,
    pub(super) responses: Level,
    pub(super) rechecks: bool,
    pub(super) offers: std::ops::RangeInclusive<i16>,
    pub(super) on_passes: Box<dyn Fn() -> bool + Send + Sync>,
    pub(super) on_request: Mutex<OnRequestFn>,
    pub(super) on_response: Mutex<OnResponseFn>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

impl Filter for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(self.api_key, 0..=99, self.requests);
        interest.responses(self.api_key, 0..=99, self.responses);
        if self.rechecks {
            interest.recheck_responses(KEY);
        }
    }

    fn offers(&self, api: &crate::wire::api::Api) -> Option<std::ops::RangeInclusive<i16>> {
        match api.key {
            KEY => Some(self.offers.clone()),
            _ => Some(api.min..=api.max),
        }
    }

    fn passes(&self, _session: &mut ClientSession, _request: &Request<'_>) -> bool {
        (self.on_passes)()
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        (self.on_request.lock().unwrap())(session, request)
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        (self.on_response.lock().unwrap())(session, response, note)
    }
}

/// A filter that reads all requests and answers of [`KEY`] and lets them pass.
pub(super) fn passing(name: &'static str) -> Scripted {
    Scripted {
        name,
        api_key: KEY,
        requests: Level::Whole,
        responses: Level::None,
        rechecks: false,
        offers: 0..=99,
        on_passes: Box::new(|| false),
        on_request: Mutex::new(Box::new(|_, _| FilterStep::Now(OnRequest::Forward))),
        on_response: Mutex::new(Box::new(|_, _, _| FilterStep::Now(OnResponse::Forward))),
    }
}

impl Scripted {
    pub(super) fn on_passes(mut self, script: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.on_passes = Box::new(script);
        self
    }

    pub(super) fn on_request(
        mut self,
        script: impl FnMut(&mut ClientSession, &mut Request<'_>) -> FilterStep<OnRequest> + Send + 'static,
    ) -> Self {
        self.on_request = Mutex::new(Box::new(script));
        self
    }

    pub(super) fn on_response(
        mut self,
        script: impl FnMut(&mut ClientSession, &mut Response<'_>, &mut Option<Note>) -> FilterStep<OnResponse>
        + Send
        + 'static,
    ) -> Self {
        self.on_response = Mutex::new(Box::new(script));
        self.responses = Level::Whole;
        self
    }
}

pub(super) fn chain(filters: Vec<Scripted>) -> Option<Arc<Chain>> {
    chain_of(
        filters
            .into_iter()
            .map(|filter| Arc::new(filter) as Arc<dyn Filter>),
    )
}

/// An API whose requests and answers hold no addresses: ListGroups.
pub(super) const KEY: i16 = 16;

/// A request of `api_key` in version 0, without a client id.
pub(super) fn request_of(api_key: i16, id: i32, body: &[u8]) -> Vec<u8> {
    let head = [
        &api_key.to_be_bytes()[..],
        &[0, 0],
        &id.to_be_bytes(),
        &[0xff, 0xff],
    ]
    .concat();
    framed(&[&head, body].concat())
}

pub(super) fn request(id: i32, body: &[u8]) -> Vec<u8> {
    request_of(KEY, id, body)
}

pub(super) fn response(id: i32, body: &[u8]) -> Vec<u8> {
    framed(&[&id.to_be_bytes(), body].concat())
}

/// A session in memory, whose waits are left to the test.
pub(super) struct Session {
    pub(super) driver: SessionDriver,
    pub(super) sent: usize,
    pub(super) received: usize,
}

impl Deref for Session {
    type Target = SessionDriver;

    fn deref(&self) -> &SessionDriver {
        &self.driver
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut SessionDriver {
        &mut self.driver
    }
}

impl Session {
    pub(super) fn new(filters: Vec<Scripted>) -> Self {
        let binding = BenchSite::default().build();
        binding.cluster.set_chain(chain(filters));
        Self {
            driver: SessionDriver::new(binding, None),
            sent: 0,
            received: 0,
        }
    }

    pub(super) fn reload(&mut self, filters: Vec<Scripted>) {
        self.binding.cluster.set_chain(chain(filters));
        self.inspector.refresh();
    }

    pub(super) fn client(&mut self, bytes: &[u8]) -> Result<InspectResult, Fault> {
        self.up.arrive(bytes);
        let result = self.present_requests();
        self.write_own_answers();
        result
    }

    pub(super) fn broker(&mut self, bytes: &[u8]) -> Result<InspectResult, Fault> {
        self.down.arrive(bytes);
        let result = self.present_answers();
        self.write_own_answers();
        result
    }

    pub(super) fn sent(&mut self) -> Vec<u8> {
        let from = std::mem::replace(&mut self.sent, self.driver.up.output.len());
        self.driver.up.output[from..].to_vec()
    }

    pub(super) fn received(&mut self) -> Vec<u8> {
        let from = std::mem::replace(&mut self.received, self.driver.down.output.len());
        self.driver.down.output[from..].to_vec()
    }
}
