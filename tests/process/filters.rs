//! What the process promises of filters.
//!
//! 1. A saved file changes the filters under live connections; `plan` names the keys, `status` and metrics show them.
//! 2. A file whose filters are wrong is rejected with position, and the filters that run go on.

use serde_json::{Value, json};
use testkit::command;
use testkit::running::{Running, ask};

const HEAD: &str = "control: {socket: s}\nreload: {watch: false}\n";

/// Runs a command beside the process and returns its exit code and what it prints.
fn run(running: &Running, arguments: &str) -> (i32, String) {
    command::run(running.directory.path(), arguments).told()
}

fn filters(running: &Running) -> Value {
    let (_, status) = run(running, "status --json");
    let status: Value = serde_json::from_str(&status).unwrap();
    status["clusters"][0]["filters"].clone()
}

/// The file of cluster `a` with this filter for every cluster.
fn with(running: &Running, config: &str) -> String {
    let filter = format!("{{name: age, type: ConnectionExpiration, config: {config}}}");
    format!(
        "filterDefinitions: [{filter}]\ndefaultFilters: [age]\n{}",
        running.text(&["a"])
    )
}

#[test]
fn a_saved_file_changes_the_filters_under_live_connections() {
    let running = Running::with(HEAD, &["a"]);
    let mut client = running.client(0);
    let connections = running.broker.connections();
    assert_eq!(filters(&running), Value::Null);
    running.write(with(&running, "{maxAge: 1h}"));
    let (code, plan) = run(&running, "plan -c proxy.yaml");
    assert_eq!(code, 3, "{plan}");
    assert!(plan.contains("filters"), "{plan}");
    assert_eq!(running.reload().outcome, "applied");
    assert_eq!(
        filters(&running),
        json!([{"name": "age", "type": "ConnectionExpiration", "mode": "enforce"}])
    );
    let (_, status) = run(&running, "status");
    let row: Vec<&str> = status
        .lines()
        .skip_while(|line| !line.contains("FILTER"))
        .nth(1)
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(row, ["a", "age", "ConnectionExpiration", "enforce"]);
    ask(&mut client);
    running.write(with(&running, "{maxAge: 2h, jitter: 1m}"));
    let (code, plan) = run(&running, "plan -c proxy.yaml --json");
    assert_eq!(code, 3, "{plan}");
    for key in ["maxAge", "jitter"] {
        let path = format!("filterDefinitions[].config(ConnectionExpiration).{key}");
        assert!(plan.contains(&path), "{plan}");
    }
    assert_eq!(running.reload().outcome, "applied");
    ask(&mut client);
    assert_eq!(running.reload_with(running.text(&["a"])).outcome, "applied");
    assert_eq!(filters(&running), Value::Null);
    ask(&mut client);
    assert_eq!(running.broker.connections(), connections);
}

#[test]
fn a_file_with_wrong_filters_is_rejected_and_those_that_run_go_on() {
    let running = Running::with(HEAD, &["a"]);
    assert_eq!(
        running.reload_with(with(&running, "{maxAge: 1h}")).outcome,
        "applied"
    );
    let before = filters(&running);
    for (config, said) in [
        (
            "{maxAge: 0s}",
            "proxy.yaml:1:78: error: `maxAge` must not be zero",
        ),
        (
            "{maxage: 1h}",
            "proxy.yaml:1:70: error: unknown key `maxage`, did you mean `maxAge`?",
        ),
    ] {
        running.write(with(&running, config));
        let (code, text) = run(&running, "check -c proxy.yaml");
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(said), "{text}");
        let rejected = running.reload();
        assert_eq!(rejected.outcome, "rejected");
        assert!(rejected.log.contains("maxAge"), "{}", rejected.log);
        assert_eq!(filters(&running), before);
    }
}
