//! What a session that is told to leave promises to its client.
//!
//! 1. A client that always has requests on their way and heeds a throttle time is quiet long before the soft
//!    deadline: every request answered, then FIN. One that does not heed it is read until the soft deadline; what was
//!    forwarded until then is answered.
//! 2. A Fetch that is forwarded meanwhile is not kept for longer than a moment.
//! 3. Requests that are safe to repeat and that nobody answers are given up at the soft deadline: JoinGroup since
//!    version 4, SyncGroup, a Fetch.
//! 4. Others are waited for until the hard deadline: JoinGroup up to version 3, Produce. What is answered by then is
//!    delivered; what is not is counted.
//! 5. A client that has only introduced itself comes to its first real answer, also where the soft deadline is at once;
//!    but one that then says nothing is not waited for.
//!
//! 6. A client that only sends `acks=0`, which nothing answers, leaves by the soft deadline, and nothing it has sent is lost.
//!
//! That an answer which is merely under way at the soft deadline is delivered, whatever it answers, is among the promises
//! of `shutdown.rs`.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_protocol::messages::{
    ApiVersionsRequest, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse,
};
use kafka_protocol::protocol::Decodable as _;
use kproxy::app::Exit;
use kproxy::model::DrainStrategy;
use kproxy::session::cause::CloseCause;
use kproxy::session::counters::ClusterCounters;
use testkit::broker::{Asked, Broker, Connection};
use testkit::client::{Client, End};
use testkit::frames;
use testkit::frames::HEARTBEAT;
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

const API_VERSIONS: i16 = 18;
const JOIN_GROUP: i16 = 11;
const SYNC_GROUP: i16 = 14;
const FETCH: i16 = 1;
const PRODUCE: i16 = 0;

const SOFT: Duration = Duration::from_millis(800);
const HARD: Duration = Duration::from_millis(2500);
/// Beyond a deadline, on a machine that is busy with other tests.
const LATE: Duration = Duration::from_secs(1);

/// A broker that takes every request in at once and answers them one after the other, as `answer` decides; `None` keeps
/// the request, and with it all that follow, for ever.
struct Serial {
    broker: Broker,
    received: Arc<Mutex<Vec<Asked>>>,
}

impl Serial {
    fn start(answer: impl Fn(&Asked) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let received = Arc::<Mutex<Vec<Asked>>>::default();
        let (seen, answer) = (Arc::clone(&received), Arc::new(answer));
        let broker = Broker::start(move |mut connection: Connection| {
            let (asked, waiting) = mpsc::channel::<Asked>();
            let mut writer = Connection {
                stream: Arc::clone(&connection.stream),
                index: connection.index,
            };
            let answer = Arc::clone(&answer);
            let answering = std::thread::spawn(move || {
                for asked in waiting {
                    let Some(frame) = answer(&asked) else { break };
                    writer.send(&frame);
                }
            });
            while let Some(request) = connection.request() {
                seen.lock().unwrap().push(request.clone());
                // The other side has gone when it keeps a request.
                drop(asked.send(request));
            }
            drop(asked);
            answering.join().unwrap();
            connection.fin();
        });
        Self { broker, received }
    }

    fn expect_received(&self, count: usize) {
        eventually(&format!("{count} requests at the broker"), || {
            self.received.lock().unwrap().len() == count
        });
    }

    fn received(&self, index: usize) -> Asked {
        self.received.lock().unwrap()[index].clone()
    }
}

fn request(key: i16, version: i16, correlation_id: i32) -> Vec<u8> {
    frames::raw_request(key, version, correlation_id, b"..........")
}

fn ok(asked: &Asked) -> Vec<u8> {
    frames::raw_response(asked.correlation_id, b"......")
}

/// A drain that has begun on a thread of its own.
struct Drain {
    began: Instant,
    outcome: mpsc::Receiver<Exit>,
    counters: Arc<ClusterCounters>,
}

