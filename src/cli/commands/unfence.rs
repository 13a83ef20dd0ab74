//! `kproxy unfence`: lifts the fence that a command has set.

use std::path::PathBuf;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::cli::{CommandExit, OfFile};
use crate::control::SteeringReport;

/// End of the text of `--help`.
const MORE: &str = "\
Requests that are held go on at once. If the configuration has a `fence` for the virtual cluster, that one is in force again; it
is lifted by a reload without it.

Exit codes:
  0  no command fences the virtual cluster
  1  there is no such virtual cluster, its fence is in the configuration, or no kproxy answers
  2  the command line is wrong

Example:
  kproxy unfence orders
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The virtual cluster.
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    #[command(flatten)]
    of_file: OfFile,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let target = RequestTarget::new("/unfence").with("cluster", Some(&self.cluster));
        let shown = console
            .connect()
            .and_then(|mut client| client.post(&target, None))
            .and_then(|answer| console.show_answer(&answer, readable));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}

fn readable(report: &SteeringReport) -> String {
    let name = visible(report.cluster.as_deref().unwrap_or_default());
    match (&*report.outcome, &report.fence) {
        ("unchanged", _) => format!("{name} was not fenced\n"),
        (_, None) => format!("{name} is not fenced any more\n"),
        (_, Some(fence)) => {
            let fence = super::fence::describe(fence);
            format!("{name} has the fence of the configuration again: {fence}\n")
        }
    }
}
