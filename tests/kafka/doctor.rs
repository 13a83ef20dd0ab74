//! Promise 10: `kproxy doctor` finds a sound virtual cluster sound, and names what is wrong with others.

use std::process::Command;

use serde_json::Value;

use crate::modern;
use testkit::{
    binary::program,
    certificates::write,
    edge::{Edge, block, by_port, certificates, cluster, key, target, trust},
    kafka::{KafkaCluster, Listener, PASSWORD, USER},
    topics,
};

/// Exit code and report of a run with these arguments; `-c` names the file of `edge`.
#[track_caller]
fn examine(edge: &Edge, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(program())
        .args(["doctor", "-c", "proxy.yaml", "--json"])
        .args(arguments)
        .current_dir(edge.directory.path())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report =
        report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// Kind and sentence of each finding.
fn findings(report: &Value) -> Vec<(&str, &str)> {
    let findings = report["walks"][0]["findings"].as_array().unwrap();
    let of = |finding| -> (&str, &str) {
        let finding: &Value = finding;
        (
            finding["finding"].as_str().unwrap(),
            finding["what"].as_str().unwrap(),
        )
    };
    findings.iter().map(of).collect()
}

/// What the steps of this name saw.
fn details<'r>(report: &'r Value, step: &str) -> Vec<&'r str> {
    let steps = report["walks"][0]["steps"].as_array().unwrap();
    let of = steps.iter().filter(|found| found["step"] == step);
    of.map(|found| found["detail"].as_str().unwrap()).collect()
}

/// kproxy in front of the listener, with this gateway.
fn proxied(kafka: &KafkaCluster, listener: Listener, gateway: String) -> Edge {
    let tls = trust(&kafka.tls.broker_trust, "");
    let tls = matches!(listener, Listener::Ssl | Listener::SaslSsl).then_some(tls.as_str());
    Edge::start(&[cluster("orders", &target(kafka, listener, tls), &[gateway])])
}

#[test]
fn a_cluster_behind_tls_and_scram_is_sound_to_the_round_trip() {
    let Some(kafka) = modern() else { return };
    let certificates = certificates();
    let gateway = by_port(block(), &format!("tls: {{{}}}", key(&certificates.server)));
    let edge = proxied(kafka, Listener::SaslSsl, gateway);
    topics::create_spread(kafka, "doctor-scram");
    let password = write(edge.directory.path(), "password", PASSWORD);
    let (password, trust) = (
        password.to_str().unwrap(),
        certificates.edge_trust.to_str().unwrap(),
    );
    let login = [
        "--sasl",
        "SCRAM-SHA-256",
        "--username",
        USER,
        "--password-file",
        password,
    ];
    let arguments = [&["--ca", trust, "--topic", "doctor-scram"][..], &login].concat();
    let (code, report) = examine(&edge, &arguments);
    assert_eq!(code, Some(0), "{report:#}");
    let kinds: Vec<&str> = findings(&report).into_iter().map(|(kind, _)| kind).collect();
    // The test's certificate is valid for two days.
    assert_eq!(kinds, ["certificate_expires"], "{report:#}");
    let brokers = [1, 2, 3].map(|id| format!("leads to broker {id}"));
    assert_eq!(details(&report, "identity"), brokers);
    assert_eq!(details(&report, "fetch"), ["the same record"]);
    // Bootstrap, coordinator, three nodes and the leader of the topic, and the target.
    assert_eq!(details(&report, "sasl"), ["SCRAM-SHA-256"; 7]);
    let wrong = write(edge.directory.path(), "wrong", "wrong");
    let login = [
        "--sasl",
        "SCRAM-SHA-256",
        "--username",
        USER,
        "--password-file",
        wrong.to_str().unwrap(),
    ];
    let (code, report) = examine(&edge, &[&["--ca", trust][..], &login].concat());
    assert_eq!(code, Some(4));
    assert_eq!(findings(&report).last().unwrap().0, "login_failed", "{report:#}");
}

/// The load balancer that the file describes leads each port to the next one.
#[test]
fn swapped_nodes_are_named_by_the_brokers_that_answer() {
    let Some(kafka) = modern() else { return };
    let port = block();
    let gateway = format!(
        "{{name: ports, portIdentifiesNode: {{bootstrapAddress: \"localhost:{port}\", advertisedNodeStartPort: {}, \
         nodeIdRanges: [{{name: brokers, start: 1, end: 3}}]}}}}",
        port + 2
    );
    let edge = proxied(kafka, Listener::Plaintext, gateway);
    let (code, report) = examine(&edge, &[]);
    assert_eq!(code, Some(4), "{report:#}");
    let found = findings(&report);
    for node in 1..3 {
        let what = format!("the address of node {node} leads to broker {}", node + 1);
        assert!(found.contains(&("node_swapped", &what)), "{found:?}");
    }
    assert!(
        found
            .iter()
            .any(|(kind, what)| *kind == "unreachable" && what.contains(&(port + 4).to_string()))
    );
}

#[test]
fn withheld_nodes_and_addresses_past_the_proxy_are_named() {
    let Some(kafka) = modern() else { return };
    let port = block();
    let gateway = format!(
        "{{name: ports, portIdentifiesNode: {{bootstrapAddress: \"localhost:{port}\", \
         nodeIdRanges: [{{name: brokers, start: 1, end: 2}}]}}}}"
    );
    let edge = proxied(kafka, Listener::SaslPlaintext, gateway);
    let password = write(edge.directory.path(), "password", PASSWORD);
    let login = [
        "--sasl",
        "PLAIN",
        "--username",
        USER,
        "--password-file",
        password.to_str().unwrap(),
    ];
    let (code, report) = examine(&edge, &login);
    assert_eq!(code, Some(4), "{report:#}");
    let what = "broker 3 of the target cluster is not told to clients: its id is outside `nodeIdRanges`";
    assert!(findings(&report).contains(&("node_withheld", what)), "{report:#}");
    // A client that comes to a broker.
    let broker = kafka.address(1, Listener::Plaintext).to_string();
    let output = Command::new(program())
        .args(["doctor", &broker, "--target", &broker, "--json"])
        .env("XDG_RUNTIME_DIR", edge.directory.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let past = findings(&report)
        .into_iter()
        .filter(|(kind, _)| *kind == "leads_past_proxy");
    assert_eq!((output.status.code(), past.count()), (Some(4), 3), "{report:#}");
}
