//! Promise 2.

use serde_json::Value;
use testkit::running::Running;
use testkit::wait::eventually;

use super::fixture::{HEAD, run};

/// The JSON of `kproxy stats`.
#[track_caller]
fn stats(running: &Running, arguments: &str) -> Value {
    let ran = run(running, &format!("stats --json {arguments}"));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn reloads_and_drains_are_told_as_percentiles_by_phase() {
    let running = Running::with(HEAD, &["a", "b"]);
    let none = run(&running, "stats");
    assert_eq!(none.code, 0);
    assert!(
        none.out.starts_with("no reload has been applied yet\n"),
        "{}",
        none.out
    );
    let leaves = running.client(1);
    running.reload_with(running.text(&["a"]));
    running.reload_with(running.text(&["a"]));
    running.reload_with("nonsense");
    running.reload_with(running.text(&["a", "c@2"]));
    eventually("the drain is counted", || {
        stats(&running, "")["drains"]["count"] == 1
    });
    let all = stats(&running, "");
    let reloads = &all["reloads"];
    assert_eq!(reloads["count"], 2, "those that were applied: {all}");
    let of = |phase: &str, rank: &str| reloads[phase][rank].as_f64().unwrap();
    for phase in ["total", "queued", "read", "plan", "prepare", "commit", "drained"] {
        let ranks = ["p50_ms", "p90_ms", "p99_ms", "max_ms"].map(|rank| of(phase, rank));
        assert!(ranks.is_sorted(), "{phase}: {ranks:?}");
    }
    let parts: f64 = ["read", "plan", "prepare", "commit"]
        .map(|phase| of(phase, "p50_ms"))
        .iter()
        .sum();
    assert!(
        parts > 0.0 && of("total", "max_ms") >= of("commit", "max_ms"),
        "{all}"
    );
    assert!(of("drained", "max_ms") > 0.0, "{all}");
    assert_eq!(
        (&all["drains"]["sessions"], &all["drains"]["forced"]),
        (&1.into(), &0.into())
    );
    let people = run(&running, "stats").out;
    for text in [
        "2 reloads were applied, ",
        "RELOADS",
        "prepare",
        "drained",
        "1 drain has ended: 1 session, 0 forced\n",
    ] {
        assert!(people.contains(text), "{people}");
    }
    let (only_reloads, only_drains) = (stats(&running, "--reloads"), stats(&running, "--drains"));
    assert!(only_reloads.get("drains").is_none() && only_reloads.get("reloads").is_some());
    assert!(only_drains.get("reloads").is_none() && only_drains.get("drains").is_some());
    drop(leaves);
}

#[test]
fn a_reload_slower_than_its_target_is_told_once_with_its_phase_and_is_a_warning_in_force() {
    let head = HEAD.replace("watch: false", "watch: false, target: 1ms");
    let running = Running::with(&head, &["a"]);
    let names: Vec<String> = (0..18).map(|place| format!("c{place}")).collect();
    let many: Vec<&str> = names.iter().map(String::as_str).collect();
    running.reload_with(running.text(&many));
    running
        .binary
        .expect_log("a reload took longer than reload.target");
    let log = running.binary.log();
    let line = log
        .lines()
        .find(|line| line.contains("took longer than reload.target"))
        .unwrap();
    assert!(
        line.contains(" phase=") && line.contains(" target_ms=1"),
        "{line}"
    );
    running.reload_with(running.text(&["a"]));
    running.reload_with(running.text(&many));
    let log = running.binary.log();
    assert_eq!(
        log.matches("took longer than reload.target").count(),
        1,
        "no flood: {log}"
    );
    let status = run(&running, "status").out;
    assert!(
        status.contains("took longer than `reload.target` (1ms): the 99th percentile is "),
        "{status}"
    );
}
