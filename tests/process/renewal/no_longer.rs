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
use testkit::frames;
use testkit::replace::atomically;
use testkit::running::local;
use testkit::site::{Site, cluster};
use testkit::tls_client::{Dialer, TlsClient, TlsEnd};
use testkit::wait::eventually;

/// The request that the broker answers only when told.
const HELD: i32 = 77;

/// One gateway whose TLS settings change, and a broker that can be told to wait.
struct Scene {
    site: Site,
    servers: Authority,
    address: SocketAddr,
    broker: Broker,
    answer: Arc<AtomicBool>,
}

const KEY: &str = "key: {certificateFile: s.crt, privateKeyFile: s.key}";

impl Scene {
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
        let site = Site::start("", |directory, port| {
            at = port;
            servers.issue(&Leaf::server(&[NAME])).write(directory, "s");
            lay_out(directory);
            document(at, broker.address, tls)
        });
        Self {
            site,
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
        self.site.configure(&document(port, self.broker.address, tls));
    }

    /// Waits until a change has been made for this key and class, and so many sessions are to leave, for this reason.
    #[track_caller]
    fn changed(&self, mark: usize, change: &str, leave: &str) {
        self.site.line(mark, &["reload applied"]);
        self.site.line(mark, &[change]);
        self.site
            .line(mark, &["clients are not accepted any more", "sessions=1", leave]);
        // What they were let in by is the first configuration; a later one ends them.
        self.site
            .line(mark, &["drain begins", "sessions_generation=1 ", "sessions=1"]);
    }

    /// The broker answers; whoever is to leave has that answer and leaves, the other has it and stays.
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
        self.site
            .expect_metric("kproxy_client_to_proxy_disconnects_total", &drained, 1.0);
        assert_eq!(self.site.metric("kproxy_client_to_proxy_errors_total", &[]), 0.0);
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
        let scene = Scene::start(", trust: {storeFile: trust.pem}, crlFile: crl.pem", |directory| {
            fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
            fs::write(directory.join("crl.pem"), clients.revoke(&[])).unwrap();
        });
        let identities = ["alice", "bob"].map(|name| clients.issue(&Leaf::client(name)));
        let [alice, bob] = [0, 1].map(|index| scene.dialer(Some(&identities[index]), version));
        let (leaves, stays) = (scene.busy(&alice), scene.busy(&bob));
        let mark = scene.site.mark();
        let list = clients.revoke(&[identities[0].serial]);
        atomically(&scene.site.path("crl.pem"), &list);
        scene.changed(mark, "modify `a` (drain): tls.crlFile", "Revoked");
        scene.parts(leaves, stays);
        assert_eq!(
            alice.refused(scene.address, NAME),
            Some(AlertDescription::CertificateRevoked)
        );
        scene
            .site
            .line(mark, &["cause=\"client_certificate_rejected\"", "revoked"]);
        let again = bob.greet(scene.address, NAME).unwrap();
        assert!(!again.resumed(), "a ticket of the old rules");
        assert!(bob.greet(scene.address, NAME).unwrap().resumed());
    }
}

#[test]
fn clients_of_an_issuer_that_is_taken_away_leave() {
    let (gone, kept) = (Authority::new("gone"), Authority::new("kept"));
    let scene = Scene::start(TRUST, |directory| {
        let both = format!("{}{}", gone.pem, kept.pem);
        fs::write(directory.join("trust.pem"), both).unwrap();
    });
    let alice = scene.dialer(Some(&gone.issue(&Leaf::client("alice"))), &TLS13);
    let bob = scene.dialer(Some(&kept.issue(&Leaf::client("bob"))), &TLS13);
    let (leaves, stays) = (scene.busy(&alice), scene.busy(&bob));
    let mark = scene.site.mark();
    atomically(&scene.site.path("trust.pem"), &kept.pem);
    scene.changed(mark, "modify `a` (drain): tls.trust.storeFile", "UnknownIssuer");
    scene.parts(leaves, stays);
    assert_eq!(
        alice.refused(scene.address, NAME),
        Some(AlertDescription::UnknownCA)
    );
    assert!(!bob.greet(scene.address, NAME).unwrap().resumed());
}

