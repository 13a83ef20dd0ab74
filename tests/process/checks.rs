//! What `reload.checks` promises, with the binary.
//!
//! 1. A reload whose changed targets do not pass is rejected with each server and its reason, and nothing changes; clients
//!    of all clusters are served meanwhile.
//! 2. A closed port, a certificate that is not trusted, a server that accepts and says nothing, one that does not accept
//!    kproxy's certificate and one that answers with an error are each found.
//! 3. What `minimumHealthy` allows passes. Only changed targets are tested.
//! 4. A rejected reload is tried again, and applied once the servers answer.
//! 5. A server that says nothing delays other reloads by `timeout` at most, and nothing else.
//! 6. `kproxy check` tests the same and means the same by it.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use testkit::broker::Broker;
use testkit::certificates::{Authority, Leaf};
use testkit::client::Client;
use testkit::deployment::{Deployment, cluster};
use testkit::running::{ask, local};
use testkit::tls_broker::{TlsBroker, settings};

/// A server name that the certificates of the tests cover.
const NAME: &str = "kafka.test";

/// Clusters `a` and `b` in front of a broker that answers everything.
struct Checked {
    deployment: Deployment,
    broker: Broker,
    port: u16,
}

impl Checked {
    #[track_caller]
    fn start(checks: &str) -> Self {
        let broker = Broker::echoing(b"ok");
        let mut at = 0;
        let head = format!("reload: {{checks: {{{checks}}}}}\n");
        let deployment = Deployment::start(&head, |_, port| {
            at = port;
            document(port, &[("a", broker.address, ""), ("b", broker.address, "")])
        });
        Self {
            deployment,
            broker,
            port: at,
        }
    }

    /// A session of the cluster at this place.
    #[track_caller]
    fn client(&self, place: u16) -> Client {
        let mut client = Client::connect(local(self.port + 2 * place));
        ask(&mut client);
        client
    }

    /// Leads `b` elsewhere. Returns how much had been logged.
    fn lead_b_to(&self, target: SocketAddr, tls: &str) -> usize {
        let mark = self.deployment.mark();
        let clusters = [("a", self.broker.address, ""), ("b", target, tls)];
        self.deployment.configure(&document(self.port, &clusters));
        mark
    }

    /// Expects that leading `b` elsewhere is rejected for `why`, and that live sessions of both clusters go on.
    #[track_caller]
    fn expect_rejected(&self, target: SocketAddr, tls: &str, why: &str) {
        let mut clients = [self.client(0), self.client(1)];
        let mark = self.lead_b_to(target, tls);
        let server = format!("virtual cluster `b`: bootstrap server {target} does not pass the check: ");
        self.deployment
            .line(mark, &["ERROR", "reload rejected", &server, why]);
        self.deployment
            .line(mark, &["generation 1 keeps running unchanged"]);
        clients.iter_mut().for_each(ask);
        ask(&mut self.client(1));
        assert_eq!(self.deployment.status()["generation"], 1);
    }
}

