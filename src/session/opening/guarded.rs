//! Clients that authenticate at kproxy (`SaslTermination`), before a broker is connected to for them.
//!
//! A client that has not authenticated costs the memory of one small frame and no broker connection. It is answered
//! ApiVersions, from what the brokers were last seen to offer, and SASL; anything else ends the session.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::HANDSHAKE_LIMIT_AT_EXIT;
use super::first_request::{drain_patience_ends, silence};
use super::replay::Introduction;
use crate::drain::SessionHandle;
use crate::filter::sasl_termination::SaslTermination;
use crate::filter::{
    Chain, ChainedFilter, ClientSession as FilterSession, FilterFailure, FilterOutcome, FilterStep, Leave,
    MOST_REPETITIONS, OnRequest, Request, error_answer, failure_code, poll_wait,
};
use crate::model::FailurePolicy;
use crate::sasl::server::SaslIdentity;
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::EndpointBinding;
use crate::session::counters::add;
use crate::session::inspect::{fault_of_leave, judge_head, note_client, own_answer};
use crate::session::transport::{Stream, Transport as _};
use crate::session::upstream::ProxyPreamble;
use crate::wire::api::{self, Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::frame::{self, MIN_REQUEST, REQUEST_HEAD_LEN, SIZE_LEN};
use crate::wire::header::{self, RequestHead};
use crate::wire::{Malformed, api_versions};

/// Largest frame of a client that has not authenticated, in bytes: as for brokers.
const MAX_FRAME: u32 = 512 * 1024;

/// Largest request that is no SASL token.
const MAX_OTHER: usize = 64 * 1024;

/// Room for the header of a request with a token.
const HEADER_ROOM: usize = 34 * 1024;

/// Bytes that are read at a time.
const CHUNK: usize = 4096;

/// Time limit for one wait of the filter, and for the client to take an answer.
const MOST_WAIT: Duration = Duration::from_secs(10);

/// What a session needs to be guarded.
pub(super) struct Guard<'g> {
    pub(super) binding: &'g EndpointBinding,
    pub(super) handle: &'g SessionHandle,
    pub(super) preamble: &'g ProxyPreamble,
    /// The filters in force, of which the first is a [`SaslTermination`].
    pub(super) chain: Arc<Chain>,
}

/// A client that has authenticated.
pub(super) struct AdmittedClient {
    /// Bytes that it has sent behind its authentication.
    pub(super) first: Vec<u8>,
    /// Its newest ApiVersions request.
    pub(super) introduction: Option<Introduction>,
    /// Who it is; `None` where it has not had to say.
    pub(super) identity: Option<Arc<SaslIdentity>>,
    /// The filters that have let it in; `None` where none had to.
    pub(super) chain: Option<Arc<Chain>>,
}

/// What a client is answered.
struct GuardedAnswer {
    answer: Option<Vec<u8>>,
    /// The session ends behind the answer.
    end: Option<GuardedEnd>,
}

/// Why a session ends behind an answer.
enum GuardedEnd {
    /// The filter refuses the client.
    Refused(Leave),
    /// The filter cannot decide.
    Failed(Fault),
}

/// Why there is no answer.
enum Undecided {
    Failure(FilterFailure),
    Fault(Fault),
}

impl From<FilterFailure> for Undecided {
    fn from(failure: FilterFailure) -> Self {
        Self::Failure(failure)
    }
}

/// A client on its way through the guard.
struct GuardedClient<'c> {
    client: &'c mut Stream,
    /// Bytes that were read and not consumed.
    bytes: Vec<u8>,
    introduction: Option<Introduction>,
}

