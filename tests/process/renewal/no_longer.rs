//! Promises 4 and 5.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, SupportedProtocolVersion};

use super::NAME;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::deployment::{Deployment, cluster};
use testkit::frames;
use testkit::replace::atomically;
use testkit::running::local;
use testkit::tls_client::{Dialer, TlsClient, TlsEnd};
use testkit::wait::eventually;

/// The request that the broker answers only when told.
const HELD: i32 = 77;

/// One gateway whose TLS settings change, and a broker that can be told to wait.
struct Fixture {
    deployment: Deployment,
    servers: Authority,
    address: SocketAddr,
    broker: Broker,
    answer: Arc<AtomicBool>,
}

const KEY: &str = "key: {certificateFile: s.crt, privateKeyFile: s.key}";

impl Fixture {
    /// `tls`: what the gateway has besides its key.
    fn start(tls: &str, lay_out: impl FnOnce(&std::path::Path)) -> Self {
        let servers = Authority::new("servers");
        let answer = Arc::<AtomicBool>::default();
        let told = Arc::clone(&answer);
        let broker = Broker::start(move |mut connection| {
            while let Some(asked) = connection.request() {
                while asked.correlation_id == HELD && !told.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                connection.send(&frames::raw_response(asked.correlation_id, b"ok"));
            }
        });
        let mut at = 0;
        let deployment = Deployment::start("", |directory, port| {
            at = port;
            servers.issue(&Leaf::server(&[NAME])).write(directory, "s");
            lay_out(directory);
            document(at, broker.address, tls)
        });
        Self {
            deployment,
            servers,
            address: local(at),
            broker,
            answer,
        }
    }

    fn dialer(&self, identity: Option<&Identity>, version: &'static SupportedProtocolVersion) -> Dialer {
        Dialer::with(&self.servers.pem, identity, &[version])
    }

    /// A session that has been resumed, so that there is a ticket for the next, with a request under way.
    #[track_caller]
    fn busy(&self, dialer: &Dialer) -> TlsClient {
        let first = dialer.greet(self.address, NAME).unwrap();
        assert!(!first.resumed());
        let mut client = dialer.greet(self.address, NAME).unwrap();
        assert!(client.resumed());
        client.send(HELD).unwrap();
        client
    }

    /// The other settings, where the file says so.
    fn configure(&self, tls: &str) {
        let port = self.address.port();
        self.deployment
            .configure(&document(port, self.broker.address, tls));
    }

    /// Waits until a change has been made for this key and class, and so many sessions are to leave, for this reason.
    #[track_caller]
    fn changed(&self, mark: usize, change: &str, leave: &str) {
        self.deployment.line(mark, &["reload applied"]);
        self.deployment.line(mark, &[change]);
        self.deployment
            .line(mark, &["clients are not accepted any more", "sessions=1", leave]);
        // What they were let in by is the first configuration; a later one ends them.
        self.deployment
            .line(mark, &["drain begins", "sessions_generation=1 ", "sessions=1"]);
    }

    /// The broker answers; both clients get the answer; one leaves, the other stays.
    #[track_caller]
    fn parts(&self, mut leaves: TlsClient, mut stays: TlsClient) {
        self.answer.store(true, Ordering::SeqCst);
        for client in [&mut leaves, &mut stays] {
            assert_eq!(frames::correlation_id(&client.frame().unwrap()), HELD);
        }
        assert_eq!(leaves.end(), (0, TlsEnd::Clean));
        // Closes its side.
        drop(leaves);
        stays.ask().unwrap();
        let drained = ["cause=\"drained\""];
        self.deployment
            .expect_metric("kproxy_client_to_proxy_disconnects_total", &drained, 1.0);
        assert_eq!(
            self.deployment.metric("kproxy_client_to_proxy_errors_total", &[]),
            0.0
        );
        stays.ask().unwrap();
    }
}

fn document(port: u16, target: SocketAddr, tls: &str) -> String {
    let tls = format!("{{{KEY}{tls}}}");
    format!("virtualClusters:\n{}", cluster("a", port, target, "", &tls))
}

const TRUST: &str = ", trust: {storeFile: trust.pem}";

#[test]
fn the_revoked_leaves_and_the_other_stays() {
    for version in [&TLS13, &TLS12] {
        let clients = Authority::new("clients");
        let fixture = Fixture::start(", trust: {storeFile: trust.pem}, crlFile: crl.pem", |directory| {
            fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
            fs::write(directory.join("crl.pem"), clients.revoke(&[])).unwrap();
        });
        let identities = ["alice", "bob"].map(|name| clients.issue(&Leaf::client(name)));
        let [alice, bob] = [0, 1].map(|index| fixture.dialer(Some(&identities[index]), version));
        let (leaves, stays) = (fixture.busy(&alice), fixture.busy(&bob));
        let mark = fixture.deployment.mark();
        let list = clients.revoke(&[identities[0].serial]);
        atomically(&fixture.deployment.path("crl.pem"), &list);
        fixture.changed(mark, "modify `a` (drain): tls.crlFile", "Revoked");
        fixture.parts(leaves, stays);
        assert_eq!(
            alice.refused(fixture.address, NAME),
            Some(AlertDescription::CertificateRevoked)
        );
        fixture
            .deployment
            .line(mark, &["cause=\"client_certificate_rejected\"", "revoked"]);
        let again = bob.greet(fixture.address, NAME).unwrap();
        assert!(!again.resumed(), "a ticket of the old rules");
        assert!(bob.greet(fixture.address, NAME).unwrap().resumed());
    }
}

