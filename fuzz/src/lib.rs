//! What is fuzzed, as plain functions: a fuzz target is a call of one of them, and `tests/it/fuzz_corpus.rs` replays the
//! committed seeds through all of them. A function panics if a property does not hold.
//!
//! `cargo +nightly fuzz run <target> fuzz/corpus/<target> fuzz/seeds/<target>` runs one of them.

pub(crate) mod acl;
pub(crate) mod authorization;
pub(crate) mod chain;
pub(crate) mod frame;
pub(crate) mod jwt;
pub(crate) mod sasl_exchanges;

use std::time::{Duration, Instant};

use kproxy::session::routes::HostRouter;
use kproxy::tls::{ClientHello, Hello};
use kproxy::wire::api::{self, ApiKey};
use kproxy::wire::proxy_protocol::{self, Parsed};
use kproxy::wire::rewrite::{self, Advertised, Nodes, TailFinder};
use kproxy::wire::schema::{Direction, MarkedNames, Message, NameKind, NamesLeft, Splice};
use kproxy::wire::{api_versions, header, sasl};

/// Takes one input.
pub type Target = fn(&[u8]);

/// Every target by name, which is also the name of its directory of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("request_header", request_header),
    ("skip", skip),
    ("shape_walk", shape_walk),
    ("rewrite_metadata", rewrite_metadata),
    ("rewrite_coordinator", rewrite_coordinator),
    ("rewrite_cluster", rewrite_cluster),
    ("rewrite_quorum", rewrite_quorum),
    ("rewrite_tail", rewrite_tail),
    ("api_versions", api_versions),
    ("frame", frame),
    ("chain", chain),
    ("yaml", yaml),
    ("proxy_header", proxy_header),
    ("client_hello", client_hello),
    ("sasl_token", sasl_token),
    ("jwt", jwt),
    ("sasl_exchanges", sasl_exchanges),
    ("acl_rules", acl_rules),
    ("authorization", authorization),
];

/// See `chain::run`.
pub fn chain(input: &[u8]) {
    chain::run(input);
}

/// Authentications, see the module.
pub fn sasl_exchanges(input: &[u8]) {
    sasl_exchanges::run(input);
}

/// See `authorization::run`.
pub fn authorization(input: &[u8]) {
    authorization::run(input);
}

/// See `acl::rules`.
pub fn acl_rules(input: &[u8]) {
    acl::rules(input);
}

/// A hello says the same however it is cut, and whatever it asks for can be looked up. The first byte says how it is
/// cut.
pub fn client_hello(input: &[u8]) {
    let Some((&cut, bytes)) = input.split_first() else {
        return;
    };
    let whole = read_hello(bytes, bytes.len().max(1));
    let pieces = read_hello(bytes, usize::from(cut).max(1));
    // A hello that is whole before the end leaves the rest unread in pieces.
    if let (Some(whole), Some(pieces)) = (&whole, &pieces) {
        assert_eq!(whole, pieces);
    }
    if let Some(Some(name)) = whole {
        assert_eq!(name, name.to_ascii_lowercase());
        assert!(HostRouter::default().lookup(&name).is_none());
    }
}

/// The name a hello asks for; `None` if it never is whole.
fn read_hello(bytes: &[u8], piece: usize) -> Option<Option<String>> {
    let mut hello = ClientHello::default();
    let mut read = 0;
    for piece in bytes.chunks(piece) {
        read += piece.len();
        match hello.read(piece) {
            Hello::Incomplete => {}
            Hello::Complete {
                server_name,
                bytes: kept,
            } => {
                assert_eq!(
                    kept,
                    &bytes[..read],
                    "the handshake begins with all that was read"
                );
                return Some(server_name);
            }
            Hello::Broken { alert, .. } => {
                assert!(alert.len() <= 64, "an alert is a few bytes");
                return None;
            }
        }
    }
    None
}

/// The responses that have a tail, by the first byte of the input.
const TAILS: [(i16, i16); 8] = [
    (ApiKey::PRODUCE, 10),
    (ApiKey::PRODUCE, 13),
    (ApiKey::FETCH, 16),
    (ApiKey::FETCH, 18),
    (ApiKey::SHARE_FETCH, 0),
    (ApiKey::SHARE_FETCH, 1),
    (ApiKey::SHARE_ACKNOWLEDGE, 1),
    (ApiKey::SHARE_ACKNOWLEDGE, 2),
];

