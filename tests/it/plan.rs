//! What the comparison of two configurations promises.
//!
//! 1. Replaying a plan on the old model gives the new one, there and back; a plan between equal models is empty.
//! 2. Added, modified and removed are disjoint, and together they are everything that differs.
//! 3. Every field of the model is noticed, under the key that the file has for it and in that key's class; what ends
//!    sessions is at least of class `drain`, whatever its key.
//! 4. What the file says in other words is no change: see `tests/it/config/meaning.rs`.
//! 5. A plan can be read: one line for each step, with the class and the keys to blame.
//! 6. Only addresses that overlap one that is released are handed over, and none that is still shared.
//! 7. What is built is what the plan says, and what the plan says of sessions is what they could notice.
//! 8. The effects of keys in the documentation are those of the code: see `tests/layers/docs`.
//! 10. Filters change under live connections, unless who clients are, or what is offered in a strict way, changes.
//! 9. What a plan says of virtual clusters, listeners and sessions is what the reload then does, whatever the change.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use kproxy::model::{
    BindIp, BootstrapSelection, ClientAuth, DownstreamTls, ForwardProxy, ForwardProxyProtocol, Gateway,
    IdentifiedBy, LogFormat, Management, PortRange, ProxyModel, ProxyProtocol, ProxyProtocolMode,
    ProxyProtocolVersion, UpstreamTls, UpstreamTrust, VirtualCluster,
};
use kproxy::pki::{Identity, RevocationLists, TrustStore};
use kproxy::reload::{ClusterChange, Plan, ReloadClass, TargetAction, detect};
use proptest::prelude::*;

mod conflicts;
mod execution;
mod filters;
mod foretold;
mod models;

use models::{
    IDENTITIES, REVOKED, STORES, any_model, cluster, gateway, model, negotiation, node, secured,
    secured_upstream,
};

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
                ClusterChange::Modified(modification) => {
                    prop_assert!(!modification.changed.is_empty());
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
    keys(&model([old]), &model([new]))
}

fn keys(old: &ProxyModel, new: &ProxyModel) -> Vec<(&'static str, ReloadClass)> {
    let changes = detect(old, new);
    let (_, keys) = changes.modified().next().unwrap();
    keys.iter()
        .map(|key| (key.path.rsplit(['.', ']']).next().unwrap(), key.class()))
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
    assert_eq!(blamed(|c| c.topic_names.max_size = 1), of("topicNameCache", Live));
    assert_eq!(
        blamed(|c| c.target.bootstrap_servers[0].port = 1),
        of("bootstrapServers", Upstream)
    );
    assert_eq!(
        blamed(|c| c.target.selection = BootstrapSelection::Random),
        of("bootstrapServerSelection", Live)
    );
    let via = |c: &mut VirtualCluster| {
        c.target.via = Some(Arc::new(ForwardProxy {
            protocol: ForwardProxyProtocol::Http,
            address: c.target.bootstrap_servers[0].clone(),
            credentials: None,
        }));
    };
    assert_eq!(blamed(via), of("via", Upstream));
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
    let mut old = cluster("c", 9000);
    old.gateways[0].dynamic_ports = Some(PortRange { start: 5, end: 8 });
    let from_dynamic = |change: fn(&mut Gateway)| {
        let mut new = old.clone();
        change(&mut new.gateways[0]);
        keys(&model([old.clone()]), &model([new]))
    };
    let of_ports = |start, end, class| {
        let mut new = old.clone();
        new.gateways[0].dynamic_ports = Some(PortRange { start, end });
        assert_eq!(
            keys(&model([old.clone()]), &model([new])),
            of("dynamicNodePorts", class)
        );
    };
    of_ports(4, 9, Bind);
    of_ports(6, 9, Drain);
    of_ports(5, 7, Drain);
    assert_eq!(
        from_dynamic(|g| g.dynamic_ports = None),
        of("dynamicNodePorts", Drain)
    );
    // A node that had a dynamic port may get another one.
    assert_eq!(
        from_dynamic(|g| g.nodes.push(node(7, 7))),
        of("nodeIdRanges", Drain)
    );
}

