//! Connections of kproxy's own that ask a target cluster for its brokers.

use std::future::Future;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::cause::{CloseCause, Fault};
use super::transport::Stream;
use super::upstream::{ConnectError, RackReader};
use crate::model::HostPort;
use crate::tls::Failure;
use crate::wire::api::{self, ApiKey};
use crate::wire::frame::{self, BadSize, MIN_RESPONSE, SIZE_LEN};
use crate::wire::{Malformed, api_versions, header, probe, rewrite};

/// Largest accepted answer in bytes. It lists brokers without topics: 1 MiB is more than ten thousand of them.
const MAX_ANSWER: u32 = 1 << 20;

/// Age up to which an outcome also serves later callers. A crowd of clients at a node that does not exist then causes
/// one request per interval, not one each.
const PROBE_TTL: Duration = Duration::from_millis(500);

/// Time for which a cluster is assumed to require authentication. Asking again adds a line to the broker's log.
const AUTHENTICATION_BELIEVED: Duration = Duration::from_secs(60);

/// Reason why the brokers of a cluster could not be learned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProbeError {
    #[error("{0}")]
    Connect(String),
    /// The broker's behaviour has a close cause of its own.
    #[error("{why}")]
    Named { cause: CloseCause, why: String },
    #[error("the connection failed: {0}")]
    Io(String),
    #[error("no answer in time")]
    TimedOut,
    #[error("the cluster requires authentication first")]
    AuthenticationRequired,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("the answer cannot be used: {0}")]
    Unusable(String),
    #[error("no bootstrap servers")]
    NoServers,
}

impl From<Box<ConnectError>> for ProbeError {
    fn from(error: Box<ConnectError>) -> Self {
        let why = error.to_string();
        match *error {
            ConnectError::Tls { failure, .. } => Self::Named {
                cause: Fault::tls(&failure).cause,
                why,
            },
            ConnectError::Refused { cause, .. } => Self::Named { cause, why },
            ConnectError::NotAllowed { .. } => Self::Named {
                cause: CloseCause::BrokerNotAllowed,
                why,
            },
            ConnectError::Login { error, .. } => Self::Named {
                cause: error.cause(),
                why,
            },
            _ => Self::Connect(why),
        }
    }
}

impl From<io::Error> for ProbeError {
    fn from(error: io::Error) -> Self {
        match Failure::within(&error) {
            Some(failure) => Fault::tls(failure).into(),
            None => Self::Io(error.to_string()),
        }
    }
}

impl From<Fault> for ProbeError {
    fn from(fault: Fault) -> Self {
        Self::Named {
            cause: fault.cause,
            why: fault.detail.into_owned(),
        }
    }
}

/// Limits discovery of one target to one request at a time and to a sensible rate.
#[derive(Debug)]
pub(super) struct Discovery {
    turn: Semaphore,
    last: Mutex<Option<(Instant, Result<(), ProbeError>)>>,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            last: Mutex::default(),
        }
    }
}

impl Discovery {
    /// Runs `ask`, or returns the outcome of another caller that has just run it. With `recent_will_do` false, only
    /// outcomes reached after this call began are used, because the known address has just failed.
    pub(super) async fn run<F, Fut>(&self, recent_will_do: bool, ask: F) -> Result<(), ProbeError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<(), ProbeError>>,
    {
        let came = Instant::now();
        let Ok(_turn) = self.turn.acquire().await else {
            return ask().await;
        };
        if let Some(outcome) = self.recent(came, recent_will_do) {
            return outcome;
        }
        let outcome = ask().await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// An outcome that was reached after the caller came, or that is recent enough.
    fn recent(&self, came: Instant, recent_will_do: bool) -> Option<Result<(), ProbeError>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, outcome) = last.as_ref()?;
        let lasts = match outcome {
            Err(ProbeError::AuthenticationRequired) => AUTHENTICATION_BELIEVED,
            Ok(()) if !recent_will_do => Duration::ZERO,
            _ => PROBE_TTL,
        };
        (*at >= came || at.elapsed() < lasts).then(|| outcome.clone())
    }
}

