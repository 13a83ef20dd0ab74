//! Whether the brokers of the virtual clusters answer: what is claimed of each, which clusters are degraded, and who
//! is tried out in the background.
//!
//! A cluster is degraded as long as the newest attempt to one of its known brokers (bootstrap servers, and those that
//! answers have named) has failed. Clients make the attempts; kproxy makes one of its own at each bootstrap server of
//! a new target, and one now and then at a broker that fails, so that its return is noticed without clients too.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::cluster::{ManagedCluster, VirtualClusterManager};
use crate::control::metrics::UpstreamMetrics;
use crate::control::status::UpstreamStatus;
use crate::model::{HostPort, ProxyModel, VirtualCluster};
use crate::session::context::NodeRole;
use crate::session::topology::NodeAddresses;
use crate::session::upstream::UpstreamTarget;
use crate::session::upstream::health::{self, Record};
use crate::time::{rfc3339, whole_millis};
use crate::wire::proxy_protocol;

/// The target of log lines about brokers.
const TARGET: &str = "kproxy::upstream";

/// How long an outcome is believed of a broker that nobody is connected to.
const STANDS: Duration = Duration::from_secs(15 * 60);

/// Between two attempts of kproxy's own at a broker that fails.
const AGAIN: Duration = Duration::from_secs(5);

/// For each step of an attempt of kproxy's own.
const PATIENCE: Duration = Duration::from_secs(3);

/// Attempts of kproxy's own at the same time.
const AT_ONCE: usize = 16;

/// A cluster is told of as degraded until it has not been for so long.
const QUIET: Duration = Duration::from_secs(10);

/// Clusters that are told of one by one, at one time.
const TOLD: usize = 20;

/// Brokers that a sentence names.
const NAMED: usize = 3;

/// What is claimed of one broker.
#[derive(Debug)]
pub(in crate::control) struct Claim {
    pub(in crate::control) address: HostPort,
    pub(in crate::control) bootstrap: bool,
    pub(in crate::control) node_ids: Vec<i32>,
    /// `None`: nobody has tried for long.
    pub(in crate::control) up: Option<bool>,
    pub(in crate::control) record: Record,
}

/// What is claimed of those brokers of a cluster that were tried, by address.
pub(in crate::control) fn claims(cluster: &ManagedCluster) -> Vec<Claim> {
    let target = &cluster.context.target;
    let known = target.known();
    let records = target.records(&known);
    if records.is_empty() {
        return Vec::new();
    }
    let topology = target.topology.snapshot();
    let bootstrap: HashSet<&HostPort> = target.bootstrap_servers().iter().collect();
    let mut ids: BTreeMap<&HostPort, Vec<i32>> = BTreeMap::new();
    for (&id, address) in topology.iter() {
        ids.entry(address).or_default().push(id);
    }
    let old = records.values().any(|record| record.tried.elapsed() >= STANDS);
    let in_use = if old {
        roles_in_use(cluster)
    } else {
        HashSet::new()
    };
    let claim = |(address, record): (&HostPort, Record)| {
        let mut node_ids = ids.remove(address).unwrap_or_default();
        node_ids.sort_unstable();
        let bootstrap = bootstrap.contains(address);
        let is_used = bootstrap && in_use.contains(&NodeRole::Bootstrap)
            || node_ids.iter().any(|&id| in_use.contains(&NodeRole::Node(id)));
        Claim {
            address: address.clone(),
            bootstrap,
            node_ids,
            up: record.is_up(is_used, STANDS),
            record,
        }
    };
    records.into_iter().map(claim).collect()
}

/// Those through which somebody is connected.
fn roles_in_use(cluster: &ManagedCluster) -> HashSet<NodeRole> {
    let nodes = cluster.context.counters.nodes().into_iter();
    let used = nodes.filter(|(_, node)| node.traffic().live > 0);
    used.map(|(role, _)| role).collect()
}

pub(in crate::control) fn is_degraded(claims: &[Claim]) -> bool {
    claims.iter().any(|claim| claim.up == Some(false))
}

/// What is wrong with the brokers of a degraded cluster; `None` where nothing is.
pub(in crate::control) fn complaint(cluster: &str, claims: &[Claim]) -> Option<String> {
    let failing: Vec<&Claim> = claims.iter().filter(|claim| claim.up == Some(false)).collect();
    if failing.is_empty() {
        return None;
    }
    let describe = |claim: &&Claim| {
        let failing = claim.record.failing.as_ref()?;
        let since = rfc3339(failing.since);
        Some(format!(
            "{} since {since}: {} ({})",
            claim.address,
            failing.detail,
            failing.cause.name()
        ))
    };
    let described: Vec<String> = failing.iter().take(NAMED).filter_map(describe).collect();
    let more = match failing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let how_many = if failing.len() == claims.len() {
        "no broker answers".to_owned()
    } else {
        format!("{} of {} brokers fail", failing.len(), claims.len())
    };
    Some(format!(
        "virtual cluster `{cluster}`: {how_many}: {}{more}",
        described.join("; ")
    ))
}

