//! Limits, and what happens at them.
//!
//! 1. `maxConnections`, of the process and of a cluster, refuses nobody: the next client waits in the backlog and
//!    is served when another leaves; other clusters do not notice a cluster's limit.
//! 2. `authenticatedIdleTimeout` closes a client that says nothing, between requests or within one; one that waits
//!    for an answer, or is still taking it in, is not idle.
//! 3. `connectTimeout` ends the wait for a broker that does not answer; a broker that refuses is no wait at all.
//!    In both cases the client gets a FIN and the cause is `upstream_unreachable`.
//!    A drain's hard deadline ends the wait as well.
//! 4. Of several bootstrap servers one that answers is enough.
//! 5. Clients that do not read cost a bounded amount of memory, and others are served.
//! 6. The process without descriptors: established sessions go on, nothing spins, and accepting resumes.
//! 7. Fewer descriptors than clients: those that can be served are served, the others wait.
//! 8. SIGTERM ends it with 0, a second one at once with 1; a configuration that cannot be used with 2 and nothing
//!    bound, ports that are taken with 1 and all of them named.
//! 9. The threads that move bytes and accept stand behind nobody; all others behind them.

mod process;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use kproxy::model::Network;
use kproxy::session::buffer;
use kproxy::session::cause::CloseCause;
use kproxy::session::ledger;
use socket2::{Domain, Socket, Type};
use testkit::broker::{Broker, Connection};
use testkit::client::Client;
use testkit::dialled::peers_of;
use testkit::frames;
use testkit::frames::{ALIVE, heartbeat};
use testkit::proxy::{Setup, TestProxy, closes};
use testkit::stalled::{BIG, generous};
use testkit::wait::{PATIENCE, eventually};

/// The request is answered.
#[track_caller]
fn is_served(client: &mut Client) {
    client.send(&heartbeat(1));
    is_answered(client);
}

#[track_caller]
fn is_answered(client: &mut Client) {
    assert_eq!(client.frame()[4..], *ALIVE);
}

/// A client that has sent a request and hopes.
fn waiting_client(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send(&heartbeat(1));
    client
}

fn accepted(proxy: &TestProxy) -> u64 {
    proxy.counters().accepted.load(Ordering::Relaxed)
}

#[test]
fn max_connections_of_the_process_makes_the_next_client_wait() {
    let _beside = crate::beside();
    let broker = Broker::echoing(ALIVE);
    let network = |network: &mut Network| network.max_connections = Some(2);
    let setup = Setup::to(&[broker.address]).network(network);
    let proxy = setup.and("other", &[broker.address]).start();
    let mut first = proxy.client();
    let mut other = Client::connect(proxy.bootstrap_of("other"));
    is_served(&mut first);
    is_served(&mut other);
    let mut waiting = [waiting_client(proxy.bootstrap()), waiting_client(proxy.node(1))];
    for client in &mut waiting {
        assert!(client.is_silent_for(Duration::from_millis(100)));
    }
    is_served(&mut first);
    assert_eq!(accepted(&proxy), 1, "and one of the other cluster");
    drop(other);
    let [mut next, mut last] = waiting;
    eventually("one more is served", || accepted(&proxy) >= 2);
    is_served(&mut first);
    drop(first);
    eventually("and then the last", || accepted(&proxy) >= 3);
    // Port 1 leads to a node that the target does not name, so its end is a FIN.
    is_answered(&mut next);
    last.expect_fin();
}

#[test]
fn max_connections_of_a_cluster_leaves_the_others_alone() {
    let _beside = crate::beside();
    let broker = Broker::echoing(ALIVE);
    let setup = Setup::to(&[broker.address]).cluster(|cluster| cluster.max_connections = Some(1));
    let proxy = setup.and("other", &[broker.address]).start();
    let mut first = proxy.client();
    is_served(&mut first);
    let mut next = waiting_client(proxy.bootstrap());
    assert!(next.is_silent_for(Duration::from_millis(100)));
    for _ in 0..5 {
        is_served(&mut Client::connect(proxy.bootstrap_of("other")));
    }
    is_served(&mut first);
    assert_eq!(accepted(&proxy), 1);
    drop(first);
    is_answered(&mut next);
    proxy.expect_closes(CloseCause::ClientClosed, 1);
}

