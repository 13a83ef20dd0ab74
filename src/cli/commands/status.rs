//! `kproxy status`: exit code 0, or 1 if no process answers.

mod live;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::{CommandExit, OfFile};
use crate::cli::console::Console;
use crate::cli::table::{Align, Table, duration, visible};
use crate::control::{ConfigStatus, FenceStatus, LogLevelStatus, ProbationStatus, ProxyStatus, ReloadReport};
use crate::time::rfc3339;

/// Time limit for the answer, which is there at once unless something is very wrong.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Least time between two looks.
const LEAST_INTERVAL: Duration = Duration::from_millis(200);

/// Most drained, and most fenced, virtual clusters that are named.
const MAX_DRAINED: usize = 20;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the status is printed
  1  no kproxy answers
  2  the command line is wrong

Example:
  kproxy status --nodes
  kproxy status --watch --sort requests
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// Show the endpoint of every node as well.
    #[arg(long)]
    nodes: bool,
    /// Show the busiest virtual clusters again and again, with rates, until it is interrupted.
    #[arg(long, conflicts_with = "nodes")]
    watch: bool,
    /// Time between two looks with --watch, at least `200ms`.
    #[arg(long, value_name = "D", value_parser = crate::cli::duration, default_value = "2s", requires = "watch")]
    interval: Duration,
    /// Which virtual clusters --watch shows first: `problems`, `name`, `connections`, `in_flight`, `requests`, `bytes`.
    #[arg(long, value_name = "ORDER", default_value = "problems", requires = "watch")]
    sort: String,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        if self.watch {
            return match live::follow(console, self.interval.max(LEAST_INTERVAL), &self.sort) {
                Ok(()) => CommandExit::Fine,
                Err(error) => console.failed(&error),
            };
        }
        let shown = console
            .connect()
            .and_then(|mut client| client.get(&RequestTarget::new("/status"), Some(ANSWER_TIMEOUT)))
            .and_then(|answer| console.show_answer(&answer, |status| render(status, self.nodes)));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}

fn render(status: &ProxyStatus, with_nodes: bool) -> String {
    let mut text = format!(
        "kproxy {}, process {}, up {}, generation {}\n",
        visible(&status.version),
        status.pid,
        duration(status.uptime_seconds),
        status.generation
    );
    configuration(&status.config, &mut text);
    // Writing to a string cannot fail; so for all that follow.
    for warning in &status.warnings {
        writeln!(text, "warning        {}", visible(warning)).unwrap_or_default();
    }
    log_level(status.log.as_ref(), &mut text);
    drained(status, &mut text);
    paused(status, &mut text);
    fenced(status, &mut text);
    if let Some(probation) = &status.probation {
        text.push_str(&describe_probation(probation));
    }
    for limit in &status.limits {
        writeln!(text, "limit reached  {}", visible(&limit.sentence())).unwrap_or_default();
        writeln!(text, "               {}", visible(&limit.details())).unwrap_or_default();
    }
    text.push('\n');
    text.push_str(&clusters(status));
    if status.clusters.iter().any(|cluster| !cluster.filters.is_empty()) {
        text.push('\n');
        text.push_str(&filters(status));
        text.push_str(&denials(status));
    }
    if with_nodes {
        text.push('\n');
        text.push_str(&nodes(status));
    }
    if !status.drains.is_empty() {
        text.push('\n');
        text.push_str(&drains(status));
    }
    text
}

/// Says that the log level is not that of the configuration.
fn log_level(log: Option<&LogLevelStatus>, text: &mut String) {
    if let Some(log) = log {
        writeln!(text, "log level      {}", super::log::readable(log)).unwrap_or_default();
    }
}

/// Counts the virtual clusters that are not named.
fn more_clusters(label: &str, count: usize, text: &mut String) {
    if count > 0 {
        writeln!(text, "{label:<15}{count} more virtual clusters").unwrap_or_default();
    }
}

/// Names the virtual clusters that somebody has drained.
fn drained(status: &ProxyStatus, text: &mut String) {
    let mut all = status.clusters.iter().filter_map(|cluster| Some((&cluster.name, cluster.drained.as_ref()?)));
    for (name, drained) in all.by_ref().take(MAX_DRAINED) {
        let (name, since, by) = (visible(name), visible(&drained.since), visible(&drained.by));
        writeln!(text, "drained        {name}, since {since}, by {by}; `kproxy resume {name}` ends it").unwrap_or_default();
    }
    more_clusters("drained", all.count(), text);
}

