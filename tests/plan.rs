//! What the comparison of two configurations promises.
//!
//! 1. Replaying a plan on the old model gives the new one, there and back; a plan between equal models is empty.
//! 2. Added, modified and removed are disjoint, and together they are everything that differs.
//! 3. Every field of the model is noticed, under the key that the file has for it and in that key's class; what ends
//!    sessions is at least of class `drain`, whatever its key.
//! 4. What the file says in other words is no change: see `tests/config/meaning.rs`.
//! 5. A plan can be read: one line for each step, with the class and the keys to blame.
//! 6. Only addresses that overlap one that is released are handed over, and none that is still shared.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use kproxy::model::{
    BindIp, BootstrapSelection, DrainPolicy, DrainStrategy, Gateway, HostPort, IdentifiedBy, LogFormat,
    Management, NodePort, PortRange, ProxyModel, ProxyProtocol, TargetCluster, VirtualCluster,
};
use kproxy::reload::{ClusterChange, Plan, ReloadClass, detect};
use proptest::prelude::*;

const LOOPBACK: BindIp = BindIp::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));

fn node(node_id: i32, port: u16) -> NodePort {
    NodePort {
        node_id,
        port,
        advertised_port: None,
    }
}

fn gateway(name: &str, port: u16) -> Gateway {
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

fn cluster(name: &str, port: u16) -> VirtualCluster {
    VirtualCluster {
        name: name.into(),
        target: TargetCluster {
            bootstrap_servers: vec![HostPort {
                host: "b".into(),
                port: 9092,
            }],
            selection: BootstrapSelection::RoundRobin,
            tls: None,
        },
        drain: DrainPolicy {
            strategy: DrainStrategy::Graceful,
            timeout: Duration::from_secs(30),
            hard_timeout: Duration::from_secs(60),
            rate: 50,
        },
        max_connections: None,
        log_network: false,
        log_frames: false,
        gateways: vec![gateway("g", port)],
    }
}

fn model(clusters: impl IntoIterator<Item = VirtualCluster>) -> ProxyModel {
    ProxyModel {
        clusters: clusters
            .into_iter()
            .map(|cluster| (cluster.name.clone(), Arc::new(cluster)))
            .collect(),
        ..ProxyModel::empty()
    }
}

prop_compose! {
    fn any_gateway()(
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
            node_host_pattern: host,
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
    fn any_cluster()(
        name in "[a-e]",
        server in 1u16..3,
        random in any::<bool>(),
        seconds in 1u64..3,
        max_connections in prop::option::of(1usize..3),
        logs in any::<(bool, bool)>(),
        gateways in prop::collection::vec(any_gateway(), 1..3),
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
        cluster
    }
}

prop_compose! {
    fn any_model()(
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

proptest! {
    #[test]
    fn replaying_a_plan_gives_the_new_model(old in any_model(), new in any_model()) {
        for (from, to) in [(&old, &new), (&new, &old)] {
            let mut replayed = from.clone();
            let plan = Plan::between(from, to);
            plan.apply(&mut replayed);
            prop_assert_eq!(&replayed, to);
            prop_assert_eq!(plan.is_empty(), from == to);
        }
        prop_assert_eq!(Plan::between(&new, &new.clone()), Plan::default());
    }

    #[test]
    fn the_changes_are_disjoint_and_complete(old in any_model(), new in any_model()) {
        let changes = detect(&old, &new);
        let names: BTreeSet<&str> = changes.clusters().map(|(name, _)| name).collect();
        let expected: BTreeSet<&str> = old
            .clusters
            .keys()
            .chain(new.clusters.keys())
            .map(String::as_str)
            .filter(|name| old.clusters.get(*name) != new.clusters.get(*name))
            .collect();
        prop_assert_eq!(names, expected);
        for (name, change) in changes.clusters() {
            let before_and_after = (old.clusters.contains_key(name), new.clusters.contains_key(name));
            let expected = match change {
                ClusterChange::Added => (false, true),
                ClusterChange::Removed => (true, false),
                ClusterChange::Modified(keys) => {
                    prop_assert!(!keys.is_empty());
                    (true, true)
                }
            };
            prop_assert_eq!(before_and_after, expected, "{}", name);
        }
    }
}

/// The last part of the keys that a change of a cluster is blamed on, with their classes.
fn blamed(change: impl FnOnce(&mut VirtualCluster)) -> Vec<(&'static str, ReloadClass)> {
    let old = cluster("c", 9000);
    let mut new = old.clone();
    change(&mut new);
    let changes = detect(&model([old]), &model([new]));
    let (_, keys) = changes.modified().next().unwrap();
    keys.iter()
        .map(|key| (key.path.rsplit(['.', ']']).next().unwrap(), key.class))
        .collect()
}

#[test]
fn every_field_of_a_cluster_is_noticed_under_its_key() {
    use ReloadClass::{Bind, Drain, Live, Upstream};
    let of = |key, class| vec![(key, class)];
    let first = |change: fn(&mut Gateway)| blamed(|cluster| change(&mut cluster.gateways[0]));
    assert_eq!(blamed(|c| c.drain.rate = 1), of("drain", Live));
    assert_eq!(
        blamed(|c| c.max_connections = Some(1)),
        of("maxConnections", Live)
    );
    assert_eq!(blamed(|c| c.log_network = true), of("logNetwork", Live));
    assert_eq!(blamed(|c| c.log_frames = true), of("logFrames", Live));
    assert_eq!(
        blamed(|c| c.target.bootstrap_servers[0].port = 1),
        of("bootstrapServers", Upstream)
    );
    assert_eq!(
        blamed(|c| c.target.selection = BootstrapSelection::Random),
        of("bootstrapServerSelection", Live)
    );
    assert_eq!(blamed(|c| c.gateways.push(gateway("h", 1))), of("gateways", Bind));
    assert_eq!(
        blamed(|c| c.gateways = vec![gateway("h", 1)]),
        [("gateways", Bind), ("gateways", Drain)]
    );
    assert_eq!(first(|g| g.bind = BindIp::Any), of("bindAddress", Drain));
    assert_eq!(first(|g| g.bootstrap_port = 1), of("bootstrapAddress", Drain));
    assert_eq!(
        first(|g| g.bootstrap_host = "h".into()),
        of("bootstrapAddress", Live)
    );
    assert_eq!(
        first(|g| g.advertised_bootstrap_port = Some(1)),
        of("advertisedBootstrapPort", Live)
    );
    assert_eq!(
        first(|g| g.node_host_pattern = "h".into()),
        of("advertisedBrokerAddressPattern", Live)
    );
    assert_eq!(first(|g| g.nodes.push(node(7, 7))), of("nodeIdRanges", Bind));
    assert_eq!(first(|g| g.nodes.truncate(2)), of("nodeIdRanges", Drain));
    assert_eq!(first(|g| g.nodes[0].port = 1), of("nodeStartPort", Drain));
    assert_eq!(
        first(|g| g.nodes[0].advertised_port = Some(1)),
        of("advertisedNodeStartPort", Live)
    );
    let range = PortRange { start: 1, end: 2 };
    let dynamic = blamed(|cluster| cluster.gateways[0].dynamic_ports = Some(range));
    assert_eq!(dynamic, of("dynamicNodePorts", Bind));
}

#[test]
fn every_field_of_the_process_is_noticed_under_its_key() {
    use ReloadClass::{Live, Restart};
    let blamed = |change: fn(&mut ProxyModel)| {
        let old = ProxyModel::empty();
        let mut new = old.clone();
        change(&mut new);
        let changes = detect(&old, &new);
        let keys = changes.process().iter();
        keys.map(|key| (key.path, key.class)).collect::<Vec<_>>()
    };
    type Change = fn(&mut ProxyModel);
    let table: [(Change, &str, ReloadClass); 16] = [
        (
            |m| m.network.worker_threads = Some(3),
            "network.proxy.workerThreadCount",
            Restart,
        ),
        (
            |m| m.network.shutdown_timeout = Duration::ZERO,
            "network.proxy.shutdownTimeout",
            Live,
        ),
        (
            |m| m.network.unauthenticated_idle_timeout = None,
            "network.proxy.unauthenticatedIdleTimeout",
            Live,
        ),
        (
            |m| m.network.authenticated_idle_timeout = Some(Duration::ZERO),
            "network.proxy.authenticatedIdleTimeout",
            Live,
        ),
        (
            |m| m.network.connect_timeout = Duration::ZERO,
            "network.proxy.connectTimeout",
            Live,
        ),
        (
            |m| m.network.max_frame_size = 1,
            "network.proxy.maxFrameSize",
            Live,
        ),
        (
            |m| m.network.max_connections = Some(1),
            "network.proxy.maxConnections",
            Live,
        ),
        (|m| m.logging.level = "debug".into(), "logging.level", Live),
        (|m| m.logging.format = LogFormat::Json, "logging.format", Restart),
        (
            |m| m.state_directory = Some("s".into()),
            "stateDirectory",
            Restart,
        ),
        (|m| m.control_socket = Some("s".into()), "control.socket", Restart),
        (|m| m.reload.watch = false, "reload.watch", Live),
        (|m| m.reload.debounce = Duration::ZERO, "reload.debounce", Live),
        (|m| m.reload.poll_interval = None, "reload.pollInterval", Live),
        (
            |m| m.reload.max_removed_percent = 1,
            "reload.maxRemovedPercent",
            Live,
        ),
        (
            |m| {
                m.management = Some(Management {
                    address: (Ipv4Addr::LOCALHOST, 1).into(),
                    token: None,
                });
            },
            "management",
            Restart,
        ),
    ];
    for (change, key, class) in table {
        assert_eq!(blamed(change), [(key, class)]);
    }
}

#[test]
fn a_plan_reads_as_what_it_does() {
    let old = model([
        cluster("gone", 9000),
        cluster("kept", 9100),
        cluster("moved", 9200),
    ]);
    let mut moved = cluster("moved", 9200);
    moved.target.bootstrap_servers[0].port = 1;
    moved.max_connections = Some(1);
    let mut new = model([cluster("come", 9300), cluster("kept", 9100), moved]);
    new.network.max_frame_size = 1;
    assert_eq!(
        Plan::between(&old, &new).to_string(),
        "change the process (live): network.proxy.maxFrameSize\n\
         add `come`\n\
         modify `moved` (upstream): maxConnections, targetCluster.bootstrapServers\n\
         remove `gone` (drain)\n"
    );
}

#[test]
fn only_overlapping_addresses_are_handed_over() {
    let at = |name: &str, bind: BindIp, port: u16| {
        let mut cluster = cluster(name, port);
        cluster.gateways[0].bind = bind;
        cluster.gateways[0].nodes.clear();
        cluster
    };
    let other = BindIp::Ip("127.0.0.2".parse().unwrap());
    let handovers = |old: VirtualCluster, new: VirtualCluster| {
        let plan = Plan::between(&model([old]), &model([new]));
        plan.handovers.len()
    };
    let loopback = at("c", LOOPBACK, 9000);
    assert_eq!(handovers(loopback.clone(), at("c", BindIp::Any, 9000)), 1);
    assert_eq!(handovers(at("c", BindIp::Any, 9000), loopback.clone()), 1);
    assert_eq!(handovers(loopback.clone(), at("d", BindIp::Any, 9000)), 1);
    // Another port, another address that excludes nobody, and the same address in other hands need none.
    assert_eq!(handovers(loopback.clone(), at("c", BindIp::Any, 9001)), 0);
    assert_eq!(handovers(loopback.clone(), at("c", other, 9000)), 0);
    assert_eq!(handovers(loopback.clone(), at("d", LOOPBACK, 9000)), 0);
    // A port the operating system chooses collides with nothing.
    assert_eq!(handovers(at("c", LOOPBACK, 0), at("c", BindIp::Any, 0)), 0);
}
