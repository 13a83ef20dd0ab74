//! Virtual clusters, their targets and gateways.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use super::super::decode::{choice, record};
use super::super::{Address, BrokerPattern, ForwardProxyUrl, HostPattern, List, NodeId, Servers, Spanned};
use super::{
    ConnectionsPerClient, DownstreamTls, Drain, Fence, PortRange, ProxyProtocol, SubjectBuilder,
    UpstreamSasl, UpstreamTls,
};

record! {
    /// A Kafka cluster that virtual clusters refer to by name.
    pub struct ClusterDefinition {
        /// Name of the definition, unique in all files.
        "name" name: Spanned<String>,
        /// Addresses of brokers to connect to first, separated by commas.
        "bootstrapServers" bootstrap_servers: Spanned<Servers>,
        /// How one of the bootstrap servers is chosen.
        "bootstrapServerSelection" bootstrap_server_selection: Option<Spanned<BootstrapServerSelection>>,
        /// The only addresses, besides the bootstrap servers, that brokers of this cluster may have. Absent: every
        /// address except kproxy's own, link-local addresses and those of cloud metadata services.
        "allowedBrokers" allowed_brokers: Option<Spanned<List<BrokerPattern>>>,
        /// Forward proxy that every connection to brokers of this cluster goes through; it resolves their names, too. Absent:
        /// kproxy connects to brokers itself.
        "via" via: Option<Spanned<ForwardProxyUrl>>,
        /// File whose first line is `USER:PASSWORD` for the forward proxy. Absent: kproxy does not authenticate to it.
        "viaCredentialsFile" via_credentials_file: Option<Spanned<PathBuf>>,
        /// TLS towards brokers. `{}`: TLS with the certificate authorities of the platform. Absent: plaintext.
        "tls" tls: Option<Spanned<UpstreamTls>>,
        /// Credentials with which kproxy authenticates to brokers. Absent: clients authenticate themselves.
        "sasl" sasl: Option<Spanned<UpstreamSasl>>,
    }
}

record! {
    /// A Kafka cluster described inside the virtual cluster that uses it.
    pub struct TargetCluster {
        /// Addresses of brokers to connect to first, separated by commas.
        "bootstrapServers" bootstrap_servers: Spanned<Servers>,
        /// How one of the bootstrap servers is chosen.
        "bootstrapServerSelection" bootstrap_server_selection: Option<Spanned<BootstrapServerSelection>>,
        /// The only addresses, besides the bootstrap servers, that brokers of this cluster may have. Absent: every
        /// address except kproxy's own, link-local addresses and those of cloud metadata services.
        "allowedBrokers" allowed_brokers: Option<Spanned<List<BrokerPattern>>>,
        /// Forward proxy that every connection to brokers of this cluster goes through; it resolves their names, too. Absent:
        /// kproxy connects to brokers itself.
        "via" via: Option<Spanned<ForwardProxyUrl>>,
        /// File whose first line is `USER:PASSWORD` for the forward proxy. Absent: kproxy does not authenticate to it.
        "viaCredentialsFile" via_credentials_file: Option<Spanned<PathBuf>>,
        /// TLS towards brokers. `{}`: TLS with the certificate authorities of the platform. Absent: plaintext.
        "tls" tls: Option<Spanned<UpstreamTls>>,
        /// Credentials with which kproxy authenticates to brokers. Absent: clients authenticate themselves.
        "sasl" sasl: Option<Spanned<UpstreamSasl>>,
    }
    former { "bootstrap_servers" => "`bootstrapServers`" }
}

record! {
    /// How one of the bootstrap servers is chosen for a connection.
    pub struct BootstrapServerSelection {
        /// Which bootstrap server is tried first: the next one in turn, a random one, or the next one in the rack of kproxy. The
        /// others follow if it does not answer.
        "strategy" strategy: Option<Spanned<SelectionStrategy>> = "round-robin",
        /// `nearest`: rack in which kproxy runs, as `broker.rack` of the brokers there. Absent: an error with `nearest`.
        "clientRack" client_rack: Option<Spanned<String>>,
    }
}

choice! {
    /// Order in which bootstrap servers are tried.
    pub enum SelectionStrategy {
        /// The next one in turn first.
        RoundRobin = "round-robin",
        /// A random one first.
        Random = "random",
        /// The next one in turn of those in the same rack first.
        Nearest = "nearest",
    }
}