/// Gives nodes 0 to 7 an address and withholds every other.
struct EightNodes;

const HOST: &str = "kafka.proxy.example";

impl Nodes for EightNodes {
    fn advertised(&self, node_id: i32) -> Option<Advertised<'_>> {
        if !(0..8).contains(&node_id) {
            return None;
        }
        Some(Advertised {
            host: HOST,
            port: 9000 + node_id as u16,
        })
    }
}

/// A request frame without its size.
pub fn request_header(frame: &[u8]) {
    let Some(head) = header::request_head(frame) else {
        return;
    };
    if let Some(known) = api::api(head.api_key)
        && let Ok(Some(start)) = header::request_body(frame, known, head.api_version)
    {
        assert!(start <= frame.len());
        assert!(matches!(header::client_id(frame), Ok(Some(_))));
        // What could be said of a frame can be said of its beginning.
        assert_eq!(
            header::request_body(&frame[..start], known, head.api_version),
            Ok(Some(start))
        );
    }
    if let Ok(Some(acks)) = header::produce_acks(frame, head.api_version) {
        let longer = [frame, &[0xff; 9]].concat();
        assert_eq!(header::produce_acks(&longer, head.api_version), Ok(Some(acks)));
    }
}

/// Which tail, length of the chunks, then a response body.
pub fn skip(input: &[u8]) {
    let [which, chunk, body @ ..] = input else { return };
    let (api_key, version) = TAILS[usize::from(*which) % TAILS.len()];
    let chunk = 1 + usize::from(*chunk);
    let Some(mut finder) = TailFinder::new(api_key, version, body.len()) else {
        panic!("no tail")
    };
    let whole = finder.advance(body).map(|advance| {
        assert!(advance.done, "all bytes are there");
        advance.consumed
    });
    assert_eq!(in_chunks(api_key, version, body, chunk), whole.ok());
}

fn in_chunks(api_key: i16, version: i16, body: &[u8], chunk: usize) -> Option<usize> {
    let mut finder = TailFinder::new(api_key, version, body.len())?;
    let (mut consumed, mut received) = (0, 0);
    loop {
        let advance = finder.advance(&body[consumed..received]).ok()?;
        consumed += advance.consumed;
        assert_eq!(finder.left(), body.len() - consumed);
        if advance.done {
            return Some(consumed);
        }
        assert!(received - consumed <= 4 && received < body.len());
        received = body.len().min(received + chunk);
    }
}

/// API, direction, version, then a body: what passes the shape walk can be searched and edited, and what is not edited stays.
pub fn shape_walk(input: &[u8]) {
    let [api_key, direction, version, body @ ..] = input else {
        return;
    };
    let (api_key, version) = (i16::from(*api_key), i16::from(*version));
    let direction = [Direction::Request, Direction::Response][usize::from(*direction % 2)];
    let read = |body| Message::read(api_key, direction, version, body);
    let arriving = arriving_names(api_key, direction, version, body, body.len() / 2);
    let Ok(message) = read(body) else { return };
    assert_eq!(message.root().range(), 0..body.len());
    assert_eq!(Splice::new(&message).finish(), body);
    let names: Vec<_> = message.names().collect();
    let ranges: Vec<_> = names.iter().map(|name| (name.kind, name.range())).collect();
    let (first, is_all) = arriving.unwrap_or_default();
    assert_eq!(Some(&first[..]), ranges.get(..first.len()));
    assert!(!is_all || first.len() == ranges.len());
    let mut splice = Splice::new(&message);
    for name in &names {
        assert!(name.range().end <= body.len());
        if name.text().is_some() {
            assert!(splice.set_text(&name.place, "renamed"));
        }
    }
    let edited = splice.finish();
    let edited = read(&edited).unwrap_or_else(|error| panic!("an edited body: {error}"));
    let again: Vec<_> = edited.names().collect();
    assert_eq!(names.len(), again.len());
    for (before, after) in names.iter().zip(&again) {
        let expected = match before.text() {
            Some(_) => Some(b"renamed".as_slice()),
            None => before.bytes(),
        };
        assert_eq!((before.kind, expected), (after.kind, after.bytes()));
    }
}

