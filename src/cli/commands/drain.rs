//! `kproxy drain`: asks the sessions of a virtual cluster to leave; it takes no new ones until it is resumed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::cli::{CommandExit, OfFile};
use crate::control::SteeringReport;

/// End of the text of `--help`.
const MORE: &str = "\
The sessions leave between two requests, as for a reload: `drain` of the virtual cluster has the strategy and the deadlines. New
connections are closed at once, so that clients try another bootstrap server, or try again. The listeners stay bound. Reloads
change nothing of it; a virtual cluster that is removed and added again takes sessions.

Exit codes:
  0  the virtual cluster takes no new sessions; with --wait: its sessions have left
  1  there is no such virtual cluster, no kproxy answers, or --timeout passed first
  2  the command line is wrong

Example:
  kproxy drain orders --wait --timeout 2m
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The virtual cluster.
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    #[command(flatten)]
    of_file: OfFile,
    /// Wait until its sessions have left.
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this (`30s`, `5m`); the sessions go on leaving [default: no limit].
    #[arg(long, value_name = "D", value_parser = crate::cli::duration, requires = "wait")]
    timeout: Option<Duration>,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        match self.drain(console) {
            Ok(()) => CommandExit::Fine,
            Err(ClientError::TimedOut) => {
                console.print_error(&"the timeout passed, and sessions are left; they go on leaving");
                CommandExit::Failed
            }
            Err(error) => console.failed(&error),
        }
    }

    fn drain(self, console: &Console) -> Result<(), ClientError> {
        let began = Instant::now();
        let target = RequestTarget::new("/drain").with("cluster", Some(&self.cluster));
        let mut client = console.connect()?;
        let report = client.post(&target, None)?;
        console.show_answer(&report, readable)?;
        if self.wait {
            let target = RequestTarget::new("/wait")
                .with_flag("drained", true)
                .with("cluster", Some(&self.cluster));
            let left = self.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            client.get(&target, left)?;
            console.print_note("drained");
        }
        Ok(())
    }
}

fn readable(report: &SteeringReport) -> String {
    let name = visible(report.cluster.as_deref().unwrap_or_default());
    let before = match &*report.outcome {
        "unchanged" => " (as before)",
        _ => "",
    };
    format!("{name} takes no new sessions{before}; asked to leave: {}\n", super::close::sessions(report.sessions))
}