record! {
    /// Reference to a cluster definition.
    pub struct Target {
        /// Name of an entry of `clusterDefinitions`.
        "cluster" cluster: Spanned<String>,
    }
    not_supported { "router" }
}

record! {
    /// A cluster as clients see it. It has exactly one of `target` and `targetCluster`.
    pub struct VirtualCluster {
        /// Name of the virtual cluster: a DNS label, unique without regard to case. It appears in logs and metrics, and may
        /// appear in host names as `$(virtualClusterName)`.
        "name" name: Spanned<String>,
        /// The Kafka cluster behind the virtual cluster, by reference. Absent: see `targetCluster`.
        "target" target: Option<Spanned<Target>>,
        /// The Kafka cluster behind the virtual cluster, described in place. Absent: see `target`.
        "targetCluster" target_cluster: Option<Spanned<TargetCluster>>,
        /// How sessions of this virtual cluster are asked to leave. Overrides the `drain` of the file, key by key.
        "drain" drain: Option<Spanned<Drain>>,
        /// Another name of `drain.timeout`, from Kroxylicious. Absent: see `drain.timeout`.
        "drainTimeout" drain_timeout: Option<Spanned<Duration>>,
        /// Number of client connections of this virtual cluster. Further clients wait until a place is free. Absent: no limit
        /// besides that of the process.
        "maxConnections" max_connections: Option<Spanned<NonZeroU32>>,
        /// Number of connections that one client may have to this virtual cluster. Further connections are closed. Absent: no
        /// limit besides that of the process.
        "maxConnectionsPerClient" max_connections_per_client: Option<Spanned<ConnectionsPerClient>>,
        /// Whether every connection of this virtual cluster is logged at level `info`, with its end.
        "logNetwork" log_network: Option<Spanned<bool>> = "false",
        /// Whether every request of this virtual cluster is logged at level `info`: header fields only, no content.
        "logFrames" log_frames: Option<Spanned<bool>> = "false",
        /// Names of the filters of this virtual cluster, in the order in which requests pass them; responses pass them in the
        /// other direction. They replace `defaultFilters` completely. Absent: `defaultFilters`.
        "filters" filters: Option<Spanned<List<String>>>,
        /// Requests for topics that do not reach the brokers. Absent: no fence.
        "fence" fence: Option<Spanned<Fence>>,
        /// How clients with a certificate get their names, for filters, the log and the list of connections. An
        /// authentication by SASL that follows counts in place of it. Absent: such clients have no name.
        "subjectBuilder" subject_builder: Option<Spanned<SubjectBuilder>>,
        /// Names of topics by their ids, for filters that need them. Those that are not known are asked of the broker.
        "topicNameCache" topic_name_cache: Option<Spanned<TopicNameCache>>,
        /// The addresses at which clients reach the virtual cluster. At least one is required.
        "gateways" gateways: Option<Spanned<List<Gateway>>>,
    }
    former {
        "clusterNetworkAddressConfigProvider" =>
            "`gateways: [{name: default, portIdentifiesNode: {bootstrapAddress: HOST:PORT}}]`, or `sniHostIdentifiesNode`",
        "clusterEndpointConfigProvider" =>
            "`gateways: [{name: default, portIdentifiesNode: {bootstrapAddress: HOST:PORT}}]`, or `sniHostIdentifiesNode`",
        "clusterName" => "`name`",
        "tls" => "`tls` in each of the `gateways`",
        "keyStoreFile" => "`tls: {key: {certificateFile: FILE, privateKeyFile: FILE}}` in each of the `gateways`",
        "keyPassword" => "`tls: {key: {keyPassword: {passwordFile: FILE}}}` in each of the `gateways`",
    }
    as_mapping "a list: `- name: NAME` in front of the keys of each, and `gateways` for \
        `clusterNetworkAddressConfigProvider`"
}

record! {
    /// How many names of topics are kept, and for how long. An id of a topic never changes its name.
    pub struct TopicNameCache {
        /// Number of names; beyond it those that were used longest ago are forgotten.
        "maxSize" max_size: Option<Spanned<NonZeroU32>> = "65536",
        /// Time since a broker last told a name after which it is forgotten. Absent: no limit.
        "expireAfterWrite" expire_after_write: Option<Spanned<Duration>>,
        /// Time since a name was last used after which it is forgotten.
        "expireAfterAccess" expire_after_access: Option<Spanned<Duration>> = "1h",
    }
}

