//! `kproxy stats`: exit code 0, or 1 if no process answers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::{Align, Table};
use crate::cli::{CommandExit, OfFile};
use crate::control::{DrainStats, DurationPercentiles, ProxyStats, ReloadStats};

/// Time limit for the answer, which is there at once unless something is very wrong.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// End of the text of `--help`.
const MORE: &str = "\
P99 is what 99 percent of them took at most. Reloads are those that were applied; their phases follow each other.

Exit codes:
  0  the figures are printed
  1  no kproxy answers
  2  the command line is wrong

Example:
  kproxy stats --reloads
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// Show reloads only [default: both].
    #[arg(long)]
    reloads: bool,
    /// Show drains only [default: both].
    #[arg(long)]
    drains: bool,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let target = RequestTarget::new("/stats")
            .with_flag("reloads", self.reloads)
            .with_flag("drains", self.drains);
        let shown = console
            .connect()
            .and_then(|mut client| client.get(&target, Some(ANSWER_TIMEOUT)))
            .and_then(|answer| console.show_answer(&answer, render));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}

fn render(stats: &ProxyStats) -> String {
    let reloads = stats.reloads.as_ref().map(|found| reloads(found, stats.target));
    let parts = [reloads, stats.drains.as_ref().map(drains)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn reloads(reloads: &ReloadStats, target: Duration) -> String {
    let (count, slow) = (reloads.count, reloads.slow);
    let head = match count {
        0 => return "no reload has been applied yet\n".into(),
        1 => "1 reload was applied".into(),
        _ => format!("{count} reloads were applied"),
    };
    let mut table = heading("RELOADS");
    let phases = [
        ("total", reloads.total),
        ("queued", reloads.queued),
        ("read", reloads.read),
        ("plan", reloads.plan),
        ("checks", reloads.checks),
        ("prepare", reloads.prepare),
        ("commit", reloads.commit),
        ("drained", reloads.drained),
    ];
    for (name, durations) in phases {
        table.row(row(name, durations));
    }
    format!("{head}, {slow} slower than {target:?}\n\n{}", table.render())
}

fn drains(drains: &DrainStats) -> String {
    let (sessions, forced) = (drains.sessions, drains.forced);
    let head = match drains.count {
        0 => return "no drain has ended yet\n".into(),
        1 => "1 drain has ended".into(),
        count => format!("{count} drains have ended"),
    };
    let noun = if sessions == 1 { "session" } else { "sessions" };
    let mut table = heading("DRAINS");
    table.row(row("duration", drains.duration));
    format!("{head}: {sessions} {noun}, {forced} forced\n\n{}", table.render())
}

fn heading(what: &'static str) -> Table<5> {
    Table::new([
        (what, Align::Left),
        ("P50", Align::Right),
        ("P90", Align::Right),
        ("P99", Align::Right),
        ("MAX", Align::Right),
    ])
}

fn row(name: &str, durations: DurationPercentiles) -> [String; 5] {
    let DurationPercentiles { p50, p90, p99, max } = durations;
    let [p50, p90, p99, max] = [p50, p90, p99, max].map(exact);
    [name.into(), p50, p90, p99, max]
}

/// Writes a duration with its decimals, because a phase may take microseconds.
fn exact(duration: Duration) -> String {
    match duration {
        Duration::ZERO => "0".into(),
        duration if duration < Duration::from_millis(1) => format!("{}us", duration.as_micros()),
        duration => format!("{duration:.1?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_below_each_other() {
        let stats = serde_json::json!({"capacity": 1000, "target_ms": 100.0,
            "reloads": {"count": 7, "slow": 1, "total": {"p50_ms": 12.0, "p90_ms": 80.5, "p99_ms": 130.25, "max_ms": 130.25},
                "commit": {"p50_ms": 0.05, "p90_ms": 0.06, "p99_ms": 1.0, "max_ms": 1.0}},
            "drains": {"count": 1, "sessions": 3, "forced": 0, "duration": {"p50_ms": 5000.0, "p90_ms": 5000.0,
                "p99_ms": 5000.0, "max_ms": 5000.0}}, "news": 1});
        let text = render(&serde_json::from_value(stats).unwrap());
        let expected = "\
7 reloads were applied, 1 slower than 100ms

RELOADS     P50     P90      P99      MAX
total    12.0ms  80.5ms  130.2ms  130.2ms
queued        0       0        0        0
read          0       0        0        0
plan          0       0        0        0
checks        0       0        0        0
prepare       0       0        0        0
commit     50us    60us    1.0ms    1.0ms
drained       0       0        0        0

1 drain has ended: 3 sessions, 0 forced

DRAINS     P50   P90   P99   MAX
duration  5.0s  5.0s  5.0s  5.0s
";
        assert_eq!(text, expected);
        let none = serde_json::json!({"reloads": {}, "drains": {}});
        assert_eq!(
            render(&serde_json::from_value(none).unwrap()),
            "no reload has been applied yet\n\nno drain has ended yet\n"
        );
    }
}
