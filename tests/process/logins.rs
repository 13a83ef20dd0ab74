//! Users in a file, who authenticate at kproxy (`SaslTermination`).
//!
//! 1. The file is followed: who was added may log in, who was removed is drained and told why in the log, all others stay.
//! 2. A plan says so before: how many are checked again and how many would leave.
//! 3. A file that cannot be read is rejected with the place, and those that are in stay.

use std::fs;
use std::num::NonZeroU32;

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use kproxy::sasl::{ScramHash, ScramVerifier};
use serde_json::{Value, json};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::deployment::{Deployment, cluster};
use testkit::replace::atomically;
use testkit::running::{ask, local};

/// Lines of a file of users, each with the name as password.
fn users(names: &[&str]) -> String {
    let line = |name: &&str| {
        let iterations = NonZeroU32::new(4096).unwrap();
        let verifier = ScramVerifier::of_password(ScramHash::Sha256, name, name.as_bytes(), iterations);
        format!("{name}:{verifier}\n")
    };
    names.iter().map(line).collect()
}

/// kproxy in front of `broker`, where alice and bob may log in, and the port of the bootstrap.
fn start(broker: &Broker) -> (Deployment, u16) {
    let mut port = 0;
    let head = "filterDefinitions:
  - name: login
    type: SaslTermination
    config:
      mechanisms:
        - mechanism: PLAIN
          credentialStore: FileCredentialStore
          credentialStoreConfig: {file: users}
          allowPlaintext: true
defaultFilters: [login]
";
    let deployment = Deployment::start(head, |directory, first| {
        port = first;
        fs::write(directory.join("users"), users(&["alice", "bob"])).unwrap();
        format!(
            "virtualClusters:\n{}",
            cluster("demo", first, broker.address, "", "")
        )
    });
    (deployment, port)
}

/// The error of the login; a client that is let in has been served.
fn log_in(port: u16, name: &str) -> (Client, i16) {
    let mut client = Client::connect(local(port));
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    assert_eq!(client.call(1, 1, &mechanism).error_code, 0);
    let token = format!("\0{name}\0{name}").into_bytes();
    let answer = client.call(
        2,
        2,
        &SaslAuthenticateRequest::default().with_auth_bytes(token.into()),
    );
    if answer.error_code == 0 {
        ask(&mut client);
    }
    (client, answer.error_code)
}

#[test]
fn a_file_of_users_is_followed_and_a_plan_says_who_would_leave() {
    let broker = Broker::echoing(b"ok");
    let (deployment, port) = start(&broker);
    let ((mut alice, _), (mut bob, _)) = (log_in(port, "alice"), log_in(port, "bob"));
    assert_eq!(log_in(port, "carol").1, 58);

    // Another file with other users is what a plan compares.
    let text = String::from_utf8(fs::read(deployment.path("proxy.yaml")).unwrap()).unwrap();
    let plan = |names: &[&str]| {
        fs::write(deployment.path("planned-users"), users(names)).unwrap();
        fs::write(
            deployment.path("planned.yaml"),
            text.replace("{file: users}", "{file: planned-users}"),
        )
        .unwrap();
        let (code, plan) = deployment.run(&["plan", "-c", "planned.yaml", "--json"]);
        let plan: Value = serde_json::from_str(&plan).unwrap();
        (code, plan["clusters"][0].clone())
    };
    let (code, more) = plan(&["alice", "bob", "carol"]);
    assert_eq!((code, &more["class"]), (3, &json!("live")), "{more}");
    assert_eq!(more["connections"]["refused"], 0, "{more}");
    let (code, fewer) = plan(&["alice", "carol"]);
    assert_eq!((code, &fewer["class"]), (4, &json!("drain")), "{fewer}");
    assert_eq!(
        fewer["connections"],
        json!({"live": 2, "drained": 1, "verified_again": 2, "refused": 1}),
        "{fewer}"
    );
    assert_eq!(fewer["drains"][0]["reason"], "client_refused", "{fewer}");
    let why = "the client has authenticated at kproxy, and its user was removed";
    assert_eq!(fewer["drains"][0]["detail"], why, "{fewer}");
    ask(&mut bob);

    let mark = deployment.mark();
    atomically(&deployment.path("users"), &users(&["alice", "carol"]));
    deployment.line(mark, &["reload applied"]);
    bob.expect_fin();
    let line = deployment.line(mark, &["clients are not accepted any more"]);
    assert!(line.contains(why) && line.contains("sessions=1"), "{line}");
    ask(&mut alice);
    assert_eq!(log_in(port, "carol").1, 0);
    assert_eq!(log_in(port, "bob").1, 58);
    let logins =
        |outcome: &str| deployment.metric("kproxy_client_logins_total", &[&format!("outcome=\"{outcome}\"")]);
    assert_eq!((logins("first"), logins("refused")), (3.0, 2.0));
}

#[test]
fn a_file_of_users_that_cannot_be_read_changes_nothing() {
    let broker = Broker::echoing(b"ok");
    let (deployment, port) = start(&broker);
    let (mut alice, _) = log_in(port, "alice");
    let mark = deployment.mark();
    let broken = format!("{}bob:hunter2\n", users(&["alice"]));
    atomically(&deployment.path("users"), &broken);
    let line = deployment.line(mark, &["reload rejected"]);
    assert!(!line.contains("hunter2"), "{line}");
    deployment.line(mark, &["users:2:1"]);
    ask(&mut alice);
    assert_eq!(log_in(port, "bob").1, 0);
}
