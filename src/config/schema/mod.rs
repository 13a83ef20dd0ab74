//! The keys of `proxy.yaml`, all of them. Each record mirrors one mapping of the file; defaults and rules are
//! `model`'s.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::decode::{choice, record};
use super::{List, Percent, Size, Spanned};

mod cluster;
mod paths;
mod tls;

pub use cluster::*;
pub use paths::key_paths;
pub use tls::*;

record! {
    /// The whole file.
    pub struct Root {
        "management" management: Option<Spanned<Management>>,
        "control" control: Option<Spanned<Control>>,
        "stateDirectory" state_directory: Option<Spanned<PathBuf>>,
        "logging" logging: Option<Spanned<Logging>>,
        "network" network: Option<Spanned<Network>>,
        "proxyProtocol" proxy_protocol: Option<Spanned<ProxyProtocol>>,
        "reload" reload: Option<Spanned<Reload>>,
        "drain" drain: Option<Spanned<Drain>>,
        "clusterDefinitions" cluster_definitions: Option<Spanned<List<ClusterDefinition>>>,
        "virtualClusters" virtual_clusters: Option<Spanned<List<VirtualCluster>>>,
    }
    not_supported { "filterDefinitions", "defaultFilters", "routerDefinitions", "micrometer", "development" }
    inert {
        "useIoUring" => "kproxy waits for sockets with epoll",
        "version" => "kproxy's file has no versions",
    }
    former {
        "adminHttp" => "`management: {bindAddress: 0.0.0.0, port: 9190, endpoints: {prometheus: {}}}`",
        "filters" => "`filterDefinitions` and `defaultFilters`, of which kproxy supports none yet",
    }
}

impl Root {
    /// The files to include, if any are asked for.
    pub(crate) fn include(&self) -> Option<&Spanned<List<String>>> {
        self.reload.as_ref()?.value.include.as_ref()
    }
}

record! {
    /// HTTP: health, metrics, status.
    pub struct Management {
        "bindAddress" bind_address: Option<Spanned<IpAddr>>,
        "port" port: Option<Spanned<u16>>,
        "tokenFile" token_file: Option<Spanned<PathBuf>>,
        /// Kroxylicious switches endpoints on here; kproxy serves them all.
        "endpoints" endpoints: Option<Spanned<ManagementEndpoints>>,
    }
    former { "host" => "`bindAddress`" }
}

record! {
    pub struct ManagementEndpoints {
        "prometheus" prometheus: Option<Spanned<Prometheus>>,
    }
}

record! {
    /// `prometheus: {}`: there is nothing to set.
    pub struct Prometheus {}
}

record! {
    /// The control socket.
    pub struct Control {
        "socket" socket: Option<Spanned<PathBuf>>,
    }
}

record! {
    pub struct Logging {
        "level" level: Option<Spanned<String>>,
        "format" format: Option<Spanned<LogFormat>>,
    }
}

choice! {
    pub enum LogFormat {
        Text = "text",
        Json = "json",
    }
}

record! {
    pub struct Network {
        "proxy" proxy: Option<Spanned<NetworkProxy>>,
    }
    inert { "management" => "HTTP has one thread of its own" }
}

record! {
    /// Limits and time-outs of the whole process.
    pub struct NetworkProxy {
        "workerThreadCount" worker_thread_count: Option<Spanned<NonZeroU32>>,
        "shutdownTimeout" shutdown_timeout: Option<Spanned<Duration>>,
        "unauthenticatedIdleTimeout" unauthenticated_idle_timeout: Option<Spanned<Duration>>,
        "authenticatedIdleTimeout" authenticated_idle_timeout: Option<Spanned<Duration>>,
        "connectTimeout" connect_timeout: Option<Spanned<Duration>>,
        "maxFrameSize" max_frame_size: Option<Spanned<Size>>,
        "maxConnections" max_connections: Option<Spanned<NonZeroU32>>,
        "maxConnectionsPerClient" max_connections_per_client: Option<Spanned<ConnectionsPerClient>>,
    }
    inert { "shutdownQuietPeriod" => "a shutdown ends when the last session has, `shutdownTimeout` bounds it" }
}

record! {
    /// A limit of connections for each client address or network.
    pub struct ConnectionsPerClient {
        "limit" limit: Spanned<NonZeroU32>,
        "prefixLength" prefix_length: Option<Spanned<u16>>,
        "ipv6PrefixLength" ipv6_prefix_length: Option<Spanned<u16>>,
    }
}

record! {
    /// The PROXY protocol, both legs.
    pub struct ProxyProtocol {
        "mode" mode: Option<Spanned<ProxyProtocolMode>>,
        "trustedPeers" trusted_peers: Option<Spanned<List<IpNet>>>,
        "upstream" upstream: Option<Spanned<UpstreamProxyProtocol>>,
    }
}

choice! {
    pub enum ProxyProtocolMode {
        Disabled = "disabled",
        Allowed = "allowed",
        Required = "required",
    }
}

choice! {
    pub enum UpstreamProxyProtocol {
        None = "none",
        V1 = "v1",
        V2 = "v2",
    }
}

record! {
    pub struct Reload {
        "watch" watch: Option<Spanned<bool>>,
        "debounce" debounce: Option<Spanned<Duration>>,
        "pollInterval" poll_interval: Option<Spanned<Duration>>,
        "maxRemovedPercent" max_removed_percent: Option<Spanned<Percent>>,
        "include" include: Option<Spanned<List<String>>>,
    }
}

record! {
    /// How sessions are asked to leave; of a virtual cluster, or the default for all.
    pub struct Drain {
        "strategy" strategy: Option<Spanned<DrainStrategy>>,
        "timeout" timeout: Option<Spanned<Duration>>,
        "hardTimeout" hard_timeout: Option<Spanned<Duration>>,
        "rate" rate: Option<Spanned<NonZeroU32>>,
    }
}

choice! {
    pub enum DrainStrategy {
        Graceful = "graceful",
        Progressive = "progressive",
        Immediate = "immediate",
    }
}

record! {
    /// Both ends belong to it.
    pub struct PortRange {
        "start" start: Spanned<NonZeroU16>,
        "end" end: Spanned<NonZeroU16>,
    }
}
