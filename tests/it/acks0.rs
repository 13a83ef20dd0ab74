//! Produce with `acks=0`: the one request that no broker answers.
//!
//! 1. It is never waited for, in any layout of its header: what is asked around it is answered in order.
//! 2. A client that sends and leaves (FIN) has sent: every byte reaches the broker, then the FIN.
//! 3. A client that is reset takes nothing back: what kproxy had read reaches the broker, answers or no answers.
//! 4. A broker that closes, its only way to say that an `acks=0` failed, is a close the client sees, behind the
//!    answers it was owed.
//! 5. Where the header is cut makes no difference.
//! 6. Brokers behind TLS lose nothing either, however long they take for the handshake.

mod tls_brokers;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use kproxy::session::cause::CloseCause;
use socket2::SockRef;

use testkit::broker::{Broker, Connection};
use testkit::client::Client;
use testkit::cluster::body;
use testkit::frames;
use testkit::frames::heartbeat;
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::{PATIENCE, eventually};

const PRODUCE: i16 = 0;

/// The first version, the first with compact strings, the first with topic ids.
const VERSIONS: [i16; 3] = [3, 9, 13];

/// What a Produce request varies in before its topics begin.
#[derive(Clone, Copy)]
struct Head<'a> {
    version: i16,
    client_id: Option<&'a str>,
    transactional_id: Option<&'a str>,
}

impl Head<'_> {
    fn frame(self, correlation_id: i32, acks: i16, records: Vec<u8>) -> Vec<u8> {
        let string = |text: &str| StrBytes::from_string(text.to_owned());
        let partition = PartitionProduceData::default().with_records(Some(records.into()));
        let message = ProduceRequest::default()
            .with_transactional_id(self.transactional_id.map(|id| TransactionalId(string(id))))
            .with_acks(acks)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![
                TopicProduceData::default().with_partition_data(vec![partition]),
            ]);
        frames::request_of(self.version, correlation_id, self.client_id, &message)
    }
}

fn plain(version: i16) -> Head<'static> {
    Head {
        version,
        client_id: Some("c"),
        transactional_id: None,
    }
}

/// Answers as a broker does: everything but `acks=0`.
fn serve(mut connection: Connection) {
    while let Some(asked) = connection.request() {
        if asked.api_key != PRODUCE {
            connection.send(&frames::raw_response(asked.correlation_id, b"\0\0"));
            continue;
        }
        let request: ProduceRequest = body(&asked);
        if request.acks != 0 {
            connection.answer(&asked, &ProduceResponse::default());
        }
    }
}

fn serving() -> (Broker, TestProxy) {
    let broker = Broker::start(serve);
    let proxy = Setup::to(&[broker.address]).start();
    (broker, proxy)
}

/// What a broker saw of a connection, and whether it ended with a FIN.
type Seen = (Vec<u8>, bool);

/// Reads everything, then reports it.
fn swallow(connection: Connection, into: &Sender<Seen>) {
    let mut bytes = Vec::new();
    let clean = (&*connection.stream).read_to_end(&mut bytes).is_ok();
    into.send((bytes, clean)).unwrap();
}

#[track_caller]
fn seen(from: &Receiver<Seen>) -> Seen {
    from.recv_timeout(PATIENCE).expect("the broker never saw the end")
}

/// Where two streams differ, for a message that can be read.
#[track_caller]
fn assert_same_bytes(got: &[u8], sent: &[u8]) {
    let differs = got.iter().zip(sent).position(|(got, sent)| got != sent);
    assert_eq!(
        (got.len(), differs),
        (sent.len(), None),
        "length, first difference"
    );
}

#[test]
fn acks_0_is_never_waited_for() {
    let (_broker, proxy) = serving();
    let long = "t".repeat(300);
    let mut requests = 0;
    for version in VERSIONS {
        for client_id in [None, Some(""), Some("c")] {
            for transactional_id in [None, Some(""), Some("tx"), Some(long.as_str())] {
                let head = Head {
                    version,
                    client_id,
                    transactional_id,
                };
                let round = [
                    head.frame(1, 0, b"first".to_vec()),
                    heartbeat(2),
                    head.frame(3, 1, b"second".to_vec()),
                    head.frame(4, 0, b"third".to_vec()),
                    // The same correlation id as an unanswered one before it.
                    head.frame(4, -1, b"fourth".to_vec()),
                    head.frame(5, 0, b"fifth".to_vec()),
                    heartbeat(6),
                ];
                let mut client = proxy.client();
                let expect = |client: &mut Client| {
                    let answered: Vec<i32> =
                        (0..4).map(|_| frames::correlation_id(&client.frame())).collect();
                    assert_eq!(
                        answered,
                        [2, 3, 4, 6],
                        "version {version}, {client_id:?}, {transactional_id:?}"
                    );
                };
                client.send(&round.concat());
                expect(&mut client);
                round.iter().for_each(|frame| client.send(frame));
                expect(&mut client);
                client.finish();
                client.expect_fin();
                requests += 2 * round.len() as u64;
            }
        }
    }
    proxy.expect_closes(CloseCause::ClientClosed, 36);
    assert_eq!(proxy.counters().requests.load(Ordering::Relaxed), requests);
}

