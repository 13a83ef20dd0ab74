//! What the configuration means: every default filled in, every rule checked. Pure.
//!
//! `config` mirrors the file; nothing below this module ever sees a serde type. A [`ProxyModel`] compares by
//! meaning, so two files that say the same thing in different words resolve to equal models.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::Secret;
use crate::names::names;
use crate::pki::{Identity, Negotiation, RevocationLists, TrustStore};
pub use crate::wire::proxy_protocol::Version as ProxyProtocolVersion;

mod allowed_brokers;
mod beside;
mod cluster;
mod coverage;
mod drain;
mod expiry;
mod gateway;
mod loaded;
mod loader;
mod names;
mod node_host;
mod node_ids;
mod operation;
mod own_address;
mod per_client;
mod ports;
mod process;
mod proxy_protocol;
mod resolve;
mod scope;
mod sni;
mod sni_hosts;
mod tls;
mod trusted_peers;
mod warnings;

pub use allowed_brokers::{AllowedBrokers, NotAllowed};
pub use loaded::{Loaded, load, load_again, load_all, load_once, parse};
pub use loader::Loader;
pub use node_host::NodeHostPattern;
pub use resolve::resolve;
pub use trusted_peers::is_trusted;
pub use warnings::Warnings;

/// Everything one generation of the proxy runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyModel {
    pub network: Network,
    pub logging: Logging,
    /// Where the learned topology is remembered between runs; `None` remembers nothing.
    pub state_directory: Option<PathBuf>,
    /// `None`: no HTTP.
    pub management: Option<Management>,
    /// `None`: the default path.
    pub control_socket: Option<PathBuf>,
    pub reload: ReloadSettings,
    /// By name. Shared, because every session keeps the cluster it began with.
    pub clusters: BTreeMap<String, Arc<VirtualCluster>>,
}

/// The HTTP server for health, metrics and status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Management {
    /// The port may be 0, which lets the operating system choose.
    pub address: SocketAddr,
    /// The content of `tokenFile`, what requests that change something must bring as `Authorization: Bearer`;
    /// `None`: HTTP changes nothing.
    pub token: Option<Secret>,
}

/// When and how far a changed file is followed (`reload`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadSettings {
    /// Follow the file and everything it references by events.
    pub watch: bool,
    /// How long nothing must have changed before the file is read.
    pub debounce: Duration,
    /// Between two comparisons by content, for file systems without events; `None` is off.
    pub poll_interval: Option<Duration>,
    /// A reload that would remove a larger share of the virtual clusters than this, in percent, needs to be forced.
    pub max_removed_percent: u8,
}

/// Process-wide limits and time-outs (`network.proxy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// `None`: the number of cores this process may use.
    pub worker_threads: Option<usize>,
    /// Deadline of the drain at SIGTERM.
    pub shutdown_timeout: Duration,
    /// A connection that has not completed a request within this time is closed; `None` is off.
    pub unauthenticated_idle_timeout: Option<Duration>,
    /// A connection silent for this long after its first request is closed; `None` is off.
    pub authenticated_idle_timeout: Option<Duration>,
    /// For one connection attempt to one broker address.
    pub connect_timeout: Duration,
    /// Largest accepted frame, either direction, in bytes (without the size prefix).
    pub max_frame_size: u32,
    /// Client connections in the whole process; `None`: as many as descriptors allow.
    pub max_connections: Option<usize>,
    /// `None`: no limit for one client.
    pub max_connections_per_client: Option<PerClient>,
}

/// How many connections one client may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerClient {
    /// Of all addresses of a network together.
    pub limit: usize,
    /// What of an address says which network it is of, in bits.
    pub ipv4: u8,
    pub ipv6: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// A `tracing` directive list such as `info,kproxy::reload=debug`.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// What a client sees as one Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualCluster {
    pub name: String,
    pub target: TargetCluster,
    pub drain: DrainPolicy,
    pub max_connections: Option<usize>,
    pub max_connections_per_client: Option<PerClient>,
    /// Connection events of this cluster at info.
    pub log_network: bool,
    /// One line per frame, header fields only, at info.
    pub log_frames: bool,
    /// By name; names are unique.
    pub gateways: Vec<Gateway>,
}

/// The physical cluster behind a virtual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetCluster {
    /// Never empty, ascending.
    pub bootstrap_servers: Vec<HostPort>,
    pub selection: BootstrapSelection,
    pub allowed_brokers: AllowedBrokers,
    /// `None`: plaintext.
    pub tls: Option<UpstreamTls>,
}

/// TLS towards brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    pub trust: UpstreamTrust,
    /// The client certificate, where brokers ask for one.
    pub identity: Option<Arc<Identity>>,
    /// Sent and checked in place of each broker's own name.
    pub server_name: Option<String>,
    pub revoked: Option<Arc<RevocationLists>>,
    pub negotiation: Negotiation,
}

/// Which brokers are believed to be who they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamTrust {
    /// Those that the roots of the platform vouch for.
    Platform,
    Store(Arc<TrustStore>),
    /// Any, under any name.
    Insecure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootstrapSelection {
    RoundRobin,
    Random,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// A DNS name or an IP literal, without brackets.
    pub host: String,
    pub port: u16,
}

/// How the sessions of a cluster are asked to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainPolicy {
    pub strategy: DrainStrategy,
    /// Soft deadline: from here on no new requests are read.
    pub timeout: Duration,
    /// Nothing outlives it.
    pub hard_timeout: Duration,
    /// `progressive`: closes per second.
    pub rate: u32,
}

