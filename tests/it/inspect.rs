//! What the inspector of a Kafka session promises, over sequences of valid requests and answers.
//!
//! 1. However both streams are cut, the broker gets what the client sent, and the client gets what it would get if
//!    nothing were cut; only the end of an answer that streams may be padded.
//! 2. Once everything is answered nothing is in flight, and every address is ours.
//! 3. A wrong correlation id, an answer nobody asked for and a stream that ends early are told by their names.
//! 4. A malformed answer leaves nothing behind that a client could take for one.
//! 5. What is held of a request is bounded.
//! 6. A re-authentication is not over because something asked before it is answered.
//! 7. A session that is to leave raises the throttle time of the answers whose clients heed it, and cuts the time that
//!    a broker may keep a Fetch, in every version, wherever the bytes are cut.
//! 8. It changes no other byte.
//! 9. Who a client authenticates as is known once the broker has accepted it, and of hostile bytes nothing is known.
//! 10. What has no answer is forwarded as long as it arrives, for whatever reason a session leaves.
//! 11. After SaslHandshake v0 with a mechanism of which nothing is known, a frame passes as a token only where no broker
//!     reads a request in it, the last token needs no answer, and no answer to a request passes unread.
//! 11. Half a frame is looked at again so seldom that the work is linear in the bytes, however they arrive.

mod asked;
mod exchanges;
mod faults;
mod looks;
mod open_tokens;
mod principals;
mod silent;

use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;
use kproxy::session::inspect::Inspect as _;
use kproxy::wire::api::ApiKey as Key;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::walkers::entropy::Entropy;
use super::walkers::messages;

use self::exchanges::{Exchange, KINDS, answer_head, exchange, raw_tokens};
use crate::fuzz_targets::frame::session::{Event, HOST, Session, Settings, Side, frames};

/// Knows the brokers already, so that the room for their endpoints can be foreseen.
const KNOWN_BROKERS: u8 = 8;
const DYNAMIC: u8 = 2;

fn give(session: &mut Session, from: Side, bytes: &[u8], piece: usize) {
    session.apply(&Event::Bytes {
        from,
        bytes: bytes.to_vec(),
        piece,
    });
}

/// Requests that are on their way at once, and then their answers, in pieces of the given lengths in turn.
fn pipeline(session: &mut Session, exchanges: &[Exchange], pieces: &mut impl Iterator<Item = usize>) {
    let requests: Vec<_> = exchanges
        .iter()
        .map(|exchange| exchange.request.clone())
        .collect();
    let answers: Vec<_> = exchanges
        .iter()
        .filter_map(|exchange| exchange.answer.clone())
        .collect();
    for (from, stream) in [
        (Side::Client, requests.concat()),
        (Side::Broker, answers.concat()),
    ] {
        let mut rest = stream.as_slice();
        while !rest.is_empty() {
            let (piece, following) = rest.split_at(pieces.next().unwrap().clamp(1, rest.len()));
            give(session, from, piece, usize::MAX);
            rest = following;
        }
    }
}

/// A session in which the client first authenticates with raw tokens, if it does, and then has all its exchanges at
/// once.
fn run(settings: u8, tokens: &[Exchange], exchanges: &[Exchange], pieces: &[usize]) -> Session {
    let mut session = Session::new(Settings::from_bits(settings));
    let mut pieces = pieces.iter().copied().cycle();
    for token in tokens {
        pipeline(&mut session, std::slice::from_ref(token), &mut pieces);
    }
    pipeline(&mut session, exchanges, &mut pieces);
    assert_eq!(session.fault, None);
    assert_eq!(session.inspector.in_flight(), 0);
    assert!(session.inspector.at_boundary());
    assert_eq!((session.up.held, session.down.held), (0, 0));
    session
}

fn decode<M: Decodable>(exchange: &Exchange, frame: &[u8]) -> M {
    let mut body = &frame[4 + answer_head(exchange.key, exchange.version, 0).len()..];
    let message = M::decode(&mut body, exchange.version).unwrap();
    assert!(body.is_empty(), "{} bytes after the message", body.len());
    message
}

/// Checks that both answers are equal, except that the second may have a field of zeros at its end; every endpoint is one of ours.
fn assert_same_but_for_padding(exchange: &Exchange, one: &[u8], other: &[u8]) {
    macro_rules! compare {
        ($message:ty) => {{
            let (one, mut other) = (
                decode::<$message>(exchange, one),
                decode::<$message>(exchange, other),
            );
            other.unknown_tagged_fields.retain(|tag, content| {
                one.unknown_tagged_fields.contains_key(tag) || content.iter().any(|&byte| byte != 0)
            });
            assert!(one.node_endpoints.iter().all(|node| &*node.host == HOST));
            assert_eq!(one, other);
        }};
    }
    match exchange.key {
        Key::PRODUCE => compare!(ProduceResponse),
        Key::FETCH => compare!(FetchResponse),
        Key::SHARE_FETCH => compare!(ShareFetchResponse),
        Key::SHARE_ACKNOWLEDGE => compare!(ShareAcknowledgeResponse),
        _ => assert_eq!(one, other),
    }
}

