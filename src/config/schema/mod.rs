//! The keys of `proxy.yaml`: every key with its meaning, its type and its default.
//!
//! Each record mirrors one mapping of the file. The doc comments of the fields are the text of `docs/configuration.md`,
//! which a test compares with them; the value after `=` is the default shown there, and a test holds it to what `model`
//! fills in. What a change of a key does to live connections is in `reload::classes`.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::decode::{choice, record};
use super::{List, Percent, PrefixLength, Size, Spanned};

mod cluster;
mod fence;
mod filters;
mod json;
mod keys;
mod operation;
mod sasl;
mod subject;
mod tls;

pub use cluster::*;
pub use fence::*;
pub use filters::*;
pub(super) use json::value_of;
pub use json::{json_schema, yaml_to_json};
pub use keys::{SchemaKey, key_paths, keys};
pub use operation::*;
pub use sasl::*;
pub use subject::*;
pub use tls::*;

record! {
    /// The whole file. `virtualClusters` must be present, here or in an included file; every other key may be absent.
    pub struct Root {
        /// HTTP server for health checks, metrics and status. Absent: no HTTP.
        "management" management: Option<Spanned<Management>>,
        /// Control socket, which the commands (`kproxy status`, `kproxy reload`, …) connect to.
        "control" control: Option<Spanned<Control>>,
        /// Directory in which kproxy remembers the node ids and addresses of brokers between runs, so that clients that come
        /// straight to the port of a node are served at once after a restart, and for filters the names of topics by their
        /// ids. Absent: nothing is remembered.
        "stateDirectory" state_directory: Option<Spanned<PathBuf>>,
        /// Record of who changed what. It is always in the log, too.
        "audit" audit: Option<Spanned<Audit>>,
        /// Webhooks that are told of what needs a person.
        "notify" notify: Option<Spanned<List<Webhook>>> = "[]",
        /// The log, which is written to standard error.
        "logging" logging: Option<Spanned<Logging>>,
        /// Limits and time-outs of the process.
        "network" network: Option<Spanned<Network>>,
        /// PROXY protocol for all gateways. A gateway's own `proxyProtocol` overrides it, key by key.
        "proxyProtocol" proxy_protocol: Option<Spanned<ProxyProtocol>>,
        /// When a changed file is noticed and applied.
        "reload" reload: Option<Spanned<Reload>>,
        /// Earlier configurations: how many are kept, and when kproxy goes back to one by itself.
        "rollback" rollback: Option<Spanned<Rollback>>,
        /// How sessions are asked to leave: the default for every virtual cluster, whose own `drain` overrides it key by key.
        "drain" drain: Option<Spanned<Drain>>,
        /// Kafka clusters that virtual clusters refer to by name.
        "clusterDefinitions" cluster_definitions: Option<Spanned<List<ClusterDefinition>>>,
        /// Filters that virtual clusters refer to by name.
        "filterDefinitions" filter_definitions: Option<Spanned<List<FilterDefinition>>> = "[]",
        /// Names of the filters of every virtual cluster that has no `filters` of its own, in the order in which requests
        /// pass them.
        "defaultFilters" default_filters: Option<Spanned<List<String>>> = "[]",
        /// The clusters that clients see. A virtual cluster may be added or removed without disturbing the others;
        /// removing one drains its sessions.
        "virtualClusters" virtual_clusters: Option<Spanned<List<VirtualCluster>>>,
    }
    not_supported { "routerDefinitions", "micrometer", "development" }
    inert {
        "useIoUring" => "kproxy waits for sockets with epoll",
        "version" => "kproxy's file has no versions",
    }
    former {
        "adminHttp" => "`management: {bindAddress: 0.0.0.0, port: 9190, endpoints: {prometheus: {}}}`",
        "filters" => "`filterDefinitions: [{name: NAME, type: TYPE, config: {…}}]` and `defaultFilters: [NAME]`",
    }
}

impl Root {
    /// Returns the patterns of the files to include, if there are any.
    pub(crate) fn include(&self) -> Option<&Spanned<List<String>>> {
        self.reload.as_ref()?.value.include.as_ref()
    }
}

record! {
    /// HTTP server for health checks, metrics and status.
    pub struct Management {
        /// Address that the HTTP server listens on.
        "bindAddress" bind_address: Option<Spanned<IpAddr>> = "127.0.0.1",
        /// Port that the HTTP server listens on. 0: the operating system chooses one.
        "port" port: Option<Spanned<u16>> = "9190",
        /// File with the token that requests which change something must send as `Authorization: Bearer TOKEN`. Absent: HTTP
        /// changes nothing.
        "tokenFile" token_file: Option<Spanned<PathBuf>>,
        /// Endpoints to serve, a key of Kroxylicious. kproxy serves all of its endpoints, whether the key is there or not.
        "endpoints" endpoints: Option<Spanned<ManagementEndpoints>>,
    }
    former { "host" => "`bindAddress`" }
}