#[test]
fn a_silent_client_is_closed_and_one_that_waits_for_an_answer_is_not() {
    let _beside = crate::beside();
    const LIMIT: Duration = Duration::from_millis(300);
    const PARKED: i32 = 7;
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let broker = Broker::start(move |mut connection: Connection| {
        while let Some(asked) = connection.request() {
            if asked.correlation_id == PARKED {
                let () = released.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            connection.send(&frames::raw_response(asked.correlation_id, ALIVE));
        }
    });
    let network = |network: &mut Network| network.authenticated_idle_timeout = Some(LIMIT);
    let proxy = Setup::to(&[broker.address]).network(network).start();
    let mut parked = proxy.client();
    is_served(&mut parked);
    parked.send(&heartbeat(PARKED));
    // A later client that is idle has run out of time first.
    for count in 1..=2 {
        let mut idle = proxy.client();
        let since = Instant::now();
        is_served(&mut idle);
        idle.expect_fin();
        assert!(since.elapsed() >= LIMIT);
        drop(idle);
        proxy.expect_closes(CloseCause::IdleTimeout, count);
    }
    release.send(()).unwrap();
    is_answered(&mut parked);
    parked.expect_fin();
    drop(parked);
    proxy.expect_closes(CloseCause::IdleTimeout, 3);
}

#[test]
fn a_client_that_is_taking_in_its_answer_is_not_idle() {
    let _alone = crate::alone();
    const BODY: usize = 8 << 20;
    let broker = Broker::start(|mut connection: Connection| {
        while let Some(asked) = connection.request() {
            let body = frames::noise(1, if asked.correlation_id == 1 { 0 } else { BODY });
            connection.send(&frames::raw_response(asked.correlation_id, &body));
        }
    });
    let network =
        |network: &mut Network| network.authenticated_idle_timeout = Some(Duration::from_millis(200));
    let proxy = Setup::to(&[broker.address]).network(network).start();
    let mut slow = Client::with_small_window(proxy.bootstrap());
    slow.send(&heartbeat(2));
    // The answer is on its way, and stalls.
    slow.stream.peek(&mut [0]).unwrap();
    // A later client that is idle has run out of time first.
    for count in 1..=2 {
        let mut idle = proxy.client();
        idle.ask(&heartbeat(1));
        idle.expect_fin();
        drop(idle);
        proxy.expect_closes(CloseCause::IdleTimeout, count);
    }
    let answer = slow.frame();
    assert!(answer[4..] == frames::noise(1, BODY), "the body is another");
    slow.expect_fin();
    drop(slow);
    proxy.expect_closes(CloseCause::IdleTimeout, 3);
}

#[test]
fn a_client_that_stops_within_a_request_is_idle() {
    let _alone = crate::alone();
    let broker = Broker::echoing(ALIVE);
    let network =
        |network: &mut Network| network.authenticated_idle_timeout = Some(Duration::from_millis(200));
    let proxy = Setup::to(&[broker.address]).network(network).start();
    let request = frames::raw_request(12, 0, 2, b"which never ends");
    let cuts = [2, 12, 14, request.len() - 1];
    let mut clients: Vec<_> = cuts
        .iter()
        .map(|&cut| {
            let mut client = proxy.client();
            is_served(&mut client);
            client.send(&request[..cut]);
            client
        })
        .collect();
    for client in &mut clients {
        client.expect_fin();
    }
    drop(clients);
    proxy.expect_closes(CloseCause::IdleTimeout, cuts.len() as u64);
}

/// A port that is taken and refuses connections.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// A port that leaves connections without any answer, as long as this lives.
struct Unanswering {
    address: SocketAddr,
    _listener: TcpListener,
    queued: Vec<TcpStream>,
}

fn unanswering() -> Unanswering {
    let (socket, address) = refusing();
    socket.listen(0).unwrap();
    let mut queued = Vec::new();
    // The kernel drops what the backlog does not hold, and so the connect times out.
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
        assert!(queued.len() < 64, "the backlog is never full");
    }
    Unanswering {
        address,
        _listener: socket.into(),
        queued,
    }
}