record! {
    /// One way to reach a virtual cluster. It has exactly one of `portIdentifiesNode` and `sniHostIdentifiesNode`.
    pub struct Gateway {
        /// Name of the gateway, unique in the virtual cluster.
        "name" name: Spanned<String>,
        /// Address that the gateway listens on. Absent: loopback if every advertised host is a loopback host, else
        /// every address.
        "bindAddress" bind_address: Option<Spanned<IpAddr>>,
        /// One port for bootstrapping and one for each node. Absent: see `sniHostIdentifiesNode`.
        "portIdentifiesNode" port_identifies_node: Option<Spanned<PortIdentifiesNode>>,
        /// One port for everything; the host name in the TLS hello identifies the node. Needs `tls`. Absent: see
        /// `portIdentifiesNode`.
        "sniHostIdentifiesNode" sni_host_identifies_node: Option<Spanned<SniHostIdentifiesNode>>,
        /// PROXY protocol of this gateway. Overrides the `proxyProtocol` of the file, key by key.
        "proxyProtocol" proxy_protocol: Option<Spanned<ProxyProtocol>>,
        /// TLS towards clients. Absent: plaintext.
        "tls" tls: Option<Spanned<DownstreamTls>>,
    }
}

record! {
    /// One port for bootstrapping and one for each node.
    pub struct PortIdentifiesNode {
        /// Host that is advertised to clients, and port that is bound, for bootstrapping. Port 0: the operating system chooses one.
        "bootstrapAddress" bootstrap_address: Spanned<Address>,
        /// Port that is advertised to clients for bootstrapping. Absent: the bound port.
        "advertisedBootstrapPort" advertised_bootstrap_port: Option<Spanned<NonZeroU16>>,
        /// Host that is advertised to clients for a node; `$(nodeId)` stands for its id. Absent: the host of `bootstrapAddress`.
        "advertisedBrokerAddressPattern" advertised_broker_address_pattern: Option<Spanned<HostPattern>>,
        /// Port that is bound for the node with the lowest id; the others follow in the order of their ids. 0: the operating
        /// system chooses each port. Absent: the bootstrap port + 1.
        "nodeStartPort" node_start_port: Option<Spanned<u16>>,
        /// Port that is advertised to clients for the node with the lowest id; the others follow. Absent: the bound ports.
        "advertisedNodeStartPort" advertised_node_start_port: Option<Spanned<NonZeroU16>>,
        /// Node ids that have a port from the start.
        "nodeIdRanges" node_id_ranges: Option<Spanned<List<NodeIdRange>>> = "[{start: 0, end: 2}]",
        /// Ports for brokers whose ids are outside `nodeIdRanges`; each is bound when the broker is first seen. Absent: such
        /// brokers are withheld from clients.
        "dynamicNodePorts" dynamic_node_ports: Option<Spanned<PortRange>>,
    }
    former {
        "brokerStartPort" => "`nodeStartPort`",
        "brokerAddressPattern" => "`advertisedBrokerAddressPattern`",
        "nodeAddressPattern" => "`advertisedBrokerAddressPattern`",
        "brokerIdRanges" => "`nodeIdRanges`",
        "lowestTargetBrokerId" => "`nodeIdRanges: [{name: brokers, start: FIRST, end: LAST}]`",
        "numberOfBrokerPorts" => "`nodeIdRanges: [{name: brokers, start: FIRST, end: LAST}]`",
    }
}

record! {
    /// A range of node ids, both ends included.
    pub struct NodeIdRange {
        /// Name of the range, for people. Absent: none.
        "name" name: Option<Spanned<String>>,
        /// First node id.
        "start" start: Spanned<NodeId>,
        /// Last node id.
        "end" end: Spanned<NodeId>,
    }
}

record! {
    /// One port for everything; the host name in the TLS hello identifies virtual cluster, gateway and node.
    pub struct SniHostIdentifiesNode {
        /// Host that clients bootstrap from, and port that is bound. The host may contain `$(virtualClusterName)`.
        "bootstrapAddress" bootstrap_address: Spanned<Address>,
        /// Host that is advertised to clients for a node. It must contain `$(nodeId)`, and may contain `$(virtualClusterName)`. A port after it
        /// is the advertised port; without one the bound port is advertised.
        "advertisedBrokerAddressPattern" advertised_broker_address_pattern: Spanned<HostPattern>,
    }
    former {
        "brokerAddressPattern" => "`advertisedBrokerAddressPattern`",
        "bootstrapAddressPattern" => "`bootstrapAddress`",
    }
}