/// What a change of one gateway's TLS is blamed on.
fn blamed_tls(change: impl FnOnce(&mut DownstreamTls)) -> Vec<(&'static str, ReloadClass)> {
    let with = |tls: DownstreamTls| {
        let mut cluster = cluster("c", 9000);
        cluster.gateways[0].tls = Some(tls);
        model([cluster])
    };
    let mut new = secured();
    change(&mut new);
    let changes = detect(&with(secured()), &with(new));
    let (_, keys) = changes.modified().next().unwrap();
    let short = |path: &'static str| path.rsplit("tls.").next().unwrap();
    keys.iter().map(|key| (short(key.path), key.class())).collect()
}

#[test]
fn every_field_of_tls_is_noticed_under_its_key() {
    use ReloadClass::{Drain, Live, Upstream};
    let of = |key, class| vec![(key, class)];
    assert_eq!(
        blamed_tls(|tls| tls.identity = Arc::clone(&IDENTITIES[1])),
        of("key", Live)
    );
    assert_eq!(
        blamed_tls(|tls| tls.revoked = Some(Arc::clone(&REVOKED))),
        of("crlFile", Drain)
    );
    assert_eq!(
        blamed_tls(|tls| tls.client_auth = ClientAuth::Required(Arc::clone(&STORES[1]))),
        of("trust.storeFile", Drain)
    );
    // The same certificates in another file let the same clients in.
    assert_eq!(
        blamed_tls(|tls| {
            let moved = TrustStore::clone(&STORES[0]).from_file("moved.pem".into());
            tls.client_auth = ClientAuth::Required(Arc::new(moved));
        }),
        of("trust.storeFile", Live)
    );
    for auth in [ClientAuth::None, ClientAuth::Requested(Arc::clone(&STORES[0]))] {
        let keys = blamed_tls(|tls| tls.client_auth = auth);
        assert_eq!(keys, of("trust.trustOptions.clientAuth", Drain));
    }
    assert_eq!(
        blamed_tls(|tls| tls.negotiation = negotiation(1)),
        of("protocols", Drain)
    );
    assert_eq!(
        blamed_tls(|tls| tls.negotiation = negotiation(2)),
        of("cipherSuites", Drain)
    );
    assert_eq!(
        blamed_tls(|tls| tls.end_sessions_on_expiry = true),
        of("endSessionsOnExpiry", Drain)
    );
    assert_eq!(blamed(|c| c.gateways[0].tls = Some(secured())), of("tls", Drain));
    assert_eq!(
        blamed(|c| c.target.tls = Some(secured_upstream())),
        of("tls", Upstream)
    );
}

/// TLS towards brokers with all material, each in this file.
fn upstream_from(identity: usize, store: usize, files: [&str; 2]) -> UpstreamTls {
    let [identity_file, store_file] = files;
    UpstreamTls {
        identity: Some(Arc::new(
            Identity::clone(&IDENTITIES[identity]).from_file(identity_file.into()),
        )),
        trust: UpstreamTrust::Store(Arc::new(
            TrustStore::clone(&STORES[store]).from_file(store_file.into()),
        )),
        revoked: Some(Arc::clone(&REVOKED)),
        ..secured_upstream()
    }
}

/// What a change of TLS towards brokers is blamed on, and that it is another target just where a class says so.
fn blamed_upstream(change: impl FnOnce(&mut UpstreamTls)) -> Vec<(&'static str, ReloadClass)> {
    let with = |tls: UpstreamTls| {
        let mut cluster = cluster("c", 9000);
        cluster.target.tls = Some(tls);
        cluster
    };
    let old = upstream_from(0, 0, ["k", "t"]);
    let mut new = old.clone();
    change(&mut new);
    let (old, new) = (with(old), with(new));
    let changes = detect(&model([old.clone()]), &model([new.clone()]));
    let (_, keys) = changes.modified().next().unwrap();
    let disturbs = keys.iter().any(|key| key.class() >= ReloadClass::Upstream);
    for (from, to) in [(&old, &new), (&new, &old)] {
        let plan = Plan::between(&model([from.clone()]), &model([to.clone()]));
        let target = plan.modified().next().unwrap().target;
        assert_eq!(target == TargetAction::Replace, disturbs);
    }
    let short = |path: &'static str| path.rsplit("targetCluster.tls.").next().unwrap();
    keys.iter().map(|key| (short(key.path), key.class())).collect()
}