/// Names by kind and place.
type FoundNames = Vec<(NameKind, std::ops::Range<usize>)>;

/// Names in the beginning of a body, and whether no more can follow; `None` if the tables do not know the message.
fn arriving_names(
    api_key: i16,
    direction: Direction,
    version: i16,
    body: &[u8],
    arrived: usize,
) -> Option<(FoundNames, bool)> {
    let mut names = MarkedNames::arriving(api_key, direction, version, &body[..arrived], body.len()).ok()?;
    let found = names.by_ref().map(|name| (name.kind, name.range())).collect();
    Some((found, names.rest() == Ok(NamesLeft::None)))
}

/// Version, then the body of a Metadata response.
pub fn rewrite_metadata(input: &[u8]) {
    let [version, body @ ..] = input else { return };
    let version = i16::from(version % 14);
    if let Ok(Some(length)) = rewrite::prefix_len(ApiKey::METADATA, version, body) {
        let out = check_rewrite(ApiKey::METADATA, version, &body[..length]);
        let out = out.unwrap_or_else(|| panic!("a prefix was found but is malformed"));
        assert_eq!(
            rewrite::prefix_len(ApiKey::METADATA, version, &out),
            Ok(Some(out.len()))
        );
    }
}

/// Version, then the body of a FindCoordinator response.
pub fn rewrite_coordinator(input: &[u8]) {
    let [version, body @ ..] = input else { return };
    check_rewrite(ApiKey::FIND_COORDINATOR, i16::from(version % 7), body);
}

/// Version, then the body of a DescribeCluster response.
pub fn rewrite_cluster(input: &[u8]) {
    let [version, body @ ..] = input else { return };
    check_rewrite(ApiKey::DESCRIBE_CLUSTER, i16::from(version % 3), body);
}

/// The body of a DescribeQuorum response.
pub fn rewrite_quorum(body: &[u8]) {
    check_rewrite(ApiKey::DESCRIBE_QUORUM, 2, body);
}

/// Which tail, room to spare, then the tail.
pub fn rewrite_tail(input: &[u8]) {
    let [which, room, tail @ ..] = input else { return };
    let (api_key, version) = TAILS[usize::from(*which) % TAILS.len()];
    check_rewrite(api_key, version, tail);
    let exact = tail.len() + usize::from(*room);
    let mut out = Vec::new();
    if let Ok(fit) = rewrite::fit_tail(api_key, version, tail, &EightNodes, exact, &mut out) {
        assert_eq!(out.len(), exact);
        assert_eq!(assert_ours(api_key, version, &out), fit.counts.rewritten);
    } else {
        assert!(out.is_empty());
    }
}

/// Version, then the body of an ApiVersions response.
pub fn api_versions(input: &[u8]) {
    let [version, body @ ..] = input else { return };
    let version = i16::from(version % 6);
    let mut out = Vec::new();
    let Ok(clamped) = api_versions::clamp(version, body, &mut out) else {
        assert!(out.is_empty());
        return;
    };
    assert!(out.len() <= body.len());
    assert_eq!(header::error_code_at_start(&out), Some(clamped.error));
    let mut again = Vec::new();
    let nothing = api_versions::Clamped {
        lowered: 0,
        removed: 0,
        ..clamped
    };
    assert_eq!(api_versions::clamp(version, &out, &mut again), Ok(nothing));
    assert_eq!(out, again);
    for key in -1..100 {
        if let Some((_, max)) = api_versions::version_range(&out, version, key) {
            assert!(api::api(key).is_some_and(|known| max <= known.max));
        }
    }
}

/// What happens to a session, see the module.
pub fn frame(input: &[u8]) {
    frame::run(input);
}

/// A configuration file, and the same behind a password.
pub fn yaml(input: &[u8]) {
    const SECRET: &str = "c4nary-s3cret";
    const BEHIND: &str = "virtualClusters:
  - name: a
    gateways: [{name: a, tls: {key: {certificateFile: c, keyPassword: {password: 'c4nary-s3cret'}}}}]
";
    // Ample for an input of a fuzzer's size; what is looked for takes minutes.
    const LIMIT: Duration = Duration::from_secs(20);
    let began = Instant::now();
    let parsed = kproxy::model::parse(input, "fuzz.yaml");
    assert!(parsed.as_ref().err().is_none_or(|found| !found.is_empty()));
    assert_eq!(parsed, kproxy::model::parse(input, "fuzz.yaml"));
    let behind = kproxy::model::parse(&[BEHIND.as_bytes(), input].concat(), "fuzz.yaml");
    for diagnostic in behind.err().into_iter().flatten() {
        assert!(!diagnostic.to_string().contains(SECRET), "{diagnostic}");
    }
    assert!(began.elapsed() < LIMIT);
}

