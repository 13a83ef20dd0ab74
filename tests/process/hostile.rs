//! What a peer that means ill, or does not speak Kafka, can do.
//!
//! 1. A client that does not begin with a request of Kafka's is turned away with a FIN; no broker hears of it.
//! 2. A request that proves malformed later ends its connection; nothing of it reaches the broker.
//! 3. The same in the middle of a session; what was answered before has arrived.
//! 4. A client that ends in the middle of a request has closed, and nobody else is blamed.
//! 5. A broker that breaks the protocol loses that one session; what it sent before has been delivered, and no
//!    address of its own gets through.
//! 6. A broker that answers kproxy's own questions with nonsense costs the client that waits its connection.
//! 7. Every end is counted under its cause; other sessions of the same cluster go on throughout.
//! 8. Nothing is allocated because a frame claims to be large.
//! 9. A client that trickles, or says nothing, is closed at `unauthenticatedIdleTimeout`.

mod misdeeds;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use kproxy::model::Network;
use kproxy::session::cause::CloseCause;
use misdeeds::{Ends, Misdeed, misdeeds};
use testkit::binary::Binary;
use testkit::broker::{Broker, Connection};
use testkit::client::{Client, End};
use testkit::frames;
use testkit::frames::{ALIVE, HEARTBEAT, heartbeat};
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::{PATIENCE, eventually};

/// The correlation id of everything hostile.
const HOSTILE: i32 = 666;

const HUNDRED_MIB: i32 = 100 << 20;

/// A session that nothing happens to.
struct Bystander {
    client: Client,
    next: i32,
}

impl Bystander {
    fn at(address: SocketAddr) -> Self {
        let mut bystander = Self {
            client: Client::connect(address),
            next: 100_000,
        };
        bystander.is_served("before anything happened");
        bystander
    }

    #[track_caller]
    fn is_served(&mut self, when: &str) {
        self.next += 1;
        let answer = self.client.ask(&heartbeat(self.next));
        assert_eq!(answer, [&self.next.to_be_bytes(), ALIVE].concat(), "{when}");
    }
}

/// A broker that answers everything and remembers who asked.
fn honest() -> (Broker, Arc<Mutex<Vec<i32>>>) {
    let asked_by = Arc::<Mutex<Vec<i32>>>::default();
    let broker = Broker::start({
        let asked_by = Arc::clone(&asked_by);
        move |mut connection: Connection| {
            while let Some(asked) = connection.request() {
                asked_by.lock().unwrap().push(asked.correlation_id);
                connection.send(&frames::raw_response(asked.correlation_id, ALIVE));
            }
        }
    });
    (broker, asked_by)
}

/// Closes expected so far, by cause.
#[derive(Default)]
struct Closes(HashMap<CloseCause, u64>);

impl Closes {
    #[track_caller]
    fn expect_one_more(&mut self, proxy: &TestProxy, cause: CloseCause) {
        let count = self.0.entry(cause).or_default();
        *count += 1;
        proxy.expect_closes(cause, *count);
    }
}

/// A size and a request that has nothing to do with it.
fn claiming(size: i32) -> Vec<u8> {
    [&size.to_be_bytes(), &heartbeat(HOSTILE)[4..]].concat()
}

/// Openings that their first twelve bytes give away.
fn openings() -> Vec<(&'static str, Vec<u8>, CloseCause)> {
    use CloseCause::{
        FrameTooLarge, HttpOnKafkaPort, InvalidFrameSize, TlsOnPlaintextPort, UnexpectedProxyHeader,
        UnsupportedApi,
    };
    // A TLS 1.3 client begins with a record of version 3.1 that holds a ClientHello.
    let hello = [
        &[0x16, 3, 1, 0, 0xc8, 1, 0, 0, 0xc4, 3, 3][..],
        &frames::noise(1, 190),
    ]
    .concat();
    let proxy_v2 =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x30\x39\x23\x84".to_vec();
    let request = |key, version| frames::raw_request(key, version, HOSTILE, b"");
    vec![
        ("size -1", claiming(-1), InvalidFrameSize),
        ("size 0", claiming(0), InvalidFrameSize),
        ("size 3", claiming(3), InvalidFrameSize),
        ("size 2^31-1", claiming(i32::MAX), FrameTooLarge),
        ("size 100 MiB + 1", claiming(HUNDRED_MIB + 1), FrameTooLarge),
        ("TLS ClientHello", hello, TlsOnPlaintextPort),
        (
            "HTTP GET",
            b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n".to_vec(),
            HttpOnKafkaPort,
        ),
        (
            "HTTP POST",
            b"POST /topics HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
            HttpOnKafkaPort,
        ),
        (
            "PROXY v1",
            b"PROXY TCP4 127.0.0.1 127.0.0.1 12345 9092\r\n".to_vec(),
            UnexpectedProxyHeader,
        ),
        ("PROXY v2", proxy_v2, UnexpectedProxyHeader),
        ("unknown API", request(9999, 0), UnsupportedApi),
        ("negative API", request(-1, 0), UnsupportedApi),
        ("Metadata too new", request(3, 99), UnsupportedApi),
        ("Metadata below zero", request(3, -1), UnsupportedApi),
        ("ApiVersions below zero", request(18, -1), UnsupportedApi),
        ("Produce too new", request(0, i16::MAX), UnsupportedApi),
    ]
}

