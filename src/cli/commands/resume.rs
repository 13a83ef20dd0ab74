//! `kproxy resume`: a drained virtual cluster takes new sessions again, and the requests of a paused one go on.

use std::path::PathBuf;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::cli::{CommandExit, OfFile};
use crate::control::SteeringReport;

/// End of the text of `--help`.
const MORE: &str = "\
Sessions that were asked to leave go on leaving; their clients may connect again. Requests of a paused virtual cluster go on at
once.

Exit codes:
  0  the virtual cluster takes new sessions and requests
  1  there is no such virtual cluster, or no kproxy answers
  2  the command line is wrong

Example:
  kproxy resume orders
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
        let target = RequestTarget::new("/resume").with("cluster", Some(&self.cluster));
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
    match (&*report.outcome, report.state.as_deref()) {
        ("unchanged", _) => format!("{name} was not drained\n"),
        (_, Some("serving") | None) if report.detail.is_some() => format!("the requests of {name} go on\n"),
        (_, Some("serving") | None) => format!("{name} takes new sessions\n"),
        (_, Some(state)) => format!("{name} is not drained any more; it is {}\n", visible(state)),
    }
}
