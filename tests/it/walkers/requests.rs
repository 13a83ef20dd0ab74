//! Promise 6: headers and `acks` of every version, and kproxy's own requests.

use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable as _, Encodable as _, StrBytes};
use kproxy::wire::api::{self, ApiKey as Key};
use kproxy::wire::{header, probe};
use proptest::prelude::*;

use super::support::decode;

/// A request frame without its size: oracle's header, given body.
fn frame(api_key: i16, version: i16, client_id: Option<StrBytes>, tags: usize, body: &[u8]) -> Vec<u8> {
    let flexible = api::api(api_key).unwrap().request_is_flexible(version);
    let mut header = RequestHeader::default()
        .with_request_api_key(api_key)
        .with_request_api_version(version)
        .with_correlation_id(77)
        .with_client_id(client_id);
    if flexible {
        for tag in 0..tags {
            let content = vec![0xcc; tag * 50].into();
            header.unknown_tagged_fields.insert(tag as i32 * 100, content);
        }
    }
    let mut frame = Vec::new();
    header.encode(&mut frame, if flexible { 2 } else { 1 }).unwrap();
    frame.extend_from_slice(body);
    frame
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn acks_are_read_from_every_version_and_every_prefix(
        client_id in proptest::option::of("[a-z]{0,140}"),
        transactional_id in proptest::option::of("[a-z]{0,140}"),
        acks in prop_oneof![Just(-1i16), Just(0), Just(1)],
        tags in 0usize..4,
    ) {
        for version in 3..=13 {
            let message = ProduceRequest::default()
                .with_acks(acks)
                .with_transactional_id(transactional_id.clone().map(|id| StrBytes::from_string(id).into()));
            let mut body = Vec::new();
            message.encode(&mut body, version).unwrap();
            let frame = frame(Key::PRODUCE, version, client_id.clone().map(StrBytes::from_string), tags, &body);
            prop_assert_eq!(header::produce_acks(&frame, version), Ok(Some(acks)));
            // Behind acks: the timeout and no topics, and tagged fields.
            let enough = frame.len() - 4 - if version >= 9 { 2 } else { 4 };
            for cut in 0..enough {
                prop_assert_eq!(header::produce_acks(&frame[..cut], version), Ok(None));
            }
            prop_assert_eq!(header::produce_acks(&frame[..enough], version), Ok(Some(acks)));
        }
    }

    #[test]
    fn headers_are_read_as_the_oracle_writes_them(
        client_id in proptest::option::of("[a-z]{0,140}"),
        tags in 0usize..4,
    ) {
        for known in api::apis() {
            for version in known.min..=known.max {
                let client_id = client_id.clone().map(StrBytes::from_string);
                let frame = frame(known.key, version, client_id.clone(), tags, b"body");
                let head = header::request_head(&frame).unwrap();
                prop_assert_eq!((head.api_key, head.api_version, head.correlation_id), (known.key, version, 77));
                prop_assert_eq!(
                    header::client_id(&frame).unwrap().unwrap(),
                    client_id.as_ref().map(|id| id.as_bytes())
                );
                prop_assert_eq!(header::request_body(&frame, known, version), Ok(Some(frame.len() - 4)));
            }
        }
    }
}

#[test]
fn the_mechanism_of_a_sasl_handshake() {
    assert_eq!(
        header::sasl_handshake_mechanism(b"\0\x05PLAIN"),
        Ok(Some(b"PLAIN".as_slice()))
    );
    assert_eq!(header::sasl_handshake_mechanism(b"\0\x05PLAI"), Ok(None));
    assert!(header::sasl_handshake_mechanism(&[0xff, 0xff]).is_err());
}

/// Checks size and header of one of our frames; returns its body.
fn own_request(frame: &[u8], api_key: i16, version: i16) -> &[u8] {
    let (size, mut rest) = frame.split_first_chunk::<4>().unwrap();
    assert_eq!(i32::from_be_bytes(*size) as usize, rest.len());
    let flexible = api::api(api_key).unwrap().request_is_flexible(version);
    let header = RequestHeader::decode(&mut rest, if flexible { 2 } else { 1 }).unwrap();
    assert_eq!(header.client_id, Some("kproxy".into()));
    assert_eq!(
        (
            header.request_api_key,
            header.request_api_version,
            header.correlation_id
        ),
        (api_key, version, 5)
    );
    rest
}

#[test]
fn our_metadata_request_asks_for_brokers_and_creates_nothing() {
    for version in probe::METADATA_VERSIONS {
        let mut out = vec![0xee];
        probe::metadata_request(version, 5, &mut out);
        let request: MetadataRequest = decode(own_request(&out[1..], Key::METADATA, version), version);
        assert_eq!(request.topics, Some(Vec::new()), "v{version}");
        assert!(version < 4 || !request.allow_auto_topic_creation);
        assert!(!request.include_topic_authorized_operations);
        assert!(!request.include_cluster_authorized_operations);
    }
}

#[test]
fn our_api_versions_request_has_no_body() {
    let mut out = Vec::new();
    probe::api_versions_request(5, &mut out);
    assert!(own_request(&out, Key::API_VERSIONS, 0).is_empty());
}
