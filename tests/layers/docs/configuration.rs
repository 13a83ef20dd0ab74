//! The configuration reference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use kproxy::config::schema::{SchemaKey, keys};
use kproxy::reload::{Effect, ReloadClass, effects_of};

use super::markdown::{doc, read, root};

/// Everything behind this line of `docs/configuration.md` is generated.
const MARKER: &str =
    "<!-- Everything below is generated from the code: UPDATE_DOCS=1 cargo test --test layers -->";

#[test]
fn every_key_has_a_meaning_and_a_default() {
    let keys = keys();
    assert!(keys.len() > 120, "only {} keys", keys.len());
    for key in &keys {
        assert!(
            key.meaning.ends_with('.'),
            "{}: {:?} is no sentence",
            key.path,
            key.meaning
        );
        let is_leaf = !key.is_mapping && !key.kind.starts_with("list of mappings");
        let has_default = key.required || key.default.is_some() || key.meaning.contains("Absent");
        let says_nothing = key.kind == "mapping";
        assert!(
            !is_leaf || has_default || says_nothing,
            "{}: the meaning has no default and does not say what an absent key means",
            key.path
        );
    }
}

/// A filter of each type, with the keys that it needs.
const FILTERS: &[(&str, &str)] = &[
    ("ApiFilter", r#"{"denied":["DeleteTopics"]}"#),
    ("ConnectionExpiration", r#"{"maxAge":"1h"}"#),
    ("Audit", "{}"),
    ("ProtocolLogger", "{}"),
    ("Authorization", r#"{"rules":"otherwise deny;"}"#),
    (
        "OauthBearerValidation",
        r#"{"jwksEndpointUrl":"https://issuer/keys"}"#,
    ),
    (
        "SaslInspection",
        r#"{"subjectBuilder":"DefaultSaslSubjectBuilderService","subjectBuilderConfig":{"addPrincipals":[{"from":"saslAuthorizedId"}]}}"#,
    ),
    (
        "SaslTermination",
        r#"{"mechanisms":[{"mechanism":"PLAIN","credentialStore":"LdapBind","credentialStoreConfig":{
            "url":"ldaps://ldap","bindDn":"uid=$(username)"}}],
            "subjectBuilder":"DefaultSaslSubjectBuilderService","subjectBuilderConfig":{"addPrincipals":[{"from":"saslAuthorizedId"}]}}"#,
    ),
    (
        BEARER,
        r#"{"mechanisms":[{"mechanism":"OAUTHBEARER","jwksEndpointUrl":"https://issuer/keys","expectedAudience":"kafka",
            "expectedIssuer":"https://issuer"}]}"#,
    ),
];

/// A mechanism of `SaslTermination` that has other keys than the rest.
const BEARER: &str = "SaslTermination by OAUTHBEARER";

/// Keys that only this mechanism has.
const BEARER_KEYS: [&str; 5] = [
    "jwks",
    "scopeClaimName",
    "subClaimName",
    "onStart",
    "maxAuthBytes",
];

/// The filter that a file needs which has a key at `path`, and its use by every cluster.
fn filter_for(path: &str) -> String {
    let Some(key) = path.strip_prefix("filterDefinitions[].") else {
        return String::new();
    };
    let key = key.strip_prefix("config(").and_then(|key| key.split_once(')'));
    let (filter_type, key) = key.unwrap_or(("ApiFilter", ""));
    let is_of_bearer = BEARER_KEYS.iter().any(|start| {
        key.strip_prefix(".mechanisms[].")
            .is_some_and(|key| key.starts_with(start))
    });
    let kind = if is_of_bearer { BEARER } else { filter_type };
    let (_, config) = FILTERS.iter().find(|(name, _)| *name == kind).unwrap();
    let filter = format!(r#"{{"name":"f","type":"{filter_type}","config":{config}}}"#);
    format!(r#""filterDefinitions":[{filter}],"defaultFilters":["f"],"#)
}

/// `{file}` with the key set to `value`, as JSON, which is YAML. `None` where other keys forbid it.
fn with(path: &str, value: &str) -> String {
    // A fence needs topics.
    let fence = match path.contains(".fence.") {
        true => r#""fence":{"topics":["t"]},"#,
        false => "",
    };
    let base = |target: &str, filters: &str| {
        let node = r#""nodeIdRanges":[{"start":0,"end":2}]"#;
        format!(
            r#"{{"clusterDefinitions":[{{"name":"d","bootstrapServers":"kafka:9092"}}],{filters}
            "virtualClusters":[{{"name":"v",{target},{fence}"gateways":[{{"name":"g",
            "portIdentifiesNode":{{"bootstrapAddress":"localhost:9192",{node}}}}}]}}]}}"#
        )
    };
    let filters = filter_for(path);
    let uses_definition = !path.starts_with("virtualClusters[].targetCluster");
    let target = match uses_definition {
        true => r#""target":{"cluster":"d"}"#,
        false => r#""targetCluster":{"bootstrapServers":"kafka:9092"}"#,
    };
    let mut file: serde_json::Value = serde_json::from_str(&base(target, &filters)).unwrap();
    if !value.is_empty() {
        let mut place = &mut file;
        for part in path.split('.') {
            let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            let name = name.split('(').next().unwrap();
            place = &mut place[name];
            if is_list {
                place = &mut place[0];
            }
        }
        *place = serde_json::Value::String(value.to_owned());
        // The value stands as it is written in the reference, without quotes.
        return file.to_string().replace(&format!("\"{value}\""), value);
    }
    file.to_string()
}

