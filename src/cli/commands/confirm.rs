//! `kproxy confirm`: exit code 0 if what runs is confirmed, 1 otherwise.

use std::path::PathBuf;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::{CommandExit, OfFile};
use crate::control::ConfirmReport;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  what runs is confirmed, and stays
  1  nothing waits for a confirmation, it is too late, or no kproxy answers
  2  the command line is wrong

Example:
  kproxy reload --confirm-within 2m && kproxy doctor localhost:9192 && kproxy confirm
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let confirmed = |report: &ConfirmReport| format!("confirmed: generation {} stays\n", report.generation);
        let shown = console
            .connect()
            .and_then(|mut client| client.post(&RequestTarget::new("/confirm"), None))
            .and_then(|answer| console.show_answer(&answer, confirmed));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}
