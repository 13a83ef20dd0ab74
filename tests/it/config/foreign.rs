//! Point 12: files that were written for Kroxylicious.

use std::fs;
use std::path::Path;

use kproxy::model;

use super::secured::{Fixture, KEY, NOW, with_tls};
use super::{errors, loads, text};

const CLUSTERS: &str = "virtualClusters:
  - name: demo
    targetCluster: {bootstrapServers: \"localhost:9092\"}
    gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: \"localhost:9192\"}}]
";

/// Lines `LINE:COL: warning: WHAT` of a file that loads.
#[track_caller]
fn warnings(yaml: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.yaml");
    fs::write(&path, yaml).unwrap();
    let loaded = model::load_all(&path);
    if let Err(violations) = loaded.model {
        panic!("{yaml}\n{}", text(&violations));
    }
    let found = loaded.warnings.at(NOW);
    found
        .iter()
        .map(|warning| {
            format!(
                "{}:{}: {}: {}",
                warning.line, warning.col, warning.severity, warning.message
            )
        })
        .collect()
}

#[test]
fn keys_that_say_nothing_are_silent() {
    for nothing in [
        "filterDefinitions:",
        "filterDefinitions: []",
        "defaultFilters:",
        "defaultFilters: []",
        "micrometer: []",
        "routerDefinitions: []",
        "development: {}",
        "useIoUring: false",
        "useIoUring:",
        "version:",
        "network: {management: {}}",
        "network: {management: , proxy: {shutdownQuietPeriod: }}",
    ] {
        assert_eq!(warnings(&format!("{nothing}\n{CLUSTERS}")), [""; 0], "{nothing}");
    }
    for nothing in ["filters: []", "filters:", "subjectBuilder:", "topicNameCache: {}"] {
        assert_eq!(
            warnings(&format!("{CLUSTERS}    {nothing}\n")),
            [""; 0],
            "{nothing}"
        );
    }
}

#[test]
fn the_cache_of_names_of_topics_is_the_one_of_kroxylicious() {
    let of = |key: &str| loads(format!("{CLUSTERS}    topicNameCache: {key}\n"));
    let model = of("{maxSize: 9, expireAfterWrite: 2m, expireAfterAccess: 3h}");
    let limits = model.clusters["demo"].topic_names;
    let seconds = std::time::Duration::from_secs;
    assert_eq!(
        (limits.max_size, limits.expire_after_write),
        (9, Some(seconds(120)))
    );
    assert_eq!(limits.expire_after_access, seconds(3 * 3600));
    assert!(errors(format!("{CLUSTERS}    topicNameCache: {{maxSize: 0}}\n")).contains("5:31: error"));
    let short = errors(format!(
        "{CLUSTERS}    topicNameCache: {{expireAfterAccess: 0s}}\n"
    ));
    assert_eq!(
        short,
        "f.yaml:5:41: error: `expireAfterAccess` must be at least 1s\n"
    );
}

#[test]
fn keys_without_effect_are_warnings() {
    for (key, at, name) in [
        ("useIoUring: true", "1:1", "useIoUring"),
        ("useIoUring: sometimes", "1:1", "useIoUring"),
        ("version: v1alpha1", "1:1", "version"),
        (
            "network: {management: {workerThreadCount: 1}}",
            "1:11",
            "management",
        ),
        (
            "network: {proxy: {shutdownQuietPeriod: 2s}}",
            "1:19",
            "shutdownQuietPeriod",
        ),
    ] {
        let found = warnings(&format!("{key}\n{CLUSTERS}"));
        assert_eq!(found.len(), 1, "{found:?}");
        let expected = format!("{at}: warning: `{name}` has no effect: ");
        assert!(found[0].starts_with(&expected), "{found:?}");
    }
    // Twice is once too often, whatever the key says.
    let twice = errors(format!("useIoUring: true\nuseIoUring: false\n{CLUSTERS}"));
    assert_eq!(
        twice,
        "f.yaml:2:1: error: duplicate key `useIoUring`, already on line 1\n"
    );
}

#[test]
fn what_asks_for_something_is_refused_by_name() {
    for key in ["micrometer: [{type: X}]", "development: {a: 1}"] {
        let name = key.split_once(':').unwrap().0;
        assert_eq!(
            errors(format!("{key}\n{CLUSTERS}")),
            format!("f.yaml:1:1: error: `{name}` is not supported yet\n")
        );
    }
    for (name, shown) in [
        ("MultiTenant", "MultiTenant"),
        (
            "io.kroxylicious.proxy.filter.multitenant.MultiTenant",
            "io.kroxylicious.proxy.filter.multitenant.MultiTenant",
        ),
    ] {
        assert_eq!(
            errors(format!(
                "filterDefinitions: [{{name: f, type: {name}}}]\n{CLUSTERS}"
            )),
            format!("f.yaml:1:37: error: filter type `{shown}` is not supported yet\n")
        );
    }
}

#[test]
fn management_of_a_foreign_file_is_said_to_be_on_loopback() {
    let found = warnings(&format!(
        "management: {{endpoints: {{prometheus: {{}}}}}}\n{CLUSTERS}"
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("1:14: warning: `management` listens on 127.0.0.1 only, "),
        "{found:?}"
    );
    for said in [
        "management: {port: 9190}",
        "management: {bindAddress: 127.0.0.1, endpoints: {}}",
    ] {
        assert_eq!(warnings(&format!("{said}\n{CLUSTERS}")), [""; 0], "{said}");
    }
}

#[test]
fn cipher_suites_that_are_not_there_are_no_obstacle_while_one_is_left() {
    let fixture = Fixture::new();
    let with = |lists: &str| with_tls(&format!("{KEY}, cipherSuites: {{{lists}}}"));
    for silent in [
        "denied: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_DHE_RSA_WITH_AES_128_GCM_SHA256]",
        "denied: [TLS_AES_128_GCM_SHA256]",
    ] {
        assert_eq!(fixture.warnings(&with(silent), NOW), "", "{silent}");
    }
    let denied = fixture.warnings(&with("denied: [TLS_AES_128_GCM_SHA265, TLS_FUTURE]"), NOW);
    assert!(
        denied.contains("denies nothing: unknown cipher suite `TLS_AES_128_GCM_SHA265`, did you mean `TLS_AES_128_GCM_SHA256`?"),
        "{denied}"
    );
    assert_eq!(denied.lines().count(), 2, "{denied}");
    let allowed = fixture.warnings(
        &with("allowed: [TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA, TLS_FUTURE]"),
        NOW,
    );
    assert!(
        allowed.contains("allows nothing: cipher suite `TLS_RSA_WITH_AES_128_CBC_SHA` is not supported"),
        "{allowed}"
    );
    assert_eq!(allowed.lines().count(), 2, "{allowed}");
    let none = fixture.errors(&with("allowed: [TLS_RSA_WITH_AES_128_CBC_SHA]"));
    assert!(
        none.contains("error: cipher suite `TLS_RSA_WITH_AES_128_CBC_SHA` is not supported"),
        "{none}"
    );
}

/// Every file of `fixtures/kroxylicious` loads; its README says what each stands for.
#[test]
fn files_in_the_shape_of_published_ones_load() {
    let fixture = Fixture::new();
    let named = String::from_utf8(fs::read("tests/fixtures/kroxylicious/README.md").unwrap()).unwrap();
    let mut files = 0;
    for entry in fs::read_dir(Path::new("tests/fixtures/kroxylicious")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            named.contains(&format!("| `{name}` |")),
            "{name} is not in the README"
        );
        // Panics with what is wrong.
        fixture.warnings(&String::from_utf8(fs::read(&path).unwrap()).unwrap(), NOW);
        files += 1;
    }
    assert!(files > 5, "{files} files");
}
