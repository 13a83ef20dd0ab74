//! `kproxy plan`: exit code 0 if a reload would change nothing, 3 if it would disturb nobody, 4 if it would drain
//! connections, 2 if it would be rejected, 1 if no process answers.

pub(super) mod text;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::CommandExit;
use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::control::{PlanReport, PlanVerdict};
use crate::model;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  a reload would change nothing
  1  no kproxy answers
  2  a reload would be rejected, or the command line is wrong
  3  a reload would change something and drain no connection
  4  a reload would drain connections; with --offline: it would drain those that there are

The running process reads the file and tells what its reload would do; nothing changes. With --offline, no process is
asked, so connections are not known.

Examples:
  kproxy plan -c proxy.yaml --details
  kproxy plan -c new/proxy.yaml --offline old/proxy.yaml --json
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The file that would be loaded [default: the file that the process was started with].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Compare with this file in place of a running process.
    #[arg(long, value_name = "OLD", requires = "config")]
    offline: Option<PathBuf>,
    /// Show all virtual clusters, with keys, connections, clients and listeners [default: a summary].
    #[arg(long)]
    details: bool,
    /// Show what `reload --force` would do.
    #[arg(long)]
    force: bool,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        match (&self.offline, &self.config) {
            (Some(old), Some(new)) => self.between(old, new, console),
            _ => self.ask(console).unwrap_or_else(|error| console.failed(&error)),
        }
    }

    /// Asks the running process.
    fn ask(&self, console: &Console) -> Result<CommandExit, ClientError> {
        // The process may have another current directory.
        let file = match self.config.as_ref().map(std::path::absolute).transpose() {
            Ok(file) => file,
            Err(error) => {
                console.print_error(&error);
                return Ok(CommandExit::Failed);
            }
        };
        let target = RequestTarget::new("/plan")
            .with("file", file)
            .with_flag("force", self.force);
        let answer = console.connect()?.get(&target, None)?;
        let report = console.show_answer(&answer, |report| text::render(report, self.details))?;
        Ok(conclude(&report, console))
    }

    /// Compares two files.
    fn between(&self, old: &Path, new: &Path, console: &Console) -> CommandExit {
        let (before, after) = (model::load_once(old), model::load_once(new));
        match PlanReport::between(before, after, new, self.force) {
            Ok(report) => {
                console.show(&report, || text::render(&report, self.details));
                conclude(&report, console)
            }
            Err(violations) => {
                for violation in &violations {
                    console.print_diagnostic(violation);
                }
                console.print_error(&format!("{} cannot run, so there is no plan", old.display()));
                CommandExit::Rejected
            }
        }
    }
}

/// Prints why a reload would be rejected, and returns the exit code.
fn conclude(report: &PlanReport, console: &Console) -> CommandExit {
    for error in &report.errors {
        console.print_diagnostic(&visible(error));
    }
    match report.verdict {
        PlanVerdict::Unchanged => CommandExit::Fine,
        PlanVerdict::Undisturbed => CommandExit::Undisturbed,
        PlanVerdict::Drains => CommandExit::Attention,
        PlanVerdict::Rejected => CommandExit::Rejected,
    }
}