/// Holds the outcome of a run against the one of a run in which nothing was cut.
fn assert_same(tokens: &[Exchange], exchanges: &[Exchange], whole: &Session, cut: &Session) {
    let all = || tokens.iter().chain(exchanges);
    let forwarded: Vec<_> = all()
        .filter(|exchange| !exchange.local)
        .map(|exchange| exchange.request.clone())
        .collect();
    assert_eq!(whole.up.output, forwarded.concat());
    assert_eq!(cut.up.output, whole.up.output);
    let answered: Vec<_> = all()
        .filter(|exchange| exchange.local || exchange.answer.is_some())
        .collect();
    let (one, other) = (frames(&whole.down.output), frames(&cut.down.output));
    assert_eq!((one.len(), other.len()), (answered.len(), answered.len()));
    for (exchange, (one, other)) in answered.into_iter().zip(one.into_iter().zip(other)) {
        if exchange.has_tail() {
            assert_same_but_for_padding(exchange, one, other);
        } else {
            assert_eq!(one, other, "{} v{}", exchange.key, exchange.version);
        }
        match &exchange.answer {
            Some(answer) if exchange.is_opaque() => assert_eq!(one, answer),
            Some(_) if exchange.key == Key::METADATA => {
                let message: MetadataResponse = decode(exchange, one);
                assert!(message.brokers.iter().all(|broker| &*broker.host == HOST));
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6b61_666b),
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive(
        asked in vec((0..KINDS, vec(any::<u8>(), 0..250)), 1..9),
        rounds in 0usize..4,
        dynamic in any::<bool>(),
        pieces in vec(prop_oneof![1usize..12, 1usize..600], 1..20),
    ) {
        let settings = KNOWN_BROKERS | if dynamic { DYNAMIC } else { 0 };
        let tokens = raw_tokens(rounds);
        let exchanges: Vec<_> = asked
            .iter()
            .enumerate()
            .map(|(at, (kind, bytes))| {
                // Where tokens end is told by the first request, if it is one that a broker would understand.
                let kind = if rounds > 2 && at == 0 { KINDS - 1 } else { *kind };
                exchange(kind, at as i32 + 100, &mut Entropy::new(bytes))
            })
            .collect();
        let whole = run(settings, &tokens, &exchanges, &[usize::MAX]);
        for pieces in [pieces.as_slice(), &[1]] {
            let cut = run(settings, &tokens, &exchanges, pieces);
            assert_same(&tokens, &exchanges, &whole, &cut);
        }
    }

    #[test]
    fn a_stream_that_ends_early_is_known_to_be_unfinished(
        asked in vec((0..KINDS, vec(any::<u8>(), 0..120)), 1..5),
        at in any::<prop::sample::Index>(),
    ) {
        let exchanges: Vec<_> = asked
            .iter()
            .enumerate()
            .map(|(at, (kind, bytes))| exchange(*kind, at as i32, &mut Entropy::new(bytes)))
            .filter(|exchange| !exchange.local && exchange.answer.is_some())
            .collect();
        let answers: Vec<_> = exchanges.iter().filter_map(|exchange| exchange.answer.clone()).collect();
        let stream = answers.concat();
        let cut = at.index(stream.len() + 1);
        let mut session = Session::new(Settings::from_bits(KNOWN_BROKERS));
        for exchange in &exchanges {
            give(&mut session, Side::Client, &exchange.request, usize::MAX);
        }
        give(&mut session, Side::Broker, &stream[..cut], usize::MAX);
        prop_assert_eq!(&session.fault, &None);
        let whole = frames(&stream[..cut]).len() - usize::from(!is_boundary(&answers, cut));
        let left = exchanges.len() - whole;
        // Of the one that has begun the beginning may be out, or all of it be held.
        prop_assert!(session.inspector.in_flight() == left || session.inspector.in_flight() + 1 == left);
        let finished = session.inspector.in_flight() == 0 && session.inspector.at_boundary();
        prop_assert_eq!(finished, cut == stream.len());
    }
}

fn is_boundary(frames: &[Vec<u8>], at: usize) -> bool {
    let mut end = 0;
    at == 0
        || frames.iter().any(|frame| {
            end += frame.len();
            end == at
        })
}
