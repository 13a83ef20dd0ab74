//! How a test's clients reach Kafka: straight, which proves the test, or through kproxy, which is what it is for.

use std::{collections::BTreeMap, env, net::SocketAddr, sync::Arc, time::Duration};

use kproxy::{
    app::Proxy,
    model::{
        BindIp, BootstrapSelection, DrainPolicy, DrainStrategy, Gateway, HostPort, NodePort, ProxyModel,
        TargetCluster, VirtualCluster,
    },
};

use super::kafka::{KafkaCluster, Listener};

const CLUSTER: &str = "orders";
const GATEWAY: &str = "default";

/// What stands at the address that clients are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// The brokers themselves.
    Direct,
    /// A kproxy of the test's own.
    Proxied,
}

impl Front {
    /// kproxy, unless `KPROXY_TEST_FRONT=direct` asks whether a test holds against Kafka alone.
    pub fn chosen() -> Self {
        match env::var("KPROXY_TEST_FRONT").as_deref() {
            Ok("direct") => Self::Direct,
            Ok("proxied") | Err(env::VarError::NotPresent) => Self::Proxied,
            other => panic!("KPROXY_TEST_FRONT is direct or proxied, not {other:?}"),
        }
    }

    /// Opens a way to `listener` of `cluster`.
    pub fn open(self, cluster: &KafkaCluster, listener: Listener) -> Entry<'_> {
        let proxy = (self == Self::Proxied).then(|| {
            Proxy::start(model(cluster, listener)).unwrap_or_else(|error| panic!("kproxy: {error}"))
        });
        Entry {
            cluster,
            listener,
            proxy,
        }
    }
}

/// A way into a cluster, open as long as this lives.
pub struct Entry<'a> {
    pub cluster: &'a KafkaCluster,
    listener: Listener,
    proxy: Option<Proxy>,
}

impl Entry<'_> {
    /// Where clients begin.
    pub fn address(&self) -> SocketAddr {
        match &self.proxy {
            Some(proxy) => proxy
                .bootstrap(CLUSTER, GATEWAY)
                .expect("the cluster is configured"),
            None => self.cluster.address(self.cluster.ids()[0], self.listener),
        }
    }

    /// [`Entry::address`] as clients take it.
    pub fn bootstrap(&self) -> String {
        self.address().to_string()
    }

    /// The address at which clients find node `id`.
    pub fn node(&self, id: i32) -> SocketAddr {
        match &self.proxy {
            Some(proxy) => proxy
                .node(CLUSTER, GATEWAY, id)
                .expect("the node is in the configured range"),
            None => self.cluster.address(id, self.listener),
        }
    }

    /// Every address that belongs to this way in.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let nodes = self.cluster.ids().into_iter().map(|id| self.node(id));
        nodes.chain([self.address()]).collect()
    }

    /// Whether kproxy stands here.
    pub fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }
}

fn model(cluster: &KafkaCluster, listener: Listener) -> ProxyModel {
    let servers = cluster.ids().into_iter().map(|id| {
        let address = cluster.address(id, listener);
        HostPort {
            host: address.ip().to_string(),
            port: address.port(),
        }
    });
    let gateway = Gateway {
        name: GATEWAY.to_owned(),
        bind: BindIp::Ip([127, 0, 0, 1].into()),
        bootstrap_host: "127.0.0.1".to_owned(),
        bootstrap_port: 0,
        advertised_bootstrap_port: None,
        node_host_pattern: "127.0.0.1".to_owned(),
        nodes: cluster
            .ids()
            .into_iter()
            .map(|node_id| NodePort {
                node_id,
                port: 0,
                advertised_port: None,
            })
            .collect(),
        dynamic_ports: None,
    };
    let virtual_cluster = VirtualCluster {
        name: CLUSTER.to_owned(),
        target: TargetCluster {
            bootstrap_servers: servers.collect(),
            selection: BootstrapSelection::RoundRobin,
        },
        drain: DrainPolicy {
            strategy: DrainStrategy::Graceful,
            timeout: Duration::from_secs(5),
            hard_timeout: Duration::from_secs(10),
            rate: 50,
        },
        max_connections: None,
        log_network: false,
        log_frames: false,
        gateways: vec![gateway],
    };
    let mut model = ProxyModel::empty();
    model.clusters = BTreeMap::from([(CLUSTER.to_owned(), Arc::new(virtual_cluster))]);
    model
}