/// Names the virtual clusters whose requests wait.
fn paused(status: &ProxyStatus, text: &mut String) {
    let mut all = status.clusters.iter().filter_map(|cluster| Some((&cluster.name, cluster.paused.as_ref()?)));
    for (name, paused) in all.by_ref().take(MAX_DRAINED) {
        let (name, by, left) = (visible(name), visible(&paused.by), paused.seconds_left.ceil());
        writeln!(text, "paused         {name}, by {by}, for {left} s more; `kproxy resume {name}` ends it").unwrap_or_default();
    }
    more_clusters("paused", all.count(), text);
}

/// Names the virtual clusters that have a fence.
fn fenced(status: &ProxyStatus, text: &mut String) {
    let mut all = status.clusters.iter().filter_map(|cluster| Some((&cluster.name, cluster.fence.as_ref()?)));
    for (name, fence) in all.by_ref().take(MAX_DRAINED) {
        writeln!(text, "fenced         {}: {}", visible(name), super::fence::describe(fence)).unwrap_or_default();
        let FenceStatus { waiting, held, answered, emptied, closed, unsettled, .. } = fence;
        writeln!(
            text,
            "               {waiting} requests wait, {held} have waited, {answered} answered, {emptied} answers emptied, \
             {closed} sessions closed; {unsettled} sessions with requests from before"
        )
        .unwrap_or_default();
    }
    more_clusters("fenced", all.count(), text);
}

fn describe_probation(probation: &ProbationStatus) -> String {
    let verdict = match &*probation.verdict {
        "watching" => format!(
            "watched for {} more, falls back to generation {}",
            duration(probation.seconds_left),
            probation.healthy_generation
        ),
        verdict => visible(verdict).replace('_', " "),
    };
    let mut text = format!("probation      generation {}: {verdict}\n", probation.generation);
    for cluster in &probation.clusters {
        let (name, figures) = (visible(&cluster.cluster), visible(&cluster.figures));
        // Writing to a string cannot fail.
        writeln!(text, "               {name}: {figures}").unwrap_or_default();
    }
    text
}

fn configuration(config: &ConfigStatus, text: &mut String) {
    let path = config
        .path
        .as_deref()
        .map_or_else(|| "without a file".into(), visible);
    let sync = if config.in_sync {
        "in sync"
    } else {
        "NOT in sync: the file differs from what runs"
    };
    writeln!(text, "configuration  {path}, {sync}").unwrap_or_default();
    if let Some(restored) = config.restored_generation {
        writeln!(text, "rolled back    to the configuration of generation {restored}").unwrap_or_default();
    }
    if !config.hash.is_empty() {
        writeln!(text, "hash           {}", visible(&config.hash)).unwrap_or_default();
    }
    if let Some(confirm) = &config.confirm {
        let (left, previous) = (duration(confirm.seconds_left), confirm.previous_generation);
        writeln!(text, "not confirmed  `kproxy confirm` within {left}, else generation {previous} comes back").unwrap_or_default();
    }
    if let Some(staged) = &config.staged {
        let (id, left) = (visible(&staged.id), duration(staged.expires_seconds));
        let by = visible(&staged.by.to_string());
        writeln!(text, "staged         {id} by {by}, waits for `kproxy approve {id}` for {left}").unwrap_or_default();
    }
    if let Some(report) = &config.last_reload {
        reload("last reload   ", report, text);
    }
    if let Some(retry) = &config.retry {
        let (left, attempts) = (duration(retry.next_attempt_seconds), retry.attempts);
        let noun = if attempts == 1 { "attempt" } else { "attempts" };
        writeln!(text, "next attempt   in {left}, after {attempts} {noun}").unwrap_or_default();
    }
    if let Some(report) = &config.last_renewal {
        reload("last renewal  ", report, text);
    }
}

fn reload(what: &str, report: &ReloadReport, text: &mut String) {
    writeln!(
        text,
        "{what} {} ({}) at {}, took {}",
        report.outcome.name(),
        report.trigger.name(),
        rfc3339(report.at),
        duration(report.duration.as_secs_f64())
    )
    .unwrap_or_default();
    for error in &report.errors {
        writeln!(text, "               {}", visible(error)).unwrap_or_default();
    }
}

