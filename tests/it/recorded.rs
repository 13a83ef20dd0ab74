//! What a real Apache Kafka 4.3 answered (`tests/fixtures/wire`, made by `cargo run --example record_wire`),
//! through kproxy's walkers.
//!
//! 1. Every recorded answer is understood, and its version is one that kproxy lets clients use.
//! 2. Its rewritten form decodes to the same message with the addresses replaced, and nothing else is different.
//! 3. No broker's port is left anywhere in it.
//! 4. Recorded ApiVersions answers are narrowed, never widened, and keep Produce's minimum.
//! 5. Hints that were recorded at the end of Produce, Fetch and share answers also fit into an announced size.

use std::{collections::BTreeMap, fs, path::Path};

use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse, DescribeClusterResponse, DescribeQuorumResponse, FetchResponse,
        FindCoordinatorResponse, MetadataResponse, ProduceResponse, ShareAcknowledgeResponse,
        ShareFetchResponse,
    },
    protocol::{Decodable, StrBytes},
};
use kproxy::wire::{
    api, api_versions, header,
    rewrite::{self, Advertised, Nodes, Placement, TailFinder},
};

/// The address nodes get; the recorded ones are on 127.0.0.1.
struct Outside;

const HOSTS: [&str; 4] = ["", "kafka-1.outside.example", "k2", "kafka-3.example"];

impl Nodes for Outside {
    fn advertised(&self, node_id: i32) -> Option<Advertised<'_>> {
        let host = HOSTS.get(usize::try_from(node_id).ok()?)?;
        Some(Advertised {
            host,
            port: 9_192 + u16::try_from(node_id).ok()?,
        })
    }
}

struct Recording {
    name: String,
    key: ApiKey,
    version: i16,
    frame: Vec<u8>,
}

impl Recording {
    fn body(&self) -> &[u8] {
        let api = api::api(self.key as i16).unwrap();
        assert!(
            (api.min..=api.max).contains(&self.version),
            "{}: clients may not use it",
            self.name
        );
        &self.frame[header::response_body(&self.frame, api, self.version)
            .unwrap()
            .unwrap()..]
    }

    /// The part of the body that carries addresses.
    fn part(&self) -> std::ops::Range<usize> {
        let body = self.body();
        match rewrite::placement(self.key as i16, self.version) {
            Placement::None => 0..0,
            Placement::Whole => 0..body.len(),
            Placement::Prefix => {
                0..rewrite::prefix_len(self.key as i16, self.version, body)
                    .unwrap()
                    .unwrap()
            }
            Placement::Tail => {
                let mut finder = TailFinder::new(self.key as i16, self.version, body.len()).unwrap();
                let advance = finder.advance(body).unwrap();
                assert!(advance.done, "{}", self.name);
                advance.consumed..body.len()
            }
        }
    }

    /// The body with addresses replaced, and how many were.
    fn rewritten(&self) -> (Vec<u8>, u32) {
        let (body, part) = (self.body(), self.part());
        let mut out = body[..part.start].to_vec();
        let tally = rewrite::rewrite(
            self.key as i16,
            self.version,
            &body[part.clone()],
            &Outside,
            &mut out,
        )
        .unwrap();
        assert_eq!(tally.withheld, 0, "{}", self.name);
        out.extend_from_slice(&body[part.end..]);
        (out, tally.rewritten)
    }
}

fn recordings() -> Vec<Recording> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire");
    let mut recordings: Vec<Recording> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // `-v` and a digit; `api-versions` has one without.
            let digit = name.find(|c: char| c.is_ascii_digit()).unwrap();
            let api = name[..digit].strip_suffix("-v").unwrap();
            let version = name[digit..].split('-').next().unwrap().parse().unwrap();
            Recording {
                key: key(api),
                version,
                frame: fs::read(&path).unwrap(),
                name,
            }
        })
        .collect();
    recordings.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(recordings.len() >= 50, "only {} recordings", recordings.len());
    recordings
}

