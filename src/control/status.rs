//! What runs, as data for people and programs.

use std::net::SocketAddr;

use serde::Serialize;

use super::reload::report::ReloadReport;

#[derive(Debug, Clone, Serialize)]
pub struct ProxyStatus {
    pub version: &'static str,
    pub pid: u32,
    pub uptime_seconds: f64,
    pub generation: u64,
    /// Where HTTP is configured to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management: Option<SocketAddr>,
    pub config: ConfigStatus,
    /// By name. Clusters that were removed are here, as `draining`, until their sessions have left.
    pub clusters: Vec<ClusterStatus>,
    pub drains: Vec<DrainStatus>,
    /// Those that are reached now.
    pub limits: Vec<LimitStatus>,
    /// What is odd now, in words.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ConfigStatus {
    /// Absent where what runs comes from no file.
    pub path: Option<String>,
    /// Of the files that what runs was read from.
    pub hash: String,
    /// What the files said when they were last read is what runs.
    pub in_sync: bool,
    pub last_reload: Option<ReloadReport>,
    /// Present while a reload that was rejected for a reason outside the file is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryStatus>,
    /// Of the files that the running configuration references, when they last changed beside a configuration file that is
    /// not what runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_renewal: Option<ReloadReport>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RetryStatus {
    /// So far.
    pub attempts: u32,
    /// Zero while one is under way.
    pub next_attempt_seconds: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ClusterStatus {
    pub name: String,
    pub state: &'static str,
    /// Why it is `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The generation that last changed it; new sessions begin with it.
    pub generation: u64,
    pub connections: usize,
    pub in_flight: u64,
    pub gateways: Vec<GatewayStatus>,
    /// Brokers that were tried, by address.
    pub upstream: Vec<UpstreamStatus>,
}

/// How one broker answers.
#[derive(Debug, Clone, Serialize)]
pub struct UpstreamStatus {
    pub address: String,
    /// It is one of `bootstrapServers`.
    pub bootstrap: bool,
    /// Of the broker at this address, as answers have named it.
    pub node_ids: Vec<i32>,
    /// Whether the newest attempt succeeded; `null` where nobody has tried for long.
    pub up: Option<bool>,
    pub last_success: Option<String>,
    /// Present while it fails, as all that follow.
    pub failing_since: Option<String>,
    /// Failures one after the other.
    pub failures: u64,
    pub cause: Option<&'static str>,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct GatewayStatus {
    pub name: String,
    /// What clients bootstrap from.
    pub bootstrap: String,
    /// Where that is bound.
    pub bound: SocketAddr,
    pub nodes: Vec<NodeStatus>,
}

#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    pub id: i32,
    pub bound: SocketAddr,
    pub advertised: String,
    /// Absent until it has been learned.
    pub upstream: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct DrainStatus {
    pub cluster: String,
    /// The generation that ended the sessions.
    pub generation: u64,
    /// The generation of the cluster before that; what `connections` finds them by.
    pub sessions_generation: u64,
    /// Sessions that have not left.
    pub remaining: usize,
    pub strategy: &'static str,
    /// Zero once it has passed.
    pub soft_deadline_seconds: f64,
}

/// A limit that is reached.
#[derive(Debug, Clone, Serialize)]
pub struct LimitStatus {
    pub limit: &'static str,
    /// The virtual cluster it belongs to.
    #[serde(rename = "virtual_cluster", skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    pub since: String,
    /// How many were affected since then, and of what.
    pub affected: u64,
    pub counted: &'static str,
    /// How much of it is in use; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub usage: String,
    pub meaning: &'static str,
    pub advice: &'static str,
}
