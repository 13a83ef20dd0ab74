//! Promise 2.

use std::fs;

use super::NAME;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::deployment::{Deployment, cluster};
use testkit::replace::atomically;
use testkit::running::local;
use testkit::tls_client::{Dialer, certificates};

/// A cluster whose clients show certificates of `clients`, none of which is revoked.
struct Secured {
    deployment: Deployment,
    servers: Authority,
    clients: Authority,
    dialer: Dialer,
    port: u16,
    _broker: Broker,
}

const TLS: &str = "{key: {certificateFile: s.crt, privateKeyFile: s.key}, \
                    trust: {storeFile: trust.pem}, crlFile: crl.pem}";

impl Secured {
    fn start() -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let (broker, mut at) = (Broker::echoing(b"ok"), 0);
        let deployment = Deployment::start("", |directory, port| {
            at = port;
            servers.issue(&Leaf::server(&[NAME])).write(directory, "s");
            fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
            fs::write(directory.join("crl.pem"), clients.revoke(&[])).unwrap();
            let cluster = cluster("a", port, broker.address, "", TLS);
            format!("virtualClusters:\n{cluster}")
        });
        let dialer = Dialer::showing(&servers.pem, &clients.issue(&Leaf::client("alice"))).forgetful();
        Self {
            deployment,
            servers,
            clients,
            dialer,
            port: at,
            _broker: broker,
        }
    }

    /// A new handshake sees this.
    #[track_caller]
    fn shows(&self, identity: &Identity) {
        let client = self.dialer.greet(local(self.port), NAME).unwrap();
        assert_eq!(client.certificate(), certificates(&identity.chain)[0]);
    }

    fn renewed(&self) -> Identity {
        self.servers.issue(&Leaf::server(&[NAME]))
    }

    #[track_caller]
    fn rejected(&self, mark: usize, reason: &[&str]) {
        let words: Vec<&str> = ["reason="].into_iter().chain(reason.iter().copied()).collect();
        self.deployment.line(mark, &words);
        self.deployment.line(mark, &["reload rejected: generation"]);
        self.deployment
            .expect_metric("kproxy_config_last_reload_successful", &[], 0.0);
        self.deployment.expect_metric("kproxy_config_in_sync", &[], 0.0);
        let status = self.deployment.status();
        assert_eq!(status["config"]["in_sync"], false, "{status}");
        assert_eq!(status["config"]["last_reload"]["outcome"], "rejected", "{status}");
        let errors = status["config"]["last_reload"]["errors"].to_string();
        assert!(reason.iter().all(|word| errors.contains(word)), "{errors}");
    }

    #[track_caller]
    fn in_sync(&self) {
        self.deployment
            .expect_metric("kproxy_config_last_reload_successful", &[], 1.0);
        self.deployment.expect_metric("kproxy_config_in_sync", &[], 1.0);
        assert_eq!(self.deployment.status()["config"]["in_sync"], true);
    }
}

#[test]
fn a_certificate_without_its_key_waits_for_it() {
    let secured = Secured::start();
    let before = secured.renewed();
    let mark = secured.deployment.mark();
    atomically(&secured.deployment.path("s.key"), &before.key);
    secured.rejected(mark, &["s.key", "not"]);
    atomically(&secured.deployment.path("s.crt"), &before.chain);
    secured.deployment.line(mark, &["reload applied"]);
    secured.deployment.line(mark, &["modify `a` (live): tls.key"]);
    secured.in_sync();
    secured.shows(&before);

    let mut client = secured.dialer.greet(local(secured.port), NAME).unwrap();
    let after = secured.renewed();
    let mark = secured.deployment.mark();
    atomically(&secured.deployment.path("s.crt"), &after.chain);
    secured.rejected(mark, &["s.key", "not"]);
    secured.shows(&before);
    atomically(&secured.deployment.path("s.key"), &after.key);
    secured.deployment.line(mark, &["reload applied"]);
    secured.in_sync();
    secured.shows(&after);
    client.ask().unwrap();
}

#[test]
fn what_cannot_be_read_keeps_what_is_in_use() {
    let secured = Secured::start();
    let identity = secured.renewed();
    let mark = secured.deployment.mark();
    identity.write(secured.deployment.directory.path(), "s");
    secured.deployment.line(mark, &["reload applied"]);
    let mut client = secured.dialer.greet(local(secured.port), NAME).unwrap();
    let files = ["s.crt", "s.key", "trust.pem", "crl.pem"];
    for name in files {
        let path = secured.deployment.path(name);
        let good = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        let half = &good[..good.len() / 2];
        for garbage in ["", "garbage", half] {
            let mark = secured.deployment.mark();
            atomically(&path, garbage);
            secured.rejected(mark, &[name]);
            secured.shows(&identity);
            // What is right again means what runs.
            let mark = secured.deployment.mark();
            atomically(&path, &good);
            secured
                .deployment
                .line(mark, &["means the same as the running one"]);
            secured.in_sync();
        }
        let mark = secured.deployment.mark();
        fs::remove_file(&path).unwrap();
        secured.rejected(mark, &[name, "No such file"]);
        fs::create_dir(&path).unwrap();
        secured.deployment.line(mark, &["reason=", name, "directory"]);
        secured.shows(&identity);
        fs::remove_dir(&path).unwrap();
        let mark = secured.deployment.mark();
        atomically(&path, &good);
        secured
            .deployment
            .line(mark, &["means the same as the running one"]);
        secured.in_sync();
        client.ask().unwrap();
    }
}

#[test]
fn trust_and_revocation_lists_are_replaced() {
    let secured = Secured::start();
    let mut client = secured.dialer.greet(local(secured.port), NAME).unwrap();
    let more = Authority::new("more clients");
    let newcomer = Dialer::showing(&secured.servers.pem, &more.issue(&Leaf::client("bob")));
    let refused = newcomer.refused(local(secured.port), NAME);
    assert_eq!(refused, Some(rustls::AlertDescription::UnknownCA));

    let mark = secured.deployment.mark();
    let both = format!("{}{}", secured.clients.pem, more.pem);
    atomically(&secured.deployment.path("trust.pem"), &both);
    secured.deployment.line(mark, &["reload applied"]);
    secured
        .deployment
        .line(mark, &["modify `a` (drain): tls.trust.storeFile"]);
    newcomer.greet(local(secured.port), NAME).unwrap();
    let mark = secured.deployment.mark();
    let lists = format!("{}{}", secured.clients.revoke(&[1, 2, 3]), more.revoke(&[4]));
    atomically(&secured.deployment.path("crl.pem"), &lists);
    secured.deployment.line(mark, &["reload applied"]);
    secured
        .deployment
        .line(mark, &["modify `a` (drain): tls.crlFile"]);
    newcomer.greet(local(secured.port), NAME).unwrap();
    // Neither of them concerns who was there.
    client.ask().unwrap();
    let drained = ["cause=\"drained\""];
    let closes = secured
        .deployment
        .metric("kproxy_client_to_proxy_disconnects_total", &drained);
    assert_eq!(closes, 0.0);
}