impl Drain {
    fn begin(proxy: TestProxy) -> Self {
        let counters = proxy.counters();
        let (done, outcome) = mpsc::channel();
        let began = Instant::now();
        std::thread::spawn(move || done.send(proxy.shutdown()).unwrap());
        Self {
            began,
            outcome,
            counters,
        }
    }

    /// The clients have gone. All of them were drained, but for so many who were cut off.
    fn expect_end(self, sessions: usize, forced: usize) {
        let exit = self.outcome.recv().unwrap();
        assert!(
            matches!(exit, Exit::Drained(drained) if drained.sessions == sessions && drained.forced == forced as u64),
            "{exit:?}"
        );
        let closes = |cause| self.counters.closes(cause);
        assert_eq!(closes(CloseCause::DrainTimeout), forced as u64);
        assert_eq!(closes(CloseCause::Drained), (sessions - forced) as u64);
    }
}

fn setup(broker: &Serial, soft: Duration, hard: Duration) -> Setup {
    Setup::to(&[broker.broker.address])
        .network(|network| network.shutdown_timeout = Duration::from_secs(30))
        .cluster(|cluster| (cluster.drain.timeout, cluster.drain.hard_timeout) = (soft, hard))
}

/// Version 9: the first that is flexible, with its throttle time in the middle.
const PRODUCE_VERSION: i16 = 9;
/// Requests that a pipelining client has on their way.
const DEPTH: usize = 5;