/// The first bytes of a connection.
pub fn proxy_header(bytes: &[u8]) {
    let outcome = proxy_protocol::parse(bytes);
    // What could be said of the beginning is not taken back, and nothing is waited for that is not needed.
    for here in 0..bytes.len() {
        match proxy_protocol::parse(&bytes[..here]) {
            Ok(Parsed::Incomplete { at_least }) => {
                assert!(at_least > here && at_least <= proxy_protocol::MAX_V2);
                match &outcome {
                    Ok(Parsed::Header { len, .. }) => assert!(here < *len && at_least <= *len),
                    Ok(Parsed::Incomplete { at_least: now }) => assert!(at_least <= *now),
                    Ok(Parsed::NotAHeader) => assert!(here < 12, "known by its signature"),
                    Err(_) => {}
                }
            }
            early => {
                assert_eq!(early, outcome);
                break;
            }
        }
    }
    let Ok(Parsed::Header { len, header }) = outcome else {
        return;
    };
    assert!(len <= bytes.len().min(proxy_protocol::MAX_V2));
    let Some(given) = header.addresses else { return };
    let again = proxy_protocol::encode(header.version, given.source, given.destination, None);
    let Ok(Parsed::Header { header: again, .. }) = proxy_protocol::parse(&again) else {
        panic!("what is written can be read")
    };
    let plain = |address: std::net::SocketAddr| (address.ip().to_canonical(), address.port());
    let ends = again
        .addresses
        .map(|ends| (plain(ends.source), plain(ends.destination)));
    assert_eq!(ends, Some((plain(given.source), plain(given.destination))));
}

/// Mechanism, then the first token of an exchange.
pub fn sasl_token(input: &[u8]) {
    let [which, token @ ..] = input else { return };
    let mechanism = ["PLAIN", "SCRAM-SHA-256", "OAUTHBEARER"][usize::from(which % 3)];
    if let Some(name) = sasl::principal(mechanism, token) {
        frame::assert_principal(&name);
    }
    for version in 0..=2 {
        if let Ok(Some(inner)) = sasl::authenticate_token(token, version) {
            assert!(inner.len() < token.len());
        }
        if let Ok(Some(outcome)) = sasl::authenticate_outcome(token, version) {
            assert!(outcome.token.len() < token.len());
        }
    }
}

/// Tokens and sets of keys, see the module.
pub fn jwt(input: &[u8]) {
    jwt::run(input);
}

/// Rewrites a part; the outcome is well formed, names our addresses only, and does not change when rewritten again.
fn check_rewrite(api_key: i16, version: i16, part: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let Ok(counts) = rewrite::rewrite(api_key, version, part, &EightNodes, &mut out) else {
        assert!(out.is_empty());
        return None;
    };
    // Per node: a host of 19 bytes in place of an empty one.
    assert!(out.len() <= part.len() + HOST.len() * (counts.rewritten as usize + 1));
    if !rewrite::tail_is_empty(api_key, version, part) {
        assert_ours(api_key, version, &out);
    }
    let mut again = Vec::new();
    let second = rewrite::rewrite(api_key, version, &out, &EightNodes, &mut again);
    assert_eq!(
        second,
        Ok(rewrite::RewriteCounts {
            withheld: 0,
            ..counts
        })
    );
    assert_eq!(out, again);
    Some(out)
}

/// Panics if an address in `part` is not ours; returns how many there are.
fn assert_ours(api_key: i16, version: i16, part: &[u8]) -> u32 {
    let mut count = 0;
    let listing = rewrite::visit_nodes(api_key, version, part, &mut |node| {
        let ours = EightNodes
            .advertised(node.id)
            .map(|address| (address.host.as_bytes(), i32::from(address.port)));
        assert_eq!(ours, Some((node.host, node.port)));
        count += 1;
    });
    assert!(listing.is_ok());
    count
}
