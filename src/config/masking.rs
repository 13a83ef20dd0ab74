//! Texts of a configuration without the passwords that stand in them, for what is kept on a disk.
//!
//! A password is told by its place: the keys that lead to it, with the names of list items in place of their numbers. So it
//! is found again in a later text, in whatever file and on whatever line.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, options};

use super::decode::Decode;
use super::diagnostic::{Errors, FileId, Pos};
use super::schema::Root;
use super::yaml::{self, Node, NodeContent};
use super::{Included, Sources, environment, text};

/// What stands in place of a password.
const PLACEHOLDER: &str = "\"***\"";

/// Words of which at least one is in every text with a password: in the name of its key, or in how a key may hide one.
const TRACES: [&[u8]; 4] = [b"assword", b"ecret", b"oken", b"\\"];

/// Passwords of a configuration, by their places.
#[derive(Debug, Clone, Default)]
pub struct KnownSecrets(BTreeMap<String, super::Secret>);

/// A password in a text.
struct FoundSecret {
    place: String,
    /// The scalar as it is written.
    range: Range<usize>,
    value: super::Secret,
}

impl KnownSecrets {
    /// Adds the passwords of a configuration; those of the same places that are known already stay.
    pub fn add(&mut self, sources: &Sources) {
        let (_, main) = sources.main_text();
        let included = sources.included_texts().map(|(_, text)| (text, false));
        for (text, is_main) in std::iter::once((main, true)).chain(included) {
            for secret in find(text, is_main).unwrap_or_default() {
                self.0.entry(secret.place).or_insert(secret.value);
            }
        }
    }
}

/// The text with a placeholder for each password. `is_main`: it is not an included file. `None` if it cannot be told which
/// parts of the text are passwords.
pub fn mask(text: &[u8], is_main: bool) -> Option<Vec<u8>> {
    let secrets = find(text, is_main)?;
    if secrets.is_empty() {
        return Some(text.to_owned());
    }
    let masked = replace(
        text,
        secrets.iter().map(|secret| (secret, PLACEHOLDER.to_owned())),
    );
    let left = find(&masked, is_main)?;
    let is_masked = |secret: &FoundSecret| masked.get(secret.range.clone()) == Some(PLACEHOLDER.as_bytes());
    let places =
        |secrets: &[FoundSecret]| -> Vec<String> { secrets.iter().map(|it| it.place.clone()).collect() };
    (places(&left) == places(&secrets) && left.iter().all(is_masked)).then_some(masked)
}

/// The text with the `known` passwords in place of the placeholders.
///
/// # Errors
/// The places whose passwords are not known.
pub fn unmask(masked: &[u8], is_main: bool, known: &KnownSecrets) -> Result<Vec<u8>, Vec<String>> {
    let secrets = find(masked, is_main).unwrap_or_default();
    let hidden = secrets
        .iter()
        .filter(|secret| masked.get(secret.range.clone()) == Some(PLACEHOLDER.as_bytes()));
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for secret in hidden {
        match known.0.get(&secret.place) {
            // What JSON writes is read alike by YAML.
            Some(value) => found.push((secret, serde_json::Value::from(value.reveal()).to_string())),
            None => missing.push(secret.place.clone()),
        }
    }
    match missing.is_empty() {
        true => Ok(replace(masked, found.into_iter())),
        false => Err(missing),
    }
}

fn replace<'f>(text: &[u8], with: impl Iterator<Item = (&'f FoundSecret, String)>) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut done = 0;
    for (secret, value) in with {
        replaced.extend_from_slice(text.get(done..secret.range.start).unwrap_or_default());
        replaced.extend_from_slice(value.as_bytes());
        done = secret.range.end;
    }
    replaced.extend_from_slice(text.get(done..).unwrap_or_default());
    replaced
}

/// The passwords in a text, in order; references to variables are none. `None` if the text cannot be understood.
fn find(bytes: &[u8], is_main: bool) -> Option<Vec<FoundSecret>> {
    let has = |trace: &&[u8]| bytes.windows(trace.len()).any(|window| window == *trace);
    if !TRACES.iter().any(has) {
        return Some(Vec::new());
    }
    let without_mark = text::without_mark(bytes).ok()?;
    let (offset, text) = (
        bytes.len() - without_mark.len(),
        std::str::from_utf8(without_mark).ok()?,
    );
    let mut errors = Errors::new();
    let file = errors.add_file("".into());
    let Some(tree) = yaml::compose(text, file).ok()? else {
        return Some(Vec::new());
    };
    match is_main {
        true => drop(Root::decode(tree.root(), &mut errors)),
        false => drop(Included::decode(tree.root(), &mut errors)),
    }
    let secrets: HashSet<Pos> = errors.take_secrets().into_iter().collect();
    if secrets.is_empty() {
        return Some(Vec::new());
    }
    let mut places = BTreeMap::new();
    name_places(tree.root(), &mut String::new(), &secrets, &mut places);
    locate(text, file, offset, &places)
}

/// Finds where the scalars at `places` stand in the text.
fn locate(
    text: &str,
    file: FileId,
    offset: usize,
    places: &BTreeMap<(u32, u32), String>,
) -> Option<Vec<FoundSecret>> {
    let options = options! { flow_nesting_limit: yaml::MAX_DEPTH, block_nesting_limit: yaml::MAX_DEPTH };
    let mut found = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        let Event::Scalar(value, style, ..) = event else {
            continue;
        };
        let at = yaml::pos(&span.start, file);
        let Some(place) = places.get(&(at.line, at.col)) else {
            continue;
        };
        let mut range = span.byte_range()?;
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            range.start = start_of_block(text, range.start)?;
        }
        let written = text.get(range.clone())?;
        // A block scalar goes on to the end of its last line, which is not a part of it.
        let trailing = written.len() - written.trim_end_matches(['\n', ' ']).len();
        if !environment::is_reference(&value) {
            found.push(FoundSecret {
                place: place.clone(),
                range: range.start + offset..range.end - trailing + offset,
                value: super::Secret::new(value),
            });
        }
    }
    Some(found)
}

