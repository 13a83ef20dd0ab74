//! Promises 7 and 8: what a session that is to leave changes, and that it changes nothing else. The oracle says what
//! the changed message looks like.

use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Message};
use kproxy::wire::api::{self, ApiKey as Key};
use proptest::collection::vec;
use proptest::prelude::*;

use super::exchanges::{Exchange, KINDS, answer_head, exchange, request, sized};
use super::{KNOWN_BROKERS, assert_same_but_for_padding, give, messages};
use crate::fuzz_targets::frame::session::{Event, HOST, Session, Settings, Side, frames};
use crate::walkers::entropy::Entropy;

/// Milliseconds a client is asked to pause at least, and a broker may keep a Fetch at most.
const PAUSE: i32 = 250;
const LONGEST_WAIT: i32 = 100;

fn is_throttle_obeyed(key: i16, version: i16) -> bool {
    api::api(key).is_some_and(|api| api.is_throttle_obeyed(version))
}

/// A session that is to leave. No broker is known to it, so no answer is given room for an endpoint.
fn asked() -> Session {
    let mut session = Session::new(Settings::from_bits(0));
    session.apply(&Event::BeginThrottling);
    session
}

fn encode(message: &impl Encodable, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes, version).unwrap();
    bytes
}

fn answer(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    sized(&[answer_head(key, version, 5).as_slice(), body].concat())
}

/// Sends `bytes` in two pieces, cut at every place, to a session of its own each time, and in single bytes; shows what
/// has come out.
fn at_every_cut(from: Side, begin: impl Fn() -> Session, bytes: &[u8], mut check: impl FnMut(&[u8], usize)) {
    for cut in 0..=bytes.len() {
        let mut session = begin();
        if cut == 0 {
            give(&mut session, from, bytes, 1);
        } else {
            give(&mut session, from, &bytes[..cut], usize::MAX);
            give(&mut session, from, &bytes[cut..], usize::MAX);
        }
        assert_eq!(session.fault, None);
        let lane = if from == Side::Client {
            &session.up
        } else {
            &session.down
        };
        assert_eq!(lane.held, 0);
        check(&lane.output, cut);
    }
}

/// A session that is to leave has passed a request of this kind and now gets `body` as its answer.
fn pass_answer(key: i16, version: i16, body: &[u8], check: impl FnMut(&[u8], usize)) {
    let begin = || {
        let mut session = asked();
        let body: &[u8] = if key == Key::PRODUCE {
            &[0, 0, 1, 0, 1, 0, 0]
        } else {
            &[0; 40]
        };
        let body = if key == Key::PRODUCE && version < 9 {
            &[0xff, 0xff, 0, 1][..]
        } else {
            body
        };
        give(
            &mut session,
            Side::Client,
            &request(key, version, 5, body),
            usize::MAX,
        );
        session
    };
    at_every_cut(Side::Broker, begin, &answer(key, version, body), check);
}

/// Every version the oracle knows of every message: the pause is asked for where clients heed it, and not a byte is
/// different otherwise.
macro_rules! pauses {
    ($($test:ident: $key:ident, $message:ty, $make:expr;)*) => {$(
        #[test]
        fn $test() {
            let versions = <$message>::VERSIONS;
            let mut paused = 0;
            for version in versions.min..=versions.max {
                for given in [0, PAUSE - 1, PAUSE, PAUSE + 1, 30_000] {
                    let make: fn(i16) -> $message = $make;
                    let message = make(version);
                    let heeded = is_throttle_obeyed(Key::$key, version);
                    // The oldest versions have no such field at all.
                    let given = if heeded { given } else { 0 };
                    let expected = if heeded { given.max(PAUSE) } else { given };
                    let body = encode(&message.clone().with_throttle_time_ms(given), version);
                    let expected = encode(&message.with_throttle_time_ms(expected), version);
                    let expected = answer(Key::$key, version, &expected);
                    pass_answer(Key::$key, version, &body, |got, cut| {
                        assert_eq!(got, expected, "v{version} cut at {cut}");
                    });
                    paused += usize::from(heeded);
                }
            }
            assert!(paused > 0, "it is never asked for");
        }
    )*};
}

pauses! {
    list_offsets: LIST_OFFSETS, ListOffsetsResponse, |_| ListOffsetsResponse::default();
    offset_commit: OFFSET_COMMIT, OffsetCommitResponse, |_| OffsetCommitResponse::default();
    offset_fetch: OFFSET_FETCH, OffsetFetchResponse, |_| OffsetFetchResponse::default();
    heartbeat: HEARTBEAT, HeartbeatResponse, |_| HeartbeatResponse::default().with_error_code(27);
    leave_group: LEAVE_GROUP, LeaveGroupResponse, |_| LeaveGroupResponse::default();
    init_producer_id: INIT_PRODUCER_ID, InitProducerIdResponse, |_| InitProducerIdResponse::default();
    add_partitions_to_txn: ADD_PARTITIONS_TO_TXN, AddPartitionsToTxnResponse, |_| AddPartitionsToTxnResponse::default();
    add_offsets_to_txn: ADD_OFFSETS_TO_TXN, AddOffsetsToTxnResponse, |_| AddOffsetsToTxnResponse::default();
    end_txn: END_TXN, EndTxnResponse, |_| EndTxnResponse::default();
    txn_offset_commit: TXN_OFFSET_COMMIT, TxnOffsetCommitResponse, |_| TxnOffsetCommitResponse::default();
    create_topics: CREATE_TOPICS, CreateTopicsResponse, |_| CreateTopicsResponse::default();
    produce: PRODUCE, ProduceResponse, plain_produce;
    fetch: FETCH, FetchResponse, plain_fetch;
}

