//! What runs, as data for people and programs: the JSON of `/status`, and what commands read it into.
//!
//! A command may be of another version than the process: fields that it does not know are ignored, those that it does
//! not find are empty.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::log_level::LogLevelStatus;
use super::reload::report::ReloadReport;
use super::reload::staged::StagedStatus;
use super::requester::Requester;
use crate::session::pause::Pause;
use crate::time::{as_rfc3339, rfc3339};

/// A word that this version writes, or that another one has written.
pub type Word = Cow<'static, str>;

/// A socket address in JSON; `0.0.0.0:0` where another version does not give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportedAddress(pub SocketAddr);

/// The running process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyStatus {
    /// Version of kproxy.
    pub version: Word,
    /// Process id.
    pub pid: u32,
    /// Time since the start.
    pub uptime_seconds: f64,
    /// Number of the running configuration.
    pub generation: u64,
    /// Configured address of the management HTTP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management: Option<SocketAddr>,
    /// The log level, while it is not that of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogLevelStatus>,
    /// The running configuration.
    pub config: ConfigStatus,
    /// Virtual clusters by name. Those that were removed stay, as `draining`, until their sessions have left.
    pub clusters: Vec<ClusterStatus>,
    /// Drains that have sessions left.
    pub drains: Vec<DrainStatus>,
    /// Limits that are reached now.
    pub limits: Vec<LimitStatus>,
    /// Warnings in force, in sentences.
    pub warnings: Vec<String>,
    /// Probation after the last reload that had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probation: Option<ProbationStatus>,
}

/// The running configuration and its file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigStatus {
    /// Path of the file; absent where the configuration comes from none.
    pub path: Option<String>,
    /// Hash of the files that the running configuration was read from.
    pub hash: String,
    /// Whether the files, as last read, mean what runs.
    pub in_sync: bool,
    /// The generation whose configuration runs again after a rollback, until the file says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_generation: Option<u64>,
    /// A reload that waits for approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged: Option<StagedStatus>,
    /// Present while what runs waits for `kproxy confirm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<ConfirmStatus>,
    /// The last reload.
    pub last_reload: Option<ReloadReport>,
    /// Present while a reload that was rejected for a reason outside the file is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryStatus>,
    /// Renewal of the files that the running configuration references, when they last changed beside a configuration
    /// file that is not what runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_renewal: Option<ReloadReport>,
}

/// What is taken back unless it is confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfirmStatus {
    /// The generation whose configuration comes back.
    pub previous_generation: u64,
    /// Time that is left; zero while it comes back.
    pub seconds_left: f64,
    /// When it comes back.
    #[serde(with = "as_rfc3339")]
    pub until: SystemTime,
    /// Who asked for the reload.
    pub by: Requester,
    /// Whether a crash or a restart in this time comes back to it, too: there is a state directory.
    pub survives_restart: bool,
}

impl Default for ConfirmStatus {
    fn default() -> Self {
        Self {
            previous_generation: 0,
            seconds_left: 0.0,
            until: SystemTime::UNIX_EPOCH,
            by: Requester::default(),
            survives_restart: false,
        }
    }
}

/// A reload that is tried again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryStatus {
    /// Attempts so far.
    pub attempts: u32,
    /// Time until the next attempt; zero while one is under way.
    pub next_attempt_seconds: f64,
}

/// A virtual cluster.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterStatus {
    /// Name of the virtual cluster.
    pub name: String,
    /// Name of its [`ClusterState`](crate::cluster::ClusterState), or `degraded`.
    pub state: Word,
    /// Present while it is drained by a command, and takes no new sessions until it is resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained: Option<DrainedStatus>,
    /// Present while its requests wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<PausedStatus>,
    /// Requests about topics that do not reach the brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceStatus>,
    /// Why it is `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Generation that last changed it; new sessions begin with it.
    pub generation: u64,
    /// Live client connections.
    pub connections: usize,
    /// Requests that await their response.
    pub in_flight: u64,
    /// Filters, in the order in which requests pass them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<FilterStatus>,
    /// Gateways, in the order of the file.
    pub gateways: Vec<GatewayStatus>,
    /// Brokers that were tried, by address.
    pub upstream: Vec<UpstreamStatus>,
}

