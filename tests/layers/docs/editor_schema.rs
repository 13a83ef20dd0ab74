//! The JSON Schema that editors get.

use std::fs;
use std::path::{Path, PathBuf};

use kproxy::config::schema::{SchemaKey, json_schema, keys, yaml_to_json};
use kproxy::reload::ReloadClass;
use serde_json::{Value, json};
use testkit::json_schema::{matches, violations};

use super::markdown::{Page, pages, read, root};

fn schema() -> Value {
    json_schema(|path| ReloadClass::of(path).map(ReloadClass::name))
}

/// The schema of the key at a path such as `virtualClusters[].gateways`.
fn at<'s>(schema: &'s Value, path: &str) -> &'s Value {
    path.split('.').fold(schema, |record, part| {
        // The keys of `config` stand with the condition that `type` has this value.
        if let Some((name, filter_type)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
            let value = json!({"type": filter_type});
            let mut conditions = record["allOf"].as_array().unwrap().iter();
            let found = conditions.find(|form| matches(&form["if"], &value)).unwrap();
            return &found["then"]["properties"][name];
        }
        let (name, items) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        let key = &record["properties"][name];
        if items { &key["items"] } else { key }
    })
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect()
}

#[test]
fn the_schema_has_every_key_with_its_meaning_default_and_reload_class() {
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["additionalProperties"], false);
    for SchemaKey {
        path,
        meaning,
        default,
        is_mapping,
        kind,
        ..
    } in keys()
    {
        let key = at(&schema, &path);
        let flowing = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(key["description"], flowing, "{path}");
        assert_eq!(
            key["default"],
            default.and_then(yaml_to_json).unwrap_or(Value::Null),
            "{path}"
        );
        let class = ReloadClass::of(&path).map(ReloadClass::name);
        assert_eq!(key["x-reload"], json!(class), "{path}");
        assert!(class.is_some(), "{path}");
        if is_mapping && kind == "mapping" {
            assert_eq!(key["additionalProperties"], false, "{path}");
        }
        for word in kind
            .split(", ")
            .filter(|_| kind.starts_with('`') && key["anyOf"][0]["enum"].is_array())
        {
            let words = key["anyOf"][0]["enum"].as_array().unwrap();
            assert!(
                words.contains(&json!(word.trim_matches('`'))),
                "{path} lacks {word}"
            );
        }
        if let Some(default) = default.and_then(yaml_to_json) {
            let wrong = violations(key, &default);
            assert!(wrong.is_empty(), "{path}: the default is {wrong:?}");
        }
    }
}

#[test]
fn valid_files_match_the_schema() {
    let schema = schema();
    let folders = [
        "config",
        "examples",
        "examples/policy",
        "examples/sni_mtls",
        "tests/fixtures/valid",
        "tests/fixtures/kroxylicious",
    ];
    let paths = folders.iter().flat_map(|folder| files(folder));
    let from_files = paths.map(|path| (path.display().to_string(), read(&path)));
    let pages = pages();
    let blocks = pages.iter().flat_map(Page::blocks);
    let whole = blocks.filter(|block| {
        block.language == "yaml" && block.code.contains("virtualClusters:") && !block.code.contains('…')
    });
    let mut checked = 0;
    for (place, text) in from_files.chain(whole.map(|block| (block.place, block.code))) {
        let parsed = kproxy::model::parse(text.as_bytes(), &place);
        // A file of another program, such as Compose.
        let refused = parsed.is_err_and(|errors| {
            errors
                .iter()
                .any(|error| !error.to_string().contains("cannot read the file"))
        });
        if refused {
            continue;
        }
        let wrong = violations(&schema, &yaml_to_json(&text).unwrap());
        assert!(wrong.is_empty(), "{place}: {wrong:#?}");
        checked += 1;
    }
    assert!(checked > 15, "only {checked} files found");
}

#[test]
fn files_with_wrong_shapes_do_not_match() {
    let schema = schema();
    for name in [
        "kroxylicious-before-0.11",
        "kroxylicious-clusters-as-mapping",
        "kroxylicious-only",
        "not-a-mapping",
        "unknown-and-duplicate-keys",
        "wrong-types",
    ] {
        let path = PathBuf::from(format!("tests/fixtures/invalid/{name}.yaml"));
        let value = yaml_to_json(&read(&path)).unwrap();
        assert_ne!(violations(&schema, &value), Vec::<String>::new(), "{name}");
    }
    let smallest = read(Path::new("tests/fixtures/valid/smallest.yaml"));
    for (wrong, place) in [
        ("drian: {timeout: 1s}", "/drian: additionalProperties"),
        ("drain: {timeout: 10}", "/drain/timeout: anyOf"),
        ("drain: {timeout: 1s2h}", "/drain/timeout: anyOf"),
        ("drain: {strategy: gracefull}", "/drain/strategy: anyOf"),
        ("drain: [1s]", "/drain: type"),
        ("management: {port: 65536}", "/management/port: anyOf"),
        ("management: {port: '9190'}", "/management/port: anyOf"),
        ("reload: {watch: yes}", "/reload/watch: anyOf"),
        (
            "reload: {maxRemovedPercent: 101}",
            "/reload/maxRemovedPercent: anyOf",
        ),
        ("reload: {include: a.yaml}", "/reload/include: type"),
        (
            "network: {proxy: {maxFrameSize: 1MB}}",
            "/network/proxy/maxFrameSize: anyOf",
        ),
        (
            "clusterDefinitions: [{name: a}]",
            "/clusterDefinitions/0: required",
        ),
        (
            "clusterDefinitions: [{name: a, bootstrapServers: kafka}]",
            "/clusterDefinitions/0/bootstrapServers: anyOf",
        ),
        ("filters: [a]", "/filters: not"),
        ("micrometer: [a]", "/micrometer: enum"),
    ] {
        let value = yaml_to_json(&format!("{smallest}{wrong}\n")).unwrap();
        assert_eq!(violations(&schema, &value), [place], "{wrong}");
    }
    for fine in [
        "micrometer: []",
        "version: 1",
        "drain:",
        "drain: {timeout: '${env:TIMEOUT}'}",
        "useIoUring: true",
    ] {
        let value = yaml_to_json(&format!("{smallest}{fine}\n")).unwrap();
        assert_eq!(violations(&schema, &value), Vec::<String>::new(), "{fine}");
    }
}