/// Random bytes and how they are to be judged: by their size, or by an API that cannot be.
fn noises() -> Vec<(Vec<u8>, CloseCause)> {
    let judge = |bytes: Vec<u8>| {
        let cause = match i32::from_be_bytes(*bytes.first_chunk().unwrap()) {
            ..10 => CloseCause::InvalidFrameSize,
            10..=HUNDRED_MIB => CloseCause::UnsupportedApi,
            _ => CloseCause::FrameTooLarge,
        };
        (bytes, cause)
    };
    let plausible = |seed| [&[0, 0, 1, 0], &frames::noise(seed, 64)[..]].concat();
    let any = (1..60).map(|seed| frames::noise(seed, 12 + 29 * seed as usize));
    any.chain((1..20).map(plausible)).map(judge).collect()
}

/// Requests whose head is fine and whose lengths are not.
fn malformed_requests() -> Vec<(&'static str, Vec<u8>, CloseCause)> {
    let produce = |version, behind_head: &[u8]| {
        let head = [&[0, 0], &i16::to_be_bytes(version)[..], &HOSTILE.to_be_bytes()].concat();
        frames::framed(&[&head, behind_head].concat())
    };
    let cause = CloseCause::MalformedRequest;
    vec![
        (
            "Produce: client id beyond the frame",
            produce(3, b"\x7f\xffab"),
            cause,
        ),
        ("Produce: negative length", produce(3, b"\xff\xfeab"), cause),
        (
            "Produce: transactional id beyond the frame",
            produce(3, b"\0\x01c\x7f\xff\0\0"),
            cause,
        ),
        (
            "Produce: tag beyond the frame",
            produce(9, b"\0\x01c\x01\0\xff\xff\xff\xff\x07"),
            cause,
        ),
        (
            "Produce: compact id beyond the frame",
            produce(9, b"\0\x01c\0\xff\xff\xff\xff\x07\0"),
            cause,
        ),
        (
            "SaslHandshake of 64 KiB",
            claim(17, 1, 64 * 1024 + 1),
            CloseCause::FrameTooLarge,
        ),
    ]
}

/// The head of a request that claims a size, and a little of its body.
fn claim(key: i16, version: i16, size: i32) -> Vec<u8> {
    let mut request = frames::raw_request(key, version, HOSTILE, &[0; 64]);
    request[..4].copy_from_slice(&size.to_be_bytes());
    request
}

#[test]
fn a_client_that_does_not_speak_kafka_is_turned_away_before_a_broker_hears_of_it() {
    let (broker, _) = honest();
    let proxy = Setup::to(&[broker.address]).start();
    let (mut bystander, mut closes) = (Bystander::at(proxy.bootstrap()), Closes::default());
    let noises = noises().into_iter().map(|(bytes, cause)| ("noise", bytes, cause));
    for (name, bytes, cause) in openings().into_iter().chain(noises) {
        let mut client = proxy.client();
        client.send(&bytes);
        client.expect_fin();
        drop(client);
        closes.expect_one_more(&proxy, cause);
        bystander.is_served(name);
    }
    for (name, bytes, cause) in openings() {
        let mut client = proxy.client();
        client.send_bytewise(&bytes[..12]);
        client.expect_fin();
        drop(client);
        closes.expect_one_more(&proxy, cause);
        bystander.is_served(name);
    }
    assert_eq!(
        proxy.counters().connected.load(Ordering::Relaxed),
        1,
        "only the bystander has a broker"
    );
}

