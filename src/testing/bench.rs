//! A session with a client and a broker of a test.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::bench_events::EventLog;
use super::builder::{NamedCounters, counted};
use super::scripted_broker::ScriptedBroker;
use super::{BenchBuilder, BenchEvent, BenchSide, BrokerCall, ReadCut, SessionDriver, framed, frames};
use crate::filter::testing::{answer_content, request_content};
use crate::filter::{ClientSession, Filter, FilterOutcome};
use crate::session::cause::Fault;
use crate::session::inspect::Inspect as _;
use crate::wire::api::{self, ApiKey};
use crate::wire::frame::SIZE_LEN;
use crate::wire::header::{self, RequestHead};

/// A session in memory, with a client and a broker.
#[derive(Debug)]
pub struct Bench {
    driver: SessionDriver,
    counters: NamedCounters,
    events: Arc<EventLog>,
    broker: Option<ScriptedBroker>,
    client_id: Option<String>,
    cut: ReadCut,
    last_id: i32,
    /// Requests that are to be answered, in their order.
    asked: VecDeque<RequestHead>,
    /// Numbers of bytes that went out before the last look.
    seen_by_client: usize,
    seen_by_broker: usize,
}

/// An answer that the client has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAnswer {
    /// The number of its request.
    pub correlation_id: i32,
    /// Number of the API.
    pub api_key: i16,
    /// Version of the request and of the answer.
    pub version: i16,
    /// Its body, without a header.
    pub body: Vec<u8>,
}

impl Bench {
    /// A session with these filters, client-most first.
    pub fn of(filters: impl IntoIterator<Item = Arc<dyn Filter>>) -> BenchBuilder {
        BenchBuilder::new(filters.into_iter().collect())
    }

    pub(super) fn new(
        driver: SessionDriver,
        counters: NamedCounters,
        events: Arc<EventLog>,
        broker: Option<ScriptedBroker>,
        client_id: Option<String>,
        cut: ReadCut,
    ) -> Self {
        Self {
            driver,
            counters,
            events,
            broker,
            client_id,
            cut,
            last_id: 0,
            asked: VecDeque::new(),
            seen_by_client: 0,
            seen_by_broker: 0,
        }
    }

    /// Has the client send a request and returns the body of its answer.
    ///
    /// # Panics
    /// It has no answer: the session has ended, a filter waits, or the broker is silent. Also if answers to earlier requests
    /// have not been taken.
    pub fn ask(&mut self, api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
        let id = self.send(api_key, version, body);
        let mut answers = self.answers();
        match answers.pop() {
            Some(answer) if answers.is_empty() && answer.correlation_id == id => answer.body,
            other => panic!(
                "request {id} is not answered: {other:?}, ended: {:?}",
                self.ended()
            ),
        }
    }

    /// Has the client send a request. Returns the number that its answer will carry.
    pub fn send(&mut self, api_key: i16, version: i16, body: &[u8]) -> i32 {
        let frame = self.request(api_key, version, body);
        self.client_bytes(&frame);
        self.last_id
    }

    /// The frame of a request of this client, the next one that it sends.
    pub fn request(&mut self, api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
        self.last_id += 1;
        let head = RequestHead {
            api_key,
            api_version: version,
            correlation_id: self.last_id,
        };
        let (content, _) = request_content(head, self.client_id.as_deref(), body);
        let is_silent = api_key == ApiKey::PRODUCE && header::produce_acks(&content, version) == Ok(Some(0));
        if !is_silent {
            self.asked.push_back(head);
        }
        framed(&content)
    }

    /// Has bytes of the client arrive, and the broker answer what reaches it.
    pub fn client_bytes(&mut self, bytes: &[u8]) {
        self.arrive(BenchSide::Client, bytes);
        self.run();
    }

    /// Has bytes of the broker arrive.
    pub fn broker_bytes(&mut self, bytes: &[u8]) {
        self.arrive(BenchSide::Broker, bytes);
        self.run();
    }

    /// Has a broker without a script answer a request.
    pub fn answer(&mut self, call: &BrokerCall, body: &[u8]) {
        let head = RequestHead {
            api_key: call.api_key,
            api_version: call.version,
            correlation_id: call.correlation_id,
        };
        self.broker_bytes(&answer_frame(head, body));
    }

    fn arrive(&mut self, side: BenchSide, bytes: &[u8]) {
        let sent = match side {
            BenchSide::Client => self.driver.up.input.len(),
            BenchSide::Broker => self.driver.down.input.len(),
        };
        let mut rest = bytes;
        for piece in self.cut.pieces(side, sent, bytes.len()) {
            let (piece, after) = rest.split_at(piece);
            rest = after;
            if self.driver.is_over() {
                return;
            }
            match side {
                BenchSide::Client => self.driver.client(piece),
                BenchSide::Broker => self.driver.broker(piece),
            }
        }
    }

