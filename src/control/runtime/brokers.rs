//! Reachability of brokers: the health of each, the virtual clusters that are degraded, and probes in the background.
//!
//! A virtual cluster is degraded as long as the newest connection attempt to one of its known brokers (bootstrap servers,
//! and those that responses have named) has failed. Sessions make the attempts. kproxy probes each bootstrap server of a
//! new target by itself, and from time to time each broker that fails, so that its return is noticed without clients too.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::cluster::{ManagedCluster, ReportedState, VirtualClusterManager};
use crate::control::events::{EventBus, StateChanges};
use crate::control::metrics::UpstreamMetrics;
use crate::control::reload::checks::greeting;
use crate::control::status::UpstreamStatus;
use crate::model::{HostPort, ProxyModel, VirtualCluster};
use crate::session::context::NodeRole;
use crate::session::topology::NodeAddresses;
use crate::session::upstream::UpstreamTarget;
use crate::session::upstream::health::{self, Record};
use crate::time::{rfc3339, whole_millis};

/// Target of log lines about brokers.
const TARGET: &str = "kproxy::upstream";

/// Time for which the outcome of an attempt counts at a broker that no session is connected to.
const OUTCOME_TTL: Duration = Duration::from_secs(15 * 60);

/// Interval between two probes of a broker that fails.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Time limit for each step of a probe.
const PROBE_STEP_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum number of concurrent probes.
const MAX_CONCURRENT_PROBES: usize = 16;

/// Time without a failing broker after which a virtual cluster is logged as no longer degraded.
const RECOVERY_PERIOD: Duration = Duration::from_secs(10);

/// Number of clusters that are logged one by one at one time.
const MAX_LOGGED: usize = 20;

/// States between which brokers move a cluster.
const SERVING: &str = ReportedState::Serving.name();
const DEGRADED: &str = ReportedState::Degraded.name();

/// Number of brokers that a warning names.
const MAX_NAMED: usize = 3;

/// Health of one broker.
#[derive(Debug)]
pub(in crate::control) struct BrokerHealth {
    pub(in crate::control) address: HostPort,
    pub(in crate::control) bootstrap: bool,
    pub(in crate::control) node_ids: Vec<i32>,
    /// Whether the newest attempt succeeded; `None` if it no longer counts.
    pub(in crate::control) up: Option<bool>,
    /// Whether the other bootstrap servers are tried before it.
    pub(in crate::control) is_tried_last: bool,
    /// Rack of a bootstrap server, where it matters and is known.
    pub(in crate::control) rack: Option<Box<str>>,
    pub(in crate::control) record: Record,
}

/// Health of those brokers of a cluster that a connection was attempted to, by address.
pub(in crate::control) fn broker_health(cluster: &ManagedCluster) -> Vec<BrokerHealth> {
    let target = &cluster.context.target;
    let topology = target.topology.snapshot();
    let mut ids: BTreeMap<&HostPort, Vec<i32>> = BTreeMap::new();
    for (&id, address) in topology.iter() {
        ids.entry(address).or_default().push(id);
    }
    let records = target.records(|address| ids.contains_key(address));
    let old = records
        .iter()
        .any(|(_, record)| record.tried.elapsed() >= OUTCOME_TTL);
    let in_use = if old {
        roles_in_use(cluster)
    } else {
        HashSet::new()
    };
    let tried_last: HashSet<&HostPort> = target.tried_last().collect();
    let broker = |(address, record): (HostPort, Record)| {
        let mut node_ids = ids.remove(&address).unwrap_or_default();
        node_ids.sort_unstable();
        let bootstrap = target.bootstrap_servers().contains(&address);
        let is_used = bootstrap && in_use.contains(&NodeRole::Bootstrap)
            || node_ids.iter().any(|&id| in_use.contains(&NodeRole::Node(id)));
        BrokerHealth {
            is_tried_last: tried_last.contains(&address),
            rack: target.rack(&address),
            address,
            bootstrap,
            node_ids,
            up: record.is_up(is_used, OUTCOME_TTL),
            record,
        }
    };
    records.into_iter().map(broker).collect()
}

/// Nodes that a session is connected to.
fn roles_in_use(cluster: &ManagedCluster) -> HashSet<NodeRole> {
    let nodes = cluster.context.counters.nodes().into_iter();
    let used = nodes.filter(|(_, node)| node.traffic().live > 0);
    used.map(|(role, _)| role).collect()
}

pub(in crate::control) fn is_degraded(health: &[BrokerHealth]) -> bool {
    health.iter().any(|broker| broker.up == Some(false))
}