#[test]
fn whoever_shows_nothing_leaves_when_something_is_required() {
    let clients = Authority::new("clients");
    let requested = ", trust: {storeFile: trust.pem, trustOptions: {clientAuth: REQUESTED}}";
    let scene = Scene::start(requested, |directory| {
        fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
    });
    let nobody = scene.dialer(None, &TLS13);
    let bob = scene.dialer(Some(&clients.issue(&Leaf::client("bob"))), &TLS13);
    let (leaves, stays) = (scene.busy(&nobody), scene.busy(&bob));
    let mark = scene.site.mark();
    scene.configure(TRUST);
    scene.changed(
        mark,
        "modify `a` (drain): tls.trust.trustOptions.clientAuth",
        "a client certificate is now required",
    );
    scene.parts(leaves, stays);
    assert_eq!(
        nobody.refused(scene.address, NAME),
        Some(AlertDescription::CertificateRequired)
    );
    assert!(!bob.greet(scene.address, NAME).unwrap().resumed());
}

#[test]
fn nobody_has_shown_anything_where_nothing_was_asked_for() {
    let clients = Authority::new("clients");
    let scene = Scene::start("", |directory| {
        fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
    });
    let bob = scene.dialer(Some(&clients.issue(&Leaf::client("bob"))), &TLS13);
    let mut session = scene.busy(&bob);
    let mark = scene.site.mark();
    scene.configure(TRUST);
    scene.changed(
        mark,
        "modify `a` (drain): tls.trust.trustOptions.clientAuth",
        "a client certificate is now required",
    );
    scene.answer.store(true, Ordering::SeqCst);
    assert_eq!(frames::correlation_id(&session.frame().unwrap()), HELD);
    assert_eq!(session.end(), (0, TlsEnd::Clean));
    // Comes back with what it had all the time, and not with its ticket.
    assert!(!bob.greet(scene.address, NAME).unwrap().resumed());
}

#[test]
fn sessions_of_a_version_that_is_denied_leave() {
    let scene = Scene::start("", |_| {});
    let (old, new) = (scene.dialer(None, &TLS12), scene.dialer(None, &TLS13));
    let (leaves, stays) = (scene.busy(&old), scene.busy(&new));
    let mark = scene.site.mark();
    scene.configure(", protocols: {denied: [TLSv1.2]}");
    scene.changed(
        mark,
        "modify `a` (drain): tls.protocols",
        "TLSv1.2 is no longer allowed",
    );
    scene.parts(leaves, stays);
    assert_eq!(
        old.refused(scene.address, NAME),
        Some(AlertDescription::ProtocolVersion)
    );
    new.greet(scene.address, NAME).unwrap();
}

#[test]
fn a_renewal_of_the_own_certificate_keeps_tickets() {
    let scene = Scene::start("", |_| {});
    let dialers = [&TLS12, &TLS13].map(|version| scene.dialer(None, version));
    let mut sessions = dialers
        .iter()
        .map(|dialer| dialer.greet(scene.address, NAME).unwrap())
        .collect::<Vec<_>>();
    for _ in 0..3 {
        let applied = scene
            .site
            .metric("kproxy_reconfigure_total", &["outcome=\"applied\""]);
        let renewed = scene.servers.issue(&Leaf::server(&[NAME]));
        renewed.write(scene.site.directory.path(), "s");
        eventually("it is applied", || {
            scene
                .site
                .metric("kproxy_reconfigure_total", &["outcome=\"applied\""])
                > applied
        });
        for dialer in &dialers {
            assert!(dialer.greet(scene.address, NAME).unwrap().resumed());
        }
        let fresh = dialers[1].forgetful().greet(scene.address, NAME).unwrap();
        let expected = testkit::tls_client::certificates(&renewed.chain);
        assert_eq!(fresh.certificate(), expected[0]);
    }
    for session in &mut sessions {
        session.ask().unwrap();
    }
}
