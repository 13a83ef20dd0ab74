//! `kproxy check`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use serde_json::Value;

use crate::commands::{Run, Served};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[track_caller]
fn check(served: &Served, server: &str, bootstrap: SocketAddr, arguments: &str) -> Run {
    let file = served.directory.path().join("proxy.yaml");
    let text = format!(
        "virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{server}\"}}
    gateways:
      - name: main
        portIdentifiesNode:
          bootstrapAddress: \"{bootstrap}\"
          nodeStartPort: {}
          nodeIdRanges: [{{name: all, start: 0, end: 0}}]
",
        // A port that is never bound by this file's other address, and free a moment ago.
        listener().1.port()
    );
    fs::write(file, text).unwrap();
    served.run(&format!("check -c proxy.yaml {arguments}"))
}

/// Promise 10.
#[test]
fn a_file_that_would_start_is_fine_and_leaves_nothing_bound() {
    let served = Served::start();
    let (free, address) = listener();
    drop(free);
    let ran = check(&served, "localhost:9092", address, "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "proxy.yaml is fine: 1 cluster, 1 gateway, 2 addresses\n");
    TcpListener::bind(address).unwrap();
}

/// Promise 10.
#[test]
fn an_address_of_somebody_else_is_a_violation_and_one_of_the_running_process_is_not() {
    let served = Served::start();
    let (_taken, address) = listener();
    let ran = check(&served, "localhost:9092", address, "");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err
            .starts_with("proxy.yaml: error: cluster \"orders\" cannot listen on "),
        "{}",
        ran.err
    );
    assert!(ran.err.contains(&address.to_string()), "{}", ran.err);
    served.fake.with(|facts| facts.bound = address);
    assert_eq!(check(&served, "localhost:9092", address, "").code, 0);
}

/// Promise 10.
#[test]
fn a_name_that_does_not_resolve_names_its_cluster() {
    let served = Served::start();
    let (free, address) = listener();
    drop(free);
    let ran = check(&served, "no-such-host.invalid:9092", address, "--json");
    assert_eq!(ran.code, 2);
    let verdict: Value = serde_json::from_str(&ran.out).unwrap();
    let violation = verdict["violations"][0].as_str().unwrap();
    assert!(
        violation.contains("no-such-host.invalid:9092 of cluster \"orders\" does not resolve"),
        "{violation}"
    );
}

/// Promise 10.
#[test]
fn everything_wrong_with_a_file_is_told_with_its_place() {
    let served = Served::start();
    fs::write(
        served.directory.path().join("bad.yaml"),
        "virtualCluster: []\nnetwork: {prox: {}}\n",
    )
    .unwrap();
    let ran = served.run("check -c bad.yaml");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err.contains("bad.yaml:1:1: error: ") && ran.err.contains("bad.yaml:2:"),
        "{}",
        ran.err
    );
    assert_eq!(served.run("check -c nowhere.yaml").code, 2);
}

/// Promise 10.
#[test]
fn what_is_odd_is_told_and_no_violation() {
    let served = Served::start();
    let (free, address) = listener();
    drop(free);
    let text = format!(
        "proxyProtocol: {{mode: allowed}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"localhost:9092\"}}
    gateways: [{{name: main, portIdentifiesNode: {{bootstrapAddress: \"{address}\", nodeIdRanges: [{{start: 0, end: 0}}], \
         nodeStartPort: {}}}}}]
",
        listener().1.port()
    );
    fs::write(served.directory.path().join("odd.yaml"), text).unwrap();
    let ran = served.run("check -c odd.yaml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let warning = "odd.yaml:1:23: warning: `trustedPeers` is empty: whoever connects may claim any address";
    assert_eq!(ran.err.trim_end(), warning);
    let ran = served.run("check -c odd.yaml --json");
    let verdict: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(verdict["warnings"][0], warning);
    assert_eq!(verdict["violations"], Value::Array(Vec::new()));
}
