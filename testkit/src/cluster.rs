//! Several brokers that are one cluster: they know each other's addresses, answer what a client needs to find its
//! way at every version, want SASL where told, and remember who was asked what.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicI16, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{
    ApiVersionsResponse, DescribeConfigsRequest, DescribeConfigsResponse, FindCoordinatorResponse,
    MetadataResponse, ProduceRequest, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, StrBytes};

use super::broker::{Asked, Broker, Connection};
use super::frames;

pub const API_VERSIONS: i16 = 18;
pub const METADATA: i16 = 3;
pub const SASL_HANDSHAKE: i16 = 17;
pub const SASL_AUTHENTICATE: i16 = 36;
const PRODUCE: i16 = 0;
const FIND_COORDINATOR: i16 = 10;
const DESCRIBE_CONFIGS: i16 = 32;

/// The one PLAIN token that is accepted.
pub const PLAIN_TOKEN: &[u8] = b"\0alice\0secret";

/// A request that reached a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub node: i32,
    pub api_key: i16,
    pub correlation_id: i32,
    /// It came over one of kproxy's own connections.
    pub own: bool,
}

struct Shared {
    /// What Metadata says.
    addresses: Mutex<BTreeMap<i32, SocketAddr>>,
    /// Hosts that Metadata names in place of those addresses.
    hosts: Mutex<BTreeMap<i32, String>>,
    racks: Mutex<BTreeMap<i32, String>>,
    log: Mutex<Vec<Logged>>,
    sasl: bool,
    /// What Metadata says of the cluster's id.
    id: Mutex<String>,
    /// The newest version of Produce that is offered.
    produce: AtomicI16,
    /// Requests of this API are not answered; −1 for none.
    held_back: Mutex<i16>,
    let_go: Condvar,
}

/// The cluster. Dropping it closes everything.
pub struct Cluster {
    shared: Arc<Shared>,
    brokers: BTreeMap<i32, Broker>,
    /// Brokers that answer although their nodes are said to be elsewhere.
    left: Vec<Broker>,
}

impl Cluster {
    pub fn start(nodes: impl IntoIterator<Item = i32>) -> Self {
        Self::with(nodes, false)
    }

    /// Closes a connection that sends anything but ApiVersions and SASL before PLAIN has succeeded.
    pub fn with_sasl(nodes: impl IntoIterator<Item = i32>) -> Self {
        Self::with(nodes, true)
    }

    fn with(nodes: impl IntoIterator<Item = i32>, sasl: bool) -> Self {
        let shared = Arc::new(Shared {
            addresses: Mutex::default(),
            hosts: Mutex::default(),
            racks: Mutex::default(),
            log: Mutex::default(),
            sasl,
            id: Mutex::new("the-cluster".into()),
            produce: AtomicI16::new(13),
            held_back: Mutex::new(-1),
            let_go: Condvar::new(),
        });
        let mut cluster = Self {
            shared,
            brokers: BTreeMap::new(),
            left: Vec::new(),
        };
        // All are known before the first is asked.
        let listeners: Vec<_> = nodes.into_iter().map(|node| (node, listener())).collect();
        for (node, listener) in &listeners {
            cluster.announce(*node, listener.local_addr().unwrap());
        }
        for (node, listener) in listeners {
            cluster.run(node, listener);
        }
        cluster
    }

    /// Has Metadata say that the cluster has this id.
    pub fn call_itself(&self, id: &str) {
        *self.shared.id.lock().unwrap() = id.into();
    }

    /// Offers Produce up to this version.
    pub fn offer_produce_up_to(&self, version: i16) {
        self.shared.produce.store(version, Ordering::Relaxed);
    }

    /// Answers requests of this API, and what follows on their connections, only after [`Self::let_go`].
    pub fn hold_back(&self, api_key: i16) {
        *self.shared.held_back.lock().unwrap() = api_key;
    }

    /// Ends what [`Self::hold_back`] began.
    pub fn let_go(&self) {
        self.hold_back(-1);
        self.shared.let_go.notify_all();
    }

    fn announce(&self, node: i32, address: SocketAddr) {
        self.shared.addresses.lock().unwrap().insert(node, address);
    }

    fn run(&mut self, node: i32, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let broker = Broker::on(listener, move |connection| serve(&shared, node, connection));
        self.brokers.insert(node, broker);
    }

