//! Point 8: a configuration in several files.

use std::fs;
use std::path::{Path, PathBuf};

use kproxy::config::Sources;
use kproxy::model::{self, ProxyModel};
use tempfile::TempDir;

use super::{SMALLEST, loads, text};

/// Files in a directory of their own, the first of them the main one.
struct Files {
    directory: TempDir,
}

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        let written = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        files.iter().for_each(|(name, text)| written.write(name, text));
        written
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn model(&self) -> ProxyModel {
        model::load(&self.path("proxy.yaml")).unwrap_or_else(|diagnostics| panic!("{}", text(&diagnostics)))
    }

    /// The violations, with paths relative to the directory.
    fn errors(&self) -> Vec<String> {
        let diagnostics = model::load(&self.path("proxy.yaml")).expect_err("accepted");
        let prefix = format!("{}/", self.directory.path().display());
        text(&diagnostics)
            .replace(&prefix, "")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// The names of the files that are read.
    fn read(&self) -> Vec<String> {
        let sources = Sources::read(&self.path("proxy.yaml"));
        let relative = |path: &Path| {
            path.strip_prefix(self.directory.path())
                .unwrap()
                .display()
                .to_string()
        };
        sources.files().map(relative).collect()
    }
}

const INCLUDING: &str = "reload: {include: ['clusters.d/*.yaml']}\n";

/// A cluster with a gateway at a port, and nodes behind it.
fn cluster(name: &str, target: &str, port: u16) -> String {
    format!(
        "virtualClusters:\n  - name: {name}\n    {target}\n    gateways:\n      - name: g\n        \
         portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}'}}\n"
    )
}

const INLINE: &str = "targetCluster: {bootstrapServers: 'k:1'}";

/// References lead from any file to any other, and how a configuration is spread over files means nothing.
#[test]
fn several_files_mean_what_one_would() {
    let definitions = "clusterDefinitions: [{name: prod, bootstrapServers: 'k:1'}]\n";
    let files = Files::of(&[
        (
            "proxy.yaml",
            &format!("{INCLUDING}{}", cluster("a", "target: {cluster: prod}", 1000)),
        ),
        (
            "clusters.d/10.yaml",
            &cluster("b", "target: {cluster: prod}", 2000),
        ),
        (
            "clusters.d/20.yaml",
            &format!("{definitions}{}", cluster("c", INLINE, 3000)),
        ),
        ("clusters.d/.hidden.yaml", "of an editor: {"),
        ("clusters.d/readme.txt", "{"),
        ("clusters.d/below/30.yaml", "{"),
    ]);
    let one = [("a", 1000), ("b", 2000), ("c", 3000)]
        .map(|(name, port)| cluster(name, INLINE, port).replace("virtualClusters:\n", ""))
        .concat();
    assert_eq!(files.model(), loads(format!("virtualClusters:\n{one}")));
    assert_eq!(
        files.read(),
        ["proxy.yaml", "clusters.d/10.yaml", "clusters.d/20.yaml"]
    );
}

#[test]
fn every_violation_names_its_own_file() {
    let files = Files::of(&[
        (
            "proxy.yaml",
            &format!("{INCLUDING}{}", cluster("a", INLINE, 1000)),
        ),
        (
            "clusters.d/1.yaml",
            &cluster("A", "target: {cluster: prdo}", 1001),
        ),
        (
            "clusters.d/2.yaml",
            "logging: {level: debug}\nclusterDefinitions: [{name: prod, bootstrapServers: k}]\nfoo: 1\n",
        ),
        ("clusters.d/3.yaml", ""),
        ("clusters.d/4.yaml", "virtualClusters: [\n"),
        (
            "clusters.d/5.yaml",
            "clusterDefinitions: [{name: x, bootstrapServers: 'k:1'}]\n",
        ),
        (
            "clusters.d/6.yaml",
            "clusterDefinitions:\n  - {name: x, bootstrapServers: 'k:1'}\n",
        ),
    ]);
    assert_eq!(
        files.errors(),
        [
            "clusters.d/1.yaml:2:11: error: virtual cluster `A` already defined on line 3 of proxy.yaml",
            "clusters.d/1.yaml:6:48: error: port 1001 on 127.0.0.1 is already a node port of gateway `g` of virtual \
             cluster `a` (line 7 of proxy.yaml)",
            "clusters.d/2.yaml:1:1: error: `logging` belongs in the main file; an included file has only \
             `clusterDefinitions` and `virtualClusters`",
            "clusters.d/2.yaml:2:53: error: expected `host:port`, found `k` without a port",
            "clusters.d/2.yaml:3:1: error: unknown key `foo`, valid names are `clusterDefinitions`, `virtualClusters`",
            "clusters.d/3.yaml:1:1: error: the file is empty; it needs `clusterDefinitions` or `virtualClusters`",
            "clusters.d/4.yaml:1:18: error: `[` is never closed",
            "clusters.d/6.yaml:2:12: error: cluster definition `x` already defined on line 1 of clusters.d/5.yaml",
        ]
    );
}

