//! What tests of one filter need. [`crate::testing`](../../testing/index.html) runs whole sessions.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::{ClientSession, DrainPolicySource, Request, Response, SessionFacts};
use crate::drain::ConnectionTracker;
use crate::wire::api::{self, Api};
use crate::wire::header::RequestHead;

/// Address of the client of a test.
pub const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// A session of an anonymous client with nothing behind it.
pub fn session() -> ClientSession {
    let tracker = Arc::new(ConnectionTracker::default());
    let guard = tracker.register(1, PEER, 1, None);
    let facts = SessionFacts {
        cluster: "demo".into(),
        gateway: "default".into(),
        node: None,
        drain_policy: DrainPolicySource::default(),
    };
    ClientSession::new(Arc::clone(guard.handle()), facts)
}

/// The content of a request frame of this client id, and the position of its body. An API that is not known has a header
/// without tagged fields.
pub fn request_content(head: RequestHead, client_id: Option<&str>, body: &[u8]) -> (Vec<u8>, usize) {
    let (key, version) = (head.api_key, head.api_version);
    let mut content = [key.to_be_bytes(), version.to_be_bytes()].concat();
    content.extend_from_slice(&head.correlation_id.to_be_bytes());
    let client_id = client_id.map(str::as_bytes);
    content.extend_from_slice(&client_id.map_or(-1, |text| text.len() as i16).to_be_bytes());
    content.extend_from_slice(client_id.unwrap_or_default());
    if api::api(key).is_some_and(|api| api.request_is_flexible(version)) {
        content.push(0);
    }
    let body_at = content.len();
    content.extend_from_slice(body);
    (content, body_at)
}

/// The content of the frame that answers `head`, and the position of its body.
pub fn answer_content(head: RequestHead, body: &[u8]) -> (Vec<u8>, usize) {
    let mut content = head.correlation_id.to_be_bytes().to_vec();
    let is_flexible = |api: &Api| api.response_header_is_flexible(head.api_version);
    if api::api(head.api_key).is_some_and(is_flexible) {
        content.push(0);
    }
    let body_at = content.len();
    content.extend_from_slice(body);
    (content, body_at)
}

/// A complete request of this client id with this body.
///
/// # Panics
/// There is no such API.
pub fn request(api_key: i16, version: i16, client_id: Option<&str>, body: &[u8]) -> Request<'static> {
    let api = api::api(api_key).expect("an API of this number");
    let head = head(api_key, version);
    let (content, body_at) = request_content(head, client_id, body);
    Request::new(api, head, content.into(), body_at, true)
}

/// A complete answer with this body.
///
/// # Panics
/// There is no such API.
pub fn response(api_key: i16, version: i16, body: &[u8]) -> Response<'static> {
    let api = api::api(api_key).expect("an API of this number");
    let (content, body_at) = answer_content(head(api_key, version), body);
    Response::new(api, version, content.into(), body_at, true)
}

fn head(api_key: i16, api_version: i16) -> RequestHead {
    RequestHead {
        api_key,
        api_version,
        correlation_id: 7,
    }
}
