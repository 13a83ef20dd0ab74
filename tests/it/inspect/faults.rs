//! Promises 3 to 6: ends of sessions by name, and what used to go wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kproxy::drain::ConnectionTracker;
use kproxy::session::cause::CloseCause;
use kproxy::session::inspect::Inspect as _;
use kproxy::session::pump::{Ended, Limits, Pump, PumpStop};
use kproxy::wire::api::ApiKey as Key;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::exchanges::{KINDS, answer_head, exchange, request, sized};
use super::{DYNAMIC, KNOWN_BROKERS, give};
use crate::fuzz_targets::frame::session::{Event, Session, Settings, Side};
use crate::walkers::entropy::Entropy;

fn session() -> Session {
    Session::new(Settings::from_bits(KNOWN_BROKERS))
}

fn cause(session: &Session) -> Option<CloseCause> {
    session.fault.as_ref().map(|fault| fault.cause)
}

/// Lengths of pieces in which everything here arrives.
const PIECES: [usize; 4] = [1, 3, 9, usize::MAX];

#[test]
fn a_wrong_correlation_id_ends_the_session_before_anything_passes() {
    for piece in PIECES {
        for kind in 0..KINDS {
            let asked = exchange(kind, 7, &mut Entropy::new(&[3; 200]));
            let Some(mut answer) = asked.answer else { continue };
            answer[7] += 1;
            let mut session = session();
            give(&mut session, Side::Client, &asked.request, piece);
            give(&mut session, Side::Broker, &answer, piece);
            assert_eq!(cause(&session), Some(CloseCause::CorrelationMismatch));
            assert!(session.down.output.is_empty());
        }
    }
}

#[test]
fn an_answer_that_nobody_asked_for_ends_the_session() {
    let silent = exchange(7, 1, &mut Entropy::new(&[5; 50]));
    assert!(silent.answer.is_none());
    for piece in PIECES {
        let mut session = session();
        give(&mut session, Side::Client, &silent.request, piece);
        give(&mut session, Side::Broker, &sized(&[0, 0, 0, 1, 0]), piece);
        assert_eq!(cause(&session), Some(CloseCause::UnsolicitedResponse));
        assert!(session.down.output.is_empty());
    }
}

#[test]
fn a_frame_that_ends_within_its_header_is_malformed() {
    for piece in PIECES {
        let mut from_client = session();
        let whole = request(Key::PRODUCE, 9, 1, &[]);
        give(&mut from_client, Side::Client, &whole, piece);
        assert_eq!(cause(&from_client), Some(CloseCause::MalformedRequest));
        assert!(from_client.up.output.is_empty());

        let mut from_broker = session();
        give(
            &mut from_broker,
            Side::Client,
            &request(Key::METADATA, 9, 1, &[]),
            piece,
        );
        give(&mut from_broker, Side::Broker, &sized(&[0, 0, 0, 1]), piece);
        assert_eq!(cause(&from_broker), Some(CloseCause::MalformedResponse));
        assert!(from_broker.down.output.is_empty());
    }
}

/// A malformed answer used to leave a frame of size 0 and the answer's header behind.
#[test]
fn a_malformed_answer_leaves_no_bytes_behind() {
    let cases = [
        (Key::API_VERSIONS, 0),
        (Key::API_VERSIONS, 3),
        (Key::METADATA, 1),
        (Key::FIND_COORDINATOR, 3),
        (Key::DESCRIBE_CLUSTER, 0),
        (Key::DESCRIBE_QUORUM, 2),
    ];
    for settings in [KNOWN_BROKERS, KNOWN_BROKERS | DYNAMIC] {
        for (key, version) in cases {
            for piece in PIECES {
                let mut session = Session::new(Settings::from_bits(settings));
                let answer = [answer_head(key, version, 1), vec![0xff; 30]].concat();
                give(&mut session, Side::Client, &request(key, version, 1, &[]), piece);
                give(&mut session, Side::Broker, &sized(&answer), piece);
                assert_eq!(
                    cause(&session),
                    Some(CloseCause::MalformedResponse),
                    "{key} v{version}"
                );
                assert!(session.down.output.is_empty(), "{key} v{version}");
            }
        }
    }
}

