//! Promise 8: hostile bytes never panic and never make the output grow beyond a small multiple of the input.

use kproxy::wire::api::{self, ApiKey};
use kproxy::wire::rewrite::{self, Placement, TailFinder};
use kproxy::wire::{api_versions, header};
use proptest::collection::vec;
use proptest::prelude::*;

use super::entropy::Entropy;
use super::support::{CASES, TestNodes, body, part};

/// The smallest node takes 9 bytes and the longest address we give takes 30, so nothing grows more than this.
const GROWTH: usize = 4;

/// Walks a part in all ways there are.
fn walk(api_key: i16, version: i16, part: &[u8]) {
    let limit = part.len() * GROWTH + 64;
    let mut out = Vec::new();
    if rewrite::rewrite(api_key, version, part, &TestNodes, &mut out).is_err() {
        assert!(out.is_empty(), "a failure left a trace");
    }
    assert!(
        out.len() <= limit && out.capacity() <= 2 * limit,
        "{} bytes from {}",
        out.len(),
        part.len()
    );
    let _listing = rewrite::visit_nodes(api_key, version, part, &mut |_| {});
    if rewrite::placement(api_key, version) == Placement::Tail {
        out.clear();
        if rewrite::fit_tail(api_key, version, part, &TestNodes, part.len() + 40, &mut out).is_ok() {
            assert_eq!(out.len(), part.len() + 40);
        }
    }
}

/// Looks at a body as the data plane does, and at its part.
fn look(api_key: i16, version: i16, body: &[u8]) {
    walk(api_key, version, body);
    match rewrite::placement(api_key, version) {
        Placement::Prefix => {
            if let Ok(Some(length)) = rewrite::prefix_len(api_key, version, body) {
                assert!(length <= body.len());
                walk(api_key, version, &body[..length]);
            }
        }
        Placement::Tail => {
            let mut finder = TailFinder::new(api_key, version, body.len()).unwrap();
            // All of the body is there: either the tail is found or the body is malformed.
            if let Ok(advance) = finder.advance(body) {
                assert!(advance.done);
                walk(api_key, version, &body[advance.consumed..]);
            }
        }
        Placement::Whole | Placement::None => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn no_truncation_of_any_answer_is_taken_for_the_whole(entropy in vec(any::<u8>(), 0..120)) {
        for (api_key, versions) in CASES {
            for version in versions.clone() {
                let body = body(*api_key, version, &mut Entropy::new(&entropy));
                let part = part(*api_key, version, &body);
                let part = &body[part];
                for cut in 0..part.len() {
                    let mut out = Vec::new();
                    let result = rewrite::rewrite(*api_key, version, &part[..cut], &TestNodes, &mut out);
                    // Tagged fields of the share APIs are not looked at where there is no endpoint before them.
                    let unseen = rewrite::tail_is_empty(*api_key, version, &part[..cut]);
                    prop_assert!(result.is_err() || unseen, "{} v{} cut at {}", api_key, version, cut);
                }
            }
        }
    }

    #[test]
    fn mutated_answers_never_panic(
        entropy in vec(any::<u8>(), 0..300),
        mutations in vec((any::<u16>(), any::<u8>()), 1..6),
    ) {
        for (api_key, versions) in CASES {
            for version in versions.clone() {
                let mut body = body(*api_key, version, &mut Entropy::new(&entropy));
                for (position, value) in &mutations {
                    let position = usize::from(*position) % body.len();
                    body[position] = *value;
                    look(*api_key, version, &body);
                }
                body.truncate(usize::from(mutations[0].0) % body.len());
                look(*api_key, version, &body);
            }
        }
    }

    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..300)) {
        for (api_key, versions) in CASES {
            versions.clone().for_each(|version| look(*api_key, version, &noise));
        }
        for known in api::apis() {
            for version in [known.min, known.max] {
                let body = header::request_body(&noise, known, version);
                prop_assert!(body.is_err() || body.unwrap().is_none_or(|start| start <= noise.len()));
                let body = header::response_body(&noise, known, version);
                prop_assert!(body.is_err() || body.unwrap().is_none_or(|start| start <= noise.len()));
            }
        }
        for version in 0..=13 {
            let _acks = header::produce_acks(&noise, version);
            let _range = api_versions::version_range(&noise, version, ApiKey::FETCH);
            let mut out = Vec::new();
            if api_versions::clamp(version, &noise, &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
            prop_assert!(out.len() <= noise.len());
        }
    }
}

#[test]
fn counts_that_made_other_codecs_abort_are_refused() {
    let classic = [0x7f, 0xff, 0xff, 0xff];
    let compact = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x07];
    for (version, part) in [(1, classic.as_slice()), (12, compact.as_slice())] {
        let mut out = Vec::new();
        assert!(rewrite::rewrite(ApiKey::METADATA, version, part, &TestNodes, &mut out).is_err());
        assert_eq!(out.capacity(), 0);
        assert_eq!(rewrite::prefix_len(ApiKey::METADATA, version, part), Ok(None));
    }
}
