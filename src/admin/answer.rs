//! Answers to requests, and refusals.

use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::HeaderValue;
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::body::Chunks;
use super::connection_table::Full;
use super::query::BadQuery;
use super::token::Unauthorized;
use crate::config::quoted;
use crate::control::Gone;

/// Content type of answers; refusals are plain text.
pub(super) const JSON: &str = "application/json";
pub(super) const JSON_LINES: &str = "application/jsonl";
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";

pub(super) type HttpReply = Response<Chunks>;

/// Reason for an answer with an error status.
#[derive(Debug)]
pub(super) enum Refusal {
    NotFound,
    /// A filter names something that does not exist.
    Unknown(String),
    /// A host name that public DNS may have led here.
    Host(String),
    /// The resource has only these methods.
    Method(&'static str),
    Unauthorized(Unauthorized),
    TooLarge,
    BadQuery(BadQuery),
    /// A value that cannot be used; the reason.
    Invalid(String),
    /// Too many requests at once, or kproxy has not started.
    Busy(&'static str),
    Gone,
}

impl From<Gone> for Refusal {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Full> for Refusal {
    fn from(_: Full) -> Self {
        Self::Busy("too many requests at once\n")
    }
}

impl From<BadQuery> for Refusal {
    fn from(bad: BadQuery) -> Self {
        Self::BadQuery(bad)
    }
}

impl From<Unauthorized> for Refusal {
    fn from(unauthorized: Unauthorized) -> Self {
        Self::Unauthorized(unauthorized)
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> HttpReply {
    match serde_json::to_vec(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            answer(status, JSON, bytes)
        }
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
    }
}

/// An answer of one JSON object a line, that ends with its body.
pub(super) fn stream(lines: Chunks) -> HttpReply {
    with_body(StatusCode::OK, JSON_LINES, lines)
}

pub(super) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> HttpReply {
    with_body(status, content_type, Chunks::new(body.into()))
}

fn with_body(status: StatusCode, content_type: &'static str, body: Chunks) -> HttpReply {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if content_type == HTML {
        // The whole page has one with a nonce in place of it.
        let policy = "default-src 'none'; frame-ancestors 'none'";
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    answer
}

/// An answer that is made while it is sent.
pub(super) fn streamed(content_type: &'static str, body: Chunks) -> HttpReply {
    with_body(StatusCode::OK, content_type, body)
}

pub(super) fn refuse(refusal: Refusal) -> HttpReply {
    let plain = |status, text: String| answer(status, PLAIN, text);
    let with = |mut answer: HttpReply, name, value| {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
        answer
    };
    match refusal {
        Refusal::NotFound => plain(StatusCode::NOT_FOUND, "no such path\n".into()),
        Refusal::Unknown(why) => plain(StatusCode::NOT_FOUND, format!("{why}\n")),
        Refusal::Host(host) => plain(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "management is served on a loopback address, where requests for {} are refused (DNS rebinding): ask \
                 for localhost, an IP address or a name without a dot, or set the Host header to one\n",
                quoted(&host)
            ),
        ),
        Refusal::Method(allowed) => {
            let answer = plain(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("method not allowed, use {allowed}\n"),
            );
            with(answer, ALLOW, allowed)
        }
        Refusal::Unauthorized(Unauthorized::ReadOnly) => {
            let why = "management.tokenFile is not configured: HTTP cannot change anything\n";
            plain(StatusCode::FORBIDDEN, why.into())
        }
        Refusal::Unauthorized(Unauthorized::WrongToken) => {
            let answer = plain(
                StatusCode::UNAUTHORIZED,
                "a valid bearer token is needed\n".into(),
            );
            with(answer, WWW_AUTHENTICATE, "Bearer realm=\"kproxy\"")
        }
        Refusal::TooLarge => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large; none is needed\n".into(),
        ),
        Refusal::Invalid(why) => plain(StatusCode::BAD_REQUEST, format!("{why}\n")),
        Refusal::BadQuery(why) => plain(StatusCode::BAD_REQUEST, format!("{why}\n")),
        Refusal::Busy(why) => {
            let answer = with(
                plain(StatusCode::SERVICE_UNAVAILABLE, why.into()),
                RETRY_AFTER,
                "1",
            );
            with(answer, CONNECTION, "close")
        }
        Refusal::Gone => plain(StatusCode::SERVICE_UNAVAILABLE, "kproxy has ended\n".into()),
    }
}
