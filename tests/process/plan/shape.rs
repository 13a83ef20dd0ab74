//! Promise 4.

use serde_json::{Value, json};
use testkit::certificates::{Authority, Leaf};
use testkit::running::Running;

use super::fixture::{UNWATCHED, run};

#[test]
fn the_json_has_the_documented_shape() {
    let running = Running::with(UNWATCHED, &["a", "b"]);
    let _client = running.client(0);
    running.write(running.text(&["b@1"]) + "network: {proxy: {maxConnections: 99}}\n");
    let ran = run(running.directory.path(), "plan --json");
    assert_eq!(ran.code, 4);
    let mut report: Value = serde_json::from_str(&ran.out).unwrap();
    let hash = report["hash"].take();
    assert_eq!(hash.as_str().unwrap().len(), 64);
    let at = |port: u16| format!("127.0.0.1:{port}");
    assert_eq!(
        report,
        json!({
            "verdict": "drains",
            "generation": 1,
            "file": running.file.canonicalize().unwrap(),
            "hash": null,
            "errors": [],
            "summary": {
                "added": 0, "modified": 0, "removed": 1, "moved": 0, "unchanged": 1,
                "classes": {"drain": 1},
                "connections": {"live": 1, "drained": 1, "verified_again": 0, "refused": 0},
                "listeners_bound": 0,
                "listeners_released": 2,
            },
            "process": [{"key": "network.proxy.maxConnections", "effect": "apply", "class": "live"}],
            "clusters": [{
                "name": "a",
                "action": "remove",
                "class": "drain",
                "keys": [],
                "connections": {"live": 1, "drained": 1, "verified_again": 0, "refused": 0},
                "drains": [{
                    "reason": "cluster_removed",
                    "detail": "the virtual cluster is removed",
                    "connections": 1,
                }],
                "clients": [{"client_id": "test", "principal": null, "connections": 1}],
                "more_clients": 0,
                "listeners_bound": [],
                "listeners_released": [at(running.base), at(running.base + 1)],
            }],
            "certificates": [],
            "handovers": [],
        })
    );
}

#[test]
fn a_rejection_has_its_reasons_in_json() {
    let running = Running::with(UNWATCHED, &["a"]);
    running.write("virtualClusters: 1\n");
    let ran = run(running.directory.path(), "plan --json");
    assert_eq!(ran.code, 2);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["verdict"], "rejected");
    let errors = report["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].as_str().unwrap().contains("proxy.yaml:1:18: error: "),
        "{errors:?}"
    );
}

#[test]
fn exchanged_certificates_are_told_with_subject_and_expiry() {
    let authority = Authority::new("test");
    let directory = tempfile::tempdir().unwrap();
    let issue = |name: &str| {
        let leaf = authority.issue(&Leaf::server(&[name]).on_loopback());
        leaf.write(directory.path(), name)
    };
    let (old, new) = (issue("old.example"), issue("new.example"));
    let text = |files: &testkit::certificates::Files| {
        format!(
            "virtualClusters:
  - name: a
    targetCluster: {{bootstrapServers: \"kafka.example:9092\"}}
    gateways:
      - name: g
        portIdentifiesNode: {{bootstrapAddress: \"localhost:9192\"}}
        tls: {{key: {{certificateFile: {}, privateKeyFile: {}}}}}
",
            files.certificate.display(),
            files.key.display()
        )
    };
    std::fs::write(directory.path().join("old.yaml"), text(&old)).unwrap();
    std::fs::write(directory.path().join("new.yaml"), text(&new)).unwrap();
    let arguments = "plan -c new.yaml --offline old.yaml";
    let ran = run(directory.path(), &format!("{arguments} --json"));
    assert_eq!(ran.code, 3, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let exchange = &report["certificates"][0];
    assert_eq!(exchange["role"], "gateway");
    assert_eq!(exchange["clusters"], json!(["a"]));
    assert_eq!(exchange["before"]["file"], old.certificate.to_str().unwrap());
    assert_eq!(exchange["after"]["file"], new.certificate.to_str().unwrap());
    for side in ["before", "after"] {
        assert!(
            exchange[side]["subject"].as_str().unwrap().starts_with("CN="),
            "{exchange}"
        );
        assert!(
            exchange[side]["not_after"].as_str().unwrap().ends_with('Z'),
            "{exchange}"
        );
    }
    let people = run(directory.path(), arguments).out;
    assert!(people.contains(" of a: CN="), "{people}");
    assert!(people.contains(" in place of CN="), "{people}");
}