/// A virtual cluster whose requests wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PausedStatus {
    /// When it was paused.
    pub since: String,
    /// Who paused it.
    pub by: String,
    /// Time until its requests go on by themselves.
    pub seconds_left: f64,
    /// Kinds of requests that do not wait: `heartbeat`.
    pub except: Vec<Word>,
}

impl PausedStatus {
    /// What is told of a pause.
    pub fn of(pause: &Pause) -> Self {
        let left = pause.until.saturating_duration_since(Instant::now());
        Self {
            since: rfc3339(pause.since),
            by: pause.by.clone(),
            seconds_left: left.as_secs_f64(),
            except: pause
                .passes_heartbeats
                .then(|| Word::from("heartbeat"))
                .into_iter()
                .collect(),
        }
    }
}

/// A fence of a virtual cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FenceStatus {
    /// Names and beginnings of names (`orders-*`) of topics.
    pub topics: Vec<String>,
    /// `produce`, `fetch`, `all`.
    pub operations: Vec<Word>,
    /// What becomes of writes: `retriable` or `hold`.
    pub answer: Word,
    /// How long a request is held at most, in milliseconds.
    pub hold_for_ms: u64,
    /// When it began.
    pub since: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Who set it by a command; absent if it is in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Requests that wait now.
    pub waiting: u64,
    /// Requests that have waited, those that wait included.
    pub held: u64,
    /// Requests that were answered with an error after which clients try again.
    pub answered: u64,
    /// Answers of which records were taken out.
    pub emptied: u64,
    /// Requests that nobody could answer, whose sessions have ended.
    pub closed: u64,
    /// Sessions that may have requests on the way that it would stop: it is not in force for them yet, or requests that they sent
    /// before are not answered.
    pub unsettled: u64,
}

/// A filter of a virtual cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterStatus {
    /// Name of its definition.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub filter_type: String,
    /// `enforce` or `shadow`.
    pub mode: Word,
    /// Condition on requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What becomes of requests and answers about which it cannot decide, where that is not `answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<Word>,
    /// Number of its panics since it was built.
    #[serde(skip_serializing_if = "is_zero")]
    pub panics: u64,
    /// It has panicked too often, and is not asked any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
    /// What its access rules decided, in the order of the rules, since they are as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleStatus>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What one access rule decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleStatus {
    /// The statement; `otherwise deny;` where no rule matched.
    pub rule: String,
    /// Line of the statement in its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// `allow` or `deny`.
    pub decision: Word,
    /// Number of its decisions.
    pub count: u64,
    /// Client ids that were denied, or would have been in `shadow` mode; a sample.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<String>,
    /// Names of users that were denied; a sample.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
}

/// A virtual cluster that somebody has drained.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainedStatus {
    /// Since when, as RFC 3339 has it.
    pub since: String,
    /// Who drained it.
    pub by: String,
}

/// Probation of changed virtual clusters after a reload: the one that runs, or the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbationStatus {
    /// Generation on probation.
    pub generation: u64,
    /// Generation that comes back if something gets worse.
    pub healthy_generation: u64,
    /// `watching`, `healthy`, `too_little_traffic` or `degraded`.
    pub verdict: Word,
    /// Time until the window ends; zero once it is decided.
    pub seconds_left: f64,
    /// The virtual clusters on probation.
    pub clusters: Vec<ProbationClusterStatus>,
}

/// One virtual cluster on probation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbationClusterStatus {
    /// Name of the virtual cluster.
    pub cluster: String,
    /// The verdict about this one.
    pub verdict: Word,
    /// The figures so far, in a sentence.
    pub figures: String,
}

