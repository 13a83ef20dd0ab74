//! Promise 7.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, SupportedProtocolVersion};

use super::NAME;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::deployment::{Deployment, cluster};
use testkit::frames;
use testkit::running::local;
use testkit::tls_client::{Dialer, TlsClient, TlsEnd};

/// How long a client's certificate is good for: long enough to connect with on a busy machine.
const LIFE: Duration = Duration::from_secs(12);

/// A gateway that demands certificates, and a client whose certificate expires soon.
struct Fixture {
    deployment: Deployment,
    address: SocketAddr,
    servers: Authority,
    clients: Authority,
    broker: Broker,
}

impl Fixture {
    fn start(auth: &str, more: &str) -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let broker = Broker::start(|mut connection| {
            while let Some(asked) = connection.request() {
                connection.send(&frames::raw_response(asked.correlation_id, b"ok"));
            }
        });
        let mut at = 0;
        let deployment = Deployment::start("", |directory, port| {
            at = port;
            servers.issue(&Leaf::server(&[NAME])).write(directory, "s");
            fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
            let tls = format!(
                "{{key: {{certificateFile: s.crt, privateKeyFile: s.key}}, trust: {{storeFile: trust.pem, \
                 trustOptions: {{clientAuth: {auth}}}}}{more}}}"
            );
            format!(
                "virtualClusters:\n{}",
                cluster("a", port, broker.address, "", &tls)
            )
        });
        Self {
            deployment,
            address: local(at),
            servers,
            clients,
            broker,
        }
    }

    /// Configures the gateway with further keys besides key and trust.
    fn configure(&self, more: &str) {
        let text = document(self.address.port(), &self.broker, "REQUIRED", more);
        self.deployment.configure(&text);
    }

    fn dialer(&self, identity: &Identity, version: &'static SupportedProtocolVersion) -> Dialer {
        Dialer::with(&self.servers.pem, Some(identity), &[version])
    }

    /// A session that has been resumed, and its client.
    #[track_caller]
    fn resumed(&self, dialer: &Dialer) -> TlsClient {
        dialer.greet(self.address, NAME).unwrap();
        let client = dialer.greet(self.address, NAME).unwrap();
        assert!(client.resumed());
        client
    }
}

fn document(port: u16, broker: &Broker, auth: &str, more: &str) -> String {
    let tls = format!(
        "{{key: {{certificateFile: s.crt, privateKeyFile: s.key}}, trust: {{storeFile: trust.pem, \
         trustOptions: {{clientAuth: {auth}}}}}{more}}}"
    );
    format!(
        "virtualClusters:\n{}",
        cluster("a", port, broker.address, "", &tls)
    )
}

fn wait_until(then: Instant) {
    thread::sleep(then.saturating_duration_since(Instant::now()));
}

/// It was let in for ever: every connection brought the ticket for the next.
#[test]
fn an_expired_certificate_is_not_let_in_by_resumption() {
    for auth in ["REQUIRED", "REQUESTED"] {
        let fixture = Fixture::start(auth, "");
        let lasting = fixture.clients.issue(&Leaf::client("bob"));
        let short = fixture.clients.issue(&Leaf::client("alice").lasting(LIFE));
        let expired = Instant::now() + LIFE + Duration::from_secs(2);
        let clients = [&TLS13, &TLS12].map(|version| {
            let alice = fixture.dialer(&short, version);
            let bob = fixture.dialer(&lasting, version);
            (fixture.resumed(&alice), fixture.resumed(&bob), alice, bob)
        });
        wait_until(expired);
        for (mut alices, mut bobs, alice, bob) in clients {
            // Twice: the first refusal leaves nothing to be resumed either.
            for _ in 0..2 {
                assert_eq!(
                    alice.refused(fixture.address, NAME),
                    Some(AlertDescription::CertificateExpired)
                );
            }
            assert!(bob.greet(fixture.address, NAME).unwrap().resumed());
            alices.ask().unwrap();
            bobs.ask().unwrap();
        }
        fixture
            .deployment
            .line(0, &["cause=\"client_certificate_rejected\"", "expired"]);
    }
}

/// Without the key it stays until somebody asks for it.
#[test]
fn a_session_ends_with_its_certificate_where_that_is_asked_for() {
    const ENDS: &str = ", endSessionsOnExpiry: true";
    for from_the_start in [true, false] {
        let fixture = Fixture::start("REQUIRED", if from_the_start { ENDS } else { "" });
        let lasting = fixture.clients.issue(&Leaf::client("bob"));
        let short = fixture.clients.issue(&Leaf::client("alice").lasting(LIFE));
        let expired = Instant::now() + LIFE + Duration::from_secs(2);
        let mut alices = fixture.resumed(&fixture.dialer(&short, &TLS13));
        let mut bobs = fixture.resumed(&fixture.dialer(&lasting, &TLS13));
        if !from_the_start {
            wait_until(expired);
            alices.ask().unwrap();
            fixture.configure(ENDS);
        }
        assert_eq!(alices.end(), (0, TlsEnd::Clean));
        assert!(from_the_start || Instant::now() > expired);
        drop(alices);
        let drained = ["cause=\"drained\""];
        fixture
            .deployment
            .expect_metric("kproxy_client_to_proxy_disconnects_total", &drained, 1.0);
        bobs.ask().unwrap();
        let told = match from_the_start {
            true => "the client's certificate has expired, its session is drained",
            false => "clients are not accepted any more",
        };
        fixture.deployment.line(0, &[told, "cluster=a"]);
    }
}