/// Nothing in flight means that nothing keeps a session that has sent only `acks=0`.
#[test]
fn a_client_that_only_ever_sent_acks_0_leaves_at_once() {
    let (_broker, proxy) = serving();
    let mut client = proxy.client();
    client.send(&plain(9).frame(1, 0, vec![7; 100]));
    client.finish();
    client.expect_fin();
    proxy.expect_closes(CloseCause::ClientClosed, 1);
}

#[test]
fn a_burst_then_fin_arrives_whole_then_fin() {
    let (sender, receiver) = channel();
    let broker = Broker::start(move |connection| swallow(connection, &sender));
    let proxy = Setup::to(&[broker.address]).start();
    let sent: Vec<u8> = (0..128)
        .flat_map(|n| plain(9).frame(n, 0, frames::noise(n as u64, 64 << 10)))
        .collect();
    assert!(sent.len() > 8 << 20);
    let mut client = proxy.client();
    client.send(&sent);
    client.finish();
    let (got, clean) = seen(&receiver);
    assert_same_bytes(&got, &sent);
    assert!(clean, "the broker saw a reset");
    client.expect_fin();
    proxy.expect_closes(CloseCause::ClientClosed, 1);
}

/// A broker that takes little at a time, so that kproxy has to keep some.
fn narrow() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(16 << 10).unwrap();
    listener
}

/// Sends until nobody takes any more; returns how much was taken.
fn send_until_stuck(client: &Client, frames: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    client
        .stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut sent = Vec::new();
    for frame in frames {
        let mut left = frame.as_slice();
        while !left.is_empty() {
            match (&client.stream).write(left) {
                Ok(taken) => {
                    sent.extend_from_slice(&left[..taken]);
                    left = &left[taken..];
                }
                Err(_) => return sent,
            }
        }
    }
    sent
}

