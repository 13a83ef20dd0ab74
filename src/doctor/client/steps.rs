//! Steps of a walk: what was tried, how long it took, what was seen.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::messages::{Call, ClusterListing, ServerError, VersionRanges};
use super::tls::ShownCertificate;
use crate::model::HostPort;
use crate::names::names;
use crate::tls::Failure;
use crate::wire::Malformed;

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepSubject {
    /// The bootstrap address of the virtual cluster.
    Bootstrap,
    /// A node of the virtual cluster.
    Node(i32),
    /// The coordinator of a made-up consumer group.
    Coordinator,
    /// The round trip of a record.
    Topic,
    /// A bootstrap server of the target cluster, connected to without kproxy.
    Target,
    /// A broker of the target cluster, as the target cluster names it.
    TargetBroker(i32),
}

impl fmt::Display for StepSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bootstrap => f.write_str("bootstrap"),
            Self::Node(id) => write!(f, "node {id}"),
            Self::Coordinator => f.write_str("coordinator"),
            Self::Topic => f.write_str("topic"),
            Self::Target => f.write_str("target"),
            Self::TargetBroker(id) => write!(f, "broker {id}"),
        }
    }
}

names! {
    /// What a step does.
    #[derive(PartialOrd, Ord)]
    pub enum StepAction {
        /// Looks up the addresses of a name.
        Resolve = "resolve",
        /// Opens a TCP connection.
        Connect = "connect",
        /// Performs the TLS handshake.
        Tls = "tls",
        /// Asks for the versions of the APIs.
        ApiVersions = "api_versions",
        /// Authenticates.
        Sasl = "sasl",
        /// Asks for the brokers.
        Metadata = "metadata",
        /// Asks for settings that only the broker with this node id gives.
        Identity = "identity",
        /// Asks for the coordinator of a consumer group.
        FindCoordinator = "find_coordinator",
        /// Writes a record.
        Produce = "produce",
        /// Reads the record.
        Fetch = "fetch",
    }
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StepError {
    /// The time of the whole examination is over.
    #[error("not tried: the time for the whole examination is over")]
    NoTimeLeft,
    /// The step took too long.
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    /// The name has no address.
    #[error("{0}")]
    NameUnknown(String),
    /// No TCP connection.
    #[error("{0}")]
    NoConnection(String),
    /// No TLS connection.
    #[error("{failure}")]
    NoTls {
        /// Kind and details.
        failure: Failure,
        /// Certificate of the server, if it showed one.
        shown: Option<Box<ShownCertificate>>,
    },
    /// The server ended the connection.
    #[error("the server closed the connection ({0})")]
    ServerClosed(String),
    /// The bytes are no answer of Kafka.
    #[error("the answer is not Kafka's: {0}")]
    NotKafka(String),
    /// The server does not have the version that is asked in.
    #[error("the server offers {api} in versions {oldest} to {newest}, and not in version {wanted}")]
    VersionMissing {
        /// Name of the API.
        api: &'static str,
        /// Lowest version.
        oldest: i16,
        /// Highest version.
        newest: i16,
        /// Version of the request.
        wanted: i16,
    },
    /// The server does not have the API.
    #[error("the server does not offer {0}")]
    ApiMissing(&'static str),
    /// An error code.
    #[error("error {} {}", .0.code, .0.message)]
    ErrorCode(ServerError),
    /// The login was not accepted.
    #[error("{0}")]
    NoLogin(String),
    /// The login with the credentials of kproxy was not accepted.
    #[error("{0}")]
    NoOwnLogin(String),
    /// The round trip cannot be made, or returned something else.
    #[error("{0}")]
    NoRoundTrip(String),
}

impl From<Malformed> for StepError {
    fn from(malformed: Malformed) -> Self {
        Self::NotKafka(malformed.to_string())
    }
}

/// What a successful step saw.
#[derive(Debug, Clone, PartialEq)]
pub enum StepSeen {
    /// Addresses of a name.
    Addresses(Vec<SocketAddr>),
    /// A TCP connection.
    Connected(SocketAddr),
    /// A TLS connection.
    Secured(Box<ShownCertificate>),
    /// Versions of the APIs.
    Versions(VersionRanges),
    /// An accepted login; the name of the mechanism, and whether the password was sent in clear over plaintext.
    LoggedIn {
        /// Name of the mechanism.
        mechanism: &'static str,
        /// The password could be read on the network.
        is_readable: bool,
    },
    /// Brokers of the cluster.
    Listed(ClusterListing),
    /// The answer to DescribeConfigs for this node id; code 0: the broker has this id.
    Described(ServerError),
    /// The coordinator of the group.
    Coordinated {
        /// Node id.
        node: i32,
        /// Address of the node.
        address: HostPort,
    },
    /// A record was written.
    Written {
        /// Offset of the record.
        offset: i64,
    },
    /// The record was read.
    ReadBack {
        /// Time stamp by the clock of the broker minus the local clock, where the topic has such time stamps.
        clock_difference_millis: Option<i64>,
    },
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkStep {
    /// What it is about.
    pub subject: StepSubject,
    /// Address that it concerns.
    pub address: HostPort,
    /// What it does.
    pub action: StepAction,
    /// Time that it took.
    pub took: Duration,
    /// What was seen, or why it failed.
    pub result: Result<StepSeen, StepError>,
}

/// Time limits of an examination.
#[derive(Debug, Clone, Copy)]
pub struct StepLimits {
    /// Limit of each step.
    pub step: Duration,
    /// End of the whole examination.
    pub deadline: Instant,
}

impl StepLimits {
    /// The time that the next step may take.
    pub fn next(&self) -> Duration {
        self.step
            .min(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// Runs `work` no longer than the next step may take.
    ///
    /// # Errors
    /// The error of `work`, or that the time is over.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, StepError>>) -> Result<T, StepError> {
        let limit = self.next();
        if limit.is_zero() {
            return Err(StepError::NoTimeLeft);
        }
        let ended = tokio::time::timeout(limit, work).await;
        ended.unwrap_or(Err(StepError::NoAnswer(limit)))
    }
}

/// Steps of one connection, in order.
#[derive(Debug)]
pub struct StepLog {
    /// What the steps are about.
    pub subject: StepSubject,
    /// Address of the steps.
    pub address: HostPort,
    /// Time limits.
    pub limits: StepLimits,
    /// Steps so far.
    pub steps: Vec<WalkStep>,
}

impl StepLog {
    /// An empty log.
    pub fn new(subject: StepSubject, address: HostPort, limits: StepLimits) -> Self {
        Self {
            subject,
            address,
            limits,
            steps: Vec::new(),
        }
    }

    /// Runs one step within its time limit and records it; `seen` says what a success has shown. Returns `None` if it
    /// failed.
    pub async fn step<T>(
        &mut self,
        action: StepAction,
        work: impl Future<Output = Result<T, StepError>>,
        seen: impl FnOnce(&T) -> StepSeen,
    ) -> Option<T> {
        let began = Instant::now();
        let outcome = self.limits.run(work).await;
        let (result, value) = match outcome {
            Ok(value) => (Ok(seen(&value)), Some(value)),
            Err(error) => (Err(error), None),
        };
        self.steps.push(WalkStep {
            subject: self.subject,
            address: self.address.clone(),
            action,
            took: began.elapsed(),
            result,
        });
        value
    }
}

impl StepSeen {
    /// Describes what was seen in a few words.
    pub fn words(&self, subject: StepSubject) -> String {
        match self {
            Self::Addresses(addresses) => list(addresses.iter().map(|address| address.ip().to_string())),
            Self::Connected(address) => address.to_string(),
            Self::Secured(shown) => shown.to_string(),
            Self::Versions(ranges) => format!("{} APIs", ranges.len()),
            Self::LoggedIn { mechanism, .. } => (*mechanism).to_owned(),
            Self::Listed(listing) => {
                let cluster = listing.cluster_id.as_deref().unwrap_or("without an id");
                let nodes = list(
                    listing
                        .brokers
                        .iter()
                        .map(|(id, address)| format!("{id} at {address}")),
                );
                match (subject, nodes.is_empty()) {
                    (StepSubject::Node(_), true) => format!("cluster {cluster}, the same nodes"),
                    (StepSubject::Node(_), false) => format!("cluster {cluster}, other nodes {nodes}"),
                    _ => format!("cluster {cluster}, nodes {nodes}"),
                }
            }
            Self::Described(error) => match (error.code, subject) {
                (0, StepSubject::Node(id)) => format!("leads to broker {id}"),
                _ => format!("error {} {}", error.code, error.message),
            },
            Self::Coordinated { node, address } => format!("node {node} at {address}"),
            Self::Written { offset } => format!("offset {offset}"),
            Self::ReadBack { .. } => "the same record".to_owned(),
        }
    }
}

/// The first few of a list.
fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 5;
    let more = all.len().saturating_sub(SHOWN);
    let mut text = all.take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

impl StepError {
    /// The error for a version that is not among `ranges`; `None` if it is.
    pub fn missing(call: Call, ranges: &VersionRanges) -> Option<Self> {
        let api = call.name();
        match ranges.get(&call.key) {
            None => Some(Self::ApiMissing(api)),
            Some(&(oldest, newest)) => {
                let wanted = call.version;
                (!(oldest..=newest).contains(&wanted)).then_some(Self::VersionMissing {
                    api,
                    oldest,
                    newest,
                    wanted,
                })
            }
        }
    }
}
