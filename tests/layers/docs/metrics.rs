//! Metrics: those that documents and alert rules name exist, and those that exist are documented.

use std::collections::BTreeSet;
use std::path::Path;

use super::markdown::{doc, pages, read, root};
use super::source::{files, literals};

/// Families of metrics, as the exposition declares them: without `_total` and the endings of histograms.
fn families() -> BTreeSet<String> {
    let mut families = BTreeSet::new();
    let sources = ["src/admin", "src/control"].map(|directory| files(&root().join(directory)));
    for file in sources.iter().flatten() {
        for literal in literals(&read(file)) {
            let is_name = literal
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_name && (literal.starts_with("kproxy_") || literal.starts_with("process_")) {
                families.insert(literal);
            }
        }
    }
    assert!(families.len() > 30, "{families:?}");
    families
}

/// Every word of `text` that is the name of a metric.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| {
            let (name, rest) = word.split_once('_').unwrap_or_default();
            matches!(name, "kproxy" | "process") && !rest.is_empty()
        })
        .map(ToOwned::to_owned)
        .collect()
}

fn exists(name: &str, families: &BTreeSet<String>) -> bool {
    let endings = ["", "_total", "_bucket", "_count", "_sum"];
    endings.iter().any(|ending| {
        name.strip_suffix(ending)
            .is_some_and(|family| families.contains(family))
    })
}

#[test]
fn metrics_that_documents_name_exist() {
    let families = families();
    let mut texts: Vec<(String, String)> = Vec::new();
    for page in pages() {
        texts.push((page.path.display().to_string(), page.text));
    }
    for file in ["alerts.yaml", "alerts_test.yaml", "dashboard.json"] {
        let file = Path::new("docs/operating").join(file);
        texts.push((file.display().to_string(), read(&file)));
    }
    let mut checked = 0;
    for (place, text) in texts {
        for name in named(&text) {
            checked += 1;
            assert!(exists(&name, &families), "{place}: there is no metric {name}");
        }
    }
    assert!(checked > 60, "only {checked} names found");
}

#[test]
fn every_metric_is_documented() {
    let text = doc("operating/metrics.md").text;
    let documented = named(&text);
    let documented: BTreeSet<&str> = documented
        .iter()
        .map(|name| name.strip_suffix("_total").unwrap_or(name))
        .collect();
    let missing: Vec<String> = families()
        .into_iter()
        .filter(|family| !documented.contains(&**family))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/operating/metrics.md does not name {missing:#?}"
    );
}

#[test]
fn alerts_use_metrics_of_kproxy() {
    let rules = read(Path::new("docs/operating/alerts.yaml"));
    let expressions: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "))
        .collect();
    assert!(expressions.len() > 8, "{expressions:?}");
    for expression in expressions {
        // Prometheus itself writes `up`, for every job.
        let is_scrape = expression.starts_with("up{job=\"kproxy\"}");
        assert!(is_scrape || !named(expression).is_empty(), "{expression}");
    }
}
