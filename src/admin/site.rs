//! What is found under which path, and what it takes to change something.

use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::exposition::{self, Format, ProcessMetrics};
use super::guests::{Answering, Full, Guest};
use super::host;
use super::http::Chunks;
use super::page;
use super::socket::found;
use crate::config::{Secret, quoted};
use crate::control::{ConnectionFilter, ControlHandle, Gone, ReloadReport, ReloadRequest, ReloadSource};
use crate::reload::{Outcome, Trigger};

/// Large answers that may be made at once; ten thousand busy clusters make sixty megabytes.
const MADE: usize = 2;

/// How long a request waits for its turn among them, and then for room for its answer.
const TURN: Duration = Duration::from_secs(5);

/// How long the control thread may take to say how things are.
const PATIENCE: Duration = Duration::from_secs(10);

/// No request means anything by its body; one that announces more is not waited for.
const MAX_BODY: u64 = 64 * 1024;

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Answers requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Site {
    handle: ControlHandle,
    token: Arc<RwLock<Option<Secret>>>,
    making: Arc<Semaphore>,
    /// Served on a loopback address, so only programs of this machine are to ask.
    local: bool,
}

type Answer = Response<Chunks>;

/// Why there is no answer of the usual kind.
#[derive(Debug)]
enum Refusal {
    NotFound,
    /// What a filter asks for does not exist.
    Unknown(String),
    /// A name that a stranger may have led here.
    Host(String),
    /// Only these methods.
    Method(&'static str),
    /// No token is configured.
    ReadOnly,
    Unauthorized,
    TooLarge,
    BadQuery(String),
    /// Too many at once, or the control thread takes too long.
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

impl Site {
    /// `local`: see [`host`].
    pub(super) fn new(handle: ControlHandle, local: bool) -> Self {
        Self {
            handle,
            token: Arc::default(),
            making: Arc::new(Semaphore::new(MADE)),
            local,
        }
    }

    pub(super) fn handle(&self) -> &ControlHandle {
        &self.handle
    }

    /// An empty token is none: it would let everybody in.
    pub(super) fn set_token(&self, token: Option<Secret>) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) =
            token.filter(|token| !token.reveal().is_empty());
    }

    /// The answer to one request; its body is never read.
    pub(super) async fn answer<B>(&self, request: &Request<B>, guest: &Guest) -> Answer {
        match self.route(request, guest).await {
            Ok(answer) => answer,
            Err(refusal) => refuse(refusal),
        }
    }

    async fn route<B>(&self, request: &Request<B>, guest: &Guest) -> Result<Answer, Refusal> {
        if let Some(host) = self.local.then(|| host::strange(request)).flatten() {
            return Err(Refusal::Host(host));
        }
        let path = request.uri().path();
        let changes = path == "/reload";
        let known = [
            "/livez",
            "/readyz",
            "/status",
            "/connections",
            "/metrics",
            "/",
            "/reload",
        ];
        if !known.contains(&path) {
            return Err(Refusal::NotFound);
        }
        match request.method() {
            &Method::POST if changes => {}
            _ if changes => return Err(Refusal::Method("POST")),
            &Method::GET | &Method::HEAD => {}
            _ => return Err(Refusal::Method("GET, HEAD")),
        }
        match path {
            "/livez" => return Ok(answer(StatusCode::OK, PLAIN, "ok\n")),
            "/readyz" => return Ok(self.readiness()),
            _ => {}
        }
        let answering = guest.begin()?;
        let mut answer = if changes {
            let query = request.uri().query().unwrap_or_default();
            self.reload(request.headers(), query).await?
        } else {
            self.large(request, &answering).await?
        };
        answer.body_mut().end_with_it(answering);
        Ok(answer)
    }

    /// An answer that may be large: made in its turn, and held only where there is room.
    async fn large<B>(&self, request: &Request<B>, answering: &Answering) -> Result<Answer, Refusal> {
        let busy = || Refusal::Busy("too many requests at once\n");
        let turn = tokio::time::timeout(TURN, self.making.acquire()).await;
        let _turn = turn.map_err(|_| busy())?;
        let query = request.uri().query().unwrap_or_default();
        let answer = match request.uri().path() {
            "/status" => json(StatusCode::OK, &within(self.handle.status()).await?),
            "/connections" => {
                let found = within(found(&self.handle, filter(query)?)).await?;
                json(StatusCode::OK, &found.map_err(Refusal::Unknown)?)
            }
            "/metrics" => self.metrics(request.headers()).await?,
            _ => {
                let status = within(self.handle.status()).await?;
                answer(StatusCode::OK, HTML, page::render(&status))
            }
        };
        let room = answering.hold(answer.body().len());
        tokio::time::timeout(TURN, room).await.map_err(|_| busy())?;
        Ok(answer)
    }

