//! Which endpoint of a gateway stands for which broker: what clients are told in place of broker addresses.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use super::topology::{MOST_NODES, Topology};
use crate::model::write_address;
use crate::wire::rewrite::{Advertised, Nodes};

/// The advertised endpoints of one gateway, as one consistent snapshot.
#[derive(Debug, Clone, Default)]
pub struct NodeTable {
    endpoints: HashMap<i32, AdvertisedNode>,
    /// Ids that were asked for and could not be given an endpoint. They are not asked for again.
    refused: HashSet<i32>,
    /// Ids without an endpoint can be given one.
    dynamic: bool,
    /// Any id has a name, and its endpoint is there already.
    hosts: Option<NodeHosts>,
    longest_host: usize,
}

/// What every node of a gateway is called whose nodes are told apart by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeHosts {
    /// With `$(nodeId)` in it.
    pub pattern: String,
    pub port: u16,
}

/// The token of host patterns that stands for the node id.
const NODE_ID: &str = "$(nodeId)";

impl NodeHosts {
    pub fn of(&self, node: i32) -> AdvertisedNode {
        AdvertisedNode {
            host: self.pattern.replace(NODE_ID, &node.to_string()),
            port: self.port,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisedNode {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for AdvertisedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, &self.host, self.port)
    }
}

impl NodeTable {
    /// An empty table. `dynamic`: the gateway has `dynamicNodePorts`.
    pub fn new(dynamic: bool) -> Self {
        Self {
            dynamic,
            ..Self::default()
        }
    }

    /// A table in which every node is known by its name.
    pub fn of_hosts(hosts: NodeHosts) -> Self {
        Self {
            longest_host: hosts.of(i32::MAX).host.len(),
            hosts: Some(hosts),
            ..Self::default()
        }
    }

    /// Gives a name to an id that has none, if names tell nodes apart here.
    fn name(&mut self, node: i32) {
        if let Some(hosts) = self.hosts.as_ref().filter(|_| self.endpoints.len() < MOST_NODES) {
            let endpoint = hosts.of(node);
            self.insert(node, endpoint);
        }
    }

    pub fn insert(&mut self, node: i32, endpoint: AdvertisedNode) {
        self.longest_host = self.longest_host.max(endpoint.host.len());
        self.endpoints.insert(node, endpoint);
    }

    /// The address of a node that names tell apart, `HOST:PORT`; empty where they do not.
    pub fn advertised_address(&self, node: i32) -> String {
        let named = self.hosts.as_ref().map(|hosts| hosts.of(node));
        named.map_or_else(String::new, |named| named.to_string())
    }

    /// Notes that an endpoint may come to advertise a host of this length.
    pub fn expect_host(&mut self, len: usize) {
        self.longest_host = self.longest_host.max(len);
    }

    /// Notes that this node gets no endpoint, unless it has one.
    pub fn refuse(&mut self, node: i32) {
        if !self.endpoints.contains_key(&node) {
            self.refused.insert(node);
        }
    }

    pub fn get(&self, node: i32) -> Option<&AdvertisedNode> {
        self.endpoints.get(&node)
    }

    pub fn iter(&self) -> impl Iterator<Item = (i32, &AdvertisedNode)> {
        self.endpoints.iter().map(|(&id, endpoint)| (id, endpoint))
    }

    /// Length of the longest host any endpoint advertises or may come to advertise.
    pub fn longest_host(&self) -> usize {
        self.longest_host
    }

    /// Whether there is a node that was to be given an endpoint and was refused one.
    pub fn withholds(&self) -> bool {
        self.dynamic && !self.refused.is_empty()
    }

    /// Forgets the names of nodes that are not `known`, and that these were refused endpoints. What is bound stays.
    fn retain(&mut self, known: impl Fn(i32) -> bool) {
        if self.hosts.is_some() {
            self.endpoints.retain(|&id, _| known(id));
        }
        self.refused.retain(|&id| known(id));
    }

    /// Has neither an endpoint nor been refused one.
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

/// Asks the owner of the listeners to bind endpoints for nodes that have none.
#[derive(Debug)]
pub struct EndpointRequest {
    pub cluster: String,
    pub gateway: String,
    pub nodes: Vec<i32>,
    /// Answered (or dropped) once the directory has been updated.
    pub done: oneshot::Sender<()>,
}

/// The live view of a gateway's endpoints.
#[derive(Debug)]
pub struct NodeDirectory {
    cluster: String,
    gateway: String,
    table: ArcSwap<NodeTable>,
    requests: mpsc::Sender<EndpointRequest>,
    /// [`Topology::forgets`] when the table was last looked through.
    swept: AtomicU64,
}

impl NodeDirectory {
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

    /// Whether names tell the nodes apart: then a client can ask for any.
    pub fn is_by_name(&self) -> bool {
        self.table.load().hosts.is_some()
    }

    /// Forgets what `topology` has forgotten. Cheap where that is nothing.
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

    pub fn table(&self) -> Arc<NodeTable> {
        self.table.load_full()
    }

    /// Whether ids without an endpoint can be given one.
    pub fn grows(&self) -> bool {
        let table = self.table.load();
        table.dynamic || table.hosts.is_some()
    }

    /// Replaces the snapshot; for the owner of the listeners only.
    pub fn store(&self, table: NodeTable) {
        self.table.store(Arc::new(table));
    }

    /// Has endpoints bound for `nodes`. Afterwards none of them is new any more: a node that got no endpoint, for
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
