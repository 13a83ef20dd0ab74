//! Who is who: a port stands for one broker, and clients hear of no other addresses.
//!
//! 1. The port of node N leads to broker N and to no other; ids and the cluster id are the cluster's own.
//! 2. A client that comes straight to a node's port is served, though kproxy knows nothing yet: it asks, once for
//!    all who wait. A node that does not exist is a close (`node_unknown`).
//! 3. Where the cluster wants SASL, the client's own authenticated connection asks. It goes on if it leads to the
//!    right broker; else it is closed cleanly, nothing of its requests forwarded, and the next leads there.
//! 4. A broker that moved is served at its new place, with and without SASL.
//! 5. With `stateDirectory` a restart forgets nothing; a file that cannot be read is a warning and no more.
//! 6. With `dynamicNodePorts` a port answers before its name is told. When no port is left a node is withheld,
//!    counted, and not asked for again.
//! 7. A node without an endpoint is withheld from Metadata and DescribeCluster; FindCoordinator reports error 15.
//! 8. Raw SASL tokens (SaslHandshake v0) pass, one round, two, or as many as it takes; then requests are requests.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    MetadataRequest, MetadataResponse, SaslAuthenticateRequest, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use kproxy::model::PortRange;
use kproxy::session::cause::CloseCause;

use common::broker::{Broker, Connection};
use common::client::Client;
use common::cluster::{self, Cluster, METADATA, PLAIN_TOKEN, SASL_HANDSHAKE, broker};
use common::frames;
use common::proxy::{Setup, TestProxy};
use common::wait::eventually;

const FIND_COORDINATOR: i16 = 10;
const DESCRIBE_CLUSTER: i16 = 60;
/// An API whose answers kproxy does not look into; the cluster's say who answered.
const HEARTBEAT: i16 = 12;

const NOBODY: [i32; 0] = [];

fn heartbeat(correlation_id: i32) -> Vec<u8> {
    frames::raw_request(HEARTBEAT, 0, correlation_id, b"")
}

/// The node that answers.
#[track_caller]
fn who(client: &mut Client) -> i32 {
    let answer = client.ask(&heartbeat(77));
    assert_eq!((frames::correlation_id(&answer), answer.len()), (77, 8));
    frames::correlation_id(&answer[4..])
}

/// Questions that kproxy asked on its own account.
fn own_questions(cluster: &Cluster) -> usize {
    let is_own = |logged: &&cluster::Logged| logged.own && logged.api_key == METADATA;
    cluster.log().iter().filter(is_own).count()
}

#[track_caller]
fn metadata(client: &mut Client) -> MetadataResponse {
    client.call(12, 5, &MetadataRequest::default().with_topics(None))
}

fn addresses(answer: &MetadataResponse) -> Vec<(i32, String)> {
    let address = |at: &str, port: i32| format!("{at}:{port}");
    let named = answer.brokers.iter();
    named
        .map(|node| (node.node_id.0, address(&node.host, node.port)))
        .collect()
}

#[track_caller]
fn authenticate(client: &mut Client) {
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    assert_eq!(client.call(1, 1, &mechanism).error_code, 0);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(PLAIN_TOKEN.into());
    assert_eq!(client.call(2, 2, &token).error_code, 0);
}

#[track_caller]
fn authenticated(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    authenticate(&mut client);
    client
}

// 1.