/// Warning about the failing brokers of a cluster; `None` if none fails.
pub(in crate::control) fn degraded_warning(cluster: &str, health: &[BrokerHealth]) -> Option<String> {
    let failing: Vec<&BrokerHealth> = health.iter().filter(|broker| broker.up == Some(false)).collect();
    if failing.is_empty() {
        return None;
    }
    let describe = |broker: &&BrokerHealth| {
        let failing = broker.record.failing.as_ref()?;
        let since = rfc3339(failing.since);
        Some(format!(
            "{} since {since}: {} ({})",
            broker.address,
            failing.detail,
            failing.cause.name()
        ))
    };
    let described: Vec<String> = failing.iter().take(MAX_NAMED).filter_map(describe).collect();
    let more = match failing.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let how_many = if failing.len() == health.len() {
        "no broker answers".to_owned()
    } else {
        format!("{} of {} brokers fail", failing.len(), health.len())
    };
    Some(format!(
        "virtual cluster `{cluster}`: {how_many}: {}{more}",
        described.join("; ")
    ))
}

/// Health by node id. The bootstrap servers count together: one that answers is enough.
pub(in crate::control) fn by_node(health: &[BrokerHealth]) -> Vec<UpstreamMetrics> {
    let mut nodes: BTreeMap<NodeRole, UpstreamMetrics> = BTreeMap::new();
    for broker in health {
        let bootstrap = broker.bootstrap.then_some(NodeRole::Bootstrap);
        let roles = broker.node_ids.iter().map(|&id| NodeRole::Node(id));
        for node in roles.chain(bootstrap) {
            let entry = nodes.entry(node).or_insert(UpstreamMetrics {
                node,
                up: None,
                last_success: None,
            });
            entry.up = entry.up.max(broker.up);
            entry.last_success = entry.last_success.max(broker.record.last_success);
        }
    }
    nodes.into_values().collect()
}

impl UpstreamStatus {
    pub(in crate::control) fn of(broker: &BrokerHealth) -> Self {
        let failing = broker.record.failing.as_ref();
        Self {
            address: broker.address.to_string(),
            bootstrap: broker.bootstrap,
            node_ids: broker.node_ids.clone(),
            up: broker.up,
            rack: broker.rack.as_deref().map(str::to_owned),
            tried_last: broker.is_tried_last,
            last_success: broker.record.last_success.map(rfc3339),
            failing_since: failing.map(|failing| rfc3339(failing.since)),
            failures: failing.map_or(0, |failing| failing.failures),
            cause: failing.map(|failing| failing.cause.name().into()),
            detail: failing.map(|failing| failing.detail.clone()),
        }
    }
}

/// A connection attempt that kproxy makes by itself.
#[derive(Debug)]
struct BrokerProbe {
    target: Arc<UpstreamTarget>,
    address: HostPort,
    /// PROXY header that a connection begins with; may be empty.
    greeting: Vec<u8>,
}

impl BrokerProbe {
    fn at(target: &Arc<UpstreamTarget>, address: &HostPort, cluster: &VirtualCluster) -> Self {
        Self {
            target: Arc::clone(target),
            address: address.clone(),
            greeting: greeting(cluster),
        }
    }

    /// Probes of all bootstrap servers.
    fn all(target: &Arc<UpstreamTarget>, cluster: &VirtualCluster) -> Vec<Self> {
        let servers = target.bootstrap_servers().iter();
        servers
            .map(|address| Self::at(target, address, cluster))
            .collect()
    }
}

