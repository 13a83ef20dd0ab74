//! Promises 1 to 4.

use std::fs;

use rustix::process::Signal;

use testkit::binary::{Binary, configuration};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames;
use testkit::service_manager::{ServiceManager, monotonic_micros};
use testkit::wait::eventually;

/// A service whose file a test edits.
struct Service {
    manager: ServiceManager,
    broker: Broker,
    directory: tempfile::TempDir,
    binary: Binary,
}

impl Service {
    fn start(head: &str, environment: &[(&str, &str)]) -> Self {
        Self::before(Broker::echoing(b"ok"), head, environment)
    }

    fn before(broker: Broker, head: &str, environment: &[(&str, &str)]) -> Self {
        let (manager, directory) = (ServiceManager::start(), tempfile::tempdir().unwrap());
        let file = directory.path().join("proxy.yaml");
        fs::write(&file, format!("{head}{}", configuration(broker.address))).unwrap();
        let binary = manager.run_with(&file, Vec::new(), environment);
        manager.expect(0, "READY=1");
        // Its log comes another way, and may come later.
        binary.expect_log("kproxy serves");
        Self {
            manager,
            broker,
            directory,
            binary,
        }
    }

    fn write(&self, text: &str) {
        fs::write(self.directory.path().join("proxy.yaml"), text).unwrap();
    }

    /// Asks for a reload as systemd does, and returns what was said about it.
    #[track_caller]
    fn reload(&self) -> Vec<String> {
        let mark = self.manager.messages().len();
        let before = monotonic_micros();
        self.binary.signal(Signal::HUP);
        let begun = self.manager.expect(mark, "RELOADING=1 MONOTONIC_USEC=");
        let time = &self.manager.messages()[begun - 1];
        let time = time.rsplit_once('=').unwrap().1.parse::<i64>().unwrap();
        // systemd waits for a time that is not before its request.
        assert!(time >= before, "{time} is before {before}");
        let ended = self.manager.expect(begun, "READY=1");
        self.manager.messages()[mark..ended].to_vec()
    }
}

#[test]
fn it_is_ready_when_it_serves_and_says_what_runs() {
    let service = Service::start("", &[]);
    let first = &service.manager.messages()[0];
    assert!(first.starts_with("READY=1"), "{first}");
    service.manager.expect(
        0,
        "STATUS=generation 1, 1 virtual clusters, 0 sessions, last reload: none",
    );
    drop(Client::connect(service.binary.bootstrap()));
}

#[test]
fn sighup_is_a_reload_of_notify_reload_whatever_comes_of_it() {
    let service = Service::start("reload: {watch: false}\n", &[]);
    let unchanged = service.reload();
    assert!(
        unchanged
            .iter()
            .any(|message| message.contains("last reload: unchanged"))
    );
    service.write("virtualClusters: [");
    let rejected = service.reload();
    assert!(
        rejected
            .iter()
            .any(|message| message.contains("last reload: rejected"))
    );
    let text = configuration(service.broker.address);
    let more = text
        .split_once("virtualClusters:\n")
        .unwrap()
        .1
        .replace("demo", "more");
    service.write(&format!("reload: {{watch: false}}\n{text}{more}"));
    let applied = service.reload();
    let status = "generation 2, 2 virtual clusters, 0 sessions, last reload: applied";
    assert!(
        applied.iter().any(|message| message.contains(status)),
        "{applied:?}"
    );
}

#[test]
fn a_stop_asks_for_time_as_long_as_a_request_is_unanswered() {
    // It takes requests and never answers.
    let broker = Broker::start(|mut connection| drop(connection.rest()));
    let mut service = Service::before(broker, "", &[("WATCHDOG_USEC", "30000000")]);
    let mut client = Client::connect(service.binary.bootstrap());
    client.send(&frames::heartbeat(5));
    eventually("the request reaches the broker", || {
        service.broker.connections() == 2
    });
    let (manager, binary) = (&service.manager, &mut service.binary);
    let mark = manager.messages().len();
    binary.signal(Signal::TERM);
    let stopping = manager.expect(mark, "STOPPING=1");
    manager.expect(stopping - 1, "STATUS=shutting down: drain, 1 sessions are left");
    let extended = manager.expect(stopping, "WATCHDOG=1 EXTEND_TIMEOUT_USEC=20000000");
    manager.expect(extended, "WATCHDOG=1 EXTEND_TIMEOUT_USEC=20000000");
    client.reset();
    assert_eq!(binary.exit().0, Some(0));
    let last = manager.messages().split_off(stopping);
    assert!(!last.concat().contains("READY"), "{last:?}");
}

#[test]
fn a_watchdog_hears_that_the_threads_are_alive() {
    let service = Service::start("", &[("WATCHDOG_USEC", "30000000")]);
    let first = service.manager.expect(0, "WATCHDOG=1");
    service.manager.expect(first, "WATCHDOG=1");
    // Without a watchdog nobody is bothered.
    let other = Service::start("", &[]);
    let mark = other.manager.messages().len();
    other.binary.signal(Signal::HUP);
    other.manager.expect(mark, "READY=1");
    assert!(!other.manager.messages().concat().contains("WATCHDOG"));
}