    /// Adds a broker to those that are there.
    pub fn add(&mut self, node: i32) {
        let listener = listener();
        self.announce(node, listener.local_addr().unwrap());
        self.run(node, listener);
    }

    /// Closes a broker's port and opens another one.
    pub fn move_away(&mut self, node: i32) {
        // The new port is bound before the old one is free, so it is another.
        let listener = listener();
        self.brokers.remove(&node);
        self.announce(node, listener.local_addr().unwrap());
        self.run(node, listener);
    }

    /// Closes a broker's port and its connections. The broker is back at its port with [`StoppedBroker::begin`].
    pub fn restart(&mut self, node: i32) -> StoppedBroker {
        let address = self.address(node);
        self.brokers.remove(&node);
        StoppedBroker { node, address }
    }

    /// Opens another port for a broker, while the one it had goes on answering.
    pub fn move_and_stay(&mut self, node: i32) {
        self.left.extend(self.brokers.remove(&node));
        self.add(node);
    }

    /// Closes a broker's port; Metadata goes on naming it.
    pub fn kill(&mut self, node: i32) {
        self.brokers.remove(&node);
    }

    /// Metadata says that a node is there.
    pub fn say(&self, node: i32, address: SocketAddr) {
        self.announce(node, address);
    }

    /// Metadata names this host for a node, with the port that it has.
    pub fn name(&self, node: i32, host: &str) {
        self.shared.hosts.lock().unwrap().insert(node, host.to_owned());
    }

    /// Metadata says that a node is in this rack.
    pub fn put_into_rack(&self, node: i32, rack: &str) {
        self.shared.racks.lock().unwrap().insert(node, rack.to_owned());
    }

    pub fn address(&self, node: i32) -> SocketAddr {
        self.shared.addresses.lock().unwrap()[&node]
    }

    /// Connections a node has accepted.
    pub fn connections(&self, node: i32) -> usize {
        self.brokers[&node].connections()
    }

    /// Everything that was asked, in order.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.log.lock().unwrap().clone()
    }

    /// The nodes that clients' requests of this API reached.
    pub fn asked(&self, api_key: i16) -> Vec<i32> {
        let of_clients = |logged: &Logged| logged.api_key == api_key && !logged.own;
        self.log()
            .into_iter()
            .filter(of_clients)
            .map(|logged| logged.node)
            .collect()
    }
}

/// A broker that is being restarted.
#[must_use]
pub struct StoppedBroker {
    node: i32,
    address: SocketAddr,
}