#[test]
fn a_node_port_leads_to_its_broker_only() {
    let cluster = Cluster::start([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    metadata(&mut proxy.client());
    for node in [2, 0, 1, 1, 2] {
        assert_eq!(who(&mut Client::connect(proxy.node(node))), node);
    }
    assert_eq!(cluster.asked(HEARTBEAT), [2, 0, 1, 1, 2]);
    assert_eq!(
        own_questions(&cluster),
        0,
        "the client's Metadata taught everything"
    );
}

#[test]
fn ids_are_the_clusters_own_and_addresses_kproxys() {
    let cluster = Cluster::start([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let ours: Vec<_> = (0..3).map(|node| (node, proxy.node(node).to_string())).collect();
    let coordinator = (0, proxy.node(0).port().into(), "127.0.0.1");
    for at in [proxy.bootstrap(), proxy.node(1)] {
        let mut client = Client::connect(at);
        for version in 0..=13 {
            // Null topics exist from version 1 on.
            let topics = (version == 0).then(Vec::new);
            let answer = client.call(version, 5, &MetadataRequest::default().with_topics(topics));
            assert_eq!(addresses(&answer), ours, "version {version}");
            if version >= 2 {
                assert_eq!(
                    answer.cluster_id.as_deref(),
                    Some("the-cluster"),
                    "version {version}"
                );
            }
        }
        let answer = client.call(3, 6, &FindCoordinatorRequest::default());
        assert_eq!((answer.node_id.0, answer.port, &*answer.host), coordinator);
    }
}

// 2.

#[test]
fn kproxy_learns_by_itself_and_asks_once_for_all_who_wait() {
    let cluster = Cluster::start([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let clients: Vec<_> = (0..20)
        .map(|n| (n % 3, Client::connect(proxy.node(n % 3))))
        .collect();
    let together = Barrier::new(clients.len());
    std::thread::scope(|scope| {
        for (node, mut client) in clients {
            let together = &together;
            scope.spawn(move || {
                together.wait();
                assert_eq!(who(&mut client), node);
            });
        }
    });
    assert_eq!(own_questions(&cluster), 1);
    assert_eq!(cluster.asked(HEARTBEAT).len(), 20);
}

#[test]
fn a_node_that_does_not_exist_is_a_clean_close() {
    let cluster = Cluster::start([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).nodes([0, 1, 7]).start();
    for closed in 1..=2 {
        let mut client = Client::connect(proxy.node(7));
        client.send(&heartbeat(1));
        client.expect_fin();
        client.finish();
        proxy.expect_closes(CloseCause::NodeUnknown, closed);
    }
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY, "nobody else is asked instead");
    // What was learned on the way serves those that exist.
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
}

// 3.

#[test]
fn behind_sasl_the_first_attempt_teaches_and_the_second_arrives() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut first = authenticated(proxy.node(2));
    // Pipelined: none of them may reach the wrong broker.
    first.send(&[heartbeat(7), heartbeat(8), heartbeat(9)].concat());
    first.expect_fin();
    first.finish();
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
    assert_eq!(
        cluster.asked(HEARTBEAT),
        NOBODY,
        "the request that was held is not forwarded"
    );

    let before = cluster.connections(0);
    assert_eq!(who(&mut authenticated(proxy.node(2))), 2);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
    assert_eq!(cluster.connections(0), before, "the way is known now");
    assert_eq!(cluster.asked(SASL_HANDSHAKE), [0, 2, 1]);
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
}

#[test]
fn behind_sasl_raw_tokens_teach_too() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut first = Client::connect(proxy.node(1));
    raw_plain(&mut first);
    first.send(&heartbeat(7));
    first.expect_fin();
    first.finish();
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY);
    let mut second = Client::connect(proxy.node(1));
    raw_plain(&mut second);
    assert_eq!(who(&mut second), 1);
}

#[test]
fn behind_sasl_a_session_that_is_right_goes_on() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let proxy = Setup::to(&[cluster.address(1)]).start();
    let mut client = authenticated(proxy.node(1));
    client.send(&[heartbeat(7), heartbeat(8), heartbeat(9)].concat());
    for id in 7..10 {
        assert_eq!(
            client.frame(),
            frames::raw_response(id, &1_i32.to_be_bytes())[4..]
        );
    }
    assert_eq!(metadata(&mut client).brokers.len(), 3);
    assert_eq!(cluster.asked(HEARTBEAT), [1, 1, 1]);
    client.finish();
    client.expect_fin();
    proxy.expect_closes(CloseCause::ClientClosed, 1);
}

#[test]
fn behind_sasl_a_wrong_password_teaches_nothing() {
    let cluster = Cluster::with_sasl([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut client = Client::connect(proxy.node(1));
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    client.call(1, 1, &mechanism);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(b"\0alice\0wrong"[..].into());
    assert_eq!(
        client.call(2, 2, &token).error_code,
        58,
        "the broker's verdict passes"
    );
    // The broker hangs up at the question that kproxy puts in front of this.
    client.send(&heartbeat(7));
    let (bytes, _) = client.rest();
    assert_eq!(bytes.len(), 0);
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY);
}

// 4.

#[test]
fn a_broker_that_moved_is_served_at_its_new_place() {
    let mut cluster = Cluster::start([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    metadata(&mut proxy.client());
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    assert_eq!(own_questions(&cluster), 0);
    cluster.move_away(1);
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    assert_eq!(own_questions(&cluster), 1);
}

#[test]
fn behind_sasl_a_broker_that_moved_is_served_once_a_client_has_heard() {
    let mut cluster = Cluster::with_sasl([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut bootstrap = authenticated(proxy.bootstrap());
    metadata(&mut bootstrap);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
    cluster.move_away(1);
    metadata(&mut bootstrap);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
    proxy.expect_closes(CloseCause::TopologyLearned, 0);
}

/// Nobody has said lately where the brokers are, so a refused connection is reason to ask.
#[test]
fn behind_sasl_a_broker_that_moved_long_ago_is_looked_for() {
    let mut cluster = Cluster::with_sasl([0, 1]);
    let directory = tempfile::tempdir().unwrap();
    let setup = remembering(&cluster, directory.path());
    let proxy = setup.start();
    metadata(&mut authenticated(proxy.bootstrap()));
    proxy.shutdown();
    cluster.move_away(1);

    let proxy = setup.start();
    let mut first = authenticated(proxy.node(1));
    first.send(&heartbeat(7));
    first.expect_fin();
    first.finish();
    proxy.expect_closes(CloseCause::TopologyLearned, 1);
    assert_eq!(cluster.asked(HEARTBEAT), NOBODY);
    assert_eq!(who(&mut authenticated(proxy.node(1))), 1);
}

// 5.

/// A proxy that remembers what it learned of `cluster`.
fn remembering(cluster: &Cluster, directory: &Path) -> Setup {
    let mut setup = Setup::to(&[cluster.address(0)]);
    setup.state_directory = Some(directory.to_owned());
    setup
}

#[test]
fn a_restart_forgets_nothing() {
    let cluster = Cluster::start([0, 1, 2]);
    let directory = tempfile::tempdir().unwrap();
    // Created where it does not exist.
    let path = directory.path().join("a/b");
    let setup = remembering(&cluster, &path);
    let proxy = setup.start();
    assert_eq!(who(&mut Client::connect(proxy.node(2))), 2);
    assert_eq!(own_questions(&cluster), 1);
    proxy.shutdown();

    let proxy = setup.start();
    assert_eq!(who(&mut Client::connect(proxy.node(2))), 2);
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    assert_eq!(own_questions(&cluster), 1, "nothing is asked that is known");
    proxy.shutdown();

    // Other bootstrap servers are another cluster, whatever its name.
    let mut elsewhere = Setup::to(&[cluster.address(1)]);
    elsewhere.state_directory = Some(path);
    assert_eq!(who(&mut Client::connect(elsewhere.start().node(2))), 2);
    assert_eq!(own_questions(&cluster), 2);
}

#[test]
fn behind_sasl_a_restart_forgets_nothing() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let directory = tempfile::tempdir().unwrap();
    let setup = remembering(&cluster, directory.path());
    let proxy = setup.start();
    metadata(&mut authenticated(proxy.bootstrap()));
    proxy.shutdown();
    let proxy = setup.start();
    assert_eq!(who(&mut authenticated(proxy.node(2))), 2);
    assert_eq!(cluster.asked(SASL_HANDSHAKE), [0, 2]);
}

/// What was learned is saved while kproxy runs: a copy of the directory is what a crash would leave.
#[test]
fn a_crash_forgets_nothing_that_is_a_moment_old() {
    let cluster = Cluster::start([0, 1]);
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = directory.path().join(STATE_FILE);
    let proxy = remembering(&cluster, directory.path()).start();
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    eventually("the topology is saved", || file.exists());
    fs::copy(&file, copy.path().join(STATE_FILE)).unwrap();

    let other = remembering(&cluster, copy.path()).start();
    assert_eq!(who(&mut Client::connect(other.node(1))), 1);
    assert_eq!(own_questions(&cluster), 1);
}

const STATE_FILE: &str = "topology.json";

#[test]
fn a_corrupt_state_file_is_a_warning_and_no_more() {
    let nested = "[".repeat(100_000).into_bytes();
    let corrupt: [&[u8]; 8] = [
        b"",
        b"\0\xff\xfe not JSON, not even text",
        br#"{"version":1,"clusters":{"demo":"#,
        br#"{"version":2,"clusters":{}}"#,
        br#"{"version":1,"clusters":{"demo":{"bootstrap_servers":[],"nodes":{"one":["h",1]}}}}"#,
        br#"{"version":1,"clusters":{"demo":{"bootstrap_servers":[],"nodes":{"1":["h",65536]}}}}"#,
        br#"{"version":1,"clusters":[]}"#,
        &nested,
    ];
    for content in corrupt {
        let case = String::from_utf8_lossy(&content[..content.len().min(80)]).into_owned();
        let cluster = Cluster::start([0, 1]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(STATE_FILE);
        fs::write(&file, content).unwrap();
        let setup = remembering(&cluster, directory.path());

        let name = file.display().to_string();
        let warnings = || warnings().filter(|line| line.contains(&name)).count();
        assert_eq!(warnings(), 0);
        let proxy = setup.start();
        assert_eq!(warnings(), 1, "{case}");
        assert_eq!(who(&mut Client::connect(proxy.node(1))), 1, "{case}");
        proxy.shutdown();

        // It has been replaced by one that serves.
        let proxy = setup.start();
        assert_eq!(who(&mut Client::connect(proxy.node(1))), 1, "{case}");
        assert_eq!((warnings(), own_questions(&cluster)), (1, 1), "{case}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_is_a_warning_and_no_more() {
    let cluster = Cluster::start([0, 1]);
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("file");
    fs::write(&in_the_way, b"").unwrap();
    let proxy = remembering(&cluster, &in_the_way).start();
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    proxy.shutdown();
    let name = in_the_way.display().to_string();
    let told: Vec<_> = warnings().filter(|line| line.contains(&name)).collect();
    assert!(
        told.iter().any(|line| line.contains("could not be saved")),
        "{told:?}"
    );
}

/// What is remembered is a hint: an address at which nobody is, or nobody can be, is asked for anew.
#[test]
fn a_remembered_address_that_is_wrong_is_asked_for() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for address in [
        format!(r#"["127.0.0.1",{closed}]"#),
        r#"["",9092]"#.into(),
        r#"["127.0.0.1",0]"#.into(),
    ] {
        let cluster = Cluster::start([0, 1]);
        let directory = tempfile::tempdir().unwrap();
        let server = cluster.address(0);
        let stored = format!(
            r#"{{"version":1,"clusters":{{"demo":{{"bootstrap_servers":["{server}"],"nodes":{{"1":{address}}}}}}}}}"#
        );
        fs::write(directory.path().join(STATE_FILE), stored).unwrap();
        let proxy = remembering(&cluster, directory.path()).start();
        assert_eq!(who(&mut Client::connect(proxy.node(1))), 1, "{address}");
        assert_eq!(own_questions(&cluster), 1, "{address}");
    }
}

// 6.

/// A range of ports that are free, below those the system hands out.
fn free_ports(count: u16) -> PortRange {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 1_500).unwrap() * 10;
    loop {
        let start = first + NEXT.fetch_add(count, Ordering::Relaxed);
        let bound = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (start..start + count).all(bound) {
            let end = start + count - 1;
            return PortRange { start, end };
        }
    }
}

fn dynamic(cluster: &Cluster, ports: PortRange) -> TestProxy {
    let setup = Setup::to(&[cluster.address(0)]).nodes([0]);
    setup
        .gateway(|gateway| gateway.dynamic_ports = Some(ports))
        .start()
}

#[test]
fn a_dynamic_port_answers_when_the_answer_that_names_it_is_there() {
    let cluster = Cluster::start([0, 1, 2, 1001]);
    let ports = free_ports(3);
    let proxy = dynamic(&cluster, ports);
    let clients: Vec<_> = (0..8).map(|_| proxy.client()).collect();
    let together = Barrier::new(clients.len());
    let told = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for mut client in clients {
            let (together, told) = (&together, &told);
            scope.spawn(move || {
                together.wait();
                for (node, address) in addresses(&metadata(&mut client)) {
                    assert_eq!(who(&mut Client::connect(address.parse().unwrap())), node);
                    told.lock().unwrap().insert((node, address));
                }
            });
        }
    });
    // All were told the same.
    let told: Vec<_> = told.into_inner().unwrap().into_iter().collect();
    let ids: Vec<_> = told.iter().map(|(node, _)| *node).collect();
    assert_eq!(ids, [0, 1, 2, 1001]);
    assert_eq!(told[0].1, proxy.node(0).to_string());
    let in_range = |address: &str| {
        let port = address.parse::<SocketAddr>().unwrap().port();
        (ports.start..=ports.end).contains(&port)
    };
    assert!(told[1..].iter().all(|(_, address)| in_range(address)), "{told:?}");
    assert_eq!(proxy.counters().withheld_nodes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_coordinator_may_be_the_first_to_need_a_dynamic_port() {
    let cluster = Cluster::start([5, 6]);
    let setup = Setup::to(&[cluster.address(6)]).nodes([]);
    let proxy = setup
        .gateway(|gateway| gateway.dynamic_ports = Some(free_ports(2)))
        .start();
    let mut client = proxy.client();
    let answer = client.call(3, 6, &FindCoordinatorRequest::default());
    assert_eq!((answer.error_code, answer.node_id.0), (0, 5));
    let address = format!("{}:{}", &*answer.host, answer.port);
    assert_eq!(who(&mut Client::connect(address.parse().unwrap())), 5);
}

#[test]
fn when_no_dynamic_port_is_left_a_node_is_withheld_and_not_asked_for_again() {
    let cluster = Cluster::start([0, 1, 4711]);
    let refusals = || {
        let of_this_node = |line: &String| line.contains("node=4711") && line.contains("no dynamic port");
        warnings().filter(of_this_node).count()
    };
    assert_eq!(refusals(), 0);
    let proxy = dynamic(&cluster, free_ports(1));
    for answers in 1..=3 {
        let answer = metadata(&mut proxy.client());
        let ids: Vec<_> = answer.brokers.iter().map(|node| node.node_id.0).collect();
        assert_eq!(ids, [0, 1]);
        assert_eq!(proxy.counters().withheld_nodes.load(Ordering::Relaxed), answers);
        assert_eq!(refusals(), 1, "after {answers} answers");
    }
}

// 7.

/// The cluster has nodes 0, 1 and 9; 9 has no endpoint.
fn with_a_stranger(endpoint: SocketAddr) -> impl Fn(Connection) + Send + Sync {
    move |mut connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                METADATA => connection.answer(&asked, &strange_metadata(endpoint)),
                DESCRIBE_CLUSTER => connection.answer(&asked, &strange_cluster(endpoint)),
                FIND_COORDINATOR => connection.answer(&asked, &strange_coordinator(asked.api_version)),
                _ => return,
            }
        }
    }
}

fn strange_metadata(endpoint: SocketAddr) -> MetadataResponse {
    use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
    let partition = MetadataResponsePartition::default()
        .with_leader_id(9.into())
        .with_replica_nodes(vec![9.into(), 0.into()])
        .with_isr_nodes(vec![9.into()]);
    let topic = MetadataResponseTopic::default().with_partitions(vec![partition]);
    MetadataResponse::default()
        .with_brokers([0, 9, 1].map(|node| broker(node, endpoint)).into())
        .with_controller_id(9.into())
        .with_topics(vec![topic])
}

fn strange_cluster(endpoint: SocketAddr) -> DescribeClusterResponse {
    let broker = |node: i32| {
        DescribeClusterBroker::default()
            .with_broker_id(node.into())
            .with_host(StrBytes::from_string(endpoint.ip().to_string()))
            .with_port(endpoint.port().into())
    };
    DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_static_str("the-cluster"))
        .with_controller_id(9.into())
        .with_brokers([9, 0, 1].map(broker).into())
}

fn strange_coordinator(version: i16) -> FindCoordinatorResponse {
    use kafka_protocol::messages::find_coordinator_response::Coordinator;
    let host = StrBytes::from_static_str("broker-9.example");
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_node_id(9.into())
            .with_host(host)
            .with_port(9092);
    }
    let coordinator = |node: i32| {
        Coordinator::default()
            .with_key(StrBytes::from_string(format!("group-{node}")))
            .with_node_id(node.into())
            .with_host(host.clone())
            .with_port(9092)
    };
    FindCoordinatorResponse::default().with_coordinators([1, 9].map(coordinator).into())
}

#[test]
fn a_node_without_an_endpoint_is_withheld() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _broker = Broker::on(listener, with_a_stranger(address));
    let proxy = Setup::to(&[address]).nodes([0, 1]).start();
    let withheld = || proxy.counters().withheld_nodes.load(Ordering::Relaxed);
    let mut client = proxy.client();
    for version in 1..=13 {
        let before = withheld();
        let mut answer = client.call(version, 1, &MetadataRequest::default());
        let ours = [0, 1].map(|node| (node, proxy.node(node).to_string()));
        assert_eq!(addresses(&answer), ours, "version {version}");
        assert_eq!(withheld(), before + 1, "version {version}");
        // Nothing else has changed; 9 still leads and is the controller.
        let told = frames::response(version, 1, &strange_metadata(address));
        let (_, told): (_, MetadataResponse) = frames::decode(version, &told[4..]);
        answer.brokers.clone_from(&told.brokers);
        assert_eq!(answer, told, "version {version}");
    }
    for version in 0..=2 {
        let before = withheld();
        let answer = client.call(version, 2, &DescribeClusterRequest::default());
        let ids: Vec<_> = answer.brokers.iter().map(|node| node.broker_id.0).collect();
        assert_eq!(
            (ids, answer.controller_id.0),
            (vec![0, 1], 9),
            "version {version}"
        );
        assert_eq!(withheld(), before + 1, "version {version}");
    }
}

#[test]
fn a_coordinator_without_an_endpoint_is_not_available() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _broker = Broker::on(listener, with_a_stranger(address));
    let proxy = Setup::to(&[address]).nodes([0, 1]).start();
    let mut client = proxy.client();
    let nobody = (15, -1, "", -1);
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        if version >= 4 {
            request.coordinator_keys = vec![StrBytes::from_static_str("group-1")];
        }
        let answer = client.call(version, 3, &request);
        if version < 4 {
            let got = (answer.error_code, answer.node_id.0, &*answer.host, answer.port);
            assert_eq!(got, nobody, "version {version}");
            continue;
        }
        let got: Vec<_> = answer
            .coordinators
            .iter()
            .map(|entry| {
                (
                    &*entry.key,
                    (entry.error_code, entry.node_id.0, &*entry.host, entry.port),
                )
            })
            .collect();
        let port = i32::from(proxy.node(1).port());
        assert_eq!(
            got,
            [("group-1", (0, 1, "127.0.0.1", port)), ("group-9", nobody)],
            "version {version}"
        );
    }
    assert_eq!(proxy.counters().withheld_nodes.load(Ordering::Relaxed), 7);
}

