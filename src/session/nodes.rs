//! Advertised endpoints of a gateway's nodes: the addresses that replace broker addresses in answers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use super::topology::{MOST_NODES, Topology};
use crate::model::{NodeHostPattern, write_address};
use crate::wire::rewrite::{Advertised, Nodes};

/// Advertised endpoints of one gateway, as one consistent snapshot.
#[derive(Debug, Clone, Default)]
pub struct NodeTable {
    endpoints: HashMap<i32, AdvertisedNode>,
    /// Node ids that could not be given an endpoint. They are not requested again.
    refused: HashSet<i32>,
    /// Whether node ids without an endpoint can get one (`dynamicNodePorts`).
    dynamic: bool,
    /// Host names of nodes, where the gateway identifies nodes by name: then every id has an endpoint.
    hosts: Option<NodeHosts>,
    longest_host: usize,
}

/// Host names of the nodes of a gateway that identifies nodes by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeHosts {
    /// Host name with `$(nodeId)` in it.
    pub pattern: NodeHostPattern,
    /// Port of all nodes.
    pub port: u16,
}

impl NodeHosts {
    /// The advertised endpoint of a node.
    pub fn of(&self, node: i32) -> AdvertisedNode {
        AdvertisedNode {
            host: self.pattern.host(node),
            port: self.port,
        }
    }
}

/// Advertised endpoint of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisedNode {
    /// Host name or IP address.
    pub host: String,
    /// Port number.
    pub port: u16,
}

impl fmt::Display for AdvertisedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, &self.host, self.port)
    }
}

impl NodeTable {
    /// An empty table. `dynamic` says whether the gateway has `dynamicNodePorts`.
    pub fn new(dynamic: bool) -> Self {
        Self {
            dynamic,
            ..Self::default()
        }
    }

    /// A table in which every node has a host name.
    pub fn of_hosts(hosts: NodeHosts) -> Self {
        Self {
            longest_host: hosts.of(i32::MAX).host.len(),
            hosts: Some(hosts),
            ..Self::default()
        }
    }

    /// Adds the host name of a node that has none, if the gateway identifies nodes by name.
    fn name(&mut self, node: i32) {
        if let Some(hosts) = self.hosts.as_ref().filter(|_| self.endpoints.len() < MOST_NODES) {
            let endpoint = hosts.of(node);
            self.insert(node, endpoint);
        }
    }

    /// Adds the endpoint of a node.
    pub fn insert(&mut self, node: i32, endpoint: AdvertisedNode) {
        self.longest_host = self.longest_host.max(endpoint.host.len());
        self.endpoints.insert(node, endpoint);
    }

    /// The address `HOST:PORT` of a node, where the gateway identifies nodes by name; else empty.
    pub fn advertised_address(&self, node: i32) -> String {
        let named = self.hosts.as_ref().map(|hosts| hosts.of(node));
        named.map_or_else(String::new, |named| named.to_string())
    }

    /// Notes that an endpoint may later advertise a host of this length.
    pub fn expect_host(&mut self, len: usize) {
        self.longest_host = self.longest_host.max(len);
    }

    /// Notes that this node gets no endpoint, unless it has one.
    pub fn refuse(&mut self, node: i32) {
        if !self.endpoints.contains_key(&node) {
            self.refused.insert(node);
        }
    }

    /// The endpoint of a node, if it has one.
    pub fn get(&self, node: i32) -> Option<&AdvertisedNode> {
        self.endpoints.get(&node)
    }

