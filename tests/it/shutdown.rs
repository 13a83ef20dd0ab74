//! What a shutdown promises.
//!
//! 1. N requests in flight get N answers, in order, then a FIN; no reset, also behind a slow reader, and also if
//!    the soft deadline passes while it reads.
//! 2. Sessions that owe and are owed nothing leave at once.
//! 3. A request that is never answered does not hold the process beyond its deadline, and is counted.
//! 4. From the moment a shutdown begins, new connections are refused.
//! 5. Requests the client keeps sending stop being read at the soft deadline; none is forwarded and unanswered.
//! 6. A client that is owed nothing does not hold the process, however it behaves: it ends well within ten seconds.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiVersionsRequest;
use kproxy::app::Exit;
use kproxy::model::ProxyProtocolMode;
use testkit::broker::Broker;
use testkit::client::{Client, End};
use testkit::frames;
use testkit::frames::heartbeat;
use testkit::manual_broker::ManualBroker;
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

/// Shuts the proxy down on a thread of its own; the outcome comes through the channel.
fn shut_down(proxy: TestProxy) -> mpsc::Receiver<(Exit, Duration)> {
    let (done, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        let began = Instant::now();
        let exit = proxy.shutdown();
        done.send((exit, began.elapsed())).unwrap();
    });
    outcome
}

fn refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

fn n_of_n(requests: i32, body_len: usize, read_before_answers: bool) {
    let broker = ManualBroker::start(body_len);
    let proxy = Setup::to(&[broker.broker.address]).start();
    let address = proxy.bootstrap();
    let mut client = if read_before_answers {
        proxy.client()
    } else {
        Client::with_small_window(address)
    };
    for correlation_id in 0..requests {
        client.send(&heartbeat(correlation_id));
    }
    broker.expect_received(requests as usize);
    let outcome = shut_down(proxy);
    eventually("new connections are refused", || refused(address));
    for _ in 0..requests {
        broker.answer.send(()).unwrap();
    }
    for correlation_id in 0..requests {
        let content = client.frame();
        assert_eq!(frames::correlation_id(&content), correlation_id);
        assert_eq!(
            content[4..],
            frames::noise(correlation_id.unsigned_abs().into(), body_len)
        );
    }
    client.expect_fin();
    drop(client);
    let (exit, _) = outcome.recv().unwrap();
    assert!(
        matches!(exit, Exit::Drained(drained) if drained.sessions >= 1 && drained.forced == 0),
        "{exit:?}"
    );
}

#[test]
fn three_requests_in_flight_get_three_answers() {
    n_of_n(3, 100, true);
}

#[test]
fn a_hundred_requests_in_flight_get_a_hundred_answers() {
    n_of_n(100, 100, true);
}

#[test]
fn a_slow_reader_gets_every_byte_of_answers_of_two_mebibytes() {
    n_of_n(5, 2 << 20, false);
}

#[test]
fn the_soft_deadline_cuts_no_answer_that_a_slow_reader_is_taking_in() {
    const SOFT: Duration = Duration::from_millis(600);
    const BODY: usize = 200 << 10;
    let broker = ManualBroker::start(BODY);
    let proxy = Setup::to(&[broker.broker.address])
        .cluster(|cluster| cluster.drain.timeout = SOFT)
        .start();
    let mut client = Client::with_small_window(proxy.bootstrap());
    client.send(&heartbeat(7));
    broker.expect_received(1);
    let mut silent = proxy.client();
    proxy.expect_sessions(2);
    let outcome = shut_down(proxy);
    // All sessions are told to leave at once; now the soft deadline is what the other one waits for.
    silent.expect_fin();
    let begun = Instant::now();
    drop(silent);
    broker.answer.send(()).unwrap();
    while begun.elapsed() < SOFT + Duration::from_millis(200) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // To a socket that is closed this would mean a reset, and the end of what is still on its way.
    client.send(&heartbeat(8));
    let content = client.frame();
    assert_eq!(frames::correlation_id(&content), 7);
    assert!(content[4..] == frames::noise(7, BODY), "the body is another");
    client.expect_fin();
    // Nobody stays whose end a leaving session would wait for.
    drop((client, broker.answer));
    let (exit, _) = outcome.recv().unwrap();
    assert!(
        matches!(exit, Exit::Drained(drained) if drained.sessions == 2 && drained.forced == 0),
        "{exit:?}"
    );
}

#[test]
fn a_request_that_is_in_the_socket_when_the_shutdown_begins_is_answered() {
    let broker = Broker::echoing(b"ok");
    let proxy = Setup::to(&[broker.address]).start();
    let mut clients: Vec<_> = (0..100)
        .map(|correlation_id| {
            let mut client = proxy.client();
            client.send(&heartbeat(correlation_id));
            client
        })
        .collect();
    let outcome = shut_down(proxy);
    for (client, correlation_id) in clients.iter_mut().zip(0..) {
        assert_eq!(frames::correlation_id(&client.frame()), correlation_id);
        client.expect_fin();
    }
    drop(clients);
    let (exit, _) = outcome.recv().unwrap();
    assert!(
        matches!(exit, Exit::Drained(drained) if drained.forced == 0),
        "{exit:?}"
    );
}