/// A client of this cluster gets a FIN; after how long.
fn unreachable(target: SocketAddr, connect_timeout: Duration) -> Duration {
    let network = |network: &mut Network| network.connect_timeout = connect_timeout;
    let proxy = Setup::to(&[target]).network(network).start();
    let since = Instant::now();
    let mut client = waiting_client(proxy.bootstrap());
    client.expect_fin();
    let took = since.elapsed();
    drop(client);
    proxy.expect_closes(CloseCause::UpstreamUnreachable, 1);
    took
}

#[test]
fn a_broker_that_does_not_answer_is_given_up_at_the_connect_timeout() {
    let _beside = crate::beside();
    const LIMIT: Duration = Duration::from_millis(300);
    let took = unreachable(unanswering().address, LIMIT);
    assert!(took >= LIMIT && took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_broker_that_refuses_is_given_up_at_once() {
    let _beside = crate::beside();
    let (_taken, address) = refusing();
    let took = unreachable(address, Duration::from_secs(60));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_dead_bootstrap_server_is_skipped() {
    let _beside = crate::beside();
    let broker = Broker::echoing(ALIVE);
    let (_taken, refusing) = refusing();
    let unanswering = unanswering();
    let network = |network: &mut Network| network.connect_timeout = Duration::from_millis(200);
    let targets = [refusing, unanswering.address, broker.address];
    let proxy = Setup::to(&targets).network(network).start();
    // Each server has its turn as the first.
    for _ in 0..targets.len() {
        is_served(&mut proxy.client());
    }
    assert_eq!(broker.connections(), targets.len());
}

#[test]
fn a_session_that_waits_for_its_broker_leaves_at_the_hard_deadline() {
    let _beside = crate::beside();
    let target = unanswering();
    let network = |network: &mut Network| {
        network.connect_timeout = Duration::from_secs(60);
        network.shutdown_timeout = Duration::from_millis(1500);
    };
    let proxy = Setup::to(&[target.address]).network(network).start();
    let counters = proxy.counters();
    let mut client = waiting_client(proxy.bootstrap());
    let dialling = || {
        let peers = peers_of(std::process::id());
        peers.into_iter().filter(|&peer| peer == target.address).count()
    };
    eventually("the broker is being dialled", || dialling() > target.queued.len());
    proxy.shutdown();
    client.expect_fin();
    assert_eq!(
        counters.closes(CloseCause::DrainTimeout),
        1,
        "{:?}",
        closes(&counters)
    );
}

/// A client that reads nothing of a big answer.
fn stalled(address: SocketAddr) -> Client {
    testkit::stalled::stalled(address, &heartbeat(2))
}

#[test]
fn clients_that_do_not_read_cost_bounded_memory_and_others_are_served() {
    let _alone = crate::alone();
    const STALLED: usize = 500;
    const PROCESS_LIMIT: usize = 512 << 20;
    let broker = generous(ALIVE);
    let proxy = Setup::to(&[broker.address]).start();
    let mut clients: Vec<Client> = (0..STALLED).map(|_| stalled(proxy.bootstrap())).collect();
    proxy.expect_sessions(STALLED);
    eventually("every session holds something", || {
        ledger::bytes_in_use() > STALLED * 32 * 1024
    });
    for _ in 0..8 {
        is_served(&mut proxy.client());
        let held = ledger::bytes_in_use();
        assert!(
            held <= (STALLED * buffer::CHUNK).min(PROCESS_LIMIT),
            "{held} bytes"
        );
    }
    // One that begins to read after all gets every byte.
    let mut late = clients.pop().unwrap();
    assert_eq!(late.frame().len(), BIG);
    drop((late, clients));
    eventually("everything is given back", || ledger::bytes_in_use() == 0);
    is_served(&mut proxy.client());
}