#[test]
fn defaults_of_the_reference_are_those_of_the_model() {
    let model = |text: &str| kproxy::model::parse(text.as_bytes(), "proxy.yaml");
    let mut checked = 0;
    for key in keys() {
        let Some(default) = key.default else { continue };
        // These need certificates, credentials, a builder or a limit beside them; tests of their own hold their defaults.
        let needs_more = [".tls.", ".sasl.", ".subjectBuilder.", "maxConnectionsPerClient"]
            .iter()
            .any(|part| key.path.contains(part));
        if needs_more {
            continue;
        }
        let written = model(&with(&key.path, default)).unwrap_or_else(|why| panic!("{}: {why:?}", key.path));
        let absent = model(&with(&key.path, "")).unwrap_or_else(|why| panic!("{}: {why:?}", key.path));
        // The section alone changes nothing either, but `management` switches HTTP on.
        let same = match key.path.starts_with("management.") {
            true => model(&with("management", "{}")).unwrap() == written,
            false => absent == written,
        };
        assert!(
            same,
            "{} is documented with the default {default}, and model fills in another",
            key.path
        );
        checked += 1;
    }
    assert!(checked > 30, "only {checked} defaults checked");
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let text = read(Path::new("config/proxy.yaml"));
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    // Keys of Kroxylicious without effect, and keys of stores that are converted to PEM.
    let foreign = ["endpoints", "prometheus", "storePassword"];
    let missing: BTreeSet<&str> = keys()
        .iter()
        .map(|key| key.name)
        .filter(|name| !foreign.contains(name) && !words.contains(name))
        .collect();
    assert!(missing.is_empty(), "config/proxy.yaml does not show {missing:?}");
    let squeezed: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for key in keys().iter().filter(|key| !key.path.contains("[]")) {
        let Some(default) = key.default.filter(|default| *default != "[]") else {
            continue;
        };
        let shown = format!("{}: {default}", key.name);
        assert!(
            squeezed.contains(&shown),
            "config/proxy.yaml does not show `{shown}` ({})",
            key.path
        );
    }
}

#[test]
fn the_reference_is_what_the_code_says() {
    let page = doc("configuration.md");
    let (head, _) = page
        .text
        .split_once(MARKER)
        .expect("the marker of the generated part");
    let expected = format!("{head}{MARKER}\n{}", reference());
    if page.text == expected {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(root().join(&page.path), expected).unwrap();
        return;
    }
    let differs = |(old, new): &(&str, &str)| old != new;
    let difference = page.text.lines().zip(expected.lines()).find(differs);
    panic!(
        "docs/configuration.md is not what the code says: UPDATE_DOCS=1 rewrites it. First difference: {difference:#?}"
    );
}

/// The keys of one record, and where it may stand.
struct Section {
    places: Vec<String>,
    meaning: &'static str,
    keys: Vec<SchemaKey>,
}

/// One section for each record that has keys, with all the places at which it may stand, in the order of the file.
fn sections() -> Vec<Section> {
    let mut order: Vec<&'static str> = Vec::new();
    let mut by_record: BTreeMap<&'static str, Section> = BTreeMap::new();
    for key in keys() {
        let place = key
            .path
            .strip_suffix(key.name)
            .unwrap()
            .trim_end_matches('.')
            .to_owned();
        let section = by_record.entry(key.record).or_insert_with(|| {
            order.push(key.record);
            Section {
                places: Vec::new(),
                meaning: key.record_meaning,
                keys: Vec::new(),
            }
        });
        if !section.places.contains(&place) {
            section.places.push(place);
        }
        section.keys.push(key);
    }
    order
        .iter()
        .filter_map(|record| by_record.remove(record))
        .collect()
}

