//! The limits of the process itself, with the binary.

use std::net::TcpListener;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{ALIVE, is_answered, is_served, waiting_client};
use testkit::binary::{Binary, configuration};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames;
use testkit::frames::HEARTBEAT;
use testkit::wait::PATIENCE;

/// Processor time over a second in which nothing is asked of it, in ticks of 1/100 s.
fn ticks_in_a_second(binary: &Binary) -> u64 {
    let before = binary.ticks();
    std::thread::sleep(Duration::from_secs(1));
    binary.ticks() - before
}

#[test]
fn without_descriptors_established_sessions_go_on_and_accepting_resumes() {
    let broker = Broker::echoing(ALIVE);
    let binary = Binary::serving(&configuration(broker.address));
    let mut established: Vec<Client> = (0..10).map(|_| Client::connect(binary.bootstrap())).collect();
    established.iter_mut().for_each(is_served);
    let served = broker.connections();
    // The lowest number that is free is the next to be given out.
    let open = binary.descriptors();
    let free = (0..).find(|number| !open.contains(number)).unwrap();
    let before = binary.limit_descriptors(Some(free));
    let mut waiting: Vec<Client> = (0..5).map(|_| waiting_client(binary.bootstrap())).collect();
    binary.expect_log("limit reached");
    established.iter_mut().for_each(is_served);
    let ticks = ticks_in_a_second(&binary);
    assert!(ticks < 20, "it spins: {ticks} % of a processor");
    established.iter_mut().for_each(is_served);
    assert_eq!(broker.connections(), served);
    binary.limit_descriptors(before);
    waiting.iter_mut().for_each(is_answered);
    established.iter_mut().for_each(is_served);
    assert!(!binary.log().contains("local_error"), "{}", binary.log());
}

#[test]
fn with_few_descriptors_clients_wait_for_those_that_are_served() {
    const SERVED: usize = 20;
    let broker = Broker::echoing(ALIVE);
    let binary = Binary::serving_with_descriptors(&configuration(broker.address), 128);
    let mut clients: Vec<Client> = (0..60).map(|_| waiting_client(binary.bootstrap())).collect();
    clients[..SERVED].iter_mut().for_each(is_answered);
    let ticks = ticks_in_a_second(&binary);
    assert!(ticks < 20, "it spins: {ticks} % of a processor");
    assert!(
        broker.connections() < 60,
        "128 descriptors do not serve 60 sessions"
    );
    clients[..SERVED].iter_mut().for_each(is_served);
    // An answered client makes room for the next.
    for mut client in clients
        .drain(SERVED..)
        .chain([waiting_client(binary.bootstrap())])
        .collect::<Vec<_>>()
    {
        is_answered(&mut client);
    }
    for unwanted in ["accepting waits", "local_error"] {
        assert!(!binary.log().contains(unwanted), "{}", binary.log());
    }
}

#[test]
fn sigterm_ends_it_with_0() {
    let broker = Broker::echoing(ALIVE);
    let mut binary = Binary::serving(&configuration(broker.address));
    let mut client = Client::connect(binary.bootstrap());
    is_served(&mut client);
    binary.signal(Signal::TERM);
    client.expect_fin();
    drop(client);
    let (code, log) = binary.exit();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("shut down sessions=1 forced=0"), "{log}");
}

/// A broker that answers nothing and says when it has been asked.
fn silent() -> (Broker, mpsc::Receiver<()>) {
    let (asked, was_asked) = mpsc::channel();
    let asked = Mutex::new(asked);
    let broker = Broker::start(move |mut connection| {
        let first = connection.request();
        // What kproxy asks by itself is not what the test waits for.
        if first.is_some_and(|asked| asked.api_key == HEARTBEAT) {
            asked.lock().unwrap().send(()).unwrap();
        }
        drop(connection.rest());
    });
    (broker, was_asked)
}

#[test]
fn a_second_sigterm_ends_it_at_once_with_1() {
    let (broker, was_asked) = silent();
    let mut binary = Binary::serving(&configuration(broker.address));
    let _client = waiting_client(binary.bootstrap());
    // An answer is due, so the drain waits for its deadline of thirty seconds.
    was_asked.recv_timeout(PATIENCE).unwrap();
    binary.signal(Signal::TERM);
    binary.expect_log("shutting down");
    // One that comes within a second of the first is the same request to stop.
    std::thread::sleep(Duration::from_millis(1100));
    let since = Instant::now();
    binary.signal(Signal::TERM);
    let (code, log) = binary.exit();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("second signal: exiting at once"), "{log}");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

