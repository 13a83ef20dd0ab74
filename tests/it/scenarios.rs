//! Scenarios of rules of access, in the form of Kroxylicious' tests of its `Authorization`: rights, a request, what the broker
//! answers to what reaches it, and what the client gets.
//!
//! 1. The scenarios in `tests/fixtures/authorization` hold.
//! 2. So do those of Kroxylicious itself, from a checkout of its repository that `KPROXY_TEST_SCENARIOS` names, such as
//!    `kroxylicious-filters/kroxylicious-authorization/src/test/resources/scenarios`, unless `DECIDED_OTHERWISE` says why not.

mod bodies;
mod broker;
mod exchange;
mod yaml;

use std::path::{Path, PathBuf};

use testkit::skipped;

/// Where scenarios of others lie.
const FOLDER: &str = "KPROXY_TEST_SCENARIOS";

/// Where scenarios differ from what a broker with the same rules answers, or from how kproxy comes to that answer: a part of the
/// scenario's name, a part of the difference, and why it stays.
const DECIDED_OTHERWISE: [(&str, &str, &str); 24] = [
    (
        "METADATA/",
        "answer.brokers",
        "clients get the addresses of the gateway",
    ),
    ("METADATA/", "forwarded.", CREATES_ALL),
    ("METADATA/", "the broker waits", CREATES_ALL),
    ("METADATA/13/out-of-band-metadata-request-errors", "", CREATES_ALL),
    (
        "METADATA/9/baseline",
        "cluster_authorized_operations",
        "the broker's are those of its first answer",
    ),
    (
        "PRODUCE/",
        "base_offset: -1 where the scenario has 0",
        "brokers say -1",
    ),
    ("PRODUCE/", "error_message: null where", "brokers say nothing"),
    (
        "PRODUCE/13/allowed-and-denied-topic",
        "",
        "brokers answer with the id that was asked, not with a zero id",
    ),
    ("PRODUCE/12/null-transaction", "", BATCHES),
    ("PRODUCE/12/zero-ack-null-transaction", "", BATCHES),
    (
        "FETCH/18/",
        "error_code: 100 where the scenario has -1",
        "brokers say UNKNOWN_TOPIC_ID",
    ),
    ("drops-unauthorized-topics", "", ALL_BY_NAME),
    ("DESCRIBE_TOPIC_PARTITIONS/", "forwarded.topics", ALL_BY_NAME),
    ("CONSUMER_GROUP_DESCRIBE/1/denied-topic", "", GROUP_FIRST),
    (
        "CONSUMER_GROUP_DESCRIBE/1/some-groups",
        "authorized_operations: 0",
        "the user has none of the broker's operations",
    ),
    ("CONSUMER_GROUP_HEARTBEAT/1/any-topic-denied", "", GROUP_FIRST),
    ("OFFSET_COMMIT/10/a", "", GROUP_FIRST),
    ("OFFSET_FETCH/7/allowed-and-denied", "", GROUP_FIRST),
    (
        "OFFSET_FETCH/9/fetch-all-topics-allowed-and-denied",
        "",
        GROUP_FAILED,
    ),
    ("OFFSET_FETCH/10/", "", GROUP_FAILED),
    (
        "ADD_PARTITIONS_TO_TXN/5/",
        "",
        "only brokers ask in this form, others are refused (31)",
    ),
    (
        "INIT_PRODUCER_ID/0/non-transactional",
        "",
        "who may write to no topic gets no producer id (31, KIP-679)",
    ),
    (
        "API_VERSIONS/4/metadata-api",
        "",
        "a session does not end for a question that it may never need",
    ),
    (
        "API_VERSIONS/4/produce-minVersion",
        "max_version: 13 where",
        "the rules know Produce up to 13",
    ),
];

const BATCHES: &str = "a broker refuses records of a transaction without an id from every client";
const ALL_BY_NAME: &str =
    "topics are asked for by the names that the user may see, for the sake of limits and cursors";
const CREATES_ALL: &str = "who may create every topic of the request needs no question about which exist";
const GROUP_FIRST: &str = "the user has no right to the group, which a broker asks for first (errors 30)";
const GROUP_FAILED: &str = "a broker tells nothing of topics where the group itself has an error";

#[test]
fn scenarios_of_rules_of_access_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/authorization");
    check(&folder, &[]);
}

#[test]
fn scenarios_of_kroxylicious_hold_where_kafka_answers_like_them() {
    match std::env::var(FOLDER) {
        Ok(folder) => check(Path::new(&folder), &DECIDED_OTHERWISE),
        Err(_) => skipped::note(&format!("{FOLDER} names no folder with scenarios")),
    }
}

fn check(folder: &Path, decided: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    let files = scenarios_in(folder);
    for file in &files {
        let name = file.strip_prefix(folder).unwrap().display().to_string();
        let text = String::from_utf8(std::fs::read(file).unwrap()).unwrap();
        let faults = exchange::run(&yaml::parse(&text));
        for fault in faults {
            let reason = decided
                .iter()
                .find(|(scenario, difference, _)| name.contains(scenario) && fault.contains(difference));
            match reason {
                Some((_, _, reason)) => eprintln!("{name}: {fault}: {reason}"),
                None => wrong.push(format!("{name}: {fault}")),
            }
        }
    }
    assert!(!files.is_empty(), "{}: no scenario", folder.display());
    assert!(
        wrong.is_empty(),
        "of {} scenarios:\n{}",
        files.len(),
        wrong.join("\n")
    );
}

fn scenarios_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                scenarios_in(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files
}
