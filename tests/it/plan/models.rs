//! Models to compare: plain ones, and generated ones that differ in everything.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kproxy::model::{
    AllowedBrokers, BindIp, BootstrapSelection, ClientAuth, DownstreamTls, DrainPolicy, DrainStrategy,
    Gateway, HostPort, IdentifiedBy, Management, NodePort, PortRange, ProxyModel, ProxyProtocol,
    ProxyProtocolMode, ProxyProtocolVersion, TargetCluster, TopicNameLimits, UpstreamTls, UpstreamTrust,
    VirtualCluster,
};
use kproxy::pki::{Identity, Negotiation, RevocationLists, TrustStore};
use proptest::prelude::*;

pub(crate) const LOOPBACK: BindIp = BindIp::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));

pub(crate) fn node(node_id: i32, port: u16) -> NodePort {
    NodePort {
        node_id,
        port,
        advertised_port: None,
    }
}

pub(crate) fn gateway(name: &str, port: u16) -> Gateway {
    Gateway {
        name: name.into(),
        bind: LOOPBACK,
        bootstrap_host: "localhost".into(),
        bootstrap_port: port,
        advertised_bootstrap_port: None,
        node_host_pattern: "localhost".into(),
        nodes: (0..3).map(|id| node(id, port + 1 + id as u16)).collect(),
        dynamic_ports: None,
        identified_by: IdentifiedBy::Port,
        tls: None,
        proxy_protocol: ProxyProtocol::default(),
    }
}

pub(crate) fn cluster(name: &str, port: u16) -> VirtualCluster {
    VirtualCluster {
        name: name.into(),
        target: TargetCluster {
            bootstrap_servers: vec![HostPort {
                host: "b".into(),
                port: 9092,
            }],
            selection: BootstrapSelection::RoundRobin,
            allowed_brokers: AllowedBrokers::default(),
            via: None,
            tls: None,
            login: None,
        },
        drain: DrainPolicy {
            strategy: DrainStrategy::Graceful,
            timeout: Duration::from_secs(30),
            hard_timeout: Duration::from_secs(60),
            rate: 50,
        },
        max_connections: None,
        max_connections_per_client: None,
        log_network: false,
        log_frames: false,
        filters: Vec::new(),
        subject_builder: None,
        fence: None,
        topic_names: TopicNameLimits::default(),
        gateways: vec![gateway("g", port)],
    }
}

pub(crate) fn model(clusters: impl IntoIterator<Item = VirtualCluster>) -> ProxyModel {
    ProxyModel {
        clusters: clusters
            .into_iter()
            .map(|cluster| (cluster.name.clone(), Arc::new(cluster)))
            .collect(),
        ..ProxyModel::empty()
    }
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new("tests/fixtures/pki").join(name)).unwrap()
}

/// Read once: proptest makes thousands of models.
pub(crate) static IDENTITIES: LazyLock<[Arc<Identity>; 2]> = LazyLock::new(|| {
    ["ec", "rsa"].map(|name| {
        let (certificate, key) = (fixture(&format!("{name}.pem")), fixture(&format!("{name}.key")));
        Arc::new(Identity::from_pem(&certificate, &key, None).unwrap())
    })
});

pub(crate) static STORES: LazyLock<[Arc<TrustStore>; 2]> = LazyLock::new(|| {
    ["ec.pem", "rsa.pem"].map(|name| Arc::new(TrustStore::from_pem(&fixture(name)).unwrap()))
});

pub(crate) static REVOKED: LazyLock<Arc<RevocationLists>> =
    LazyLock::new(|| Arc::new(RevocationLists::from_pem(&fixture("crl.pem")).unwrap()));

pub(crate) fn secured() -> DownstreamTls {
    DownstreamTls {
        identity: Arc::clone(&IDENTITIES[0]),
        client_auth: ClientAuth::Required(Arc::clone(&STORES[0])),
        revoked: None,
        negotiation: Negotiation::default(),
        end_sessions_on_expiry: false,
    }
}

pub(crate) fn secured_upstream() -> UpstreamTls {
    UpstreamTls {
        trust: UpstreamTrust::Platform,
        identity: None,
        server_name: None,
        revoked: None,
        negotiation: Negotiation::default(),
    }
}

/// With the newest version only, or one suite less.
pub(crate) fn negotiation(kind: usize) -> Negotiation {
    let all = Negotiation::default();
    match kind {
        0 => all,
        1 => Negotiation::new(all.versions[..1].to_vec(), &all.suites).unwrap(),
        _ => Negotiation::new(all.versions, &all.suites[1..]).unwrap(),
    }
}

