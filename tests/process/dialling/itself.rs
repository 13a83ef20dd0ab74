//! Targets that are kproxy itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use kproxy::model::{BindIp, HostPort};
use kproxy::session::cause::CloseCause;

use super::{ALIVE, heartbeat, is_served};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::proxy::{Setup, closes, free_ports};

/// What is wrong with a file of one cluster with this target, bound like this.
fn violations(target: &str, bind: &str, bootstrap: &str) -> Vec<String> {
    let file = format!(
        "management: {{port: 9190}}\nvirtualClusters:\n  - name: loop\n    targetCluster:\n      bootstrapServers: \
         {target}\n    gateways: [{{name: g, {bind} portIdentifiesNode: {{bootstrapAddress: '{bootstrap}'}}}}]\n"
    );
    match kproxy::model::parse(file.as_bytes(), "f.yaml") {
        Ok(_) => Vec::new(),
        Err(violations) => violations.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_target_that_the_same_file_binds_is_a_violation_where_it_is_written() {
    let anywhere = "bindAddress: 0.0.0.0,";
    for (target, bind, bootstrap) in [
        ("localhost:9192", "", "localhost:9192"),
        ("127.0.0.1:9192", "", "localhost:9192"),
        // A node's port, and one of several servers.
        ("b:9092,127.0.0.1:9194", "", "localhost:9192"),
        ("127.0.0.1:9192", anywhere, "kafka.example:9192"),
        ("'[::1]:9192'", "bindAddress: '::',", "kafka.example:9192"),
        ("localhost:9192", "", "kafka.example:9192"),
        ("10.1.2.3:9192", "bindAddress: 10.1.2.3,", "kafka.example:9192"),
        // HTTP is no broker.
        ("localhost:9190", "", "localhost:9192"),
    ] {
        let violations = violations(target, bind, bootstrap);
        assert_eq!(violations.len(), 1, "{target} {bind} {bootstrap}: {violations:?}");
        let says = &violations[0];
        assert!(
            says.starts_with("f.yaml:5:25: error: bootstrap server "),
            "{says}"
        );
        assert!(says.contains("is kproxy itself"), "{says}");
    }
    for (target, bind, bootstrap) in [
        ("127.0.0.1:9092", "", "localhost:9192"),
        ("10.1.2.3:9192", "", "kafka.example:9192"),
        ("kafka:9192", "", "localhost:9192"),
    ] {
        assert_eq!(violations(target, bind, bootstrap), [""; 0], "{target}");
    }
}

/// A name that leads to kproxy shows only when it is looked up; models that are made elsewhere are not checked at all.
#[test]
fn a_name_that_leads_to_kproxy_makes_no_connection() {
    let [port, everywhere] = free_ports();
    let name = |host: &str, port| {
        vec![HostPort {
            host: host.into(),
            port,
        }]
    };
    let broker = Broker::echoing(ALIVE);
    let nowhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let proxy = Setup::to(&[nowhere])
        .cluster(|cluster| cluster.target.bootstrap_servers = name("localhost", port))
        .gateway(|gateway| gateway.bootstrap_port = port)
        .and("other", &[nowhere])
        .other("other", |cluster| {
            cluster.target.bootstrap_servers = name("127.0.0.1", everywhere);
            cluster.gateways[0].bootstrap_port = everywhere;
            cluster.gateways[0].bind = BindIp::Any;
        })
        .and("good", &[broker.address])
        .start();
    for (cluster, address) in [
        ("demo", proxy.bootstrap()),
        ("other", SocketAddr::from(([127, 0, 0, 1], everywhere))),
    ] {
        let mut client = Client::connect(address);
        client.send(&heartbeat(1));
        client.expect_fin();
        drop(client);
        let counters = proxy.proxy.counters(cluster).unwrap();
        testkit::wait::eventually("it is counted", || {
            closes(&counters) == BTreeMap::from([("upstream_is_proxy", 1)])
        });
    }
    is_served(&mut Client::connect(proxy.bootstrap_of("good")));
}

/// A broker that says it is where kproxy listens.
#[test]
fn a_broker_that_names_kproxy_makes_no_connection() {
    let [port] = free_ports();
    let cluster = Cluster::start([0, 1]);
    cluster.say(1, SocketAddr::from(([127, 0, 0, 1], port)));
    let proxy = Setup::to(&[cluster.address(0)])
        .gateway(|gateway| gateway.bootstrap_port = port)
        .start();
    is_answered(&mut Client::connect(proxy.node(0)));
    let mut client = Client::connect(proxy.node(1));
    client.send(&heartbeat(1));
    client.expect_fin();
    drop(client);
    proxy.expect_closes(CloseCause::UpstreamIsProxy, 1);
}

#[track_caller]
fn is_answered(client: &mut Client) {
    client.send(&heartbeat(1));
    client.frame();
}