/// How one broker answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamStatus {
    /// Address of the broker.
    pub address: String,
    /// Whether it is one of `bootstrapServers`.
    pub bootstrap: bool,
    /// Node ids of the broker at this address, as responses have named it.
    pub node_ids: Vec<i32>,
    /// Whether the newest attempt succeeded; `null` where nobody has tried for long.
    pub up: Option<bool>,
    /// Rack of a bootstrap server, with `strategy: nearest` and once an answer has told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Whether the other bootstrap servers are tried before it, because it did not answer lately.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tried_last: bool,
    /// When an attempt last succeeded, as RFC 3339 has it.
    pub last_success: Option<String>,
    /// When it began to fail, as RFC 3339 has it. Present while it fails, as all fields that follow.
    pub failing_since: Option<String>,
    /// Failures one after the other.
    pub failures: u64,
    /// Name of the [`CloseCause`](crate::session::cause::CloseCause) of the newest failure.
    pub cause: Option<Word>,
    /// The newest failure in a sentence.
    pub detail: Option<String>,
}

/// A gateway of a virtual cluster.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Name of the gateway.
    pub name: String,
    /// Address that clients bootstrap from.
    pub bootstrap: String,
    /// Address that the bootstrap endpoint is bound to.
    pub bound: ReportedAddress,
    /// Endpoints of nodes, by node id.
    pub nodes: Vec<NodeStatus>,
}

/// The endpoint of a node.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    /// Node id.
    pub id: i32,
    /// Address that the endpoint is bound to.
    pub bound: ReportedAddress,
    /// Address that clients are given.
    pub advertised: String,
    /// Address of the broker; absent until a response has named it.
    pub upstream: Option<String>,
}

/// A drain that has sessions left.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainStatus {
    /// Name of the virtual cluster.
    pub cluster: String,
    /// Generation that ended the sessions.
    pub generation: u64,
    /// Generation of the cluster before that; `kproxy connections --generation` finds the sessions by it.
    pub sessions_generation: u64,
    /// Sessions when it began.
    pub sessions: usize,
    /// Sessions that have not left.
    pub remaining: usize,
    /// Name of the [`DrainStrategy`](crate::model::DrainStrategy).
    pub strategy: Word,
    /// Time until the soft deadline; zero once it has passed.
    pub soft_deadline_seconds: f64,
    /// Time until the hard deadline, at which the sessions left are closed.
    pub hard_deadline_seconds: f64,
}

/// A limit that is reached.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitStatus {
    /// Name of the [`Limit`](crate::session::limits::Limit).
    pub limit: Word,
    /// Virtual cluster that the limit belongs to; `virtual_cluster` in JSON.
    #[serde(rename = "virtual_cluster", skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Since when it is reached, as RFC 3339 has it.
    pub since: String,
    /// How many were affected since then.
    pub affected: u64,
    /// What `affected` counts.
    pub counted: Word,
    /// How much of it is in use; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub usage: String,
    /// What it means that the limit is reached.
    pub meaning: Word,
    /// What can be done.
    pub advice: Word,
}

impl Default for ReportedAddress {
    fn default() -> Self {
        Self((Ipv4Addr::UNSPECIFIED, 0).into())
    }
}

impl From<SocketAddr> for ReportedAddress {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl fmt::Display for ReportedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl LimitStatus {
    /// Returns the limit, what it means that it is reached, and how much is in use, in a sentence.
    pub fn sentence(&self) -> String {
        let of = self.cluster.as_ref();
        let of = of.map_or_else(String::new, |cluster| format!(" of {cluster:?}"));
        let usage = match self.usage.as_str() {
            "" => String::new(),
            usage => format!(" ({usage})"),
        };
        format!("{}{of}: {}{usage}", self.limit, self.meaning)
    }

    /// Returns since when it is reached, how many are affected, and what can be done.
    pub fn details(&self) -> String {
        format!(
            "since {}, {}: {}; {}",
            self.since, self.counted, self.affected, self.advice
        )
    }
}
