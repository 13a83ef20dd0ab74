//! What the configuration means: every default filled in, every rule checked. Pure.
//!
//! `config` mirrors the file; nothing below this module ever sees a serde type. A [`ProxyModel`] compares by
//! meaning, so two files that say the same thing in different words resolve to equal models.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Secret;
pub use crate::wire::proxy_protocol::Version as ProxyProtocolVersion;

pub mod acl;
mod allowed_brokers;
mod beside;
mod cluster;
mod coverage;
mod drain;
mod expiry;
mod fence;
mod filters;
mod forward_proxy;
mod gateway;
mod loaded;
mod loader;
mod login;
mod names;
mod node_host;
mod node_ids;
mod notify;
mod operation;
mod own_address;
mod pattern;
mod per_client;
mod ports;
mod process;
mod proxy_protocol;
mod reload_settings;
mod resolve;
mod scope;
mod sni;
mod sni_hosts;
mod subject;
mod tls;
mod topic_names;
mod trusted_peers;
mod warnings;

pub use crate::config::CustomSettings;
pub use allowed_brokers::{AllowedBrokers, NotAllowed};
pub use drain::{DrainPolicy, DrainStrategy};
pub use expiry::CertificateEnd;
pub use fence::{FenceAnswer, FenceModel, FenceText, FencedOperation};
pub use filters::{
    ApiFilterModel, ApiRules, ApiSet, AuditModel, AuditTarget, AuthorizationModel, BearerModel,
    ConnectionExpirationModel, CredentialSource, DenialResponse, DirectoryModel, FailurePolicy,
    FilterCondition, FilterKind, FilterMode, FilterModel, KeySetModel, KeySetOrigin, KeysOnStart,
    NamePattern, OauthBearerValidationModel, PlainUsers, ProtocolLoggerModel, RequestFacts,
    SaslInspectionModel, SaslTerminationModel, TerminatedMechanism, TerminatedProof, UnansweredDenial,
};
pub use forward_proxy::{ForwardProxy, ForwardProxyProtocol};
pub use loaded::{Loaded, load, load_again, load_all, load_once, parse};
pub use loader::Loader;
pub use login::{
    AwsKeys, AwsLogin, BrokerLogin, BrokerMechanism, ClientLogins, LoginSource, TokenGrant, UserLogin,
};
pub use node_host::NodeHostPattern;
pub use notify::{Webhook, WebhookEvent};
pub use pattern::{BadPattern, JavaPattern};
pub(crate) use process::wrong_log_directives;
pub use proxy_protocol::{ProxyProtocol, ProxyProtocolMode};
pub use reload_settings::{ReloadChecks, ReloadSettings, RollbackSettings};
pub use resolve::resolve;
pub use subject::{
    CertificateField, LetterCase, MappingRule, NameMapping, Principal, PrincipalAdder, ReplaceMatch,
    SaslAuthorizedId, SaslSubjectBuilder, TransportSubjectBuilder, is_user_factory, principal_mapping_rules,
    replace_match,
};
pub use tls::{ClientAuth, DownstreamTls, UpstreamTls, UpstreamTrust};
pub use topic_names::TopicNameLimits;
pub use trusted_peers::is_trusted;
pub use warnings::Warnings;

/// Settings of one generation of the proxy, complete and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyModel {
    /// Process-wide limits and time-outs.
    pub network: Network,
    /// Log settings.
    pub logging: Logging,
    /// Directory that keeps the learned topology between runs; `None` keeps nothing.
    pub state_directory: Option<PathBuf>,
    /// File that audit lines are added to; `None` writes them to the log only.
    pub audit_file: Option<PathBuf>,
    /// Webhooks that are told of events, in the order of the file.
    pub notify: Vec<Webhook>,
    /// Settings of management; `None` serves no HTTP.
    pub management: Option<Management>,
    /// Path of the control socket; `None` is the default path.
    pub control_socket: Option<PathBuf>,
    /// Settings for following changed files.
    pub reload: ReloadSettings,
    /// Settings for earlier configurations.
    pub rollback: RollbackSettings,
    /// Virtual clusters by name. Shared, because every session keeps the cluster it began with.
    pub clusters: BTreeMap<String, Arc<VirtualCluster>>,
}