impl ProbeError {
    /// Whether the credentials of kproxy are the reason, so that another server would say the same.
    pub(super) fn is_about_credentials(&self) -> bool {
        let Self::Named { cause, .. } = self else {
            return false;
        };
        let causes = [
            CloseCause::UpstreamLoginRefused,
            CloseCause::UpstreamCredentialsMissing,
        ];
        causes.contains(cause)
    }

    /// Whether another attempt may succeed: nothing has been answered.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Io(_) | Self::TimedOut)
    }

    /// The close cause of a session that needed the answer.
    pub fn cause(&self) -> CloseCause {
        match self {
            Self::Named { cause, .. } => *cause,
            Self::Io(_) => CloseCause::UpstreamClosedEarly,
            Self::Malformed(_) | Self::Unusable(_) => CloseCause::UpstreamNotKafka,
            Self::Connect(_) | Self::TimedOut | Self::AuthenticationRequired | Self::NoServers => {
                CloseCause::UpstreamUnreachable
            }
        }
    }
}

/// Checks that the broker answers a request that needs no authentication (`ApiVersions`, KIP-35), and not with an error.
pub(super) async fn answers(mut stream: Stream) -> Result<(), ProbeError> {
    let mut bytes = Vec::new();
    probe::api_versions_request(1, &mut bytes);
    let answer = ask(&mut stream, &bytes, 1, MAX_ANSWER).await?;
    match header::error_code_at_start(answer.get(4..).unwrap_or_default()) {
        Some(code) if is_error(code) => Err(ProbeError::Unusable(format!(
            "the broker answers with error {code}"
        ))),
        _ => Ok(()),
    }
}

/// Waits until the broker has dealt with everything that was sent on the connection before: it answers in order.
pub(super) async fn barrier(stream: &mut Stream) -> Result<(), ProbeError> {
    const BARRIER_ID: i32 = i32::MIN;
    let mut bytes = Vec::new();
    probe::api_versions_request(BARRIER_ID, &mut bytes);
    ask(stream, &bytes, BARRIER_ID, MAX_ANSWER).await.map(drop)
}

/// Asks the broker what it offers, by an ApiVersions request of this version. Returns the body of the answer.
pub(super) async fn offers(mut stream: Stream, version: i16) -> Result<Vec<u8>, ProbeError> {
    let mut bytes = Vec::new();
    probe::offers_request(version, 1, &mut bytes);
    let answer = ask(&mut stream, &bytes, 1, MAX_ANSWER).await?;
    // Its header has no tagged fields in any version (KIP-511).
    let body = answer.get(4..).unwrap_or_default();
    match header::error_code_at_start(body) {
        Some(0 | api_versions::UNSUPPORTED_VERSION) => Ok(body.to_vec()),
        code => Err(ProbeError::Unusable(format!(
            "ApiVersions failed with error {code:?}"
        ))),
    }
}

/// Whether it is the code of an error of Kafka. What no Kafka sends is left to the sessions, which read more.
fn is_error(code: i16) -> bool {
    const LAST: i16 = 1000;
    code != 0 && (-1..=LAST).contains(&code)
}

/// A cluster, as one of its brokers describes it.
#[derive(Debug)]
pub(super) struct ListedCluster {
    /// Its brokers.
    pub(super) brokers: Vec<(i32, HostPort)>,
    /// Its id (KIP-78); `None` if it was not told.
    pub(super) id: Option<Vec<u8>>,
}