/// Runs probes, few at a time. Returns those that failed: index in the list, and reason.
async fn run_probes(probes: Vec<BrokerProbe>, timeout: Duration) -> BTreeMap<usize, String> {
    let timeout = timeout.min(PROBE_STEP_TIMEOUT);
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_PROBES));
    let mut all = JoinSet::new();
    for (index, probe) in probes.into_iter().enumerate() {
        let permits = Arc::clone(&permits);
        all.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire_owned().await;
            let BrokerProbe {
                target,
                address,
                greeting,
            } = probe;
            // Look-up, connection, TLS and response have a time limit each; this one is for all together.
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

/// Probes the bootstrap servers of every cluster of a configuration that does not run. Returns a warning for each server
/// that does not answer.
pub async fn unreachable_servers(model: &ProxyModel) -> Vec<String> {
    let mut probes = Vec::new();
    let mut clusters = Vec::new();
    for cluster in model.clusters.values() {
        // Errors in TLS settings are found by the model.
        let (changed, own) = (Arc::<Notify>::default(), Arc::default());
        let Ok(target) = UpstreamTarget::new(cluster.target.clone(), NodeAddresses::new(), changed, own)
        else {
            continue;
        };
        let own = BrokerProbe::all(&Arc::new(target), cluster);
        clusters.extend(own.iter().map(|probe| (&cluster.name, probe.address.clone())));
        probes.extend(own);
    }
    let failed = run_probes(probes, model.network.connect_timeout).await;
    let warning = |(index, reason): (usize, String)| {
        let (cluster, server) = clusters.get(index)?;
        Some(format!(
            "bootstrap server {server} of virtual cluster `{cluster}` does not answer: {reason}"
        ))
    };
    failed.into_iter().filter_map(warning).collect()
}

/// Probes, and virtual clusters that are logged as degraded. Owned by the control thread.
#[derive(Debug)]
pub(in crate::control) struct BrokerWatch {
    events: EventBus,
    /// Whether kproxy probes brokers by itself.
    is_enabled: bool,
    queued: Vec<BrokerProbe>,
    /// Whether some of the queued probes are the first of a new target.
    has_first: bool,
    /// Probes that run.
    running: Option<JoinHandle<()>>,
    moved: u64,
    /// Virtual clusters that were logged as degraded.
    degraded: BTreeMap<String, DegradedCluster>,
}

#[derive(Debug)]
struct DegradedCluster {
    since: SystemTime,
    /// Time at which it was degraded last.
    last: Instant,
}

impl BrokerWatch {
    pub(in crate::control) fn new(is_enabled: bool, events: EventBus) -> Self {
        Self {
            events,
            is_enabled,
            queued: Vec::new(),
            has_first: false,
            running: None,
            moved: 0,
            degraded: BTreeMap::new(),
        }
    }

    /// Queues probes of a target that is new or reached in another way than before.
    pub(in crate::control) fn probe_new_target(&mut self, cluster: &ManagedCluster) {
        if self.is_enabled {
            let target = &cluster.context.target;
            self.queued.extend(BrokerProbe::all(target, &cluster.model));
            self.has_first = true;
        }
    }

    /// Logs which clusters have become degraded and which no longer are, and starts probes that are due.
    pub(in crate::control) fn check(&mut self, clusters: &VirtualClusterManager, timeout: Duration) {
        let moved = health::moved();
        if moved != std::mem::replace(&mut self.moved, moved) || !self.degraded.is_empty() {
            self.check_clusters(clusters);
        }
        let busy = self.running.as_ref().is_some_and(|task| !task.is_finished());
        if !self.queued.is_empty() && !busy {
            let probes = std::mem::take(&mut self.queued);
            let has_first = std::mem::take(&mut self.has_first);
            self.running = Some(tokio::spawn(async move {
                let made = probes.len();
                let failed = run_probes(probes, timeout).await.len();
                if has_first {
                    let answered = made - failed;
                    tracing::info!(target: TARGET, answered, failed, "bootstrap servers were tried out");
                }
            }));
        }
    }

    fn check_clusters(&mut self, clusters: &VirtualClusterManager) {
        let now = Instant::now();
        let busy = self.running.as_ref().is_some_and(|task| !task.is_finished());
        let mut new = Vec::new();
        for cluster in clusters.iter() {
            let target = &cluster.context.target;
            if self.is_enabled {
                // Whether a server that was overtaken answers at all is not known yet.
                let probe = |server: HostPort| BrokerProbe::at(target, &server, &cluster.model);
                self.queued.extend(target.take_overtaken().into_iter().map(probe));
            }
            if !target.is_any_failing() {
                continue;
            }
            let health = broker_health(cluster);
            let name = &cluster.model.name;
            let Some(warning) = degraded_warning(name, &health) else {
                continue;
            };
            if let Some(degraded) = self.degraded.get_mut(name) {
                degraded.last = now;
            } else {
                let since = SystemTime::now();
                self.degraded
                    .insert(name.clone(), DegradedCluster { since, last: now });
                new.push((name, warning));
            }
            if self.is_enabled && !busy {
                let due = |broker: &&BrokerHealth| {
                    broker.up == Some(false) && broker.record.tried.elapsed() >= PROBE_INTERVAL
                };
                let probe = |broker: &BrokerHealth| BrokerProbe::at(target, &broker.address, &cluster.model);
                self.queued.extend(health.iter().filter(due).map(probe));
            }
        }
        let mut changes = StateChanges::default();
        for (cluster, detail) in &new {
            changes.add(cluster, Some(SERVING), DEGRADED, Some(detail));
        }
        for (cluster, detail) in new.iter().take(MAX_LOGGED) {
            tracing::warn!(target: TARGET, %cluster, detail, "virtual cluster is degraded");
        }
        if let Some(more) = new.len().checked_sub(MAX_LOGGED).filter(|more| *more > 0) {
            tracing::warn!(target: TARGET, more, "more virtual clusters are degraded: `kproxy status` shows them all");
        }
        self.retain_degraded(clusters, &mut changes);
        changes
            .events()
            .into_iter()
            .for_each(|event| self.events.publish(event));
    }

    /// Forgets the clusters that are no longer degraded.
    fn retain_degraded(&mut self, clusters: &VirtualClusterManager, changes: &mut StateChanges) {
        let now = Instant::now();
        self.degraded.retain(|cluster, degraded| {
            let lasts = now.saturating_duration_since(degraded.last) < RECOVERY_PERIOD;
            if !lasts && clusters.get(cluster).is_some() {
                let lasted = degraded
                    .since
                    .elapsed()
                    .unwrap_or_default()
                    .saturating_sub(RECOVERY_PERIOD);
                let lasted_ms = whole_millis(lasted);
                tracing::info!(target: TARGET, cluster, lasted_ms, "virtual cluster is no longer degraded");
                changes.add(cluster, Some(DEGRADED), SERVING, None);
            }
            lasts
        });
    }
}

impl Drop for BrokerWatch {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}
