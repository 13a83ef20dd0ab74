//! How a test's clients reach Kafka: straight, which proves the test, or through kproxy, which is what it is for.

use std::{env, net::SocketAddr, sync::Arc};

use kproxy::{
    app::Proxy,
    control::{ClientDetails, ConnectionFilter},
    model::{ProxyModel, VirtualCluster},
    session::cause::CloseCause,
};

use super::kafka::{KafkaCluster, Listener};

const CLUSTER: &str = "orders";
const GATEWAY: &str = "default";

/// What stands at the address that clients are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The brokers themselves.
    Direct,
    /// A kproxy of the test's own.
    Proxied,
}

impl Route {
    /// kproxy, unless `KPROXY_TEST_FRONT=direct` asks whether a test holds against Kafka alone.
    pub fn chosen() -> Self {
        match env::var("KPROXY_TEST_FRONT").as_deref() {
            Ok("direct") => Self::Direct,
            Ok("proxied") | Err(env::VarError::NotPresent) => Self::Proxied,
            other => panic!("KPROXY_TEST_FRONT is direct or proxied, not {other:?}"),
        }
    }

    /// Opens a way to `listener` of `cluster`.
    pub fn open(self, cluster: &KafkaCluster, listener: Listener) -> EntryPoint<'_> {
        self.open_with(cluster, listener, |_| {})
    }

    /// Opens a way to `listener` of `cluster`, through a virtual cluster that is changed before.
    pub fn open_with(
        self,
        cluster: &KafkaCluster,
        listener: Listener,
        change: impl FnOnce(&mut VirtualCluster),
    ) -> EntryPoint<'_> {
        let proxy = (self == Self::Proxied).then(|| {
            let mut model = model(cluster, listener);
            let own = model
                .clusters
                .get_mut(CLUSTER)
                .expect("the cluster is configured");
            change(Arc::make_mut(own));
            Proxy::start(model).unwrap_or_else(|error| panic!("kproxy: {error}"))
        });
        EntryPoint {
            cluster,
            listener,
            proxy,
        }
    }
}

/// A way into a cluster, open as long as this lives.
pub struct EntryPoint<'a> {
    pub cluster: &'a KafkaCluster,
    listener: Listener,
    proxy: Option<Proxy>,
}

impl EntryPoint<'_> {
    /// Where clients begin.
    pub fn address(&self) -> SocketAddr {
        match &self.proxy {
            Some(proxy) => proxy
                .bootstrap(CLUSTER, GATEWAY)
                .expect("the cluster is configured"),
            None => self.cluster.address(self.cluster.ids()[0], self.listener),
        }
    }

    /// [`EntryPoint::address`] as clients take it.
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

    /// What kproxy knows of each session's client; nothing where none stands here.
    pub fn known(&self) -> Vec<ClientDetails> {
        let Some(proxy) = &self.proxy else {
            return Vec::new();
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let listed = runtime.block_on(proxy.handle().connections(ConnectionFilter::default()));
        let sessions = listed.expect("kproxy runs").into_iter();
        sessions.map(|session| session.known).collect()
    }

    /// Sessions that have ended for this cause; 0 where no kproxy stands here.
    pub fn closes(&self, cause: CloseCause) -> u64 {
        let counters = self.proxy.as_ref().and_then(|proxy| proxy.counters(CLUSTER));
        counters.map_or(0, |counters| counters.closes(cause))
    }

    /// Requests of an API that clients have sent through kproxy; 0 where none stands here.
    pub fn asked(&self, api_key: i16) -> u64 {
        let counters = self.proxy.as_ref().and_then(|proxy| proxy.counters(CLUSTER));
        let tallies = counters.map(|counters| counters.tallies()).unwrap_or_default();
        let requests = tallies.iter().flat_map(|tally| tally.requests());
        requests
            .filter(|(api, ..)| api.key == api_key)
            .map(|(_, _, count)| count)
            .sum()
    }

    /// Whether kproxy stands here.
    pub fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }
}

/// What an operator would write, with ports from the system.
pub fn model(cluster: &KafkaCluster, listener: Listener) -> ProxyModel {
    let ids = cluster.ids();
    let servers: Vec<String> = ids
        .iter()
        .map(|id| cluster.address(*id, listener).to_string())
        .collect();
    let yaml = format!(
        "virtualClusters:
  - name: {CLUSTER}
    targetCluster:
      bootstrapServers: {servers}
    drain: {{timeout: 5s, hardTimeout: 10s}}
    gateways:
      - name: {GATEWAY}
        portIdentifiesNode:
          bootstrapAddress: 127.0.0.1:0
          nodeIdRanges: [{{name: brokers, start: {first}, end: {last}}}]
",
        servers = servers.join(","),
        first = ids[0],
        last = ids[ids.len() - 1],
    );
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), yaml).expect("a temporary file can be written");
    kproxy::model::load(file.path()).unwrap_or_else(|errors| panic!("{errors:?}"))
}
