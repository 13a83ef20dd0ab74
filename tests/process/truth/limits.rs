//! Limits that are reached.

use super::printed_status;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::deployment::{Deployment, cluster};
use testkit::frames;
use testkit::running::local;

const METRIC: &str = "kproxy_limit_reached";

/// A client that has sent a request.
fn waiting_client(port: u16) -> Client {
    let mut client = Client::connect(local(port));
    client.send(&frames::raw_request(12, 0, 1, b""));
    client
}

/// How often a limit was told of.
fn told(deployment: &Deployment, words: &str) -> usize {
    deployment
        .log(0)
        .lines()
        .filter(|line| line.contains(words))
        .count()
}

/// The limits that `status` shows, each with its cluster.
fn shown(deployment: &Deployment) -> Vec<(String, Option<String>)> {
    let status = deployment.status();
    let limits = status["limits"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    limits
        .map(|limit| (text(&limit["limit"]).unwrap(), text(&limit["virtual_cluster"])))
        .collect()
}

/// Fills a limit of two, sees that it is told, makes room, and sees that this is told as well.
#[track_caller]
fn is_told_and_taken_back(deployment: &Deployment, port: u16, limit: &str, of: Option<&str>) {
    deployment.expect_metric(METRIC, &[&format!("limit=\"{limit}\"")], 0.0);
    assert_eq!(shown(deployment), []);
    let mut served: Vec<Client> = (0..2).map(|_| waiting_client(port)).collect();
    served.iter_mut().for_each(|client| drop(client.frame()));
    let waiting: Vec<Client> = (0..3).map(|_| waiting_client(port)).collect();
    deployment.expect_metric(METRIC, &[&format!("limit=\"{limit}\"")], 1.0);
    let line = deployment.line(0, &["WARN", "limit reached", limit]);
    assert!(
        line.contains("2 of 2 connections in use") && line.contains("raise"),
        "{line}"
    );
    assert!(of.is_none_or(|of| line.contains(of)), "{line}");
    assert_eq!(shown(deployment), [(limit.to_owned(), of.map(str::to_owned))]);
    let printed = printed_status(deployment);
    assert!(printed.contains(&format!("limit reached  {limit}")), "{printed}");
    drop(served);
    // Each leaves room for the next, and the limit is met again each time.
    std::thread::scope(|scope| {
        for mut client in waiting {
            scope.spawn(move || drop(client.frame()));
        }
    });
    deployment.expect_metric(METRIC, &[&format!("limit=\"{limit}\"")], 0.0);
    let line = deployment.line(0, &["INFO", "limit no longer reached", limit, "affected="]);
    assert!(!line.contains("affected=0"), "{line}");
    assert_eq!(told(deployment, "limit reached"), 1, "{}", deployment.log(0));
    assert_eq!(
        told(deployment, "limit no longer reached"),
        1,
        "{}",
        deployment.log(0)
    );
    assert_eq!(shown(deployment), []);
}

/// Promise 1.
#[test]
fn max_connections_of_the_process_reached_is_told_once_and_once_when_it_is_over() {
    let broker = Broker::echoing(b"ok");
    let mut port = 0;
    let head = "network: {proxy: {workerThreadCount: 2, maxConnections: 2}}\n";
    let deployment = Deployment::start(head, |_, first| {
        port = first;
        format!(
            "virtualClusters:\n{}",
            cluster("a", first, broker.address, "", "")
        )
    });
    for limit in [
        "cluster_connections",
        "connections_per_client",
        "descriptors",
        "buffers",
        "log_queue",
        "dynamic_ports",
    ] {
        assert!(
            deployment.has_metric(METRIC, &[&format!("limit=\"{limit}\"")]),
            "{limit}"
        );
    }
    is_told_and_taken_back(&deployment, port, "connections", None);
}

/// Promise 1.
#[test]
fn max_connections_of_a_cluster_reached_names_the_cluster() {
    let broker = Broker::echoing(b"ok");
    let mut port = 0;
    let deployment = Deployment::start("", |_, first| {
        port = first;
        let limited = cluster("limited", first, broker.address, "", "");
        let other = cluster("other", first + 5, broker.address, "", "");
        format!("virtualClusters:\n{limited}    maxConnections: 2\n{other}")
    });
    is_told_and_taken_back(&deployment, port, "cluster_connections", Some("limited"));
}

/// Promise 1.
#[test]
fn descriptors_run_out_is_told_once() {
    let broker = Broker::echoing(b"ok");
    let mut port = 0;
    let deployment = Deployment::start("", |_, first| {
        port = first;
        format!(
            "virtualClusters:\n{}",
            cluster("a", first, broker.address, "", "")
        )
    });
    let open = deployment.binary.descriptors();
    let free = (0..).find(|number| !open.contains(number)).unwrap();
    // Room for the questions of the test, which have places of their own, and for nothing else.
    let before = deployment.binary.limit_descriptors(Some(free));
    let mut waiting: Vec<Client> = (0..3).map(|_| waiting_client(port)).collect();
    deployment.line(0, &["WARN", "limit reached", "descriptors", "ulimit"]);
    deployment.binary.limit_descriptors(before);
    waiting.iter_mut().for_each(|client| drop(client.frame()));
    deployment.expect_metric(METRIC, &["limit=\"descriptors\""], 0.0);
    deployment.line(0, &["INFO", "limit no longer reached", "descriptors"]);
    assert_eq!(told(&deployment, "limit reached"), 1, "{}", deployment.log(0));
}

/// Promise 1.
#[test]
fn no_dynamic_port_left_is_reached_as_long_as_a_broker_is_withheld() {
    let brokers = Cluster::start([0, 1, 2]);
    let mut port = 0;
    let deployment = Deployment::start("", |_, first| {
        port = first;
        let (start, end) = (first + 10, first + 10);
        let cluster = cluster("a", first, brokers.address(0), "", "");
        let cluster = cluster.replace(
            "nodeIdRanges",
            &format!("dynamicNodePorts: {{start: {start}, end: {end}}}, nodeIdRanges"),
        );
        format!("virtualClusters:\n{cluster}")
    });
    let mut client = Client::connect(local(port));
    client.send(&frames::request(
        12,
        1,
        &kafka_protocol::messages::MetadataRequest::default(),
    ));
    drop(client.frame());
    deployment.expect_metric(METRIC, &["limit=\"dynamic_ports\""], 1.0);
    assert_eq!(shown(&deployment), [("dynamic_ports".to_owned(), None)]);
    deployment.line(0, &["WARN", "limit reached", "dynamic_ports"]);
}