/// Answers nothing as long as another request may follow, so that a client that sends one for every answer always has
/// some on their way.
fn pipelining_broker() -> (Broker, Arc<Mutex<usize>>) {
    let received = Arc::<Mutex<usize>>::default();
    let seen = Arc::clone(&received);
    let broker = Broker::start(move |mut connection: Connection| {
        let (asked, waiting) = mpsc::channel::<Asked>();
        let mut writer = Connection {
            stream: Arc::clone(&connection.stream),
            index: connection.index,
        };
        let answering = std::thread::spawn(move || {
            let mut queue = VecDeque::new();
            loop {
                let next = waiting.recv_timeout(Duration::from_millis(50));
                let idle = next.is_err();
                match next {
                    Ok(asked) => queue.push_back(asked),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                while queue.len() > 2 || (idle && !queue.is_empty()) {
                    let asked = queue.pop_front().unwrap();
                    writer.answer(&asked, &ProduceResponse::default());
                }
            }
        });
        while let Some(request) = connection.request() {
            *seen.lock().unwrap() += 1;
            asked.send(request).unwrap();
        }
        drop(asked);
        answering.join().unwrap();
        connection.fin();
    });
    (broker, received)
}

/// What a pipelining client has seen when its connection has ended.
struct Pipelined {
    sent: usize,
    answered: usize,
    throttled: usize,
    end: Instant,
}

/// Keeps [`DEPTH`] requests on their way until FIN. Pauses when it is asked to, if it `heeds`.
fn pipeline(mut client: Client, heeds: bool, begun: &mpsc::Sender<()>) -> Pipelined {
    let produce = ProduceRequest::default().with_acks(1);
    let frame = |id: usize| frames::request(PRODUCE_VERSION, id as i32, &produce);
    let (mut sent, mut answered, mut throttled) = (0, 0, 0);
    let mut paused_until = Instant::now();
    loop {
        while sent < answered + DEPTH && Instant::now() >= paused_until {
            client.send(&frame(sent));
            sent += 1;
        }
        let Ok(content) = client.try_frame() else { break };
        let (id, answer): (i32, ProduceResponse) = frames::decode(PRODUCE_VERSION, &content);
        assert_eq!(id as usize, answered);
        answered += 1;
        if answered == 3 * DEPTH {
            begun.send(()).unwrap();
        }
        throttled += usize::from(answer.throttle_time_ms > 0);
        if heeds && answer.throttle_time_ms > 0 {
            let pause = Duration::from_millis(answer.throttle_time_ms.unsigned_abs().into());
            paused_until = Instant::now() + pause;
        }
    }
    let end = Instant::now();
    assert_eq!(client.rest(), (Vec::new(), End::Fin));
    Pipelined {
        sent,
        answered,
        throttled,
        end,
    }
}

fn drain_pipelined(heeds: bool, soft: Duration) -> (Pipelined, Duration, usize) {
    let (broker, received) = pipelining_broker();
    let proxy = Setup::to(&[broker.address])
        .network(|network| network.shutdown_timeout = Duration::from_secs(60))
        .cluster(|cluster| (cluster.drain.timeout, cluster.drain.hard_timeout) = (soft, 2 * soft))
        .start();
    let client = proxy.client();
    let (begun, running) = mpsc::channel();
    let client = std::thread::spawn(move || pipeline(client, heeds, &begun));
    running.recv().unwrap();
    let drain = Drain::begin(proxy);
    let began = drain.began;
    let seen = client.join().unwrap();
    drain.expect_end(1, 0);
    let took = seen.end - began;
    let received = *received.lock().unwrap();
    (seen, took, received)
}

#[test]
fn a_busy_client_that_heeds_the_throttle_time_is_quiet_before_the_soft_deadline() {
    let soft = Duration::from_secs(15);
    let (seen, took, received) = drain_pipelined(true, soft);
    assert!(seen.throttled > 0);
    assert_eq!((seen.answered, received), (seen.sent, seen.sent));
    assert!(took < soft / 3, "{took:?}");
}

#[test]
fn a_busy_client_that_heeds_nothing_is_read_until_the_soft_deadline() {
    let (seen, took, received) = drain_pipelined(false, SOFT);
    assert!(seen.throttled > 0);
    assert_eq!(seen.answered, received, "what was forwarded is answered");
    assert!(took >= SOFT, "{took:?}");
}

#[test]
fn a_fetch_that_is_forwarded_meanwhile_is_kept_for_a_moment_only() {
    const VERSION: i16 = 11;
    let (permit, permitted) = mpsc::channel::<()>();
    let permitted = Mutex::new(permitted);
    let broker = Serial::start(move |asked| {
        if asked.api_key == HEARTBEAT {
            permitted.lock().unwrap().recv().unwrap();
            return Some(ok(asked));
        }
        std::thread::sleep(Duration::from_millis(max_wait(asked).unsigned_abs().into()));
        Some(frames::response(
            VERSION,
            asked.correlation_id,
            &FetchResponse::default(),
        ))
    });
    let proxy = setup(&broker, Duration::from_secs(15), Duration::from_secs(20)).start();
    let mut client = proxy.client();
    client.send(&request(HEARTBEAT, 1, 0));
    broker.expect_received(1);
    let mut silent = proxy.client();
    proxy.expect_sessions(2);
    let drain = Drain::begin(proxy);
    // All are told at once, and a session that has been told has noticed when it has forwarded something.
    silent.expect_fin();
    client.send(&request(HEARTBEAT, 1, 1));
    broker.expect_received(2);
    let fetch = FetchRequest::default().with_max_wait_ms(60_000).with_min_bytes(1);
    client.send(&frames::request(VERSION, 2, &fetch));
    broker.expect_received(3);
    assert_eq!(max_wait(&broker.received(2)), 100);
    permit.send(()).unwrap();
    permit.send(()).unwrap();
    for correlation_id in 0..3 {
        assert_eq!(frames::correlation_id(&client.frame()), correlation_id);
    }
    client.expect_fin();
    assert!(drain.began.elapsed() < Duration::from_secs(5));
    drop((client, silent));
    drain.expect_end(2, 0);
}

fn max_wait(asked: &Asked) -> i32 {
    let body = 8 + 2 + frames::CLIENT_ID.len();
    let fetch = FetchRequest::decode(&mut &asked.content[body..], asked.api_version).unwrap();
    fetch.max_wait_ms
}

/// A session that has had a real answer and now has a request in flight that the broker keeps.
fn parked(key: i16, version: i16) -> (Serial, TestProxy, Client) {
    let broker = Serial::start(|asked| (asked.api_key == HEARTBEAT).then(|| ok(asked)));
    let proxy = setup(&broker, SOFT, HARD).start();
    let mut client = proxy.client();
    client.ask(&request(HEARTBEAT, 1, 0));
    client.send(&request(key, version, 1));
    broker.expect_received(2);
    (broker, proxy, client)
}

#[test]
fn parked_requests_that_are_safe_to_repeat_are_given_up_at_the_soft_deadline() {
    for (key, version) in [(JOIN_GROUP, 4), (JOIN_GROUP, 9), (SYNC_GROUP, 0), (FETCH, 11)] {
        let (_broker, proxy, mut client) = parked(key, version);
        let drain = Drain::begin(proxy);
        client.expect_fin();
        let took = drain.began.elapsed();
        assert!(
            took >= SOFT && took < SOFT + LATE,
            "{key} v{version} after {took:?}"
        );
        drop(client);
        drain.expect_end(1, 0);
    }
}

#[test]
fn others_are_waited_for_until_the_hard_deadline() {
    for (key, version) in [(JOIN_GROUP, 0), (JOIN_GROUP, 3)] {
        let (_broker, proxy, mut client) = parked(key, version);
        let drain = Drain::begin(proxy);
        client.expect_fin();
        let took = drain.began.elapsed();
        assert!(took >= HARD, "{key} v{version} after {took:?}");
        drop(client);
        drain.expect_end(1, 1);
    }
}

/// Answers Heartbeats at once and everything else when `permit` says so.
fn answered_late(key: i16, version: i16) -> (Serial, TestProxy, Client, mpsc::Sender<()>) {
    let (permit, permitted) = mpsc::channel::<()>();
    let permitted = Mutex::new(permitted);
    let broker = Serial::start(move |asked| {
        let late = asked.api_key != HEARTBEAT;
        (!late || permitted.lock().unwrap().recv().is_ok()).then(|| ok(asked))
    });
    let proxy = setup(&broker, SOFT, Duration::from_secs(20)).start();
    let mut client = proxy.client();
    client.ask(&request(HEARTBEAT, 1, 0));
    let frame = if key == PRODUCE {
        frames::request(version, 1, &ProduceRequest::default().with_acks(1))
    } else {
        request(key, version, 1)
    };
    client.send(&frame);
    broker.expect_received(2);
    (broker, proxy, client, permit)
}

#[test]
fn what_is_answered_between_the_deadlines_is_delivered() {
    // Unflexible versions: the answer is any bytes behind a correlation id.
    for (key, version) in [(JOIN_GROUP, 3), (PRODUCE, 8)] {
        let (_broker, proxy, mut client, permit) = answered_late(key, version);
        let drain = Drain::begin(proxy);
        let silence = SOFT + LATE;
        assert!(client.is_silent_for(silence), "{key} v{version} is given up");
        permit.send(()).unwrap();
        assert_eq!(frames::correlation_id(&client.frame()), 1);
        client.expect_fin();
        drop(client);
        drain.expect_end(1, 0);
    }
}

/// A client that has asked for the versions, at a proxy that reads nothing more once it drains.
fn introduced() -> (Broker, Setup) {
    let broker = Broker::start(|mut connection: Connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                API_VERSIONS => connection.answer(&asked, &testkit::cluster::api_versions()),
                _ => connection.send(&ok(&asked)),
            }
        }
    });
    let setup = Setup::to(&[broker.address])
        .network(|network| network.shutdown_timeout = Duration::from_secs(30))
        .cluster(|cluster| cluster.drain.strategy = DrainStrategy::Immediate);
    (broker, setup)
}

