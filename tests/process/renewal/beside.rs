//! Promise 6.

use std::fs;
use std::process::Command;

use rustls::AlertDescription;
use serde_json::Value;

use super::NAME;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::client::Client;
use testkit::deployment::{Deployment, cluster};
use testkit::replace::atomically;
use testkit::running::{ask, local};
use testkit::tls_broker::{TlsBroker, settings};
use testkit::tls_client::{Dialer, TlsEnd, certificates};

const DOWNSTREAM: &str = "{key: {certificateFile: s.crt, privateKeyFile: s.key}, trust: {storeFile: trust.pem}, \
                          crlFile: crl.pem}";
const UPSTREAM: &str = "{serverName: kafka.test, trust: {storeFile: brokers.pem}, \
                        key: {certificateFile: c.crt, privateKeyFile: c.key}}";

/// Four clusters. Clients of the first show certificates, and kproxy shows one to the broker of the second.
struct Fixture {
    deployment: Deployment,
    servers: Authority,
    clients: Authority,
    kproxys: Authority,
    port: u16,
    _broker: Broker,
    upstream: TlsBroker,
    good: String,
}

impl Fixture {
    fn start() -> Self {
        let [servers, clients, kproxys, brokers] =
            ["servers", "clients", "kproxys", "brokers"].map(Authority::new);
        let upstream = TlsBroker::start(settings(
            &brokers.issue(&Leaf::server(&[NAME])),
            Some(&kproxys.pem),
        ));
        let (broker, mut at, mut good) = (Broker::echoing(b"ok"), 0, String::new());
        let deployment = Deployment::start("", |directory, port| {
            at = port;
            servers.issue(&Leaf::server(&[NAME])).write(directory, "s");
            kproxys.issue(&Leaf::client("kproxy")).write(directory, "c");
            fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
            fs::write(directory.join("brokers.pem"), &brokers.pem).unwrap();
            fs::write(directory.join("crl.pem"), clients.revoke(&[])).unwrap();
            good = "virtualClusters:\n".to_owned();
            good += &cluster("a", port, broker.address, "", DOWNSTREAM);
            good += &cluster("b", port + 2, upstream.broker.address, UPSTREAM, "");
            good += &cluster("c", port + 4, broker.address, "", "");
            good += &cluster("d", port + 6, broker.address, "", "");
            good.clone()
        });
        Self {
            deployment,
            servers,
            clients,
            kproxys,
            port: at,
            _broker: broker,
            upstream,
            good,
        }
    }

    fn dialer(&self, name: &str) -> (Dialer, u64) {
        let identity = self.clients.issue(&Leaf::client(name));
        (
            Dialer::showing(&self.servers.pem, &identity).forgetful(),
            identity.serial,
        )
    }

    fn put(&self, identity: &Identity, name: &str) {
        atomically(&self.deployment.path(format!("{name}.crt")), &identity.chain);
        atomically(&self.deployment.path(format!("{name}.key")), &identity.key);
    }

    /// Both certificates are renewed, and are what peers see; the file is no more in use than before.
    #[track_caller]
    fn renews(&self, what: &str) {
        let (server, client) = (
            self.servers.issue(&Leaf::server(&[NAME])),
            self.kproxys.issue(&Leaf::client("kproxy")),
        );
        let mark = self.deployment.mark();
        self.put(&server, "s");
        self.deployment.line(mark, &["renewal applied", "generation="]);
        self.deployment.line(mark, &["modify `a` (live): tls.key"]);
        let seen = self.dialer("alice").0.greet(local(self.port), NAME).unwrap();
        assert_eq!(seen.certificate(), certificates(&server.chain)[0], "{what}");

        let mark = self.deployment.mark();
        self.put(&client, "c");
        self.deployment
            .line(mark, &["modify `b` (live): targetCluster.tls.key"]);
        ask(&mut Client::connect(local(self.port + 2)));
        assert_eq!(
            self.upstream.last_shown().as_ref(),
            certificates(&client.chain).first(),
            "{what}"
        );

        let config = self.config();
        assert_eq!(config["in_sync"], false, "{what}");
        assert_eq!(config["last_reload"]["outcome"], "rejected", "{what}");
        assert_ne!(
            config["last_reload"]["errors"],
            Value::Array(Vec::new()),
            "{what}"
        );
        assert_eq!(config["last_renewal"]["outcome"], "applied", "{what}");
        assert_eq!(
            config["last_renewal"]["modified"],
            serde_json::json!(["b"]),
            "{what}"
        );
        self.deployment
            .expect_metric("kproxy_config_last_reload_successful", &[], 0.0);
        self.deployment.expect_metric("kproxy_config_in_sync", &[], 0.0);
    }

