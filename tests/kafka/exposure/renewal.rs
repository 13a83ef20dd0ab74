//! Promise 8: certificates are renewed while clients come and stay.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::kafka;
use testkit::{
    certificates::{Files, Identity, Leaf},
    edge::{Edge, at, block, by_name, certificates, cluster, target, trust, with_tls_key},
    kafka::Listener,
    openssl::SClient,
    replace::{Mount, atomically},
    tls::{TlsClient, settings},
};

const HOST: &str = "orders.edge.test";
/// A new certificate is shown within this time of its key being there too.
const SOON: Duration = Duration::from_secs(1);
const RENEWALS: usize = 100;

fn renewed() -> Identity {
    let names = [HOST, "*.orders.edge.test"];
    certificates().edge.issue(&Leaf::server(&names))
}

/// Each in turn: a swap of the directory, certificate before key, key before certificate.
fn replace(mount: &Mount, step: usize, identity: &Identity) {
    let pair = [("tls.crt", &*identity.chain), ("tls.key", &*identity.key)];
    match step % 3 {
        0 => mount.swap(&pair),
        1 => pair
            .iter()
            .for_each(|(name, text)| atomically(&fs::canonicalize(mount.path(name)).unwrap(), text)),
        _ => pair
            .iter()
            .rev()
            .for_each(|(name, text)| atomically(&fs::canonicalize(mount.path(name)).unwrap(), text)),
    }
}

/// T3: a hundred renewals, while clients connect without pause and others stay.
#[test]
fn nobody_notices_a_hundred_renewals() {
    let Some(kafka) = kafka() else { return };
    let (port, directory) = (block(), tempfile::tempdir().unwrap());
    let first = renewed();
    let mount = Mount::new(
        &directory.path().join("tls"),
        &[("tls.crt", &first.chain), ("tls.key", &first.key)],
    );
    let files = Files {
        certificate: mount.path("tls.crt"),
        key: mount.path("tls.key"),
        both: mount.path("tls.crt"),
    };
    let gateway = with_tls_key(&by_name(port, ""), &testkit::edge::key(&files));
    let edge = Edge::start(&[cluster(
        "orders",
        &target(kafka, Listener::Plaintext, None),
        &[gateway],
    )]);
    let trusting = settings(&certificates().edge.pem, None);
    let connect = || TlsClient::connect(at(port), HOST, &trusting).unwrap();
    let mut stays: Vec<TlsClient> = (0..10).map(|_| connect()).collect();
    stays.iter_mut().for_each(|client| client.ask().unwrap());

    let (done, handshakes) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let comers = (0..2).map(|_| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    connect().ask().unwrap();
                    handshakes.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let comers: Vec<_> = comers.collect();
        let mut slowest = Duration::ZERO;
        for step in 0..RENEWALS {
            let identity = renewed();
            replace(&mount, step, &identity);
            slowest = slowest.max(until_shown(port, identity.serial));
            stays.iter_mut().for_each(|client| client.ask().unwrap());
        }
        done.store(true, Ordering::Relaxed);
        comers.into_iter().for_each(|comer| comer.join().unwrap());
        println!(
            "{} handshakes, slowest renewal {slowest:?}",
            handshakes.load(Ordering::Relaxed)
        );
        assert!(slowest < SOON, "{slowest:?}: {}", edge.binary.log());
    });
    assert!(handshakes.load(Ordering::Relaxed) > RENEWALS);
    let disturbed = edge.binary.log();
    assert!(!disturbed.contains("cause=\"drained\""), "{disturbed}");
}

/// Waits until a client without a session of before is shown the certificate with this number; returns how long it
/// took.
#[track_caller]
fn until_shown(port: u16, serial: u64) -> Duration {
    let began = Instant::now();
    loop {
        let fresh = settings(&certificates().edge.pem, None);
        let shown = TlsClient::connect(at(port), HOST, &fresh).unwrap().serial();
        if shown == serial {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < 20 * SOON,
            "{serial} was never shown, but {shown}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// A pair that does not fit keeps what was there, and says so; when it fits, it is taken.
#[test]
fn a_pair_that_does_not_fit_changes_nothing() {
    let Some(kafka) = kafka() else { return };
    let (port, directory) = (block(), tempfile::tempdir().unwrap());
    let first = renewed();
    let files = first.write(directory.path(), "tls");
    let gateway = with_tls_key(&by_name(port, ""), &testkit::edge::key(&files));
    let edge = Edge::start(&[cluster(
        "orders",
        &target(kafka, Listener::Plaintext, None),
        &[gateway],
    )]);
    until_shown(port, first.serial);
    let second = renewed();
    atomically(&files.certificate, &second.chain);
    edge.expect_line(&["tls.key"]);
    until_shown(port, first.serial);
    atomically(&files.key, "no key at all\n");
    until_shown(port, first.serial);
    atomically(&files.key, &second.key);
    until_shown(port, second.serial);
}

/// Who is taken off the list of clients is refused from then on, a session of before or not, and live connections of
/// theirs end; those of others do not.
#[test]
fn a_revocation_ends_the_sessions_of_the_revoked() {
    let Some(kafka) = kafka() else { return };
    let (port, directory) = (block(), tempfile::tempdir().unwrap());
    let certificates = certificates();
    let issue = |name: &str| certificates.clients.issue(&Leaf::client(name));
    let (revoked, kept) = (issue("revoked"), issue("kept"));
    let crl = directory.path().join("clients.crl");
    fs::write(&crl, certificates.clients.revoke(&[])).unwrap();
    let tls = format!(
        "{}, crlFile: {}",
        trust(&certificates.client_trust, ""),
        crl.display()
    );
    let target = target(kafka, Listener::Plaintext, None);
    let edge = Edge::start(&[cluster("orders", &target, &[by_name(port, &tls)])]);

    let settings = |identity| settings(&certificates.edge.pem, Some(identity));
    let (bad, good) = (settings(&revoked), settings(&kept));
    let connect = |settings| TlsClient::connect(at(port), HOST, settings);
    let asked = |settings| connect(settings).and_then(|mut client| client.ask().map(|()| client));
    let (mut leaves, mut stays) = (asked(&bad).unwrap(), asked(&good).unwrap());
    let session = directory.path().join("session");
    let files = revoked.write(directory.path(), "revoked");
    let openssl = || SClient::named(port, HOST).args(["-tls1_2"]).identity(&files);
    assert!(openssl().keep(&session).run().served);
    assert!(asked(&bad).unwrap().resumed());
    assert!(openssl().resume(&session).run().resumed());

    atomically(&crl, &certificates.clients.revoke(&[revoked.serial]));
    let began = Instant::now();
    while asked(&bad).is_ok() {
        assert!(began.elapsed() < 20 * SOON, "still served: {}", edge.binary.log());
        thread::sleep(Duration::from_millis(5));
    }
    let old = openssl().resume(&session).run();
    assert!(!old.served, "{old:?}");
    while leaves.ask().is_ok() {
        assert!(
            began.elapsed() < 20 * SOON,
            "still connected: {}",
            edge.binary.log()
        );
        thread::sleep(Duration::from_millis(5));
    }
    stays.ask().unwrap();
    assert!(asked(&good).is_ok());
}