names! {
    /// How the sessions of a drain are asked to leave; see [`schema::DrainStrategy`](crate::config::schema::DrainStrategy).
    pub enum DrainStrategy {
        /// All at once.
        Graceful = "graceful",
        /// So many a second.
        Progressive = "progressive",
        /// All at once, without reading further requests.
        Immediate = "immediate",
    }
}

/// One way to reach a virtual cluster: a bootstrap port and a port per node (`portIdentifiesNode`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    pub name: String,
    pub bind: BindIp,
    /// The host clients are told to bootstrap from.
    pub bootstrap_host: String,
    /// Bound port; 0 lets the operating system choose.
    pub bootstrap_port: u16,
    /// `None`: the bound port.
    pub advertised_bootstrap_port: Option<u16>,
    /// May contain `$(nodeId)`. Where hosts identify nodes it does, once, and is in lower case like `bootstrap_host`.
    pub node_host_pattern: NodeHostPattern,
    pub identified_by: IdentifiedBy,
    /// By ascending node id. Empty where hosts identify nodes.
    pub nodes: Vec<NodePort>,
    /// Ports for node ids outside `nodes`; `None` withholds such nodes, unless hosts identify nodes.
    pub dynamic_ports: Option<PortRange>,
    /// `None`: plaintext.
    pub tls: Option<DownstreamTls>,
    pub proxy_protocol: ProxyProtocol,
}

/// What tells the nodes of a gateway apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifiedBy {
    /// Each has its own (`portIdentifiesNode`).
    Port,
    /// The host name in the TLS hello, RFC 6066 §3 (`sniHostIdentifiesNode`). Everything is bound to the bootstrap
    /// port.
    SniHost {
        /// What clients are told as the port of every node; `None`: the bound port.
        advertised_port: Option<u16>,
    },
}

/// TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownstreamTls {
    pub identity: Arc<Identity>,
    pub client_auth: ClientAuth,
    pub revoked: Option<Arc<RevocationLists>>,
    pub negotiation: Negotiation,
    /// A session is drained when the certificate of its client expires.
    pub end_sessions_on_expiry: bool,
}

/// Whether clients show a certificate, and who vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    None,
    /// One that is shown must be good.
    Requested(Arc<TrustStore>),
    Required(Arc<TrustStore>),
}

/// The PROXY protocol, in which a load balancer says for whom it connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyProtocol {
    pub mode: ProxyProtocolMode,
    /// Whose headers are believed, ascending; empty: everyone's.
    pub trusted_peers: Vec<IpNet>,
    /// What brokers are sent; `None`: nothing.
    pub upstream: Option<ProxyProtocolVersion>,
}

/// Whether clients begin with a header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyProtocolMode {
    #[default]
    Disabled,
    Allowed,
    Required,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindIp {
    /// Every address, IPv4 and IPv6.
    Any,
    /// 127.0.0.1 and ::1, what `localhost` stands for.
    Loopback,
    Ip(IpAddr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePort {
    pub node_id: i32,
    /// 0 lets the operating system choose.
    pub port: u16,
    /// `None`: the bound port.
    pub advertised_port: Option<u16>,
}

/// Inclusive at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    pub start: u16,
    pub end: u16,
}

impl PortRange {
    /// Whether `port` is one of the range.
    pub fn contains(self, port: u16) -> bool {
        (self.start..=self.end).contains(&port)
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_address(out, &self.host, self.port)
    }
}

/// Writes `host:port`, with brackets around an IPv6 address (RFC 3986 §3.2.2).
pub(crate) fn write_address(out: &mut std::fmt::Formatter<'_>, host: &str, port: u16) -> std::fmt::Result {
    match host.contains(':') {
        true => write!(out, "[{host}]:{port}"),
        false => write!(out, "{host}:{port}"),
    }
}

impl BindIp {
    /// Listening on `::` takes IPv4 as well.
    fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V6(v6) if v6.is_unspecified() => Self::Any,
            _ => Self::Ip(ip),
        }
    }
}

impl ProxyModel {
    /// What runs before anything is configured, and after everything is gone.
    pub fn empty() -> Self {
        Self {
            network: Network::default(),
            logging: Logging {
                level: "info".into(),
                format: LogFormat::Text,
            },
            state_directory: None,
            management: None,
            control_socket: None,
            reload: ReloadSettings::default(),
            clusters: BTreeMap::new(),
        }
    }
}

impl Default for ReloadSettings {
    /// The defaults of the configuration file.
    fn default() -> Self {
        Self {
            watch: true,
            debounce: Duration::from_millis(150),
            poll_interval: Some(Duration::from_secs(10)),
            max_removed_percent: 50,
        }
    }
}

impl ProxyModel {
    /// The settings of the process as a whole.
    #[must_use]
    pub fn without_clusters(&self) -> Self {
        let Self {
            network,
            logging,
            state_directory,
            management,
            control_socket,
            reload,
            clusters: _,
        } = self;
        Self {
            network: network.clone(),
            logging: logging.clone(),
            state_directory: state_directory.clone(),
            management: management.clone(),
            control_socket: control_socket.clone(),
            reload: reload.clone(),
            clusters: BTreeMap::new(),
        }
    }
}

impl Default for Network {
    /// The defaults of the configuration file.
    fn default() -> Self {
        Self {
            worker_threads: None,
            shutdown_timeout: Duration::from_secs(30),
            unauthenticated_idle_timeout: Some(Duration::from_secs(600)),
            authenticated_idle_timeout: None,
            connect_timeout: Duration::from_secs(10),
            max_frame_size: 100 << 20,
            max_connections: None,
            max_connections_per_client: None,
        }
    }
}
