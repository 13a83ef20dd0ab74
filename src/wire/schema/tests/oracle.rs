//! The tables against `kafka-protocol`.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey as OracleKey, RequestKind, ResponseKind};

use super::super::{Direction, Draft, Message, api_keys};
use super::random::{Random, body, every_version};

/// What the oracle says of a version that it lists although its message ends before.
const LISTED_ONLY: &str = "specified version not supported";

/// Decodes and encodes a body; `None` if the oracle does not know the message.
fn through_oracle(
    api_key: i16,
    direction: Direction,
    version: i16,
    body: &[u8],
) -> Option<Result<Vec<u8>, String>> {
    let key = OracleKey::try_from(api_key).ok()?;
    let versions = key.valid_versions();
    if version < versions.min || versions.max < version {
        return None;
    }
    let mut bytes = Bytes::copy_from_slice(body);
    let mut out = BytesMut::new();
    let outcome = match direction {
        Direction::Request => RequestKind::decode(key, &mut bytes, version)
            .and_then(|message| message.encode(&mut out, version)),
        Direction::Response => ResponseKind::decode(key, &mut bytes, version)
            .and_then(|message| message.encode(&mut out, version)),
    };
    let outcome = outcome
        .map(|()| out.to_vec())
        .map_err(|error| format!("{error:#}"));
    let is_listed_only = matches!(&outcome, Err(why) if why.contains(LISTED_ONLY));
    (!is_listed_only).then_some(outcome)
}

#[test]
fn arbitrary_bodies_of_every_version_mean_the_same_to_the_oracle() {
    let mut compared = 0;
    for (api_key, direction, version) in every_version() {
        for seed in 0..24 {
            let body = body(api_key, direction, version, &mut Random(seed));
            let message = Message::read(api_key, direction, version, &body);
            assert!(
                message.is_ok(),
                "{api_key} {direction:?} v{version}: {message:?} {body:?}"
            );
            let Some(again) = through_oracle(api_key, direction, version, &body) else {
                continue;
            };
            assert_eq!(again, Ok(body), "{api_key} {direction:?} v{version}");
            compared += 1;
        }
    }
    assert!(compared > 10_000, "compared only {compared}");
}

#[test]
fn bodies_of_defaults_are_the_oracles() {
    let mut compared = 0;
    for (api_key, direction, version) in every_version() {
        let body = Draft::new(api_key, direction, version).unwrap().encode();
        assert!(
            Message::read(api_key, direction, version, &body).is_ok(),
            "{api_key} {direction:?} v{version}"
        );
        let Some(again) = through_oracle(api_key, direction, version, &body) else {
            continue;
        };
        assert_eq!(again, Ok(body), "{api_key} {direction:?} v{version}");
        compared += 1;
    }
    assert!(compared > 500, "compared only {compared}");
}

#[test]
fn every_api_of_the_oracle_is_in_the_tables() {
    let known: Vec<i16> = api_keys().collect();
    for key in 0..i16::MAX {
        if let Ok(oracle) = OracleKey::try_from(key)
            // Between brokers, dropped by Kafka 4.
            && !(4..=7).contains(&key)
        {
            assert!(known.contains(&key), "{oracle:?}");
        }
    }
}
