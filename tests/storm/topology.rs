//! What the configuration file says, as data: the storm changes the data and writes the file anew.

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// Ports of one gateway: the bootstrap port and those of its nodes behind it.
pub const BLOCK: u16 = 8;
/// The last node id of a range as it is at the beginning, and how far it is ever widened.
pub const RANGE: (i32, i32) = (3, 6);

/// The first of [`BLOCK`] ports in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block(pub u16);

impl Block {
    /// `count` blocks that are free at this moment, below the ephemeral ports and below those Kafka is given.
    pub fn pick(count: usize) -> Vec<Self> {
        const FIRST: u32 = 1_200;
        const COUNT: u32 = 2_300;
        let origin = std::process::id().wrapping_mul(97);
        let candidates =
            (0..COUNT).map(|step| FIRST + (origin.wrapping_add(step) % COUNT) * u32::from(BLOCK));
        let blocks: Vec<Self> = candidates
            .map(|first| Self(u16::try_from(first).expect("below 20 000")))
            .filter(|block| block.is_free())
            .take(count)
            .collect();
        assert_eq!(blocks.len(), count, "free blocks of ports");
        blocks
    }

    fn is_free(self) -> bool {
        (self.0..self.0 + BLOCK).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    }

    pub fn contains(self, port: i32) -> bool {
        (i32::from(self.0)..i32::from(self.0 + BLOCK)).contains(&port)
    }

    pub fn bootstrap(self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.0))
    }

    /// Ranges begin with node 1.
    pub fn node(self, id: i32) -> SocketAddr {
        let index = u16::try_from(id).expect("a small node id");
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.0 + index))
    }
}

/// Where clients find a cluster.
#[derive(Clone, Copy, Debug)]
pub struct ClusterPorts {
    pub at: Block,
    /// Where it may move: a session that stayed from before is told of the new addresses.
    pub other: Option<Block>,
}

impl ClusterPorts {
    pub fn blocks(self) -> impl Iterator<Item = Block> {
        [self.at].into_iter().chain(self.other)
    }
}

/// A cluster that comes and goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    pub name: String,
    pub block: Block,
}

/// Filters whose changes no client may notice, with their settings.
pub const FILTERS: [(&str, &str); 4] = [
    (
        "no-deletes",
        "type: ApiFilter, config: {denied: [DELETE_TOPICS, DELETE_RECORDS], clientIds: [\"nobody-SETTING\"]}",
    ),
    (
        "admin-log",
        "type: Audit, config: {sink: log, events: [denied, admin]}",
    ),
    ("age", "type: ConnectionExpiration, config: {maxAge: SETTINGh}"),
    (
        "frames",
        "type: ProtocolLogger, config: {apiKeyNames: [PRODUCE, FETCH, METADATA, HEARTBEAT], logLevel: TRACE, loggerName: storm-SETTING}",
    ),
];

/// Everything that the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The control socket: every process has its own.
    pub socket: String,
    /// Ports of the brokers.
    pub brokers: Vec<u16>,
    /// Block of `alpha`, whose changes are all `live` or `bind`.
    pub alpha: Block,
    pub alpha_more: Option<Block>,
    pub alpha_last_node: i32,
    pub alpha_max_connections: u32,
    pub alpha_random: bool,
    /// Filters of `alpha` in their order, by position in [`FILTERS`].
    pub alpha_filters: Vec<usize>,
    /// A number in the settings of the filters.
    pub filter_setting: u64,
    /// Block of `beta`, whose target changes again and again.
    pub beta: Block,
    pub beta_by_name: bool,
    pub beta_by_definition: bool,
    pub beta_strategy: &'static str,
    /// Block of `gamma` and `delta`, which swap ports and change names.
    pub gamma: Block,
    pub delta: Block,
    pub swapped: bool,
    pub renamed: bool,
    pub passing: Vec<Passing>,
    /// Live keys of the whole process.
    pub connect_timeout: u32,
    pub max_removed_percent: u32,
    pub level: &'static str,
    /// What means nothing.
    pub comment: u64,
}

impl Topology {
    /// The four lasting clusters, as they are at the beginning and at the end.
    pub fn new(brokers: Vec<u16>, blocks: [Block; 4], socket: String) -> Self {
        let [alpha, beta, gamma, delta] = blocks;
        Self {
            socket,
            brokers,
            alpha,
            alpha_more: None,
            alpha_last_node: RANGE.0,
            alpha_max_connections: 5_000,
            alpha_random: false,
            alpha_filters: Vec::new(),
            filter_setting: 1,
            beta,
            beta_by_name: false,
            beta_by_definition: true,
            beta_strategy: "graceful",
            gamma,
            delta,
            swapped: false,
            renamed: false,
            passing: Vec::new(),
            connect_timeout: 10,
            max_removed_percent: 90,
            level: "info",
            comment: 0,
        }
    }

