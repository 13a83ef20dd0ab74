//! Answers that say that a request failed are those of the Java client, in every API and version (`tests/kafka` compares them with
//! more requests and codes).

use data_encoding::HEXLOWER;
use kproxy::filter::error_answer;
use kproxy::wire::api::{self, ApiKey};
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

#[test]
fn every_api_and_version_is_answered_as_by_the_java_client() {
    let mut compared = 0;
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let (key, version): (i16, i16) = (words[0].parse().unwrap(), words[1].parse().unwrap());
        let bytes = |at: usize| HEXLOWER.decode(words[at].as_bytes()).unwrap();
        let Some(api) = api::api(key).filter(|api| api.supports(version)) else {
            continue;
        };
        let answer = error_answer(api, version, &bytes(2), ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
        let (mut answer, mut expected) = (answer.unwrap(), bytes(3));
        if UNORDERED.contains(&key) {
            answer.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(answer, expected, "{} version {version}", api.name);
        compared += 1;
    }
    assert!(compared > 290, "{compared}");
}
