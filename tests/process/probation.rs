//! What `rollback.auto` promises, with the binary and brokers of the test's own.
//!
//! 1. A reload that leads a cluster to something wrong is taken back by itself: one line says why, with the figures; the
//!    metric, the status and the report say it too. Clients of other clusters see nothing, and those of the changed one are
//!    served again.
//! 2. The same content is not tried again by itself, also when it is written again later; on request it is.
//! 3. What is as good as before passes; where there was too little traffic to judge, that is said.
//! 4. A later reload that puts a cluster right ends its probation, and what it changes goes on probation itself.
//! 5. Where a rollback changes nothing, that is said once, and not tried again.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;

use testkit::broker::Broker;
use testkit::certificates::{Authority, Leaf};
use testkit::client::Client;
use testkit::deployment::{Deployment, cluster};
use testkit::running::{ask, local};
use testkit::tls_broker::{TlsBroker, settings};
use testkit::wait::eventually;

/// Clusters `a` and `b` in front of a broker that answers everything. `a` stays as it is.
struct Watched {
    deployment: Deployment,
    broker: Broker,
    port: u16,
}

impl Watched {
    #[track_caller]
    fn start(rollback: &str) -> Self {
        let broker = Broker::echoing(b"ok");
        let mut at = 0;
        let head = format!(
            "rollback: {{auto: true, {rollback}}}\ndrain: {{timeout: 1s, hardTimeout: 2s}}\nlogging: {{level: \"info,kproxy::reload=debug\"}}\n"
        );
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
        let mut client = Client::connect(self.address(place));
        ask(&mut client);
        client
    }

    fn address(&self, place: u16) -> SocketAddr {
        local(self.port + 2 * place)
    }

    fn text(&self, target: SocketAddr, tls: &str) -> String {
        document(self.port, &[("a", self.broker.address, ""), ("b", target, tls)])
    }

    /// Leads `b` elsewhere and waits until that is applied. Returns how much had been logged.
    #[track_caller]
    fn lead_b_to(&self, target: SocketAddr, tls: &str) -> usize {
        let mark = self.deployment.mark();
        self.deployment.configure(&self.text(target, tls));
        self.deployment.line(mark, &["reload applied"]);
        self.deployment
            .line(mark, &["changed virtual clusters are on probation", "clusters=1"]);
        mark
    }

    /// Waits for the return to generation 1, and checks what is told of it.
    #[track_caller]
    fn expect_taken_back(&self, mark: usize, reason: &str, figures: &[&str]) -> String {
        let label = format!("reason=\"{reason}\"");
        let mut words = vec![
            "ERROR",
            "a reload made things worse",
            "generation=2 back_to=1",
            label.as_str(),
            "`b`",
        ];
        words.extend(figures);
        let line = self.deployment.line(mark, &words);
        self.deployment.line(
            mark,
            &[
                "rollback applied: an earlier configuration runs again",
                "generation=3",
            ],
        );
        self.deployment
            .expect_metric("kproxy_rollbacks_total", &[&label], 1.0);
        let status = self.deployment.status();
        assert_eq!(
            (&status["generation"], &status["config"]["in_sync"]),
            (&3.into(), &false.into())
        );
        assert_eq!(status["config"]["last_reload"]["trigger"], "rollback");
        let probation = &status["probation"];
        assert_eq!(
            (&probation["verdict"], &probation["generation"]),
            (&"degraded".into(), &2.into())
        );
        assert_eq!(probation["clusters"][0]["cluster"], "b");
        ask(&mut self.client(1));
        line
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

/// Clients that connect, ask, and come again when they are closed, until this is dropped.
struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn start(address: SocketAddr, count: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let one = || {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    come_and_ask(address, &stop);
                    std::thread::sleep(Duration::from_millis(50));
                }
            })
        };
        let threads = (0..count).map(|_| one()).collect();
        Self { stop, threads }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// Asks on one connection until it is closed.
