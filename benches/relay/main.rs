//! `cargo bench --bench relay`: what a proxy costs, beside nothing, a blind relay and HAProxy in the same run.
//!
//! Client, stub broker and contender share one CPU, so the total work per message is exposed and waking another
//! CPU hides nothing; `--separate` gives the contender a CPU of its own. Every cell is measured in rounds, the
//! contenders in random order within each round, and compared round by round.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod cells;
#[path = "../common/mod.rs"]
mod common;
mod goals;
mod report;
mod run;
mod syscalls;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use common::contender::Kind;

/// Throughput, latency, CPU time and system calls of kproxy beside a blind relay and HAProxy.
#[derive(Debug, Parser)]
struct Options {
    /// A few cells and short windows: for work in progress, not for figures to publish
    #[arg(long)]
    quick: bool,
    /// Only cells whose name contains one of these, separated by '|'
    #[arg(long, value_name = "NAMES")]
    cell: Option<String>,
    /// Rounds per cell
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Length of a measured window in milliseconds
    #[arg(long, value_name = "MS")]
    window: Option<u64>,
    /// The contender alone on CPU 1; client and broker stay on CPU 0
    #[arg(long)]
    separate: bool,
    /// Threads of HAProxy and kproxy
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Contenders to leave out, separated by commas
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Another build of kproxy to measure beside this one
    #[arg(long, value_name = "PROGRAM")]
    other: Option<PathBuf>,
    /// List the cells and end
    #[arg(long)]
    list: bool,
    /// Set once this process was moved to its CPU
    #[arg(long, hide = true)]
    pinned: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn leaves_out(&self, kind: Kind) -> bool {
        self.without.iter().any(|name| name == kind.name()) || (kind == Kind::Other && self.other.is_none())
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(5)
    }

    fn window(&self) -> Duration {
        Duration::from_millis(self.window.unwrap_or(if self.quick { 150 } else { 350 }))
    }

    fn cells(&self) -> Vec<cells::Cell> {
        let wanted = |cell: &cells::Cell| {
            let name = cell.name();
            self.cell
                .as_ref()
                .is_none_or(|parts| parts.split('|').any(|part| name.contains(part)))
        };
        // A cell asked for by name is measured whether it is part of the quick run or not.
        let all = cells::all()
            .into_iter()
            .filter(|cell| !self.quick || self.cell.is_some() || cell.quick);
        all.filter(wanted).collect()
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if common::played_role()? {
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::parse();
    let cells = options.cells();
    if options.list {
        for cell in &cells {
            println!("{}", cell.name());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !options.pinned
        && let Some(code) = common::process::again_on_first_cpu()?
    {
        return Ok(code);
    }
    let results = common::process::run_local(run::run(&options, &cells))??;
    goals::print(&results);
    Ok(ExitCode::SUCCESS)
}
