//! Addresses that a gateway gives to the nodes of its virtual cluster, by its configuration.

use std::collections::BTreeMap;

use crate::model::{Gateway, HostPort, IdentifiedBy, NodeHostPattern, PortRange};

/// Addresses that a gateway gives to nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedNodes {
    /// Each node has a port.
    Ports {
        /// Host of nodes.
        host: NodeHostPattern,
        /// Port of each node in the ranges; `None` where the operating system chose it and nobody said which.
        ports: BTreeMap<i32, Option<u16>>,
        /// Ports of nodes outside the ranges.
        dynamic: Option<PortRange>,
    },
    /// Each node has a host name.
    Hosts {
        /// Host of nodes.
        host: NodeHostPattern,
        /// Port of every node; `None` where it is not known.
        port: Option<u16>,
    },
    /// The running process has said where its nodes are.
    Reported(BTreeMap<i32, HostPort>),
}

/// The address that a gateway gives to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedNode {
    /// This host with one of these ports.
    At(String, PortRange),
    /// This host; the port is not known.
    AtHost(String),
    /// None: the node is outside the ranges.
    Nowhere,
    /// An address that is not known.
    Unknown,
}

impl ExpectedNodes {
    /// The addresses by the configuration. `bootstrap_port` is the bound port of the gateway, if it is known, and
    /// `chosen` the ports that the operating system chose.
    pub fn of(gateway: &Gateway, bootstrap_port: Option<u16>, chosen: &BTreeMap<i32, u16>) -> Self {
        let host = gateway.node_host_pattern.clone();
        match gateway.identified_by {
            IdentifiedBy::SniHost { advertised_port } => Self::Hosts {
                host,
                port: advertised_port.or(bootstrap_port),
            },
            IdentifiedBy::Port => {
                let bound = |port: u16, id: &i32| match port {
                    0 => chosen.get(id).copied(),
                    port => Some(port),
                };
                let ports = gateway.nodes.iter().map(|node| {
                    let id = node.node_id;
                    (id, node.advertised_port.or_else(|| bound(node.port, &id)))
                });
                Self::Ports {
                    host,
                    ports: ports.collect(),
                    dynamic: gateway.dynamic_ports,
                }
            }
        }
    }

    /// The address of one node.
    pub fn node(&self, id: i32) -> ExpectedNode {
        let exactly = |port| PortRange {
            start: port,
            end: port,
        };
        match self {
            Self::Reported(nodes) => match nodes.get(&id) {
                Some(address) => ExpectedNode::At(address.host.clone(), exactly(address.port)),
                None => ExpectedNode::Unknown,
            },
            Self::Hosts {
                host,
                port: Some(port),
            } => ExpectedNode::At(host.host(id), exactly(*port)),
            Self::Hosts { host, port: None } => ExpectedNode::AtHost(host.host(id)),
            Self::Ports { host, ports, dynamic } => match (ports.get(&id), dynamic) {
                (Some(Some(port)), _) => ExpectedNode::At(host.host(id), exactly(*port)),
                (Some(None), _) => ExpectedNode::AtHost(host.host(id)),
                (None, Some(range)) => ExpectedNode::At(host.host(id), *range),
                (None, None) => ExpectedNode::Nowhere,
            },
        }
    }
}

impl ExpectedNode {
    /// Whether a node may be told as `address`.
    pub fn allows(&self, address: &HostPort) -> bool {
        match self {
            Self::At(host, ports) => address.host.eq_ignore_ascii_case(host) && ports.contains(address.port),
            Self::AtHost(host) => address.host.eq_ignore_ascii_case(host),
            Self::Nowhere => false,
            Self::Unknown => true,
        }
    }
}

impl std::fmt::Display for ExpectedNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(host, ports) if ports.start == ports.end => {
                crate::model::write_address(f, host, ports.start)
            }
            Self::At(host, ports) => write!(f, "{host} with a port from {} to {}", ports.start, ports.end),
            Self::AtHost(host) => write!(f, "{host} with a port of the gateway"),
            Self::Nowhere => f.write_str("no address: its id is outside `nodeIdRanges`"),
            Self::Unknown => f.write_str("an address that is not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(expected: &ExpectedNodes, id: i32, host: &str, port: u16) -> bool {
        let host = host.to_owned();
        expected.node(id).allows(&HostPort { host, port })
    }

    #[test]
    fn ports_follow_from_the_file_and_those_of_the_system_from_the_process() {
        let text = "virtualClusters:
  - name: orders
    targetCluster: {bootstrapServers: \"b0:9092\"}
    gateways:
      - name: main
        portIdentifiesNode:
          bootstrapAddress: k:9192
          advertisedBrokerAddressPattern: node-$(nodeId).k
          advertisedNodeStartPort: 443
          nodeIdRanges: [{name: n, start: 5, end: 6}]
";
        let model = crate::model::parse(text.as_bytes(), "proxy.yaml").unwrap();
        let gateway = &model.clusters["orders"].gateways[0];
        let expected = ExpectedNodes::of(gateway, Some(9192), &BTreeMap::new());
        assert!(allows(&expected, 6, "NODE-6.k", 444));
        assert!(!allows(&expected, 6, "node-6.k", 443) && !allows(&expected, 6, "node-5.k", 444));
        assert_eq!(expected.node(7), ExpectedNode::Nowhere);
        let chosen = text.replace(
            "          advertisedNodeStartPort: 443\n",
            "          nodeStartPort: 0\n",
        );
        let model = crate::model::parse(chosen.as_bytes(), "proxy.yaml").unwrap();
        let gateway = &model.clusters["orders"].gateways[0];
        let expected = ExpectedNodes::of(gateway, Some(9192), &BTreeMap::from([(5, 33_333)]));
        assert!(allows(&expected, 5, "node-5.k", 33_333) && !allows(&expected, 5, "node-5.k", 1));
        // Nobody has said which port it is.
        assert!(allows(&expected, 6, "node-6.k", 1) && !allows(&expected, 6, "b0", 1));
    }

    #[test]
    fn names_of_nodes_have_one_port() {
        let expected = ExpectedNodes::Hosts {
            host: "broker-$(nodeId).k".into(),
            port: Some(9443),
        };
        assert!(allows(&expected, 12, "broker-12.k", 9443));
        assert!(!allows(&expected, 12, "broker-12.k", 9444) && !allows(&expected, 1, "broker-12.k", 9443));
    }
}
