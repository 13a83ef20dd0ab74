//! Context of a session: process, cluster, gateway and endpoint. Values that may change while a session lives are
//! behind a pointer; the session reads it again when it is notified.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub use super::role::NodeRole;

use super::cause::CloseCause;
use super::clients::ClientLimit;
use super::close_log::CloseLog;
use super::counters::{CloseCounters, ClusterCounters};
use super::frame_memory::FrameMemory;
use super::inspect::InstalledChain;
use super::intake::Intake;
use super::limits::LimitCounter;
use super::nodes::NodeDirectory;
use super::pause::PauseGate;
use super::permits::ConnectionLimit;
use super::successor::Successor;
use super::upstream::UpstreamTarget;
use crate::drain::ConnectionTracker;
use crate::filter::Chain;
use crate::model::{Network, ProxyProtocol, VirtualCluster};
use crate::tls::DownstreamContext;

/// Process-wide settings and counters. A session reads them when it begins and when it is notified of a change.
#[derive(Debug)]
pub struct ProcessContext {
    generation: AtomicU64,
    network: ArcSwap<Network>,
    /// Closed connections that never became part of a cluster, by cause.
    pub unrouted: CloseCounters,
    /// Log lines about those connections.
    pub unrouted_close_log: Arc<CloseLog>,
    /// Closed connections with a TLS cause, over all clusters, removed ones included.
    pub tls_errors: CloseCounters,
    /// Memory for frames that filters read.
    pub frame_memory: FrameMemory,
    /// Permits for TLS handshakes with clients.
    pub handshakes: Semaphore,
    openers: OnceLock<Openers>,
    /// Permits for connections that wait for a permit of their cluster without one of the process; they use
    /// descriptors.
    pub waiting: Semaphore,
    /// `maxConnectionsPerClient` of the process.
    pub clients: Arc<ClientLimit>,
    /// Connections refused by `maxConnectionsPerClient`.
    pub per_client: LimitCounter,
    /// Brokers for which `dynamicNodePorts` had no port left.
    pub dynamic_ports: LimitCounter,
}

/// The threads that make TLS connections, so that sessions do not wait behind handshakes.
#[derive(Debug)]
struct Openers {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
}

/// Number of concurrent TLS handshakes with clients. In a burst this finishes the first handshakes before the last
/// begin: only a finished handshake serves its client.
const MAX_CONCURRENT_HANDSHAKES: usize = 32;

/// Number of connections that may wait for a permit of their cluster. Their descriptors come from the reserve.
pub const MAX_WAITING_CONNECTIONS: usize = 256;

impl ProcessContext {
    /// A context with generation 0.
    pub fn new(network: Network) -> Self {
        Self {
            generation: AtomicU64::new(0),
            clients: Arc::new(ClientLimit::new(network.max_connections_per_client)),
            frame_memory: FrameMemory::new(network.filters.memory_limit),
            network: ArcSwap::from_pointee(network),
            unrouted: CloseCounters::default(),
            unrouted_close_log: Arc::default(),
            tls_errors: CloseCounters::default(),
            handshakes: Semaphore::new(MAX_CONCURRENT_HANDSHAKES),
            openers: OnceLock::new(),
            waiting: Semaphore::new(MAX_WAITING_CONNECTIONS),
            per_client: LimitCounter::new(),
            dynamic_ports: LimitCounter::new(),
        }
    }

    /// Sets the threads that make TLS connections, once.
    pub fn set_openers(&self, runtimes: Vec<Handle>) {
        let next = AtomicUsize::new(0);
        self.openers.get_or_init(|| Openers { runtimes, next });
    }

    /// One of the threads that make TLS connections, each in its turn; `None` if there are none.
    pub fn opener(&self) -> Option<&Handle> {
        let openers = self.openers.get()?;
        let turn = openers.next.fetch_add(1, Ordering::Relaxed);
        openers.runtimes.get(turn.checked_rem(openers.runtimes.len())?)
    }

    /// Number of the running configuration.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The current network settings.
    pub fn network(&self) -> Guard<Arc<Network>> {
        self.network.load()
    }

    /// Replaces the network settings; only for the owner of the configuration.
    pub fn set_network(&self, network: Arc<Network>) {
        self.clients.set(network.max_connections_per_client);
        self.frame_memory.set_limit(network.filters.memory_limit);
        self.network.store(network);
    }

    /// Has the first generation be the one after `reached`, which an earlier run of the process reached.
    pub fn continue_after(&self, reached: u64) {
        self.generation.store(reached, Ordering::Release);
    }

