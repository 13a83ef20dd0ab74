//! What a hostile broker answers, each with the request it answers and the cause it is counted under.

use kproxy::session::cause::CloseCause;

use super::{HEARTBEAT, HOSTILE, HUNDRED_MIB, heartbeat};
use testkit::cluster::api_versions;
use testkit::frames::{self, raw_request};

/// A host that no client may hear of.
pub(crate) const SECRET: &[u8] = b"broker.internal";

const FETCH: i16 = 1;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;

/// 2^31-1 as an array length, plain and compact.
const COUNT: &[u8] = b"\x7f\xff\xff\xff";
const COMPACT_COUNT: &[u8] = b"\xff\xff\xff\xff\x07";

pub(crate) struct Misdeed {
    pub(crate) name: &'static str,
    pub(crate) request: Vec<u8>,
    pub(crate) first: Vec<u8>,
    /// So many bytes of `first` reach the client before `then` is sent.
    pub(crate) seen: usize,
    pub(crate) then: Vec<u8>,
    pub(crate) end: Ends,
    pub(crate) cause: CloseCause,
}

/// What the broker does with the connection afterwards.
pub(crate) enum Ends {
    NotAtAll,
    WithFin,
    WithReset,
}

impl Misdeed {
    /// In answer to a request of this API, in one piece.
    fn new(name: &'static str, (key, version): (i16, i16), answer: Vec<u8>, cause: CloseCause) -> Self {
        Self {
            name,
            request: raw_request(key, version, HOSTILE, &[0; 8]),
            first: answer,
            seen: 0,
            then: Vec::new(),
            end: Ends::NotAtAll,
            cause,
        }
    }

    fn ending(self, end: Ends) -> Self {
        Self { end, ..self }
    }

    fn after_seen(self, seen: usize, then: Vec<u8>) -> Self {
        Self { seen, then, ..self }
    }
}

/// A whole answer with this behind its correlation id.
fn answer(body: &[u8]) -> Vec<u8> {
    frames::raw_response(HOSTILE, body)
}

/// The beginning of an answer that claims to be `size` bytes long.
fn begun(size: i32, behind_correlation_id: &[u8]) -> Vec<u8> {
    [&size.to_be_bytes(), &HOSTILE.to_be_bytes(), behind_correlation_id].concat()
}

/// A broker as Metadata v1 writes it: id, host, port, no rack.
fn broker_v1() -> Vec<u8> {
    [
        &[0, 0, 0, 1, 0, SECRET.len() as u8][..],
        SECRET,
        &[0, 0, 0x23, 0x84],
        &[0xff, 0xff],
    ]
    .concat()
}

pub(crate) fn misdeeds() -> Vec<Misdeed> {
    let mut all = not_kafka();
    all.extend(out_of_order());
    all.extend(beyond_the_frame());
    all.extend(cut_short());
    all
}

fn not_kafka() -> Vec<Misdeed> {
    let beat = (HEARTBEAT, 0);
    let sized = |name, size: i32| {
        Misdeed::new(
            name,
            beat,
            begun(size, b"never sent"),
            CloseCause::UpstreamInvalidFrame,
        )
    };
    vec![
        sized("size -1", -1),
        sized("size 0", 0),
        sized("size 3", 3),
        sized("size 2^31-1", i32::MAX),
        sized("size 100 MiB + 1", HUNDRED_MIB + 1),
        Misdeed::new(
            "TLS alert",
            beat,
            vec![0x15, 3, 3, 0, 2, 2, 70],
            CloseCause::UpstreamSpeaksTls,
        ),
        Misdeed::new(
            "HTTP",
            beat,
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            CloseCause::UpstreamNotKafka,
        )
        .ending(Ends::WithFin),
    ]
}

fn out_of_order() -> Vec<Misdeed> {
    let beat = (HEARTBEAT, 0);
    let twice = [answer(b"once"), answer(b"twice")].concat();
    let other = frames::raw_response(HOSTILE + 1, b"whose?");
    vec![
        Misdeed::new("answered twice", beat, twice, CloseCause::UnsolicitedResponse),
        Misdeed::new(
            "unasked, later",
            beat,
            answer(b"once"),
            CloseCause::UnsolicitedResponse,
        )
        .after_seen(12, answer(b"twice")),
        Misdeed::new(
            "another correlation id",
            beat,
            other.clone(),
            CloseCause::CorrelationMismatch,
        ),
        Misdeed::new(
            "the same for Metadata",
            (METADATA, 1),
            other.clone(),
            CloseCause::CorrelationMismatch,
        ),
        Misdeed::new(
            "the same for Fetch",
            (FETCH, 16),
            other,
            CloseCause::CorrelationMismatch,
        ),
    ]
}

