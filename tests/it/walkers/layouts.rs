//! Promises 1 and 4 for the versions the oracle lacks, from the layouts in Kafka's schemas.

use kproxy::wire::api::ApiKey;
use kproxy::wire::rewrite::{self, Placement, RewriteCounts};

use super::support::{TestNodes, part};

const THROTTLE: [u8; 4] = [0, 0, 0, 9];
const ERROR: [u8; 2] = [0, 0];
const LOCK_TIMEOUT: [u8; 4] = [0, 0, 0x75, 0x30];
const UUID: [u8; 16] = [5; 16];
/// Leader 1, epoch 2, no tagged fields.
const LEADER: [u8; 9] = [0, 0, 0, 1, 0, 0, 0, 2, 0];
/// Two nodes: 6 at `h:9` in rack `r`, and 99, which is withheld. Then no tagged fields of the body.
const NODES: [u8; 28] = [
    3, 0, 0, 0, 6, 2, b'h', 0, 0, 0, 9, 2, b'r', 0, 0, 0, 0, 99, 3, b'h', b'h', 0, 0, 0, 9, 0, 0, 0,
];
/// The rewritten answer: node 6 is at `k6:19098`.
const NODES_REWRITTEN: [u8; 16] = [2, 0, 0, 0, 6, 3, b'k', b'6', 0, 0, 0x4a, 0x9a, 2, b'r', 0, 0];

/// Makes a body of a version with the given tail.
type Builder = fn(i16, &[u8]) -> Vec<u8>;

fn share_fetch(version: i16, nodes: &[u8]) -> Vec<u8> {
    let mut body = [THROTTLE.as_slice(), &ERROR, &[0]].concat();
    if version >= 1 {
        body.extend_from_slice(&LOCK_TIMEOUT);
    }
    // One topic with one partition: no messages, 3 bytes of records, one acquired range.
    body.extend_from_slice(&[2]);
    body.extend_from_slice(&UUID);
    body.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&LEADER);
    body.extend_from_slice(&[4, 0xaa, 0xaa, 0xaa, 2]);
    body.extend_from_slice(&[1; 18]);
    body.extend_from_slice(&[0, 0, 0]);
    body.extend_from_slice(nodes);
    body
}

fn share_acknowledge(version: i16, nodes: &[u8]) -> Vec<u8> {
    let mut body = [THROTTLE.as_slice(), &ERROR, &[3, b'n', b'o']].concat();
    if version >= 2 {
        body.extend_from_slice(&LOCK_TIMEOUT);
    }
    body.extend_from_slice(&[2]);
    body.extend_from_slice(&UUID);
    body.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&LEADER);
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(nodes);
    body
}

#[test]
fn share_answers_are_rewritten_in_every_version() {
    for (api_key, build) in [
        (ApiKey::SHARE_FETCH, share_fetch as Builder),
        (ApiKey::SHARE_ACKNOWLEDGE, share_acknowledge),
    ] {
        for version in 0..=2 {
            let body = build(version, &NODES);
            let tail = part(api_key, version, &body);
            assert_eq!(tail.len(), NODES.len(), "{api_key} v{version}");
            let mut out = body[..tail.start].to_vec();
            let counts = rewrite::rewrite(api_key, version, &body[tail], &TestNodes, &mut out);
            assert_eq!(
                counts,
                Ok(RewriteCounts {
                    rewritten: 1,
                    withheld: 1
                })
            );
            assert_eq!(out, build(version, &NODES_REWRITTEN));
        }
    }
}

#[test]
fn metadata_version_0_has_neither_throttle_nor_rack() {
    let prefix = [0, 0, 0, 1, 0, 0, 0, 6, 0, 1, b'h', 0, 0, 0, 9];
    let body = [prefix.as_slice(), &[0, 0, 0, 0]].concat();
    assert_eq!(
        rewrite::prefix_len(ApiKey::METADATA, 0, &body),
        Ok(Some(prefix.len()))
    );
    let mut out = Vec::new();
    rewrite::rewrite(ApiKey::METADATA, 0, &prefix, &TestNodes, &mut out).unwrap();
    assert_eq!(out, [0, 0, 0, 1, 0, 0, 0, 6, 0, 2, b'k', b'6', 0, 0, 0x4a, 0x9a]);
}

#[test]
fn answers_without_addresses_are_left_alone() {
    for (api_key, versions) in [
        (ApiKey::PRODUCE, 0..=9),
        (ApiKey::FETCH, 0..=15),
        (ApiKey::DESCRIBE_QUORUM, 0..=1),
        (ApiKey::API_VERSIONS, 0..=5),
        (ApiKey::STREAMS_GROUP_HEARTBEAT, 0..=1),
    ] {
        for version in versions {
            assert_eq!(
                rewrite::placement(api_key, version),
                Placement::None,
                "{api_key} v{version}"
            );
            let mut out = Vec::new();
            rewrite::rewrite(api_key, version, b"as it is", &TestNodes, &mut out).unwrap();
            assert_eq!(out, b"as it is");
        }
    }
}