#[test]
fn nothing_of_a_malformed_request_reaches_the_broker() {
    let (broker, asked_by) = honest();
    let proxy = Setup::to(&[broker.address]).start();
    let (mut bystander, mut closes) = (Bystander::at(proxy.bootstrap()), Closes::default());
    for (name, bytes, cause) in malformed_requests() {
        let mut client = proxy.client();
        client.send(&bytes);
        client.expect_fin();
        drop(client);
        closes.expect_one_more(&proxy, cause);
        bystander.is_served(name);
    }
    assert!(!asked_by.lock().unwrap().contains(&HOSTILE));
}

#[test]
fn a_session_that_turns_hostile_ends_after_what_was_answered() {
    let (broker, asked_by) = honest();
    let proxy = Setup::to(&[broker.address]).start();
    let (mut bystander, mut closes) = (Bystander::at(proxy.bootstrap()), Closes::default());
    for (name, bytes, cause) in openings().into_iter().chain(malformed_requests()) {
        let mut client = proxy.client();
        assert_eq!(client.ask(&heartbeat(1))[4..], *ALIVE, "{name}");
        client.send(&bytes);
        client.expect_fin();
        drop(client);
        closes.expect_one_more(&proxy, cause);
        bystander.is_served(name);
    }
    assert!(!asked_by.lock().unwrap().contains(&HOSTILE));
}

#[test]
fn a_client_that_ends_within_a_request_has_closed() {
    let (broker, asked_by) = honest();
    let proxy = Setup::to(&[broker.address]).start();
    let (mut bystander, mut closes) = (Bystander::at(proxy.bootstrap()), Closes::default());
    let request = frames::raw_request(HEARTBEAT, 0, HOSTILE, &[0; 100]);
    for len in [0, 2, 4, 11, 12, 13, 60, request.len() - 1] {
        let mut client = proxy.client();
        client.send(&request[..len]);
        client.finish();
        client.expect_fin();
        closes.expect_one_more(&proxy, CloseCause::ClientClosed);
        bystander.is_served(&format!("FIN after {len} bytes"));
    }
    assert!(
        !asked_by.lock().unwrap().contains(&HOSTILE),
        "none of them was whole"
    );
}

/// A broker that applies `misdeed` to a client that sends two requests, the second with the hostile id.
fn hostile_broker(misdeed: &Arc<Mutex<Option<Misdeed>>>, go: mpsc::Receiver<()>) -> Broker {
    let (misdeed, go) = (Arc::clone(misdeed), Mutex::new(go));
    Broker::start(move |mut connection| {
        let mut before = Vec::new();
        while let Some(asked) = connection.request() {
            let answer = frames::raw_response(asked.correlation_id, ALIVE);
            match asked.correlation_id {
                // Answered together with the next.
                1 => before = answer,
                HOSTILE => {
                    let misdeed = misdeed.lock().unwrap().take().unwrap();
                    connection.send(&[before, misdeed.first].concat());
                    if misdeed.seen > 0 {
                        go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                    }
                    connection.send(&misdeed.then);
                    return match misdeed.end {
                        Ends::NotAtAll => drop(connection.rest()),
                        Ends::WithFin => connection.close(),
                        Ends::WithReset => connection.reset(),
                    };
                }
                _ => connection.send(&answer),
            }
        }
    })
}

#[test]
fn a_broker_that_breaks_the_protocol_loses_that_session_only() {
    let current = Arc::default();
    let (seen, go) = mpsc::channel();
    let broker = hostile_broker(&current, go);
    let proxy = Setup::to(&[broker.address]).start();
    let (mut bystander, mut closes) = (Bystander::at(proxy.bootstrap()), Closes::default());
    for misdeed in misdeeds() {
        let (name, cause, delivered) = (misdeed.name, misdeed.cause, misdeed.seen);
        let mut client = proxy.client();
        let requests = [heartbeat(1), misdeed.request.clone()].concat();
        *current.lock().unwrap() = Some(misdeed);
        client.send(&requests);
        assert_eq!(client.frame()[4..], *ALIVE, "{name}: what came before");
        client.stream.read_exact(&mut vec![0; delivered]).unwrap();
        if delivered > 0 {
            seen.send(()).unwrap();
        }
        let (rest, end) = client.rest();
        assert_eq!(end, End::Fin, "{name}");
        let leak = rest
            .windows(misdeeds::SECRET.len())
            .any(|bytes| bytes == misdeeds::SECRET);
        assert!(!leak, "{name}: an address of the broker's got through");
        drop(client);
        closes.expect_one_more(&proxy, cause);
        bystander.is_served(name);
    }
}

