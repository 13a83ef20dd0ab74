//! `kproxy approve`: exit code 0 if what waited runs, 2 if it is rejected or may not be approved, 1 otherwise. Without an
//! id: 0 with a list of what waits.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::plan::text;
use super::reload;
use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::console::Console;
use crate::cli::table::{duration, visible};
use crate::cli::{CommandExit, OfFile};
use crate::control::StagedReport;
use crate::time::rfc3339;

/// End of the text of `--help`.
const MORE: &str = "\
The user who staged a reload cannot approve it. A user is known by the user id, the token of the management address counts
as one more, and what was staged because the file was edited may be approved by anybody.

Exit codes:
  0  what waited runs; without ID: the list is printed, which may be empty
  1  the reload failed or was rolled back, or no kproxy answers
  2  it may not be approved, or is rejected, or the command line is wrong

Example:
  kproxy approve 1a2b3c4d --wait
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// The id of the reload that waits [default: list what waits, and what it would do].
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// List every virtual cluster that would change, with all details.
    #[arg(long, conflicts_with = "id")]
    details: bool,
    /// Wait until no drain has sessions left.
    #[arg(long, requires = "id")]
    wait: bool,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let done = match &self.id {
            None => list(console, self.details),
            Some(id) => {
                let target = RequestTarget::new("/approve").with("id", Some(id));
                reload::ask(console, &target, self.wait)
            }
        };
        done.unwrap_or_else(|error| console.failed(&error))
    }
}

fn list(console: &Console, details: bool) -> Result<CommandExit, ClientError> {
    let answer = console.connect()?.get(&RequestTarget::new("/staged"), None)?;
    console.show_answer(&answer, |waiting: &Vec<StagedReport>| match waiting.is_empty() {
        true => "nothing waits for approval\n".to_owned(),
        false => waiting.iter().map(|staged| describe(staged, details)).collect(),
    })?;
    Ok(CommandExit::Fine)
}

/// What waits, and what it would do.
pub(super) fn describe(StagedReport { staged, plan }: &StagedReport, details: bool) -> String {
    let mut text = format!(
        "{} waits for approval for {} more: staged by {} at {}\n",
        visible(&staged.id),
        duration(staged.expires_seconds),
        visible(&staged.by.to_string()),
        rfc3339(staged.at),
    );
    if let Some(file) = &staged.file {
        // Writing to a string cannot fail.
        writeln!(text, "read from {}", visible(file)).unwrap_or_default();
    }
    text.push_str(&text::render(plan, details));
    text
}