/// A header that claims a tagged field of many megabytes used to be held as a whole.
#[test]
fn a_produce_request_whose_acks_never_come_is_refused_before_it_fills_memory() {
    const CLAIMED: u32 = 90 << 20;
    // API 0, version 9, correlation id, no client id, one tagged field of 64 MiB.
    let mut head = CLAIMED.to_be_bytes().to_vec();
    head.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 1, 0, 0x80, 0x80, 0x80, 0x20]);
    let mut session = session();
    give(&mut session, Side::Client, &head, usize::MAX);
    let mut most = 0;
    for _ in 0..100 {
        if session.fault.is_none() {
            give(&mut session, Side::Client, &[0; 16 * 1024], usize::MAX);
            most = most.max(session.up.held);
        }
    }
    assert_eq!(cause(&session), Some(CloseCause::MalformedRequest));
    assert!(most < 256 * 1024, "{most} bytes were held");
    assert!(session.up.output.is_empty());
}

/// The largest header a client can write still passes.
#[test]
fn a_produce_request_with_long_names_passes() {
    let long = vec![b'x'; 32_767];
    let mut body = vec![0, 9, 0, 0, 0, 1];
    body.extend_from_slice(&(long.len() as i16).to_be_bytes());
    body.extend_from_slice(&long);
    body.extend_from_slice(&[0, 0x80, 0x80, 0x02]);
    body.extend_from_slice(&long);
    body.extend_from_slice(&[0, 1, 0, 0, 0, 0, 1, 0]);
    let frame = sized(&[&[0, 0], body.as_slice()].concat());
    for piece in [1024, usize::MAX] {
        let mut session = session();
        give(&mut session, Side::Client, &frame, piece);
        assert_eq!(session.fault, None);
        assert_eq!(session.up.output, frame);
        assert_eq!(session.inspector.in_flight(), 1);
    }
}

/// KIP-368: a client authenticates again on a connection whose earlier requests may still be on their way.
#[test]
fn an_answer_from_before_does_not_end_a_reauthentication() {
    let mut session = session();
    let answer = |session: &mut Session, key, version, id| {
        let frame = [answer_head(key, version, id), vec![0; 8]].concat();
        give(session, Side::Broker, &sized(&frame), usize::MAX);
    };
    let ask = |session: &mut Session, key, version, id| {
        give(
            session,
            Side::Client,
            &request(key, version, id, &[0; 8]),
            usize::MAX,
        );
    };
    ask(&mut session, Key::HEARTBEAT, 0, 1);
    answer(&mut session, Key::HEARTBEAT, 0, 1);
    assert!(session.inspector.is_settled());
    ask(&mut session, Key::FETCH, 4, 2);
    ask(&mut session, Key::SASL_HANDSHAKE, 1, 3);
    answer(&mut session, Key::FETCH, 4, 2);
    answer(&mut session, Key::SASL_HANDSHAKE, 1, 3);
    assert_eq!(session.inspector.in_flight(), 0);
    assert!(!session.inspector.is_settled(), "between handshake and token");
    ask(&mut session, Key::SASL_AUTHENTICATE, 1, 4);
    answer(&mut session, Key::SASL_AUTHENTICATE, 1, 4);
    ask(&mut session, Key::FETCH, 4, 5);
    answer(&mut session, Key::FETCH, 4, 5);
    assert!(session.inspector.is_settled());
}

/// A handshake of version 1 is followed by frames, whatever handshake of version 0 was sent behind it.
#[test]
fn only_the_answer_to_a_handshake_of_version_0_begins_raw_tokens() {
    for acks0_only in [true, false] {
        let mut session = session();
        let handshake = |version, id| request(Key::SASL_HANDSHAKE, version, id, b"\0\x05PLAIN");
        give(&mut session, Side::Client, &handshake(1, 1), usize::MAX);
        if acks0_only {
            session.apply(&Event::Acks0Only);
        }
        give(&mut session, Side::Client, &handshake(0, 2), usize::MAX);
        let answer = sized(&[answer_head(Key::SASL_HANDSHAKE, 1, 1), vec![0; 6]].concat());
        give(&mut session, Side::Broker, &answer, usize::MAX);
        let forwarded = session.up.output.len();
        // As a token it would be forwarded, and its answer have no correlation id.
        let query = request(Key::HEARTBEAT, 0, 3, &[0; 8]);
        give(&mut session, Side::Client, &query, usize::MAX);
        let passed = if acks0_only { 0 } else { query.len() };
        assert_eq!(session.up.output.len(), forwarded + passed);
        let unanswered = if acks0_only { 0 } else { 2 };
        assert_eq!(session.inspector.in_flight(), unanswered);
        assert_eq!(session.inspector.requests_completed(), 3);
    }
}