/// Asks the broker for all brokers of its cluster; `racks` takes in what it says of them.
pub(super) async fn brokers(
    mut stream: Stream,
    racks: Option<RackReader<'_>>,
) -> Result<ListedCluster, ProbeError> {
    let mut bytes = Vec::new();
    probe::api_versions_request(1, &mut bytes);
    let answer = ask(&mut stream, &bytes, 1, MAX_ANSWER).await?;
    let version = metadata_version(&answer)?;
    bytes.clear();
    probe::metadata_request(version, 2, &mut bytes);
    let answer = match ask(&mut stream, &bytes, 2, MAX_ANSWER).await {
        // A broker that answers ApiVersions and closes at the next request requires SASL.
        Err(ProbeError::Io(_)) => return Err(ProbeError::AuthenticationRequired),
        answer => answer?,
    };
    read_brokers(&answer, version, racks)
}

/// The newest version of Metadata that both sides support.
fn metadata_version(answer: &[u8]) -> Result<i16, ProbeError> {
    let body = answer.get(4..).unwrap_or_default();
    match header::error_code_at_start(body) {
        Some(0) => {}
        code => {
            return Err(ProbeError::Unusable(format!(
                "ApiVersions failed with error {code:?}"
            )));
        }
    }
    let (oldest, newest) = api_versions::version_range(body, 0, ApiKey::METADATA)
        .ok_or_else(|| ProbeError::Unusable("the broker does not offer Metadata".into()))?;
    let ours = probe::METADATA_VERSIONS;
    let version = newest.min(*ours.end());
    if version < oldest || version < *ours.start() {
        return Err(ProbeError::Unusable(format!(
            "Metadata is offered in versions {oldest} to {newest} only"
        )));
    }
    Ok(version)
}

fn read_brokers(
    answer: &[u8],
    version: i16,
    mut racks: Option<RackReader<'_>>,
) -> Result<ListedCluster, ProbeError> {
    let incomplete = Malformed {
        what: "Metadata: it ends too early",
    };
    let api = api::api(ApiKey::METADATA).ok_or(incomplete)?;
    let body = header::response_body(answer, api, version)?.ok_or(incomplete)?;
    let prefix = rewrite::prefix_len(ApiKey::METADATA, version, &answer[body..])?.ok_or(incomplete)?;
    let mut brokers = Vec::new();
    rewrite::visit_nodes(
        ApiKey::METADATA,
        version,
        &answer[body..body + prefix],
        &mut |node| {
            if let Some((host, port)) = node.dialable() {
                if let Some(racks) = &mut racks {
                    racks.see(host, port, node.rack);
                }
                brokers.push((
                    node.id,
                    HostPort {
                        host: host.to_owned(),
                        port,
                    },
                ));
            }
        },
    )?;
    if brokers.is_empty() {
        return Err(ProbeError::Unusable("it names no brokers".into()));
    }
    if let Some(racks) = racks {
        racks.keep();
    }
    let id = rewrite::cluster_id(ApiKey::METADATA, version, &answer[body + prefix..]);
    let id = id.map(<[u8]>::to_vec);
    Ok(ListedCluster { brokers, id })
}

/// Sends a request and returns the answer without its size prefix.
pub(super) async fn ask(
    stream: &mut Stream,
    request: &[u8],
    correlation_id: i32,
    max_answer: u32,
) -> Result<Vec<u8>, ProbeError> {
    stream.write_all(request).await?;
    let mut prefix = [0; SIZE_LEN];
    stream.read_exact(&mut prefix).await?;
    let size = frame::size(prefix, MIN_RESPONSE, max_answer).map_err(|bad| match bad {
        BadSize::Tls => Fault::response_size(bad).into(),
        bad => ProbeError::Unusable(bad.to_string()),
    })?;
    let mut answer = Vec::new();
    stream.take(size.into()).read_to_end(&mut answer).await?;
    if answer.len() < size as usize {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    if header::response_correlation_id(&answer) != Some(correlation_id) {
        return Err(ProbeError::Unusable("it carries another correlation id".into()));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn an_address_that_was_just_refused_is_asked_for_again() {
        let discovery = Discovery::default();
        let asked = AtomicUsize::new(0);
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        discovery.run(true, ask).await.unwrap();
        discovery.run(true, ask).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 1, "a crowd costs one question");
        discovery.run(false, ask).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
