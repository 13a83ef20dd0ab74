//! The paths that kproxy answers, over TCP and over the control socket, and what it takes to change something.

mod confirm;
mod resource;
mod stage;
mod steering;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, IF_NONE_MATCH, SERVER, VARY,
};
use hyper::http::HeaderValue;
use hyper::{Request, StatusCode};
use tokio::sync::Semaphore;

use super::SERVER_NAME;
use super::answer::{HTML, HttpReply, JSON, PLAIN, Refusal, answer, json, refuse, stream, streamed};
use super::body::Chunks;
use super::connection_table::{ConnectionHandle, Full};
use super::event_stream::EventStreams;
use super::exposition::{Exposition, Format, ProcessMetrics};
use super::host;
use super::overview::{OverviewBody, OverviewRequest, Viewers};
use super::page::{self, Nonce};
use super::query::Query;
use super::status_parts::StatusParts;
use super::token::Token;
use crate::control::{
    ConnectionFilter, ControlHandle, NotKept, Observe, Overview, ReloadReport, ReloadRequest, ReloadSource,
    Requester,
};
use crate::reload::{Outcome, Trigger};
use confirm::take_confirm_within;
use resource::Resource;
use stage::Staging;

/// Large answers that may be begun at once; the metrics of ten thousand busy clusters have sixty megabytes.
const MADE: usize = 2;

/// How long a request waits for its turn among them, and then for room for its answer.
const TURN: Duration = Duration::from_secs(5);

/// How long a request waits for a process that is starting.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest body that is ignored; a request that announces a longer one is refused.
const MAX_BODY: u64 = 64 * 1024;

/// Where requests arrive, and so what they may do.
#[derive(Debug, Clone)]
pub(super) enum Entrance {
    /// The control socket: its owner may do everything.
    Socket,
    /// The management address: requests that change something need the token.
    Tcp {
        token: Token,
        /// Bound to a loopback address, so only programs of this machine are to ask; see [`host`].
        loopback: bool,
    },
}

/// Answers the requests of one entrance. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Site {
    handle: ControlHandle,
    entrance: Entrance,
    viewers: Viewers,
    /// The other end of the connection.
    peer: Requester,
    making: Arc<Semaphore>,
    streams: EventStreams,
}

impl Site {
    pub(super) fn new(handle: ControlHandle, entrance: Entrance, viewers: Viewers) -> Self {
        Self {
            handle,
            entrance,
            viewers,
            peer: Requester::default(),
            making: Arc::new(Semaphore::new(MADE)),
            streams: EventStreams::default(),
        }
    }

    /// Returns the site as `peer` finds it.
    pub(super) fn for_peer(&self, peer: Requester) -> Self {
        Self { peer, ..self.clone() }
    }

    pub(super) fn streams(&self) -> &EventStreams {
        &self.streams
    }

    /// Answers one request; its body is never read.
    pub(super) async fn answer<B>(&self, request: &Request<B>, connection: &ConnectionHandle) -> HttpReply {
        let mut answer = self.route(request, connection).await.unwrap_or_else(refuse);
        if matches!(self.entrance, Entrance::Socket) {
            let server = HeaderValue::from_static(SERVER_NAME);
            answer.headers_mut().insert(SERVER, server);
        }
        answer
    }

    async fn route<B>(
        &self,
        request: &Request<B>,
        connection: &ConnectionHandle,
    ) -> Result<HttpReply, Refusal> {
        if let Entrance::Tcp { loopback: true, .. } = self.entrance
            && let Some(host) = host::strange(request)
        {
            return Err(Refusal::Host(host));
        }
        let resource = Resource::find(request.uri().path(), &self.entrance).ok_or(Refusal::NotFound)?;
        resource.check(request.method())?;
        let query = request.uri().query().unwrap_or_default();
        match resource {
            Resource::Livez => Ok(answer(StatusCode::OK, PLAIN, "ok\n")),
            Resource::Readyz => Ok(self.readiness()),
            Resource::Status => self.large(connection, self.status()).await,
            Resource::Connections => self.large(connection, self.connections(query)).await,
            Resource::Metrics => self.large(connection, self.metrics(request.headers())).await,
            Resource::Page => self.large(connection, self.page(query)).await,
            Resource::Overview => {
                let made = self.overview(request.headers(), query);
                self.large(connection, made).await
            }
            Resource::History => self.large(connection, self.history(query)).await,
            Resource::Generation => self.large(connection, self.generation(query)).await,
            Resource::Listeners => self.large(connection, self.listeners()).await,
            Resource::Stats => small(connection, self.stats(query)).await,
            Resource::Events => small(connection, self.events(query)).await,
            Resource::Wait => small(connection, self.wait(query)).await,
            Resource::Staged => self.large(connection, self.staged()).await,
            Resource::Confirm => small(connection, self.confirm(request.headers(), query)).await,
            Resource::Approve => small(connection, self.approve(request.headers(), query)).await,
            Resource::Plan => self.large(connection, self.plan(query)).await,
            Resource::Reload => small(connection, self.reload(request.headers(), query)).await,
            Resource::Rollback => small(connection, self.rollback(request.headers(), query)).await,
            Resource::Bench => small(connection, self.bench(query)).await,
            Resource::Log => small(connection, self.log(request.headers(), query)).await,
            Resource::Drain
            | Resource::Pause
            | Resource::Resume
            | Resource::Fence
            | Resource::Unfence
            | Resource::Close => {
                self.authorize(request.headers())?;
                small(connection, self.steer(resource, query)).await
            }
        }
    }