impl StoppedBroker {
    /// Has the broker listen again.
    pub fn begin(self, cluster: &mut Cluster) {
        cluster.run(self.node, TcpListener::bind(self.address).unwrap());
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn serve(shared: &Shared, node: i32, mut connection: Connection) {
    let mut authenticated = !shared.sasl;
    while let Some(asked) = connection.request() {
        shared.log.lock().unwrap().push(Logged {
            node,
            api_key: asked.api_key,
            correlation_id: asked.correlation_id,
            own: asked.content.windows(6).any(|bytes| bytes == b"kproxy"),
        });
        let held = shared.held_back.lock().unwrap();
        // It is let go, or the connection ends with the process.
        let is_held = |held: &mut i16| *held == asked.api_key;
        drop(shared.let_go.wait_while(held, is_held).unwrap());
        match asked.api_key {
            API_VERSIONS => {
                let mut offered = api_versions();
                offered.api_keys[0].max_version = shared.produce.load(Ordering::Relaxed);
                connection.answer(&asked, &offered);
            }
            SASL_HANDSHAKE => authenticated |= handshake(&mut connection, &asked),
            SASL_AUTHENTICATE => {
                let request: SaslAuthenticateRequest = body(&asked);
                // Every bearer token is good: checking them is not what these brokers are for.
                authenticated =
                    &request.auth_bytes[..] == PLAIN_TOKEN || request.auth_bytes.starts_with(b"n,,");
                let error = if authenticated { 0 } else { 58 };
                connection.answer(
                    &asked,
                    &SaslAuthenticateResponse::default().with_error_code(error),
                );
            }
            _ if !authenticated => return,
            METADATA => connection.answer(&asked, &metadata(shared)),
            DESCRIBE_CONFIGS => connection.answer(&asked, &described(node, &body(&asked))),
            FIND_COORDINATOR => connection.answer(&asked, &coordinator(shared, asked.api_version)),
            PRODUCE if body::<ProduceRequest>(&asked).acks == 0 => {}
            // Says who answered.
            _ => connection.send(&frames::raw_response(asked.correlation_id, &node.to_be_bytes())),
        }
    }
}

/// The body of a request.
pub fn body<M: Decodable + HeaderVersion>(asked: &Asked) -> M {
    let mut bytes = asked.content.as_slice();
    let header = M::header_version(asked.api_version);
    kafka_protocol::messages::RequestHeader::decode(&mut bytes, header).unwrap();
    M::decode(&mut bytes, asked.api_version).unwrap()
}

/// Answers a handshake; after version 0 exchanges raw tokens and returns whether they were right.
fn handshake(connection: &mut Connection, asked: &Asked) -> bool {
    let request: SaslHandshakeRequest = body(asked);
    connection.answer(asked, &SaslHandshakeResponse::default());
    if asked.api_version > 0 {
        return false;
    }
    if request.mechanism.as_str() == "PLAIN" {
        let right = connection.content().as_deref() == Some(PLAIN_TOKEN);
        connection.send(&frames::framed(b""));
        return right;
    }
    // Like SCRAM: two tokens each way.
    let first = connection.content();
    connection.send(&frames::framed(b"r=server-first"));
    let last = connection.content();
    connection.send(&frames::framed(b"v=server-final"));
    first.as_deref() == Some(b"n,,n=alice,r=client-first".as_slice())
        && last.as_deref() == Some(b"c=biws,r=client-final".as_slice())
}

pub fn api_versions() -> ApiVersionsResponse {
    let range = |(key, min, max)| {
        ApiVersion::default()
            .with_api_key(key)
            .with_min_version(min)
            .with_max_version(max)
    };
    let ranges = [
        (0, 0, 13),
        (1, 4, 18),
        (METADATA, 0, 13),
        (FIND_COORDINATOR, 0, 6),
        (SASL_HANDSHAKE, 0, 1),
        (API_VERSIONS, 0, 4),
        (DESCRIBE_CONFIGS, 0, 4),
        (SASL_AUTHENTICATE, 0, 2),
    ];
    ApiVersionsResponse::default().with_api_keys(ranges.into_iter().map(range).collect())
}

fn metadata(shared: &Shared) -> MetadataResponse {
    let addresses = shared.addresses.lock().unwrap();
    let (hosts, racks) = (shared.hosts.lock().unwrap(), shared.racks.lock().unwrap());
    let brokers = addresses.iter().map(|(&node, address)| {
        let broker = broker(node, *address).with_rack(racks.get(&node).cloned().map(StrBytes::from_string));
        match hosts.get(&node).cloned() {
            Some(host) => broker.with_host(StrBytes::from_string(host)),
            None => broker,
        }
    });
    let brokers = brokers.collect();
    MetadataResponse::default()
        .with_brokers(brokers)
        .with_cluster_id(Some(StrBytes::from_string(shared.id.lock().unwrap().clone())))
}

/// One broker as Metadata names it.
pub fn broker(node: i32, address: SocketAddr) -> MetadataResponseBroker {
    MetadataResponseBroker::default()
        .with_node_id(node.into())
        .with_host(StrBytes::from_string(address.ip().to_string()))
        .with_port(address.port().into())
}

/// A broker gives its own settings only, and says in Kafka's words that it is another one.
fn described(node: i32, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let asked = request.resources[0].resource_name.as_str();
    let mut result = DescribeConfigsResult::default().with_resource_type(4);
    if asked != node.to_string() {
        let why = format!("Unexpected broker id, expected {node} or empty string, but received {asked}");
        result = result
            .with_error_code(42)
            .with_error_message(Some(StrBytes::from_string(why)));
    }
    DescribeConfigsResponse::default().with_results(vec![result])
}

/// The first node coordinates everything.
fn coordinator(shared: &Shared, version: i16) -> FindCoordinatorResponse {
    let addresses = shared.addresses.lock().unwrap();
    let (&node, address) = addresses.first_key_value().unwrap();
    let host = StrBytes::from_string(address.ip().to_string());
    let port = address.port().into();
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_node_id(node.into())
            .with_host(host)
            .with_port(port);
    }
    let coordinator = Coordinator::default()
        .with_key(StrBytes::from_static_str("group"))
        .with_node_id(node.into())
        .with_host(host)
        .with_port(port);
    FindCoordinatorResponse::default().with_coordinators(vec![coordinator])
}