    fn config(&self) -> Value {
        self.deployment.status()["config"].clone()
    }

    /// Waits until what stands there is rejected.
    #[track_caller]
    fn rejected(&self, change: impl FnOnce()) {
        let mark = self.deployment.mark();
        change();
        self.deployment.line(mark, &["reload rejected: generation"]);
    }

    /// The good file counts again.
    #[track_caller]
    fn mend(&self) {
        let mark = self.deployment.mark();
        self.deployment.configure(&self.good);
        self.deployment.line(mark, &["means the same as the running one"]);
        let config = self.config();
        assert_eq!(config["in_sync"], true);
        assert_eq!(config["last_renewal"], Value::Null);
    }
}

/// The text of one cluster of four: more go than may.
fn first_cluster(text: &str) -> &str {
    text.split_once("  - name: b").unwrap().0
}

#[test]
fn certificates_are_renewed_beside_a_file_that_cannot_be_used() {
    let fixture = Fixture::start();
    let good = &fixture.good;
    for (what, text) in [
        ("a misspelt key", good.replace("targetCluster", "targetClustr")),
        ("no YAML", format!("{good}: [")),
        ("nothing", String::new()),
        (
            "a key that needs a restart",
            format!("stateDirectory: state\n{good}"),
        ),
        ("too few clusters", first_cluster(good).to_owned()),
        (
            "another file that is not there",
            good.replace("trust.pem", "nowhere.pem"),
        ),
    ] {
        fixture.rejected(|| fixture.deployment.configure(&text));
        fixture.renews(what);
        fixture.mend();
    }
    fixture.rejected(|| fs::remove_file(fixture.deployment.path("proxy.yaml")).unwrap());
    fixture.renews("no file");
    fixture.mend();
}

#[test]
fn whoever_is_revoked_leaves_beside_a_file_that_cannot_be_used() {
    let fixture = Fixture::start();
    let [(alice, serial), (bob, _)] = ["alice", "bob"].map(|name| fixture.dialer(name));
    let [mut leaves, mut stays] =
        [&alice, &bob].map(|dialer| dialer.greet(local(fixture.port), NAME).unwrap());
    let typo = fixture.good.replace("targetCluster", "targetClustr");
    // Both at once.
    fixture.rejected(|| {
        fixture.deployment.configure(&typo);
        atomically(
            &fixture.deployment.path("crl.pem"),
            &fixture.clients.revoke(&[serial]),
        );
    });
    assert_eq!(leaves.end(), (0, TlsEnd::Clean));
    drop(leaves);
    stays.ask().unwrap();
    let refused = alice.refused(local(fixture.port), NAME);
    assert_eq!(refused, Some(AlertDescription::CertificateRevoked));
    bob.greet(local(fixture.port), NAME).unwrap();
    fixture.mend();
    assert_eq!(
        alice.refused(local(fixture.port), NAME),
        Some(AlertDescription::CertificateRevoked)
    );
}

#[test]
fn half_a_pair_is_not_renewed_and_said_beside_the_errors_of_the_file() {
    let fixture = Fixture::start();
    fixture.rejected(|| fixture.deployment.configure("virtualClusters: 1\n"));
    let (before, renewed) = (fixture.config(), fixture.servers.issue(&Leaf::server(&[NAME])));
    let mark = fixture.deployment.mark();
    atomically(&fixture.deployment.path("s.crt"), &renewed.chain);
    fixture.deployment.line(mark, &["renewal rejected: generation"]);
    let config = fixture.config();
    assert_eq!(config["last_reload"], before["last_reload"]);
    assert_eq!(config["last_renewal"]["outcome"], "rejected");
    assert!(
        config["last_renewal"]["errors"].to_string().contains("s.key"),
        "{config}"
    );
    let mark = fixture.deployment.mark();
    atomically(&fixture.deployment.path("s.key"), &renewed.key);
    fixture.deployment.line(mark, &["renewal applied"]);
    let seen = fixture
        .dialer("alice")
        .0
        .greet(local(fixture.port), NAME)
        .unwrap();
    assert_eq!(seen.certificate(), certificates(&renewed.chain)[0]);
}