/// GNU `timeout` and some supervisors stop the process and its group: the signal comes twice within a moment.
#[test]
fn two_signals_within_a_moment_are_one_request_to_stop() {
    let (answer, told) = mpsc::channel::<()>();
    let (asked, was_asked) = mpsc::channel();
    let shared = Mutex::new((asked, told));
    let broker = Broker::start(move |mut connection| {
        // What kproxy asks by itself is not what the test waits for.
        let Some(request) = connection.request().filter(|asked| asked.api_key == HEARTBEAT) else {
            return;
        };
        let shared = shared.lock().unwrap();
        shared.0.send(()).unwrap();
        shared.1.recv().unwrap();
        connection.send(&frames::raw_response(request.correlation_id, ALIVE));
    });
    let mut binary = Binary::serving(&configuration(broker.address));
    let mut client = waiting_client(binary.bootstrap());
    was_asked.recv_timeout(PATIENCE).unwrap();
    binary.signal(Signal::TERM);
    binary.expect_log("shutting down");
    binary.signal(Signal::TERM);
    binary.expect_log("the same request to stop");
    answer.send(()).unwrap();
    is_answered(&mut client);
    client.expect_fin();
    drop(client);
    let (code, log) = binary.exit();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("forced=0"), "{log}");
}

#[test]
fn a_session_that_is_closed_at_the_deadline_is_counted_though_its_client_stays() {
    let (broker, was_asked) = silent();
    let timeout = "workerThreadCount: 2, shutdownTimeout: 1s";
    let configuration = configuration(broker.address).replace("workerThreadCount: 2", timeout);
    let mut binary = Binary::serving(&configuration);
    let mut client = waiting_client(binary.bootstrap());
    was_asked.recv_timeout(PATIENCE).unwrap();
    binary.signal(Signal::TERM);
    let (code, log) = binary.exit();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("shut down sessions=1 forced=1"), "{log}");
    client.expect_fin();
}

/// Clusters of one gateway each, on these bootstrap addresses; further keys of the first are the caller's.
fn clusters(addresses: &[String], first: &str) -> String {
    let mut yaml = String::from("virtualClusters:\n");
    for (index, address) in addresses.iter().enumerate() {
        let more = if index == 0 { first } else { "" };
        yaml += &format!(
            "  - name: c{index}
    targetCluster: {{bootstrapServers: \"127.0.0.1:9\"}}
    gateways: [{{name: main, portIdentifiesNode: {{bootstrapAddress: \"{address}\", nodeStartPort: 0}}}}]
{more}"
        );
    }
    yaml
}

#[test]
fn a_configuration_that_cannot_be_used_ends_it_with_2_before_it_binds() {
    // If it tried to bind this port, it would say that it cannot.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [taken.local_addr().unwrap().to_string()];
    let mut binary = Binary::run(&clusters(&addresses, "    drian: {}\n    maxConnections: many\n"));
    let (code, log) = binary.exit();
    assert_eq!(code, Some(2), "{log}");
    for expected in ["proxy.yaml:5:5: error: ", "drian", "proxy.yaml:6:21: error: "] {
        assert!(log.contains(expected), "{expected:?} is not in {log}");
    }
    assert!(!log.contains("cannot listen"), "{log}");
}

#[test]
fn ports_that_are_taken_end_it_with_1_and_are_all_named() {
    let taken: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let addresses: Vec<String> = taken
        .iter()
        .map(|port| port.local_addr().unwrap().to_string())
        .collect();
    let mut binary = Binary::run(&clusters(&addresses, ""));
    let (code, log) = binary.exit();
    assert_eq!(code, Some(1), "{log}");
    for address in &addresses {
        assert!(
            log.contains(&format!("cannot listen on {address}")),
            "{address} is not in {log}"
        );
    }
}

/// They had the niceness of the control thread, which starts them, and a busy machine served others first.
#[test]
fn nothing_goes_before_the_threads_that_move_bytes() {
    let broker = Broker::echoing(ALIVE);
    let binary = Binary::serving(&configuration(broker.address));
    let threads = binary.threads();
    let niceness = |prefix: &str| -> Vec<i32> {
        let named = threads.iter().filter(|(name, _)| name.starts_with(prefix));
        named.map(|(_, niceness)| *niceness).collect()
    };
    let own = rustix::process::getpriority_process(None).unwrap();
    for prefix in ["kproxy-worker", "kproxy-accept"] {
        let found = niceness(prefix);
        assert!(
            !found.is_empty() && found.iter().all(|niceness| *niceness == own),
            "{threads:?}"
        );
    }
    for prefix in ["kproxy-control", "kproxy-opener", "kproxy-watch"] {
        let found = niceness(prefix);
        assert!(
            !found.is_empty() && found.iter().all(|niceness| *niceness > own),
            "{threads:?}"
        );
    }
}
