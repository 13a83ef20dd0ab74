//! Promise 5: T38.

use std::fs;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::NAME;
use testkit::certificates::{Authority, Leaf};
use testkit::deployment::{Deployment, cluster};
use testkit::running::local;
use testkit::tls_broker::{TlsBroker, settings};
use testkit::tls_client::{Dialer, TlsClient, TlsEnd};
use testkit::wait::PATIENCE;

const CLIENTS: usize = 500;

/// Threads that connect at once; the machine has two cores, and each client waits most of the time.
const AT_ONCE: usize = 50;

/// Connects until somebody answers, as clients do.
fn back(dialer: &Dialer, address: std::net::SocketAddr) -> TlsClient {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        match dialer.greet(address, NAME) {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn all(dialer: &Dialer, address: std::net::SocketAddr) -> Vec<TlsClient> {
    let (next, connected) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < CLIENTS {
                    let client = back(dialer, address);
                    connected.lock().unwrap().push(client);
                }
            });
        }
    });
    connected.into_inner().unwrap()
}

#[test]
fn everybody_comes_back_when_a_broker_does() {
    let authority = Authority::new("servers");
    let config = settings(&authority.issue(&Leaf::server(&[NAME])), None);
    let mut broker = TlsBroker::start(config.clone());
    let mut at = 0;
    let deployment = Deployment::start("", |directory, port| {
        at = port;
        authority.issue(&Leaf::server(&[NAME])).write(directory, "s");
        fs::write(directory.join("trust.pem"), &authority.pem).unwrap();
        let upstream = format!("{{serverName: {NAME}, trust: {{storeFile: trust.pem}}}}");
        let own = "{key: {certificateFile: s.crt, privateKeyFile: s.key}}";
        let cluster = cluster("a", port, broker.broker.address, &upstream, own);
        format!("virtualClusters:\n{cluster}")
    });
    let dialer = Dialer::trusting(&authority.pem);
    // kproxy has tried the broker out itself.
    let own = broker.full() + broker.resumed();
    let clients = all(&dialer, local(at));
    assert_eq!(broker.full() + broker.resumed(), own + CLIENTS);

    // As a broker that restarts: its port is closed for a moment, its connections end.
    let address = broker.broker.address;
    broker.broker.stop();
    for mut client in clients {
        assert_eq!(client.end(), (0, TlsEnd::Clean));
    }
    let began = Instant::now();
    let waiting = std::thread::spawn({
        let dialer = dialer.clone();
        move || all(&dialer, local(at))
    });
    // Somebody has come and found nobody.
    deployment.line(0, &["cause=\"upstream_unreachable\""]);
    let broker = TlsBroker::on(TcpListener::bind(address).unwrap(), config);
    let clients = waiting.join().unwrap();
    let (full, resumed) = (broker.full(), broker.resumed());
    eprintln!(
        "{CLIENTS} clients are back after {:?}; handshakes with the broker: {full} full, {resumed} resumed",
        began.elapsed()
    );
    assert!(full + resumed >= CLIENTS, "{full} full, {resumed} resumed");
    assert!(resumed >= CLIENTS * 9 / 10, "{full} full, {resumed} resumed");
    let with_clients = clients.iter().filter(|client| client.resumed()).count();
    assert!(with_clients >= CLIENTS / 2, "{with_clients}");
    for mut client in clients {
        client.ask().unwrap();
    }
    let causes = ["upstream_reset", "upstream_tls_failed", "tls_handshake_timeout"];
    for cause in causes {
        let label = format!("cause=\"{cause}\"");
        assert_eq!(
            deployment.metric("kproxy_proxy_to_server_errors_total", &[&label]),
            0.0
        );
    }
}