#[test]
fn idle_sessions_leave_at_once() {
    let broker = Broker::echoing(b"ok");
    let proxy = Setup::to(&[broker.address]).start();
    let mut clients: Vec<_> = (0..20).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.ask(&heartbeat(7));
    }
    // These have said nothing, or not enough to be anything.
    let mut silent = proxy.client();
    let mut begun = proxy.client();
    begun.send(&heartbeat(1)[..7]);
    proxy.expect_sessions(22);
    let outcome = shut_down(proxy);
    for client in clients.iter_mut().chain([&mut silent, &mut begun]) {
        client.expect_fin();
    }
    drop((clients, silent, begun));
    let (exit, took) = outcome.recv().unwrap();
    assert!(
        matches!(exit, Exit::Drained(drained) if drained.sessions == 22 && drained.forced == 0),
        "{exit:?}"
    );
    assert!(
        took < Duration::from_secs(8),
        "well below the soft deadline of 10 s: {took:?}"
    );
}

/// A supervisor may wait for less than the soft deadline: `docker stop` kills after ten seconds.
#[test]
fn a_client_that_has_only_introduced_itself_does_not_hold_the_process() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            connection.answer(&asked, &testkit::cluster::api_versions());
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    client.call(3, 1, &ApiVersionsRequest::default());
    let outcome = shut_down(proxy);
    client.expect_fin();
    // It does not close its own side, which does not hold the process either.
    let (exit, took) = outcome.recv().unwrap();
    drop(client);
    assert!(
        matches!(exit, Exit::Drained(drained) if drained.sessions == 1 && drained.forced == 0),
        "{exit:?}"
    );
    assert!(
        took < Duration::from_secs(8),
        "well below the soft deadline of 10 s: {took:?}"
    );
}

/// Neither does a client that stops in the middle of its first step.
#[test]
fn a_client_that_stops_within_its_first_step_does_not_hold_the_process() {
    let broker = Broker::echoing(b"ok");
    let proxy = Setup::to(&[broker.address])
        .gateway(|gateway| gateway.proxy_protocol.mode = ProxyProtocolMode::Required)
        .start();
    let mut begun = proxy.client();
    // The beginning of a PROXY header.
    begun.send(b"PROXY ");
    proxy.expect_sessions(1);
    let outcome = shut_down(proxy);
    let (exit, took) = outcome.recv().unwrap();
    drop(begun);
    assert!(matches!(exit, Exit::Drained(_)), "{exit:?}");
    assert!(
        took < Duration::from_secs(8),
        "well below the ten seconds that a hello may take: {took:?}"
    );
}

#[test]
fn a_request_that_is_never_answered_is_closed_at_the_deadline_and_counted() {
    let broker = ManualBroker::start(10);
    let proxy = Setup::to(&[broker.broker.address])
        .network(|net| net.shutdown_timeout = Duration::from_secs(2))
        .start();
    let mut client = proxy.client();
    client.send(&heartbeat(1));
    broker.expect_received(1);
    let outcome = shut_down(proxy);
    let (bytes, end) = client.rest();
    assert_eq!((bytes.len(), end), (0, End::Fin));
    let (exit, took) = outcome.recv().unwrap();
    assert!(
        matches!(exit, Exit::Drained(drained) if drained.forced == 1),
        "{exit:?}"
    );
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

#[test]
fn requests_that_keep_coming_stop_being_read_and_none_is_left_unanswered() {
    let received = Arc::<Mutex<Vec<i32>>>::default();
    let seen = Arc::clone(&received);
    let broker = Broker::start(move |mut connection| {
        while let Some(asked) = connection.request() {
            seen.lock().unwrap().push(asked.correlation_id);
            connection.send(&frames::raw_response(asked.correlation_id, b"ok"));
        }
    });
    let proxy = Setup::to(&[broker.address])
        .network(|net| net.shutdown_timeout = Duration::from_secs(3))
        .start();
    let client = proxy.client();
    let mut sender = Client::over(client.stream.try_clone().unwrap());
    let sending = std::thread::spawn(move || {
        let mut correlation_id = 0;
        // Sixteen at a time, so that the session is never quiet; ends when the connection does.
        loop {
            let batch: Vec<u8> = (0..16).flat_map(|n| heartbeat(correlation_id + n)).collect();
            if std::io::Write::write_all(&mut sender.stream, &batch).is_err() {
                return;
            }
            correlation_id += 16;
        }
    });
    let mut client = client;
    assert_eq!(frames::correlation_id(&client.frame()), 0);
    let outcome = shut_down(proxy);
    let mut answered = 1;
    while let Ok(content) = client.try_frame() {
        assert_eq!(frames::correlation_id(&content), answered);
        answered += 1;
    }
    drop(client);
    let (exit, _) = outcome.recv().unwrap();
    sending.join().unwrap();
    assert!(
        matches!(exit, Exit::Drained(drained) if drained.forced == 0),
        "{exit:?}"
    );
    eventually("the broker has seen what was answered, and nothing else", || {
        received.lock().unwrap().len() == answered as usize
    });
}