/// The client is reset while a broker that has stopped reading is behind; returns when it has read the rest.
fn reset_amid_a_burst(answer: &'static [u8]) {
    let ((stuck, is_stuck), (gate, opened)) = (channel(), channel::<()>());
    let ((sender, receiver), opened) = (channel(), Mutex::new(opened));
    let broker = Broker::on(narrow(), move |mut connection| {
        let asked = connection.request().unwrap();
        let stream = Arc::clone(&connection.stream);
        // Not all of a large answer is taken before the end.
        let answering = std::thread::spawn(move || {
            let frame = frames::raw_response(asked.correlation_id, answer);
            (&*stream).write_all(&frame).unwrap_or_default();
        });
        let first = connection.request().unwrap();
        stuck.send(()).unwrap();
        opened.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        let mut bytes = [heartbeat(1), frames::framed(&first.content)].concat();
        let clean = (&*connection.stream).read_to_end(&mut bytes).is_ok();
        connection.fin();
        sender.send((bytes, clean)).unwrap();
        answering.join().unwrap();
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = Client::with_small_window(proxy.bootstrap());
    let mut sent = heartbeat(1);
    client.send(&sent);
    // The answer is there and stays unread.
    assert_eq!(client.stream.peek(&mut [0]).unwrap(), 1);
    let burst = (2..600).map(|n| plain(9).frame(n, 0, frames::noise(n as u64, 64 << 10)));
    sent.extend(send_until_stuck(&client, burst));
    is_stuck.recv_timeout(PATIENCE).unwrap();
    client.reset();
    gate.send(()).unwrap();

    let (got, _) = seen(&receiver);
    proxy.expect_closes(CloseCause::ClientReset, 1);
    let read = proxy.counters().client_bytes.load(Ordering::Relaxed) as usize;
    assert!(
        got.len() <= read && read <= sent.len(),
        "{} {read} {}",
        got.len(),
        sent.len()
    );
    // The head of a request that never came whole may be missing, no more.
    assert!(
        read - got.len() < 64,
        "{} of {read} bytes read were lost",
        read - got.len()
    );
    assert_same_bytes(&got, &sent[..got.len()]);
}

#[test]
fn a_burst_then_reset_loses_nothing_that_was_read() {
    reset_amid_a_burst(b"\0\0");
}

/// The answer is more than all buffers take, so that kproxy learns of the reset while it writes.
#[test]
fn a_burst_then_reset_with_answers_on_their_way_loses_nothing_that_was_read() {
    static ANSWER: [u8; 16 << 20] = [0; 16 << 20];
    reset_amid_a_burst(&ANSWER);
}

#[test]
fn a_broker_that_closes_on_acks_0_is_a_close_for_the_client() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            if asked.api_key == PRODUCE {
                return connection.close();
            }
            connection.send(&frames::raw_response(asked.correlation_id, b"\0\0"));
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    for version in VERSIONS {
        let mut client = proxy.client();
        client.send(&[heartbeat(1), plain(version).frame(2, 0, b"x".to_vec())].concat());
        assert_eq!(frames::correlation_id(&client.frame()), 1);
        client.expect_fin();
        client.finish();
    }
    proxy.expect_closes(CloseCause::UpstreamClosed, 3);
}

/// Repeats it in the middle of a stream of data, of which the broker leaves most unread.
#[test]
fn a_broker_that_is_gone_amid_acks_0_is_a_close_for_the_client() {
    let broker = Broker::start(|mut connection| {
        connection.request();
        connection.reset();
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let frame = plain(9).frame(1, 0, vec![1; 64 << 10]);
    // It never reads, so it does not see the FIN; the end of the linger is what stops it.
    let deadline = Instant::now() + PATIENCE;
    let closed = std::iter::from_fn(|| (Instant::now() < deadline).then(|| client.stream.write_all(&frame)))
        .any(|written| written.is_err());
    assert!(closed, "the client was never told");
    let (bytes, _) = client.rest();
    assert_eq!(bytes.len(), 0);
    drop(client);
    proxy.expect_closes(CloseCause::UpstreamReset, 1);
}

/// The answer to the request in front proves that kproxy has read its segment, and with it the first part of the
/// request behind it.
#[test]
fn a_header_may_be_cut_anywhere() {
    let (_broker, proxy) = serving();
    for version in VERSIONS {
        let head = Head {
            transactional_id: Some("tx"),
            ..plain(version)
        };
        for acks in [0, 1] {
            let frame = head.frame(7, acks, b"records".to_vec());
            let mut client = proxy.client();
            for cut in 1..frame.len() {
                let case = format!("version {version}, acks {acks}, cut at {cut}");
                client.send(&[&heartbeat(1), &frame[..cut]].concat());
                assert_eq!(frames::correlation_id(&client.frame()), 1, "{case}");
                client.send(&[&frame[cut..], &heartbeat(2)].concat());
                if acks != 0 {
                    assert_eq!(frames::correlation_id(&client.frame()), 7, "{case}");
                }
                assert_eq!(frames::correlation_id(&client.frame()), 2, "{case}");
            }
        }
    }
}

/// The first request takes another way: its head is read before there is a broker.
#[test]
fn the_first_header_may_be_cut_anywhere() {
    let arrived = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let log = Arc::clone(&arrived);
    let broker = Broker::start(move |mut connection| {
        let first = connection.request();
        if let Some(first) = first {
            log.lock().unwrap().push(first.content);
        }
        serve(connection);
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut sent = 0;
    for version in VERSIONS {
        let frame = plain(version).frame(7, 0, b"records".to_vec());
        for cut in 1..frame.len() {
            let mut client = proxy.client();
            client.send(&frame[..cut]);
            client.send(&frame[cut..]);
            client.send(&heartbeat(8));
            assert_eq!(
                frames::correlation_id(&client.frame()),
                8,
                "version {version}, cut at {cut}"
            );
            sent += 1;
        }
        let expected = &frame[4..];
        eventually("every first request arrived", || {
            arrived.lock().unwrap().len() == sent
        });
        let logged = arrived.lock().unwrap();
        assert!(
            logged[logged.len() - (frame.len() - 1)..]
                .iter()
                .all(|content| content == expected)
        );
    }
}