/// The HTTP server for health, metrics and status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Management {
    /// Address of the server; port 0 lets the operating system choose.
    pub address: SocketAddr,
    /// The content of `tokenFile`, which requests that change something must send as `Authorization: Bearer`; with
    /// `None`, HTTP changes nothing.
    pub token: Option<Secret>,
}

/// Process-wide limits and time-outs (`network.proxy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Number of worker threads; `None` is the number of cores this process may use.
    pub worker_threads: Option<usize>,
    /// Deadline of the drain at SIGTERM.
    pub shutdown_timeout: Duration,
    /// Time from the signal to stop to the drain, in which kproxy is not ready and still accepts.
    pub shutdown_delay: Duration,
    /// A connection that has not completed a request within this time is closed; `None` is off.
    pub unauthenticated_idle_timeout: Option<Duration>,
    /// A connection silent for this long after its first request is closed; `None` is off.
    pub authenticated_idle_timeout: Option<Duration>,
    /// Time limit of one connection attempt to one broker address.
    pub connect_timeout: Duration,
    /// Largest accepted frame, either direction, in bytes (without the size prefix).
    pub max_frame_size: u32,
    /// Limit of client connections in the process; `None` is as many as descriptors allow.
    pub max_connections: Option<usize>,
    /// Limit of connections per client; `None` is unlimited.
    pub max_connections_per_client: Option<PerClient>,
    /// Limits of what filters may hold.
    pub filters: FilterLimits,
}

/// Limits of what filters may hold (`network.filters`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLimits {
    /// Largest frame that a filter may see as a whole, in bytes (without the size prefix).
    pub max_frame_size: u32,
    /// Bytes that the filters of all sessions may hold together.
    pub memory_limit: u64,
}

/// Limit of connections per client (`maxConnectionsPerClient`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerClient {
    /// Number of connections that all addresses of a network may have together.
    pub limit: usize,
    /// Prefix length of IPv4 networks, in bits.
    pub ipv4: u8,
    /// Prefix length of IPv6 networks, in bits.
    pub ipv6: u8,
}

/// Log settings (`logging`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// A `tracing` directive list such as `info,kproxy::reload=debug`.
    pub level: String,
    /// Format of log lines.
    pub format: LogFormat,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text with `key=value` fields.
    Text,
    /// One JSON object per line.
    Json,
}

/// A virtual cluster: what a client sees as one Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualCluster {
    /// Name, unique in the configuration.
    pub name: String,
    /// The target cluster.
    pub target: TargetCluster,
    /// Settings for drains.
    pub drain: DrainPolicy,
    /// Limit of client connections; `None` is unlimited.
    pub max_connections: Option<usize>,
    /// Limit of connections per client; `None` is unlimited.
    pub max_connections_per_client: Option<PerClient>,
    /// Whether connection events of this cluster are logged at info.
    pub log_network: bool,
    /// Whether each frame is logged at info, header fields only.
    pub log_frames: bool,
    /// Filters in the order in which requests pass them.
    pub filters: Vec<Arc<FilterModel>>,
    /// Requests for topics that do not reach the brokers; `None`: every request does.
    pub fence: Option<Arc<FenceModel>>,
    /// Builder of names from client certificates; `None` makes none.
    pub subject_builder: Option<Arc<TransportSubjectBuilder>>,
    /// How many names of topics are kept for filters, and for how long.
    pub topic_names: TopicNameLimits,
    /// Gateways in order of their names.
    pub gateways: Vec<Gateway>,
}

/// The physical cluster behind a virtual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetCluster {
    /// Bootstrap servers in ascending order; never empty.
    pub bootstrap_servers: Vec<HostPort>,
    /// Order in which bootstrap servers are tried.
    pub selection: BootstrapSelection,
    /// Rules for broker addresses.
    pub allowed_brokers: AllowedBrokers,
    /// Forward proxy on the way to its brokers; `None` connects to them directly.
    pub via: Option<Arc<ForwardProxy>>,
    /// TLS settings; `None` is plaintext.
    pub tls: Option<UpstreamTls>,
    /// Credentials of kproxy; with `None` clients authenticate themselves.
    pub login: Option<Arc<BrokerLogin>>,
}

