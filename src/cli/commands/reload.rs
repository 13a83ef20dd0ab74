//! `kproxy reload`: exit code 0 if the file runs, 2 if it is rejected, 1 otherwise.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::CommandExit;
use crate::cli::console::Console;
use crate::cli::table::{duration, visible};
use crate::control::ReloadReport;
use crate::reload::Outcome;

/// Most names in one line; the others are only counted.
const MAX_NAMED: usize = 20;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the file runs, or nothing in it has changed
  1  the reload failed or was rolled back, or no kproxy answers
  2  the file is rejected, or the command line is wrong

Example:
  kproxy reload --wait
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// Load this file once [default: the file that the process was started with].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Apply the file even if it removes most or all virtual clusters.
    #[arg(long)]
    force: bool,
    /// Wait until no drain has sessions left.
    #[arg(long)]
    wait: bool,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        match self.reload(console) {
            Ok(exit) => exit,
            Err(error) => console.failed(&error),
        }
    }

    fn reload(self, console: &Console) -> Result<CommandExit, ClientError> {
        let wait = self.wait;
        // The process may have another current directory.
        let target = match self.config.map(std::path::absolute).transpose() {
            Ok(file) => RequestTarget::new("/reload")
                .with("file", file)
                .with_flag("force", self.force),
            Err(error) => {
                console.print_error(&error);
                return Ok(CommandExit::Failed);
            }
        };
        ask(console, &target, wait)
    }
}

/// Asks for a reload and prints what came of it; with `wait` once no drain has sessions left.
pub(super) fn ask(console: &Console, target: &RequestTarget, wait: bool) -> Result<CommandExit, ClientError> {
    let mut client = console.connect()?;
    let report = console.show_answer(&client.post(target, None)?, summary)?;
    for error in &report.errors {
        console.print_diagnostic(&visible(error));
    }
    let exit = exit_of(report.outcome);
    if wait && exit == CommandExit::Fine {
        client.get(&RequestTarget::new("/wait").with_flag("drained", true), None)?;
        console.print_note("drained");
    }
    Ok(exit)
}

fn exit_of(outcome: Outcome) -> CommandExit {
    match outcome {
        Outcome::Applied | Outcome::Unchanged => CommandExit::Fine,
        Outcome::Rejected => CommandExit::Rejected,
        Outcome::RolledBack | Outcome::Failed => CommandExit::Failed,
    }
}

fn summary(report: &ReloadReport) -> String {
    let mut text = format!(
        "{}: generation {} runs, took {}\n",
        report.outcome.name(),
        report.generation,
        duration(report.duration.as_secs_f64())
    );
    if let Some(restored) = report.restored_generation.filter(|_| report.outcome == Outcome::Applied) {
        writeln!(text, "  restored  the configuration of generation {restored}").unwrap_or_default();
    }
    for (what, names) in [
        ("added", &report.added),
        ("modified", &report.modified),
        ("removed", &report.removed),
    ] {
        if names.is_empty() {
            continue;
        }
        let shown: Vec<String> = names.iter().take(MAX_NAMED).map(|name| visible(name)).collect();
        let more = match names.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        // Writing to a string cannot fail.
        writeln!(text, "  {what:<9} {}{more}", shown.join(", ")).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_changed_is_named() {
        let report = ReloadReport {
            outcome: Outcome::Applied,
            generation: 4,
            duration: Duration::from_micros(12_500),
            added: (0..23).map(|number| format!("c{number}")).collect(),
            removed: vec!["old".into()],
            ..ReloadReport::default()
        };
        let text = summary(&report);
        assert!(
            text.starts_with("applied: generation 4 runs, took 12ms\n  added     c0, c1, "),
            "{text}"
        );
        assert!(text.ends_with("c19 and 3 more\n  removed   old\n"), "{text}");
    }

    #[test]
    fn the_exit_code_says_what_came_of_it() {
        let exit = |outcome: &str| {
            let report = serde_json::json!({"outcome": outcome, "news": 1});
            exit_of(serde_json::from_value::<ReloadReport>(report).unwrap().outcome)
        };
        assert_eq!([exit("applied"), exit("unchanged")], [CommandExit::Fine, CommandExit::Fine]);
        assert_eq!(exit("rejected"), CommandExit::Rejected);
        assert_eq!([exit("rolled_back"), exit("failed"), exit("")], [CommandExit::Failed; 3]);
    }
}