/// What is renewed in its file touches nobody, wherever else it is another way to the brokers.
#[test]
fn every_field_of_tls_towards_brokers_is_noticed_under_its_key() {
    use ReloadClass::{Live, Upstream};
    let of = |key, class| vec![(key, class)];
    let (file, content) = (["other", "other"], ["k", "t"]);
    for (identity, files, class) in [(1, content, Live), (0, file, Live), (1, file, Upstream)] {
        let other = upstream_from(identity, 0, files).identity;
        assert_eq!(blamed_upstream(|tls| tls.identity = other), of("key", class));
    }
    for (store, files, class) in [(1, content, Live), (0, file, Live), (1, file, Upstream)] {
        let other = upstream_from(0, store, files).trust;
        assert_eq!(
            blamed_upstream(|tls| tls.trust = other),
            of("trust.storeFile", class)
        );
    }
    let moved = RevocationLists::clone(&REVOKED).from_file("moved.pem".into());
    assert_eq!(
        blamed_upstream(|tls| tls.revoked = Some(Arc::new(moved))),
        of("crlFile", Live)
    );
    for trust in [UpstreamTrust::Insecure, UpstreamTrust::Platform] {
        assert_eq!(blamed_upstream(|tls| tls.trust = trust), of("trust", Upstream));
    }
    assert_eq!(blamed_upstream(|tls| tls.identity = None), of("key", Upstream));
    assert_eq!(blamed_upstream(|tls| tls.revoked = None), of("crlFile", Upstream));
    assert_eq!(
        blamed_upstream(|tls| tls.server_name = Some("b".into())),
        of("serverName", Upstream)
    );
    assert_eq!(
        blamed_upstream(|tls| tls.negotiation = negotiation(1)),
        of("protocols", Upstream)
    );
    assert_eq!(
        blamed_upstream(|tls| tls.negotiation = negotiation(2)),
        of("cipherSuites", Upstream)
    );
}

#[test]
fn every_field_of_the_proxy_protocol_and_of_host_names_is_noticed_under_its_key() {
    use ReloadClass::{Drain, Live, Upstream};
    let of = |key, class| vec![(key, class)];
    let header = |change: fn(&mut ProxyProtocol)| blamed(|c| change(&mut c.gateways[0].proxy_protocol));
    assert_eq!(
        header(|p| p.mode = ProxyProtocolMode::Required),
        of("mode", Drain)
    );
    assert_eq!(
        header(|p| p.trusted_peers = vec!["10.0.0.0/8".parse().unwrap()]),
        of("trustedPeers", Drain)
    );
    assert_eq!(
        header(|p| p.upstream = Some(ProxyProtocolVersion::V2)),
        of("upstream", Upstream)
    );
    let sni = |gateway: &mut Gateway, advertised_port| {
        gateway.identified_by = IdentifiedBy::SniHost { advertised_port };
        gateway.nodes.clear();
    };
    assert_eq!(
        blamed(|c| sni(&mut c.gateways[0], None)),
        of("sniHostIdentifiesNode", Drain)
    );
    let between = |change: &dyn Fn(&mut Gateway)| {
        let mut old = cluster("c", 9000);
        sni(&mut old.gateways[0], None);
        let mut new = old.clone();
        change(&mut new.gateways[0]);
        keys(&model([old]), &model([new]))
    };
    assert_eq!(
        between(&|g| g.bootstrap_host = "x".into()),
        of("bootstrapAddress", Drain)
    );
    assert_eq!(between(&|g| g.bootstrap_port = 1), of("bootstrapAddress", Drain));
    assert_eq!(between(&|g| g.bind = BindIp::Any), of("bindAddress", Drain));
    let pattern = "advertisedBrokerAddressPattern";
    assert_eq!(between(&|g| g.node_host_pattern = "x".into()), of(pattern, Drain));
    let advertised_port = Some(1);
    let told = IdentifiedBy::SniHost { advertised_port };
    // Where clients are told to go; those who are connected have got there.
    assert_eq!(between(&|g| g.identified_by = told), of(pattern, Live));
    assert_eq!(
        between(&|g| (g.identified_by, g.node_host_pattern) = (told, "x".into())),
        of(pattern, Drain)
    );
    let mut by_host = cluster("c", 9000);
    sni(&mut by_host.gateways[0], advertised_port);
    let back = keys(&model([by_host]), &model([cluster("c", 9000)]));
    assert_eq!(back, of("portIdentifiesNode", Drain));
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
        keys.map(|key| (key.path, key.class())).collect::<Vec<_>>()
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
