//! Virtual clusters, their targets and gateways.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use super::super::decode::{choice, record};
use super::super::{Address, BrokerPattern, HostPattern, List, NodeId, Servers, Spanned};
use super::{ConnectionsPerClient, DownstreamTls, Drain, PortRange, ProxyProtocol, UpstreamTls};

record! {
    /// A physical cluster that virtual clusters name as their target.
    pub struct ClusterDefinition {
        "name" name: Spanned<String>,
        "bootstrapServers" bootstrap_servers: Spanned<Servers>,
        "bootstrapServerSelection" bootstrap_server_selection: Option<Spanned<BootstrapServerSelection>>,
        "allowedBrokers" allowed_brokers: Option<Spanned<List<BrokerPattern>>>,
        "tls" tls: Option<Spanned<UpstreamTls>>,
    }
}

record! {
    /// A physical cluster described where it is used.
    pub struct TargetCluster {
        "bootstrapServers" bootstrap_servers: Spanned<Servers>,
        "bootstrapServerSelection" bootstrap_server_selection: Option<Spanned<BootstrapServerSelection>>,
        "allowedBrokers" allowed_brokers: Option<Spanned<List<BrokerPattern>>>,
        "tls" tls: Option<Spanned<UpstreamTls>>,
    }
    former { "bootstrap_servers" => "`bootstrapServers`" }
}

record! {
    pub struct BootstrapServerSelection {
        "strategy" strategy: Option<Spanned<SelectionStrategy>>,
    }
}

choice! {
    pub enum SelectionStrategy {
        RoundRobin = "round-robin",
        Random = "random",
    }
}

record! {
    /// A reference to a [`ClusterDefinition`].
    pub struct Target {
        "cluster" cluster: Spanned<String>,
    }
    not_supported { "router" }
}

record! {
    pub struct VirtualCluster {
        "name" name: Spanned<String>,
        "target" target: Option<Spanned<Target>>,
        "targetCluster" target_cluster: Option<Spanned<TargetCluster>>,
        "drain" drain: Option<Spanned<Drain>>,
        /// Kroxylicious' name for `drain.timeout`.
        "drainTimeout" drain_timeout: Option<Spanned<Duration>>,
        "maxConnections" max_connections: Option<Spanned<NonZeroU32>>,
        "maxConnectionsPerClient" max_connections_per_client: Option<Spanned<ConnectionsPerClient>>,
        "logNetwork" log_network: Option<Spanned<bool>>,
        "logFrames" log_frames: Option<Spanned<bool>>,
        "gateways" gateways: Option<Spanned<List<Gateway>>>,
    }
    not_supported { "filters" }
    inert {
        "subjectBuilder" => "only filters ask for subjects",
        "topicNameCache" => "only filters ask for the names of topics",
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
    pub struct Gateway {
        "name" name: Spanned<String>,
        "bindAddress" bind_address: Option<Spanned<IpAddr>>,
        "portIdentifiesNode" port_identifies_node: Option<Spanned<PortIdentifiesNode>>,
        "sniHostIdentifiesNode" sni_host_identifies_node: Option<Spanned<SniHostIdentifiesNode>>,
        "proxyProtocol" proxy_protocol: Option<Spanned<ProxyProtocol>>,
        "tls" tls: Option<Spanned<DownstreamTls>>,
    }
}

record! {
    /// One port for bootstrapping and one for every node.
    pub struct PortIdentifiesNode {
        "bootstrapAddress" bootstrap_address: Spanned<Address>,
        "advertisedBootstrapPort" advertised_bootstrap_port: Option<Spanned<NonZeroU16>>,
        "advertisedBrokerAddressPattern" advertised_broker_address_pattern: Option<Spanned<HostPattern>>,
        "nodeStartPort" node_start_port: Option<Spanned<u16>>,
        "advertisedNodeStartPort" advertised_node_start_port: Option<Spanned<NonZeroU16>>,
        "nodeIdRanges" node_id_ranges: Option<Spanned<List<NodeIdRange>>>,
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
    /// Both ends belong to it.
    pub struct NodeIdRange {
        "name" name: Option<Spanned<String>>,
        "start" start: Spanned<NodeId>,
        "end" end: Spanned<NodeId>,
    }
}

record! {
    /// One port; the host name in the TLS hello says which node.
    pub struct SniHostIdentifiesNode {
        "bootstrapAddress" bootstrap_address: Spanned<Address>,
        "advertisedBrokerAddressPattern" advertised_broker_address_pattern: Spanned<HostPattern>,
    }
    former {
        "brokerAddressPattern" => "`advertisedBrokerAddressPattern`",
        "bootstrapAddressPattern" => "`bootstrapAddress`",
    }
}
