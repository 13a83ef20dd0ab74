//! Promise 7.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use rustix::process::Signal;

use testkit::binary::{Binary, configuration};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::running::{ask, local, ports};
use testkit::service_manager::ServiceManager;
use testkit::wait::eventually;

/// A process with HTTP that waits for so long before it drains.
struct Delayed {
    binary: Binary,
    manager: ServiceManager,
    management: SocketAddr,
    _broker: Broker,
    _directory: tempfile::TempDir,
}

impl Delayed {
    fn start(delay: &str) -> Self {
        let (manager, directory) = (ServiceManager::start(), tempfile::tempdir().unwrap());
        let (broker, management) = (Broker::echoing(b"ok"), local(ports()));
        let text = configuration(broker.address).replace(
            "workerThreadCount: 2",
            &format!("workerThreadCount: 2, shutdownDelay: {delay}"),
        );
        let file: PathBuf = directory.path().join("proxy.yaml");
        let port = management.port();
        let head = format!("management: {{bindAddress: 127.0.0.1, port: {port}}}\n");
        fs::write(&file, head + &text).unwrap();
        let binary = manager.run(&file, Vec::new());
        binary.expect_log("kproxy serves");
        Self {
            binary,
            manager,
            management,
            _broker: broker,
            _directory: directory,
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.management).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Seconds spent in a phase, as the metrics say.
    fn spent(&self, phase: &str) -> f64 {
        let metrics = self.get("/metrics");
        let name = format!("kproxy_shutdown_phase_seconds{{phase=\"{phase}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap().parse().unwrap()
    }
}

#[test]
fn a_delayed_stop_is_not_ready_but_accepts_clients_until_the_drain() {
    let mut delayed = Delayed::start("2s");
    assert!(delayed.get("/readyz").starts_with("HTTP/1.1 200"));
    let mut before = Client::connect(delayed.binary.bootstrap());
    ask(&mut before);
    assert!(delayed.spent("delay") == 0.0);
    delayed.binary.signal(Signal::TERM);
    eventually("it is not ready", || {
        delayed.get("/readyz").starts_with("HTTP/1.1 503")
    });
    assert!(delayed.get("/livez").starts_with("HTTP/1.1 200"));
    // Sessions of before go on, and new ones begin.
    ask(&mut before);
    ask(&mut Client::connect(delayed.binary.bootstrap()));
    eventually("the delay is measured", || delayed.spent("delay") > 0.0);
    assert!(delayed.spent("drain") == 0.0);
    delayed
        .manager
        .expect(0, "STATUS=shutting down: delay, 1 sessions are left");
    before.expect_fin();
    drop(before);
    let (code, log) = delayed.binary.exit();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("not ready any more; clients are accepted for another 2s"),
        "{log}"
    );
    assert!(log.contains("delay_ms=2"), "{log}");
}

#[test]
fn a_second_signal_during_the_delay_ends_the_process_at_once() {
    let mut delayed = Delayed::start("10m");
    delayed.binary.signal(Signal::TERM);
    delayed.binary.expect_log("not ready any more");
    // A signal within a second of the first is the same request.
    eventually("more than a second of the delay is over", || {
        delayed.spent("delay") > 1.1
    });
    delayed.binary.signal(Signal::TERM);
    let (code, log) = delayed.binary.exit();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("second signal: exiting at once"), "{log}");
}