fn key(name: &str) -> ApiKey {
    match name {
        "api-versions" => ApiKey::ApiVersions,
        "describe-cluster" => ApiKey::DescribeCluster,
        "describe-quorum" => ApiKey::DescribeQuorum,
        "fetch" => ApiKey::Fetch,
        "find-coordinator" => ApiKey::FindCoordinator,
        "metadata" => ApiKey::Metadata,
        "produce" => ApiKey::Produce,
        "share-acknowledge" => ApiKey::ShareAcknowledge,
        "share-fetch" => ApiKey::ShareFetch,
        other => panic!("no API is called {other}"),
    }
}

fn decode<M: Decodable>(recording: &Recording, mut body: &[u8]) -> M {
    let message = M::decode(&mut body, recording.version).unwrap();
    assert!(body.is_empty(), "{}: {} bytes left", recording.name, body.len());
    message
}

/// Puts the outside address in; returns 1 for counting, 0 for an entry that names no node.
fn replace<P: TryFrom<i32, Error: std::fmt::Debug>>(id: i32, host: &mut StrBytes, port: &mut P) -> u32 {
    if id < 0 {
        return 0;
    }
    let address = Outside.advertised(id).unwrap();
    *host = StrBytes::from_string(address.host.to_owned());
    *port = i32::from(address.port).try_into().unwrap();
    1
}

/// Decodes both bodies, replaces the addresses of the recorded one by hand, and compares. Returns how many there
/// were; versions that the oracle does not know are not compared.
fn compare(recording: &Recording, rewritten: &[u8]) -> Option<u32> {
    macro_rules! same {
        ($message:ty, |$m:ident| $replaced:expr) => {{
            let mut $m: $message = decode(recording, recording.body());
            let replaced: u32 = $replaced;
            assert_eq!(decode::<$message>(recording, rewritten), $m, "{}", recording.name);
            Some(replaced)
        }};
    }
    macro_rules! endpoints {
        ($list:expr) => {
            $list
                .iter_mut()
                .map(|n| replace(n.node_id.0, &mut n.host, &mut n.port))
                .sum()
        };
    }
    match recording.key {
        ApiKey::Metadata => same!(MetadataResponse, |m| endpoints!(m.brokers)),
        ApiKey::DescribeCluster => same!(DescribeClusterResponse, |m| m
            .brokers
            .iter_mut()
            .map(|b| replace(b.broker_id.0, &mut b.host, &mut b.port))
            .sum()),
        ApiKey::DescribeQuorum => same!(DescribeQuorumResponse, |m| m
            .nodes
            .iter_mut()
            .flat_map(|n| n.listeners.iter_mut().map(|l| (n.node_id.0, l)))
            .map(|(id, l)| replace(id, &mut l.host, &mut l.port))
            .sum()),
        ApiKey::FindCoordinator if recording.version < 4 => {
            same!(FindCoordinatorResponse, |m| replace(
                m.node_id.0,
                &mut m.host,
                &mut m.port
            ))
        }
        ApiKey::FindCoordinator => same!(FindCoordinatorResponse, |m| endpoints!(m.coordinators)),
        ApiKey::Produce => same!(ProduceResponse, |m| endpoints!(m.node_endpoints)),
        ApiKey::Fetch => same!(FetchResponse, |m| endpoints!(m.node_endpoints)),
        ApiKey::ShareFetch if recording.version == 1 => {
            same!(ShareFetchResponse, |m| endpoints!(m.node_endpoints))
        }
        ApiKey::ShareAcknowledge if recording.version == 1 => {
            same!(ShareAcknowledgeResponse, |m| endpoints!(m.node_endpoints))
        }
        ApiKey::ShareFetch | ApiKey::ShareAcknowledge => None,
        other => panic!("{other:?} carries no addresses"),
    }
}

