//! Promise 1: T3.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::NAME;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::deployment::{Deployment, cluster};
use testkit::replace::{Mount, atomically};
use testkit::running::local;
use testkit::tls_client::{Dialer, certificates};

const RENEWALS: usize = 100;

/// Clients that stay, and threads that come anew all the time, at each of two clusters.
const STAYING: usize = 4;
const COMING: usize = 1;

/// A renewal that is not seen by then has not taken effect, however busy the machine is.
const LATEST: Duration = Duration::from_secs(10);

/// What the quiet period, a reload and a handshake take together, half of the time at least.
const USUAL: Duration = Duration::from_secs(1);

/// Clients at work.
#[derive(Default)]
struct Load {
    stop: Arc<AtomicBool>,
    handshakes: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn spawn(&mut self, work: impl Fn() -> Result<(), String> + Send + 'static) {
        let (stop, failures) = (Arc::clone(&self.stop), Arc::clone(&self.failures));
        self.threads.push(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Err(failure) = work() {
                    failures.lock().unwrap().push(failure);
                    return;
                }
            }
        }));
    }

    fn at(&mut self, address: SocketAddr, dialer: &Dialer) {
        for _ in 0..STAYING {
            let (client, requests) = (dialer.greet(address, NAME).unwrap(), Arc::clone(&self.requests));
            let client = Mutex::new(client);
            self.spawn(move || {
                let asked = client.lock().unwrap().ask();
                requests.fetch_add(1, Ordering::Relaxed);
                // A client that is always busy takes the machine for itself.
                thread::sleep(Duration::from_millis(2));
                asked.map_err(|error| format!("a session: {error}"))
            });
        }
        for _ in 0..COMING {
            let (dialer, handshakes) = (dialer.clone(), Arc::clone(&self.handshakes));
            self.spawn(move || {
                let greeted = dialer.greet(address, NAME);
                handshakes.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
                greeted.map(drop).map_err(|error| format!("a handshake: {error}"))
            });
        }
    }

    /// Ends it; nothing may have failed.
    #[track_caller]
    fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let failures = self.failures.lock().unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        (
            self.handshakes.load(Ordering::Relaxed),
            self.requests.load(Ordering::Relaxed),
        )
    }
}

/// Where a pair is kept.
enum Place {
    Files(PathBuf, PathBuf),
    Mount(Mount),
}

impl Place {
    /// Replaces both, in one of the ways there are.
    fn renew(&self, way: usize, identity: &Identity) {
        let (certificate, key) = match self {
            Self::Mount(mount) => {
                return mount.swap(&[("tls.crt", &identity.chain), ("tls.key", &identity.key)]);
            }
            Self::Files(certificate, key) => (certificate, key),
        };
        match way % 4 {
            0 => {
                atomically(certificate, &identity.chain);
                atomically(key, &identity.key);
            }
            1 => {
                atomically(key, &identity.key);
                atomically(certificate, &identity.chain);
            }
            2 => {
                fs::write(certificate, &identity.chain).unwrap();
                fs::write(key, &identity.key).unwrap();
            }
            _ => {
                atomically(key, &identity.key);
                // Longer than the quiet period: for a while there is no pair.
                thread::sleep(Duration::from_millis(60));
                atomically(certificate, &identity.chain);
            }
        }
    }
}

/// Waits until a new handshake sees `identity`, and says how long that took.
#[track_caller]
fn seen(address: SocketAddr, dialer: &Dialer, identity: &Identity) -> Duration {
    let (began, expected) = (Instant::now(), &certificates(&identity.chain)[0]);
    loop {
        let client = dialer.greet(address, NAME).unwrap();
        if client.certificate() == *expected {
            return began.elapsed();
        }
        assert!(began.elapsed() < LATEST, "the renewal is not seen");
        thread::sleep(Duration::from_millis(3));
    }
}

#[test]
fn a_hundred_renewals_are_noticed_by_nobody() {
    let authority = Authority::new("servers");
    let issue = || authority.issue(&Leaf::server(&[NAME]));
    let broker = Broker::echoing(b"ok");
    let (mut ports, mut places) = (Vec::new(), Vec::new());
    let deployment = Deployment::start("reload: {debounce: 20ms}\n", |directory, port| {
        let files = issue().write(directory, "plain");
        places.push(Place::Files(files.certificate, files.key));
        let first = issue();
        let mount = Mount::new(
            &directory.join("mounted"),
            &[("tls.crt", &first.chain), ("tls.key", &first.key)],
        );
        places.push(Place::Mount(mount));
        ports.extend([port, port + 2]);
        let tls = |directory: &str, name: &str| {
            format!(
                "{{key: {{certificateFile: {directory}{name}.crt, privateKeyFile: {directory}{name}.key}}}}"
            )
        };
        format!(
            "virtualClusters:\n{}{}",
            cluster("plain", ports[0], broker.address, "", &tls("", "plain")),
            cluster("mounted", ports[1], broker.address, "", &tls("mounted/", "tls")),
        )
    });
    let dialer = Dialer::trusting(&authority.pem);
    let mut load = Load::default();
    for port in &ports {
        load.at(local(*port), &dialer);
    }
    let fresh = dialer.forgetful();
    let mut waits = Vec::with_capacity(RENEWALS);
    for round in 0..RENEWALS {
        let identity = issue();
        // Every fifth goes to the mount.
        let place = usize::from(round % 5 == 4);
        places[place].renew(round - round / 5, &identity);
        waits.push(seen(local(ports[place]), &fresh, &identity));
    }
    let (handshakes, requests) = load.end();
    waits.sort_unstable();
    eprintln!(
        "{handshakes} handshakes, {requests} requests; seen after {:?}, at most {:?}",
        waits[RENEWALS / 2],
        waits[RENEWALS - 1]
    );
    assert!(waits[RENEWALS / 2] < USUAL, "{waits:?}");
    assert!(handshakes > RENEWALS && requests > RENEWALS * STAYING);
    let applied = deployment.metric("kproxy_reconfigure_total", &["outcome=\"applied\""]);
    assert!(applied >= RENEWALS as f64, "{applied}");
    assert_eq!(deployment.metric("kproxy_client_to_proxy_errors_total", &[]), 0.0);
    assert_eq!(
        deployment.metric("kproxy_client_to_proxy_disconnects_total", &["cause=\"drained\""]),
        0.0
    );
}