/// What a drain drops begins no exchange, not even in the eyes of the handshake before it.
#[test]
fn a_handshake_that_is_not_forwarded_begins_no_raw_tokens() {
    let mut session = session();
    let handshake = |id| request(Key::SASL_HANDSHAKE, 0, id, b"\0\x06GSSAPI");
    give(
        &mut session,
        Side::Client,
        &request(Key::FETCH, 4, 1, &[0; 8]),
        usize::MAX,
    );
    session.apply(&Event::Acks0Only);
    give(&mut session, Side::Client, &handshake(2), usize::MAX);
    let answer = sized(&[answer_head(Key::FETCH, 4, 1), vec![0; 6]].concat());
    give(&mut session, Side::Broker, &answer, usize::MAX);
    assert!(session.inspector.is_settled());
    assert_eq!(session.inspector.in_flight(), 0);
}

/// Both ends of a new connection.
pub(crate) async fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let at = listener.local_addr().unwrap();
    let (out, accepted) = tokio::join!(TcpStream::connect(at), listener.accept());
    (out.unwrap(), accepted.unwrap().0)
}

/// The end of a session that nobody asks to move.
pub(super) fn ended(stopped: PumpStop) -> Ended {
    match stopped {
        PumpStop::Ended(ended) => ended,
        PumpStop::Prepares | PumpStop::Moves => panic!("it moves"),
    }
}

/// A session over sockets: the broker reads all of `requests`, writes `answers` and closes.
async fn broker_closes_after(requests: &[u8], answers: &[u8]) -> (Ended, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at: SocketAddr = listener.local_addr().unwrap();
    let (mut client, from_client) = connection(&listener).await;
    let (to_broker, mut broker) = connection(&listener).await;
    let guard = Arc::new(ConnectionTracker::default()).register(1, at, 1, None);
    let limits = Limits {
        unauthenticated_idle: None,
        authenticated_idle: None,
    };
    let inspector = session().into_inspector();
    let pump = Pump::new(
        from_client,
        to_broker,
        inspector,
        Vec::new(),
        Arc::clone(guard.handle()),
        limits,
    );
    let broker_side = async {
        let mut read = vec![0; requests.len()];
        broker.read_exact(&mut read).await.unwrap();
        broker.write_all(answers).await.unwrap();
        drop(broker);
    };
    let client_side = async {
        let mut got = Vec::new();
        client.write_all(requests).await.unwrap();
        client.read_to_end(&mut got).await.unwrap();
        drop(client);
        got
    };
    let all = async { tokio::join!(pump, broker_side, client_side) };
    let (stopped, (), got) = tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    (ended(stopped), got)
}

#[tokio::test]
async fn a_broker_that_closes_early_is_told_from_one_that_closes() {
    let asked = exchange(15, 1, &mut Entropy::new(&[40; 80]));
    let answer = asked.answer.unwrap();
    for (cut, cause, unanswered) in [
        (0, CloseCause::UpstreamClosedEarly, 1),
        (5, CloseCause::UpstreamClosedEarly, 1),
        (answer.len() - 1, CloseCause::UpstreamClosedEarly, 0),
        (answer.len(), CloseCause::UpstreamClosed, 0),
    ] {
        let (ended, got) = broker_closes_after(&asked.request, &answer[..cut]).await;
        assert_eq!(
            (ended.cause, ended.unanswered),
            (cause, unanswered),
            "{}",
            ended.detail
        );
        let passed = if cut < 8 { 0 } else { cut };
        assert_eq!(got, &answer[..passed]);
    }
}