// 8.

#[track_caller]
fn raw_handshake(client: &mut Client, mechanism: &'static str) -> i16 {
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    client.call(0, 1, &request).error_code
}

#[track_caller]
fn raw_plain(client: &mut Client) {
    assert_eq!(raw_handshake(client, "PLAIN"), 0);
    assert_eq!(client.ask(&frames::framed(PLAIN_TOKEN)), b"");
}

/// Frames are understood again: addresses are replaced.
#[track_caller]
fn assert_kafka_again(client: &mut Client, proxy: &TestProxy) {
    assert_eq!(who(client), 0);
    let ours = [0, 1].map(|node| (node, proxy.node(node).to_string()));
    assert_eq!(addresses(&metadata(client)), ours);
    assert_eq!(who(client), 0);
}

#[test]
fn raw_tokens_of_one_and_of_two_rounds_pass() {
    let cluster = Cluster::with_sasl([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut client = proxy.client();
    raw_plain(&mut client);
    assert_kafka_again(&mut client, &proxy);

    let mut client = proxy.client();
    assert_eq!(raw_handshake(&mut client, "SCRAM-SHA-256"), 0);
    assert_eq!(
        client.ask(&frames::framed(b"n,,n=alice,r=client-first")),
        b"r=server-first"
    );
    assert_eq!(
        client.ask(&frames::framed(b"c=biws,r=client-final")),
        b"v=server-final"
    );
    assert_kafka_again(&mut client, &proxy);

    // Everything in one go, and byte by byte.
    let mut client = proxy.client();
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    client.send_bytewise(&frames::request(0, 1, &handshake));
    client.frame();
    client.send_bytewise(&[frames::framed(PLAIN_TOKEN), heartbeat(9)].concat());
    assert_eq!(client.frame(), b"");
    assert_eq!(frames::correlation_id(&client.frame()), 9);
    assert_kafka_again(&mut client, &proxy);
}

/// As many rounds as it takes, with tokens of any size; what comes behind them is seen to be a request.
#[test]
fn raw_tokens_of_an_open_exchange_pass() {
    let tokens = || {
        let noise = |len| [b"\x60\x82".to_vec(), frames::noise(len as u64, len)].concat();
        [
            noise(700),
            Vec::new(),
            vec![0x60],
            noise(60_000),
            noise(3),
            noise(9),
        ]
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let log = Arc::clone(&seen);
    let _broker = Broker::on(listener, move |mut connection| {
        let asked = connection.request().unwrap();
        assert_eq!((asked.api_key, asked.api_version), (SASL_HANDSHAKE, 0));
        connection.answer(&asked, &SaslHandshakeResponse::default());
        for token in tokens() {
            log.lock().unwrap().push(connection.content().unwrap());
            connection.send(&frames::framed(&token));
        }
        while let Some(asked) = connection.request() {
            match asked.api_key {
                METADATA => {
                    let nodes = [0, 1].map(|node| broker(node, address)).into();
                    connection.answer(&asked, &MetadataResponse::default().with_brokers(nodes));
                }
                _ => connection.send(&frames::raw_response(asked.correlation_id, &0_i32.to_be_bytes())),
            }
        }
    });
    let proxy = Setup::to(&[address]).start();
    let mut client = proxy.client();
    assert_eq!(raw_handshake(&mut client, "GSSAPI"), 0);
    for token in tokens() {
        assert_eq!(client.ask(&frames::framed(&token)), token);
    }
    assert_kafka_again(&mut client, &proxy);
    assert_eq!(*seen.lock().unwrap(), tokens());
}

#[test]
fn a_handshake_that_fails_is_followed_by_no_tokens() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                SASL_HANDSHAKE => {
                    connection.answer(&asked, &SaslHandshakeResponse::default().with_error_code(33))
                }
                _ => connection.send(&frames::raw_response(asked.correlation_id, &0_i32.to_be_bytes())),
            }
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    assert_eq!(raw_handshake(&mut client, "PLAIN"), 33);
    // A request where a token would be.
    assert_eq!(who(&mut client), 0);
    assert_eq!(raw_handshake(&mut client, "GSSAPI"), 33);
    assert_eq!(who(&mut client), 0);
}

/// Every warning so far of all tests in this process, by line.
fn warnings() -> impl Iterator<Item = String> {
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