/// Two topics with partitions, and whatever the version can say that names nobody.
fn plain_produce(version: i16) -> ProduceResponse {
    use kafka_protocol::messages::produce_response::*;
    let errors =
        vec![BatchIndexAndErrorMessage::default().with_batch_index_error_message(Some("bad".into()))];
    let mut partition = PartitionProduceResponse::default()
        .with_index(3)
        .with_base_offset(7_000);
    if version >= 8 {
        partition = partition
            .with_record_errors(errors)
            .with_error_message(Some("worse".into()));
    }
    let topic = |name: &'static str| {
        let topic = TopicProduceResponse::default().with_partition_responses(vec![partition.clone()]);
        if version >= 13 {
            topic
        } else {
            topic.with_name(TopicName(name.into()))
        }
    };
    ProduceResponse::default().with_responses(vec![topic("one"), topic("another")])
}

fn plain_fetch(version: i16) -> FetchResponse {
    use kafka_protocol::messages::fetch_response::*;
    let partition = PartitionData::default()
        .with_high_watermark(12)
        .with_aborted_transactions(Some(Vec::new()))
        .with_records(Some(vec![9; 20].into()));
    let topic = FetchableTopicResponse::default().with_partitions(vec![partition]);
    let topic = if version >= 13 {
        topic
    } else {
        topic.with_topic(TopicName("orders".into()))
    };
    FetchResponse::default().with_responses(vec![topic])
}

fn decode<M: Decodable>(key: i16, version: i16, frame: &[u8]) -> M {
    let mut body = &frame[4 + answer_head(key, version, 5).len()..];
    let message = M::decode(&mut body, version).unwrap();
    assert!(body.is_empty());
    message
}

#[test]
fn metadata_is_rewritten_and_asks_for_a_pause() {
    let bytes: Vec<u8> = (0..120u32).map(|n| ((n + 5) * 37 % 251) as u8).collect();
    for version in 3..=13 {
        let message = messages::metadata(&mut Entropy::new(&bytes), version);
        assert!(!message.brokers.is_empty());
        let body = encode(&message.clone().with_throttle_time_ms(0), version);
        pass_answer(Key::METADATA, version, &body, |got, _| {
            let got: MetadataResponse = decode(Key::METADATA, version, got);
            assert_eq!(got.throttle_time_ms, if version >= 6 { PAUSE } else { 0 });
            assert!(got.brokers.iter().all(|broker| &*broker.host == HOST));
            assert_eq!(got.topics, message.topics);
        });
    }
}

#[test]
fn find_coordinator_is_rewritten_and_asks_for_a_pause() {
    for version in 1..=3 {
        let message = FindCoordinatorResponse::default()
            .with_node_id(1.into())
            .with_host("broker".into());
        pass_answer(
            Key::FIND_COORDINATOR,
            version,
            &encode(&message, version),
            |got, _| {
                let got: FindCoordinatorResponse = decode(Key::FIND_COORDINATOR, version, got);
                assert_eq!(got.throttle_time_ms, if version >= 2 { PAUSE } else { 0 });
                assert_eq!((&*got.host, got.node_id), (HOST, 1.into()));
            },
        );
    }
}

#[test]
fn an_answer_that_names_brokers_at_its_end_asks_for_a_pause_too() {
    let bytes: Vec<u8> = (0..250u32).map(|n| (n * 29 % 241) as u8 | 1).collect();
    for version in 10..=13 {
        let message = messages::produce(&mut Entropy::new(&bytes), version);
        assert!(!message.node_endpoints.is_empty());
        let body = encode(&message.clone().with_throttle_time_ms(3), version);
        pass_answer(Key::PRODUCE, version, &body, |got, _| {
            let got: ProduceResponse = decode(Key::PRODUCE, version, got);
            assert_eq!(
                (got.throttle_time_ms, &got.responses),
                (PAUSE, &message.responses)
            );
            assert!(got.node_endpoints.iter().all(|node| &*node.host == HOST));
        });
    }
    for version in 16..=18 {
        let message = messages::fetch(&mut Entropy::new(&bytes), version);
        assert!(!message.node_endpoints.is_empty());
        let body = encode(&message.clone().with_throttle_time_ms(3), version);
        pass_answer(Key::FETCH, version, &body, |got, _| {
            let got: FetchResponse = decode(Key::FETCH, version, got);
            assert_eq!(
                (got.throttle_time_ms, &got.responses),
                (PAUSE, &message.responses)
            );
            assert!(got.node_endpoints.iter().all(|node| &*node.host == HOST));
        });
    }
}

