//! The broker of a test.

use std::fmt;

use crate::filter::error_answer;
use crate::wire::api::{self, Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::frame::SIZE_LEN;
use crate::wire::header::{self, RequestHead};
use crate::wire::schema::{Direction, Draft};

/// A request that has reached the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerCall {
    /// Number of its API.
    pub api_key: i16,
    /// Its version.
    pub version: i16,
    /// The number that its answer has to carry.
    pub correlation_id: i32,
    /// Its body, without a header.
    pub body: Vec<u8>,
}

/// What the broker of a test does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptedAnswer {
    /// It answers without an error, with the names of the request and nothing else, see [`usual_answer`].
    Usual,
    /// It answers with this body.
    Body(Vec<u8>),
    /// It does not answer.
    Silence,
}

/// Decides about requests.
pub(super) type BrokerScript = Box<dyn FnMut(&BrokerCall) -> ScriptedAnswer>;

/// The broker, as far as it has read.
pub(super) struct ScriptedBroker {
    script: BrokerScript,
    /// Number of bytes that it has read.
    read: usize,
    /// What it has read.
    calls: Vec<BrokerCall>,
}

impl fmt::Debug for ScriptedBroker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ScriptedBroker")
            .field("read", &self.read)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

impl ScriptedBroker {
    pub(super) fn new(script: BrokerScript) -> Self {
        Self {
            script,
            read: 0,
            calls: Vec::new(),
        }
    }

    /// The requests that it has read since the last call.
    pub(super) fn take_calls(&mut self) -> Vec<BrokerCall> {
        std::mem::take(&mut self.calls)
    }

    /// Reads one more request of the stream `sent`. Returns its answer, which may be empty; `None`: there is no more.
    pub(super) fn serve(&mut self, sent: &[u8]) -> Option<Vec<u8>> {
        let frame = *super::frames(&sent[self.read..]).first()?;
        if !super::is_complete(frame) {
            return None;
        }
        self.read += frame.len();
        let Some((api, head, call)) = call(&frame[SIZE_LEN..]) else {
            return Some(Vec::new());
        };
        let is_silent = call.api_key == ApiKey::PRODUCE
            && header::produce_acks(&frame[SIZE_LEN..], call.version) == Ok(Some(0));
        let answer = (self.script)(&call);
        let body = match answer {
            ScriptedAnswer::Usual => Some(usual_answer(api, head.api_version, &call.body)),
            ScriptedAnswer::Body(body) => Some(body),
            ScriptedAnswer::Silence => None,
        };
        self.calls.push(call);
        let body = body.filter(|_| !is_silent);
        Some(body.map_or_else(Vec::new, |body| super::bench::answer_frame(head, &body)))
    }
}

fn call(content: &[u8]) -> Option<(&'static Api, RequestHead, BrokerCall)> {
    let head = header::request_head(content)?;
    let api = api::api(head.api_key)?;
    let body_at = header::request_body(content, api, head.api_version).ok()??;
    let call = BrokerCall {
        api_key: head.api_key,
        version: head.api_version,
        correlation_id: head.correlation_id,
        body: content[body_at..].to_vec(),
    };
    Some((api, head, call))
}

/// The body of an answer without an error: of ApiVersions all that kproxy knows, else what a broker says to the names and ids
/// of the request where it has done what was asked and has nothing to tell.
pub fn usual_answer(api: &Api, version: i16, request: &[u8]) -> Vec<u8> {
    if api.key == ApiKey::API_VERSIONS {
        return offer(version);
    }
    let named = error_answer(api, version, request, ErrorCode::NONE);
    let empty = || Draft::new(api.key, Direction::Response, version).map(|draft| draft.encode());
    named.or_else(empty).unwrap_or_default()
}

fn offer(version: i16) -> Vec<u8> {
    let Some(mut draft) = Draft::new(ApiKey::API_VERSIONS, Direction::Response, version) else {
        return Vec::new();
    };
    for api in api::apis() {
        let row = draft.push("api_keys");
        row.set("api_key", i64::from(api.key));
        row.set("min_version", i64::from(api.min));
        row.set("max_version", i64::from(api.max));
    }
    draft.encode()
}