fn beyond_the_frame() -> Vec<Misdeed> {
    let bad = |name, api, body: &[&[u8]]| {
        Misdeed::new(name, api, answer(&body.concat()), CloseCause::MalformedResponse)
    };
    let throttle = &[0; 4];
    // No tags in the header; throttle time, error, session id.
    let fetch = &[0; 1 + 4 + 2 + 4];
    let one_of_two = [&[0, 0, 0, 2][..], &broker_v1()].concat();
    let streamed = [fetch, COMPACT_COUNT, &[0; 300]].concat();
    let tail_size = [&fetch[..], b"\x01", b"\x01\0\xff\xff\xff\xff\x07"].concat();
    let frame_of = |body: &[u8]| answer(body).split_at(19).1.to_vec();
    let streaming = |name, body: &[u8]| {
        let size = 4 + body.len() as i32;
        Misdeed::new(
            name,
            (FETCH, 16),
            begun(size, fetch),
            CloseCause::MalformedResponse,
        )
        .after_seen(19, frame_of(body))
    };
    vec![
        bad("Metadata v1: brokers", (METADATA, 1), &[COUNT]),
        bad("Metadata v1: the second of two", (METADATA, 1), &[&one_of_two]),
        bad(
            "Metadata v12: brokers",
            (METADATA, 12),
            &[b"\0", throttle, COMPACT_COUNT],
        ),
        bad(
            "Metadata v12: a host",
            (METADATA, 12),
            &[b"\0", throttle, b"\x02", &[0, 0, 0, 1], COMPACT_COUNT, SECRET],
        ),
        bad("Metadata v12: ends within its header", (METADATA, 12), &[]),
        bad(
            "FindCoordinator v0: host",
            (FIND_COORDINATOR, 0),
            &[&[0, 0], &[0, 0, 0, 1], b"\x7f\xff", SECRET],
        ),
        bad(
            "FindCoordinator v4: coordinators",
            (FIND_COORDINATOR, 4),
            &[b"\0", throttle, COMPACT_COUNT, SECRET],
        ),
        bad("Fetch v16: topics", (FETCH, 16), &[fetch, COMPACT_COUNT]),
        bad(
            "Fetch v16: size of the tail's tag",
            (FETCH, 16),
            &[&tail_size, SECRET],
        ),
        bad(
            "Fetch v16: nodes in the tail",
            (FETCH, 16),
            &[fetch, b"\x01", b"\x01\0\x05", COMPACT_COUNT, SECRET],
        ),
        streaming("Fetch v16, streamed: topics", &streamed),
        streaming("Fetch v16, streamed: tail", &[&tail_size, SECRET].concat()),
        bad("ApiVersions v0: ranges", (API_VERSIONS, 0), &[&[0, 0], COUNT]),
        bad(
            "ApiVersions v3: ranges",
            (API_VERSIONS, 3),
            &[&[0, 0], COMPACT_COUNT],
        ),
    ]
}

fn cut_short() -> Vec<Misdeed> {
    let beat = (HEARTBEAT, 0);
    let early = |name, api, begun| {
        Misdeed::new(name, api, begun, CloseCause::UpstreamClosedEarly).ending(Ends::WithFin)
    };
    let half = || begun(1000, b"half");
    vec![
        early("FIN instead of an answer", beat, Vec::new()),
        early("FIN within a size", beat, vec![0, 0]),
        early("FIN within a frame", beat, half()).after_seen(12, Vec::new()),
        early(
            "FIN within a list of brokers",
            (METADATA, 1),
            begun(1000, &[&[0, 0, 0, 2][..], &broker_v1()].concat()),
        ),
        Misdeed::new("RST within a frame", beat, half(), CloseCause::UpstreamReset)
            .after_seen(12, Vec::new())
            .ending(Ends::WithReset),
    ]
}

/// Answers to the ApiVersions and Metadata requests that kproxy sends on its own account.
pub(crate) fn to_the_probe() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let head = |correlation_id: i32, size: i32| [size.to_be_bytes(), correlation_id.to_be_bytes()].concat();
    let versions = || frames::response(0, 1, &api_versions());
    let metadata = |body: &[u8]| vec![versions(), frames::raw_response(2, body)];
    vec![
        ("size -1", vec![head(1, -1)]),
        ("size 0", vec![head(1, 0)]),
        ("size 2^31-1", vec![head(1, i32::MAX)]),
        ("size 100 MiB + 1", vec![head(1, HUNDRED_MIB + 1)]),
        ("a frame that never ends", vec![head(1, 1 << 20)]),
        ("TLS alert", vec![vec![0x15, 3, 3, 0, 2, 2, 70]]),
        ("HTTP", vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]),
        ("another correlation id", vec![frames::raw_response(7, &[0; 64])]),
        ("a request instead", vec![heartbeat(1)]),
        (
            "ranges beyond the frame",
            vec![frames::raw_response(1, &[&[0, 0], COUNT].concat())],
        ),
        (
            "brokers beyond the frame",
            metadata(&[&[0; 5], COMPACT_COUNT].concat()),
        ),
        ("no brokers", metadata(&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])),
    ]
}

/// The beginning of an answer that claims `size`, as far as it may have to be held.
pub(crate) fn claiming_answer(key: i16, size: i32) -> Vec<u8> {
    match key {
        FETCH => begun(size, &[0; 11]),
        METADATA => begun(size, &[0, 0, 0, 0, 0]),
        _ => begun(size, &[0]),
    }
}