fn reference() -> String {
    let mut text = String::new();
    for section in sections() {
        let first = &section.places[0];
        let title = match first.as_str() {
            "" => "The file".to_owned(),
            place => format!("`{place}`"),
        };
        write!(text, "\n## {title}\n\n{}", flowing(section.meaning)).unwrap();
        if let [_, others @ ..] = section.places.as_slice()
            && !others.is_empty()
        {
            let others: Vec<String> = others.iter().map(|place| format!("`{place}`")).collect();
            write!(text, " The same keys stand in {}.", others.join(", ")).unwrap();
        }
        text.push_str("\n\n| key | type | default | meaning | a change |\n|---|---|---|---|---|\n");
        let own = section.keys.iter().filter(|key| belongs(key, first));
        for key in own {
            text.push_str(&row(key, &section));
        }
    }
    text
}

/// Whether `key` stands in the mapping at `place` itself.
fn belongs(key: &SchemaKey, place: &str) -> bool {
    let prefix = key.path.strip_suffix(key.name).unwrap_or_default();
    prefix.trim_end_matches('.') == place
}

fn row(key: &SchemaKey, section: &Section) -> String {
    let default = match (key.required, key.default) {
        (true, _) => "required".to_owned(),
        (false, Some(default)) => format!("`{default}`"),
        (false, None) => String::new(),
    };
    let kind = match section_of(key) {
        Some(anchor) => format!("[{}](#{anchor})", key.kind),
        None => key.kind.replace('|', "\\|"),
    };
    format!(
        "| `{}` | {kind} | {default} | {} | {} |\n",
        key.name,
        flowing(key.meaning).replace('|', "\\|"),
        effects(key, section)
    )
}

/// The anchor of the section that describes the mapping, or the items of the list, under `key`.
fn section_of(key: &SchemaKey) -> Option<String> {
    let items = format!("{}[]", key.path);
    let section = sections().into_iter().find(|section| {
        section
            .places
            .iter()
            .any(|place| *place == key.path || *place == items)
    })?;
    let kept = section.places[0].chars().filter(|c| c.is_alphanumeric());
    Some(kept.collect::<String>().to_lowercase())
}

/// What a change does at every place of the section: one text where all agree, else one for each side, which says nothing twice.
fn effects(key: &SchemaKey, section: &Section) -> String {
    let mut sides: Vec<(&str, Vec<String>)> = Vec::new();
    let mut all = BTreeSet::new();
    for place in &section.places {
        let path = match place.as_str() {
            "" => key.name.to_owned(),
            place => format!("{place}.{}", key.name),
        };
        let texts = effects_at(&path);
        match sides.iter_mut().find(|(side, _)| *side == side_of(place)) {
            Some((_, known)) => known.extend(texts.iter().cloned()),
            None => sides.push((side_of(place), texts.clone())),
        }
        all.insert(texts);
    }
    if let (1, Some(texts)) = (all.len(), all.first()) {
        return texts.join("; or ");
    }
    let text =
        |(side, texts): &(&str, Vec<String>)| format!("{side}: {}", without_repetition(texts).join("; or "));
    sides.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// Each text once; none for a class alone where another says what that means.
fn without_repetition(texts: &[String]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for text in texts {
        let says_more = |other: &String| other.starts_with(&format!("{text}: "));
        if !found.contains(&text.as_str()) && !texts.iter().any(says_more) {
            found.push(text);
        }
    }
    found
}

fn side_of(place: &str) -> &'static str {
    match place {
        _ if place.contains("gateways[]") => "gateways",
        _ if place.starts_with("filterDefinitions") => "filters",
        _ => "targets",
    }
}

/// The effects of one key, each class with what it means here; a class that says it all stands alone.
fn effects_at(path: &str) -> Vec<String> {
    let effects = effects_of(path);
    if effects.is_empty() {
        let class = ReloadClass::of(path);
        return class.into_iter().map(|class| format!("`{class}`")).collect();
    }
    let text = |effect: &Effect| match effect {
        Effect::Apply | Effect::Restart => format!("`{}`", effect.class()),
        _ => format!("`{}`: {}", effect.class(), effect.description()),
    };
    effects.iter().map(text).collect()
}

#[test]
fn no_row_says_twice_what_a_change_does() {
    for line in reference().lines().filter(|line| line.starts_with("| `")) {
        let Some((_, cell)) = line.trim_end_matches(" |").rsplit_once(" | ") else {
            continue;
        };
        for side in ["targets: ", "filters: ", "gateways: "] {
            assert!(cell.matches(side).count() <= 1, "{line}");
        }
        let mut texts: Vec<&str> = cell.split("; or ").collect();
        let count = texts.len();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), count, "{line}");
    }
}

/// A doc comment as one line.
fn flowing(meaning: &str) -> String {
    meaning.split_whitespace().collect::<Vec<_>>().join(" ")
}