/// The claims by node id; those of bootstrap servers together, of which one that answers is enough.
pub(in crate::control) fn by_node(claims: &[Claim]) -> Vec<UpstreamMetrics> {
    let mut nodes: BTreeMap<NodeRole, UpstreamMetrics> = BTreeMap::new();
    for claim in claims {
        let bootstrap = claim.bootstrap.then_some(NodeRole::Bootstrap);
        let roles = claim.node_ids.iter().map(|&id| NodeRole::Node(id));
        for node in roles.chain(bootstrap) {
            let entry = nodes.entry(node).or_insert(UpstreamMetrics {
                node,
                up: None,
                last_success: None,
            });
            entry.up = entry.up.max(claim.up);
            entry.last_success = entry.last_success.max(claim.record.last_success);
        }
    }
    nodes.into_values().collect()
}

impl UpstreamStatus {
    pub(in crate::control) fn of(claim: &Claim) -> Self {
        let failing = claim.record.failing.as_ref();
        Self {
            address: claim.address.to_string(),
            bootstrap: claim.bootstrap,
            node_ids: claim.node_ids.clone(),
            up: claim.up,
            last_success: claim.record.last_success.map(rfc3339),
            failing_since: failing.map(|failing| rfc3339(failing.since)),
            failures: failing.map_or(0, |failing| failing.failures),
            cause: failing.map(|failing| failing.cause.name().into()),
            detail: failing.map(|failing| failing.detail.clone()),
        }
    }
}

/// One attempt of kproxy's own.
#[derive(Debug)]
struct Attempt {
    target: Arc<UpstreamTarget>,
    address: HostPort,
    /// What a connection begins with.
    greeting: Vec<u8>,
}

impl Attempt {
    fn at(target: &Arc<UpstreamTarget>, address: &HostPort, cluster: &VirtualCluster) -> Self {
        let version = cluster
            .gateways
            .iter()
            .find_map(|gateway| gateway.proxy_protocol.upstream);
        Self {
            target: Arc::clone(target),
            address: address.clone(),
            greeting: version.map(proxy_protocol::encode_local).unwrap_or_default(),
        }
    }

    /// At each bootstrap server.
    fn at_all(target: &Arc<UpstreamTarget>, cluster: &VirtualCluster) -> Vec<Self> {
        let servers = target.bootstrap_servers().iter();
        servers
            .map(|address| Self::at(target, address, cluster))
            .collect()
    }
}

/// Makes all of them, few at a time. Those that failed, each with its place in the list and the reason.
async fn make(attempts: Vec<Attempt>, timeout: Duration) -> BTreeMap<usize, String> {
    let timeout = timeout.min(PATIENCE);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut all = JoinSet::new();
    for (index, attempt) in attempts.into_iter().enumerate() {
        let places = Arc::clone(&places);
        all.spawn(async move {
            // Never closed.
            let _place = places.acquire_owned().await;
            let Attempt {
                target,
                address,
                greeting,
            } = attempt;
            // Looking the name up, connecting, TLS and the answer have a time-out each; together they have an end too.
            let tried = tokio::time::timeout(2 * timeout, target.try_out(&address, timeout, &greeting));
            let late = |_| Err(format!("no answer within {} s", (2 * timeout).as_secs()));
            (index, tried.await.unwrap_or_else(late))
        });
    }
    let mut failed = BTreeMap::new();
    while let Some(made) = all.join_next().await {
        if let Ok((index, Err(reason))) = made {
            failed.insert(index, reason);
        }
    }
    failed
}

/// Tries out the bootstrap servers of every cluster of a configuration that does not run: one warning for each that
/// does not answer.
pub async fn unanswered(model: &ProxyModel) -> Vec<String> {
    let mut attempts = Vec::new();
    let mut clusters = Vec::new();
    for cluster in model.clusters.values() {
        // What is wrong with TLS settings is told elsewhere.
        let (changed, own) = (Arc::<Notify>::default(), Arc::default());
        let Ok(target) = UpstreamTarget::new(cluster.target.clone(), NodeAddresses::new(), changed, own)
        else {
            continue;
        };
        let own = Attempt::at_all(&Arc::new(target), cluster);
        clusters.extend(own.iter().map(|attempt| (&cluster.name, attempt.address.clone())));
        attempts.extend(own);
    }
    let failed = make(attempts, model.network.connect_timeout).await;
    let warning = |(index, reason): (usize, String)| {
        let (cluster, server) = clusters.get(index)?;
        Some(format!(
            "bootstrap server {server} of virtual cluster `{cluster}` does not answer: {reason}"
        ))
    };
    failed.into_iter().filter_map(warning).collect()
}

