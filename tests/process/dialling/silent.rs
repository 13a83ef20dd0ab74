//! Servers that do not answer: a port whose backlog is full, to which connecting takes for ever.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use kproxy::model::{BootstrapSelection, Network, UpstreamTls, UpstreamTrust};
use kproxy::pki::Negotiation;

use super::{ALIVE, is_served};
use testkit::black_hole::BlackHole;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Leaf};
use testkit::deployment::Deployment;
use testkit::proxy::Setup;
use testkit::tls_broker::{TlsBroker, settings};

/// With a time-out so long that one that is waited for fails the test.
fn setup(targets: &[SocketAddr]) -> Setup {
    let network = |network: &mut Network| network.connect_timeout = Duration::from_secs(300);
    Setup::to(targets).network(network)
}

#[test]
fn a_bootstrap_server_that_does_not_answer_costs_no_connect_timeout() {
    for selection in [BootstrapSelection::RoundRobin, BootstrapSelection::Random] {
        let (hole, other) = (BlackHole::new(), BlackHole::new());
        let broker = Broker::echoing(ALIVE);
        let setup = setup(&[hole.address, other.address, broker.address]);
        let proxy = setup
            .cluster(|cluster| cluster.target.selection = selection)
            .start();
        let began = Instant::now();
        for _ in 0..20 {
            is_served(&mut proxy.client());
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        assert_eq!(broker.connections(), 20);
    }
}

/// Nobody waits twice for the same.
#[test]
fn a_bootstrap_server_that_did_not_answer_is_tried_last() {
    let hole = BlackHole::new();
    let broker = Broker::echoing(ALIVE);
    let proxy = setup(&[hole.address, broker.address]).start();
    // Both have been the first by then.
    for _ in 0..2 {
        is_served(&mut proxy.client());
    }
    let dialled = || {
        let peers = testkit::dialled::peers_of(std::process::id());
        peers.into_iter().filter(|&peer| peer == hole.address).count()
    };
    let before = dialled();
    let mut clients: Vec<_> = (0..10).map(|_| proxy.client()).collect();
    clients.iter_mut().for_each(is_served);
    assert_eq!(
        dialled(),
        before,
        "attempts that lost are given up, and none is made anew"
    );
}

/// Asking for the brokers goes the same way: over all servers, the next a moment after the one before.
#[test]
fn a_node_is_found_though_the_first_server_to_be_asked_is_silent() {
    let hole = BlackHole::new();
    // It takes connections and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let cluster = testkit::cluster::Cluster::start([0]);
    let servers = [hole.address, mute.local_addr().unwrap(), cluster.address(0)];
    let proxy = setup(&servers).start();
    let began = Instant::now();
    for _ in 0..3 {
        let mut client = testkit::client::Client::connect(proxy.node(0));
        client.send(&super::heartbeat(1));
        client.frame();
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

/// The fastest of some, because this machine does other things, too.
#[test]
fn a_first_server_that_is_silent_costs_a_connection_less_than_100_ms() {
    let hole = BlackHole::new();
    let broker = Broker::echoing(ALIVE);
    let first_connection = || {
        // Nobody has learned anything yet.
        let proxy = setup(&[hole.address, broker.address]).start();
        let began = Instant::now();
        is_served(&mut proxy.client());
        began.elapsed()
    };
    let fastest = (0..10).map(|_| first_connection()).min().unwrap();
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}

/// Those who come before anything is known are many, and attempts at the same time are few.
#[test]
fn a_crowd_at_a_silent_first_server_is_served() {
    // More than there are attempts at the same time in the whole process.
    let (hole, other) = (BlackHole::new(), BlackHole::new());
    let broker = Broker::echoing(ALIVE);
    let proxy = setup(&[hole.address, other.address, broker.address]).start();
    let began = Instant::now();
    let mut clients: Vec<_> = (0..200).map(|_| proxy.client()).collect();
    // All ask at once.
    clients
        .iter_mut()
        .for_each(|client| client.send(&testkit::frames::heartbeat(1)));
    for client in &mut clients {
        client.frame();
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

/// It takes connections, and says nothing to the TLS hello: only the time-out shows that.
#[test]
fn a_server_that_is_silent_in_the_tls_handshake_costs_one_timeout() {
    let mute = Broker::start(|mut connection| drop(connection.rest()));
    let authority = Authority::new("brokers");
    let broker = TlsBroker::start(settings(&authority.issue(&Leaf::server(&["b.test"])), None));
    let setup = Setup::to(&[mute.address, broker.broker.address]);
    let setup = setup.network(|network| network.connect_timeout = Duration::from_secs(1));
    let proxy = setup
        .cluster(|cluster| {
            cluster.target.tls = Some(UpstreamTls {
                trust: UpstreamTrust::Insecure,
                identity: None,
                server_name: None,
                revoked: None,
                negotiation: Negotiation::default(),
            });
        })
        .start();
    let serve = || {
        let mut client = proxy.client();
        client.send(&super::heartbeat(1));
        client.frame();
    };
    // Both have been the first by then.
    (0..2).for_each(|_| serve());
    assert_eq!(mute.connections(), 1);
    (0..10).for_each(|_| serve());
    assert_eq!(mute.connections(), 1, "it is not tried first again");
    let status = proxy.proxy.status().unwrap();
    let upstream = &status.clusters[0].upstream;
    let last = upstream.iter().filter(|server| server.tried_last);
    assert_eq!(
        last.map(|server| &*server.address).collect::<Vec<_>>(),
        [mute.address.to_string()]
    );
}

/// What one connection has seen of the servers.
fn document(port: u16, servers: &[SocketAddr]) -> String {
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    format!(
        "virtualClusters:
- name: a
  targetCluster: {{bootstrapServers: '{}'}}
  gateways:
  - name: main
    portIdentifiesNode: {{bootstrapAddress: '127.0.0.1:{port}', nodeIdRanges: [{{start: 0, end: 0}}]}}
",
        servers.join(",")
    )
}

const TRIED_LAST: &str = "kproxy_bootstrap_servers_tried_last";

#[test]
fn a_server_that_refuses_is_tried_last_until_it_is_back_and_operators_see_it() {
    let broker = Broker::echoing(ALIVE);
    let mut gone = Broker::echoing(ALIVE);
    gone.stop();
    let mut port = 0;
    let deployment = Deployment::start("", |_, at| {
        port = at;
        document(at, &[gone.address, broker.address])
    });
    // kproxy has tried it by itself.
    deployment.expect_metric(TRIED_LAST, &["virtual_cluster=\"a\""], 1.0);
    let status = deployment.status();
    let upstream = status["clusters"][0]["upstream"].as_array().unwrap().clone();
    let last = upstream.iter().filter(|server| server["tried_last"] == true);
    assert_eq!(
        last.map(|server| server["address"].as_str().unwrap())
            .collect::<Vec<_>>(),
        [gone.address.to_string()]
    );
    let back = Broker::on(TcpListener::bind(gone.address).unwrap(), |mut connection| {
        while let Some(asked) = connection.request() {
            connection.send(&testkit::frames::raw_response(asked.correlation_id, ALIVE));
        }
    });
    deployment.expect_metric(TRIED_LAST, &["virtual_cluster=\"a\""], 0.0);
    let before = back.connections();
    for _ in 0..2 {
        is_served(&mut testkit::client::Client::connect(testkit::running::local(
            port,
        )));
    }
    assert_eq!(
        back.connections(),
        before + 1,
        "it is the first again in its turn"
    );
    assert_eq!(
        deployment.log(0).matches("virtual cluster is degraded").count(),
        1
    );
}

/// Sessions only ever see that another server is faster: kproxy tries the slow one out, and tells once.
#[test]
fn a_server_that_falls_silent_is_told_once() {
    let broker = Broker::echoing(ALIVE);
    let mut falls = Broker::echoing(ALIVE);
    let mut port = 0;
    let deployment = Deployment::start("", |_, at| {
        port = at;
        document(at, &[falls.address, broker.address])
    });
    falls.stop();
    let _hole = BlackHole::at(falls.address);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = testkit::client::Client::connect(testkit::running::local(port));
        is_served(&mut client);
        clients.push(client);
    }
    deployment.expect_metric(TRIED_LAST, &["virtual_cluster=\"a\""], 1.0);
    let line = deployment.line(0, &["virtual cluster is degraded"]);
    assert!(line.contains(&falls.address.to_string()), "{line}");
    deployment.expect_metric("kproxy_warnings", &[], 1.0);
    assert_eq!(
        deployment.log(0).matches("virtual cluster is degraded").count(),
        1
    );
}
