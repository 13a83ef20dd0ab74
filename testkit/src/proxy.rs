//! kproxy in this process, on ports of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kproxy::app::{Exit, Proxy};
use kproxy::control::ReloadReport;
use kproxy::model::{
    AllowedBrokers, BindIp, BootstrapSelection, DrainPolicy, DrainStrategy, Gateway, HostPort, IdentifiedBy,
    Network, NodePort, ProxyModel, ProxyProtocol, TargetCluster, TopicNameLimits, VirtualCluster,
};
use kproxy::reload::Outcome;
use kproxy::session::cause::CloseCause;
use kproxy::session::counters::ClusterCounters;

use super::client::Client;
use super::wait::eventually;

pub const CLUSTER: &str = "demo";
const GATEWAY: &str = "main";

/// A model of one cluster behind one gateway on loopback, to be changed and started.
#[derive(Clone)]
pub struct Setup {
    pub network: Network,
    pub state_directory: Option<std::path::PathBuf>,
    pub cluster: VirtualCluster,
    others: Vec<VirtualCluster>,
}

impl Setup {
    /// In front of these bootstrap servers, with ports for nodes 0 to 2. Two workers, whatever the machine has.
    pub fn to(targets: &[SocketAddr]) -> Self {
        Self {
            network: Network {
                worker_threads: Some(2),
                connect_timeout: Duration::from_secs(5),
                ..Network::default()
            },
            state_directory: None,
            cluster: cluster(CLUSTER, targets),
            others: Vec::new(),
        }
    }

    pub fn network(mut self, change: impl FnOnce(&mut Network)) -> Self {
        change(&mut self.network);
        self
    }

    pub fn cluster(mut self, change: impl FnOnce(&mut VirtualCluster)) -> Self {
        change(&mut self.cluster);
        self
    }

    pub fn gateway(mut self, change: impl FnOnce(&mut Gateway)) -> Self {
        change(&mut self.cluster.gateways[0]);
        self
    }

    /// Ports for exactly these nodes.
    pub fn nodes(self, ids: impl IntoIterator<Item = i32>) -> Self {
        self.gateway(|gateway| gateway.nodes = ids.into_iter().map(node_port).collect())
    }

    /// The host clients are told for every node.
    pub fn advertising(self, host: &str) -> Self {
        self.gateway(|gateway| gateway.node_host_pattern = host.into())
    }

    /// One more cluster.
    pub fn and(mut self, name: &str, targets: &[SocketAddr]) -> Self {
        self.others.push(cluster(name, targets));
        self
    }

    /// The other cluster of this name, to be changed.
    pub fn other(mut self, name: &str, change: impl FnOnce(&mut VirtualCluster)) -> Self {
        let found = self.others.iter_mut().find(|cluster| cluster.name == name);
        change(found.unwrap());
        self
    }

    /// Without the other cluster of this name.
    pub fn without(mut self, name: &str) -> Self {
        self.others.retain(|cluster| cluster.name != name);
        self
    }

    pub fn model(&self) -> ProxyModel {
        let clusters = std::iter::once(&self.cluster).chain(&self.others);
        ProxyModel {
            network: self.network.clone(),
            state_directory: self.state_directory.clone(),
            clusters: clusters
                .map(|cluster| (cluster.name.clone(), Arc::new(cluster.clone())))
                .collect::<BTreeMap<_, _>>(),
            ..ProxyModel::empty()
        }
    }

    #[track_caller]
    pub fn start(&self) -> TestProxy {
        TestProxy {
            proxy: Proxy::start(self.model()).unwrap(),
        }
    }
}

