//! Where the session of a test takes place: a virtual cluster with a gateway that exist in memory only.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    AllowedBrokers, BootstrapSelection, DrainPolicy, DrainStrategy, HostPort, Network, ProxyProtocol,
    TargetCluster, TopicNameLimits, VirtualCluster,
};
use crate::session::context::{
    ClusterCommons, ClusterContext, EndpointBinding, GatewayContext, NodeRole, ProcessContext,
};
use crate::session::nodes::{AdvertisedNode, NodeDirectory, NodeTable};
use crate::session::upstream::UpstreamTarget;

/// Host name that every node is advertised by.
pub const ADVERTISED_HOST: &str = "kafka.proxy.example";

/// Port that node 0 is advertised by; the others follow.
pub const FIRST_PORT: u16 = 9000;

/// Number of nodes that are advertised: 0, 1, …
pub const ADVERTISED_NODES: i32 = 8;

/// The place of a session.
#[derive(Debug, Clone)]
pub struct BenchSite {
    /// Endpoint that the client came in at.
    pub node: NodeRole,
    /// Whether the gateway can give endpoints to nodes that it has not heard of.
    pub dynamic_nodes: bool,
    /// Whether the addresses of the brokers are known already.
    pub known_brokers: bool,
    /// Whether the virtual cluster logs frames.
    pub log_frames: bool,
    /// Limits of the process.
    pub network: Network,
}

impl Default for BenchSite {
    fn default() -> Self {
        Self {
            node: NodeRole::Bootstrap,
            dynamic_nodes: false,
            known_brokers: false,
            log_frames: false,
            network: Network::default(),
        }
    }
}

/// Address of a broker.
pub fn broker_address(node: i32) -> HostPort {
    HostPort {
        host: "b".into(),
        port: 9092_u16.wrapping_add(node as u16),
    }
}

impl BenchSite {
    /// The endpoint, with a cluster without filters.
    ///
    /// # Panics
    /// Never: the target is one without TLS.
    pub fn build(&self) -> EndpointBinding {
        let mut table = NodeTable::new(self.dynamic_nodes);
        for node in 0..ADVERTISED_NODES {
            let endpoint = AdvertisedNode {
                host: ADVERTISED_HOST.into(),
                port: FIRST_PORT + node as u16,
            };
            table.insert(node, endpoint);
        }
        // Nobody receives: the driver answers for the owner of the listeners.
        let requests = tokio::sync::mpsc::channel(1).0;
        let gateway = GatewayContext {
            name: "gateway".into(),
            directory: Arc::new(NodeDirectory::new("cluster", "gateway", table, requests)),
            withheld_logged: false.into(),
            tls: None,
            proxy_protocol: ProxyProtocol::default(),
        };
        EndpointBinding {
            cluster: Arc::new(self.cluster()),
            gateway: Arc::new(gateway),
            node: self.node,
            tracker: Arc::default(),
        }
    }

    fn cluster(&self) -> ClusterContext {
        let target = TargetCluster {
            bootstrap_servers: vec![broker_address(1)],
            selection: BootstrapSelection::RoundRobin,
            allowed_brokers: AllowedBrokers::default(),
            via: None,
            tls: None,
            login: None,
        };
        let known = 0..if self.known_brokers { ADVERTISED_NODES } else { 0 };
        let remembered = known.map(|node| (node, broker_address(node))).collect();
        let model = VirtualCluster {
            name: "cluster".into(),
            target: target.clone(),
            drain: DrainPolicy {
                strategy: DrainStrategy::Graceful,
                timeout: Duration::ZERO,
                hard_timeout: Duration::ZERO,
                rate: 1,
            },
            max_connections: None,
            max_connections_per_client: None,
            log_network: false,
            log_frames: self.log_frames,
            filters: Vec::new(),
            subject_builder: None,
            fence: None,
            topic_names: TopicNameLimits::default(),
            gateways: Vec::new(),
        };
        let target = UpstreamTarget::new(target, remembered, Arc::default(), Arc::default());
        ClusterContext::new(
            Arc::new(ProcessContext::new(self.network.clone())),
            Arc::new(model),
            Arc::new(target.expect("a target without TLS lacks nothing")),
            ClusterCommons::default(),
        )
    }
}
