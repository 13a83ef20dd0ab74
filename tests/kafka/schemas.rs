//! Promise 13: the tables of messages are those of Kafka's own jars, and messages that its classes write are read alike.

use std::{collections::BTreeSet, env, fs, path::Path, sync::OnceLock};

use kproxy::wire::api;
use kproxy::wire::schema::{self, Direction, Draft, Message, NameKind};
use testkit::{
    java::Tool,
    maven::{Install, KafkaVersion, require, shared},
};

/// Jars of both releases that the tables are made of, the newest first.
fn jars() -> Option<Vec<std::path::PathBuf>> {
    let installs = [require(KafkaVersion::V4_4)?, require(KafkaVersion::V3_9)?];
    Some(installs.iter().map(Install::clients_jar).collect())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a file of the source tree")]
fn the_tables_are_what_the_jars_say() {
    let Some(jars) = jars() else { return };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/schema/table.rs");
    let tables = testkit_schemas::tables(&jars).unwrap();
    if env::var_os("UPDATE_TABLES").is_some() {
        fs::write(&file, &tables).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap();
    assert!(
        committed == tables,
        "UPDATE_TABLES=1 cargo test --test kafka schemas writes {}",
        file.display()
    );
}

/// What `testkit/kafka/Schemas.java` prints.
fn messages() -> Option<&'static str> {
    static PRINTED: OnceLock<Option<String>> = OnceLock::new();
    let print = || {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/testkit/kafka/Schemas.java");
        Some(
            Tool::new(&require(KafkaVersion::V4_4)?, program)
                .args(["16"])
                .succeed(),
        )
    };
    shared(PRINTED.get_or_init(print).as_ref()).map(String::as_str)
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix('x').unwrap().as_bytes();
    let value = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    digits
        .chunks(2)
        .map(|pair| value(pair[0]) << 4 | value(pair[1]))
        .collect()
}

/// API, direction, version and the rest of a line that begins with this word.
fn lines<'t>(text: &'t str, word: &str) -> impl Iterator<Item = (i16, Direction, i16, Vec<&'t str>)> {
    let begun = text
        .lines()
        .filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '));
    begun.map(|line| {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap();
        let api = next().parse().unwrap();
        let direction = if next() == "request" {
            Direction::Request
        } else {
            Direction::Response
        };
        let version = next().parse().unwrap();
        (api, direction, version, words.collect())
    })
}

#[test]
fn bodies_that_kafkas_classes_write_have_the_same_names_in_the_same_order() {
    let Some(text) = messages() else { return };
    let mut read = 0;
    for (api, direction, version, rest) in lines(text, "body") {
        let body = hex(rest[0]);
        let at = format!("{api} {direction:?} v{version} {}", rest[0]);
        let message =
            Message::read(api, direction, version, &body).unwrap_or_else(|error| panic!("{at}: {error}"));
        let mut ours: Vec<String> = message
            .names()
            .map(|name| said(name.kind, name.bytes().unwrap()))
            .collect();
        let mut theirs: Vec<&str> = rest[1].strip_prefix('x').unwrap().split(',').collect();
        theirs.retain(|name| !name.is_empty());
        // What the schemas do not mark stands between what they do.
        let mut unmarked = Vec::new();
        for name in theirs {
            let found = ours.iter().position(|ours| ours == name);
            let found = found.unwrap_or_else(|| panic!("{name} is not found in {at}"));
            unmarked.extend(ours.drain(..=found).take(found));
        }
        unmarked.extend(ours);
        assert!(
            unmarked.is_empty() || HAS_UNMARKED.contains(&api),
            "{unmarked:?} in {at}"
        );
        read += 1;
    }
    assert!(read > 9_000, "read only {read}");
}

/// APIs with names that Kafka's schemas do not mark.
const HAS_UNMARKED: &[i16] = &[10, 29, 30, 31, 32, 33, 44, 66, 68, 69, 74, 83, 84, 85, 86, 87, 88];

fn said(kind: NameKind, bytes: &[u8]) -> String {
    let kind = match kind {
        NameKind::TopicName => "topicName",
        NameKind::TopicId => "topicId",
        NameKind::GroupId => "groupId",
        NameKind::TransactionalId => "transactionalId",
        _ => "unmarked",
    };
    let bytes: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}={bytes}")
}

#[test]
fn defaults_are_those_of_kafkas_classes() {
    let Some(text) = messages() else { return };
    let mut compared = 0;
    for (api, direction, version, rest) in lines(text, "default") {
        let ours = Draft::new(api, direction, version).unwrap().encode();
        assert_eq!(ours, hex(rest[0]), "{api} {direction:?} v{version}");
        compared += 1;
    }
    assert!(compared > 500, "compared only {compared}");
}

#[test]
fn versions_and_headers_are_those_of_kafka() {
    let Some(text) = messages() else { return };
    let mut keys = BTreeSet::new();
    let mut highest = std::collections::BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("header ")) {
        let numbers: Vec<i16> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let [key, version, request, response] = numbers[..] else {
            panic!("{line}")
        };
        let highest = highest.entry(key).or_insert(version);
        *highest = version.max(*highest);
        keys.insert(key);
        let flexible = schema::request_versions(key)
            .and_then(|versions| versions.first_flexible)
            .is_some_and(|first| version >= first);
        assert_eq!(request, if flexible { 2 } else { 1 }, "{key} v{version}");
        if let Some(known) = api::api(key) {
            assert!(known.supports(version), "{} v{version}", known.name);
            assert_eq!(
                known.request_is_flexible(version),
                flexible,
                "{} v{version}",
                known.name
            );
            assert_eq!(
                known.response_header_is_flexible(version),
                response == 1,
                "{} v{version}",
                known.name
            );
        }
    }
    assert_eq!(schema::api_keys().collect::<BTreeSet<_>>(), keys);
    for known in api::apis() {
        assert_eq!(highest.get(&known.key), Some(&known.max), "{}", known.name);
    }
}