/// Owned by the control thread.
#[derive(Debug)]
pub(in crate::control) struct BrokerWatch {
    /// Whether kproxy makes attempts of its own.
    tries_out: bool,
    wanted: Vec<Attempt>,
    /// Some of them are the first at a new target.
    first: bool,
    /// Attempts that are being made.
    making: Option<JoinHandle<()>>,
    moved: u64,
    /// Clusters that were told of as degraded.
    told: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    since: SystemTime,
    /// When it was last seen degraded.
    last: Instant,
}

impl BrokerWatch {
    pub(in crate::control) fn new(tries_out: bool) -> Self {
        Self {
            tries_out,
            wanted: Vec::new(),
            first: false,
            making: None,
            moved: 0,
            told: BTreeMap::new(),
        }
    }

    /// The target of a cluster is new, or is reached in another way than before.
    pub(in crate::control) fn is_new(&mut self, cluster: &ManagedCluster) {
        if self.tries_out {
            let target = &cluster.context.target;
            self.wanted.extend(Attempt::at_all(target, &cluster.model));
            self.first = true;
        }
    }

    /// Tells which clusters are degraded now, and which are not any more; tries out what is to be.
    pub(in crate::control) fn look(&mut self, clusters: &VirtualClusterManager, timeout: Duration) {
        let moved = health::moved();
        if moved != std::mem::replace(&mut self.moved, moved) || !self.told.is_empty() {
            self.judge(clusters);
        }
        let busy = self.making.as_ref().is_some_and(|task| !task.is_finished());
        if !self.wanted.is_empty() && !busy {
            let attempts = std::mem::take(&mut self.wanted);
            let first = std::mem::take(&mut self.first);
            self.making = Some(tokio::spawn(async move {
                let made = attempts.len();
                let failed = make(attempts, timeout).await.len();
                if first {
                    let answered = made - failed;
                    tracing::info!(target: TARGET, answered, failed, "bootstrap servers were tried out");
                }
            }));
        }
    }

    fn judge(&mut self, clusters: &VirtualClusterManager) {
        let now = Instant::now();
        let busy = self.making.as_ref().is_some_and(|task| !task.is_finished());
        let mut new = Vec::new();
        for cluster in clusters.iter() {
            if !cluster.context.target.is_any_failing() {
                continue;
            }
            let claims = claims(cluster);
            let name = &cluster.model.name;
            let Some(complaint) = complaint(name, &claims) else {
                continue;
            };
            if let Some(told) = self.told.get_mut(name) {
                told.last = now;
            } else {
                let since = SystemTime::now();
                self.told.insert(name.clone(), Told { since, last: now });
                new.push((name, complaint));
            }
            if self.tries_out && !busy {
                let due = |claim: &&Claim| claim.up == Some(false) && claim.record.tried.elapsed() >= AGAIN;
                let target = &cluster.context.target;
                let attempt = |claim: &Claim| Attempt::at(target, &claim.address, &cluster.model);
                self.wanted.extend(claims.iter().filter(due).map(attempt));
            }
        }
        for (cluster, detail) in new.iter().take(TOLD) {
            tracing::warn!(target: TARGET, %cluster, detail, "virtual cluster is degraded");
        }
        if let Some(more) = new.len().checked_sub(TOLD).filter(|more| *more > 0) {
            tracing::warn!(target: TARGET, more, "more virtual clusters are degraded: `kproxy status` shows them all");
        }
        self.told.retain(|cluster, told| {
            let lasts = now.saturating_duration_since(told.last) < QUIET;
            if !lasts && clusters.get(cluster).is_some() {
                let lasted = told.since.elapsed().unwrap_or_default().saturating_sub(QUIET);
                let lasted_ms = whole_millis(lasted);
                tracing::info!(target: TARGET, cluster, lasted_ms, "virtual cluster is no longer degraded");
            }
            lasts
        });
    }
}

impl Drop for BrokerWatch {
    fn drop(&mut self) {
        if let Some(making) = &self.making {
            making.abort();
        }
    }
}
