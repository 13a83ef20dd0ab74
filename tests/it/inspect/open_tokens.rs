//! Promise 11: tokens of mechanisms of which nothing is known.

use kafka_protocol::messages::MetadataResponse;
use kproxy::session::cause::CloseCause;
use kproxy::session::inspect::Inspect as _;
use kproxy::wire::api::ApiKey as Key;

use super::exchanges::{answer_head, exchange, request, sized};
use super::{KNOWN_BROKERS, decode, give};
use crate::fuzz_targets::frame::session::{HOST, Session, Settings, Side, frames};
use crate::walkers::entropy::Entropy;

const PIECES: [usize; 4] = [1, 3, 9, usize::MAX];

/// What a Kerberos client sends: an initial token, an empty one, and a wrapped message that has no answer.
const FIRST: &[u8] = b"\x60\x82\x02\x10\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
const LAST: &[u8] = b"\x05\x04\x04\xff\0\x0c\0\0\0\0\0\0\x14\x2a\x01\0\0\0";

/// Behind a SaslHandshake v0 that the broker has answered.
fn begun(mechanism: &str, piece: usize) -> Session {
    let mut session = Session::new(Settings::from_bits(KNOWN_BROKERS));
    let name = [&(mechanism.len() as i16).to_be_bytes(), mechanism.as_bytes()].concat();
    give(
        &mut session,
        Side::Client,
        &request(Key::SASL_HANDSHAKE, 0, 1, &name),
        piece,
    );
    let answer = [answer_head(Key::SASL_HANDSHAKE, 0, 1), vec![0; 6]].concat();
    give(&mut session, Side::Broker, &sized(&answer), piece);
    session
}

fn round(session: &mut Session, token: &[u8], answer: &[u8], piece: usize) {
    give(session, Side::Client, &sized(token), piece);
    give(session, Side::Broker, &sized(answer), piece);
}

/// Asks for brokers, and is answered with addresses of ours only.
fn asks_for_brokers(session: &mut Session, correlation_id: i32, piece: usize) {
    let asked = exchange(0, correlation_id, &mut Entropy::new(&[40; 400]));
    assert_eq!(asked.key, Key::METADATA);
    let before = session.down.output.len();
    give(session, Side::Client, &asked.request, piece);
    give(session, Side::Broker, asked.answer.as_ref().unwrap(), piece);
    assert_eq!(session.fault, None);
    assert_eq!(session.inspector.in_flight(), 0);
    let answer = frames(&session.down.output[before..]).remove(0).to_vec();
    let message: MetadataResponse = decode(&asked, &answer);
    assert!(!message.brokers.is_empty());
    assert!(message.brokers.iter().all(|broker| &*broker.host == HOST));
}

/// The answers that followed passed unread, with the brokers' addresses, and the one after them ended the session.
#[test]
fn the_last_token_of_an_exchange_has_no_answer() {
    for mechanism in ["GSSAPI", "SOMETHING-NEW"] {
        for piece in PIECES {
            let mut session = begun(mechanism, piece);
            round(&mut session, FIRST, FIRST, piece);
            round(&mut session, b"", LAST, piece);
            give(&mut session, Side::Client, &sized(LAST), piece);
            asks_for_brokers(&mut session, 5, piece);
            asks_for_brokers(&mut session, 6, piece);
            assert!(session.inspector.is_settled());
        }
    }
}

/// It may have one, too.
#[test]
fn an_exchange_may_end_with_an_answer() {
    for piece in PIECES {
        let mut session = begun("SOMETHING-NEW", piece);
        round(&mut session, b"{\"user\":1}", b"{\"ok\":1}", piece);
        asks_for_brokers(&mut session, 5, piece);
    }
}

