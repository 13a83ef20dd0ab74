//! `kproxy bench`: what a reload of the running configuration costs.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::admin::RequestTarget;
use crate::admin::client::{Client, ClientError};
use crate::cli::console::Console;
use crate::cli::table::{Align, Table, count};
use crate::cli::{CommandExit, OfFile};
use crate::control::Rehearsal;

/// Longest time that is spent on one kind of reload.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Time limit for one run.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// End of the text of `--help` of all benchmarks together.
const CODES: &str = "\
Exit codes:
  0  the figures are printed
  1  something cannot be prepared, or no kproxy answers
  2  the command line is wrong
";

/// End of the text of `--help`.
const MORE: &str = "\
A reload without a change reads the files and compares; one of a virtual cluster reads and decodes them, plans, and builds the
virtual cluster with another target. Both stop before anything is exchanged: no session notices, the generation stays, and no
reload is counted. A run takes the control thread as long as it lasts; real reloads come in between.

Exit codes:
  0  the figures are printed
  1  a reload cannot be prepared, or no kproxy answers
  2  the command line is wrong

Example:
  kproxy bench reload --count 100
";

#[derive(Debug, Args)]
#[command(after_help = CODES)]
pub struct Arguments {
    #[command(subcommand)]
    what: Benchmark,
}

/// What is measured.
#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Measure reloads of the running configuration without touching it.
    Reload(ReloadBenchmark),
}

#[derive(Debug, Args)]
#[command(after_help = MORE)]
struct ReloadBenchmark {
    #[command(flatten)]
    of_file: OfFile,
    /// Number of runs of each kind; fewer if they take longer than a minute.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
}

/// Percentiles of a phase, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Percentiles {
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// The phases of one kind of reload.
#[derive(Debug, Serialize)]
struct Measured {
    runs: usize,
    read: Percentiles,
    plan: Percentiles,
    prepare: Percentiles,
    total: Percentiles,
}

/// The figures, in JSON.
#[derive(Debug, Serialize)]
struct ReloadFigures {
    generation: u64,
    clusters: usize,
    unchanged: Measured,
    one_cluster: Measured,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        let Benchmark::Reload(reload) = &self.what;
        reload.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let Benchmark::Reload(reload) = self.what;
        match measure(console, reload.count) {
            Ok(figures) => {
                console.show(&figures, || readable(&figures));
                CommandExit::Fine
            }
            Err(error) => console.failed(&error),
        }
    }
}

fn measure(console: &Console, count: u32) -> Result<ReloadFigures, ClientError> {
    let mut client = console.connect()?;
    let unchanged = rehearse(&mut client, count, false)?;
    let changed = rehearse(&mut client, count, true)?;
    let last = changed.last().cloned().unwrap_or_default();
    Ok(ReloadFigures {
        generation: last.generation,
        clusters: last.clusters,
        unchanged: Measured::of(&unchanged),
        one_cluster: Measured::of(&changed),
    })
}

fn rehearse(client: &mut Client, count: u32, change: bool) -> Result<Vec<Rehearsal>, ClientError> {
    let target = RequestTarget::new("/bench/reload").with_flag("change", change);
    let (began, mut runs) = (Instant::now(), Vec::new());
    for _ in 0..count {
        runs.push(client.post(&target, Some(ANSWER_TIMEOUT))?.read()?);
        if began.elapsed() > TIME_LIMIT {
            break;
        }
    }
    Ok(runs)
}

impl Measured {
    fn of(runs: &[Rehearsal]) -> Self {
        let phase = |of: fn(&Rehearsal) -> Duration| Percentiles::of(runs.iter().map(of).collect());
        Self {
            runs: runs.len(),
            read: phase(|run| run.phases.read),
            plan: phase(|run| run.phases.plan),
            prepare: phase(|run| run.phases.prepare),
            total: phase(|run| run.phases.read + run.phases.plan + run.phases.prepare),
        }
    }
}

impl Percentiles {
    /// The percentiles by nearest rank.
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            let rank = (durations.len() * percent).div_ceil(100).max(1) - 1;
            durations.get(rank).map_or(0.0, |duration| crate::time::millis(*duration))
        };
        Self {
            p50_ms: at(50),
            p90_ms: at(90),
            p99_ms: at(99),
            max_ms: at(100),
        }
    }
}

fn readable(figures: &ReloadFigures) -> String {
    let mut table = Table::new([
        ("RELOAD", Align::Left),
        ("PHASE", Align::Left),
        ("P50", Align::Right),
        ("P90", Align::Right),
        ("P99", Align::Right),
        ("MAX", Align::Right),
    ]);
    for (name, measured) in [("without a change", &figures.unchanged), ("one virtual cluster", &figures.one_cluster)] {
        let phases = [
            ("read", measured.read),
            ("plan", measured.plan),
            ("prepare", measured.prepare),
            ("total", measured.total),
        ];
        for (index, (phase, found)) in phases.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let cells = [found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms];
            let [p50, p90, p99, max] = cells.map(|ms| format!("{ms:.2}ms"));
            table.row([name.to_owned(), phase.to_owned(), p50, p90, p99, max]);
        }
    }
    let mut text = format!(
        "generation {}, {}; nothing was changed\n\n{}",
        figures.generation,
        count(figures.clusters, "virtual cluster"),
        table.render()
    );
    let runs = |measured: &Measured| count(measured.runs, "run");
    // Writing to a string cannot fail.
    writeln!(text, "\n{} without a change, {} of one virtual cluster", runs(&figures.unchanged), runs(&figures.one_cluster))
        .unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let durations = (1..=20).rev().map(Duration::from_millis).collect();
        let expected = Percentiles { p50_ms: 10.0, p90_ms: 18.0, p99_ms: 20.0, max_ms: 20.0 };
        assert_eq!(Percentiles::of(durations), expected);
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }

    #[test]
    fn the_figures_are_a_table() {
        let run = Rehearsal::default();
        let figures = ReloadFigures {
            generation: 3,
            clusters: 2,
            unchanged: Measured::of(std::slice::from_ref(&run)),
            one_cluster: Measured::of(&[run.clone(), run]),
        };
        let text = readable(&figures);
        assert!(text.starts_with("generation 3, 2 virtual clusters; nothing was changed\n\nRELOAD "), "{text}");
        assert!(text.contains("\none virtual cluster  read     0.00ms"), "{text}");
        assert!(text.ends_with("\n1 run without a change, 2 runs of one virtual cluster\n"), "{text}");
    }
}
