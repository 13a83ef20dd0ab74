//! Promises 1 to 3.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::protocol::StrBytes;
use rustix::process::{Pid, Signal, kill_process};

use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::{API_VERSIONS, METADATA, api_versions};
use testkit::deployment::Deployment;
use testkit::frames;
use testkit::running::{cluster, local};
use testkit::wait::PATIENCE;

const FORGED: &str = "ERROR kproxy: forged";

/// A host that ends the line, begins another, clears the screen, and turns the direction of writing.
fn hostile_host() -> String {
    format!("evil\n2026-01-01T00:00:00Z {FORGED} cause=\"x\"\u{1b}[2J\u{9b}1m\u{202e}")
}

/// Knows one broker besides itself, by a name that harms a terminal that prints it.
fn hostile_broker() -> Broker {
    Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                API_VERSIONS => connection.answer(&asked, &api_versions()),
                METADATA => {
                    let broker = MetadataResponseBroker::default()
                        .with_host(StrBytes::from_string(hostile_host()))
                        .with_port(9092);
                    connection.answer(&asked, &MetadataResponse::default().with_brokers(vec![broker]));
                }
                _ => connection.send(&frames::raw_response(asked.correlation_id, b"")),
            }
        }
    })
}

/// The line that says that the hostile broker could not be reached.
fn unreachable(head: &str, cause: &str) -> String {
    let broker = hostile_broker();
    let mut at = 0;
    let deployment = Deployment::start(head, |_, port| {
        at = port;
        format!("virtualClusters:\n{}", cluster("a", port, broker.address, ""))
    });
    Client::connect(local(at + 1)).send(&frames::heartbeat(1));
    deployment.line(0, &[cause]);
    let log = deployment.log(0);
    assert!(
        !log.lines()
            .any(|line| line.trim_start().starts_with("2026-01-01")),
        "{log}"
    );
    let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!log.contains(acts), "{log:?}");
    log.lines().find(|line| line.contains(cause)).unwrap().to_owned()
}

#[test]
fn a_broker_s_name_forges_no_line_of_text() {
    let line = unreachable("", "cause=\"upstream_unreachable\"");
    // Cause first, and behind it fields that every reader of logfmt understands.
    let fields = line.split_once(": session closed cause=").unwrap().1;
    let detail = fields.split_once(" detail=").unwrap().1;
    let mut values = serde_json::Deserializer::from_str(detail).into_iter::<String>();
    let detail = values.next().unwrap().unwrap();
    assert!(detail.contains(&hostile_host()), "{detail:?}");
}

#[test]
fn a_broker_s_name_forges_no_line_of_json() {
    let line = unreachable("logging: {format: json}\n", "upstream_unreachable");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(
        line["detail"].as_str().unwrap().contains(&hostile_host()),
        "{line}"
    );
}

#[test]
fn ends_that_repeat_are_summed_up_and_counted_exactly() {
    const TIMES: usize = 200;
    let broker = Broker::echoing(b"");
    let mut at = 0;
    let deployment = Deployment::start("", |_, port| {
        at = port;
        format!("virtualClusters:\n{}", cluster("a", port, broker.address, ""))
    });
    for _ in 0..TIMES {
        let mut client = Client::connect(local(at));
        client.send(&[0xff; 12]);
        client.rest();
    }
    let labels = ["virtual_cluster=\"a\"", "cause=\"invalid_frame_size\""];
    deployment.expect_metric("kproxy_client_to_proxy_errors_total", &labels, TIMES as f64);
    let lines = || {
        let log = deployment.log(0);
        log.lines()
            .filter(|line| line.contains("session closed cause=\"invalid_frame_size\""))
            .count()
    };
    let sum = deployment.line(
        0,
        &[
            "more sessions closed",
            "cause=\"invalid_frame_size\"",
            "cluster=a",
        ],
    );
    assert!(sum.contains(" example=\"client 127.0.0.1:"), "{sum}");
    // On a machine so slow that a second period begins there is a second sum.
    assert!(lines() <= TIMES / 4, "{}", deployment.log(0));
    let count = sum.split_once(" count=").unwrap().1;
    let count: usize = count.split(' ').next().unwrap().parse().unwrap();
    assert!((1..=TIMES - 5).contains(&count), "{sum}");
}

/// A process that logs every frame to a pipe that is full and that nobody reads.
struct Unread {
    child: Child,
    _directory: tempfile::TempDir,
    _broker: Broker,
    client: Client,
}

/// Lines that fit into no pipe.
const FRAMES: i32 = 3000;

impl Unread {
    fn start() -> Self {
        // Answers everything but the last request.
        let broker = Broker::start(|mut connection| {
            while let Some(asked) = connection.request() {
                if asked.correlation_id < FRAMES {
                    connection.send(&frames::raw_response(asked.correlation_id, b""));
                }
            }
        });
        let (directory, port) = (tempfile::tempdir().unwrap(), testkit::running::ports());
        let file = directory.path().join("proxy.yaml");
        let cluster = cluster("a", port, broker.address, "    logFrames: true\n");
        std::fs::write(&file, format!("virtualClusters:\n{cluster}")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_kproxy"))
            .arg("--config")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(local(port)).is_err() {
            assert!(Instant::now() < deadline, "it does not serve");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mut client = Client::connect(local(port));
        for id in 0..FRAMES {
            client.ask(&frames::heartbeat(id));
        }
        Self {
            child,
            _directory: directory,
            _broker: broker,
            client,
        }
    }

    fn terminate(&self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    fn exit(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_shutdown() {
    let mut unread = Unread::start();
    unread.terminate();
    assert_eq!(unread.exit(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_second_signal() {
    let mut unread = Unread::start();
    // A request that is never answered keeps the process for longer than this test waits.
    unread.client.send(&frames::heartbeat(FRAMES));
    unread.terminate();
    unread
        .client
        .is_silent_for(std::time::Duration::from_millis(1500));
    unread.terminate();
    assert_eq!(unread.exit(), Some(1));
}
