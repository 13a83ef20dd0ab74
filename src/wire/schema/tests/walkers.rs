//! The walkers of the fast path against the tables: they find the fields that the schemas say.

use super::super::row::{FieldType, StructRow};
use super::super::table::MESSAGES;
use super::super::{Direction, Message, Splice, Structure};
use super::random::{Random, body};
use crate::wire::api::{self, Api, ThrottlePosition};
use crate::wire::rewrite::{self, Advertised, Nodes, Placement, TailFinder};
use crate::wire::throttle::{self, Throttle};
use crate::wire::{header, max_wait, sasl};

/// Answers with addresses that are not those of brokers: of the applications in a Streams group, and between controllers.
const OTHER_ADDRESSES: &[i16] = &[52, 53, 54, 59, 82, 88, 89];

/// Whether a structure has a host and a port in it. A host alone is what an ACL is about.
fn has_host(row: &StructRow, version: u8) -> bool {
    let mut fields = row.plain.iter().chain(row.tagged);
    let is_here = ["host", "port"]
        .iter()
        .all(|name| row.find(name, version).is_some());
    is_here
        || fields.any(|field| {
            let is_there = |inner| field.is_in(version) && has_host(inner, version);
            matches!(field.kind, FieldType::Struct(inner) if is_there(inner))
        })
}

#[test]
fn answers_with_addresses_of_brokers_are_those_that_are_rewritten() {
    let mut rewritten = 0;
    for row in MESSAGES.iter().filter(|row| row.direction == Direction::Response) {
        for version in row.first..=row.last {
            let is_rewritten = rewrite::layout(row.api, version.into()).is_some();
            let has_host = has_host(row.root, version) && !OTHER_ADDRESSES.contains(&row.api);
            assert_eq!(has_host, is_rewritten, "{} v{version}", row.name);
            rewritten += usize::from(is_rewritten);
        }
    }
    assert!(rewritten > 35, "{rewritten}");
}

/// An address as an answer has it.
type FoundAddress = (i64, Vec<u8>, i64);

/// Addresses of a structure in the order of the wire; `node` is the id beside or above them.
fn addresses(structure: &Structure<'_>, node: i64, out: &mut Vec<FoundAddress>) {
    let ids = ["node_id", "broker_id"];
    let own = ids
        .iter()
        .filter(|name| structure.row.knows(name))
        .find_map(|name| structure.int(name));
    let node = own.unwrap_or(node);
    if structure.row.knows("host")
        && let Some(host) = structure.content("host")
    {
        out.push((node, host.to_vec(), structure.int("port").unwrap()));
    }
    for field in structure.row.plain.iter().chain(structure.row.tagged) {
        if field.is_in(structure.encoding.version) && field.is_array && field.is_struct() {
            structure
                .array(field.name)
                .for_each(|element| addresses(&element, node, out));
        }
    }
}

/// The part of the body that is rewritten, by the walkers.
fn part(key: i16, version: i16, body: &[u8]) -> std::ops::Range<usize> {
    match rewrite::placement(key, version) {
        Placement::None => panic!("no addresses"),
        Placement::Whole => 0..body.len(),
        Placement::Prefix => 0..rewrite::prefix_len(key, version, body).unwrap().unwrap(),
        Placement::Tail => {
            let mut finder = TailFinder::new(key, version, body.len()).unwrap();
            let advance = finder.advance(body).unwrap();
            assert!(advance.done);
            advance.consumed..body.len()
        }
    }
}

/// Part of the body that is rewritten, by the tables.
fn part_by_tables(message: &Message<'_>) -> std::ops::Range<usize> {
    let root = message.root();
    let end = |name: &str| root.field(name).unwrap().range().end;
    match message.api_key() {
        3 => 0..end("brokers"),
        0 => end("throttle_time_ms")..message.body().len(),
        1 => end("responses")..message.body().len(),
        78 | 79 => root.field("node_endpoints").unwrap().range().start..message.body().len(),
        _ => 0..message.body().len(),
    }
}

/// An arbitrary answer without an error and about brokers: otherwise it has no addresses.
fn answer(known: &Api, version: i16, seed: u64) -> Vec<u8> {
    let body = body(known.key, Direction::Response, version, &mut Random(seed));
    let message = Message::read(known.key, Direction::Response, version, &body).unwrap();
    let mut splice = Splice::new(&message);
    let root = message.root();
    let coordinators = root.row.knows("coordinators").then(|| root.array("coordinators"));
    for structure in coordinators.into_iter().flatten().chain([root]) {
        for (name, value) in [("error_code", 0), ("endpoint_type", 1)] {
            if structure.row.knows(name)
                && let Some(place) = structure.field(name)
            {
                splice.set_int(&place, value);
            }
        }
    }
    splice.finish()
}

/// One address for every node.
struct OneAddress;

const ONE: Advertised<'_> = Advertised {
    host: "kafka.proxy.example",
    port: 9092,
};

impl Nodes for OneAddress {
    fn advertised(&self, _: i32) -> Option<Advertised<'_>> {
        Some(ONE)
    }
}

