//! Bytes that nobody takes, and peers that are gone.
//!
//! 1. kproxy makes answers of its own only as fast as the client takes them, and all of them arrive in their order.
//! 2. What is held of half a request is counted.
//! 3. At the limit of held bytes the sessions that hold longest without moving are closed (`client_too_slow`); sessions
//!    that hold nothing are served, of the same cluster and of others.
//! 4. A client that is reset is noticed although its broker takes no bytes and nothing is read of the client.
//! 5. A broker that takes nothing of a request is given up (`broker_too_slow`), whether its client is there or gone.
//! 6. After the client's end an answer has a bounded time, and many such sessions of one cluster do not pile up.
//! 7. A client that has ended its stream and does not take its answer is closed (`client_too_slow`).
//!
//! The limit of held bytes is one of the process, so each of these runs alone.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::alone;
use kproxy::model::Network;
use kproxy::session::cause::CloseCause;
use kproxy::session::limits::BUFFERS;
use kproxy::session::{buffer, ledger};
use socket2::SockRef;
use testkit::broker::{Broker, Connection};
use testkit::client::Client;
use testkit::frames::{self, correlation_id};
use testkit::frames::{ALIVE, heartbeat};
use testkit::proxy::{Setup, TestProxy, closes};
use testkit::stalled::generous;
use testkit::wait::{PATIENCE, eventually};

const PRODUCE: i16 = 0;
const API_VERSIONS: i16 = 18;

#[track_caller]
fn is_served(address: SocketAddr) {
    let mut client = Client::connect(address);
    assert_eq!(client.ask(&heartbeat(1))[4..], *ALIVE);
}

/// Sends until nobody takes anything for a moment. Returns how many bytes were taken.
fn send_until_stuck(client: &mut Client, mut next: impl FnMut() -> Vec<u8>) -> usize {
    const MOMENT: Duration = Duration::from_millis(700);
    client.stream.set_write_timeout(Some(MOMENT)).unwrap();
    let mut sent = 0;
    loop {
        let bytes = next();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match client.stream.write(rest) {
                Ok(taken) => {
                    sent += taken;
                    rest = &rest[taken..];
                }
                Err(_stuck) => return sent,
            }
        }
    }
}

#[test]
fn answers_of_its_own_are_made_as_fast_as_the_client_takes_them() {
    const MOST: usize = 1 << 20;
    let _alone = alone();
    let broker = Broker::echoing(ALIVE);
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = Client::with_small_window(proxy.bootstrap());
    let request = |id| frames::raw_request(API_VERSIONS, 99, id, b"");
    let mut id = 0;
    let sent = send_until_stuck(&mut client, || {
        let burst: Vec<u8> = (id..id + 1000).flat_map(request).collect();
        id += 1000;
        burst
    });
    assert!(sent > MOST, "{sent} bytes");
    let held = ledger::bytes_in_use();
    assert!((1..MOST).contains(&held), "{held} bytes are held");
    is_served(proxy.bootstrap());
    let whole = sent / request(0).len();
    for id in 0..whole {
        assert_eq!(correlation_id(&client.frame()), id as i32);
    }
    drop(client);
    eventually("everything is given back", || ledger::bytes_in_use() == 0);
}

const HALF: usize = 99_999;
const TAG: [u8; 3] = [1, 1, 0];

