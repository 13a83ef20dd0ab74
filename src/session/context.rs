//! What a session is given when it begins. What may change while it lives is behind a pointer that is looked at anew
//! when the session is told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Semaphore;

pub use super::role::NodeRole;

use super::cause::CloseCause;
use super::clients::ClientLimit;
use super::close_log::CloseLog;
use super::counters::{CloseCounters, ClusterCounters};
use super::limits::LimitCounter;
use super::nodes::NodeDirectory;
use super::permits::ConnectionLimit;
use super::upstream::UpstreamTarget;
use crate::drain::ConnectionTracker;
use crate::model::{Network, ProxyProtocol, VirtualCluster};
use crate::tls::DownstreamContext;

/// What holds for the whole process; read when a session begins and when it is told that something has changed.
#[derive(Debug)]
pub struct ProcessContext {
    generation: AtomicU64,
    network: ArcSwap<Network>,
    /// Ends of connections of which it never became known which cluster they were for.
    pub unrouted: CloseCounters,
    /// Which of them the log has told.
    pub unrouted_close_log: Arc<CloseLog>,
    /// Ends for reasons of TLS, of all clusters there ever were.
    pub tls_errors: CloseCounters,
    /// TLS handshakes with clients that go on at the same time.
    pub handshakes: Semaphore,
    /// Connections that wait for a place in a cluster although nobody counts them any more; they hold descriptors.
    pub waiting: Semaphore,
    /// `maxConnectionsPerClient` of the process.
    pub clients: Arc<ClientLimit>,
    /// Connections beyond `maxConnectionsPerClient`.
    pub per_client: LimitCounter,
    /// Brokers for which `dynamicNodePorts` has no port left.
    pub dynamic_ports: LimitCounter,
}

/// Of a crowd that arrives at once, the first are done before the last begin: a handshake that is finished helps its
/// client, one that has begun helps nobody.
const MAX_CONCURRENT_HANDSHAKES: usize = 32;

/// Their descriptors come out of those that are kept back.
pub const MAX_WAITING_CONNECTIONS: usize = 256;

impl ProcessContext {
    pub fn new(network: Network) -> Self {
        Self {
            generation: AtomicU64::new(0),
            clients: Arc::new(ClientLimit::new(network.max_connections_per_client)),
            network: ArcSwap::from_pointee(network),
            unrouted: CloseCounters::default(),
            unrouted_close_log: Arc::default(),
            tls_errors: CloseCounters::default(),
            handshakes: Semaphore::new(MAX_CONCURRENT_HANDSHAKES),
            waiting: Semaphore::new(MAX_WAITING_CONNECTIONS),
            per_client: LimitCounter::new(),
            dynamic_ports: LimitCounter::new(),
        }
    }

    /// Number of the running configuration.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub fn network(&self) -> Guard<Arc<Network>> {
        self.network.load()
    }

    /// For the owner of the configuration only.
    pub fn set_network(&self, network: Arc<Network>) {
        self.clients.set(network.max_connections_per_client);
        self.network.store(network);
    }

    /// For the owner of the configuration only.
    pub fn advance(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// One virtual cluster with its target, as its sessions see it. It is replaced when the target changes; everything
/// else about a cluster changes behind it.
#[derive(Debug)]
pub struct ClusterContext {
    pub name: String,
    pub process: Arc<ProcessContext>,
    generation: AtomicU64,
    model: ArcSwap<VirtualCluster>,
    pub target: Arc<UpstreamTarget>,
    /// Shared by all contexts of a cluster.
    pub counters: Arc<ClusterCounters>,
    /// `maxConnections` of the cluster. Shared by all contexts of a cluster.
    pub limit: Arc<ConnectionLimit>,
    /// `maxConnectionsPerClient` of the cluster. Shared by all contexts of a cluster.
    pub clients: Arc<ClientLimit>,
}

impl ClusterContext {
    pub fn new(
        process: Arc<ProcessContext>,
        model: Arc<VirtualCluster>,
        target: Arc<UpstreamTarget>,
        counters: Arc<ClusterCounters>,
        limit: Arc<ConnectionLimit>,
        clients: Arc<ClientLimit>,
    ) -> Self {
        Self {
            name: model.name.clone(),
            process,
            generation: AtomicU64::new(0),
            model: ArcSwap::new(model),
            target,
            counters,
            limit,
            clients,
        }
    }

    /// The generation that last changed the cluster; sessions begin with it.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// For the owner of the configuration only.
    pub fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }

    /// What the configuration says of the cluster now.
    pub fn model(&self) -> Guard<Arc<VirtualCluster>> {
        self.model.load()
    }

    /// For the owner of the configuration only.
    pub fn set_model(&self, model: Arc<VirtualCluster>) {
        self.model.store(model);
    }
}

impl ClusterContext {
    /// Whether the cluster has this node: a broker has named it, or the configuration gives it an endpoint.
    pub fn knows_node(&self, node: i32) -> bool {
        let configured = |model: &VirtualCluster| {
            let mut gateways = model.gateways.iter();
            gateways.any(|gateway| {
                let found = gateway.nodes.binary_search_by_key(&node, |port| port.node_id);
                found.is_ok()
            })
        };
        self.target.topology.address(node).is_some() || configured(&self.model())
    }

    /// Sees to it that bootstrap connections and those to configured nodes are counted before the first one comes: with 0.
    /// Of very many nodes each is counted from its first connection on.
    pub fn count_from_the_start(&self) {
        const MOST: usize = 100;
        self.counters.node(NodeRole::Bootstrap);
        for node in self
            .model()
            .gateways
            .iter()
            .flat_map(|gateway| &gateway.nodes)
            .take(MOST)
        {
            self.counters.node(NodeRole::Node(node.node_id));
        }
    }

    /// Forgets what is counted of nodes that the cluster does not have any more.
    pub fn forget_nodes(&self) {
        self.counters.retain(|node| self.knows_node(node));
    }
}

/// One gateway of a cluster.
#[derive(Debug)]
pub struct GatewayContext {
    pub name: Arc<str>,
    pub directory: Arc<NodeDirectory>,
    /// `None`: plaintext. What is new applies to the next handshake.
    pub tls: Option<ArcSwap<DownstreamContext>>,
    pub proxy_protocol: ProxyProtocol,
    /// Whether a withheld node has been logged: said once, then only counted.
    pub withheld_logged: AtomicBool,
}

/// What an endpoint means just now: which cluster, which gateway, which of its brokers, and who is connected.
#[derive(Debug, Clone)]
pub struct EndpointBinding {
    pub cluster: Arc<ClusterContext>,
    pub gateway: Arc<GatewayContext>,
    pub node: NodeRole,
    /// The sessions of this endpoint for as long as it means the same.
    pub tracker: Arc<ConnectionTracker>,
}

impl EndpointBinding {
    /// Whether what it leads to is known to be there. Where names tell nodes apart, a client can invent one.
    pub fn is_known(&self) -> bool {
        let known = |node| self.cluster.knows_node(node);
        self.node.id().is_none_or(known) || !self.gateway.directory.is_by_name()
    }
}

impl ProcessContext {
    /// Counts the end of a connection of which it never became known which cluster it was for.
    pub fn count_unrouted(&self, cause: CloseCause) {
        self.unrouted.count(cause);
        self.count_tls(cause);
    }

    /// Counts an end if it was for reasons of TLS.
    pub fn count_tls(&self, cause: CloseCause) {
        if cause.is_tls() {
            self.tls_errors.count(cause);
        }
    }
}
