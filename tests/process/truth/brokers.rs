//! Brokers that do not answer.

use std::net::{SocketAddr, TcpListener};

use super::{kproxy, printed_status};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::deployment::{Deployment, cluster};
use testkit::frames;
use testkit::running::{local, ports};
use testkit::wait::eventually;

const STATE: &str = "kproxy_virtual_cluster_state";

/// One cluster in front of `target`, at the port that is returned.
fn in_front_of(target: SocketAddr) -> (Deployment, u16) {
    let mut port = 0;
    let deployment = Deployment::start("", |_, first| {
        port = first;
        format!("virtualClusters:\n{}", cluster("orders", first, target, "", ""))
    });
    (deployment, port)
}

/// What `status` says of the brokers of the only cluster.
fn upstream(deployment: &Deployment) -> Vec<serde_json::Value> {
    deployment.status()["clusters"][0]["upstream"]
        .as_array()
        .unwrap()
        .clone()
}

fn state(deployment: &Deployment) -> String {
    deployment.status()["clusters"][0]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn expect_state(deployment: &Deployment, expected: &str) {
    eventually(&format!("{expected}; {}", deployment.status()), || {
        state(deployment) == expected
    });
}

/// Promise 2.
#[test]
fn a_start_whose_brokers_do_not_answer_says_so_and_serves_when_they_do() {
    let port = ports();
    let (deployment, _) = in_front_of(local(port));
    let line = deployment.line(0, &["WARN", "degraded", "orders"]);
    assert!(
        line.contains("refused") && line.contains("upstream_unreachable"),
        "{line}"
    );
    expect_state(&deployment, "degraded");
    let broker = &upstream(&deployment)[0];
    assert_eq!(broker["address"], local(port).to_string(), "{broker}");
    assert_eq!(broker["up"], false, "{broker}");
    assert_eq!(broker["last_success"], serde_json::Value::Null, "{broker}");
    assert_eq!(broker["cause"], "upstream_unreachable", "{broker}");
    assert!(
        broker["failing_since"].is_string() && broker["detail"].is_string(),
        "{broker}"
    );
    let printed = printed_status(&deployment);
    assert!(
        printed.contains("degraded") && printed.contains("no broker answers: 127.0.0.1:"),
        "{printed}"
    );
    assert!(
        deployment.get("/").contains("no broker answers"),
        "the page says it too"
    );
    assert_eq!(deployment.get("/readyz").trim(), "ready");
    deployment.expect_metric("kproxy_upstream_up", &["orders", "node_id=\"bootstrap\""], 0.0);
    assert!(deployment.has_metric("kproxy_upstream_up", &["orders"]));
    deployment.expect_metric(STATE, &["state=\"degraded\""], 1.0);
    deployment.expect_metric("kproxy_warnings", &[], 1.0);
    // Nobody connects: its return is noticed all the same.
    let _broker = Broker::on(TcpListener::bind(local(port)).unwrap(), |mut connection| {
        while let Some(asked) = connection.request() {
            connection.send(&frames::raw_response(asked.correlation_id, b"ok"));
        }
    });
    deployment.expect_metric("kproxy_upstream_up", &["orders", "node_id=\"bootstrap\""], 1.0);
    assert_eq!(state(&deployment), "serving");
    deployment.expect_metric(STATE, &["state=\"serving\""], 1.0);
    deployment.expect_metric("kproxy_warnings", &[], 0.0);
    assert!(deployment.metric("kproxy_upstream_last_success_timestamp_seconds", &[]) > 1e9);
    deployment.line(0, &["INFO", "no longer degraded", "orders"]);
    assert_eq!(
        deployment.log(0).matches("is degraded").count(),
        1,
        "{}",
        deployment.log(0)
    );
}

/// Promise 2.
#[test]
fn a_broker_that_goes_away_is_seen_by_what_happens_to_clients() {
    let mut brokers = Cluster::start([0, 1]);
    let (deployment, port) = in_front_of(brokers.address(0));
    eventually("it was tried out", || {
        upstream(&deployment)
            .first()
            .is_some_and(|broker| broker["up"] == true)
    });
    assert_eq!(state(&deployment), "serving");
    let metadata = || {
        let mut client = Client::connect(local(port));
        client.send(&frames::request(
            12,
            1,
            &kafka_protocol::messages::MetadataRequest::default(),
        ));
        client
    };
    drop(metadata().frame());
    brokers.kill(0);
    eventually("a client fails", || metadata().try_frame().is_err());
    expect_state(&deployment, "degraded");
    let broker = upstream(&deployment);
    let failing = broker.iter().find(|broker| broker["up"] == false).unwrap();
    assert_eq!(failing["node_ids"], serde_json::json!([0]), "{failing}");
    assert!(failing["last_success"].is_string(), "{failing}");
    deployment.expect_metric("kproxy_upstream_up", &["node_id=\"0\""], 0.0);
}

/// Promise 2: it can be connected to, and is no Kafka.
#[test]
fn a_broker_that_speaks_something_else_is_named() {
    let http = Broker::start(|mut connection| {
        connection.request();
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let (deployment, _) = in_front_of(http.address);
    let line = deployment.line(0, &["WARN", "degraded", "orders"]);
    assert!(line.contains("upstream_not_kafka"), "{line}");
    expect_state(&deployment, "degraded");
}

/// Promise 2.
#[test]
fn a_reload_to_brokers_that_do_not_answer_says_so() {
    let (broker, dead) = (Broker::echoing(b"ok"), ports());
    let (deployment, port) = in_front_of(broker.address);
    eventually("it was tried out", || {
        upstream(&deployment)
            .first()
            .is_some_and(|broker| broker["up"] == true)
    });
    let mark = deployment.mark();
    deployment.configure(&format!(
        "virtualClusters:\n{}",
        cluster("orders", port, local(dead), "", "")
    ));
    deployment.line(mark, &["WARN", "degraded", "orders"]);
    expect_state(&deployment, "degraded");
}

/// Promise 3.
#[test]
fn check_warns_of_brokers_that_do_not_answer() {
    let directory = tempfile::tempdir().unwrap();
    let (base, broker) = (ports(), Broker::echoing(b"ok"));
    let file = directory.path().join("proxy.yaml");
    let check = |target| {
        let text = format!("virtualClusters:\n{}", cluster("orders", base, target, "", ""));
        std::fs::write(&file, text).unwrap();
        let output = kproxy(
            &directory.path().join("none"),
            &["check", "-c", file.to_str().unwrap()],
        );
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let warnings = check(local(base + 20));
    assert!(
        warnings.contains("warning: bootstrap server 127.0.0.1:"),
        "{warnings}"
    );
    assert!(
        warnings.contains("of virtual cluster `orders` does not answer"),
        "{warnings}"
    );
    assert_eq!(check(broker.address), "");
}
