//! `kproxy history`: exit code 0, or 1 if no process answers.

use std::path::PathBuf;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::{Align, Table, duration, visible};
use crate::cli::{CommandExit, OfFile};
use crate::control::{ChangeCounts, HistoryEntry};
use crate::time::rfc3339;

/// Characters of a hash that are shown.
const SHORT_HASH: usize = 12;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the history is printed, the newest entry first
  1  no kproxy answers
  2  the command line is wrong

Example:
  kproxy history 10
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// Print this many entries [default: all].
    #[arg(value_name = "N")]
    entries: Option<u64>,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let target =
            RequestTarget::new("/history").with("entries", self.entries.map(|number| number.to_string()));
        let shown = console
            .connect()
            .and_then(|mut client| client.get(&target, None))
            .and_then(|answer| console.show_answer(&answer, |entries: &Vec<HistoryEntry>| render(entries)));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}

fn render(entries: &[HistoryEntry]) -> String {
    let mut table = Table::new([
        ("GENERATION", Align::Right),
        ("TIME", Align::Left),
        ("OUTCOME", Align::Left),
        ("TRIGGER", Align::Left),
        ("BY", Align::Left),
        ("CHANGES", Align::Left),
        ("TOOK", Align::Right),
        ("HASH", Align::Left),
        ("NOTE", Align::Optional),
    ]);
    for entry in entries {
        let report = &entry.report;
        table.row([
            report.generation.to_string(),
            rfc3339(report.at),
            report.outcome.name().to_owned(),
            report.trigger.name().to_owned(),
            report.by.to_string(),
            changes(entry.counts),
            duration(report.duration.as_secs_f64()),
            entry.hash.chars().take(SHORT_HASH).collect(),
            note(entry),
        ]);
    }
    table.render()
}

/// Numbers of clusters, as `+1 ~2 -0`.
pub(super) fn changes(counts: ChangeCounts) -> String {
    let ChangeCounts {
        added,
        modified,
        removed,
    } = counts;
    format!("+{added} ~{modified} -{removed}")
}

fn note(entry: &HistoryEntry) -> String {
    if let Some(reason) = entry.report.errors.first() {
        return match entry.report.errors.len() - 1 {
            0 => visible(reason),
            more => format!("{} and {more} more", visible(reason)),
        };
    }
    match entry.report.restored_generation {
        Some(restored) => format!("configuration of generation {restored}"),
        None => String::new(),
    }
}