fn cluster(name: &str, targets: &[SocketAddr]) -> VirtualCluster {
    VirtualCluster {
        name: name.into(),
        target: TargetCluster {
            bootstrap_servers: servers(targets),
            selection: BootstrapSelection::RoundRobin,
            allowed_brokers: AllowedBrokers::default(),
            via: None,
            tls: None,
            login: None,
        },
        drain: DrainPolicy {
            strategy: DrainStrategy::Graceful,
            timeout: Duration::from_secs(10),
            hard_timeout: Duration::from_secs(20),
            rate: 100,
        },
        max_connections: None,
        max_connections_per_client: None,
        log_network: false,
        log_frames: false,
        filters: Vec::new(),
        subject_builder: None,
        fence: None,
        topic_names: TopicNameLimits::default(),
        gateways: vec![Gateway {
            name: GATEWAY.into(),
            bind: BindIp::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            bootstrap_host: "127.0.0.1".into(),
            bootstrap_port: 0,
            advertised_bootstrap_port: None,
            node_host_pattern: "127.0.0.1".into(),
            nodes: (0..3).map(node_port).collect(),
            dynamic_ports: None,
            identified_by: IdentifiedBy::Port,
            tls: None,
            proxy_protocol: ProxyProtocol::default(),
        }],
    }
}

/// Ports that were free a moment ago, for tests in which a port has to have a number before it is bound.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The bootstrap servers at these addresses.
pub fn servers(targets: &[SocketAddr]) -> Vec<HostPort> {
    let server = |address: &SocketAddr| HostPort {
        host: address.ip().to_string(),
        port: address.port(),
    };
    targets.iter().map(server).collect()
}

/// A port of the operating system's choice for a node.
pub fn node_port(node_id: i32) -> NodePort {
    NodePort {
        node_id,
        port: 0,
        advertised_port: None,
    }
}

/// A proxy that runs. Dropping it shuts it down.
#[derive(Debug)]
pub struct TestProxy {
    pub proxy: Proxy,
}

impl TestProxy {
    #[track_caller]
    pub fn bootstrap(&self) -> SocketAddr {
        self.bootstrap_of(CLUSTER)
    }

    #[track_caller]
    pub fn bootstrap_of(&self, cluster: &str) -> SocketAddr {
        self.proxy.bootstrap(cluster, GATEWAY).unwrap()
    }

    /// The port of a node.
    #[track_caller]
    pub fn node(&self, id: i32) -> SocketAddr {
        self.proxy.node(CLUSTER, GATEWAY, id).unwrap()
    }

    /// A client at the bootstrap port.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.bootstrap())
    }

    #[track_caller]
    pub fn counters(&self) -> Arc<ClusterCounters> {
        self.proxy.counters(CLUSTER).unwrap()
    }

    /// Waits until so many sessions have ended for this cause.
    #[track_caller]
    pub fn expect_closes(&self, cause: CloseCause, count: u64) {
        let counters = self.counters();
        eventually(
            &format!("{count} × {}; there are {:?}", cause.name(), closes(&counters)),
            || counters.closes(cause) >= count,
        );
        assert_eq!(counters.closes(cause), count, "{:?}", closes(&counters));
    }

    /// Waits until so many sessions are alive.
    #[track_caller]
    pub fn expect_sessions(&self, count: usize) {
        eventually(&format!("{count} sessions"), || {
            let status = self.proxy.status().unwrap();
            status
                .clusters
                .iter()
                .map(|cluster| cluster.connections)
                .sum::<usize>()
                == count
        });
    }

    /// Makes this what runs; it must be applied.
    #[track_caller]
    pub fn apply(&self, setup: &Setup) -> ReloadReport {
        let report = self.proxy.reload(setup.model()).unwrap();
        assert_eq!(report.outcome, Outcome::Applied, "{:?}", report.errors);
        report
    }

    #[track_caller]
    pub fn bootstrap_at(&self, cluster: &str, gateway: &str) -> SocketAddr {
        self.proxy.bootstrap(cluster, gateway).unwrap()
    }

    #[track_caller]
    pub fn shutdown(self) -> Exit {
        self.proxy.shutdown().unwrap()
    }
}

/// Every close so far, by the name of its cause.
pub fn closes(counters: &ClusterCounters) -> BTreeMap<&'static str, u64> {
    counters
        .all_closes()
        .map(|(cause, count)| (cause.name(), count))
        .collect()
}