record! {
    /// Endpoints of the HTTP server, as files of Kroxylicious list them.
    pub struct ManagementEndpoints {
        /// `{}`, as in files of Kroxylicious. It changes nothing: `/metrics` is always served.
        "prometheus" prometheus: Option<Spanned<Prometheus>>,
    }
}

record! {
    /// An empty mapping.
    pub struct Prometheus {}
}

record! {
    /// Control socket, which the commands connect to.
    pub struct Control {
        /// Path of the socket. Absent: `$XDG_RUNTIME_DIR/kproxy/control.sock`, or `/run/kproxy/control.sock` where that
        /// variable is not set.
        "socket" socket: Option<Spanned<PathBuf>>,
    }
}

record! {
    /// The log, which is written to standard error.
    pub struct Logging {
        /// Lowest level that is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`, or a list of directives such as
        /// `info,kproxy::reload=debug`.
        "level" level: Option<Spanned<String>> = "info",
        /// Format of a line: `text` (logfmt) or `json` (one object a line).
        "format" format: Option<Spanned<LogFormat>> = "text",
    }
}

choice! {
    /// Format of a log line.
    pub enum LogFormat {
        /// Logfmt.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

record! {
    /// Limits and time-outs of the process.
    pub struct Network {
        /// Limits and time-outs of connections through the proxy.
        "proxy" proxy: Option<Spanned<NetworkProxy>>,
        /// Limits of what filters may hold.
        "filters" filters: Option<Spanned<NetworkFilters>>,
    }
    inert { "management" => "HTTP has one thread of its own" }
}

record! {
    /// Limits and time-outs of connections through the proxy.
    pub struct NetworkProxy {
        /// Number of threads that move the bytes of sessions. Absent: the number of cores that the process may use.
        "workerThreadCount" worker_thread_count: Option<Spanned<NonZeroU32>>,
        /// Longest time that a stop (SIGTERM, SIGINT) waits for requests in flight.
        "shutdownTimeout" shutdown_timeout: Option<Spanned<Duration>> = "30s",
        /// Time between the signal to stop and the first session that is asked to leave. kproxy is not ready during it, and
        /// still accepts connections, so that load balancers and Kubernetes have time to send clients elsewhere.
        "shutdownDelay" shutdown_delay: Option<Spanned<Duration>> = "0s",
        /// Time within which a new connection must send its first complete request. `0s`: no limit.
        "unauthenticatedIdleTimeout" unauthenticated_idle_timeout: Option<Spanned<Duration>> = "10m",
        /// Time after which a session without traffic is closed, counted from its first complete request on. Absent or
        /// `0s`: no limit.
        "authenticatedIdleTimeout" authenticated_idle_timeout: Option<Spanned<Duration>>,
        /// Longest time for one attempt to connect to one address of a broker, and again for the TLS handshake with it.
        "connectTimeout" connect_timeout: Option<Spanned<Duration>> = "10s",
        /// Size of the largest request and response that pass, without their size prefix.
        "maxFrameSize" max_frame_size: Option<Spanned<Size>> = "100MiB",
        /// Number of client connections of the whole process. Further clients wait until a place is free. Absent: as many as
        /// file descriptors allow.
        "maxConnections" max_connections: Option<Spanned<NonZeroU32>>,
        /// Number of connections that one client may have to the process. Further connections are closed. Absent: no limit.
        "maxConnectionsPerClient" max_connections_per_client: Option<Spanned<ConnectionsPerClient>>,
    }
    inert { "shutdownQuietPeriod" => "a shutdown ends when the last session has, `shutdownTimeout` bounds it" }
}

record! {
    /// Limits of what filters may hold.
    pub struct NetworkFilters {
        /// Size of the largest request and response that a filter may ask to see as a whole, without its size prefix.
        "maxFrameSize" max_frame_size: Option<Spanned<Size>> = "16MiB",
        /// Bytes that the filters of all sessions may hold together. A session that needs more waits: it does not read.
        "memoryLimit" memory_limit: Option<Spanned<Size>> = "256MiB",
    }
}

record! {
    /// Limit on the connections of one client address, or of one network of clients.
    pub struct ConnectionsPerClient {
        /// Number of connections.
        "limit" limit: Spanned<NonZeroU32>,
        /// IPv4: addresses whose first bits, this many, are the same count as one client. At most 32.
        "prefixLength" prefix_length: Option<Spanned<PrefixLength>> = "32",
        /// IPv6: addresses whose first bits, this many, are the same count as one client. At most 128.
        "ipv6PrefixLength" ipv6_prefix_length: Option<Spanned<PrefixLength>> = "64",
    }
}

record! {
    /// PROXY protocol, with which a load balancer passes on the address of its client.
    pub struct ProxyProtocol {
        /// Whether connections begin with a PROXY header: `disabled` (a header is an error), `allowed` (trusted peers may
        /// send one) or `required` (a connection without one is closed).
        "mode" mode: Option<Spanned<ProxyProtocolMode>> = "disabled",
        /// Networks of the load balancers whose headers are believed. Empty: every peer is believed, with a warning.
        "trustedPeers" trusted_peers: Option<Spanned<List<IpNet>>> = "[]",
        /// Version of the PROXY header that kproxy sends to brokers.
        "upstream" upstream: Option<Spanned<UpstreamProxyProtocol>> = "none",
    }
}

choice! {
    /// Whether connections of clients begin with a PROXY header.
    pub enum ProxyProtocolMode {
        /// A header is an error.
        Disabled = "disabled",
        /// Trusted peers may send one.
        Allowed = "allowed",
        /// A connection without one is closed.
        Required = "required",
    }
}

choice! {
    /// Version of the PROXY header that brokers are sent.
    pub enum UpstreamProxyProtocol {
        /// No header.
        None = "none",
        /// Version 1, text.
        V1 = "v1",
        /// Version 2, binary.
        V2 = "v2",
    }
}

record! {
    /// When a changed file is noticed and applied.
    pub struct Reload {
        /// Whether kproxy follows this file and every file that it names, and applies changes by itself. `false`: only
        /// SIGHUP, `kproxy reload` and HTTP reload.
        "watch" watch: Option<Spanned<bool>> = "true",
        /// Time during which the files must not change before they are read.
        "debounce" debounce: Option<Spanned<Duration>> = "150ms",
        /// Interval at which the content of the files is compared, for file systems that report no changes. `0s`: off.
        "pollInterval" poll_interval: Option<Spanned<Duration>> = "10s",
        /// Largest part of the virtual clusters that a reload may remove, in percent. A reload that removes more is rejected,
        /// unless it is forced.
        "maxRemovedPercent" max_removed_percent: Option<Spanned<Percent>> = "50",
        /// Tests of changed target clusters before a reload is applied.
        "checks" checks: Option<Spanned<ReloadChecks>>,
        /// Whether edits of the files are prepared only, and wait for `kproxy approve` by another user.
        "requireApproval" require_approval: Option<Spanned<bool>> = "false",
        /// Longest time that a reload should take. A slower one is warned of, with the phase that took longest.
        "target" target: Option<Spanned<Duration>> = "100ms",
        /// Further files with `clusterDefinitions` and `virtualClusters`: paths or patterns with `*`, relative to this file.
        "include" include: Option<Spanned<List<String>>> = "[]",
    }
}

record! {
    /// How the sessions of a virtual cluster are asked to leave when their cluster changes or is removed.
    pub struct Drain {
        /// How sessions are asked: `graceful` (all at once; each leaves when nothing of it is in flight), `progressive` (the
        /// same, `rate` sessions a second) or `immediate` (no new requests are read; each leaves after the answers in flight).
        "strategy" strategy: Option<Spanned<DrainStrategy>> = "graceful",
        /// Soft deadline: from then on no new requests are read from sessions that drain.
        "timeout" timeout: Option<Spanned<Duration>> = "30s",
        /// Hard deadline: sessions that are still there are closed. At least as long as `timeout`.
        "hardTimeout" hard_timeout: Option<Spanned<Duration>> = "60s",
        /// Number of sessions that are asked to leave per second with the strategy `progressive`.
        "rate" rate: Option<Spanned<NonZeroU32>> = "50",
    }
}

choice! {
    /// How the sessions of a drain are asked to leave.
    pub enum DrainStrategy {
        /// All at once; each leaves when nothing of it is in flight.
        Graceful = "graceful",
        /// `rate` sessions a second; each leaves when nothing of it is in flight.
        Progressive = "progressive",
        /// No new requests are read; each session leaves after the answers in flight.
        Immediate = "immediate",
    }
}

record! {
    /// A range of ports, both ends included.
    pub struct PortRange {
        /// First port.
        "start" start: Spanned<NonZeroU16>,
        /// Last port.
        "end" end: Spanned<NonZeroU16>,
    }
}