#[test]
fn what_clients_do_not_heed_is_not_touched() {
    let body = encode(&JoinGroupResponse::default(), 9);
    pass_answer(Key::JOIN_GROUP, 9, &body, |got, _| {
        assert_eq!(got, answer(Key::JOIN_GROUP, 9, &body));
    });
}

/// A request of the given wait, and what the broker is to get.
fn expect_wait(key: i16, version: i16, make: impl Fn(i32) -> Vec<u8>) {
    for given in [
        0,
        LONGEST_WAIT - 1,
        LONGEST_WAIT,
        LONGEST_WAIT + 1,
        500,
        i32::MAX,
        -1,
    ] {
        let sent = request(key, version, 5, &make(given));
        let expected = request(key, version, 5, &make(given.min(LONGEST_WAIT)));
        at_every_cut(Side::Client, asked, &sent, |got, cut| {
            assert_eq!(got, expected, "{key} v{version} cut at {cut}");
        });
    }
}

#[test]
fn a_fetch_waits_no_longer_than_a_moment() {
    for version in 0..=3 {
        expect_wait(Key::FETCH, version, |wait| {
            [&(-1i32).to_be_bytes()[..], &wait.to_be_bytes(), &[0; 8]].concat()
        });
    }
    for version in 4..=18 {
        let message = FetchRequest::default().with_min_bytes(1).with_max_bytes(1 << 20);
        expect_wait(Key::FETCH, version, |wait| {
            encode(&message.clone().with_max_wait_ms(wait), version)
        });
    }
    let message = ShareFetchRequest::default()
        .with_group_id(Some(GroupId("group".into())))
        .with_member_id(Some("member".into()))
        .with_share_session_epoch(i32::MAX);
    expect_wait(Key::SHARE_FETCH, 1, |wait| {
        encode(&message.clone().with_max_wait_ms(wait), 1)
    });
}

#[test]
fn requests_behind_a_changed_one_are_their_own() {
    let fetch = |wait: i32| [&wait.to_be_bytes()[..], &[0; 30]].concat();
    let (sent, expected): (Vec<_>, Vec<_>) = (0..3)
        .map(|id| [500, LONGEST_WAIT].map(|wait| request(Key::FETCH, 17, id, &fetch(wait))))
        .map(|[sent, expected]| (sent, expected))
        .unzip();
    at_every_cut(Side::Client, asked, &sent.concat(), |got, _| {
        assert_eq!(got, expected.concat())
    });
}

/// An exchange with the fields that may differ taken out of both of its frames.
fn without_pause(exchange: &Exchange, frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let start = 4 + answer_head(exchange.key, exchange.version, 0).len();
    if is_throttle_obeyed(exchange.key, exchange.version) && frame.len() >= start + 4 {
        frame[start..start + 4].fill(0);
    }
    frame
}

fn run(throttling: bool, exchanges: &[Exchange], pieces: &[usize]) -> Session {
    let mut session = Session::new(Settings::from_bits(KNOWN_BROKERS));
    if throttling {
        session.apply(&Event::BeginThrottling);
    }
    super::pipeline(&mut session, exchanges, &mut pieces.iter().copied().cycle());
    assert_eq!(session.fault, None);
    assert_eq!(session.inspector.in_flight_and_boundary(), (0, true));
    session
}

trait AtRest {
    fn in_flight_and_boundary(&self) -> (usize, bool);
}

impl<I: kproxy::session::inspect::Inspect> AtRest for I {
    fn in_flight_and_boundary(&self) -> (usize, bool) {
        (self.in_flight(), self.at_boundary())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive_at_a_session_that_is_to_leave(
        kinds in vec((0..KINDS, vec(any::<u8>(), 0..250)), 1..9),
        pieces in vec(prop_oneof![1usize..12, 1usize..600], 1..20),
    ) {
        let exchanges: Vec<_> = kinds
            .iter()
            .enumerate()
            .map(|(at, (kind, bytes))| exchange(*kind, at as i32 + 100, &mut Entropy::new(bytes)))
            .collect();
        let plain = run(false, &exchanges, &[usize::MAX]);
        let whole = run(true, &exchanges, &[usize::MAX]);
        for pieces in [pieces.as_slice(), &[1]] {
            let cut = run(true, &exchanges, pieces);
            prop_assert_eq!(&whole.up.output, &cut.up.output);
            let answered = exchanges.iter().filter(|exchange| exchange.local || exchange.answer.is_some());
            let got = [&plain, &whole, &cut].map(|session| frames(&session.down.output));
            for (at, exchange) in answered.enumerate() {
                let [plain, whole, cut] = [0, 1, 2].map(|run: usize| got[run][at]);
                if exchange.has_tail() {
                    assert_same_but_for_padding(exchange, whole, cut);
                } else {
                    prop_assert_eq!(whole, cut);
                    prop_assert_eq!(without_pause(exchange, plain), without_pause(exchange, whole));
                }
            }
        }
    }
}
