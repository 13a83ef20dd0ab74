//! Promise 18: the files of `examples/policy` do what its README says, with a real Kafka that wants a login.

#[path = "../../examples/policy/gateway.rs"]
mod gateway;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use gateway::{Gateway, Ports};
use testkit::binary::program;
use testkit::deployment::get;
use testkit::entry_point::Route;
use testkit::maven::{KafkaVersion, require};
use testkit::running::local;
use testkit::tool::Output;
use testkit::wait::eventually;

const DENIED: &str = "TopicAuthorizationException: Not authorized to access topics: [orders]";

/// What the tool has printed and told.
fn said(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

/// The set-up on ports of the test's own; `None` without a Kafka, and where tests go straight to brokers.
fn gateway(directory: &tempfile::TempDir) -> Option<Gateway> {
    if Route::chosen() == Route::Direct {
        return None;
    }
    let base = testkit::running::ports();
    let ports = Ports {
        kafka: base,
        kproxy: base + 10,
        management: base + 20,
    };
    Some(Gateway::start(require(KafkaVersion::V4_4)?, directory.path(), ports).unwrap())
}

/// What a command of kproxy prints about the running process.
fn kproxy(gateway: &Gateway, arguments: &[&str]) -> String {
    let output = Command::new(program())
        .current_dir(&gateway.directory)
        .args(["--control", "kproxy.sock"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The numbers of the live sessions of alice.
fn sessions_of_alice(gateway: &Gateway) -> Vec<u64> {
    let listed: serde_json::Value =
        serde_json::from_str(&kproxy(gateway, &["connections", "--json"])).unwrap();
    let of_alice = listed.as_array().unwrap().iter();
    let of_alice = of_alice.filter(|session| session["principal"] == "alice");
    of_alice.map(|session| session["id"].as_u64().unwrap()).collect()
}

#[test]
fn rules_decide_at_the_gateway_and_an_edit_of_them_reaches_live_clients() {
    let directory = tempfile::tempdir().unwrap();
    let Some(gateway) = gateway(&directory) else {
        return;
    };
    let created = gateway.create("alice", "orders");
    assert!(created.success(), "{created}");
    let produced = gateway.produce("alice", "orders", "a bicycle");
    assert!(!said(&produced).contains("Exception"), "{produced}");
    let mut alice = gateway.follow("alice", "orders", "orders-app");
    alice.wait_for_output("the record", |out| out.contains("a bicycle"));
    let before = sessions_of_alice(&gateway);

    let produced = gateway.produce("bob", "orders", "a car");
    assert!(said(&produced).contains(DENIED), "{produced}");
    let consumed = gateway.consume("bob", "orders", "billing");
    assert!(said(&consumed).contains(DENIED), "{consumed}");

    let bob_reads = "allow User with name = \"bob\" to READ Topic with name = \"orders\";\n\notherwise deny;";
    gateway.edit_rules("otherwise deny;", bob_reads).unwrap();
    let consumed = gateway.consume("bob", "orders", "billing");
    assert_eq!(consumed.stdout, "a bicycle\n", "{consumed}");
    let produced = gateway.produce("bob", "orders", "a car");
    assert!(said(&produced).contains(DENIED), "{produced}");
    assert_eq!(sessions_of_alice(&gateway), before, "{}", gateway.kproxy.log());

    let (from, to) = (
        "\"alice\" to * Topic",
        "\"alice\" to {CREATE, WRITE, DESCRIBE} Topic",
    );
    gateway.edit_rules(from, to).unwrap();
    eventually("the consumer that is connected has lost its right", || {
        alice.stderr().contains(DENIED)
    });
    let produced = gateway.produce("alice", "orders", "another");
    assert!(!said(&produced).contains("Exception"), "{produced}");
}

#[test]
fn secrets_of_the_set_up_are_shown_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let Some(gateway) = gateway(&directory) else {
        return;
    };
    let created = gateway.create("alice", "orders");
    assert!(created.success(), "{created}");
    let secret = |name: &str| {
        let file = gateway.directory.join(name);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        String::from_utf8(fs::read(file).unwrap()).unwrap()
    };
    let (password, users) = (secret("kafka.password"), secret("users.txt"));
    let verifiers = users.lines().map(|line| line.rsplit('$').next().unwrap());
    let secrets: Vec<&str> = verifiers.chain([&*password, "alice-secret"]).collect();

    // Another password of the same user: a change that the log and the history tell of.
    let generation = "reload applied";
    let applied = gateway.kproxy.log().matches(generation).count();
    let other = password.chars().rev().collect::<String>();
    fs::write(gateway.directory.join("kafka.password"), &other).unwrap();
    eventually("the other password is in use", || {
        gateway.kproxy.log().matches(generation).count() > applied
    });
    let shown = [
        &["status", "--json"][..],
        &["connections", "--json"],
        &["plan", "--json"],
        &["history", "--json"],
        &["show", "1"],
        &["show", "2"],
    ];
    let shown = shown.map(|arguments| kproxy(&gateway, arguments));
    let metrics = get(local(gateway.ports.management), "/metrics");
    assert!(metrics.contains("kproxy_authorization_total"), "{metrics}");
    for text in shown.iter().chain([&gateway.kproxy.log(), &metrics]) {
        let told = secrets.iter().find(|secret| text.contains(**secret));
        assert_eq!(told, None, "{text}");
        assert!(!text.contains(&other), "{text}");
    }
}