prop_compose! {
    pub(crate) fn any_downstream()(
        identity in 0usize..2,
        auth in 0usize..3,
        store in 0usize..2,
        revoked in any::<bool>(),
        kind in 0usize..3,
        end_sessions_on_expiry in any::<bool>(),
    ) -> DownstreamTls {
        let store = Arc::clone(&STORES[store]);
        DownstreamTls {
            identity: Arc::clone(&IDENTITIES[identity]),
            client_auth: [ClientAuth::None, ClientAuth::Requested(store.clone()), ClientAuth::Required(store)][auth].clone(),
            revoked: revoked.then(|| Arc::clone(&REVOKED)),
            negotiation: negotiation(kind),
            end_sessions_on_expiry,
        }
    }
}

prop_compose! {
    pub(crate) fn any_proxy_protocol()(mode in 0usize..3, peer in any::<bool>(), upstream in 0usize..3) -> ProxyProtocol {
        use ProxyProtocolMode::{Allowed, Disabled, Required};
        ProxyProtocol {
            mode: [Disabled, Allowed, Required][mode],
            trusted_peers: if peer { vec!["10.0.0.0/8".parse().unwrap()] } else { Vec::new() },
            upstream: [None, Some(ProxyProtocolVersion::V1), Some(ProxyProtocolVersion::V2)][upstream],
        }
    }
}

prop_compose! {
    pub(crate) fn any_gateway()(
        gateway in any_port_gateway(),
        tls in prop::option::of(any_downstream()),
        proxy_protocol in any_proxy_protocol(),
        sni in prop::option::weighted(0.4, prop::option::of(1u16..3)),
    ) -> Gateway {
        let mut gateway = Gateway { tls, proxy_protocol, ..gateway };
        if let Some(advertised_port) = sni {
            gateway.identified_by = IdentifiedBy::SniHost { advertised_port };
            gateway.nodes.clear();
            gateway.dynamic_ports = None;
        }
        gateway
    }
}

prop_compose! {
    pub(crate) fn any_port_gateway()(
        name in "[gh]",
        any_ip in any::<bool>(),
        port in 1u16..4,
        host in "[xy]",
        nodes in prop::collection::btree_map(0i32..4, (1u16..4, prop::option::of(1u16..3)), 0..3),
        dynamic in prop::option::of(7u16..9),
    ) -> Gateway {
        Gateway {
            bind: if any_ip { BindIp::Any } else { LOOPBACK },
            bootstrap_host: host.clone(),
            node_host_pattern: host.into(),
            nodes: nodes
                .into_iter()
                .map(|(node_id, (port, advertised_port))| NodePort { node_id, port, advertised_port })
                .collect(),
            dynamic_ports: dynamic.map(|end| PortRange { start: 7, end }),
            ..gateway(&name, port)
        }
    }
}

prop_compose! {
    pub(crate) fn any_cluster()(
        name in "[a-e]",
        server in 1u16..3,
        random in any::<bool>(),
        seconds in 1u64..3,
        max_connections in prop::option::of(1usize..3),
        logs in any::<(bool, bool)>(),
        gateways in prop::collection::vec(any_gateway(), 1..3),
        tls in prop::option::of((0usize..4, 0usize..2)),
    ) -> VirtualCluster {
        let mut gateways = gateways;
        gateways.sort_by(|one, other| one.name.cmp(&other.name));
        gateways.dedup_by(|one, other| one.name == other.name);
        let mut cluster = cluster(&name, 1);
        cluster.target.bootstrap_servers[0].port = server;
        if random {
            cluster.target.selection = BootstrapSelection::Random;
        }
        cluster.drain.timeout = Duration::from_secs(seconds);
        cluster.max_connections = max_connections;
        (cluster.log_network, cluster.log_frames) = logs;
        cluster.gateways = gateways;
        let stored = |content: usize, file: &str| {
            let store = TrustStore::clone(&STORES[content]).from_file(file.into());
            UpstreamTrust::Store(Arc::new(store))
        };
        cluster.target.tls = tls.map(|(trust, content)| UpstreamTls {
            trust: match trust {
                0 => UpstreamTrust::Insecure,
                1 => UpstreamTrust::Platform,
                2 => stored(content, "one.pem"),
                _ => stored(content, "other.pem"),
            },
            ..secured_upstream()
        });
        cluster
    }
}

prop_compose! {
    pub(crate) fn any_model()(
        clusters in prop::collection::vec(any_cluster(), 0..5),
        frame in 1u32..3,
        workers in prop::option::of(1usize..3),
        level in "[ab]",
        percent in 1u8..3,
        management in prop::option::of(1u16..3),
    ) -> ProxyModel {
        let mut model = model(clusters);
        model.network.max_frame_size = frame;
        model.network.worker_threads = workers;
        model.logging.level = level;
        model.reload.max_removed_percent = percent;
        model.management = management.map(|port| Management {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            token: None,
        });
        model
    }
}
