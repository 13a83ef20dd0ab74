//! Names and comments that a newcomer understands.
//!
//! 1. A type name stands for one thing in the whole crate.
//! 2. A comment begins with its subject and has no word that must be decoded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{code, is_test, read, sources};

/// Types that two modules declare on purpose: what the file says (`config/schema`) and what it means (`model`).
const SCHEMA_AND_MODEL: [&str; 2] = ["src/config/schema", "src/model"];

/// Type names that stand in several files on purpose, with the reason.
const REPEATED: &[(&str, &str)] = &[(
    "Arguments",
    "the arguments of each command, named by the macro `commands!`",
)];

/// The name of the type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().peekable();
    if words.peek()?.starts_with("pub") {
        let visibility = words.next()?;
        if visibility.contains('(') && !visibility.contains(')') {
            words.find(|word| word.contains(')'))?;
        }
    }
    if !["struct", "enum", "trait", "type", "union"].contains(&words.next()?) {
        return None;
    }
    let name = words.next()?;
    let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
    Some(&name[..end]).filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
}

#[test]
fn a_type_name_stands_for_one_thing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !is_test(file)) {
        let place = file.strip_prefix(root).unwrap().display().to_string();
        // An associated type stands in a trait or its implementation, four columns in.
        let code = code(&read(file));
        let own = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("type ") || line.starts_with("type "));
        for name in own.filter_map(declared) {
            places.entry(name.to_owned()).or_default().insert(place.clone());
        }
    }
    assert!(places.len() > 300, "{}", places.len());
    places.retain(|name, files| {
        let pair = SCHEMA_AND_MODEL.iter().all(|module| {
            let of_module = files.iter().filter(|file| file.starts_with(module));
            of_module.count() == 1
        });
        let repeated = REPEATED.iter().any(|(repeated, _)| repeated == name);
        files.len() > 1 && !(files.len() == 2 && pair) && !repeated
    });
    assert!(places.is_empty(), "{places:#?}");
}

/// Beginnings of a comment that have no subject, and words that a reader has to decode.
const UNCLEAR_BEGINNINGS: &[&str] = &["Of ", "The same", "As ", "Not ", "That ", "Whose ", "Those "];
const UNCLEAR_WORDS: &[&str] = &[
    "whoever",
    "whyever",
    "whence",
    "cannot be had",
    "stands behind",
    "See the module",
];

#[test]
fn comments_begin_with_their_subject() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "testkit"] {
        sources(&root.join(directory), &mut files);
    }
    let mut unclear = Vec::new();
    for file in &files {
        let text = read(file);
        let mut before = "";
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let mark = ["///", "//!", "//"]
                .into_iter()
                .find(|mark| line.starts_with(mark));
            let Some(mark) = mark else {
                before = "";
                continue;
            };
            let words = line[mark.len()..].trim_start();
            // An example or a sample of a file is not prose.
            let begins = before != mark && mark != "//";
            let lower = words.to_lowercase();
            if (begins
                && UNCLEAR_BEGINNINGS
                    .iter()
                    .any(|beginning| words.starts_with(beginning)))
                || UNCLEAR_WORDS
                    .iter()
                    .any(|word| lower.contains(&word.to_lowercase()))
            {
                unclear.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
            before = mark;
        }
    }
    assert!(unclear.is_empty(), "{unclear:#?}");
}
