//! What tests of filters need.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::{ClientSession, DrainPolicySource, Request, Response, SessionFacts};
use crate::drain::ConnectionTracker;
use crate::wire::api;
use crate::wire::header::RequestHead;

/// A session of an anonymous client with nothing behind it.
pub fn session() -> ClientSession {
    let tracker = Arc::new(ConnectionTracker::default());
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
    let guard = tracker.register(1, peer, 1, None);
    let facts = SessionFacts {
        cluster: "demo".into(),
        gateway: "default".into(),
        node: None,
        drain_policy: DrainPolicySource::default(),
    };
    ClientSession::new(Arc::clone(guard.handle()), facts)
}

/// A complete request of this client id with this body.
///
/// # Panics
/// There is no such API.
pub fn request(api_key: i16, version: i16, client_id: Option<&str>, body: &[u8]) -> Request<'static> {
    let api = api::api(api_key).expect("an API of this number");
    let mut content = [api_key.to_be_bytes(), version.to_be_bytes()].concat();
    content.extend_from_slice(&7_i32.to_be_bytes());
    let client_id = client_id.map(str::as_bytes);
    content.extend_from_slice(&client_id.map_or(-1, |text| text.len() as i16).to_be_bytes());
    content.extend_from_slice(client_id.unwrap_or_default());
    if api.request_is_flexible(version) {
        content.push(0);
    }
    let body_at = content.len();
    content.extend_from_slice(body);
    let head = RequestHead {
        api_key,
        api_version: version,
        correlation_id: 7,
    };
    Request::new(api, head, content.into(), body_at, true)
}

/// A complete answer with this body.
///
/// # Panics
/// There is no such API.
pub fn response(api_key: i16, version: i16, body: &[u8]) -> Response<'static> {
    let api = api::api(api_key).expect("an API of this number");
    let mut content = 7_i32.to_be_bytes().to_vec();
    if api.response_header_is_flexible(version) {
        content.push(0);
    }
    let body_at = content.len();
    content.extend_from_slice(body);
    Response::new(api, version, content.into(), body_at, true)
}