impl Guard<'_> {
    /// Answers the client until it has authenticated. `first` is what it has sent so far.
    pub(super) async fn admit(
        mut self,
        client: &mut Stream,
        first: Vec<u8>,
        session: &mut FilterSession,
    ) -> Result<AdmittedClient, Fault> {
        // So that those that record what happens in the session see its authentication.
        self.open(session)?;
        SaslTermination::begin(session);
        let mut guarded = GuardedClient {
            client,
            bytes: first,
            introduction: None,
        };
        loop {
            let size = self.read_frame(&mut guarded).await?;
            let content: Vec<u8> = guarded.bytes.drain(..SIZE_LEN + size).skip(SIZE_LEN).collect();
            guarded.bytes.shrink_to(CHUNK);
            self.take_in_filters(session)?;
            self.answer(&mut guarded, session, &content).await?;
            let identity = SaslTermination::admits(session);
            if identity.is_some() {
                self.confirm(session)?;
                return Ok(AdmittedClient {
                    identity,
                    first: guarded.bytes,
                    introduction: guarded.introduction,
                    chain: Some(self.chain),
                });
            }
        }
    }

    fn open(&self, session: &mut FilterSession) -> Result<(), Fault> {
        for chained in self.chain.filters() {
            if let Err(failure) = chained.opened(session) {
                return Err(failed(chained, session, &failure));
            }
        }
        Ok(())
    }

    /// Goes on by the filters that a reload has put in force, if clients authenticate there as well. Returns whether there are
    /// others than before.
    fn take_in_filters(&mut self, session: &mut FilterSession) -> Result<bool, Fault> {
        let Some(installed) = self.binding.cluster.chain() else {
            return Ok(false);
        };
        if Arc::ptr_eq(&installed.chain, &self.chain) || installed.chain.sasl_termination().is_none() {
            return Ok(false);
        }
        self.chain = Arc::clone(&installed.chain);
        self.open(session)?;
        Ok(true)
    }

    /// Checks a client that was let in by rules that are in force no more: the reload that has come meanwhile may have checked the
    /// sessions before this one was among them.
    fn confirm(&mut self, session: &mut FilterSession) -> Result<(), Fault> {
        if self.take_in_filters(session)?
            && let Some(filter) = self.chain.sasl_termination()
            && let Err(why) = filter.check_again(session)
        {
            let detail = format!("the client has authenticated at kproxy, and {why}");
            return Err(Fault::new(CloseCause::AuthenticationFailed, detail));
        }
        Ok(())
    }

    /// Reads until a whole frame is there. Returns its size.
    async fn read_frame(&self, guarded: &mut GuardedClient<'_>) -> Result<usize, Fault> {
        let (since, mut unread) = (Instant::now(), false);
        loop {
            if let Some(size) = self.judge(&guarded.bytes)?
                && guarded.bytes.len() >= SIZE_LEN + size
            {
                return Ok(size);
            }
            let mut next = [0; CHUNK];
            let read = tokio::select! {
                biased;
                read = guarded.client.read(&mut next) => read,
                fault = silence(self.binding, self.handle, since, unread) => {
                    if unread || !guarded.client.has_unread() {
                        return Err(fault);
                    }
                    unread = true;
                    continue;
                }
            };
            match read {
                Ok(0) => return Err(Fault::new(CloseCause::ClientClosed, "")),
                Ok(read) => guarded.bytes.extend_from_slice(&next[..read]),
                Err(error) => return Err(Fault::broken(CloseCause::ClientReset, &error)),
            }
        }
    }

    /// Judges the beginning of a frame. Returns its size once its head has arrived.
    fn judge(&self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(prefix) = bytes.first_chunk::<SIZE_LEN>() else {
            return Ok(None);
        };
        let most = MAX_FRAME.min(self.binding.cluster.process.network().max_frame_size);
        let size = frame::size(*prefix, MIN_REQUEST, most).map_err(Fault::request_size)? as usize;
        let Some(head) = bytes.first_chunk::<REQUEST_HEAD_LEN>() else {
            return Ok(None);
        };
        judge_head(head)?;
        let key = i16::from_be_bytes([head[SIZE_LEN], head[SIZE_LEN + 1]]);
        let most = match key {
            ApiKey::SASL_AUTHENTICATE => {
                let filter = self.chain.sasl_termination();
                filter.map_or(0, SaslTermination::max_token) + HEADER_ROOM
            }
            _ => MAX_OTHER,
        };
        if size > most {
            let name = api::name_of(key).unwrap_or("request");
            let detail = format!("{name} of {size} bytes before the client has authenticated");
            return Err(Fault::new(CloseCause::FrameTooLarge, detail));
        }
        Ok(Some(size))
    }

    async fn answer(
        &mut self,
        guarded: &mut GuardedClient<'_>,
        session: &mut FilterSession,
        content: &[u8],
    ) -> Result<(), Fault> {
        let malformed = || Fault::malformed_request(Malformed::new("request before authentication"));
        let head = header::request_head(content).ok_or_else(malformed)?;
        let api = api::api(head.api_key).ok_or_else(malformed)?;
        if !api.supports(head.api_version) {
            // Only ApiVersions comes here in a version that is not known.
            let mut frame = Vec::new();
            api_versions::local_unsupported(head.correlation_id, &mut frame);
            return self.write(guarded.client, &frame).await;
        }
        note_client(self.handle, api, head.api_version, content);
        let body = header::request_body(content, api, head.api_version).map_err(Fault::malformed_request)?;
        let body = body.ok_or_else(malformed)?;
        if head.api_key == ApiKey::API_VERSIONS {
            return self.offer(guarded, head, api, content, body).await;
        }
        let GuardedAnswer { answer, end } = self.ask(session, api, head, content, body).await?;
        if let Some(answer) = answer {
            self.write(guarded.client, &own_answer(api, head, &answer))
                .await?;
        }
        match end {
            None => {
                self.count(FilterOutcome::Answered);
                Ok(())
            }
            Some(GuardedEnd::Failed(fault)) => Err(fault),
            Some(GuardedEnd::Refused(leave)) => {
                self.count(FilterOutcome::Denied);
                add(&self.binding.cluster.counters.refused_credentials, 1);
                Err(fault_of_leave(leave))
            }
        }
    }

    fn count(&self, outcome: FilterOutcome) {
        if let Some(first) = self.chain.filters().first() {
            first.counters.count(outcome);
        }
    }

    /// Asks the filter about a request, until it decides. Where it cannot, the session ends, behind an error answer if that is
    /// what is configured.
    async fn ask(
        &mut self,
        session: &mut FilterSession,
        api: &'static Api,
        head: RequestHead,
        content: &[u8],
        body: usize,
    ) -> Result<GuardedAnswer, Fault> {
        let failure = match self.decide(session, api, head, (content, body)).await {
            Ok(decided) => return Ok(decided),
            Err(Undecided::Fault(fault)) => return Err(fault),
            Err(Undecided::Failure(failure)) => failure,
        };
        let Some(chained) = self.chain.filters().first() else {
            return Err(Fault::new(CloseCause::FilterFailed, failure.what));
        };
        let fault = failed(chained, session, &failure);
        let code = failure_code(head.api_key);
        match chained.on_error {
            FailurePolicy::Answer if !failure.panicked => Ok(GuardedAnswer {
                answer: error_answer(api, head.api_version, &content[body..], code),
                end: Some(GuardedEnd::Failed(fault)),
            }),
            _ => Err(fault),
        }
    }

    async fn decide(
        &mut self,
        session: &mut FilterSession,
        api: &'static Api,
        head: RequestHead,
        (content, body): (&[u8], usize),
    ) -> Result<GuardedAnswer, Undecided> {
        for _ in 0..=MOST_REPETITIONS {
            let Some(chained) = self.chain.filters().first() else {
                break;
            };
            let mut request = Request::new(api, head, Cow::Borrowed(content), body, true);
            let (answer, leave) = match chained.request(session, &mut request)? {
                FilterStep::Now(OnRequest::Answer(answer)) => (Some(answer), None),
                FilterStep::Now(OnRequest::AnswerAndLeave(answer, leave)) => (Some(answer), Some(leave)),
                FilterStep::Now(OnRequest::Leave(leave)) => (None, Some(leave)),
                FilterStep::Again(wait) => {
                    self.wait(wait).await?;
                    self.take_in_filters(session).map_err(Undecided::Fault)?;
                    continue;
                }
                FilterStep::Now(_) | FilterStep::More | FilterStep::Ask(_) => break,
            };
            return Ok(GuardedAnswer {
                answer,
                end: leave.map(GuardedEnd::Refused),
            });
        }
        Err(FilterFailure::new("it came to no decision").into())
    }

    /// Waits for what the filter waits for.
    async fn wait(&self, mut wait: Pin<Box<dyn Future<Output = ()> + Send>>) -> Result<(), Undecided> {
        let caught = poll_fn(|context| poll_wait(wait.as_mut(), context));
        tokio::select! {
            waited = tokio::time::timeout(MOST_WAIT, caught) => match waited {
                Ok(waited) => waited.map_err(Undecided::Failure),
                Err(_) => Err(FilterFailure::new("what it waits for has not come within 10 s").into()),
            },
            () = drain_patience_ends(self.handle, HANDSHAKE_LIMIT_AT_EXIT) => Err(Undecided::Fault(overdue())),
        }
    }

    /// Answers ApiVersions in place of the broker.
    async fn offer(
        &self,
        guarded: &mut GuardedClient<'_>,
        head: RequestHead,
        api: &'static Api,
        content: &[u8],
        body: usize,
    ) -> Result<(), Fault> {
        let version = head.api_version;
        let expected = api_versions::expected_place(version, &content[body..]);
        let (cluster, node) = expected.map_err(Fault::malformed_request)?;
        if self.is_other_place(cluster, node) {
            let answer = api_versions::error_body(version, ErrorCode::REBOOTSTRAP_REQUIRED);
            return self.write(guarded.client, &own_answer(api, head, &answer)).await;
        }
        let target = &self.binding.cluster.target;
        let timeout = self.binding.cluster.process.network().connect_timeout;
        let offered = tokio::select! {
            offered = Box::pin(target.offer(self.binding.node, version, timeout, self.preamble)) => offered,
            () = drain_patience_ends(self.handle, HANDSHAKE_LIMIT_AT_EXIT) => return Err(overdue()),
        };
        let offered = offered.map_err(|error| Fault::new(error.cause(), error.to_string()))?;
        let mut promised = Vec::new();
        api_versions::clamp_to(version, &offered, &|api| self.chain.offers(api), &mut promised)
            .map_err(Fault::malformed_response)?;
        self.write(guarded.client, &own_answer(api, head, &promised))
            .await?;
        let cluster = cluster.map(<[u8]>::to_vec);
        let promised = target.offers.promise(version, &promised);
        guarded.introduction = Some(Introduction::new(content, head, cluster, promised));
        Ok(())
    }

    /// Whether the client has come to another cluster or node than it expects (KIP-1242).
    fn is_other_place(&self, cluster: Option<&[u8]>, node: i32) -> bool {
        let other_node = self
            .binding
            .node
            .id()
            .is_some_and(|here| node >= 0 && node != here);
        let offers = &self.binding.cluster.target.offers;
        other_node || cluster.is_some_and(|cluster| offers.is_other_cluster(cluster))
    }

    async fn write(&self, client: &mut Stream, frame: &[u8]) -> Result<(), Fault> {
        let written = async {
            client.write_all(frame).await?;
            client.flush().await
        };
        tokio::select! {
            written = tokio::time::timeout(MOST_WAIT, written) => match written {
                Ok(written) => written.map_err(|error| Fault::broken(CloseCause::ClientReset, &error)),
                Err(_) => Err(Fault::new(CloseCause::ClientTooSlow, "the client takes no answer")),
            },
            () = drain_patience_ends(self.handle, HANDSHAKE_LIMIT_AT_EXIT) => Err(overdue()),
        }
    }
}

/// Counts a failure. Returns the end of the session that follows.
fn failed(chained: &ChainedFilter, session: &FilterSession, failure: &FilterFailure) -> Fault {
    chained.note_failure(session, failure);
    let detail = format!("filter {}: {}", chained.filter.name(), failure.what);
    Fault::new(CloseCause::FilterFailed, detail)
}

fn overdue() -> Fault {
    Fault::new(
        CloseCause::DrainTimeout,
        "not authenticated before the deadline of the drain",
    )
}