#[test]
fn an_immediate_drain_lets_a_client_come_to_its_first_real_answer() {
    let (_broker, setup) = introduced();
    let proxy = setup.start();
    let mut client = proxy.client();
    client.call(3, 1, &ApiVersionsRequest::default());
    let drain = Drain::begin(proxy);
    assert!(
        client.is_silent_for(Duration::from_millis(300)),
        "closed too early"
    );
    assert_eq!(frames::correlation_id(&client.ask(&request(HEARTBEAT, 1, 2))), 2);
    client.expect_fin();
    drop(client);
    drain.expect_end(1, 0);
}

#[test]
fn an_immediate_drain_lets_a_client_that_has_just_connected_speak() {
    let (_broker, setup) = introduced();
    let proxy = setup.start();
    let mut client = proxy.client();
    let drain = Drain::begin(proxy);
    assert!(
        client.is_silent_for(Duration::from_millis(200)),
        "closed too early"
    );
    client.call(3, 1, &ApiVersionsRequest::default());
    assert_eq!(frames::correlation_id(&client.ask(&request(HEARTBEAT, 1, 2))), 2);
    client.expect_fin();
    drop(client);
    drain.expect_end(1, 0);
}

#[test]
fn an_immediate_drain_does_not_wait_for_a_client_that_says_nothing() {
    let (_broker, setup) = introduced();
    let proxy = setup.start();
    let mut client = proxy.client();
    client.call(3, 1, &ApiVersionsRequest::default());
    let drain = Drain::begin(proxy);
    client.expect_fin();
    assert!(
        drain.began.elapsed() < Duration::from_secs(5),
        "{:?}",
        drain.began.elapsed()
    );
    drop(client);
    drain.expect_end(1, 0);
}