#[test]
fn recorded_answers_are_rewritten_and_otherwise_the_same() {
    let mut addresses = BTreeMap::<String, u32>::new();
    for recording in recordings().iter().filter(|r| r.key != ApiKey::ApiVersions) {
        let (rewritten, count) = recording.rewritten();
        if let Some(expected) = compare(recording, &rewritten) {
            assert_eq!(count, expected, "{}", recording.name);
        }
        assert!(
            !rewritten.windows(9).any(|w| w == b"127.0.0.1"),
            "{}: an address is left",
            recording.name
        );
        *addresses.entry(format!("{:?}", recording.key)).or_default() += count;
    }
    // Each kind was recorded with addresses in it, or the comparison shows nothing.
    for (key, count) in &addresses {
        let hinted = !key.contains("ShareAcknowledge");
        assert!(*count > 0 || !hinted, "{key}: no recording carries an address");
    }
    assert_eq!(addresses.len(), 8, "{addresses:?}");
}

#[test]
fn recorded_hints_fit_an_announced_size() {
    let slack = rewrite::growth_reserve(HOSTS[1..].iter().map(|host| ("127.0.0.1".len(), host.len())));
    let mut hints = 0;
    for recording in recordings() {
        if rewrite::placement(recording.key as i16, recording.version) != Placement::Tail {
            continue;
        }
        let (body, part) = (recording.body(), recording.part());
        let mut out = body[..part.start].to_vec();
        let exact = part.len() + slack;
        let fit = rewrite::fit_tail(
            recording.key as i16,
            recording.version,
            &body[part.clone()],
            &Outside,
            exact,
            &mut out,
        )
        .unwrap();
        assert_eq!(out.len(), body.len() + slack, "{}", recording.name);
        assert_eq!((fit.dropped, fit.racks_dropped), (0, false), "{}", recording.name);
        hints += fit.counts.rewritten;
        let endpoints: Vec<(StrBytes, i32)> = match recording.key {
            ApiKey::Produce => {
                let answer: ProduceResponse = decode(&recording, &out);
                answer
                    .node_endpoints
                    .into_iter()
                    .map(|n| (n.host, n.port))
                    .collect()
            }
            ApiKey::Fetch => {
                let answer: FetchResponse = decode(&recording, &out);
                answer
                    .node_endpoints
                    .into_iter()
                    .map(|n| (n.host, n.port))
                    .collect()
            }
            _ => continue,
        };
        let expected = u32::try_from(endpoints.len()).unwrap();
        assert_eq!(fit.counts.rewritten, expected, "{}", recording.name);
        assert!(
            endpoints
                .iter()
                .all(|(host, port)| &**host == HOSTS[1] && *port == 9_193),
            "{endpoints:?}"
        );
    }
    assert!(hints >= 7, "only {hints} hints were recorded");
}

#[test]
fn recorded_api_versions_are_narrowed() {
    let mut seen = 0;
    for recording in recordings().iter().filter(|r| r.key == ApiKey::ApiVersions) {
        let mut out = Vec::new();
        api_versions::clamp(recording.version, recording.body(), &mut out).unwrap();
        let before: ApiVersionsResponse = decode(recording, recording.body());
        let after: ApiVersionsResponse = decode(recording, &out);
        assert!(!after.api_keys.is_empty());
        for offered in &after.api_keys {
            let original = before.api_keys.iter().find(|key| key.api_key == offered.api_key);
            let original = original.unwrap_or_else(|| panic!("{} came from nowhere", offered.api_key));
            assert!(
                offered.min_version >= original.min_version,
                "{offered:?}, broker: {original:?}"
            );
            assert!(
                offered.max_version <= original.max_version,
                "{offered:?}, broker: {original:?}"
            );
        }
        let produce = after
            .api_keys
            .iter()
            .find(|key| key.api_key == ApiKey::Produce as i16)
            .unwrap();
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
        assert_eq!(after.finalized_features, before.finalized_features);
        seen += 1;
    }
    assert_eq!(seen, 5);
}