    /// Another name for the same Kafka, which makes it another target for kproxy.
    fn servers(&self, by_name: bool) -> String {
        let host = if by_name { "localhost" } else { "127.0.0.1" };
        let servers: Vec<String> = self.brokers.iter().map(|port| format!("{host}:{port}")).collect();
        servers.join(",")
    }

    pub fn yaml(&self) -> String {
        let mut yaml = format!(
            "# edit {comment}
control: {{socket: \"{socket}\"}}
logging: {{format: json, level: \"{level}\"}}
network: {{proxy: {{workerThreadCount: 2, connectTimeout: {connect_timeout}s}}}}
reload: {{debounce: 20ms, maxRemovedPercent: {max_removed_percent}, target: 60s}}
drain: {{timeout: 120s, hardTimeout: 300s}}
clusterDefinitions:
  - {{name: beta-kafka, bootstrapServers: \"{beta}\"}}
{filters}virtualClusters:
",
            filters = self.filters_yaml(),
            comment = self.comment,
            socket = self.socket,
            level = self.level,
            connect_timeout = self.connect_timeout,
            max_removed_percent = self.max_removed_percent,
            beta = self.servers(self.beta_by_name),
        );
        self.alpha_yaml(&mut yaml);
        self.beta_yaml(&mut yaml);
        let (first, second) = if self.renamed {
            ("gamma-renamed", "delta-renamed")
        } else {
            ("gamma", "delta")
        };
        let (gamma, delta) = if self.swapped {
            (self.delta, self.gamma)
        } else {
            (self.gamma, self.delta)
        };
        for (name, block) in [(first, gamma), (second, delta)] {
            self.plain_yaml(&mut yaml, name, block);
        }
        for passing in &self.passing {
            self.plain_yaml(&mut yaml, &passing.name, passing.block);
        }
        yaml
    }

    /// Definitions of the filters that are in use.
    fn filters_yaml(&self) -> String {
        if self.alpha_filters.is_empty() {
            return String::new();
        }
        let setting = self.filter_setting.to_string();
        let mut used = self.alpha_filters.clone();
        used.sort_unstable();
        let definitions = used.into_iter().map(|filter| {
            let (name, settings) = FILTERS[filter];
            format!(
                "  - {{name: {name}, {}}}\n",
                settings.replace("SETTING", &setting)
            )
        });
        format!("filterDefinitions:\n{}", definitions.collect::<String>())
    }

    fn alpha_yaml(&self, yaml: &mut String) {
        let strategy = if self.alpha_random {
            "random"
        } else {
            "round-robin"
        };
        let names: Vec<_> = self
            .alpha_filters
            .iter()
            .map(|filter| FILTERS[*filter].0)
            .collect();
        write!(
            yaml,
            "  - name: alpha
    targetCluster: {{bootstrapServers: \"{servers}\", bootstrapServerSelection: {{strategy: {strategy}}}}}
    maxConnections: {max}
    logNetwork: true
    filters: [{filters}]
    gateways:
",
            filters = names.join(", "),
            servers = self.servers(false),
            max = self.alpha_max_connections,
        )
        .expect("a String takes everything");
        gateway(yaml, "main", self.alpha, self.alpha_last_node);
        if let Some(block) = self.alpha_more {
            gateway(yaml, "more", block, RANGE.0);
        }
    }

    fn beta_yaml(&self, yaml: &mut String) {
        let target = if self.beta_by_definition {
            "target: {cluster: beta-kafka}".to_owned()
        } else {
            format!(
                "targetCluster: {{bootstrapServers: \"{}\"}}",
                self.servers(self.beta_by_name)
            )
        };
        write!(
            yaml,
            "  - name: beta
    {target}
    drain: {{strategy: {strategy}}}
    logNetwork: true
    gateways:
",
            strategy = self.beta_strategy,
        )
        .expect("a String takes everything");
        gateway(yaml, "main", self.beta, RANGE.0);
    }

    fn plain_yaml(&self, yaml: &mut String, name: &str, block: Block) {
        write!(
            yaml,
            "  - name: {name}
    targetCluster: {{bootstrapServers: \"{}\"}}
    logNetwork: true
    gateways:
",
            self.servers(false)
        )
        .expect("a String takes everything");
        gateway(yaml, "main", block, RANGE.0);
    }
}

fn gateway(yaml: &mut String, name: &str, block: Block, last_node: i32) {
    write!(
        yaml,
        "      - name: {name}
        portIdentifiesNode:
          bootstrapAddress: {bootstrap}
          nodeIdRanges: [{{name: brokers, start: 1, end: {last_node}}}]
",
        bootstrap = block.bootstrap(),
    )
    .expect("a String takes everything");
}