    /// Increments the generation and returns it; only for the owner of the configuration.
    pub fn advance(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// What all contexts of a virtual cluster share, so that it goes on over a change of the target.
#[derive(Debug, Clone, Default)]
pub struct ClusterCommons {
    /// Counters.
    pub counters: Arc<ClusterCounters>,
    /// Permits for connections.
    pub limit: Arc<ConnectionLimit>,
    /// `maxConnectionsPerClient`.
    pub clients: Arc<ClientLimit>,
    /// Whether new sessions are taken.
    pub intake: Arc<Intake>,
    /// Whether requests wait.
    pub pause: Arc<PauseGate>,
}

/// One virtual cluster with its target, as its sessions see it. A new context replaces it when the target changes;
/// other settings change inside it.
#[derive(Debug)]
pub struct ClusterContext {
    /// Name of the virtual cluster.
    pub name: String,
    /// Context of the process.
    pub process: Arc<ProcessContext>,
    generation: AtomicU64,
    model: ArcSwap<VirtualCluster>,
    /// The target cluster.
    pub target: Arc<UpstreamTarget>,
    /// Counters of the cluster, shared by all contexts of the cluster.
    pub counters: Arc<ClusterCounters>,
    /// `maxConnections` of the cluster, shared by all contexts of the cluster.
    pub limit: Arc<ConnectionLimit>,
    /// `maxConnectionsPerClient` of the cluster, shared by all contexts of the cluster.
    pub clients: Arc<ClientLimit>,
    /// Whether new sessions are taken, shared by all contexts of the cluster.
    pub intake: Arc<Intake>,
    /// Whether requests wait, shared by all contexts of the cluster.
    pub pause: Arc<PauseGate>,
    chain: ArcSwapOption<InstalledChain>,
    successor: ArcSwapOption<Successor>,
}

impl ClusterContext {
    /// A context with generation 0.
    pub fn new(
        process: Arc<ProcessContext>,
        model: Arc<VirtualCluster>,
        target: Arc<UpstreamTarget>,
        commons: ClusterCommons,
    ) -> Self {
        let ClusterCommons {
            counters,
            limit,
            clients,
            intake,
            pause,
        } = commons;
        Self {
            name: model.name.clone(),
            process,
            generation: AtomicU64::new(0),
            model: ArcSwap::new(model),
            target,
            counters,
            limit,
            clients,
            intake,
            pause,
            chain: ArcSwapOption::empty(),
            successor: ArcSwapOption::empty(),
        }
    }

    /// What it shares with the contexts before and behind it.
    pub fn commons(&self) -> ClusterCommons {
        ClusterCommons {
            counters: Arc::clone(&self.counters),
            limit: Arc::clone(&self.limit),
            clients: Arc::clone(&self.clients),
            intake: Arc::clone(&self.intake),
            pause: Arc::clone(&self.pause),
        }
    }

    /// Where its sessions may go on; `None` while it is the newest context of the cluster.
    pub fn successor(&self) -> Option<Arc<Successor>> {
        self.successor.load_full()
    }

    /// Sets where its sessions may go on; only for the owner of the configuration, before it asks them to leave.
    pub fn set_successor(&self, successor: Arc<Successor>) {
        self.successor.store(Some(successor));
    }

    /// The filters of the cluster; `None` if it has none.
    pub fn chain(&self) -> Option<Arc<InstalledChain>> {
        self.chain.load_full()
    }

    /// Replaces the filters; only for the owner of the configuration. Sessions follow when they are told that their
    /// settings have changed.
    pub fn set_chain(&self, chain: Option<Arc<Chain>>) {
        self.chain
            .store(chain.map(|chain| Arc::new(InstalledChain::new(chain))));
    }

    /// The generation that last changed the cluster; new sessions begin with it.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Sets the generation; only for the owner of the configuration.
    pub fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Release);
    }

    /// The current settings of the cluster.
    pub fn model(&self) -> Guard<Arc<VirtualCluster>> {
        self.model.load()
    }

    /// Replaces the settings; only for the owner of the configuration.
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

    /// Creates the counters for bootstrap and for configured nodes, so that they are exported with 0 before the first
    /// connection. With very many nodes, each is counted from its first connection on.
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

    /// Removes the counters of nodes that the cluster no longer has.
    pub fn forget_nodes(&self) {
        self.counters.retain(|node| self.knows_node(node));
        self.target.offers.retain(|node| self.knows_node(node));
    }
}

/// One gateway of a cluster.
#[derive(Debug)]
pub struct GatewayContext {
    /// Name of the gateway.
    pub name: Arc<str>,
    /// Advertised endpoints of its nodes.
    pub directory: Arc<NodeDirectory>,
    /// TLS settings; `None` for plaintext. Changed settings apply to the next handshake.
    pub tls: Option<ArcSwap<DownstreamContext>>,
    /// PROXY protocol settings.
    pub proxy_protocol: ProxyProtocol,
    /// Whether a withheld node has been logged: it is logged once, then only counted.
    pub withheld_logged: AtomicBool,
}

/// Target of an endpoint: its cluster, gateway and broker, and the table of its sessions.
#[derive(Debug, Clone)]
pub struct EndpointBinding {
    /// Virtual cluster of the endpoint.
    pub cluster: Arc<ClusterContext>,
    /// Gateway of the endpoint.
    pub gateway: Arc<GatewayContext>,
    /// Bootstrap or one node.
    pub node: NodeRole,
    /// Sessions of this endpoint while its target stays the same.
    pub tracker: Arc<ConnectionTracker>,
}

impl EndpointBinding {
    /// Whether its node is known to exist. Where host names identify nodes, a client can ask for any id.
    pub fn is_known(&self) -> bool {
        let known = |node| self.cluster.knows_node(node);
        self.node.id().is_none_or(known) || !self.gateway.directory.is_by_name()
    }
}

impl ProcessContext {
    /// Counts a closed connection that never became part of a cluster.
    pub fn count_unrouted(&self, cause: CloseCause) {
        self.unrouted.count(cause);
        self.count_tls(cause);
    }

    /// Counts a closed connection if the cause concerns TLS.
    pub fn count_tls(&self, cause: CloseCause) {
        if cause.is_tls() {
            self.tls_errors.count(cause);
        }
    }
}