fn clusters(status: &ProxyStatus) -> String {
    let mut table = Table::new([
        ("CLUSTER", Align::Left),
        ("STATE", Align::Left),
        ("GENERATION", Align::Right),
        ("CONNECTIONS", Align::Right),
        ("IN FLIGHT", Align::Right),
        ("GATEWAY", Align::Left),
        ("BOOTSTRAP", Align::Left),
        ("BOUND", Align::Left),
        ("NODES", Align::Right),
    ]);
    for cluster in &status.clusters {
        let mut own = [
            cluster.name.clone(),
            cluster.state.to_string(),
            cluster.generation.to_string(),
            cluster.connections.to_string(),
            cluster.in_flight.to_string(),
        ];
        if cluster.gateways.is_empty() {
            let [name, state, generation, connections, in_flight] = own;
            let none = String::new;
            table.row([
                name,
                state,
                generation,
                connections,
                in_flight,
                none(),
                none(),
                none(),
                none(),
            ]);
            continue;
        }
        for gateway in &cluster.gateways {
            // Only in the row of the first gateway.
            let [name, state, generation, connections, in_flight] = std::mem::take(&mut own);
            table.row([
                name,
                state,
                generation,
                connections,
                in_flight,
                gateway.name.clone(),
                gateway.bootstrap.clone(),
                gateway.bound.to_string(),
                gateway.nodes.len().to_string(),
            ]);
        }
    }
    if table.is_empty() {
        "no clusters\n".into()
    } else {
        table.render()
    }
}

/// The filters of each virtual cluster, in the order in which requests pass them.
fn filters(status: &ProxyStatus) -> String {
    let mut table = Table::new([
        ("CLUSTER", Align::Left),
        ("FILTER", Align::Left),
        ("TYPE", Align::Left),
        ("MODE", Align::Left),
    ]);
    for cluster in &status.clusters {
        for filter in &cluster.filters {
            table.row([
                cluster.name.clone(),
                filter.name.clone(),
                filter.filter_type.clone(),
                filter.mode.to_string(),
            ]);
        }
    }
    table.render()
}

/// Most names of clients that one line has.
const MAX_NAMED: usize = 8;