/// Order in which bootstrap servers are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootstrapSelection {
    /// Each connection begins with the next server of the list.
    RoundRobin,
    /// Each connection begins with a random server.
    Random,
    /// Each connection begins with the next of the servers that are known to be in this rack, then come the others. While
    /// none is known to be there, it is [`RoundRobin`](Self::RoundRobin).
    Nearest(String),
}

/// A host with a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// A DNS name or an IP literal, without brackets.
    pub host: String,
    /// Port number.
    pub port: u16,
}

/// One way to reach a virtual cluster: a bootstrap port and a port per node (`portIdentifiesNode`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Name, unique in its virtual cluster.
    pub name: String,
    /// Bind address of its listeners.
    pub bind: BindIp,
    /// Advertised host of the bootstrap endpoint.
    pub bootstrap_host: String,
    /// Bound port; 0 lets the operating system choose.
    pub bootstrap_port: u16,
    /// Advertised port of the bootstrap endpoint; `None` is the bound port.
    pub advertised_bootstrap_port: Option<u16>,
    /// Advertised host of nodes. Where host names identify nodes, it contains `$(nodeId)` once and is in lower case.
    pub node_host_pattern: NodeHostPattern,
    /// Kind of the gateway.
    pub identified_by: IdentifiedBy,
    /// Nodes by ascending id; empty where host names identify nodes.
    pub nodes: Vec<NodePort>,
    /// Ports for node ids outside `nodes`; `None` withholds such nodes, unless host names identify nodes.
    pub dynamic_ports: Option<PortRange>,
    /// TLS settings; `None` is plaintext.
    pub tls: Option<DownstreamTls>,
    /// PROXY protocol settings.
    pub proxy_protocol: ProxyProtocol,
}

/// Property that identifies the nodes of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifiedBy {
    /// Each node has its own port (`portIdentifiesNode`).
    Port,
    /// The host name in the TLS hello, RFC 6066 §3 (`sniHostIdentifiesNode`). Everything is bound to the bootstrap
    /// port.
    SniHost {
        /// Advertised port of every node; `None` is the bound port.
        advertised_port: Option<u16>,
    },
}

/// Bind address of listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindIp {
    /// Every address, IPv4 and IPv6.
    Any,
    /// 127.0.0.1 and ::1, what `localhost` stands for.
    Loopback,
    /// One address.
    Ip(IpAddr),
}

/// Ports of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePort {
    /// Node id.
    pub node_id: i32,
    /// Bound port; 0 lets the operating system choose.
    pub port: u16,
    /// Advertised port; `None` is the bound port.
    pub advertised_port: Option<u16>,
}

/// A range of ports, inclusive at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// First port.
    pub start: u16,
    /// Last port; part of the range.
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
            audit_file: None,
            notify: Vec::new(),
            management: None,
            control_socket: None,
            reload: ReloadSettings::default(),
            rollback: RollbackSettings::default(),
            clusters: BTreeMap::new(),
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
            audit_file,
            notify,
            management,
            control_socket,
            reload,
            rollback,
            clusters: _,
        } = self;
        Self {
            network: network.clone(),
            logging: logging.clone(),
            state_directory: state_directory.clone(),
            audit_file: audit_file.clone(),
            notify: notify.clone(),
            management: management.clone(),
            control_socket: control_socket.clone(),
            reload: reload.clone(),
            rollback: rollback.clone(),
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
            shutdown_delay: Duration::ZERO,
            unauthenticated_idle_timeout: Some(Duration::from_secs(600)),
            authenticated_idle_timeout: None,
            connect_timeout: Duration::from_secs(10),
            max_frame_size: 100 << 20,
            max_connections: None,
            max_connections_per_client: None,
            filters: FilterLimits::default(),
        }
    }
}

impl Default for FilterLimits {
    /// The defaults of the configuration file.
    fn default() -> Self {
        Self {
            max_frame_size: 16 << 20,
            memory_limit: 256 << 20,
        }
    }
}