#[test]
fn nonsense_in_answer_to_a_question_of_kproxys_own_costs_the_client_that_waits() {
    for (name, answers) in misdeeds::to_the_probe() {
        let broker = Broker::start(move |mut connection| {
            for answer in &answers {
                if connection.request().is_none() {
                    return;
                }
                connection.send(answer);
            }
            connection.close();
        });
        let network = |network: &mut Network| network.connect_timeout = Duration::from_secs(2);
        let proxy = Setup::to(&[broker.address]).network(network).start();
        let mut client = Client::connect(proxy.node(1));
        client.send(&heartbeat(HOSTILE));
        client.expect_fin();
        drop(client);
        let cause = match name {
            "TLS alert" => CloseCause::UpstreamSpeaksTls,
            _ => CloseCause::UpstreamUnreachable,
        };
        proxy.expect_closes(cause, 1);
        assert_eq!(proxy.counters().connected.load(Ordering::Relaxed), 0, "{name}");
    }
}

/// A broker that claims 100 MiB for every answer but those to the bystander.
fn claiming_broker() -> Broker {
    Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            let mut answer = frames::raw_response(asked.correlation_id, ALIVE);
            if asked.correlation_id == HOSTILE {
                answer = misdeeds::claiming_answer(asked.api_key, HUNDRED_MIB);
            }
            connection.send(&answer);
        }
    })
}

#[test]
fn a_claimed_size_allocates_nothing() {
    let broker = claiming_broker();
    let binary = Binary::serving(&testkit::binary::configuration(broker.address));
    let own = broker.connections();
    let mut bystander = Bystander::at(binary.bootstrap());
    let before = binary.resident_kib();
    let mut clients = Vec::new();
    for _ in 0..25 {
        for request in [
            claim(0, 9, HUNDRED_MIB),
            claim(3, 12, HUNDRED_MIB),
            claim(1, 4, HUNDRED_MIB),
            claim(12, 0, HUNDRED_MIB),
        ] {
            let mut client = Client::connect(binary.bootstrap());
            client.send(&request);
            clients.push(client);
        }
        for (key, version, delivered) in [(HEARTBEAT, 0, 9), (1, 16, 19), (3, 1, 9), (10, 3, 0)] {
            let mut client = Client::connect(binary.bootstrap());
            client.send(&frames::raw_request(key, version, HOSTILE, &[0; 8]));
            // Either its beginning arrives, or the session ends because it will not be held.
            match delivered {
                0 => client.expect_fin(),
                len => client.stream.read_exact(&mut vec![0; len]).unwrap(),
            }
            clients.push(client);
        }
    }
    eventually("every client that is not turned away has a broker", || {
        broker.connections() == own + 201
    });
    bystander.is_served("among two hundred claims");
    let growth = binary.resident_kib().saturating_sub(before);
    assert!(growth < 32 * 1024, "{growth} KiB for 200 claims of 100 MiB");
}

/// Sends a byte every now and then until the other side closes; how long that took.
fn trickle(mut client: Client, bytes: &[u8]) -> Duration {
    let since = Instant::now();
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    for byte in bytes {
        // The proxy may have gone already; reading says so.
        drop(client.stream.write_all(&[*byte]));
        match client.stream.read(&mut [0; 16]) {
            Ok(0) => return since.elapsed(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => panic!("neither silence nor FIN: {other:?}"),
        }
    }
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    client.expect_fin();
    since.elapsed()
}

#[test]
fn a_client_that_trickles_is_closed_at_the_unauthenticated_idle_timeout() {
    const LIMIT: Duration = Duration::from_millis(300);
    let (broker, asked_by) = honest();
    let network = |network: &mut Network| network.unauthenticated_idle_timeout = Some(LIMIT);
    let proxy = Setup::to(&[broker.address]).network(network).start();
    let mut bystander = Bystander::at(proxy.bootstrap());
    let slow = frames::raw_request(HEARTBEAT, 0, HOSTILE, &[0; 8192]);
    // Within the head, within the body, not a byte.
    for (count, at_once, slowly) in [(1, 1, 2..12), (2, 100, 100..slow.len()), (3, 0, 0..0)] {
        let mut client = proxy.client();
        client.send(&slow[..at_once]);
        let took = trickle(client, &slow[slowly]);
        // The limit counts from the accept, which the first byte may have come after.
        assert!(took >= LIMIT / 2 && took < PATIENCE, "closed after {took:?}");
        proxy.expect_closes(CloseCause::IdleTimeout, count);
    }
    bystander.is_served("it has long completed a request");
    assert!(!asked_by.lock().unwrap().contains(&HOSTILE));
}
