//! Promise 3.

use std::fs;
use std::process::Command;

use super::NAME;
use testkit::binary::Binary;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::client::Client;
use testkit::deployment::{Deployment, cluster};
use testkit::replace::atomically;
use testkit::running::{ask, local, ports};
use testkit::tls_broker::{TlsBroker, settings};
use testkit::tls_client::certificates;
use testkit::wait::eventually;

/// A broker that demands certificates, behind a plaintext port.
struct Upstream {
    deployment: Deployment,
    kproxys: Authority,
    brokers: Authority,
    broker: TlsBroker,
    /// Serial number of the broker's certificate.
    serial: u64,
    port: u16,
}

/// Towards the broker.
const TLS: &str = "{serverName: kafka.test, trust: {storeFile: trust.pem}, crlFile: crl.pem, \
                   key: {certificateFile: c.crt, privateKeyFile: c.key}}";
const DISCONNECTS: &str = "kproxy_client_to_proxy_disconnects_total";

impl Upstream {
    fn start() -> Self {
        let (brokers, kproxys) = (Authority::new("brokers"), Authority::new("kproxys"));
        let own = brokers.issue(&Leaf::server(&[NAME]));
        let broker = TlsBroker::start(settings(&own, Some(&kproxys.pem)));
        let mut at = 0;
        let deployment = Deployment::start("", |directory, port| {
            at = port;
            kproxys.issue(&Leaf::client("kproxy")).write(directory, "c");
            fs::write(directory.join("trust.pem"), &brokers.pem).unwrap();
            fs::write(directory.join("crl.pem"), brokers.revoke(&[])).unwrap();
            document(port, &broker, TLS)
        });
        Self {
            deployment,
            kproxys,
            brokers,
            broker,
            serial: own.serial,
            port: at,
        }
    }

    /// The configuration with this towards the broker.
    fn document(&self, tls: &str) -> String {
        document(self.port, &self.broker, tls)
    }

    #[track_caller]
    fn client(&self) -> Client {
        let mut client = Client::connect(local(self.port));
        ask(&mut client);
        client
    }

    #[track_caller]
    fn applied(&self, mark: usize, change: &str) {
        self.deployment.line(mark, &["reload applied"]);
        self.deployment.line(mark, &[change]);
    }

    fn issue(&self) -> Identity {
        self.kproxys.issue(&Leaf::client("kproxy"))
    }
}

fn document(port: u16, broker: &TlsBroker, tls: &str) -> String {
    let cluster = cluster("a", port, broker.broker.address, tls, "");
    format!("virtualClusters:\n{cluster}")
}

/// A request over a session of its own; it fails for this reason.
fn is_refused(upstream: &Upstream, mark: usize, why: &str) {
    Client::connect(local(upstream.port)).send(b"\0\0\0\x0e\0\x0c\0\0\0\0\0\x05\0\x04test");
    let cause = "cause=\"upstream_certificate_rejected\"";
    upstream.deployment.line(mark, &[cause, why]);
}

#[test]
fn what_kproxy_shows_to_brokers_is_renewed() {
    let upstream = Upstream::start();
    let mut sessions = vec![upstream.client()];
    for round in 0..3 {
        let renewed = upstream.issue();
        let (mark, full) = (upstream.deployment.mark(), upstream.broker.full());
        atomically(&upstream.deployment.path("c.crt"), &renewed.chain);
        if round > 0 {
            upstream.deployment.line(mark, &["reload rejected: generation"]);
            sessions.iter_mut().for_each(ask);
        }
        atomically(&upstream.deployment.path("c.key"), &renewed.key);
        upstream.applied(mark, "modify `a` (live): targetCluster.tls.key");
        sessions.push(upstream.client());
        let shown = upstream.broker.last_shown();
        assert_eq!(shown.as_ref(), certificates(&renewed.chain).first());
        assert_eq!(
            upstream.broker.full(),
            full + 1,
            "resumed with what it was before"
        );
        sessions.push(upstream.client());
        assert_eq!(upstream.broker.full(), full + 1, "resumption has ended");
        sessions.iter_mut().for_each(ask);
    }
    upstream.deployment.expect_metric(DISCONNECTS, &[], 0.0);
}