/// Rules that deny, one a line, with who was denied.
fn denials(status: &ProxyStatus) -> String {
    let mut text = String::new();
    for cluster in &status.clusters {
        for filter in &cluster.filters {
            let denied = if filter.mode == "shadow" { "would have denied" } else { "denied" };
            for rule in filter.rules.iter().filter(|rule| rule.decision == "deny") {
                let place = rule.line.map(|line| format!(" (line {line})")).unwrap_or_default();
                let mut line = format!(
                    "{}: {} {denied} {} times by `{}`{place}",
                    visible(&cluster.name),
                    visible(&filter.name),
                    rule.count,
                    visible(&rule.rule)
                );
                named(", client ids", &rule.client_ids, &mut line);
                named(", users", &rule.users, &mut line);
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// Appends the first of these names.
fn named(what: &str, names: &[String], line: &mut String) {
    if names.is_empty() {
        return;
    }
    let shown: Vec<_> = names.iter().take(MAX_NAMED).map(|name| visible(name)).collect();
    line.push_str(&format!("{what} {}", shown.join(", ")));
    if names.len() > MAX_NAMED {
        line.push_str(&format!(" and {} more", names.len() - MAX_NAMED));
    }
}

fn nodes(status: &ProxyStatus) -> String {
    let mut table = Table::new([
        ("CLUSTER", Align::Left),
        ("GATEWAY", Align::Left),
        ("NODE", Align::Right),
        ("ADVERTISED", Align::Left),
        ("BOUND", Align::Left),
        ("UPSTREAM", Align::Left),
    ]);
    for cluster in &status.clusters {
        for gateway in &cluster.gateways {
            for node in &gateway.nodes {
                table.row([
                    cluster.name.clone(),
                    gateway.name.clone(),
                    node.id.to_string(),
                    node.advertised.clone(),
                    node.bound.to_string(),
                    node.upstream.clone().unwrap_or_else(|| "not learned yet".into()),
                ]);
            }
        }
    }
    if table.is_empty() {
        // Where host names identify nodes, they are learned from responses to clients.
        return "no nodes are known yet\n".into();
    }
    table.render()
}

fn drains(status: &ProxyStatus) -> String {
    let mut table = Table::new([
        ("DRAINING", Align::Left),
        ("GENERATION", Align::Right),
        ("ENDED BY", Align::Right),
        ("SESSIONS LEFT", Align::Right),
        ("STRATEGY", Align::Left),
        ("SOFT DEADLINE", Align::Left),
    ]);
    for drain in &status.drains {
        let deadline = match drain.soft_deadline_seconds {
            seconds if seconds > 0.0 => format!("in {}", duration(seconds)),
            _ => "passed".into(),
        };
        table.row([
            drain.cluster.clone(),
            drain.sessions_generation.to_string(),
            drain.generation.to_string(),
            drain.remaining.to_string(),
            drain.strategy.to_string(),
            deadline,
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_seen_at_a_glance() {
        let status = serde_json::json!({
            "version": "1.2.3", "pid": 42, "uptime_seconds": 3723.0, "generation": 7,
            "config": {"path": "/etc/proxy.yaml", "hash": "ab12", "in_sync": false, "last_reload":
                {"outcome": "rejected", "trigger": "watch", "at": "2026-11-21T06:55:09.123Z", "duration_ms": 12.5,
                 "errors": ["proxy.yaml:3:5: error: no"]},
                "retry": {"attempts": 3, "next_attempt_seconds": 7.0},
                "last_renewal": {"outcome": "applied", "trigger": "watch", "at": "2026-11-21T06:56:09.123Z",
                 "duration_ms": 2.5, "errors": []}},
            "clusters": [
                {"name": "orders", "state": "serving", "generation": 3, "connections": 12, "in_flight": 3, "gateways": [
                    {"name": "plain", "bootstrap": "localhost:9192", "bound": "127.0.0.1:9192",
                     "nodes": [{"id": 1, "bound": "127.0.0.1:9194", "advertised": "localhost:9194", "upstream": null}]},
                    {"name": "public", "bootstrap": "k:9443", "bound": "[::]:9443", "nodes": []}]},
                {"name": "broken", "state": "failed", "generation": 2,
                 "drained": {"since": "2026-11-21T06:55:09.123Z", "by": "user 0"}}],
            "drains": [{"cluster": "old", "generation": 6, "sessions_generation": 2, "remaining": 4, "strategy": "graceful",
                "soft_deadline_seconds": 21.0}],
            "warnings": ["virtual cluster `orders`: no broker answers"],
            "limits": [{"limit": "cluster_connections", "virtual_cluster": "orders", "since": "2026-11-21T06:55:09.123Z",
                "affected": 7, "counted": "connections that waited", "usage": "12 of 12 connections in use",
                "meaning": "further clients wait", "advice": "raise it"}]
        });
        let text = render(&serde_json::from_value(status).unwrap(), true);
        let expected = "\
kproxy 1.2.3, process 42, up 1h2m, generation 7
configuration  /etc/proxy.yaml, NOT in sync: the file differs from what runs
hash           ab12
last reload    rejected (watch) at 2026-11-21T06:55:09.123Z, took 12ms
               proxy.yaml:3:5: error: no
next attempt   in 7.0s, after 3 attempts
last renewal   applied (watch) at 2026-11-21T06:56:09.123Z, took 2ms
warning        virtual cluster `orders`: no broker answers
drained        broken, since 2026-11-21T06:55:09.123Z, by user 0; `kproxy resume broken` ends it
limit reached  cluster_connections of \"orders\": further clients wait (12 of 12 connections in use)
               since 2026-11-21T06:55:09.123Z, connections that waited: 7; raise it

CLUSTER  STATE    GENERATION  CONNECTIONS  IN FLIGHT  GATEWAY  BOOTSTRAP       BOUND           NODES
orders   serving           3           12          3  plain    localhost:9192  127.0.0.1:9192      1
                                                      public   k:9443          [::]:9443           0
broken   failed            2            0          0

CLUSTER  GATEWAY  NODE  ADVERTISED      BOUND           UPSTREAM
orders   plain       1  localhost:9194  127.0.0.1:9194  not learned yet

DRAINING  GENERATION  ENDED BY  SESSIONS LEFT  STRATEGY  SOFT DEADLINE
old                2         6              4  graceful  in 21s
";
        assert_eq!(text, expected);
    }
    #[test]
    fn rules_that_deny_are_named_with_who_was_denied() {
        let names: Vec<String> = (0..10).map(|number| format!("app-{number}")).collect();
        let status = serde_json::json!({
            "clusters": [{"name": "shop", "filters": [{
                "name": "rights", "type": "Authorization", "mode": "shadow", "rules": [
                    {"rule": "allow User with name * to READ Topic with name *;", "line": 2, "decision": "allow", "count": 9},
                    {"rule": "deny User with name \"eve\" to * Topic with name *;", "line": 1, "decision": "deny", "count": 3,
                     "users": ["eve"]},
                    {"rule": "otherwise deny;", "decision": "deny", "count": 40, "client_ids": names},
                ]}]}]
        });
        let text = render(&serde_json::from_value(status).unwrap(), false);
        let expected = "
CLUSTER  FILTER  TYPE           MODE
shop     rights  Authorization  shadow

shop: rights would have denied 3 times by `deny User with name \"eve\" to * Topic with name *;` (line 1), users eve
shop: rights would have denied 40 times by `otherwise deny;`, client ids app-0, app-1, app-2, app-3, app-4, app-5, app-6, app-7 and 2 more
";
        assert!(text.ends_with(expected), "{text}");
    }
}