#[test]
fn addresses_are_replaced_where_the_schemas_have_them() {
    let mut found = 0;
    for known in api::apis() {
        for version in (known.min..=known.max).filter(|version| known.address_layout(*version).is_some()) {
            for seed in 0..64 {
                let body = answer(known, version, seed);
                let message = Message::read(known.key, Direction::Response, version, &body).unwrap();
                let at = format!("{} v{version}, seed {seed}", known.name);
                let part = part(known.key, version, &body);
                assert_eq!(part, part_by_tables(&message), "{at}");
                let mut expected = Vec::new();
                addresses(&message.root(), -1, &mut expected);
                for (_, host, port) in &mut expected {
                    (*host, *port) = (ONE.host.into(), ONE.port.into());
                }
                let mut out = body[..part.start].to_vec();
                rewrite::rewrite(known.key, version, &body[part.clone()], &OneAddress, &mut out).unwrap();
                out.extend_from_slice(&body[part.end..]);
                let rewritten = Message::read(known.key, Direction::Response, version, &out).unwrap();
                let mut ours = Vec::new();
                addresses(&rewritten.root(), -1, &mut ours);
                assert_eq!(ours, expected, "{at}");
                found += expected.len();
            }
        }
    }
    assert!(found > 1_000, "{found}");
}

/// A request with a header in front, and where its body begins.
fn request(known: &Api, version: i16, body: &[u8]) -> (Vec<u8>, usize) {
    let mut frame = [known.key.to_be_bytes(), version.to_be_bytes()].concat();
    frame.extend([0, 0, 0, 1, 0, 1, b'c']);
    if known.request_is_flexible(version) {
        frame.push(0);
    }
    let at = frame.len();
    frame.extend_from_slice(body);
    (frame, at)
}

#[test]
fn the_wait_of_a_fetch_stands_where_the_schemas_have_it() {
    let mut found = 0;
    for known in api::apis() {
        for version in known.min..=known.max {
            let body = body(known.key, Direction::Request, version, &mut Random(7));
            let message = Message::read(known.key, Direction::Request, version, &body).unwrap();
            let root = message.root();
            let expected = root
                .row
                .knows("max_wait_ms")
                .then(|| root.field("max_wait_ms").unwrap());
            let (frame, at) = request(known, version, &body);
            let wait = max_wait::max_wait(&frame, known, version).unwrap();
            let expected = expected.map(|place| (at + place.range().start, place.int().unwrap() as i32));
            assert_eq!(wait, expected, "{} v{version}", known.name);
            found += usize::from(wait.is_some());
        }
    }
    assert!(found > 15, "{found}");
}

#[test]
fn throttle_times_stand_where_the_schemas_have_them() {
    for known in api::apis() {
        let Some(field) = known.throttle else { continue };
        for version in field.since..=known.max {
            let body = body(known.key, Direction::Response, version, &mut Random(9));
            let message = Message::read(known.key, Direction::Response, version, &body).unwrap();
            let place = message.root().field("throttle_time_ms").unwrap().range();
            let expected = match field.position {
                ThrottlePosition::First => 0,
                ThrottlePosition::AfterTopics => message.root().field("responses").unwrap().range().end,
            };
            assert_eq!(place, expected..expected + 4, "{} v{version}", known.name);
        }
    }
}

#[test]
fn what_a_session_reads_of_requests_is_what_the_schemas_have() {
    for seed in 0..64 {
        for version in 0..=13 {
            let body = body(0, Direction::Request, version, &mut Random(seed));
            let message = Message::read(0, Direction::Request, version, &body).unwrap();
            let (frame, _) = request(api::api(0).unwrap(), version, &body);
            let acks = header::produce_acks(&frame, version).unwrap().map(i64::from);
            assert_eq!(acks, message.root().int("acks"), "version {version}");
        }
        for version in 3..=5 {
            let body = body(18, Direction::Request, version, &mut Random(seed));
            let message = Message::read(18, Direction::Request, version, &body).unwrap();
            let software = header::software(&body, version).unwrap().unwrap();
            assert_eq!(
                Some(software.name),
                message.root().content("client_software_name")
            );
            assert_eq!(
                Some(software.version),
                message.root().content("client_software_version")
            );
        }
        for version in 0..=2 {
            let body = body(36, Direction::Request, version, &mut Random(seed));
            let message = Message::read(36, Direction::Request, version, &body).unwrap();
            let token = sasl::authenticate_token(&body, version).unwrap();
            assert_eq!(token, message.root().content("auth_bytes"));
        }
    }
}

#[test]
fn the_throttle_time_of_a_produce_answer_is_found() {
    for version in 6..=13 {
        for seed in 0..16 {
            let body = body(0, Direction::Response, version, &mut Random(seed));
            let message = Message::read(0, Direction::Response, version, &body).unwrap();
            let place = message.root().field("throttle_time_ms").unwrap();
            let known = api::api(0).unwrap();
            let mut frame = vec![0, 0, 0, 1];
            if known.response_header_is_flexible(version) {
                frame.push(0);
            }
            let at = frame.len() + place.range().start;
            frame.extend_from_slice(&body);
            let found = throttle::find(0, version, &frame, frame.len());
            assert_eq!(found, Ok(Throttle::At(at)), "version {version}");
        }
    }
}