#[test]
fn what_kproxy_believes_of_brokers_is_renewed() {
    let upstream = Upstream::start();
    let mut old = upstream.client();
    let mark = upstream.deployment.mark();
    let others = Authority::new("other brokers");
    atomically(&upstream.deployment.path("trust.pem"), &others.pem);
    upstream.applied(mark, "modify `a` (live): targetCluster.tls.trust.storeFile");
    is_refused(&upstream, mark, "not trusted");
    ask(&mut old);

    let mark = upstream.deployment.mark();
    let both = format!("{}{}", others.pem, upstream.brokers.pem);
    atomically(&upstream.deployment.path("trust.pem"), &both);
    upstream.applied(mark, "modify `a` (live): targetCluster.tls.trust.storeFile");
    upstream.client();
    ask(&mut old);
}

#[test]
fn who_is_revoked_among_brokers_is_renewed() {
    let upstream = Upstream::start();
    let mut old = upstream.client();
    let mark = upstream.deployment.mark();
    let list = upstream.brokers.revoke(&[upstream.serial]);
    atomically(&upstream.deployment.path("crl.pem"), &list);
    upstream.applied(mark, "modify `a` (live): targetCluster.tls.crlFile");
    is_refused(&upstream, mark, "revoked");
    ask(&mut old);
}

#[test]
fn another_file_is_another_way_to_brokers_and_the_same_in_it_is_not() {
    let upstream = Upstream::start();
    let mut old = upstream.client();
    let copy = upstream.brokers.pem.clone();
    fs::write(upstream.deployment.path("moved.pem"), &copy).unwrap();
    let mark = upstream.deployment.mark();
    let moved = TLS.replace("trust.pem", "moved.pem");
    upstream.deployment.configure(&upstream.document(&moved));
    upstream.applied(mark, "modify `a` (live): targetCluster.tls.trust.storeFile");
    let full = upstream.broker.full();
    upstream.client();
    assert_eq!(upstream.broker.full(), full, "the same, and not resumed");
    ask(&mut old);

    let more = format!("{copy}{}", Authority::new("more brokers").pem);
    fs::write(upstream.deployment.path("more.pem"), more).unwrap();
    let mark = upstream.deployment.mark();
    let other = TLS.replace("trust.pem", "more.pem");
    upstream.deployment.configure(&upstream.document(&other));
    upstream.applied(mark, "modify `a` (upstream): targetCluster.tls.trust.storeFile");
    old.expect_fin();
    upstream.client();
}

/// A process that began before there were any must not need another start.
#[test]
fn roots_of_the_platform_that_were_missing_are_looked_for_again() {
    let (directory, port) = (tempfile::tempdir().unwrap(), ports());
    let brokers = Authority::new("brokers");
    let broker = TlsBroker::start(settings(&brokers.issue(&Leaf::server(&[NAME])), None));
    let [file, roots] = ["proxy.yaml", "roots.pem"].map(|name| directory.path().join(name));
    let network = "network: {proxy: {workerThreadCount: 2}}\n";
    let with = |tls: &str| format!("{network}{}", document(port, &broker, tls));
    fs::write(&file, with("")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    command.env("SSL_CERT_FILE", &roots).env_remove("SSL_CERT_DIR");
    let binary = Binary::start(command, &file, None);
    binary.expect_log("kproxy serves");

    let tls = format!("{{serverName: {NAME}}}");
    atomically(&file, &with(&tls));
    binary.expect_log("the platform has no root certificates");
    fs::write(&roots, &brokers.pem).unwrap();
    eventually("it is applied", || binary.log().contains("modify `a` (upstream)"));
    ask(&mut Client::connect(local(port)));
    assert_eq!(broker.full(), 1);
}