/// The file that is followed is not the one that runs, and certificates of both are one.
#[test]
fn certificates_of_another_file_are_renewed_and_bring_the_configured_one_back_to_nobody() {
    let fixture = Fixture::start();
    let head =
        "control: {socket: control.sock}\nnetwork: {proxy: {workerThreadCount: 2, connectTimeout: 2s}}\n";
    let management = fixture.deployment.management();
    let other = fixture.good.replace("name: d", "name: e");
    fs::write(
        fixture.deployment.path("other.yaml"),
        format!("{management}{head}{other}"),
    )
    .unwrap();
    let reload = |file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
        let ran = command
            .args(["reload", "-c"])
            .arg(fixture.deployment.path(file))
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap()
    };
    let told = reload("other.yaml");
    assert!(told.starts_with("applied: generation 2 "), "{told}");
    let renewed = fixture.servers.issue(&Leaf::server(&[NAME]));
    let mark = fixture.deployment.mark();
    fixture.put(&renewed, "s");
    fixture.deployment.line(mark, &["renewal applied"]);
    let seen = fixture
        .dialer("alice")
        .0
        .greet(local(fixture.port), NAME)
        .unwrap();
    assert_eq!(seen.certificate(), certificates(&renewed.chain)[0]);
    let clusters = fixture.deployment.status()["clusters"].to_string();
    assert!(clusters.contains("\"name\":\"e\""), "{clusters}");
    assert_eq!(fixture.config()["in_sync"], false);
    // To name the configured file is to return to it.
    let told = reload("proxy.yaml");
    assert!(told.starts_with("applied: generation 4 "), "{told}");
    assert_eq!(fixture.config()["in_sync"], true);
}

/// Files that cannot be used are left as they are in use, each for itself.
#[test]
fn whoever_is_revoked_leaves_beside_a_certificate_that_cannot_be_used() {
    let fixture = Fixture::start();
    let [(alice, serial), (bob, _)] = ["alice", "bob"].map(|name| fixture.dialer(name));
    let [mut leaves, mut stays] =
        [&alice, &bob].map(|dialer| dialer.greet(local(fixture.port), NAME).unwrap());
    // A certificate without its key of the same gateway, and no certificate at all of another cluster.
    let half = fixture.servers.issue(&Leaf::server(&[NAME]));
    fixture.rejected(|| {
        atomically(&fixture.deployment.path("s.crt"), &half.chain);
        atomically(&fixture.deployment.path("c.crt"), "garbage");
    });
    let mark = fixture.deployment.mark();
    atomically(
        &fixture.deployment.path("crl.pem"),
        &fixture.clients.revoke(&[serial]),
    );
    fixture.deployment.line(mark, &["renewal applied"]);
    fixture
        .deployment
        .line(mark, &["modify `a` (drain): tls.crlFile"]);
    fixture
        .deployment
        .line(mark, &["renewal applied, except for one file", "s.key"]);
    fixture
        .deployment
        .line(mark, &["renewal applied, except for one file", "c.crt"]);
    assert_eq!(leaves.end(), (0, TlsEnd::Clean));
    drop(leaves);
    stays.ask().unwrap();
    assert_eq!(
        alice.refused(local(fixture.port), NAME),
        Some(AlertDescription::CertificateRevoked)
    );
    // With the old certificates.
    let seen = bob.greet(local(fixture.port), NAME).unwrap();
    assert_ne!(seen.certificate(), certificates(&half.chain)[0]);
    ask(&mut Client::connect(local(fixture.port + 2)));
    let config = fixture.config();
    assert_eq!(
        (&config["in_sync"], &config["last_reload"]["outcome"]),
        (&false.into(), &"rejected".into())
    );
    assert_eq!(config["last_renewal"]["outcome"], "applied", "{config}");
    // Whatever becomes whole is used, while the rest is still broken.
    let mark = fixture.deployment.mark();
    atomically(&fixture.deployment.path("s.key"), &half.key);
    fixture.deployment.line(mark, &["renewal applied"]);
    let seen = bob.greet(local(fixture.port), NAME).unwrap();
    assert_eq!(seen.certificate(), certificates(&half.chain)[0]);
    let mark = fixture.deployment.mark();
    fixture.put(&fixture.kproxys.issue(&Leaf::client("kproxy")), "c");
    fixture.deployment.line(mark, &["reload applied"]);
    assert_eq!(fixture.config()["in_sync"], true);
    assert_eq!(
        alice.refused(local(fixture.port), NAME),
        Some(AlertDescription::CertificateRevoked)
    );
}