    fn readiness(&self) -> Answer {
        if self.handle.is_ready() {
            answer(StatusCode::OK, PLAIN, "ready\n")
        } else {
            answer(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready\n")
        }
    }

    async fn metrics(&self, headers: &HeaderMap) -> Result<Answer, Refusal> {
        let accept = headers
            .get_all(ACCEPT)
            .iter()
            .find_map(|accept| accept.to_str().ok())
            .unwrap_or_default();
        let format = Format::accepted(accept);
        let snapshot = within(self.handle.metrics()).await?;
        let text = exposition::render(&snapshot, &ProcessMetrics::take(), format);
        Ok(answer(StatusCode::OK, format.content_type(), text))
    }

    async fn reload(&self, headers: &HeaderMap, query: &str) -> Result<Answer, Refusal> {
        self.authorize(headers)?;
        let announced = headers.get(CONTENT_LENGTH).and_then(|len| len.to_str().ok());
        if announced.is_some_and(|len| len.parse().is_ok_and(|len: u64| len > MAX_BODY)) {
            return Err(Refusal::TooLarge);
        }
        let force = match query {
            "" | "force=false" => false,
            "force" | "force=true" => true,
            other => return Err(Refusal::BadQuery(format!("only `force` is known, not {other:?}"))),
        };
        let request = ReloadRequest {
            trigger: Trigger::Http,
            force,
            source: ReloadSource::Configured,
        };
        let report = self.handle.reload(request).await?;
        Ok(json(status_of(&report), &report))
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        let token = token.as_ref().ok_or(Refusal::ReadOnly)?;
        let (scheme, presented) = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .ok_or(Refusal::Unauthorized)?;
        let matches = same(presented.trim().as_bytes(), token.reveal().as_bytes());
        if scheme.eq_ignore_ascii_case("bearer") && matches {
            Ok(())
        } else {
            Err(Refusal::Unauthorized)
        }
    }
}

async fn within<T>(asked: impl Future<Output = Result<T, Gone>>) -> Result<T, Refusal> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(Refusal::Busy("the control thread is busy\n")),
    }
}

/// Equality that takes as long wherever the first difference is.
fn same(presented: &[u8], expected: &[u8]) -> bool {
    let differences = presented
        .iter()
        .zip(expected)
        .fold(0, |differences, (a, b)| black_box(differences | (a ^ b)));
    presented.len() == expected.len() && black_box(differences) == 0
}

fn filter(query: &str) -> Result<ConnectionFilter, Refusal> {
    let mut filter = ConnectionFilter::default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = decoded(value).ok_or_else(|| Refusal::BadQuery(format!("`{name}` is not text")))?;
        match name {
            "cluster" => filter.cluster = Some(value),
            "client" => filter.client_id = Some(value),
            "generation" => {
                let number = value.parse();
                filter.generation =
                    Some(number.map_err(|_| Refusal::BadQuery("`generation` is not a number".into()))?);
            }
            _ => return Err(Refusal::BadQuery(format!("unknown parameter {name:?}"))),
        }
    }
    Ok(filter)
}

/// Percent-encoding undone; `None` for what is none, or no UTF-8.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn status_of(report: &ReloadReport) -> StatusCode {
    match report.outcome {
        Outcome::Applied | Outcome::Unchanged => StatusCode::OK,
        Outcome::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        Outcome::RolledBack | Outcome::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            answer(status, JSON, bytes)
        }
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Chunks::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if content_type == HTML {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    answer
}

fn refuse(refusal: Refusal) -> Answer {
    let plain = |status, text: String| answer(status, PLAIN, text);
    let with = |mut answer: Answer, name, value| {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
        answer
    };
    match refusal {
        Refusal::NotFound => plain(StatusCode::NOT_FOUND, "nothing here\n".into()),
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
            let answer = plain(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}\n"));
            with(answer, ALLOW, allowed)
        }
        Refusal::ReadOnly => {
            let why = "management.tokenFile is not configured, so HTTP changes nothing\n";
            plain(StatusCode::FORBIDDEN, why.into())
        }
        Refusal::Unauthorized => {
            let answer = plain(StatusCode::UNAUTHORIZED, "a bearer token is needed\n".into());
            with(answer, WWW_AUTHENTICATE, "Bearer realm=\"kproxy\"")
        }
        Refusal::TooLarge => plain(StatusCode::PAYLOAD_TOO_LARGE, "no body is needed\n".into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_only_if_every_byte_is() {
        assert!(same(b"secret", b"secret"));
        for other in [&b""[..], b"secre", b"secrets", b"Secret", b"secreT"] {
            assert!(!same(other, b"secret"));
        }
    }

    #[test]
    fn queries_are_decoded_and_never_guessed() {
        let found = filter("cluster=a%2Fb+c&client=%C3%A9&generation=7").unwrap();
        assert_eq!(found.cluster.as_deref(), Some("a/b c"));
        assert_eq!(found.client_id.as_deref(), Some("é"));
        assert_eq!(found.generation, Some(7));
        assert_eq!(filter("").unwrap(), ConnectionFilter::default());
        for wrong in [
            "cluster=%",
            "cluster=%zz",
            "client=%ff",
            "generation=x",
            "other=1",
        ] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
