//! Promise 6.

use std::fs;
use std::process::Command;

use rustls::AlertDescription;
use serde_json::Value;

use super::NAME;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::client::Client;
use testkit::replace::atomically;
use testkit::running::{ask, local};
use testkit::site::{Site, cluster};
use testkit::tls_broker::{TlsBroker, settings};
use testkit::tls_client::{Dialer, TlsEnd, certificates};

const DOWNSTREAM: &str = "{key: {certificateFile: s.crt, privateKeyFile: s.key}, trust: {storeFile: trust.pem}, \
                          crlFile: crl.pem}";
const UPSTREAM: &str = "{serverName: kafka.test, trust: {storeFile: brokers.pem}, \
                        key: {certificateFile: c.crt, privateKeyFile: c.key}}";

/// Four clusters. Clients of the first show certificates, and kproxy shows one to the broker of the second.
struct Scene {
    site: Site,
    servers: Authority,
    clients: Authority,
    kproxys: Authority,
    port: u16,
    _broker: Broker,
    upstream: TlsBroker,
    good: String,
}

impl Scene {
    fn start() -> Self {
        let [servers, clients, kproxys, brokers] =
            ["servers", "clients", "kproxys", "brokers"].map(Authority::new);
        let upstream = TlsBroker::start(settings(
            &brokers.issue(&Leaf::server(&[NAME])),
            Some(&kproxys.pem),
        ));
        let (broker, mut at, mut good) = (Broker::echoing(b"ok"), 0, String::new());
        let site = Site::start("", |directory, port| {
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
            site,
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
        atomically(&self.site.path(format!("{name}.crt")), &identity.chain);
        atomically(&self.site.path(format!("{name}.key")), &identity.key);
    }

    /// Both certificates are renewed, and are what peers see; the file is no more in use than before.
    #[track_caller]
    fn renews(&self, what: &str) {
        let (server, client) = (
            self.servers.issue(&Leaf::server(&[NAME])),
            self.kproxys.issue(&Leaf::client("kproxy")),
        );
        let mark = self.site.mark();
        self.put(&server, "s");
        self.site.line(mark, &["renewal applied", "generation="]);
        self.site.line(mark, &["modify `a` (live): tls.key"]);
        let seen = self.dialer("alice").0.greet(local(self.port), NAME).unwrap();
        assert_eq!(seen.certificate(), certificates(&server.chain)[0], "{what}");

        let mark = self.site.mark();
        self.put(&client, "c");
        self.site
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
        self.site
            .expect_metric("kproxy_config_last_reload_successful", &[], 0.0);
        self.site.expect_metric("kproxy_config_in_sync", &[], 0.0);
    }

    fn config(&self) -> Value {
        self.site.status()["config"].clone()
    }

    /// Waits until what stands there is rejected.
    #[track_caller]
    fn rejected(&self, change: impl FnOnce()) {
        let mark = self.site.mark();
        change();
        self.site.line(mark, &["reload rejected: generation"]);
    }

    /// The good file counts again.
    #[track_caller]
    fn mend(&self) {
        let mark = self.site.mark();
        self.site.configure(&self.good);
        self.site.line(mark, &["means what runs already"]);
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
    let scene = Scene::start();
    let good = &scene.good;
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
        scene.rejected(|| scene.site.configure(&text));
        scene.renews(what);
        scene.mend();
    }
    scene.rejected(|| fs::remove_file(scene.site.path("proxy.yaml")).unwrap());
    scene.renews("no file");
    scene.mend();
}

#[test]
fn whoever_is_revoked_leaves_beside_a_file_that_cannot_be_used() {
    let scene = Scene::start();
    let [(alice, serial), (bob, _)] = ["alice", "bob"].map(|name| scene.dialer(name));
    let [mut leaves, mut stays] = [&alice, &bob].map(|dialer| dialer.greet(local(scene.port), NAME).unwrap());
    let typo = scene.good.replace("targetCluster", "targetClustr");
    // Both at once.
    scene.rejected(|| {
        scene.site.configure(&typo);
        atomically(&scene.site.path("crl.pem"), &scene.clients.revoke(&[serial]));
    });
    assert_eq!(leaves.end(), (0, TlsEnd::Clean));
    drop(leaves);
    stays.ask().unwrap();
    let refused = alice.refused(local(scene.port), NAME);
    assert_eq!(refused, Some(AlertDescription::CertificateRevoked));
    bob.greet(local(scene.port), NAME).unwrap();
    scene.mend();
    assert_eq!(
        alice.refused(local(scene.port), NAME),
        Some(AlertDescription::CertificateRevoked)
    );
}

#[test]
fn half_a_pair_is_not_renewed_and_said_beside_the_errors_of_the_file() {
    let scene = Scene::start();
    scene.rejected(|| scene.site.configure("virtualClusters: 1\n"));
    let (before, renewed) = (scene.config(), scene.servers.issue(&Leaf::server(&[NAME])));
    let mark = scene.site.mark();
    atomically(&scene.site.path("s.crt"), &renewed.chain);
    scene.site.line(mark, &["renewal rejected: generation"]);
    let config = scene.config();
    assert_eq!(config["last_reload"], before["last_reload"]);
    assert_eq!(config["last_renewal"]["outcome"], "rejected");
    assert!(
        config["last_renewal"]["errors"].to_string().contains("s.key"),
        "{config}"
    );
    let mark = scene.site.mark();
    atomically(&scene.site.path("s.key"), &renewed.key);
    scene.site.line(mark, &["renewal applied"]);
    let seen = scene.dialer("alice").0.greet(local(scene.port), NAME).unwrap();
    assert_eq!(seen.certificate(), certificates(&renewed.chain)[0]);
}

/// The file that is followed is not the one that runs, and certificates of both are one.
#[test]
fn certificates_of_another_file_are_renewed_and_bring_the_configured_one_back_to_nobody() {
    let scene = Scene::start();
    let head =
        "control: {socket: control.sock}\nnetwork: {proxy: {workerThreadCount: 2, connectTimeout: 2s}}\n";
    let management = scene.site.management();
    let other = scene.good.replace("name: d", "name: e");
    fs::write(
        scene.site.path("other.yaml"),
        format!("{management}{head}{other}"),
    )
    .unwrap();
    let reload = |file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
        let ran = command
            .args(["reload", "-c"])
            .arg(scene.site.path(file))
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap()
    };
    let told = reload("other.yaml");
    assert!(told.starts_with("applied: generation 2 "), "{told}");
    let renewed = scene.servers.issue(&Leaf::server(&[NAME]));
    let mark = scene.site.mark();
    scene.put(&renewed, "s");
    scene.site.line(mark, &["renewal applied"]);
    let seen = scene.dialer("alice").0.greet(local(scene.port), NAME).unwrap();
    assert_eq!(seen.certificate(), certificates(&renewed.chain)[0]);
    let clusters = scene.site.status()["clusters"].to_string();
    assert!(clusters.contains("\"name\":\"e\""), "{clusters}");
    assert_eq!(scene.config()["in_sync"], false);
    // To name the configured file is to return to it.
    let told = reload("proxy.yaml");
    assert!(told.starts_with("applied: generation 4 "), "{told}");
    assert_eq!(scene.config()["in_sync"], true);
}

/// Files that cannot be used are left as they are in use, each for itself.
#[test]
fn whoever_is_revoked_leaves_beside_a_certificate_that_cannot_be_used() {
    let scene = Scene::start();
    let [(alice, serial), (bob, _)] = ["alice", "bob"].map(|name| scene.dialer(name));
    let [mut leaves, mut stays] = [&alice, &bob].map(|dialer| dialer.greet(local(scene.port), NAME).unwrap());
    // A certificate without its key of the same gateway, and no certificate at all of another cluster.
    let half = scene.servers.issue(&Leaf::server(&[NAME]));
    scene.rejected(|| {
        atomically(&scene.site.path("s.crt"), &half.chain);
        atomically(&scene.site.path("c.crt"), "garbage");
    });
    let mark = scene.site.mark();
    atomically(&scene.site.path("crl.pem"), &scene.clients.revoke(&[serial]));
    scene.site.line(mark, &["renewal applied"]);
    scene.site.line(mark, &["modify `a` (drain): tls.crlFile"]);
    scene.site.line(mark, &["renewal applied without this", "s.key"]);
    scene.site.line(mark, &["renewal applied without this", "c.crt"]);
    assert_eq!(leaves.end(), (0, TlsEnd::Clean));
    drop(leaves);
    stays.ask().unwrap();
    assert_eq!(
        alice.refused(local(scene.port), NAME),
        Some(AlertDescription::CertificateRevoked)
    );
    // With the old certificates.
    let seen = bob.greet(local(scene.port), NAME).unwrap();
    assert_ne!(seen.certificate(), certificates(&half.chain)[0]);
    ask(&mut Client::connect(local(scene.port + 2)));
    let config = scene.config();
    assert_eq!(
        (&config["in_sync"], &config["last_reload"]["outcome"]),
        (&false.into(), &"rejected".into())
    );
    assert_eq!(config["last_renewal"]["outcome"], "applied", "{config}");
    // Whatever becomes whole is used, while the rest is still broken.
    let mark = scene.site.mark();
    atomically(&scene.site.path("s.key"), &half.key);
    scene.site.line(mark, &["renewal applied"]);
    let seen = bob.greet(local(scene.port), NAME).unwrap();
    assert_eq!(seen.certificate(), certificates(&half.chain)[0]);
    let mark = scene.site.mark();
    scene.put(&scene.kproxys.issue(&Leaf::client("kproxy")), "c");
    scene.site.line(mark, &["reload applied"]);
    assert_eq!(scene.config()["in_sync"], true);
    assert_eq!(
        alice.refused(local(scene.port), NAME),
        Some(AlertDescription::CertificateRevoked)
    );
}