    /// Has the broker answer until it has nothing more to answer.
    fn run(&mut self) {
        while !self.driver.is_over()
            && let Some(broker) = &mut self.broker
            && let Some(answer) = broker.serve(&self.driver.up.output)
        {
            self.arrive(BenchSide::Broker, &answer);
        }
    }

    /// Moves the clock. A filter that waits for longer than sessions let it wait has failed, which ends the session.
    pub fn advance(&mut self, duration: Duration) {
        self.driver.clock().advance(duration);
        self.driver.settle();
        self.run();
    }

    /// Waits until no filter waits any more. Filters that wait for something outside of the test need this, and a runtime.
    pub async fn ready(&mut self) {
        self.driver.ready().await;
        self.run();
    }

    /// Replaces the filters under the live session, as a reload does.
    pub fn reload(&mut self, filters: impl IntoIterator<Item = Arc<dyn Filter>>) {
        let (chain, counters) = counted(filters.into_iter().collect());
        self.counters = counters;
        self.driver.reload(chain);
        self.run();
    }

    /// The answers that the client has got since the last call.
    ///
    /// # Panics
    /// An answer is not the one to the oldest request without an answer.
    pub fn answers(&mut self) -> Vec<ClientAnswer> {
        let fresh = frames(&self.driver.down.output[self.seen_by_client..]).into_iter();
        let complete: Vec<_> = fresh
            .filter(|frame| super::is_complete(frame))
            .map(<[u8]>::to_vec)
            .collect();
        let mut answers = Vec::new();
        for frame in complete {
            self.seen_by_client += frame.len();
            let head = self.asked.pop_front().expect("an answer that nobody asked for");
            answers.push(client_answer(head, &frame[SIZE_LEN..]));
        }
        answers
    }

    /// The requests that the broker has read since the last call. Of a broker without a script: none, until
    /// [`Self::to_broker`] is read.
    pub fn calls(&mut self) -> Vec<BrokerCall> {
        self.broker
            .as_mut()
            .map(ScriptedBroker::take_calls)
            .unwrap_or_default()
    }

    /// The bytes that went to the client since the last call of this, or of [`Self::answers`].
    pub fn to_client(&mut self) -> Vec<u8> {
        let from = std::mem::replace(&mut self.seen_by_client, self.driver.down.output.len());
        self.driver.down.output[from..].to_vec()
    }

    /// The bytes that went to the broker since the last call.
    pub fn to_broker(&mut self) -> Vec<u8> {
        let from = std::mem::replace(&mut self.seen_by_broker, self.driver.up.output.len());
        self.driver.up.output[from..].to_vec()
    }

    /// Why the session has ended, or ends now.
    pub fn ended(&self) -> Option<Fault> {
        let fault = self.driver.fault.as_ref();
        fault
            .map(|fault| Fault::new(fault.cause, fault.detail.clone()))
            .or_else(|| self.driver.inspector.wants_to_leave())
    }

    /// Whether a filter waits.
    pub fn waits(&self) -> bool {
        self.driver.waits()
    }

    /// What filters have told about the session since the last call: denials above all.
    pub fn events(&self) -> Vec<BenchEvent> {
        self.events.take()
    }

    /// The session as filters see it, with what they keep in it. `None` in a session that never had a filter.
    pub fn session(&mut self) -> Option<&mut ClientSession> {
        self.driver.inspector.filter_session()
    }

    /// Number of requests with this outcome at the filter of this name, as `kproxy_filter_requests_total` has it.
    pub fn count(&self, filter: &str, outcome: FilterOutcome) -> u64 {
        let of_filter = self.counters.iter().filter(|(name, _)| name == filter);
        of_filter.map(|(_, counters)| counters.get(outcome)).sum()
    }

    /// Bytes that are reserved for frames which filters read.
    pub fn memory_in_use(&self) -> u64 {
        self.driver.binding.cluster.process.frame_memory.in_use()
    }

    /// The session below client and broker.
    pub fn driver(&self) -> &SessionDriver {
        &self.driver
    }
}

/// The frame that answers `head`.
pub(super) fn answer_frame(head: RequestHead, body: &[u8]) -> Vec<u8> {
    framed(&answer_content(head, body).0)
}

fn client_answer(head: RequestHead, content: &[u8]) -> ClientAnswer {
    let answered = content.first_chunk().map(|id| i32::from_be_bytes(*id));
    assert_eq!(answered, Some(head.correlation_id), "answers out of order");
    let api = api::api(head.api_key).filter(|api| api.supports(head.api_version));
    let body_at = match api {
        Some(api) => header::response_body(content, api, head.api_version)
            .ok()
            .flatten()
            .expect("an answer with a header"),
        // ApiVersions in a version that kproxy does not know is answered in version 0.
        None => size_of::<i32>(),
    };
    ClientAnswer {
        correlation_id: head.correlation_id,
        api_key: head.api_key,
        version: head.api_version,
        body: content[body_at..].to_vec(),
    }
}