#[test]
fn clients_of_an_issuer_that_is_taken_away_leave() {
    let (gone, kept) = (Authority::new("gone"), Authority::new("kept"));
    let fixture = Fixture::start(TRUST, |directory| {
        let both = format!("{}{}", gone.pem, kept.pem);
        fs::write(directory.join("trust.pem"), both).unwrap();
    });
    let alice = fixture.dialer(Some(&gone.issue(&Leaf::client("alice"))), &TLS13);
    let bob = fixture.dialer(Some(&kept.issue(&Leaf::client("bob"))), &TLS13);
    let (leaves, stays) = (fixture.busy(&alice), fixture.busy(&bob));
    let mark = fixture.deployment.mark();
    atomically(&fixture.deployment.path("trust.pem"), &kept.pem);
    fixture.changed(mark, "modify `a` (drain): tls.trust.storeFile", "UnknownIssuer");
    fixture.parts(leaves, stays);
    assert_eq!(
        alice.refused(fixture.address, NAME),
        Some(AlertDescription::UnknownCA)
    );
    assert!(!bob.greet(fixture.address, NAME).unwrap().resumed());
}

#[test]
fn whoever_shows_nothing_leaves_when_something_is_required() {
    let clients = Authority::new("clients");
    let requested = ", trust: {storeFile: trust.pem, trustOptions: {clientAuth: REQUESTED}}";
    let fixture = Fixture::start(requested, |directory| {
        fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
    });
    let nobody = fixture.dialer(None, &TLS13);
    let bob = fixture.dialer(Some(&clients.issue(&Leaf::client("bob"))), &TLS13);
    let (leaves, stays) = (fixture.busy(&nobody), fixture.busy(&bob));
    let mark = fixture.deployment.mark();
    fixture.configure(TRUST);
    fixture.changed(
        mark,
        "modify `a` (drain): tls.trust.trustOptions.clientAuth",
        "a client certificate is now required",
    );
    fixture.parts(leaves, stays);
    assert_eq!(
        nobody.refused(fixture.address, NAME),
        Some(AlertDescription::CertificateRequired)
    );
    assert!(!bob.greet(fixture.address, NAME).unwrap().resumed());
}

#[test]
fn nobody_has_shown_anything_where_nothing_was_asked_for() {
    let clients = Authority::new("clients");
    let fixture = Fixture::start("", |directory| {
        fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
    });
    let bob = fixture.dialer(Some(&clients.issue(&Leaf::client("bob"))), &TLS13);
    let mut session = fixture.busy(&bob);
    let mark = fixture.deployment.mark();
    fixture.configure(TRUST);
    fixture.changed(
        mark,
        "modify `a` (drain): tls.trust.trustOptions.clientAuth",
        "a client certificate is now required",
    );
    fixture.answer.store(true, Ordering::SeqCst);
    assert_eq!(frames::correlation_id(&session.frame().unwrap()), HELD);
    assert_eq!(session.end(), (0, TlsEnd::Clean));
    // Comes back with what it had all the time, and not with its ticket.
    assert!(!bob.greet(fixture.address, NAME).unwrap().resumed());
}

#[test]
fn sessions_of_a_version_that_is_denied_leave() {
    let fixture = Fixture::start("", |_| {});
    let (old, new) = (fixture.dialer(None, &TLS12), fixture.dialer(None, &TLS13));
    let (leaves, stays) = (fixture.busy(&old), fixture.busy(&new));
    let mark = fixture.deployment.mark();
    fixture.configure(", protocols: {denied: [TLSv1.2]}");
    fixture.changed(
        mark,
        "modify `a` (drain): tls.protocols",
        "TLSv1.2 is no longer allowed",
    );
    fixture.parts(leaves, stays);
    assert_eq!(
        old.refused(fixture.address, NAME),
        Some(AlertDescription::ProtocolVersion)
    );
    new.greet(fixture.address, NAME).unwrap();
}

#[test]
fn a_renewal_of_the_own_certificate_keeps_tickets() {
    let fixture = Fixture::start("", |_| {});
    let dialers = [&TLS12, &TLS13].map(|version| fixture.dialer(None, version));
    let mut sessions = dialers
        .iter()
        .map(|dialer| dialer.greet(fixture.address, NAME).unwrap())
        .collect::<Vec<_>>();
    for _ in 0..3 {
        let applied = fixture
            .deployment
            .metric("kproxy_reconfigure_total", &["outcome=\"applied\""]);
        let renewed = fixture.servers.issue(&Leaf::server(&[NAME]));
        renewed.write(fixture.deployment.directory.path(), "s");
        eventually("it is applied", || {
            fixture
                .deployment
                .metric("kproxy_reconfigure_total", &["outcome=\"applied\""])
                > applied
        });
        for dialer in &dialers {
            assert!(dialer.greet(fixture.address, NAME).unwrap().resumed());
        }
        let fresh = dialers[1].forgetful().greet(fixture.address, NAME).unwrap();
        let expected = testkit::tls_client::certificates(&renewed.chain);
        assert_eq!(fresh.certificate(), expected[0]);
    }
    for session in &mut sessions {
        session.ask().unwrap();
    }
}