/// An answer of kproxy's own does not wait for the one that never comes.
#[test]
fn a_request_that_is_answered_here_ends_the_exchange_too() {
    for piece in PIECES {
        let mut session = begun("GSSAPI", piece);
        give(&mut session, Side::Client, &sized(LAST), piece);
        give(
            &mut session,
            Side::Client,
            &request(Key::API_VERSIONS, 99, 5, &[]),
            piece,
        );
        assert_eq!((&session.fault, session.inspector.in_flight()), (&None, 0));
        let answer = frames(&session.down.output).pop().unwrap();
        assert_eq!(answer[4..8], 5i32.to_be_bytes());
        asks_for_brokers(&mut session, 6, piece);
    }
}

/// They reached the broker as tokens, and their answers the client.
#[test]
fn what_is_dressed_as_a_token_does_not_pass() {
    let dressed = |key: i16, version: i16, client_id: i16| {
        let head = [key, version, 0, 7, client_id].map(i16::to_be_bytes).concat();
        sized(&[head.as_slice(), b"body"].concat())
    };
    for mechanism in ["GSSAPI", "SOMETHING-NEW", ""] {
        for piece in PIECES {
            for (key, version) in [
                (58, 0),
                (7, 3),
                (4, 0),
                (3, 99),
                (10_004, 0),
                (0x61, 0x6263),
                (200, 0),
            ] {
                for client_id in [-1, -2, 0, 4, 30_000] {
                    let mut session = begun(mechanism, piece);
                    round(&mut session, FIRST, FIRST, piece);
                    let passed = session.up.output.len();
                    give(
                        &mut session,
                        Side::Client,
                        &dressed(key, version, client_id),
                        piece,
                    );
                    let cause = session.fault.as_ref().map(|fault| fault.cause);
                    assert_eq!(cause, Some(CloseCause::SaslExchangeUnclear), "{key} v{version}");
                    assert_eq!(session.up.output.len(), passed);
                }
            }
        }
    }
}

/// -2 was none, and the request with it a token: the answer passed unread.
#[test]
fn a_client_id_of_any_negative_length_is_none() {
    for client_id in [-1i16, -2, i16::MIN] {
        for piece in PIECES {
            let mut session = begun("GSSAPI", piece);
            round(&mut session, FIRST, FIRST, piece);
            let mut asked = exchange(0, 5, &mut Entropy::new(&[40; 400]));
            let head = header_end(&asked.request);
            asked.request.splice(12..head, client_id.to_be_bytes());
            let size = (asked.request.len() as i32 - 4).to_be_bytes();
            asked.request[..4].copy_from_slice(&size);
            give(&mut session, Side::Client, &asked.request, piece);
            give(&mut session, Side::Broker, asked.answer.as_ref().unwrap(), piece);
            assert_eq!(session.fault, None);
            let answer = frames(&session.down.output).pop().unwrap().to_vec();
            let message: MetadataResponse = decode(&asked, &answer);
            assert!(message.brokers.iter().all(|broker| &*broker.host == HOST));
            assert_eq!(session.inspector.in_flight(), 0);
        }
    }
}

/// Where the client id of a request ends.
fn header_end(request: &[u8]) -> usize {
    let length = i16::from_be_bytes([request[12], request[13]]);
    14 + usize::try_from(length).unwrap_or(0)
}

/// Nobody could tell which of them has no answer.
#[test]
fn tokens_wait_for_each_other() {
    for piece in PIECES {
        let mut session = begun("GSSAPI", piece);
        give(&mut session, Side::Client, &sized(FIRST), piece);
        let passed = session.up.output.len();
        give(&mut session, Side::Client, &sized(LAST), piece);
        let cause = session.fault.as_ref().map(|fault| fault.cause);
        assert_eq!(cause, Some(CloseCause::SaslExchangeUnclear));
        assert_eq!(session.up.output.len(), passed);
    }
}

/// Every token of a known mechanism has an answer. Should a broker think otherwise, the answers that follow are
/// still not taken for it.
#[test]
fn a_known_mechanism_whose_token_has_no_answer_leaks_nothing() {
    for piece in PIECES {
        let mut session = begun("PLAIN", piece);
        give(&mut session, Side::Client, &sized(b"\0alice\0secret"), piece);
        asks_for_brokers(&mut session, 5, piece);
        asks_for_brokers(&mut session, 6, piece);
    }
}
