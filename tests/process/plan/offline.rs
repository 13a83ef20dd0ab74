//! Promise 6.

use std::fs;

use super::fixture::{Ran, run};

const OLD: &str = "virtualClusters:
  - name: a
    targetCluster: {bootstrapServers: \"kafka.example:9092\"}
    gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: \"localhost:9192\"}}]
  - name: b
    targetCluster: {bootstrapServers: \"kafka.example:9092\"}
    gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: \"localhost:9292\"}}]
";

/// The plan from [`OLD`] to `new`.
fn plan(new: &str, arguments: &str) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("old.yaml"), OLD).unwrap();
    fs::write(directory.path().join("new.yaml"), new).unwrap();
    let command = format!("plan -c new.yaml --offline old.yaml {arguments}");
    run(directory.path(), &command)
}

#[test]
fn two_files_are_compared_without_a_process() {
    let same = plan(&format!("# moved\n{OLD}"), "");
    assert_eq!(
        (same.code, same.out.as_str()),
        (0, "nothing to do: the file means the same as the other file\n")
    );
    let limit = OLD.replacen("  - name: a\n", "  - name: a\n    maxConnections: 7\n", 1);
    let live = plan(&limit, "");
    assert_eq!((live.code, live.err.as_str()), (3, ""));
    assert_eq!(
        live.out,
        "a reload would turn the other file into this one, and drain no connection
  clusters     0 added, 1 modified, 0 removed, 1 unchanged
  classes      1 live
  listeners    0 bound, 0 released

CLUSTER  ACTION  CLASS  CAUSE
a        modify  live   maxConnections
"
    );
    let moved = OLD.replacen("localhost:9192", "localhost:9392", 1);
    let drains = plan(&moved, "--details");
    assert_eq!(drains.code, 4, "{drains:?}");
    assert!(
        drains.out.contains(
            "
modify a
  virtualClusters[].gateways[].portIdentifiesNode.bootstrapAddress (drain: end_endpoints)
  virtualClusters[].gateways[].portIdentifiesNode.nodeStartPort (drain: end_endpoints)
  connections may be drained: the listener closes or moves
  binds localhost:9392, localhost:9393, localhost:9394, localhost:9395
  releases localhost:9192, localhost:9193, localhost:9194, localhost:9195
"
        ),
        "{}",
        drains.out
    );
}

#[test]
fn a_file_that_cannot_run_is_rejected_on_either_side() {
    let new = plan("virtualClusters: 1\n", "");
    assert_eq!(
        (new.code, new.out.as_str()),
        (2, "a reload would be rejected: 1 reason\n")
    );
    assert!(new.err.starts_with("new.yaml:1:18: error: "), "{}", new.err);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("new.yaml"), OLD).unwrap();
    fs::write(directory.path().join("old.yaml"), "virtualClusters: 1\n").unwrap();
    let old = run(directory.path(), "plan -c new.yaml --offline old.yaml --json");
    assert_eq!((old.code, old.out.as_str()), (2, ""));
    assert!(
        old.err
            .ends_with("kproxy: error: old.yaml cannot run, so there is no plan\n"),
        "{}",
        old.err
    );
}

#[test]
fn a_removal_of_too_many_is_rejected_unless_forced() {
    let alone = OLD.split("  - name: b").next().unwrap();
    let two = format!("{alone}reload: {{maxRemovedPercent: 10}}\n");
    let rejected = plan(&two, "");
    assert_eq!(rejected.code, 2);
    assert!(
        rejected.err.contains("`reload.maxRemovedPercent` (10 %)"),
        "{rejected:?}"
    );
    assert_eq!(plan(&two, "--force").code, 4);
}
