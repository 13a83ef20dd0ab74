//! Promise 7: ApiVersions answers are narrowed and otherwise unchanged.

use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::*;
use kafka_protocol::protocol::Decodable as _;
use kproxy::wire::api::{self, ApiKey};
use kproxy::wire::api_versions::{Clamped, clamp, local_unsupported, version_range};
use proptest::collection::vec;
use proptest::prelude::*;

use super::entropy::Entropy;
use super::support::{decode, encode};

fn range(key: i16, min: i16, max: i16) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(key)
        .with_min_version(min)
        .with_max_version(max)
}

fn narrowed(given: &ApiVersion) -> Option<ApiVersion> {
    let known = api::api(given.api_key)?;
    let overlap = given.min_version.max(known.min)..=given.max_version.min(known.max);
    if overlap.is_empty() {
        return None;
    }
    Some(given.clone().with_max_version(*overlap.end()))
}

pub(crate) fn answer(e: &mut Entropy<'_>, version: i16) -> ApiVersionsResponse {
    let flexible = version >= 3;
    let keys = e.list(60, |e| {
        let key = [i16::from(e.u8() % 110), e.i16()][usize::from(e.u8() > 220)];
        let ends = (i16::from(e.u8() % 20) - 2, i16::from(e.u8() % 24) - 2);
        range(key, ends.0, ends.1).with_unknown_tagged_fields(e.tags(flexible))
    });
    let mut response = ApiVersionsResponse::default()
        .with_error_code(e.error())
        .with_api_keys(keys)
        .with_throttle_time_ms(if version >= 1 { e.i32() } else { 0 })
        .with_unknown_tagged_fields(e.tags(flexible));
    if flexible {
        response.finalized_features_epoch = e.i64();
        response.supported_features = e.list(3, |e| {
            SupportedFeatureKey::default()
                .with_name(e.string())
                .with_max_version(e.i16())
        });
        response.finalized_features = e.list(3, |e| {
            FinalizedFeatureKey::default()
                .with_name(e.string())
                .with_max_version_level(e.i16())
        });
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn ranges_are_cut_to_ours_and_the_rest_is_untouched(entropy in vec(any::<u8>(), 0..500)) {
        for version in 0..=4 {
            let message = answer(&mut Entropy::new(&entropy), version);
            let body = encode(&message, version);
            let mut ours = Vec::new();
            let clamped = clamp(version, &body, &mut ours).unwrap();
            let mut expected: ApiVersionsResponse = decode(&body, version);
            expected.api_keys = message.api_keys.iter().filter_map(narrowed).collect();
            prop_assert_eq!(&ours, &encode(&expected, version));
            prop_assert_eq!(clamped.removed as usize, message.api_keys.len() - expected.api_keys.len());
            if let Some(first) = message.api_keys.first() {
                let found = version_range(&body, version, first.api_key);
                prop_assert_eq!(found, Some((first.min_version, first.max_version)));
            }
        }
    }
}

#[test]
fn the_minimum_of_produce_stays_zero() {
    for version in 0..=4 {
        let message = ApiVersionsResponse::default().with_api_keys(vec![range(ApiKey::PRODUCE, 0, 99)]);
        let mut ours = Vec::new();
        let clamped = clamp(version, &encode(&message, version), &mut ours);
        assert_eq!(
            clamped,
            Ok(Clamped {
                error: 0,
                lowered: 1,
                removed: 0
            })
        );
        assert_eq!(version_range(&ours, version, ApiKey::PRODUCE), Some((0, 13)));
    }
}

#[test]
fn version_5_has_the_layout_of_version_4() {
    let message = ApiVersionsResponse::default()
        .with_api_keys(vec![
            range(ApiKey::API_VERSIONS, 0, 5),
            range(62, 0, 4),
            range(10_000, 0, 1),
        ])
        .with_finalized_features_epoch(3);
    let mut ours = Vec::new();
    clamp(5, &encode(&message, 4), &mut ours).unwrap();
    let answer: ApiVersionsResponse = decode(&ours, 4);
    assert_eq!(answer.api_keys, [range(ApiKey::API_VERSIONS, 0, 5)]);
    assert_eq!(answer.finalized_features_epoch, 3);
}

#[test]
fn an_unsupported_version_is_answered_in_the_oldest_layout() {
    let message = ApiVersionsResponse::default()
        .with_error_code(35)
        .with_api_keys(vec![range(ApiKey::API_VERSIONS, 0, 9)]);
    let body = encode(&message, 0);
    for version in 1..=5 {
        let mut ours = Vec::new();
        clamp(version, &body, &mut ours).unwrap();
        let answer: ApiVersionsResponse = decode(&ours, 0);
        assert_eq!(answer.error_code, 35);
        assert_eq!(answer.api_keys, [range(ApiKey::API_VERSIONS, 0, 5)]);
        assert_eq!(version_range(&body, version, ApiKey::API_VERSIONS), Some((0, 9)));
    }
}

#[test]
fn brokers_that_list_nothing_with_that_error_are_understood() {
    let mut ours = Vec::new();
    let clamped = clamp(3, &[0, 35, 0, 0, 0, 0], &mut ours);
    assert_eq!(
        clamped,
        Ok(Clamped {
            error: 35,
            lowered: 0,
            removed: 0
        })
    );
    assert_eq!(ours, [0, 35, 0, 0, 0, 0]);
}

#[test]
fn our_own_refusal_is_a_brokers() {
    let mut frame = Vec::new();
    local_unsupported(42, &mut frame);
    let (size, rest) = frame.split_first_chunk::<4>().unwrap();
    assert_eq!(i32::from_be_bytes(*size) as usize, rest.len());
    let (correlation_id, mut body) = rest.split_first_chunk::<4>().unwrap();
    assert_eq!(i32::from_be_bytes(*correlation_id), 42);
    let answer = ApiVersionsResponse::decode(&mut body, 0).unwrap();
    assert!(body.is_empty());
    assert_eq!(answer.error_code, 35);
    assert_eq!(answer.api_keys, [range(ApiKey::API_VERSIONS, 0, 5)]);
}