/// What matches nothing is fine, what is named and missing is not; the main file is never its own part.
#[test]
fn patterns_and_names() {
    let files = Files::of(&[("proxy.yaml", "")]);
    let including = |items: &str| {
        files.write(
            "proxy.yaml",
            &format!("reload: {{include: [{items}]}}\n{SMALLEST}"),
        );
    };
    let alone = loads(SMALLEST);
    for nothing in [
        "",
        "'*.yaml'",
        "proxy.yaml",
        "./proxy.yaml",
        "'none/*'",
        "'?.yaml'",
        "'**/*.yaml'",
    ] {
        including(nothing);
        assert_eq!(files.model(), alone, "{nothing}");
    }
    for (item, why) in [
        (
            "missing.yaml",
            "`missing.yaml`: cannot read the file: No such file or directory",
        ),
        ("'.'", "this is a directory, not a file"),
        (
            "'a**'",
            "not a pattern: recursive wildcards must form a single path component",
        ),
    ] {
        including(item);
        let errors = files.errors();
        assert!(
            errors.len() == 1 && errors[0].starts_with("proxy.yaml:1:20: error: "),
            "{errors:?}"
        );
        assert!(errors[0].ends_with(why), "{errors:?}");
    }
    // The same file by two ways.
    files.write("more/x.yaml", &cluster("x", INLINE, 5000));
    std::os::unix::fs::symlink("x.yaml", files.path("more/y.yaml")).unwrap();
    including("more/x.yaml, 'm*/[xy].yaml', './more/x.yaml'");
    assert_eq!(files.model().clusters.len(), 2);
    including(&files.path("more/x.yaml").display().to_string());
    assert_eq!(files.model().clusters.len(), 2);
}

#[test]
fn a_directory_may_hold_all_clusters_or_none() {
    let files = Files::of(&[
        ("proxy.yaml", INCLUDING),
        ("clusters.d/a.yaml", &cluster("a", INLINE, 1000)),
    ]);
    assert_eq!(files.model().clusters.len(), 1);
    files.write("clusters.d/a.yaml", "virtualClusters: []\n");
    let none = "proxy.yaml:1:19: error: no file has `virtualClusters`, at least one is needed";
    assert_eq!(files.errors(), [none]);
    let loaded = model::load_all(&files.path("proxy.yaml"));
    assert!(loaded.model.unwrap().clusters.is_empty() && loaded.no_clusters.is_some());
    // A file that is being written again is no reason to remove what it held.
    files.write("clusters.d/a.yaml", "");
    let loaded = model::load_all(&files.path("proxy.yaml"));
    assert!(loaded.model.is_err() && loaded.no_clusters.is_none());
}

#[test]
fn files_that_come_and_go_are_noticed() {
    let files = Files::of(&[
        (
            "proxy.yaml",
            &format!("reload: {{include: ['clusters.d/*.yaml', 'by-team/*/c*.yaml']}}\n{SMALLEST}"),
        ),
        ("by-team/red/c.yaml", &cluster("red", INLINE, 1000)),
    ]);
    let before = Sources::read(&files.path("proxy.yaml"));
    let directories = ["by-team", "by-team/red", "clusters.d"].map(|name| files.path(name));
    assert_eq!(before.directories(), directories);
    assert!(before.is_current());
    files.write("by-team/red/other.yaml", "{");
    assert!(before.is_current(), "matches no pattern");
    for (name, port) in [("clusters.d/new.yaml", 2000), ("by-team/blue/c1.yaml", 3000)] {
        files.write(name, &cluster("new", INLINE, port));
        let now = Sources::read(&files.path("proxy.yaml"));
        assert!(!before.is_current() && now.is_current(), "{name}");
        assert_ne!(before.digest(), now.digest(), "{name}");
        fs::remove_file(files.path(name)).unwrap();
        assert!(before.is_current() && !now.is_current(), "{name} and back");
    }
    files.write("by-team/red/c.yaml", &cluster("red", INLINE, 1001));
    assert!(!before.is_current());
}

/// A directory's own special characters are no wildcards.
#[test]
fn patterns_are_relative_to_the_main_file_whatever_its_directory_is_called() {
    let files = Files::of(&[
        ("odd [a]*?/proxy.yaml", &format!("{INCLUDING}{SMALLEST}")),
        ("odd [a]*?/clusters.d/a.yaml", &cluster("a", INLINE, 1000)),
        ("odd a/clusters.d/b.yaml", "{"),
    ]);
    let model = model::load(&files.path("odd [a]*?/proxy.yaml")).unwrap();
    assert_eq!(model.clusters.len(), 2);
}

#[test]
fn parsing_alone_reads_no_other_file() {
    let yaml = format!("reload: {{include: ['*.yaml']}}\n{SMALLEST}");
    let why =
        "f.yaml:1:20: error: `*.yaml`: cannot read the file: only the text of the configuration is known\n";
    assert_eq!(super::errors(yaml), why);
    assert_eq!(
        loads(format!("reload: {{include: []}}\n{SMALLEST}")),
        loads(SMALLEST)
    );
}
