//! The JSON of `kproxy plan`: what a reload would do, and to whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::status::Word;
use crate::names::{names, read_names};

names! {
    /// What would come of a reload.
    #[derive(Default)]
    pub enum PlanVerdict {
        /// The configuration means what runs.
        Unchanged = "unchanged",
        /// It would be applied, and no connection would be drained.
        Undisturbed = "undisturbed",
        /// It would be applied, and connections would be drained. Without a process: they may be.
        Drains = "drains",
        /// It would be rejected. Also the verdict that only another version knows.
        #[default]
        Rejected = "rejected",
    }
}

names! {
    /// What would happen to a virtual cluster.
    #[derive(Default, PartialOrd, Ord)]
    pub enum PlannedAction {
        /// It is removed.
        Remove = "remove",
        /// It goes on with another meaning. Also the action that only another version knows.
        #[default]
        Modify = "modify",
        /// It is added.
        Add = "add",
    }
}

read_names!(PlanVerdict, PlannedAction);

/// What a reload would do. In JSON, fields of other versions are ignored and missing ones empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanReport {
    /// What would come of it.
    pub verdict: PlanVerdict,
    /// Generation that runs; absent without a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The file that was read.
    pub file: Option<String>,
    /// Hash of the files that were read, as `status` shows it once they run; empty if they could not be read.
    pub hash: String,
    /// Why it would be rejected, one entry for each reason, as in the report of a reload.
    pub errors: Vec<String>,
    /// Counts of everything that follows.
    pub summary: PlanSummary,
    /// Changed keys of the process as a whole.
    pub process: Vec<PlannedKey>,
    /// Virtual clusters that would change, the most disturbed first.
    pub clusters: Vec<PlannedCluster>,
    /// Certificates that would be exchanged, by file.
    pub certificates: Vec<CertificateExchange>,
    /// Addresses that have to be released before others can be bound.
    pub handovers: Vec<PlannedHandover>,
}

/// Counts of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanSummary {
    /// Virtual clusters that are added.
    pub added: usize,
    /// Virtual clusters that go on with another meaning.
    pub modified: usize,
    /// Virtual clusters that are removed, those included that are moved.
    pub removed: usize,
    /// Removed virtual clusters of which an added one takes the place.
    pub moved: usize,
    /// Virtual clusters that nothing happens to.
    pub unchanged: usize,
    /// Number of changed virtual clusters by reload class.
    pub classes: BTreeMap<Word, usize>,
    /// Connections of all virtual clusters; absent without a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<PlannedConnections>,
    /// Listeners that are bound.
    pub listeners_bound: usize,
    /// Listeners that are released.
    pub listeners_released: usize,
}

/// Connections at the moment of the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedConnections {
    /// Live connections.
    pub live: usize,
    /// Connections that are drained, those of refused clients included.
    pub drained: usize,
    /// Connections that go on with a new target, if that is the same Kafka cluster; otherwise they are drained. Absent if there are
    /// none.
    #[serde(skip_serializing_if = "is_none")]
    pub moved: usize,
    /// Connections whose clients are verified again by new rules, those included that are refused.
    pub verified_again: usize,
    /// Connections whose clients the new rules refuse.
    pub refused: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// A changed key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedKey {
    /// Path of the key in the file: `virtualClusters[].maxConnections`.
    pub key: Word,
    /// Name of the [`Effect`](crate::reload::Effect).
    pub effect: Word,
    /// Name of the [`ReloadClass`](crate::reload::ReloadClass).
    pub class: Word,
}

/// What would happen to one virtual cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedCluster {
    /// Name of the virtual cluster.
    pub name: String,
    /// What happens to it.
    pub action: PlannedAction,
    /// Name of the most disturbing [`ReloadClass`](crate::reload::ReloadClass) of its keys.
    pub class: Word,
    /// The added virtual cluster that takes its place, if it is removed and its addresses stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// Keys that cause it; empty if it is added or removed.
    pub keys: Vec<PlannedKey>,
    /// Its connections; absent without a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<PlannedConnections>,
    /// Why connections are drained. Without a process: why they may be.
    pub drains: Vec<PlannedDrain>,
    /// Clients whose connections are drained, those with the most connections first.
    pub clients: Vec<PlannedClient>,
    /// Number of clients that `clients` does not list.
    pub more_clients: usize,
    /// Addresses of listeners that are bound.
    pub listeners_bound: Vec<String>,
    /// Addresses of listeners that are released.
    pub listeners_released: Vec<String>,
}

/// Connections that are drained for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedDrain {
    /// Name of the [`DrainReason`](crate::reload::DrainReason), or `client_refused`.
    pub reason: Word,
    /// The reason in words.
    pub detail: String,
    /// Number of connections; absent without a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
}

/// A client whose connections are drained: all with this client id and this principal.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedClient {
    /// Client id of the first request; absent for clients that sent none yet.
    pub client_id: Option<String>,
    /// Authenticated name, or else the subject of the client's certificate, where one is known.
    pub principal: Option<String>,
    /// Number of its connections that are drained.
    pub connections: usize,
}

/// A certificate file whose content in use changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificateExchange {
    /// What it is used for: `gateway`, `broker_client` or `trust`.
    pub role: Word,
    /// The certificate that is in use.
    pub before: CertificateSummary,
    /// The certificate in its place.
    pub after: CertificateSummary,
    /// Virtual clusters that use it, in order; the first of them only.
    pub clusters: Vec<String>,
    /// Number of virtual clusters that use it.
    pub uses: usize,
}

/// A certificate in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct CertificateSummary {
    /// Path of the file.
    pub file: String,
    /// Subject of its first certificate (RFC 4514).
    pub subject: String,
    /// The earliest expiry in the file, as RFC 3339 has it.
    pub not_after: Option<String>,
}

/// An address that is released first, and one that is bound after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlannedHandover {
    /// Address that is released.
    pub release: String,
    /// Address that is bound in its place.
    pub bind: String,
}
