//! Credentials to the cluster in files (`sasl` of a target).
//!
//! 1. A file with a secret is followed: another secret of the same user is live, and a plan says so.
//! 2. With `perClient` a client has the credentials of its line, found by the subject of its certificate.
//! 3. No secret is in the log, the status, a metric, a plan, a diagnostic or the history.
//! 4. Secrets that go to brokers in clear, and files of secrets that everybody can read or replace, are warned of once, at a
//!    start and by `kproxy check`.

mod warned;

use std::fs;

use testkit::certificates::{Authority, Leaf};
use testkit::client::Client;
use testkit::deployment::Deployment;
use testkit::frames::heartbeat;
use testkit::replace::atomically;
use testkit::running::local;
use testkit::sasl_broker::{Rules, SaslBroker};
use testkit::tls_client::Dialer;

const OLD: &str = "hunter2-old";
const NEW: &str = "hunter2-new";

#[test]
fn a_rotated_password_file_is_live_and_never_shown() {
    let broker = SaslBroker::start(Rules::of("SCRAM-SHA-512", "kproxy", OLD));
    let target = broker.address();
    let mut port = 0;
    let deployment = Deployment::start("stateDirectory: state\n", |directory, first| {
        port = first;
        fs::write(directory.join("password"), format!("{OLD}\n")).unwrap();
        format!(
            "virtualClusters:\n  - name: demo\n    targetCluster:\n      bootstrapServers: '{target}'\n      \
             sasl: {{mechanism: SCRAM-SHA-512, username: kproxy, passwordFile: password}}\n    gateways:\n      - name: g\n        \
             portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}'}}\n"
        )
    });
    let mut open = Client::connect(local(port));
    open.ask(&heartbeat(1));
    broker.change(|rules| drop(rules.users.insert("kproxy".to_owned(), NEW.to_owned())));
    let mark = deployment.mark();
    atomically(&deployment.path("password"), &format!("{NEW}\n"));
    deployment.line(mark, &["reload applied"]);
    open.ask(&heartbeat(2));
    Client::connect(local(port)).ask(&heartbeat(3));
    assert_eq!(broker.refused(), 0);

    fs::write(deployment.path("password"), "hunter2-third\n").unwrap();
    let text = String::from_utf8(fs::read(deployment.path("proxy.yaml")).unwrap()).unwrap();
    let inline = text.replace("passwordFile: password", "password: hunter2-inline");
    fs::write(deployment.path("other.yaml"), inline).unwrap();
    let (code, plan) = deployment.run(&["plan", "-c", "other.yaml"]);
    assert_eq!(code, 3, "{plan}");
    assert!(plan.contains("sasl.password") && plan.contains("live"), "{plan}");
    let (_, history) = deployment.run(&["show", "1", "--diff", "2"]);
    let (_, status) = deployment.run(&["status", "--json"]);
    let said = [
        plan,
        history,
        status,
        deployment.get("/metrics"),
        deployment.log(0),
    ]
    .concat();
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_client_has_the_credentials_of_its_line() {
    let broker = SaslBroker::start(Rules::of("PLAIN", "svc-alice", "hunter2-a"));
    broker.change(|rules| drop(rules.users.insert("svc-bob".to_owned(), "hunter2-b".to_owned())));
    let target = broker.address();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let [alice, bob] = ["alice", "bob"].map(|name| clients.issue(&Leaf::client(name)));
    let mut port = 0;
    let deployment = Deployment::start("", |directory, first| {
        port = first;
        servers.issue(&Leaf::server(&["localhost"])).write(directory, "s");
        fs::write(directory.join("clients.pem"), &clients.pem).unwrap();
        fs::write(
            directory.join("users"),
            "# PRINCIPAL:USERNAME:PASSWORD\nCN=alice:svc-alice:hunter2-a\n",
        )
        .unwrap();
        format!(
            "virtualClusters:\n  - name: demo\n    targetCluster:\n      bootstrapServers: '{target}'\n      \
             sasl: {{mechanism: PLAIN, credentials: perClient, clientsFile: users}}\n    gateways:\n      - name: g\n        \
             portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}'}}\n        \
             tls: {{key: {{certificateFile: s.crt, privateKeyFile: s.key}}, trust: {{storeFile: clients.pem, storeType: PEM}}}}\n"
        )
    });
    let dial = |identity| {
        let dialer = Dialer::showing(&servers.pem, identity);
        dialer.dial(local(port), "localhost").unwrap()
    };
    let mut first = dial(&alice);
    first.ask().unwrap();
    assert_eq!(broker.logins(false), ["svc-alice"]);
    assert!(dial(&bob).ask().is_err());
    let line = deployment.line(0, &["session closed", "upstream_credentials_missing"]);
    assert!(line.contains("CN=bob"), "{line}");
    let mark = deployment.mark();
    let users = "CN=alice:svc-alice:hunter2-a\nCN=bob:svc-bob:hunter2-b\n";
    atomically(&deployment.path("users"), users);
    deployment.line(mark, &["reload applied"]);
    dial(&bob).ask().unwrap();
    first.ask().unwrap();
    assert_eq!(broker.logins(false), ["svc-alice", "svc-bob"]);
    let mark = deployment.mark();
    atomically(
        &deployment.path("users"),
        "CN=alice:svc-alice:hunter2-a\nhunter2-c\n",
    );
    let line = deployment.line(mark, &["line 2 of"]);
    assert!(line.contains("expected PRINCIPAL:USERNAME:PASSWORD"), "{line}");
    assert!(!deployment.log(0).contains("hunter2"));
}