    /// All endpoints with their node ids.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &AdvertisedNode)> {
        self.endpoints.iter().map(|(&id, endpoint)| (id, endpoint))
    }

    /// Length of the longest host that any endpoint advertises now or may advertise later.
    pub fn longest_host(&self) -> usize {
        self.longest_host
    }

    /// Whether a node was refused an endpoint.
    pub fn withholds(&self) -> bool {
        self.dynamic && !self.refused.is_empty()
    }

    /// Removes nodes that are not `known` from the host names and from the refused ids. Bound endpoints stay.
    fn retain(&mut self, known: impl Fn(i32) -> bool) {
        if self.hosts.is_some() {
            self.endpoints.retain(|&id, _| known(id));
        }
        self.refused.retain(|&id| known(id));
    }

    /// Whether the node has no endpoint and was not refused one.
    pub fn is_new(&self, node: i32) -> bool {
        !self.endpoints.contains_key(&node) && !self.refused.contains(&node)
    }
}

impl Nodes for NodeTable {
    fn advertised(&self, node_id: i32) -> Option<Advertised<'_>> {
        self.get(node_id).map(|endpoint| Advertised {
            host: &endpoint.host,
            port: endpoint.port,
        })
    }
}

/// Request to the owner of the listeners: bind endpoints for nodes that have none.
#[derive(Debug)]
pub struct EndpointRequest {
    /// Name of the virtual cluster.
    pub cluster: String,
    /// Name of the gateway.
    pub gateway: String,
    /// Node ids without an endpoint.
    pub nodes: Vec<i32>,
    /// Answered, or dropped, once the directory has been updated.
    pub done: oneshot::Sender<()>,
}

/// The current endpoints of a gateway.
#[derive(Debug)]
pub struct NodeDirectory {
    cluster: String,
    gateway: String,
    table: ArcSwap<NodeTable>,
    requests: mpsc::Sender<EndpointRequest>,
    /// Value of [`Topology::forgets`] when the table was last compared with the topology.
    swept: AtomicU64,
}

impl NodeDirectory {
    /// A directory with this table.
    pub fn new(
        cluster: &str,
        gateway: &str,
        table: NodeTable,
        requests: mpsc::Sender<EndpointRequest>,
    ) -> Self {
        Self {
            cluster: cluster.into(),
            gateway: gateway.into(),
            table: ArcSwap::from_pointee(table),
            requests,
            swept: AtomicU64::new(0),
        }
    }

    /// Whether the gateway identifies nodes by name: then a client can ask for any id.
    pub fn is_by_name(&self) -> bool {
        self.table.load().hosts.is_some()
    }

    /// Removes nodes that `topology` has forgotten. Cheap when there are none.
    pub fn follow(&self, topology: &Topology) {
        let forgets = topology.forgets();
        if self.swept.swap(forgets, Ordering::Relaxed) == forgets {
            return;
        }
        let known = topology.snapshot();
        self.table.rcu(|table| {
            let mut table = NodeTable::clone(table);
            table.retain(|id| known.contains_key(&id));
            table
        });
    }

    /// The current snapshot.
    pub fn table(&self) -> Arc<NodeTable> {
        self.table.load_full()
    }

    /// Whether node ids without an endpoint can get one.
    pub fn grows(&self) -> bool {
        let table = self.table.load();
        table.dynamic || table.hosts.is_some()
    }

    /// Replaces the snapshot; only for the owner of the listeners.
    pub fn store(&self, table: NodeTable) {
        self.table.store(Arc::new(table));
    }

    /// Requests endpoints for `nodes` and waits. Afterwards none of them is new: a node that got no endpoint, for
    /// whatever reason, is refused and will be withheld.
    pub async fn request(self: Arc<Self>, nodes: Vec<i32>) {
        if self.table.load().dynamic {
            let (done, answered) = oneshot::channel();
            let (cluster, gateway) = (self.cluster.clone(), self.gateway.clone());
            let request = EndpointRequest {
                cluster,
                gateway,
                nodes: nodes.clone(),
                done,
            };
            if self.requests.send(request).await.is_ok() {
                answered.await.unwrap_or_default();
            }
        }
        self.table.rcu(|table| {
            let mut table = NodeTable::clone(table);
            for &node in &nodes {
                table.name(node);
                table.refuse(node);
            }
            table
        });
    }
}
