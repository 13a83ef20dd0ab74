//! What an answer says, for those who show it to people. Whatever a version does not say is absent or empty.

use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    pub uptime_seconds: Option<f64>,
    pub generation: u64,
    pub management: Option<String>,
    pub config: Option<Config>,
    pub clusters: Vec<Cluster>,
    pub drains: Vec<Drain>,
    pub limits: Vec<Limit>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Limit {
    pub limit: String,
    pub virtual_cluster: Option<String>,
    pub since: String,
    pub affected: u64,
    pub counted: String,
    pub usage: String,
    pub meaning: String,
    pub advice: String,
}

impl Limit {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        let of = self.virtual_cluster.as_ref();
        let of = of.map_or_else(String::new, |cluster| format!(" of {cluster:?}"));
        let usage = if self.usage.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.usage)
        };
        format!("{}{of}: {}{usage}", self.limit, self.meaning)
    }

    /// Since when, how many, and what can be done.
    pub fn details(&self) -> String {
        format!(
            "since {}, {}: {}; {}",
            self.since, self.counted, self.affected, self.advice
        )
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Config {
    pub path: Option<String>,
    pub hash: String,
    pub in_sync: bool,
    pub last_reload: Option<Reload>,
    pub retry: Option<Retry>,
    pub last_renewal: Option<Reload>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Retry {
    pub attempts: u32,
    pub next_attempt_seconds: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Reload {
    pub outcome: String,
    pub trigger: String,
    pub at: String,
    pub duration_ms: f64,
    pub generation: u64,
    pub added: Vec<String>,
    pub modified: Vec<String>,
    pub removed: Vec<String>,
    pub errors: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Cluster {
    pub name: String,
    pub state: String,
    pub generation: u64,
    pub connections: u64,
    pub in_flight: u64,
    pub gateways: Vec<Gateway>,
    pub upstream: Vec<Upstream>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Upstream {
    pub address: String,
    pub bootstrap: bool,
    pub node_ids: Vec<i32>,
    pub up: Option<bool>,
    pub last_success: Option<String>,
    pub failing_since: Option<String>,
    pub failures: u64,
    pub cause: Option<String>,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Gateway {
    pub name: String,
    pub bootstrap: String,
    pub bound: String,
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    pub id: i32,
    pub bound: String,
    pub advertised: String,
    pub upstream: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Drain {
    pub cluster: String,
    pub generation: u64,
    pub sessions_generation: Option<u64>,
    pub remaining: u64,
    pub strategy: String,
    pub soft_deadline_seconds: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Connection {
    pub id: u64,
    pub cluster: String,
    pub gateway: String,
    pub node: String,
    pub client: String,
    pub client_id: Option<String>,
    pub software: Option<String>,
    pub generation: u64,
    pub in_flight: u64,
    pub age_seconds: f64,
    pub client_bytes: u64,
    pub broker_bytes: u64,
    pub requests: u64,
    pub sni: Option<String>,
    pub tls: Option<Tls>,
    pub client_subject: Option<String>,
    pub proxied: Option<Proxied>,
    pub sasl_mechanism: Option<String>,
    pub principal: Option<String>,
    pub state: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Tls {
    pub version: String,
    pub cipher: String,
    pub resumed: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Proxied {
    pub peer: String,
    pub authority: Option<String>,
    pub common_name: Option<String>,
}