fn document(port: u16, clusters: &[(&str, SocketAddr, &str)]) -> String {
    let clusters = (0..).zip(clusters);
    let text = clusters.map(|(index, (name, target, tls))| cluster(name, port + 2 * index, *target, tls, ""));
    format!("virtualClusters:\n{}", text.collect::<String>())
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server that accepts connections and answers nothing.
fn silent() -> Broker {
    Broker::start(|mut connection| drop(connection.rest()))
}

#[test]
fn a_closed_port_is_named_and_nothing_changes() {
    let checked = Checked::start("connect: true");
    checked.expect_rejected(closed_port(), "", "Connection refused");
    let errors = &checked.deployment.status()["config"]["last_reload"]["errors"];
    assert!(
        errors[0]
            .as_str()
            .unwrap()
            .contains("(0 of 1 pass, `reload.checks.minimumHealthy` is 50 %)"),
        "{errors}"
    );
}

#[test]
fn a_certificate_that_is_not_trusted_is_named() {
    let checked = Checked::start("connect: true");
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    std::fs::write(checked.deployment.path("trust.pem"), &trusted.pem).unwrap();
    let broker = TlsBroker::start(settings(&other.issue(&Leaf::server(&[NAME])), None));
    let tls = "{serverName: kafka.test, trust: {storeFile: trust.pem}}";
    checked.expect_rejected(broker.broker.address, tls, "certificate");
    let named = TlsBroker::start(settings(&trusted.issue(&Leaf::server(&["other.test"])), None));
    checked.expect_rejected(named.broker.address, tls, "name");
    let fine = TlsBroker::start(settings(&trusted.issue(&Leaf::server(&[NAME])), None));
    let mark = checked.lead_b_to(fine.broker.address, tls);
    checked.deployment.line(mark, &["reload applied"]);
}

/// With TLS 1.3 a client learns only after its handshake that the server does not accept its certificate, so only
/// `authenticate` finds it.
#[test]
fn a_broker_that_does_not_accept_kproxys_certificate_is_named() {
    let checked = Checked::start("authenticate: true");
    let (brokers, kproxys) = (Authority::new("brokers"), Authority::new("kproxys"));
    std::fs::write(checked.deployment.path("trust.pem"), &brokers.pem).unwrap();
    Authority::new("strangers")
        .issue(&Leaf::client("kproxy"))
        .write(checked.deployment.directory.path(), "wrong");
    kproxys
        .issue(&Leaf::client("kproxy"))
        .write(checked.deployment.directory.path(), "right");
    let own = brokers.issue(&Leaf::server(&[NAME]));
    let broker = TlsBroker::start(settings(&own, Some(&kproxys.pem)));
    let tls = |key: &str| {
        format!(
            "{{serverName: kafka.test, trust: {{storeFile: trust.pem}}, \
             key: {{certificateFile: {key}.crt, privateKeyFile: {key}.key}}}}"
        )
    };
    checked.expect_rejected(broker.broker.address, &tls("wrong"), "certificate");
    let mark = checked.lead_b_to(broker.broker.address, &tls("right"));
    checked.deployment.line(mark, &["reload applied"]);
}

#[test]
fn a_broker_that_answers_with_an_error_is_named() {
    let checked = Checked::start("authenticate: true");
    let broker = Broker::echoing(&[0xff, 0xff]);
    checked.expect_rejected(broker.address, "", "the broker answers with error -1");
}

#[test]
fn a_silent_broker_delays_the_next_reload_by_the_time_limit_at_most_and_nothing_else() {
    let checked = Checked::start("authenticate: true, timeout: 2s");
    let silent = silent();
    let began = Instant::now();
    let mark = checked.lead_b_to(silent.address, "");
    testkit::wait::eventually("the server is tested", || silent.connections() > 0);
    // The control thread answers and the sessions are served.
    checked.client(0);
    assert_eq!(checked.deployment.status()["generation"], 1);
    // The next edit waits its turn.
    checked
        .deployment
        .configure(&document(checked.port, &[("a", checked.broker.address, "")]));
    checked.deployment.binary.signal(Signal::HUP);
    checked.deployment.line(mark, &["reload rejected", "no answer"]);
    checked.deployment.line(mark, &["reload applied", "removed=1"]);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn what_minimum_healthy_allows_passes_and_unchanged_targets_are_not_tested() {
    let mut checked = Checked::start("connect: true, minimumHealthy: 50");
    // The target of `a` fails from now on, and it is not what changes.
    checked.broker.stop();
    let (other, closed) = (Broker::echoing(b"ok"), closed_port());
    let mark = checked.deployment.mark();
    let text = document(
        checked.port,
        &[("a", checked.broker.address, ""), ("b", other.address, "")],
    );
    let both = format!("{},{closed}", other.address);
    checked
        .deployment
        .configure(&text.replace(&other.address.to_string(), &both));
    checked.deployment.line(
        mark,
        &[
            "WARN",
            "a check before the reload failed; enough other servers pass",
            "(1 of 2 pass",
        ],
    );
    checked.deployment.line(mark, &["reload applied"]);
}

#[test]
fn a_rejected_reload_is_applied_once_the_servers_answer() {
    let checked = Checked::start("connect: true");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    checked.expect_rejected(address, "", "Connection refused");
    let mark = checked.deployment.mark();
    let _broker = Broker::on(TcpListener::bind(address).unwrap(), |mut connection| {
        while let Some(asked) = connection.request() {
            connection.send(&testkit::frames::raw_response(asked.correlation_id, b"ok"));
        }
    });
    checked
        .deployment
        .line(mark, &["a configuration that was rejected before is applied"]);
}

#[test]
fn a_forced_reload_is_applied_without_checks() {
    let checked = Checked::start("connect: true");
    checked.expect_rejected(closed_port(), "", "Connection refused");
    let run = checked.deployment.run(&["reload", "--force"]);
    assert_eq!(run.0, 0, "{}", run.1);
    assert_eq!(checked.deployment.status()["generation"], 2);
}

#[test]
fn the_command_finds_what_a_reload_finds() {
    let checked = Checked::start("connect: true, minimumHealthy: 50");
    let closed = closed_port();
    checked.expect_rejected(closed, "", "Connection refused");
    let (code, text) = checked.deployment.run(&["check", "-c", "proxy.yaml"]);
    let sentence = format!(
        "proxy.yaml: error: virtual cluster `b`: bootstrap server {closed} does not pass the check: Connection refused"
    );
    assert!(code == 2 && text.contains(&sentence), "{code} {text}");
    // Without the key servers that do not answer are warnings, unless the flag asks for the checks.
    let file = checked.deployment.path("proxy.yaml");
    let text = String::from_utf8(std::fs::read(&file).unwrap()).unwrap();
    let unchecked = text.replace("connect: true, ", "");
    std::fs::write(&file, unchecked).unwrap();
    let (code, text) = checked.deployment.run(&["check", "-c", "proxy.yaml"]);
    assert!(code == 0 && text.contains("does not answer"), "{code} {text}");
    let (code, text) = checked
        .deployment
        .run(&["check", "-c", "proxy.yaml", "--connect"]);
    assert!(code == 2 && text.contains(&sentence), "{code} {text}");
}
