//! Answers that say that a request failed, against those of the Java client's `AbstractRequest.getErrorResponse`.

use std::collections::BTreeSet;

use kproxy::filter::error_answer;
use kproxy::wire::api::{self, ApiKey};
use testkit::maven::{self, KafkaVersion};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/ErrorAnswers.java");

/// A line of the program: a request and what the Java client makes of it.
struct Recorded {
    api_key: i16,
    version: i16,
    code: i16,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Recorded {
    /// `None` for what its classes refuse.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap();
        let bytes = |at: usize| data_encoding::HEXLOWER.decode(words[at].as_bytes()).unwrap();
        (words[4] != "!").then(|| Self {
            api_key: number(0),
            version: number(1),
            code: number(3),
            request: bytes(4),
            answer: bytes(5),
        })
    }

    /// Answers whose elements stand in the order of a hash table there.
    fn is_unordered(&self) -> bool {
        [
            ApiKey::PRODUCE,
            ApiKey::OFFSET_FETCH,
            ApiKey::WRITE_TXN_MARKERS,
            ApiKey::ALTER_USER_SCRAM_CREDENTIALS,
        ]
        .contains(&self.api_key)
    }

    /// The list of versions that an ApiVersions answer with this code has is kproxy's own.
    fn is_own(&self) -> bool {
        self.api_key == ApiKey::API_VERSIONS && self.code == 35
    }
}

fn recorded(version: KafkaVersion) -> Option<Vec<Recorded>> {
    let install = maven::require(version)?;
    let output = testkit::java::command(&install, "256m")
        .arg(PROGRAM)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().filter_map(Recorded::read).collect())
}

/// Returns how many answers were compared.
fn check(recorded: &[Recorded]) -> usize {
    let mut compared = 0;
    for case in recorded {
        let Some(api) = api::api(case.api_key).filter(|api| api.supports(case.version)) else {
            continue;
        };
        if case.is_own() {
            continue;
        }
        let answer = error_answer(api, case.version, &case.request, case.code);
        let mut answer = answer.unwrap_or_else(|| panic!("{} {} has no answer", api.name, case.version));
        let mut expected = case.answer.clone();
        if case.is_unordered() {
            answer.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(
            answer, expected,
            "{} {} code {}",
            api.name, case.version, case.code
        );
        compared += 1;
    }
    compared
}

#[test]
fn an_error_answer_of_every_api_and_version_is_the_java_clients() {
    if let Some(recorded) = recorded(KafkaVersion::V4_4) {
        assert!(check(&recorded) > 2000);
    }
}

#[test]
fn versions_that_kafka_4_removed_are_answered_as_before() {
    let (Some(old), Some(new)) = (recorded(KafkaVersion::V3_9), recorded(KafkaVersion::V4_4)) else {
        return;
    };
    let known: BTreeSet<_> = new.iter().map(|case| (case.api_key, case.version)).collect();
    let mut old = old;
    // Without records in answers of Fetch, kproxy sends none of them, and the old client a null.
    old.retain(|case| !known.contains(&(case.api_key, case.version)) && case.api_key != ApiKey::FETCH);
    assert!(check(&old) > 100);
}
