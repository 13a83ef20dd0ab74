//! Promise 8.

use std::time::Duration;

use rustix::process::Signal;

use testkit::client::Client;
use testkit::frames;
use testkit::running::{Running, ask};

/// More than both idle time-outs.
const STOPPED: Duration = Duration::from_secs(2);

#[test]
fn a_process_that_was_stopped_closes_nobody_who_has_sent_something() {
    let head = "network: {proxy: {unauthenticatedIdleTimeout: 1s, authenticatedIdleTimeout: 1s}}\n";
    let running = Running::with(head, &["a", "b"]);
    let mut sessions: Vec<Client> = (0..50).map(|_| running.client(0)).collect();
    let fresh = (0..50).map(|_| Client::connect(running.address(1)));
    sessions.extend(fresh);
    running.binary.signal(Signal::STOP);
    for client in &mut sessions {
        client.send(&frames::heartbeat(5));
    }
    running.write(running.text(&["a", "b", "c"]));
    std::thread::sleep(STOPPED);
    running.binary.signal(Signal::CONT);
    for client in &mut sessions {
        assert_eq!(frames::correlation_id(&client.frame()), 5);
    }
    running.binary.expect_log("add `c`");
    running.client(2);
    let mut again = running.client(0);
    ask(&mut again);
}
