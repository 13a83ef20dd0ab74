//! `kproxy status --watch`: the status again and again, with rates.

use std::fmt::Write as _;
use std::time::Duration;

use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::console::Console;
use crate::cli::table::{Align, Table, count, size, visible};
use crate::control::{ClusterRow, Overview, Rates};

/// Virtual clusters that fit on a screen.
const SHOWN: usize = 20;

/// Time limit for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Shows the overview every `interval`, until nobody reads it or the process has ended.
pub(super) fn follow(console: &Console, interval: Duration, sort: &str) -> Result<(), ClientError> {
    let target = RequestTarget::new("/overview").with("sort", Some(sort));
    let mut client = console.connect()?;
    loop {
        let answer = client.get(&target, Some(ANSWER_TIMEOUT))?;
        let overview = answer.read()?;
        if !console.show_screen(answer.json.get(), || render(&overview)) {
            return Ok(());
        }
        std::thread::sleep(interval);
    }
}

fn render(overview: &Overview) -> String {
    let totals = &overview.totals;
    let mut text = format!(
        "kproxy {}, process {}, generation {}, configuration {}\n",
        visible(&overview.version),
        overview.pid,
        overview.generation,
        if overview.config.in_sync { "in sync" } else { "NOT in sync" }
    );
    let states = totals.states.iter().map(|(state, count)| format!("{count} {}", visible(state)));
    // Writing to a string cannot fail; so for all that follow.
    writeln!(
        text,
        "{}: {}",
        count(totals.clusters, "virtual cluster"),
        states.collect::<Vec<_>>().join(", ")
    )
    .unwrap_or_default();
    writeln!(
        text,
        "{}, {} in flight, {}",
        count(totals.connections, "connection"),
        totals.in_flight,
        totals.rates.as_ref().map_or_else(|| "rates with the next look".to_owned(), rates)
    )
    .unwrap_or_default();
    for warning in overview.warnings.first.iter().take(3) {
        writeln!(text, "warning  {}", visible(warning)).unwrap_or_default();
    }
    for limit in overview.limits.first.iter().take(3) {
        writeln!(text, "limit    {}", visible(&limit.sentence())).unwrap_or_default();
    }
    text.push('\n');
    text.push_str(&clusters(overview));
    drains(overview, &mut text);
    text
}

fn rates(rates: &Rates) -> String {
    format!(
        "{:.0} requests/s, {}/s from clients, {}/s from brokers",
        rates.requests,
        bytes(rates.client_bytes),
        bytes(rates.broker_bytes)
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate of which nobody reads the last digit"
)]
fn bytes(rate: f64) -> String {
    size(rate.max(0.0) as u64)
}

fn clusters(overview: &Overview) -> String {
    let mut table = Table::new([
        ("CLUSTER", Align::Left),
        ("STATE", Align::Left),
        ("CONNECTIONS", Align::Right),
        ("IN FLIGHT", Align::Right),
        ("REQUESTS/S", Align::Right),
        ("FROM CLIENTS/S", Align::Right),
        ("FROM BROKERS/S", Align::Right),
    ]);
    for ClusterRow { status, rates } in overview.clusters.iter().take(SHOWN) {
        let rate = |of: &dyn Fn(&Rates) -> String| rates.as_ref().map(of).unwrap_or_default();
        table.row([
            status.name.clone(),
            status.state.to_string(),
            status.connections.to_string(),
            status.in_flight.to_string(),
            rate(&|rates| format!("{:.0}", rates.requests)),
            rate(&|rates| bytes(rates.client_bytes)),
            rate(&|rates| bytes(rates.broker_bytes)),
        ]);
    }
    let mut text = table.render();
    let shown = overview.clusters.len().min(SHOWN);
    if let Some(more) = overview.totals.clusters.checked_sub(shown).filter(|more| *more > 0) {
        writeln!(text, "and {}", count(more, "more virtual cluster")).unwrap_or_default();
    }
    text
}

fn drains(overview: &Overview, text: &mut String) {
    for drain in overview.drains.first.iter().take(5) {
        writeln!(
            text,
            "drain of {}: {} of {} left",
            visible(&drain.cluster),
            drain.remaining,
            count(drain.sessions, "session")
        )
        .unwrap_or_default();
    }
    if let Some(more) = overview.drains.total.checked_sub(5).filter(|more| *more > 0) {
        writeln!(text, "and {}", count(more, "more drain")).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview(clusters: usize) -> Overview {
        let rows: Vec<_> = (0..clusters.min(50))
            .map(|number| {
                serde_json::json!({"name": format!("c{number:02}"), "state": "serving", "connections": 2, "in_flight": 1,
                    "rates": {"requests": 12.6, "client_bytes": 2048.0, "broker_bytes": 0.0}})
            })
            .collect();
        serde_json::from_value(serde_json::json!({
            "version": "1.2.3", "pid": 42, "generation": 7, "config": {"in_sync": false},
            "totals": {"clusters": clusters, "states": {"draining": 1, "serving": clusters - 1}, "connections": 9,
                "in_flight": 3, "rates": {"requests": 100.0, "client_bytes": 1536.0, "broker_bytes": 1048576.0}},
            "clusters": rows,
            "drains": {"total": 1, "first": [{"cluster": "old", "sessions": 9, "remaining": 4}]},
            "warnings": {"total": 1, "first": ["virtual cluster `x`: no broker answers"]}
        }))
        .unwrap()
    }

    #[test]
    fn what_moves_is_seen_at_a_glance() {
        let expected = "\
kproxy 1.2.3, process 42, generation 7, configuration NOT in sync
2 virtual clusters: 1 draining, 1 serving
9 connections, 3 in flight, 100 requests/s, 1.5 KiB/s from clients, 1.0 MiB/s from brokers
warning  virtual cluster `x`: no broker answers

CLUSTER  STATE    CONNECTIONS  IN FLIGHT  REQUESTS/S  FROM CLIENTS/S  FROM BROKERS/S
c00      serving            2          1          13         2.0 KiB             0 B
c01      serving            2          1          13         2.0 KiB             0 B
drain of old: 4 of 9 sessions left
";
        assert_eq!(render(&overview(2)), expected);
    }

    #[test]
    fn ten_thousand_virtual_clusters_fit_on_a_screen() {
        let text = render(&overview(10_000));
        assert!(text.lines().count() < 30, "{text}");
        assert!(text.contains("and 9980 more virtual clusters\n"), "{text}");
    }
}