/// The beginning of a Produce whose header has tagged fields without end: its `acks`, which kproxy needs, come last.
fn half_a_request() -> Vec<u8> {
    let mut request = frames::raw_request(PRODUCE, 9, 1, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    request.extend(TAG.iter().cycle().take(HALF));
    request[..4].copy_from_slice(&(1_i32 << 20).to_be_bytes());
    request
}

#[test]
fn half_a_request_is_counted() {
    let _alone = alone();
    let broker = Broker::echoing(ALIVE);
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    client.send(&heartbeat(1));
    client.frame();
    client.send(&half_a_request());
    let counted = |least: usize| (least..least + least / 3).contains(&ledger::bytes_in_use());
    eventually("the half is counted", || counted(HALF));
    for byte in 0..1000 {
        client.send(&TAG[byte % 3..=byte % 3]);
    }
    eventually("and what is added to it", || counted(HALF + 1000));
    client.finish();
    client.expect_fin();
    eventually("everything is given back", || ledger::bytes_in_use() == 0);
}

/// A client that reads nothing of a big answer.
fn stalled(address: SocketAddr) -> Client {
    testkit::stalled::stalled(address, &heartbeat(2))
}

#[test]
fn at_the_limit_those_go_that_hold_longest_and_all_others_are_served() {
    const STALLED: usize = 60;
    const LIMIT: usize = 2 << 20;
    const WORKERS: usize = 2;
    let _alone = alone();
    let broker = Broker::echoing(ALIVE);
    let proxy = Setup::to(&[broker.address])
        .and("other", &[broker.address])
        .start();
    // With this many workers each may hold `LIMIT`.
    buffer::set_workers((512 << 20) / LIMIT);
    let reached = BUFFERS.hits();
    let stalls = |_| {
        let mut client = proxy.client();
        client.send(&half_a_request());
        client
    };
    let clients: Vec<Client> = (0..STALLED).map(stalls).collect();
    eventually("a limit is reached", || BUFFERS.hits() > reached);
    let counters = proxy.counters();
    let dismissed = || counters.closes(CloseCause::ClientTooSlow);
    let began = Instant::now();
    while dismissed() == 0 {
        is_served(proxy.bootstrap());
        is_served(proxy.bootstrap_of("other"));
        let held = ledger::bytes_in_use();
        assert!(held <= WORKERS * (LIMIT + buffer::CHUNK), "{held} bytes");
        assert!(began.elapsed() < PATIENCE, "{:?}", closes(&counters));
    }
    assert!(BUFFERS.has_waiters());
    is_served(proxy.bootstrap_of("other"));
    let others = proxy.proxy.counters("other").unwrap();
    drop(clients);
    eventually("everything is given back", || ledger::bytes_in_use() == 0);
    assert!(!BUFFERS.has_waiters());
    assert_eq!(others.closes(CloseCause::ClientTooSlow), 0);
    buffer::set_workers(WORKERS);
}

/// A broker that answers heartbeats, and reads nothing once a Produce begins.
fn stopping() -> Broker {
    Broker::start(|mut connection: Connection| {
        SockRef::from(&*connection.stream)
            .set_recv_buffer_size(16 * 1024)
            .unwrap();
        loop {
            let mut head = [0; 6];
            while connection.stream.peek(&mut head).unwrap_or(0) < head.len() {
                if connection.stream.peek(&mut head).unwrap_or(0) == 0 {
                    return;
                }
            }
            if head[4..] == PRODUCE.to_be_bytes() {
                // Until the test is over.
                std::thread::sleep(4 * PATIENCE);
                return;
            }
            let Some(asked) = connection.request() else { return };
            connection.send(&frames::raw_response(asked.correlation_id, ALIVE));
        }
    })
}

/// A client in the middle of a Produce that its broker does not read.
fn uploading(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    assert_eq!(client.ask(&heartbeat(1))[4..], *ALIVE);
    // No transactional id, acks 1, and records that do not end.
    let mut request = frames::raw_request(PRODUCE, 3, 2, &[0xff, 0xff, 0, 1]);
    request[..4].copy_from_slice(&(90_i32 << 20).to_be_bytes());
    client.send(&request);
    send_until_stuck(&mut client, || vec![0; 64 * 1024]);
    client
}

#[test]
fn a_reset_is_noticed_although_the_broker_does_not_read() {
    let _alone = alone();
    let broker = stopping();
    let proxy = Setup::to(&[broker.address]).start();
    uploading(proxy.bootstrap()).reset();
    proxy.expect_closes(CloseCause::ClientReset, 1);
    proxy.expect_sessions(0);
    assert_eq!(ledger::bytes_in_use(), 0);
}

#[test]
fn a_broker_that_stops_within_a_request_is_given_up() {
    let _alone = alone();
    let broker = stopping();
    let proxy = Setup::to(&[broker.address]).start();
    let mut stays = uploading(proxy.bootstrap());
    // Its FIN waits behind what nobody reads.
    drop(uploading(proxy.bootstrap()));
    assert!(ledger::bytes_in_use() > 0);
    proxy.expect_closes(CloseCause::BrokerTooSlow, 2);
    stays.expect_fin();
    drop(stays);
    proxy.expect_sessions(0);
    assert_eq!(ledger::bytes_in_use(), 0);
}

/// A broker that takes every request and answers heartbeats with an odd id after `pause`, the others never.
fn silent_or_slow(pause: Duration) -> Broker {
    Broker::start(move |mut connection: Connection| {
        while let Some(asked) = connection.request() {
            if asked.correlation_id % 2 == 1 {
                std::thread::sleep(pause);
                connection.send(&frames::raw_response(asked.correlation_id, ALIVE));
            }
        }
        // It does not close, as a broker that is stopped does not.
        std::thread::sleep(4 * PATIENCE);
    })
}

#[test]
fn after_the_clients_end_an_answer_has_a_bounded_time() {
    let _alone = alone();
    let broker = silent_or_slow(Duration::from_millis(500));
    let network = |network: &mut Network| network.authenticated_idle_timeout = Some(Duration::from_secs(3));
    let proxy = Setup::to(&[broker.address]).network(network).start();
    let mut half_closing = proxy.client();
    for id in [1, 3, 5] {
        half_closing.send(&heartbeat(id));
    }
    half_closing.finish();
    let mut gone = proxy.client();
    gone.send(&heartbeat(2));
    gone.finish();
    for id in [1, 3, 5] {
        assert_eq!(correlation_id(&half_closing.frame()), id);
    }
    half_closing.expect_fin();
    gone.expect_fin();
    drop((half_closing, gone));
    proxy.expect_closes(CloseCause::ClientClosed, 2);
    proxy.expect_sessions(0);
}

#[test]
fn sessions_of_clients_that_are_gone_do_not_pile_up_at_a_broker_that_is_stopped() {
    const GONE: usize = 60;
    const FEW: usize = 12;
    let _alone = alone();
    let (stopped, fine) = (silent_or_slow(Duration::ZERO), Broker::echoing(ALIVE));
    let proxy = Setup::to(&[stopped.address])
        .and("other", &[fine.address])
        .start();
    for _ in 0..GONE {
        proxy.client().send(&heartbeat(2));
    }
    let sessions = |proxy: &TestProxy| proxy.proxy.status().unwrap().clusters[0].connections;
    eventually("all but a few have gone", || sessions(&proxy) <= FEW);
    for _ in 0..20 {
        is_served(proxy.bootstrap_of("other"));
    }
}

#[test]
fn a_client_that_ended_its_stream_and_does_not_read_is_closed() {
    /// kproxy waits for half a minute.
    const LONG: Duration = Duration::from_secs(70);
    let _alone = alone();
    let broker = generous(ALIVE);
    let proxy = Setup::to(&[broker.address]).start();
    let client = stalled(proxy.bootstrap());
    client.stream.peek(&mut [0]).unwrap();
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let counters = proxy.counters();
    let began = Instant::now();
    while counters.closes(CloseCause::ClientTooSlow) == 0 {
        assert!(began.elapsed() < LONG, "{:?}", closes(&counters));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ledger::bytes_in_use(), 0);
}
