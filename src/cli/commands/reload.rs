//! `kproxy reload`: exit code 0 if the file runs, 2 if it is rejected, 1 otherwise.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::approve;
use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::CommandExit;
use crate::cli::console::Console;
use crate::cli::table::{duration, visible};
use crate::control::{MAX_STAGED_WAIT, ReloadReport, StagedReport};
use crate::reload::Outcome;
use crate::time::parse_duration;

/// Most names in one line; the others are only counted.
const MAX_NAMED: usize = 20;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the file runs, or nothing in it has changed
  1  the reload failed or was rolled back, or no kproxy answers
  2  the file is rejected, or the command line is wrong

With --stage, a reload is read and checked, and applied once somebody else runs `kproxy approve`.

Example:
  kproxy reload --wait
  kproxy reload --stage --within 4h
  kproxy reload --confirm-within 2m
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
    /// Read the file and keep it until somebody else approves it: nothing changes before.
    #[arg(long, conflicts_with = "wait")]
    stage: bool,
    /// Go back by itself after this time (`60s`, `10m`), unless `kproxy confirm` follows before.
    #[arg(long, value_name = "D", value_parser = waiting_time, conflicts_with = "stage")]
    confirm_within: Option<Duration>,
    /// Wait for approval no longer than this (`30m`, `12h`), at most a week [default: 1h].
    #[arg(long, value_name = "D", value_parser = waiting_time, requires = "stage")]
    within: Option<Duration>,
}

fn waiting_time(text: &str) -> Result<Duration, &'static str> {
    let is_fine = |time: &Duration| (Duration::from_secs(1)..=MAX_STAGED_WAIT).contains(time);
    parse_duration(text).filter(is_fine).ok_or("expected a duration from `1s` to `168h`")
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
                .with_flag("force", self.force)
                .with_flag("stage", self.stage)
                .with("confirm_within", self.confirm_within.map(|time| time.as_secs().to_string()))
                .with("within", self.within.map(|time| time.as_secs().to_string())),
            Err(error) => {
                console.print_error(&error);
                return Ok(CommandExit::Failed);
            }
        };
        let exit = ask(console, &target, wait)?;
        if self.stage && exit == CommandExit::Fine && console.is_for_people() {
            show_staged(console)?;
        }
        Ok(exit)
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

/// Prints what waits for approval, and what it would do.
fn show_staged(console: &Console) -> Result<(), ClientError> {
    let answer = console.connect()?.get(&RequestTarget::new("/staged"), None)?;
    let waiting: Vec<StagedReport> = answer.read()?;
    for staged in &waiting {
        console.print_note(approve::describe(staged, false).trim_end());
    }
    Ok(())
}

fn exit_of(outcome: Outcome) -> CommandExit {
    match outcome {
        Outcome::Applied | Outcome::Unchanged | Outcome::Staged => CommandExit::Fine,
        Outcome::Rejected => CommandExit::Rejected,
        Outcome::RolledBack | Outcome::Failed => CommandExit::Failed,
    }
}

fn summary(report: &ReloadReport) -> String {
    if let Some(staged) = report.staged.as_ref().filter(|_| report.outcome == Outcome::Staged) {
        let id = visible(&staged.id);
        return format!(
            "staged: generation {} runs on, until somebody else runs `kproxy approve {id}`\n",
            report.generation
        );
    }
    let mut text = format!(
        "{}: generation {} runs, took {}\n",
        report.outcome.name(),
        report.generation,
        duration(report.duration.as_secs_f64())
    );
    if let Some(restored) = report.restored_generation.filter(|_| report.outcome == Outcome::Applied) {
        writeln!(text, "  restored  the configuration of generation {restored}").unwrap_or_default();
    }
    if let Some(confirm) = &report.confirm {
        let (left, previous) = (duration(confirm.seconds_left), confirm.previous_generation);
        writeln!(text, "  waits for `kproxy confirm` for {left}, else generation {previous} comes back").unwrap_or_default();
        if !confirm.survives_restart {
            text.push_str("  there is no `stateDirectory`: a restart in this time would run the file\n");
        }
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