/// Where a block scalar whose first line stands at `content` begins: at its indicator, on a line before.
fn start_of_block(text: &str, content: usize) -> Option<usize> {
    let before = text.get(..content)?;
    if before.ends_with(['|', '>']) {
        return Some(content - 1);
    }
    let header = before[..before.rfind('\n')?].trim_end();
    let line = header.rfind('\n').map_or(0, |newline| newline + 1);
    Some(line + header[line..].find(['|', '>'])?)
}

/// Enters the place of each scalar at one of `secrets`.
fn name_places(
    node: Node<'_>,
    place: &mut String,
    secrets: &HashSet<Pos>,
    places: &mut BTreeMap<(u32, u32), String>,
) {
    let length = place.len();
    match node.content() {
        NodeContent::Scalar { .. } if secrets.contains(&node.at()) => {
            let at = (node.at().line, node.at().col);
            places.entry(at).or_insert_with(|| place.clone());
        }
        NodeContent::Scalar { .. } => {}
        NodeContent::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let name = name_of(item).map_or_else(|| index.to_string(), str::to_owned);
                place.extend(["[", &name, "]"]);
                name_places(item, place, secrets, places);
                place.truncate(length);
            }
        }
        NodeContent::Mapping(entries) => {
            for (key, value) in entries.iter() {
                let dot = if length == 0 { "" } else { "." };
                place.extend([dot, key.scalar().unwrap_or_default()]);
                name_places(value, place, secrets, places);
                place.truncate(length);
            }
        }
    }
}

/// The value of `name` in an item of a list.
fn name_of(item: Node<'_>) -> Option<&str> {
    let NodeContent::Mapping(entries) = item.content() else {
        return None;
    };
    let mut names = entries.iter().filter(|(key, _)| key.scalar() == Some("name"));
    names.next()?.1.scalar()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration whose only password is written in this way, on lines of its own or not.
    fn with(password: &str) -> String {
        format!(
            "# the password of orders\nvirtualClusters:\n  - name: orders\n    gateways:\n      - name: g\n        tls:\n          key:\n            \
             certificateFile: c.pem\n            privateKeyFile: k.pem\n            keyPassword:\n              password: {password}\n  \
             - name: other # é\n    maxConnections: 3\n"
        )
    }

    fn masked(text: &str) -> String {
        String::from_utf8(mask(text.as_bytes(), true).unwrap()).unwrap()
    }

    #[test]
    fn however_a_password_is_written_it_is_not_kept_and_found_again() {
        for written in [
            "hunter2",
            "'hunt''er2'",
            "\"hunter2\\n\\\"é\"",
            "&pw hunter2",
            "|\n                hunter2\n                more",
            ">-\n                hunter2",
            "hunter2 # hunter",
            "hunter2\n                goes on",
            "x${env:HOME:-hunter2}",
            "${env:HUNTER:-hunter2}",
        ] {
            let text = with(written);
            let masked = masked(&text);
            assert!(!masked.replace("# hunter", "").contains("hunt"), "{masked}");
            assert_eq!(masked.matches(PLACEHOLDER).count(), 1, "{masked}");
            assert!(masked.contains("name: other # é"), "{masked}");
            let mut known = KnownSecrets::default();
            for secret in find(text.as_bytes(), true).unwrap() {
                assert_eq!(
                    secret.place,
                    "virtualClusters[orders].gateways[g].tls.key.keyPassword.password"
                );
                known.0.insert(secret.place, secret.value);
            }
            let restored = unmask(masked.as_bytes(), true, &known).unwrap();
            let (before, after) = (
                find(text.as_bytes(), true).unwrap(),
                find(&restored, true).unwrap(),
            );
            assert_eq!(before[0].value.reveal(), after[0].value.reveal(), "{masked}");
            let missing = unmask(masked.as_bytes(), true, &KnownSecrets::default());
            assert_eq!(missing.unwrap_err().len(), 1);
        }
    }

    #[test]
    fn what_is_no_password_stays() {
        for text in [
            with("${env:PASSWORD}"),
            "virtualClusters: []\n".to_owned(),
            "\u{feff}management: {tokenFile: token}\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(masked(&text), text);
        }
        assert!(mask(b"password: \xff", true).is_none());
        assert!(mask(b"password: [", true).is_none());
    }

    #[test]
    fn a_password_that_several_clusters_share_is_one() {
        let text = "x: &key {certificateFile: c, privateKeyFile: k, keyPassword: {password: hunter2}}\n\
                    virtualClusters:\n  - {name: a, gateways: [{name: g, tls: {key: *key}}]}\n  \
                    - {name: b, gateways: [{name: g, tls: {key: {<<: *key, certificateFile: d}}}]}\n";
        let masked = masked(text);
        assert!(!masked.contains("hunter2"), "{masked}");
        let mut known = KnownSecrets::default();
        for secret in find(text.as_bytes(), true).unwrap() {
            known.0.insert(secret.place, secret.value);
        }
        let restored = unmask(masked.as_bytes(), true, &known).unwrap();
        assert_eq!(find(&restored, true).unwrap()[0].value.reveal(), "hunter2");
    }
}
