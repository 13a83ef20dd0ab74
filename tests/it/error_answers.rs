//! Answers that say that a request failed are those of the Java client, in every API and version (`tests/kafka` compares them with
//! more requests and codes). Those in place of an answer are the same, and so is what clients without Java read of them.

use data_encoding::HEXLOWER;
use kafka_protocol::messages::{ApiKey as KeyOfOracle, ResponseKind};
use kproxy::filter::{error_answer, error_in_place_of, failure_code};
use kproxy::wire::api::{self, Api, ApiKey};
use kproxy::wire::error_code::ErrorCode;

/// Key, version, request and answer in each line.
const RECORDED: &str = include_str!("../fixtures/error_answers.txt");

/// Answers whose elements stand in the order of a hash table in the Java client.
const UNORDERED: &[i16] = &[
    ApiKey::PRODUCE,
    ApiKey::OFFSET_FETCH,
    ApiKey::WRITE_TXN_MARKERS,
    ApiKey::ALTER_USER_SCRAM_CREDENTIALS,
];

/// An API and version with a request and the answer of the Java client.
struct Recorded {
    api: &'static Api,
    version: i16,
    request: Vec<u8>,
    answer: Vec<u8>,
}

fn recorded() -> impl Iterator<Item = Recorded> {
    let lines = RECORDED.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let (key, version): (i16, i16) = (words[0].parse().unwrap(), words[1].parse().unwrap());
        let bytes = |at: usize| HEXLOWER.decode(words[at].as_bytes()).unwrap();
        let api = api::api(key).filter(|api| api.supports(version))?;
        Some(Recorded {
            api,
            version,
            request: bytes(2),
            answer: bytes(3),
        })
    })
}

#[test]
fn every_api_and_version_is_answered_as_by_the_java_client() {
    let mut compared = 0;
    for recorded in recorded() {
        let (api, version) = (recorded.api, recorded.version);
        let answer = error_answer(
            api,
            version,
            &recorded.request,
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        );
        let (mut answer, mut expected) = (answer.unwrap(), recorded.answer);
        if UNORDERED.contains(&api.key) {
            answer.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(answer, expected, "{} version {version}", api.name);
        compared += 1;
    }
    assert!(compared > 290, "{compared}");
}

#[test]
fn an_error_in_place_of_an_answer_is_that_of_its_request() {
    let mut compared = 0;
    for recorded in recorded() {
        let (api, version) = (recorded.api, recorded.version);
        let code = failure_code(api.key);
        let of_request = error_answer(api, version, &recorded.request, code).unwrap();
        let answer = error_answer(api, version, &recorded.request, 0).unwrap();
        let in_place = error_in_place_of(api, version, &answer, code).unwrap();
        assert_eq!(in_place, of_request, "{} version {version}", api.name);
        compared += 1;
    }
    assert!(compared > 290, "{compared}");
}

#[test]
fn clients_without_java_read_the_error_that_a_failing_filter_leaves() {
    let (mut read, mut unknown, mut mute) = (0, Vec::new(), Vec::new());
    for recorded in recorded() {
        let (api, version) = (recorded.api, recorded.version);
        let code = failure_code(api.key);
        let answer = error_answer(api, version, &recorded.request, code).unwrap();
        let known = |key: &KeyOfOracle| {
            let versions = key.valid_versions();
            (versions.min..=versions.max).contains(&version)
        };
        let Some(key) = KeyOfOracle::try_from(api.key).ok().filter(known) else {
            unknown.push((api.name, version));
            continue;
        };
        let mut bytes = answer.into();
        let decoded = ResponseKind::decode(key, &mut bytes, version);
        let decoded = decoded.unwrap_or_else(|why| panic!("{} version {version}: {why}", api.name));
        assert!(bytes.is_empty(), "{} version {version}", api.name);
        let said = format!("{decoded:?}");
        if said.contains(&format!("error_code: {code}")) {
            read += 1;
        } else {
            mute.push((api.name, version));
        }
    }
    // Their answers have no place for an error unless the broker knows the elements.
    assert_eq!(mute, [("DescribeLogDirs", 1), ("DescribeLogDirs", 2)]);
    assert!(read > 250, "{read}; the crate does not know {unknown:?}");
}
