//! What a load promises that reads only what changed.
//!
//! 1. It finds what a load of the whole file finds: the same model or violations, warnings, files and digests, whatever is
//!    edited.
//! 2. Models of one loader share the clusters that are the same.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use kproxy::model::{self, Loaded, Loader};
use proptest::prelude::*;

/// Everything that a reload looks at.
fn facts(loaded: &Loaded) -> impl PartialEq + std::fmt::Debug {
    let warnings = |at| {
        loaded
            .warnings
            .at(at)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    (
        loaded.model.clone(),
        loaded.no_clusters.clone(),
        loaded.emptied,
        [warnings(0), warnings(i64::MAX / 2)],
        loaded.sources.clone(),
        loaded.sources.digest().to_string(),
    )
}

/// Loads `text` with `loader` and as a whole.
fn loads_alike(loader: &mut Loader, path: &Path, text: &str) -> Result<Loaded, TestCaseError> {
    fs::write(path, text).unwrap();
    let (loaded, whole) = (loader.load_all(path), model::load_all(path));
    prop_assert_eq!(facts(&loaded), facts(&whole), "{}", text);
    Ok(loaded)
}

/// Ports are few, so that clusters get into each other's way; some targets are kproxy itself, or have two addresses.
fn any_item() -> impl Strategy<Value = String> {
    let target = prop_oneof![
        3 => Just("targetCluster: {bootstrapServers: 'b:9092'}"),
        1 => Just("targetCluster:\n      bootstrapServers: localhost:9010"),
        1 => Just("target: {cluster: shared}"),
        1 => Just("target: {cluster: unknown}"),
    ];
    let gateway = prop_oneof![
        4 => Just("bindAddress: 127.0.0.2"),
        1 => Just("bindAddress: 0.0.0.0"),
        1 => Just("# nothing"),
    ];
    ("[a-f]{1,2}", target, gateway, 0u16..12, 0usize..3).prop_map(|(name, target, gateway, port, nodes)| {
        format!(
            "  - name: {name}\n    {target}\n    gateways:\n      - name: g\n        {gateway}\n        \
             portIdentifiesNode:\n          bootstrapAddress: localhost:{}\n          nodeIdRanges:\n            - \
             {{name: r, start: 0, end: {nodes}}}\n",
            9000 + port * 4
        )
    })
}

/// One edit: of items, or of lines.
#[derive(Debug, Clone)]
enum Edit {
    Replace(prop::sample::Index, String),
    Insert(prop::sample::Index, String),
    Remove(prop::sample::Index),
    RemoveLine(prop::sample::Index),
    Line(prop::sample::Index, &'static str),
    Undo,
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let index = || any::<prop::sample::Index>();
    let line = prop::sample::select(vec![
        "    maxConnections: 3",
        "    logNetwork: true",
        "  # a remark",
        "",
        "drain: {timeout: 2s}",
        "    maxConections: 3",
        "    x: &a b",
        "  - name: lone",
        "      - name: h",
    ]);
    prop_oneof![
        4 => (index(), any_item()).prop_map(|(at, item)| Edit::Replace(at, item)),
        2 => (index(), any_item()).prop_map(|(at, item)| Edit::Insert(at, item)),
        2 => index().prop_map(Edit::Remove),
        1 => index().prop_map(Edit::RemoveLine),
        4 => (index(), line).prop_map(|(at, line)| Edit::Line(at, line)),
        3 => Just(Edit::Undo),
    ]
}

fn edited(text: &str, first: &str, edit: &Edit) -> String {
    // Items with what follows them.
    let mut items: Vec<String> = text.split_inclusive("\n  - name: ").map(str::to_owned).collect();
    let mut lines: Vec<&str> = text.lines().collect();
    match edit {
        Edit::Undo => return first.to_owned(),
        Edit::RemoveLine(at) if !lines.is_empty() => {
            lines.remove(at.index(lines.len()));
        }
        Edit::Line(at, line) => lines.insert(at.index(lines.len() + 1), line),
        Edit::Replace(at, item) | Edit::Insert(at, item) => {
            let at = at.index(items.len());
            let item = item.strip_prefix("  - name: ").unwrap().trim_end();
            let item = format!("{item}\n  - name: ");
            if at > 0 && matches!(edit, Edit::Replace(..)) && at + 1 < items.len() {
                items[at] = item;
            } else if at > 0 {
                items.insert(at, item);
            }
            return items.concat();
        }
        Edit::Remove(at) if items.len() > 3 => {
            items.remove(1 + at.index(items.len() - 2));
            return items.concat();
        }
        Edit::Remove(_) | Edit::RemoveLine(_) => {}
    }
    lines.join("\n") + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Promise 1.
    #[test]
    fn a_loader_finds_what_a_load_of_the_whole_file_finds(
        items in prop::collection::vec(any_item(), 1..8),
        tail in prop::sample::select(vec!["", "logging: {level: info}\n", "# the end"]),
        edits in prop::collection::vec(any_edit(), 1..12),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("proxy.yaml");
        let head = "management: {port: 9020}\nclusterDefinitions:\n  - {name: shared, bootstrapServers: 's:9092'}\n";
        let first = format!("{head}virtualClusters:\n{}{tail}", items.concat());
        let (mut loader, mut text) = (Loader::default(), first.clone());
        loads_alike(&mut loader, &path, &text)?;
        for edit in &edits {
            text = edited(&text, &first, edit);
            loads_alike(&mut loader, &path, &text)?;
        }
    }
}

fn clusters(range: std::ops::Range<u16>) -> String {
    let item = |n: u16| {
        format!(
            "  - name: c{n}\n    targetCluster:\n      bootstrapServers: b{n}:9092\n    gateways:\n      - name: g\n        \
             portIdentifiesNode:\n          bootstrapAddress: localhost:{}\n",
            9000 + 10 * n
        )
    };
    range.map(item).collect()
}

/// Promise 2, through edits that need not be read as a whole and one that must be.
#[test]
fn models_share_what_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proxy.yaml");
    let text = format!("virtualClusters:\n{}", clusters(0..20));
    let mut loader = Loader::default();
    let mut before = loads_alike(&mut loader, &path, &text).unwrap().model.unwrap();
    for new in [
        text.replace("b7:", "other:"),
        text.replace("b7:", "another:"),
        text.replace("b7:", "another:")
            .replace("localhost:9030", "localhost:9500"),
        text.replace("virtualClusters", "drain: {timeout: 7s}\nvirtualClusters"),
        format!("{text}{}", clusters(20..22)),
        format!("virtualClusters:\n{}{}", clusters(0..5), clusters(7..20)),
    ] {
        let after = loads_alike(&mut loader, &path, &new).unwrap().model.unwrap();
        for (name, cluster) in &after.clusters {
            let same = before.clusters.get(name).filter(|before| *before == cluster);
            assert!(same.is_none_or(|same| Arc::ptr_eq(same, cluster)), "{name}");
        }
        before = after;
    }
}