/// Sends `acks=0` without a pause until it sees the FIN; how often. `begun` is told after the first few.
fn fire(mut client: Client, begun: &mpsc::Sender<()>) -> usize {
    let produce = ProduceRequest::default().with_acks(0);
    client.call(3, 1, &ApiVersionsRequest::default());
    let mut sent = 0;
    client.stream.set_nonblocking(true).unwrap();
    while client.stream.peek(&mut [0]).is_err() {
        let frame = frames::request(PRODUCE_VERSION, sent as i32, &produce);
        let mut left = frame.as_slice();
        while !left.is_empty() {
            match (&client.stream).write(left) {
                Ok(taken) => left = &left[taken..],
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        sent += 1;
        if sent == 10 {
            begun.send(()).unwrap();
        }
    }
    client.finish();
    sent
}

/// It was kept until the hard deadline, for want of a first answer, and lost what arrived just then.
#[test]
fn a_client_that_only_sends_acks_0_leaves_and_loses_nothing() {
    const CLIENTS: usize = 4;
    let received = Arc::<Mutex<usize>>::default();
    let seen = Arc::clone(&received);
    let broker = Broker::start(move |mut connection: Connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                API_VERSIONS => connection.answer(&asked, &testkit::cluster::api_versions()),
                _ => *seen.lock().unwrap() += 1,
            }
        }
        connection.fin();
    });
    let hard = Duration::from_secs(60);
    let proxy = Setup::to(&[broker.address])
        .network(|network| network.shutdown_timeout = 2 * hard)
        .cluster(|cluster| (cluster.drain.timeout, cluster.drain.hard_timeout) = (SOFT, hard))
        .start();
    let (begun, running) = mpsc::channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, begun) = (proxy.client(), begun.clone());
            std::thread::spawn(move || fire(client, &begun))
        })
        .collect();
    (0..CLIENTS).for_each(|_| running.recv().unwrap());
    let drain = Drain::begin(proxy);
    let began = drain.began;
    let sent: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    drain.expect_end(CLIENTS, 0);
    assert!(began.elapsed() < hard, "kept until the hard deadline");
    eventually("the broker has everything", || *received.lock().unwrap() == sent);
}