fn come_and_ask(address: SocketAddr, stop: &AtomicBool) {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return;
    };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let request = testkit::frames::heartbeat(5);
    while !stop.load(Ordering::Relaxed) {
        let asked = stream.write_all(&request);
        let mut answer = [0; 10];
        if asked.and_then(|()| stream.read_exact(&mut answer)).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_closed_port_is_taken_back_without_any_client() {
    let watched = Watched::start("window: 60s");
    let mut other = watched.client(0);
    let mark = watched.lead_b_to(closed_port(), "");
    let figures = [
        "1 more brokers than before cannot be reached",
        "1 of 1 brokers unreachable",
        "Connection refused",
    ];
    let line = watched.expect_taken_back(mark, "connect_failures", &figures);
    assert_eq!(line.matches("a reload made things worse").count(), 1);
    ask(&mut other);
    // It is not tried again by itself, and clients are served.
    let news = watched.deployment.mark();
    watched.deployment.binary.expect_log("rollback applied");
    std::fs::File::options()
        .append(true)
        .open(watched.deployment.path("proxy.yaml"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    watched.deployment.line(news, &["nothing has changed"]);
    assert_eq!(watched.deployment.status()["generation"], 3);
}

#[test]
fn the_same_content_is_tried_again_on_request_only() {
    let watched = Watched::start("window: 60s");
    let wrong = closed_port();
    let mark = watched.lead_b_to(wrong, "");
    watched.expect_taken_back(mark, "connect_failures", &[]);
    // Another edit, and the bad one again.
    let mark = watched.deployment.mark();
    watched
        .deployment
        .configure(&watched.text(watched.broker.address, ""));
    watched.deployment.line(mark, &["reload unchanged"]);
    let mark = watched.deployment.mark();
    watched.deployment.configure(&watched.text(wrong, ""));
    watched.deployment.line(
        mark,
        &[
            "reload rejected",
            "this configuration was taken back before",
            "`kproxy reload` tries it again",
        ],
    );
    assert_eq!(watched.deployment.status()["generation"], 3);
    let mark = watched.deployment.mark();
    watched.deployment.binary.signal(Signal::HUP);
    watched.deployment.line(mark, &["reload applied", "generation=4"]);
    watched
        .deployment
        .line(mark, &["a reload made things worse", "generation=4 back_to=3"]);
    watched
        .deployment
        .line(mark, &["rollback applied", "generation=5"]);
}

#[test]
fn a_wrong_certificate_is_taken_back() {
    let watched = Watched::start("window: 60s");
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    std::fs::write(watched.deployment.path("trust.pem"), &trusted.pem).unwrap();
    let broker = TlsBroker::start(settings(&other.issue(&Leaf::server(&["kafka.test"])), None));
    let _clients = (
        Clients::start(watched.address(0), 2),
        Clients::start(watched.address(1), 4),
    );
    let tls = "{serverName: kafka.test, trust: {storeFile: trust.pem}}";
    let mark = watched.lead_b_to(broker.broker.address, tls);
    watched.expect_taken_back(mark, "connect_failures", &["certificate"]);
    let ended = watched
        .deployment
        .metric("kproxy_client_to_proxy_errors_total", &["virtual_cluster=\"a\""]);
    assert_eq!(ended, 0.0);
}

#[test]
fn a_broker_that_closes_instead_of_answering_is_taken_back() {
    let watched = Watched::start("window: 12s");
    // It answers what kproxy itself asks, and nobody else.
    let wrong = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            if asked.api_key != 18 {
                return connection.close();
            }
            connection.send(&testkit::frames::raw_response(asked.correlation_id, b"ok"));
        }
    });
    let _clients = Clients::start(watched.address(1), 4);
    let mark = watched.lead_b_to(wrong.address, "");
    watched.expect_taken_back(mark, "error_closes", &["of sessions fail, 0 % before"]);
}

#[test]
fn a_slow_broker_is_taken_back() {
    let watched = Watched::start("window: 12s");
    let slow = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            std::thread::sleep(Duration::from_millis(40));
            connection.send(&testkit::frames::raw_response(asked.correlation_id, b"ok"));
        }
    });
    let _clients = Clients::start(watched.address(1), 20);
    eventually("there is something to compare with", || {
        watched
            .deployment
            .metric("kproxy_upstream_response_seconds_count", &["\"b\""])
            > 1000.0
    });
    let mark = watched.lead_b_to(slow.address, "");
    watched.expect_taken_back(
        mark,
        "latency",
        &["the 99th percentile of answers is at least 32.768ms"],
    );
}

#[test]
fn what_is_as_good_as_before_passes_and_what_nobody_uses_is_not_judged() {
    let watched = Watched::start("window: 3s");
    let same = Broker::echoing(b"ok");
    let mark = {
        let _clients = Clients::start(watched.address(1), 6);
        let mark = watched.lead_b_to(same.address, "");
        watched
            .deployment
            .line(mark, &["INFO", "probation passed", "generation=2", "`b` healthy"]);
        mark
    };
    assert_eq!(watched.deployment.status()["probation"]["verdict"], "healthy");
    assert!(!watched.deployment.log(mark).contains("made things worse"));
    let mark = watched.lead_b_to(watched.broker.address, "");
    watched.deployment.line(
        mark,
        &[
            "WARN",
            "probation ended: there was not enough traffic to judge",
            "generation=3",
        ],
    );
    assert_eq!(
        watched.deployment.status()["probation"]["verdict"],
        "too_little_traffic"
    );
    // The one before is what comes back.
    let mark = watched.lead_b_to(closed_port(), "");
    watched
        .deployment
        .line(mark, &["a reload made things worse", "generation=4 back_to=3"]);
    watched.deployment.line(mark, &["rollback applied"]);
}

#[test]
fn a_reload_that_puts_it_right_ends_the_probation() {
    let watched = Watched::start("window: 60s");
    let mark = watched.lead_b_to(Broker::echoing(b"ok").address, "");
    watched
        .deployment
        .configure(&watched.text(watched.broker.address, ""));
    watched.deployment.line(mark, &["reload applied", "generation=3"]);
    let other = Broker::echoing(b"ok");
    let mark = watched.lead_b_to(other.address, "");
    eventually("it is on probation", || {
        watched.deployment.status()["probation"]["generation"] == 4
    });
    let status = watched.deployment.status();
    assert_eq!(status["probation"]["healthy_generation"], 3, "{status}");
    assert_eq!(status["probation"]["verdict"], "watching");
    assert!(!watched.deployment.log(mark).contains("made things worse"));
}