    /// Makes an answer that may be large: when it is its turn, and there is memory for it.
    async fn large(
        &self,
        connection: &ConnectionHandle,
        made: impl Future<Output = Result<HttpReply, Refusal>>,
    ) -> Result<HttpReply, Refusal> {
        let answering = connection.begin()?;
        let turn = tokio::time::timeout(TURN, self.making.acquire()).await;
        let _turn = turn.map_err(|_| Full)?;
        let mut answer = made.await?;
        let room = answering.hold(answer.body().held());
        tokio::time::timeout(TURN, room).await.map_err(|_| Full)?;
        answer.body_mut().end_with_it(answering);
        Ok(answer)
    }

    /// Returns what the control thread published last.
    async fn observed(&self) -> Result<Arc<dyn Observe>, Refusal> {
        match tokio::time::timeout(CONTROL_TIMEOUT, self.handle.observed()).await {
            Ok(observed) => Ok(observed?),
            Err(_) => Err(Refusal::Busy("kproxy has not started yet\n")),
        }
    }

    fn readiness(&self) -> HttpReply {
        if self.handle.is_ready() {
            answer(StatusCode::OK, PLAIN, "ready\n")
        } else {
            answer(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready\n")
        }
    }

    async fn status(&self) -> Result<HttpReply, Refusal> {
        let parts = StatusParts::new(self.observed().await?);
        let takes = parts.size();
        Ok(streamed(JSON, Chunks::made(parts, takes)))
    }

    async fn page(&self, query: &str) -> Result<HttpReply, Refusal> {
        let nonce = Nonce::new().ok_or(Refusal::Busy("the system has no random bytes\n"))?;
        let made = self.made(&OverviewRequest::parse(query, true)?).await?;
        let mut answer = answer(StatusCode::OK, HTML, page::whole(&nonce, &made.body, &made.tag));
        if let Some(policy) = nonce.policy() {
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        Ok(answer)
    }

    /// The overview as JSON, or as the changing part of the page for who prefers HTML. Not sent again to who has it.
    async fn overview(&self, headers: &HeaderMap, query: &str) -> Result<HttpReply, Refusal> {
        let html = accepted(headers).contains("text/html");
        let made = self.made(&OverviewRequest::parse(query, html)?).await?;
        let has = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let mut answer = match has.is_some_and(|tags| tags.contains(&made.tag)) {
            true => answer(StatusCode::NOT_MODIFIED, JSON, Bytes::new()),
            false => answer(StatusCode::OK, if html { HTML } else { JSON }, made.body),
        };
        let headers = answer.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        if let Ok(tag) = HeaderValue::try_from(made.tag) {
            headers.insert(ETAG, tag);
        }
        Ok(answer)
    }

    async fn made(&self, wanted: &OverviewRequest) -> Result<OverviewBody, Refusal> {
        let observed = self.observed().await?;
        if let Some((generation, before)) = self.viewers.lacks(&*observed, wanted)
            && let Some(history) = observed.history()
        {
            let shown = tokio::task::spawn_blocking(move || history.show(generation, Some(before))).await;
            let text = match shown.map_err(|_| Refusal::Gone)? {
                Ok(view) => view.diff.unwrap_or_default(),
                Err(why) => why.to_string(),
            };
            self.viewers.keep(generation, text);
        }
        let make = |overview: &Overview| match wanted.html {
            true => page::live(overview),
            // It is made of strings and numbers.
            false => serde_json::to_vec(overview).unwrap_or_default(),
        };
        Ok(self.viewers.answer(&*observed, wanted, make))
    }

    async fn listeners(&self) -> Result<HttpReply, Refusal> {
        Ok(json(StatusCode::OK, &self.observed().await?.listeners()))
    }

    async fn history(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let most = query.number("entries")?;
        query.finish()?;
        let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let history = self.observed().await?.history();
        let entries = history.map(|history| history.entries(most)).unwrap_or_default();
        Ok(json(StatusCode::OK, &entries))
    }

    /// Answers with a configuration that ran, read from the disk where it has to be.
    async fn generation(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let (number, other) = (query.number("number")?, query.number("diff")?);
        query.finish()?;
        let observed = self.observed().await?;
        let number = number.unwrap_or_else(|| self.handle.progress().generation);
        let Some(history) = observed.history() else {
            return Err(Refusal::Unknown("there is no history".to_owned()));
        };
        let shown = tokio::task::spawn_blocking(move || history.show(number, other)).await;
        match shown.map_err(|_| Refusal::Gone)? {
            Ok(view) => Ok(json(StatusCode::OK, &view)),
            Err(NotKept(why)) => Err(Refusal::Unknown(why)),
        }
    }

    async fn connections(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let filter = ConnectionFilter {
            cluster: query.text("cluster")?,
            client_id: query.text("client")?,
            generation: query.number("generation")?,
        };
        query.finish()?;
        let observed = self.observed().await?;
        let sessions = observed.connections(&filter);
        // An empty list means that nobody is connected to something that exists.
        if sessions.is_empty()
            && filter != ConnectionFilter::default()
            && let Some(unknown) = filter.unknown(&observed.status())
        {
            return Err(Refusal::Unknown(unknown));
        }
        Ok(json(StatusCode::OK, &sessions))
    }

    async fn metrics(&self, headers: &HeaderMap) -> Result<HttpReply, Refusal> {
        let format = Format::accepted(accepted(headers));
        let snapshot = self.observed().await?.metrics();
        let exposition = Exposition::new(snapshot, ProcessMetrics::take(), format);
        let (takes, content_type) = (exposition.size(), format.content_type());
        Ok(streamed(content_type, Chunks::made(exposition, takes)))
    }

    /// Answers with percentiles of reloads and drains; of one of them where only that is asked for.
    async fn stats(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let (reloads, drains) = (query.flag("reloads")?, query.flag("drains")?);
        query.finish()?;
        let mut stats = self.observed().await?.stats();
        let is_all = reloads == drains;
        stats.reloads = stats.reloads.filter(|_| is_all || reloads);
        stats.drains = stats.drains.filter(|_| is_all || drains);
        Ok(json(StatusCode::OK, &stats))
    }

    /// Answers with all that happens from now on.
    async fn events(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let cluster = query.text("cluster")?;
        query.finish()?;
        let filter = ConnectionFilter {
            cluster: cluster.clone(),
            ..ConnectionFilter::default()
        };
        if let Some(unknown) = filter.unknown(&self.observed().await?.status()) {
            return Err(Refusal::Unknown(unknown));
        }
        Ok(stream(self.streams.begin(&self.handle, cluster).await?))
    }

    /// Refuses a change that this request may not make.
    fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Entrance::Tcp { token, .. } = &self.entrance {
            token.authorize(headers)?;
        }
        let announced = headers.get(CONTENT_LENGTH).and_then(|len| len.to_str().ok());
        if announced.is_some_and(|len| len.parse().is_ok_and(|len: u64| len > MAX_BODY)) {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    }

    async fn rollback(&self, headers: &HeaderMap, query: &str) -> Result<HttpReply, Refusal> {
        self.authorize(headers)?;
        let mut query = Query::parse(query)?;
        let (force, generation) = (query.flag("force")?, query.number("generation")?);
        query.finish()?;
        let request = ReloadRequest {
            trigger: Trigger::Rollback,
            by: self.peer,
            force,
            source: generation.map_or(ReloadSource::Previous, ReloadSource::Generation),
        };
        let report = self.handle.reload(request).await?;
        Ok(json(status_of(&report), &report))
    }

    async fn reload(&self, headers: &HeaderMap, query: &str) -> Result<HttpReply, Refusal> {
        self.authorize(headers)?;
        let mut query = Query::parse(query)?;
        let (force, staging) = (query.flag("force")?, Staging::take(&mut query)?);
        let confirm_within = take_confirm_within(&mut query)?;
        let (trigger, file) = match self.entrance {
            Entrance::Tcp { .. } => (Trigger::Http, None),
            Entrance::Socket => (Trigger::Control, query.path("file")?),
        };
        query.finish()?;
        let request = ReloadRequest {
            trigger,
            by: self.peer,
            force,
            source: file.map_or(ReloadSource::Configured, ReloadSource::File),
        };
        if staging.is_wanted {
            return self.stage(request, staging).await;
        }
        if let Some(within) = confirm_within {
            return self.reload_unconfirmed(request, within).await;
        }
        let report = self.handle.reload(request).await?;
        Ok(json(status_of(&report), &report))
    }
}

/// The content types that a client takes.
fn accepted(headers: &HeaderMap) -> &str {
    let mut accept = headers.get_all(ACCEPT).iter();
    accept.find_map(|accept| accept.to_str().ok()).unwrap_or_default()
}

/// Makes an answer that needs little memory.
async fn small(
    connection: &ConnectionHandle,
    made: impl Future<Output = Result<HttpReply, Refusal>>,
) -> Result<HttpReply, Refusal> {
    let answering = connection.begin()?;
    let mut answer = made.await?;
    answer.body_mut().end_with_it(answering);
    Ok(answer)
}

fn status_of(report: &ReloadReport) -> StatusCode {
    match report.outcome {
        Outcome::Applied | Outcome::Unchanged | Outcome::Staged => StatusCode::OK,
        Outcome::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        Outcome::RolledBack | Outcome::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
